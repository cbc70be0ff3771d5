#include "cpu/rows.h"

#include <string.h>

static inline float bits_to_float(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

SG_CLONES void sg_row_convert_up(const uint16_t *restrict from, size_t count, float *restrict to)
{
    for (size_t i = 0; i < count; i++)
        to[i] = bits_to_float((uint32_t)from[i] << 16);
}

/* As sg_f32_to_bf16, without a branch: to nearest even, NaN stays NaN. */
SG_CLONES void sg_row_convert_down(const float *restrict from, size_t count, uint16_t *restrict to)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &from[i], sizeof bits);
        uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
        uint32_t quiet = (bits >> 16) | 0x40u;
        to[i] = (uint16_t)((bits & 0x7fffffffu) > 0x7f800000u ? quiet : rounded);
    }
}

SG_CLONES void sg_row_add(float *restrict sum, const float *restrict part, size_t count)
{
    for (size_t i = 0; i < count; i++)
        sum[i] += part[i];
}

const float *sg_row_load(const void *tensor, sg_dtype type, size_t index, size_t count,
                         float *buffer)
{
    if (type == SG_F32)
        return (const float *)tensor + index;
    sg_row_convert_up((const uint16_t *)tensor + index, count, buffer);
    return buffer;
}

float *sg_row_target(void *tensor, sg_dtype type, size_t index, float *buffer)
{
    return type == SG_F32 ? (float *)tensor + index : buffer;
}

void sg_row_store(void *tensor, sg_dtype type, size_t index, size_t count, const float *row)
{
    if (type == SG_BF16)
        sg_row_convert_down(row, count, (uint16_t *)tensor + index);
    else if (row != (float *)tensor + index)
        memcpy((float *)tensor + index, row, count * sizeof *row);
}

float *sg_row_gradient(void *tensor, sg_dtype type, sg_grad_write write, size_t index,
                       float *buffer)
{
    return write == SG_GRAD_ADD ? buffer : sg_row_target(tensor, type, index, buffer);
}

void sg_row_put(void *tensor, sg_dtype type, sg_grad_write write, size_t index, size_t count,
                const float *row)
{
    if (write != SG_GRAD_ADD) {
        sg_row_store(tensor, type, index, count, row);
        return;
    }
    if (type == SG_F32) {
        sg_row_add((float *)tensor + index, row, count);
        return;
    }
    float sum[SG_ROW];
    sg_row_convert_up((const uint16_t *)tensor + index, count, sum);
    sg_row_add(sum, row, count);
    sg_row_convert_down(sum, count, (uint16_t *)tensor + index);
}

/*
 * exp by 2^n * exp(r), |r| <= ln2 / 2, and a polynomial of degree 6 (Cephes' expf). The argument is
 * clamped to where the result is a normal number; below, the result is 0.
 */
static inline float exp_one(float x)
{
    const float least = -87.33f, most = 88.37f;
    float a = x < least ? least : x > most ? most : x;
    float shifted = a * 1.44269504f + 12582912.0f; /* + 1.5 * 2^23 rounds to a whole number n, */
    float n = shifted - 12582912.0f;
    uint32_t n_bits; /* which then stands in the low bits */
    memcpy(&n_bits, &shifted, sizeof n_bits);
    float r = a - n * .693359375f;
    r = r + n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + r + 1.0f;
    float power = bits_to_float((n_bits + 127u) << 23);
    return x < least ? 0 : p * power;
}

SG_CLONES void sg_row_exp(float *row, size_t count)
{
    for (size_t i = 0; i < count; i++)
        row[i] = exp_one(row[i]);
}

