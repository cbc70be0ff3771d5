/* Cropping: pixels are cut off the sides, zeros added to them. Copies, no arithmetic but the change
 * of format. Gradients are stored or added. */
#include "cuda/launch.cuh"

/* Pixels of `to`, each from where it stands in `from`: `shift` further on, inside [begin, end) of
 * it, else 0. */
struct crop_args {
    const void *from;
    void *to;
    int from_type, to_type, write;
    uint32_t channels; /* in units of N, as items */
    int64_t h, w, from_h, from_w;
    int64_t shift_y, shift_x, begin_y, begin_x, end_y, end_x;
    uint32_t items;
};

template <int N> __global__ void move(crop_args a)
{
    uint32_t item = sg_item();
    if (item >= a.items)
        return;
    uint32_t pixel = item / a.channels, c = item % a.channels;
    int64_t x = pixel % a.w + a.shift_x, y = pixel / a.w % a.h + a.shift_y, n = pixel / a.w / a.h;
    sg_row<N> row = {};
    if (y >= a.begin_y && y < a.end_y && x >= a.begin_x && x < a.end_x)
        sg_read(a.from, a.from_type,
                (size_t)(((n * a.from_h + y) * a.from_w + x) * a.channels + c) * N, &row);
    sg_put_gradient(a.to, a.to_type, a.write, (size_t)item * N, row);
}

static uint32_t units_of(const sg_site *site)
{
    return (uint32_t)(sg_is_wide(site->out.c) ? site->out.c / 8 : site->out.c);
}

static sg_err forward(void *kernel, const sg_site *site, const sg_io *io)
{
    const sg_crop_attr *crop = &site->node->attr.crop;
    sg_shape in = site->in[0], out = site->out;
    crop_args a = {};
    a.from = io->in[0];
    a.to = io->out;
    a.from_type = site->in_type[0];
    a.to_type = site->out_type;
    a.write = SG_GRAD_STORE;
    a.channels = units_of(site);
    a.h = out.h;
    a.w = out.w;
    a.from_h = in.h;
    a.from_w = in.w;
    a.shift_y = crop->cut.top - crop->pad.top;
    a.shift_x = crop->cut.left - crop->pad.left;
    a.begin_y = crop->cut.top;
    a.begin_x = crop->cut.left;
    a.end_y = in.h - crop->cut.bottom;
    a.end_x = in.w - crop->cut.right;
    return sg_launch_rows((sg_cuda *)kernel, move<8>, move<1>, sg_is_wide(out.c),
                          sg_shape_count(out), a);
}

static sg_err backward(void *kernel, const sg_site *site, const sg_io *io)
{
    const sg_crop_attr *crop = &site->node->attr.crop;
    sg_shape in = site->in[0], out = site->out;
    crop_args a = {};
    if (site->write[0] == SG_GRAD_NONE)
        return SG_OK;
    a.from = io->grad_out;
    a.to = io->grad_in[0];
    a.from_type = a.to_type = site->grad_type;
    a.write = site->write[0];
    a.channels = units_of(site);
    a.h = in.h;
    a.w = in.w;
    a.from_h = out.h;
    a.from_w = out.w;
    a.shift_y = crop->pad.top - crop->cut.top;
    a.shift_x = crop->pad.left - crop->cut.left;
    a.begin_y = crop->pad.top;
    a.begin_x = crop->pad.left;
    a.end_y = out.h - crop->pad.bottom;
    a.end_x = out.w - crop->pad.right;
    return sg_launch_rows((sg_cuda *)kernel, move<8>, move<1>, sg_is_wide(in.c), sg_shape_count(in),
                          a);
}

extern "C" const sg_kernel_def sg_cuda_crop = {sg_cuda_prepare_plain, NULL, forward, backward,
                                               sg_cuda_release_plain};
