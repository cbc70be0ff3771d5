#include "cpu/norm_rows.h"

enum { LANES = 8, VECTORS = 2, WIDTH = LANES * VECTORS /* channels at a time */ };

#define INLINE static inline __attribute__((always_inline))

/*
 * Eight floats that may lie anywhere. They are read and written through pointers only, since how
 * they are passed depends on the registers that a processor has.
 */
typedef float lanes __attribute__((vector_size(LANES * sizeof(float)), aligned(4)));
typedef int32_t mask __attribute__((vector_size(LANES * sizeof(float)), aligned(4)));

INLINE void moments_wide(const sg_norm_rows *r, int64_t c, float *mean, float *square)
{
    lanes sum[VECTORS] = {{0}}, rest[VECTORS] = {{0}}, squares[VECTORS] = {{0}};
    float one = 1.0f / (float)r->pixels;
    const float *x = r->x + c;
    for (int64_t i = 0; i < r->pixels; i++, x += r->stride)
        for (int v = 0; v < VECTORS; v++)
            sum[v] += ((const lanes *)x)[v];
    for (int v = 0; v < VECTORS; v++)
        sum[v] *= one;
    x = r->x + c;
    for (int64_t i = 0; i < r->pixels; i++, x += r->stride)
        for (int v = 0; v < VECTORS; v++) {
            lanes distance = ((const lanes *)x)[v] - sum[v];
            rest[v] += distance;
            squares[v] += distance * distance;
        }
    for (int v = 0; v < VECTORS; v++) { /* the rounded mean's error, taken back */
        lanes shift = rest[v] * one;
        ((lanes *)(mean + c))[v] = sum[v] + shift;
        ((lanes *)(square + c))[v] = squares[v] - rest[v] * shift;
    }
}

INLINE void moments_one(const sg_norm_rows *r, int64_t c, float *mean, float *square)
{
    float sum = 0, rest = 0, squares = 0, one = 1.0f / (float)r->pixels;
    for (int64_t i = 0; i < r->pixels; i++)
        sum += r->x[i * r->stride + c];
    sum *= one;
    for (int64_t i = 0; i < r->pixels; i++) {
        float distance = r->x[i * r->stride + c] - sum;
        rest += distance;
        squares += distance * distance;
    }
    float shift = rest * one;
    mean[c] = sum + shift;
    square[c] = squares - rest * shift;
}

SG_CLONES void sg_norm_moments(const sg_norm_rows *r, float *mean, float *square)
{
    int64_t c = 0;
    for (; c + WIDTH <= r->channels; c += WIDTH)
        moments_wide(r, c, mean, square);
    for (; c < r->channels; c++)
        moments_one(r, c, mean, square);
}

SG_CLONES void sg_norm_merge(double *restrict mean, double *restrict square, double had,
                             const float *restrict its_mean, const float *restrict its_square,
                             double added, int64_t channels)
{
    double part = added / (had + added), both = had * part;
    for (int64_t k = 0; k < channels; k++) {
        double distance = its_mean[k] - mean[k];
        mean[k] += distance * part;
        square[k] += its_square[k] + distance * distance * both;
    }
}

/* ---- values ---- */

/* The constants of some channels, in registers. */
typedef struct {
    lanes mean[VECTORS], factor[VECTORS], shift[VECTORS];
} constants;

INLINE void load_constants(constants *to, const sg_norm_coefficients *all, int64_t first)
{
    for (int v = 0; v < VECTORS; v++) {
        to->mean[v] = ((const lanes *)(all->mean + first))[v];
        to->factor[v] = ((const lanes *)(all->factor + first))[v];
        to->shift[v] = ((const lanes *)(all->shift + first))[v];
    }
}

INLINE void value_wide(const sg_norm_rows *r, const sg_norm_coefficients *all, int64_t c,
                       const bool relu)
{
    constants m;
    const float *x = r->x + c;
    float *out = r->out + c;
    load_constants(&m, all, r->first + c);
    for (int64_t i = 0; i < r->pixels; i++, x += r->stride, out += r->out_stride)
        for (int v = 0; v < VECTORS; v++) {
            lanes z = (((const lanes *)x)[v] - m.mean[v]) * m.factor[v] + m.shift[v];
            if (relu)
                z = (lanes)((mask)z & ~(mask)(z < 0));
            ((lanes *)out)[v] = z;
        }
}

INLINE void value_one(const sg_norm_rows *r, const sg_norm_coefficients *all, int64_t c,
                      const bool relu)
{
    int64_t first = r->first + c;
    float mean = all->mean[first], factor = all->factor[first], shift = all->shift[first];
    for (int64_t i = 0; i < r->pixels; i++) {
        float z = (r->x[i * r->stride + c] - mean) * factor + shift;
        r->out[i * r->out_stride + c] = relu && z < 0 ? 0 : z;
    }
}

INLINE void value_rows(const sg_norm_rows *r, const sg_norm_coefficients *all, const bool relu)
{
    int64_t c = 0;
    for (; c + WIDTH <= r->channels; c += WIDTH)
        value_wide(r, all, c, relu);
    for (; c < r->channels; c++)
        value_one(r, all, c, relu);
}