/* log by 2^e * m, sqrt(1/2) <= m < sqrt(2), and a polynomial of degree 8 (Cephes' logf). */
static inline float log_one(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    uint32_t shifted = bits - 0x3f3504f3u; /* sqrt(1/2) */
    float e = (float)((int32_t)shifted >> 23);
    float m = bits_to_float((shifted & 0x007fffffu) + 0x3f3504f3u) - 1.0f;
    float z = m * m;
    float p = 7.0376836292e-2f;
    p = p * m - 1.1514610310e-1f;
    p = p * m + 1.1676998740e-1f;
    p = p * m - 1.2420140846e-1f;
    p = p * m + 1.4249322787e-1f;
    p = p * m - 1.6668057665e-1f;
    p = p * m + 2.0000714765e-1f;
    p = p * m - 2.4999993993e-1f;
    p = p * m + 3.3333331174e-1f;
    float y = m * z * p + e * -2.12194440e-4f - .5f * z;
    return m + y + e * .693359375f;
}

SG_CLONES void sg_row_log(float *row, size_t count)
{
    for (size_t i = 0; i < count; i++)
        row[i] = log_one(row[i]);
}

static inline float sigmoid_one(float x)
{
    return 1.0f / (1.0f + exp_one(-x));
}

/* The comparisons let NaN pass, as the reference does. */
SG_CLONES static void relu(float *row, size_t count)
{
    for (size_t i = 0; i < count; i++)
        row[i] = row[i] < 0 ? 0 : row[i];
}

SG_CLONES static void relu6(float *row, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        float x = row[i] < 0 ? 0 : row[i];
        row[i] = x > 6 ? 6 : x;
    }
}

SG_CLONES static void leaky(float *row, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        float low = .01f * row[i];
        row[i] = row[i] > 0 ? row[i] : low;
    }
}

SG_CLONES static void silu(float *row, size_t count)
{
    for (size_t i = 0; i < count; i++)
        row[i] = row[i] * sigmoid_one(row[i]);
}

SG_CLONES static void sigmoid(float *row, size_t count)
{
    for (size_t i = 0; i < count; i++)
        row[i] = sigmoid_one(row[i]);
}

void sg_row_act(int32_t act, float *row, size_t count)
{
    static void (*const apply[SG_ACT_COUNT])(float *, size_t) = {
        [SG_ACT_RELU] = relu, [SG_ACT_RELU6] = relu6,     [SG_ACT_LEAKY] = leaky,
        [SG_ACT_SILU] = silu, [SG_ACT_SIGMOID] = sigmoid,
    };
    if (act != SG_ACT_NONE)
        apply[act](row, count);
}

SG_CLONES static void pass_gradient(const float *y, const float *up, float *gradient, size_t count)
{
    for (size_t i = 0; i < count; i++)
        gradient[i] = up[i];
}

SG_CLONES static void relu_gradient(const float *y, const float *up, float *gradient, size_t count)
{
    for (size_t i = 0; i < count; i++)
        gradient[i] = y[i] > 0 ? up[i] : 0;
}

SG_CLONES static void relu6_gradient(const float *y, const float *up, float *gradient, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        float low = y[i] > 0 ? up[i] : 0;
        gradient[i] = y[i] < 6 ? low : 0;
    }
}

SG_CLONES static void leaky_gradient(const float *y, const float *up, float *gradient, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        float low = .01f * up[i];
        gradient[i] = y[i] > 0 ? up[i] : low;
    }
}

SG_CLONES static void silu_gradient(const float *x, const float *up, float *gradient, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        float s = sigmoid_one(x[i]);
        gradient[i] = up[i] * (s * (1 + x[i] * (1 - s)));
    }
}

SG_CLONES static void sigmoid_gradient(const float *y, const float *up, float *gradient,
                                       size_t count)
{
    for (size_t i = 0; i < count; i++)
        gradient[i] = up[i] * (y[i] * (1 - y[i]));
}

void sg_row_act_gradient(int32_t act, const float *y, const float *upstream, float *gradient,
                         size_t count)
{
    static void (*const slope[SG_ACT_COUNT])(const float *, const float *, float *, size_t) = {
        [SG_ACT_NONE] = pass_gradient,   [SG_ACT_RELU] = relu_gradient,
        [SG_ACT_RELU6] = relu6_gradient, [SG_ACT_LEAKY] = leaky_gradient,
        [SG_ACT_SILU] = silu_gradient,   [SG_ACT_SIGMOID] = sigmoid_gradient,
    };
    slope[act](y, upstream, gradient, count);
}
