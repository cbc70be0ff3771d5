/* The network's input: the executor fills it with load_input, so nothing is computed here. */
#include "cpu/device.h"

static sg_err nothing(void *kernel, const sg_site *site, const sg_io *io)
{
    return SG_OK;
}

const sg_kernel_def sg_cpu_input = {
    .prepare = sg_cpu_prepare_plain,
    .forward = nothing,
    .backward = nothing,
    .release = sg_cpu_release_plain,
};
