/* Any bytes as a checkpoint: loaded as a prediction does, then with all that a resumed training
 * takes of it. */
#include "support/fuzz.h"

#include "train/checkpoint.h"

/* HDF5 itself loses a little where an object's header fails its checksum. */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
    return "leak:libhdf5";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sg_checkpoint checkpoint;
    bool loads = fuzz_file(data, size);
    for (int optimizer = 0; loads && optimizer < 2; optimizer++) {
        loads = sg_checkpoint_load(&checkpoint, fuzz_path(), optimizer) == SG_OK;
        if (loads) {
            fuzz_accept();
            sg_checkpoint_close(&checkpoint);
        }
    }
    remove(fuzz_path());
    return 0;
}
