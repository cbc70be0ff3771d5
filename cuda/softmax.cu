/*
 * Softmax over the channels of each pixel, one thread to a pixel.
 *
 * Numerical contract. The largest value is subtracted first; exponentials are f32, their sum f32 in
 * channel order, each result rounded once. Backward: dx = y * (dy - sum(dy * y)), the sum f32 in
 * channel order. Gradients are stored or added.
 */
#include "cuda/launch.cuh"

#include <math.h>

struct softmax_args {
    const void *in, *grad_out;
    void *out, *grad_in;
    int in_type, out_type, grad_type, write;
    uint32_t channels;
    uint32_t items;
};

__global__ void softmax(softmax_args a)
{
    uint32_t pixel = sg_item();
    if (pixel >= a.items)
        return;
    size_t first = (size_t)pixel * a.channels;
    float largest = -INFINITY, sum = 0;
    for (uint32_t c = 0; c < a.channels; c++)
        largest = fmaxf(largest, sg_get(a.in, a.in_type, first + c));
    for (uint32_t c = 0; c < a.channels; c++)
        sum += expf(sg_get(a.in, a.in_type, first + c) - largest);
    for (uint32_t c = 0; c < a.channels; c++)
        sg_put(a.out, a.out_type, first + c,
               expf(sg_get(a.in, a.in_type, first + c) - largest) / sum);
}

__global__ void softmax_gradient(softmax_args a)
{
    uint32_t pixel = sg_item();
    if (pixel >= a.items)
        return;
    size_t first = (size_t)pixel * a.channels;
    float sum = 0;
    for (uint32_t c = 0; c < a.channels; c++)
        sum += sg_get(a.grad_out, a.grad_type, first + c) * sg_get(a.out, a.out_type, first + c);
    for (uint32_t c = 0; c < a.channels; c++) {
        sg_row<1> gradient;
        gradient.v[0] = sg_get(a.out, a.out_type, first + c) *
                        (sg_get(a.grad_out, a.grad_type, first + c) - sum);
        sg_put_gradient(a.grad_in, a.grad_type, a.write, first + c, gradient);
    }
}

static softmax_args args_of(const sg_site *site, const sg_io *io)
{
    softmax_args a = {io->in[0],       io->grad_out,     io->out,
                      io->grad_in[0],  site->in_type[0], site->out_type,
                      site->grad_type, site->write[0],   (uint32_t)site->out.c};
    return a;
}

static size_t pixels_of(const sg_site *site)
{
    return sg_shape_count(site->out) / (size_t)site->out.c;
}

static sg_err forward(void *kernel, const sg_site *site, const sg_io *io)
{
    return sg_launch_items((sg_cuda *)kernel, softmax, pixels_of(site), args_of(site, io));
}

static sg_err backward(void *kernel, const sg_site *site, const sg_io *io)
{
    if (site->write[0] == SG_GRAD_NONE)
        return SG_OK;
    return sg_launch_items((sg_cuda *)kernel, softmax_gradient, pixels_of(site), args_of(site, io));
}

extern "C" const sg_kernel_def sg_cuda_softmax = {sg_cuda_prepare_plain, NULL, forward, backward,
                                                  sg_cuda_release_plain};
