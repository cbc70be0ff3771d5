/*
 * The reference backend: plain C on one thread, ordinary memory, both number formats. It is the
 * oracle that other backends are held against; its arithmetic stands in op/.
 */
#include <math.h>
#include <string.h>
#include "base/size.h"
#include "nn/backend.h"

static bool supports(const sg_backend *backend, sg_dtype type)
{
    return type == SG_F32 || type == SG_BF16;
}

static sg_err allocate(sg_backend *backend, size_t bytes, void **memory)
{
    return sg_malloc(bytes, 1, memory);
}

static void release(sg_backend *backend, void *memory)
{
    sg_free(memory);
}

static sg_err copy(sg_backend *backend, void *to, const void *from, size_t bytes)
{
    memcpy(to, from, bytes);
    return SG_OK;
}

static sg_err load_input(sg_backend *backend, void *device, sg_dtype type, const float *host,
                         size_t count)
{
    for (size_t i = 0; i < count; i++)
        sg_store(device, type, i, host[i]);
    return SG_OK;
}

static sg_err load(sg_backend *backend, const sg_images *images, uint64_t sent,
                   const sg_images_target *target)
{
    sg_shape in = images->shape;
    size_t count = (size_t)(in.h * in.w * in.c);
    float *values = NULL;
    sg_err err = sg_malloc(count, sizeof *values, &values);
    for (int32_t k = 0; !err && k < images->n; k++) {
        sg_raw_to_f32(&images->image[k], in.h, in.w, (int32_t)in.c, values);
        for (size_t i = 0; i < count; i++)
            sg_store(target->input, target->type, (size_t)k * count + i, values[i]);
    }
    if (!err && target->labels)
        memcpy(target->labels, images->labels, (size_t)(in.n * in.h * in.w));
    sg_free(values);
    return err;
}

static sg_err accumulate(sg_backend *backend, void *sum, const void *part, sg_dtype type,
                         size_t count)
{
    for (size_t i = 0; i < count; i++)
        sg_store(sum, type, i, sg_load(sum, type, i) + sg_load(part, type, i));
    return SG_OK;
}

/* The lowest index of the largest logit; NaN is never the largest. */
static size_t argmax(const void *logits, sg_dtype type, size_t first, size_t classes)
{
    size_t best = 0;
    for (size_t k = 1; k < classes; k++) {
        float value = sg_load(logits, type, first + k);
        float largest = sg_load(logits, type, first + best);
        if (value > largest || (isnan(largest) && !isnan(value)))
            best = k;
    }
    return best;
}

static void softmax(const void *logits, sg_dtype type, size_t first, size_t classes, float largest,
                    float *probabilities)
{
    double sum = 0;
    for (size_t k = 0; k < classes; k++)
        sum += exp((double)sg_load(logits, type, first + k) - largest);
    for (size_t k = 0; k < classes; k++)
        probabilities[first + k] =
            (float)(exp((double)sg_load(logits, type, first + k) - largest) / sum);
}

static sg_err classify(sg_backend *backend, const void *logits, sg_dtype type, size_t pixels,
                       int64_t c, uint8_t *classes, float *probabilities)
{
    for (size_t i = 0; i < pixels; i++) {
        size_t first = i * (size_t)c;
        size_t best = argmax(logits, type, first, (size_t)c);
        classes[i] = (uint8_t)best;
        if (probabilities)
            softmax(logits, type, first, (size_t)c, sg_load(logits, type, first + best),
                    probabilities);
    }
    return SG_OK;
}

static sg_err update(sg_backend *backend, const sg_update *rule, const sg_update_arrays *arrays)
{
    if (sg_update_sums(rule))
        sg_update_sum(rule, arrays, 0, arrays->pieces);
    sg_update_apply(rule, arrays, 0, arrays->pieces);
    return SG_OK;
}

static sg_err average(sg_backend *backend, size_t count, float *mean, const float *value,
                      float share)
{
    sg_average_apply(count, mean, value, share);
    return SG_OK;
}

static sg_err squares(sg_backend *backend, const sg_update_arrays *arrays, double *sum)
{
    sg_update_squares(arrays, 0, arrays->pieces);
    *sum = 0;
    for (int32_t i = 0; i < arrays->pieces; i++)
        *sum += arrays->norms[i];
    return SG_OK;
}

static sg_err synchronize(sg_backend *backend)
{
    return SG_OK;
}

static void close_reference(sg_backend *backend)
{
    sg_free(backend);
}

static const sg_backend reference = {
    .name = "reference",
    .device = "1 thread, plain C",
    .kind = "plain C",
    .kernel =
        {
#define SG_OPERATOR(id, name) [SG_OP_##id] = &sg_reference_##id,
#include "nn/ops.def"
#undef SG_OPERATOR
        },
    .host_memory = 1,
    .supports = supports,
    .alloc = allocate,
    .free = release,
    .upload = copy,
    .download = copy,
    .load_input = load_input,
    .load = load,
    .accumulate = accumulate,
    .classify = classify,
    .update = update,
    .average = average,
    .squares = squares,
    .synchronize = synchronize,
    .close = close_reference,
};

sg_err sg_reference_open(sg_backend **backend)
{
    sg_err err = sg_malloc(1, sizeof **backend, backend);
    if (!err)
        **backend = reference;
    return err;
}
