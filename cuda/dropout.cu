/*
 * Dropout. The mask is bit for bit that of nn/op/dropout.c: Philox4x32-10 with the counter (global
 * sample, element / 4), so it does not depend on the device or on the batch's cut. One
 * multiplication in f32, rounded once; a dropped infinity is 0. Gradients are stored or added.
 */
#include "cuda/launch.cuh"

struct dropout_args {
    const void *from;
    void *to;
    int from_type, to_type, write;
    int active; /* 0: values pass through */
    float rate;
    uint64_t key, first_sample; /* where run is NULL */
    const sg_cuda_run *run;     /* of a recorded pass: on the GPU */
    uint32_t tensor;            /* whose mask it is */
    uint32_t
        sample; /* elements of one; their number is below 2^34, as the mask's counter is 32 bits */
    uint32_t items;  /* groups of four elements of one sample */
    uint32_t groups; /* of one sample */
    uint32_t channels, from_pitch, to_pitch;
};

/* The four words for (key, SG_STREAM_DROPOUT, a, b): base/rng.c for the GPU. */
static __device__ void random4(uint64_t key, uint64_t a, uint32_t b, uint32_t word[4])
{
    uint32_t c0 = (uint32_t)a, c1 = (uint32_t)(a >> 32), c2 = b, c3 = SG_STREAM_DROPOUT;
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    word[0] = c0;
    word[1] = c1;
    word[2] = c2;
    word[3] = c3;
}

/* As sg_dropout_key. */
static __device__ void use_run(dropout_args *a)
{
    uint32_t word[4];
    random4(a->run->seed, a->run->step, a->tensor, word);
    a->key = (uint64_t)word[1] << 32 | word[0];
    a->first_sample = a->run->first_sample;
}

__global__ void drop(dropout_args a)
{
    uint32_t item = sg_item();
    if (item >= a.items)
        return;
    uint32_t sample = item / a.groups, group = item % a.groups, word[4] = {0, 0, 0, 0};
    float scale = 1 / (1 - a.rate);
    if (a.active && a.run)
        use_run(&a);
    if (a.active)
        random4(a.key, a.first_sample + sample, group, word);
    for (uint32_t k = 0; k < 4 && group * 4 + k < a.sample; k++) {
        uint32_t element = group * 4 + k, c = element % a.channels;
        size_t pixel = (size_t)sample * (a.sample / a.channels) + element / a.channels;
        sg_row<1> x;
        sg_read(a.from, a.from_type, pixel * a.from_pitch + c, &x);
        bool keeps = !a.active || (float)(word[k] >> 8) * 0x1p-24f >= a.rate;
        x.v[0] = !keeps ? 0 : a.active ? scale * x.v[0] : x.v[0];
        sg_put_gradient(a.to, a.to_type, a.write, pixel * a.to_pitch + c, x);
    }
}

static sg_err launch_drop(sg_cuda *cuda, const sg_site *site, const sg_io *io, dropout_args a)
{
    size_t sample = sg_shape_count(site->out) / (size_t)site->out.n;
    if (sample > UINT32_MAX - 4)
        return sg_fail(SG_EUNSUPPORTED,
                       "%s: a sample of %zu elements is too large: use a smaller tile",
                       site->node->name, sample);
    a.active = site->training;
    a.rate = site->node->attr.dropout.rate;
    if (a.active) {
        a.key = sg_dropout_key(io->run, site->node);
        a.first_sample = io->run->first_sample;
        a.run = cuda->recording ? cuda->run : NULL;
        a.tensor = (uint32_t)site->node->output;
    }
    a.sample = (uint32_t)sample;
    a.channels = (uint32_t)site->out.c;
    a.groups = (uint32_t)((sample + 3) / 4);
    return sg_launch_items(cuda, drop, (size_t)a.groups * (size_t)site->out.n, a);
}

static sg_err forward(void *kernel, const sg_site *site, const sg_io *io)
{
    dropout_args a = {io->in[0], io->out, site->in_type[0], site->out_type, SG_GRAD_STORE};
    a.from_pitch = (uint32_t)site->in_pitch[0];
    a.to_pitch = (uint32_t)site->out_pitch;
    return launch_drop((sg_cuda *)kernel, site, io, a);
}

static sg_err backward(void *kernel, const sg_site *site, const sg_io *io)
{
    dropout_args a = {io->grad_out, io->grad_in[0], site->grad_type, site->grad_type,
                      site->write[0]};
    a.from_pitch = (uint32_t)site->out_pitch;
    a.to_pitch = (uint32_t)site->grad_pitch[0];
    return site->write[0] == SG_GRAD_NONE ? SG_OK : launch_drop((sg_cuda *)kernel, site, io, a);
}

extern "C" const sg_kernel_def sg_cuda_dropout = {
    sg_cuda_prepare_plain,         NULL, forward, backward, sg_cuda_release_plain,
    SG_PITCHED_IN | SG_PITCHED_OUT};
