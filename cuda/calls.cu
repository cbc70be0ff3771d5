/*
 * The backend's calls that compute but are no operators: changing formats, accumulate, classify,
 * the running mean. The optimizer is in update.cu.
 *
 * Numerical contract. accumulate adds in f32 and rounds once. classify: the lowest index of the
 * largest logit, NaN is never the largest; probabilities are exp(x - largest) / sum in f32, summed
 * in channel order.
 */
#include "cuda/launch.cuh"

#include <math.h>

struct convert_args {
    const void *from;
    void *to;
    int from_type, to_type, write;
    uint32_t items;
};

template <int N> __global__ void convert(convert_args a)
{
    uint32_t item = sg_item();
    if (item >= a.items)
        return;
    size_t at = (size_t)item * N;
    sg_row<N> row;
    sg_read(a.from, a.from_type, at, &row);
    sg_put_gradient(a.to, a.to_type, a.write, at, row);
}

static sg_err launch_convert(sg_cuda *cuda, size_t count, convert_args a)
{
    return sg_launch_rows(cuda, convert<8>, convert<1>, count % 8 == 0, count, a);
}

sg_err sg_cuda_convert(sg_cuda *cuda, void *to, sg_dtype to_type, const void *from,
                       sg_dtype from_type, size_t count)
{
    convert_args a = {from, to, from_type, to_type, SG_GRAD_STORE};
    return launch_convert(cuda, count, a);
}

sg_err sg_cuda_accumulate(sg_backend *backend, void *sum, const void *part, sg_dtype type,
                          size_t count)
{
    convert_args a = {part, sum, type, type, SG_GRAD_ADD};
    return launch_convert(sg_cuda_of(backend), count, a);
}

struct pitched_args {
    const void *part;
    void *sum;
    int type;
    uint32_t groups, pitch; /* channels / N */
    uint32_t items;
};

template <int N> __global__ void add_pitched(pitched_args a)
{
    uint32_t item = sg_item();
    if (item >= a.items)
        return;
    sg_row<N> row;
    sg_read(a.part, a.type, (size_t)item * N, &row);
    sg_put_gradient(a.sum, a.type, SG_GRAD_ADD, sg_place<N>(item, a.groups, a.pitch), row);
}

sg_err sg_cuda_accumulate_pitched(sg_backend *backend, const sg_pitched_sum *sum)
{
    bool wide = sg_is_wide(sum->channels);
    pitched_args a = {sum->part, sum->sum, sum->type};
    a.groups = (uint32_t)(wide ? sum->channels / 8 : sum->channels);
    a.pitch = (uint32_t)sum->pitch;
    return sg_launch_rows(sg_cuda_of(backend), add_pitched<8>, add_pitched<1>, wide,
                          sum->pixels * (size_t)sum->channels, a);
}

/* The values travel as f32 and are rounded on the GPU. */
sg_err sg_cuda_load_input(sg_backend *backend, void *device, sg_dtype type, const float *host,
                          size_t count)
{
    sg_cuda *cuda = sg_cuda_of(backend);
    size_t bytes;
    if (type == SG_F32)
        return sg_cuda_upload(cuda, device, host, count * sizeof(float));
    sg_err err = sg_size_mul(count, sizeof(float), &bytes);
    if (!err)
        err = sg_cuda_reserve(cuda, bytes);
    if (!err)
        err = sg_cuda_upload(cuda, cuda->scratch, host, bytes);
    return err ? err : sg_cuda_convert(cuda, device, type, cuda->scratch, SG_F32, count);
}

/* ---- classify ---- */

struct classify_args {
    const void *logits;
    int type;
    uint32_t classes;
    uint8_t *best;
    float *probabilities; /* or NULL */
    uint32_t items;
};

__global__ void classify(classify_args a)
{
    uint32_t pixel = sg_item(), best = 0;
    if (pixel >= a.items)
        return;
    size_t first = (size_t)pixel * a.classes;
    float largest = sg_get(a.logits, a.type, first), sum = 0;
    for (uint32_t c = 1; c < a.classes; c++) {
        float value = sg_get(a.logits, a.type, first + c);
        if (value > largest || (isnan(largest) && !isnan(value))) {
            largest = value;
            best = c;
        }
    }
    a.best[pixel] = (uint8_t)best;
    if (!a.probabilities)
        return;
    for (uint32_t c = 0; c < a.classes; c++)
        sum += expf(sg_get(a.logits, a.type, first + c) - largest);
    for (uint32_t c = 0; c < a.classes; c++)
        a.probabilities[first + c] = expf(sg_get(a.logits, a.type, first + c) - largest) / sum;
}

sg_err sg_cuda_classify_into(sg_cuda *cuda, const sg_logits *logits, uint8_t *classes,
                             float *probabilities)
{
    classify_args a = {logits->values, logits->type, (uint32_t)logits->classes, classes,
                       probabilities};
    return sg_launch_items(cuda, classify, logits->pixels, a);
}

/* ---- running mean ---- */

struct average_args {
    float *mean;
    const float *value;
    float share;
    uint32_t items;
};

__global__ void average(average_args a)
{
    uint32_t i = sg_item();
    if (i < a.items)
        a.mean[i] = a.share == 1 ? a.value[i] : a.mean[i] + a.share * (a.value[i] - a.mean[i]);
}

sg_err sg_cuda_average(sg_backend *backend, size_t count, float *mean, const float *value,
                       float share)
{
    average_args a = {mean, value, share};
    return sg_launch_items(sg_cuda_of(backend), average, count, a);
}
