/* Concatenation of channels, in the order of the inputs: copies, no arithmetic but the change of
 * format where an input's differs. Gradients are stored or added, each from its channels. What lies
 * in the output already, with its gradient, is left alone. */
#include "cuda/launch.cuh"

/* One input's channels, [first, first + own) of the output's. */
struct concat_args {
    const void *from;
    void *to;
    int from_type, to_type, write;
    uint32_t own, first;           /* in units of N */
    uint32_t from_pitch, to_pitch; /* elements */
    uint32_t items;
};

template <int N> __global__ void put_in(concat_args a)
{
    uint32_t item = sg_item();
    if (item >= a.items)
        return;
    size_t pixel = item / a.own, c = item % a.own;
    sg_row<N> row;
    sg_read(a.from, a.from_type, pixel * a.from_pitch + c * N, &row);
    sg_write(a.to, a.to_type, pixel * a.to_pitch + (a.first + c) * N, row);
}

template <int N> __global__ void take_out(concat_args a)
{
    uint32_t item = sg_item();
    if (item >= a.items)
        return;
    size_t pixel = item / a.own, c = item % a.own;
    sg_row<N> row;
    sg_read(a.from, a.from_type, pixel * a.from_pitch + (a.first + c) * N, &row);
    sg_put_gradient(a.to, a.to_type, a.write, pixel * a.to_pitch + c * N, row);
}

/* Eight channels at a time where all inputs have multiples of 8. */
static bool all_wide(const sg_site *site)
{
    bool wide = true;
    for (int k = 0; k < site->inputs; k++)
        wide = wide && sg_is_wide(site->in[k].c);
    return wide;
}

static bool is_in_place(const sg_site *site, int input)
{
    return site->in_place >> input & 1;
}

static concat_args channels_of(const sg_site *site, int input, int64_t first, bool wide)
{
    concat_args a = {};
    int64_t unit = wide ? 8 : 1;
    a.own = (uint32_t)(site->in[input].c / unit);
    a.first = (uint32_t)(first / unit);
    return a;
}

static sg_err forward(void *kernel, const sg_site *site, const sg_io *io)
{
    bool wide = all_wide(site);
    int64_t first = 0;
    sg_err err = SG_OK;
    for (int k = 0; !err && k < site->inputs; first += site->in[k++].c) {
        concat_args a = channels_of(site, k, first, wide);
        a.from = io->in[k];
        a.from_type = site->in_type[k];
        a.from_pitch = (uint32_t)site->in_pitch[k];
        a.to = io->out;
        a.to_type = site->out_type;
        a.to_pitch = (uint32_t)site->out_pitch;
        if (!is_in_place(site, k))
            err = sg_launch_rows((sg_cuda *)kernel, put_in<8>, put_in<1>, wide,
                                 sg_shape_count(site->in[k]), a);
    }
    return err;
}

static sg_err backward(void *kernel, const sg_site *site, const sg_io *io)
{
    bool wide = all_wide(site);
    int64_t first = 0;
    sg_err err = SG_OK;
    for (int k = 0; !err && k < site->inputs; first += site->in[k++].c) {
        concat_args a = channels_of(site, k, first, wide);
        a.from = io->grad_out;
        a.from_type = site->grad_type;
        a.from_pitch = (uint32_t)site->out_pitch;
        a.to = io->grad_in[k];
        a.to_type = site->grad_type;
        a.to_pitch = (uint32_t)site->grad_pitch[k];
        a.write = site->write[k];
        if (a.write != SG_GRAD_NONE && !is_in_place(site, k))
            err = sg_launch_rows((sg_cuda *)kernel, take_out<8>, take_out<1>, wide,
                                 sg_shape_count(site->in[k]), a);
    }
    return err;
}

extern "C" const sg_kernel_def sg_cuda_concat = {
    sg_cuda_prepare_plain,         NULL, forward, backward, sg_cuda_release_plain,
    SG_PITCHED_IN | SG_PITCHED_OUT};
