/* Any bytes as a safetensors file: opened, listed, every tensor read. */
#include "support/fuzz.h"

#include "base/size.h"
#include "data/safetensors.h"

static void read_all(const sg_safetensors *file)
{
    for (size_t i = 0; i < sg_safetensors_count(file); i++) {
        const sg_safetensor *tensor = sg_safetensors_at(file, i);
        float *values = NULL;
        if (sg_malloc(tensor->count, sizeof *values, &values) == SG_OK)
            (void)sg_safetensors_read(file, tensor, values);
        sg_free(values);
        SG_ASSERT(sg_safetensors_find(file, tensor->name));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sg_safetensors *file = NULL;
    if (fuzz_file(data, size) && sg_safetensors_open(&file, fuzz_path()) == SG_OK) {
        fuzz_accept();
        read_all(file);
    }
    sg_safetensors_close(file);
    remove(fuzz_path());
    return 0;
}