SG_CLONES void sg_norm_values(const sg_norm_rows *rows, const sg_norm_coefficients *c, bool relu)
{
    if (relu)
        value_rows(rows, c, true);
    else
        value_rows(rows, c, false);
}

/* ---- gradients: z is computed as above, bit for bit ---- */

INLINE void sum_wide(const sg_norm_rows *r, const sg_norm_coefficients *all, int64_t c,
                     const bool relu, double *sum, double *sum_normal)
{
    lanes s[VECTORS] = {{0}}, t[VECTORS] = {{0}};
    constants m;
    const float *x = r->x + c, *up = r->up + c;
    load_constants(&m, all, r->first + c);
    for (int64_t i = 0; i < r->pixels; i++, x += r->stride, up += r->up_stride)
        for (int v = 0; v < VECTORS; v++) {
            lanes distance = ((const lanes *)x)[v] - m.mean[v], g = ((const lanes *)up)[v];
            if (relu)
                g = (lanes)((mask)g & (mask)(distance * m.factor[v] + m.shift[v] > 0));
            s[v] += g;
            t[v] += g * distance;
        }
    for (int k = 0; k < WIDTH; k++) {
        sum[c + k] += s[k / LANES][k % LANES];
        sum_normal[c + k] += (double)t[k / LANES][k % LANES] * all->inverse[r->first + c + k];
    }
}

INLINE void sum_one(const sg_norm_rows *r, const sg_norm_coefficients *all, int64_t c,
                    const bool relu, double *sum, double *sum_normal)
{
    int64_t first = r->first + c;
    float mean = all->mean[first], factor = all->factor[first], shift = all->shift[first];
    float s = 0, t = 0;
    for (int64_t i = 0; i < r->pixels; i++) {
        float distance = r->x[i * r->stride + c] - mean, gradient = r->up[i * r->up_stride + c];
        if (relu && !(distance * factor + shift > 0))
            gradient = 0;
        s += gradient;
        t += gradient * distance;
    }
    sum[c] += s;
    sum_normal[c] += (double)t * all->inverse[first];
}

INLINE void sum_rows(const sg_norm_rows *r, const sg_norm_coefficients *all, const bool relu,
                     double *sum, double *sum_normal)
{
    int64_t c = 0;
    for (; c + WIDTH <= r->channels; c += WIDTH)
        sum_wide(r, all, c, relu, sum, sum_normal);
    for (; c < r->channels; c++)
        sum_one(r, all, c, relu, sum, sum_normal);
}

SG_CLONES void sg_norm_sums(const sg_norm_rows *rows, const sg_norm_coefficients *c, bool relu,
                            double *sum, double *sum_normal)
{
    if (relu)
        sum_rows(rows, c, true, sum, sum_normal);
    else
        sum_rows(rows, c, false, sum, sum_normal);
}

INLINE void input_wide(const sg_norm_rows *r, const sg_norm_coefficients *all, int64_t c,
                       const bool relu)
{
    lanes centre[VECTORS], slope[VECTORS];
    constants m;
    const float *x = r->x + c, *up = r->up + c;
    float *out = r->out + c;
    load_constants(&m, all, r->first + c);
    for (int v = 0; v < VECTORS; v++) {
        centre[v] = ((const lanes *)(all->centre + r->first + c))[v];
        slope[v] = ((const lanes *)(all->slope + r->first + c))[v];
    }
    for (int64_t i = 0; i < r->pixels;
         i++, x += r->stride, up += r->up_stride, out += r->out_stride)
        for (int v = 0; v < VECTORS; v++) {
            lanes distance = ((const lanes *)x)[v] - m.mean[v], g = ((const lanes *)up)[v];
            if (relu)
                g = (lanes)((mask)g & (mask)(distance * m.factor[v] + m.shift[v] > 0));
            ((lanes *)out)[v] = m.factor[v] * g - centre[v] - distance * slope[v];
        }
}

INLINE void input_one(const sg_norm_rows *r, const sg_norm_coefficients *all, int64_t c,
                      const bool relu)
{
    int64_t first = r->first + c;
    float mean = all->mean[first], factor = all->factor[first], shift = all->shift[first];
    float centre = all->centre[first], slope = all->slope[first];
    for (int64_t i = 0; i < r->pixels; i++) {
        float distance = r->x[i * r->stride + c] - mean, gradient = r->up[i * r->up_stride + c];
        if (relu && !(distance * factor + shift > 0))
            gradient = 0;
        r->out[i * r->out_stride + c] = factor * gradient - centre - distance * slope;
    }
}

INLINE void input_rows(const sg_norm_rows *r, const sg_norm_coefficients *all, const bool relu)
{
    int64_t c = 0;
    for (; c + WIDTH <= r->channels; c += WIDTH)
        input_wide(r, all, c, relu);
    for (; c < r->channels; c++)
        input_one(r, all, c, relu);
}

SG_CLONES void sg_norm_input(const sg_norm_rows *rows, const sg_norm_coefficients *c, bool relu)
{
    if (relu)
        input_rows(rows, c, true);
    else
        input_rows(rows, c, false);
}
