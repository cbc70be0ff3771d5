/* Convolution; see convolution.h. */
#include "cpu/convolution.h"

static sg_err prepare(sg_backend *backend, const sg_site *site, void **kernel)
{
    return sg_cpu_convolution_prepare((sg_cpu *)backend, site, false, &sg_reference_conv, kernel);
}

const sg_kernel_def sg_cpu_conv = {
    .prepare = prepare,
    .refresh = sg_cpu_convolution_refresh,
    .forward = sg_cpu_convolution_forward,
    .backward = sg_cpu_convolution_backward,
    .release = sg_cpu_convolution_release,
};
