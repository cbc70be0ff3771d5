/* Any bytes as a checkpoint: loaded with all that a resumed training takes of it. */
#include "support/fuzz_file.h"

#include "train/checkpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[32];
    sg_checkpoint checkpoint;
    int fd = fuzz_file(data, size, path);
    if (fd >= 0 && sg_checkpoint_load(&checkpoint, path, true) == SG_OK)
        sg_checkpoint_close(&checkpoint);
    close(fd);
    return 0;
}
