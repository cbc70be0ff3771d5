#include "cpu/class_rows.h"

#include <string.h>
#include "base/size.h"
#include "cpu/device.h"

int64_t sg_class_pixels(int64_t c)
{
    return sg_max64(1, SG_ROW / c);
}

void sg_class_planes(const float *row, int64_t pixels, int64_t c, float *plane)
{
    for (int64_t k = 0; k < c; k++)
        for (int64_t i = 0; i < pixels; i++)
            plane[k * pixels + i] = row[i * c + k];
}

void sg_class_rows(const float *plane, int64_t pixels, int64_t c, float *row)
{
    for (int64_t k = 0; k < c; k++)
        for (int64_t i = 0; i < pixels; i++)
            row[i * c + k] = plane[k * pixels + i];
}

SG_CLONES static void raise_to(float *restrict most, const float *restrict plane, int64_t pixels)
{
    for (int64_t i = 0; i < pixels; i++)
        most[i] = plane[i] > most[i] ? plane[i] : most[i];
}

SG_CLONES static void subtract(float *restrict plane, const float *restrict most, int64_t pixels)
{
    for (int64_t i = 0; i < pixels; i++)
        plane[i] -= most[i];
}

SG_CLONES static void divide(float *restrict plane, const float *restrict sum, int64_t pixels)
{
    for (int64_t i = 0; i < pixels; i++)
        plane[i] /= sum[i];
}

void sg_class_powers(float *plane, int64_t pixels, int64_t c, float *largest, float *sum)
{
    memcpy(largest, plane, (size_t)pixels * sizeof *largest);
    for (int64_t k = 1; k < c; k++)
        raise_to(largest, plane + k * pixels, pixels);
    for (int64_t k = 0; k < c; k++)
        subtract(plane + k * pixels, largest, pixels);
    sg_row_exp(plane, (size_t)(pixels * c));
    memcpy(sum, plane, (size_t)pixels * sizeof *sum);
    for (int64_t k = 1; k < c; k++)
        sg_row_add(sum, plane + k * pixels, (size_t)pixels);
}

void sg_class_shares(float *plane, int64_t pixels, int64_t c, const float *sum)
{
    for (int64_t k = 0; k < c; k++)
        divide(plane + k * pixels, sum, pixels);
}

/* ---- classification ---- */

typedef struct {
    const void *logits;
    sg_dtype type;
    int64_t c;
    uint8_t *classes;
    float *probabilities;
} classify_job;

/* NaN is never the largest; the lowest index wins among equals. */
static uint8_t argmax(const float *logit, int64_t c)
{
    int64_t best = 0;
    float most = logit[0];
    for (int64_t k = 1; k < c; k++) {
        bool larger = logit[k] > most || (most != most && logit[k] == logit[k]);
        most = larger ? logit[k] : most;
        best = larger ? k : best;
    }
    return (uint8_t)best;
}

static void classify_row(const classify_job *j, int64_t first, int64_t pixels)
{
    float buffer[SG_ROW], plane[SG_ROW], largest[SG_ROW], sum[SG_ROW];
    const float *logit =
        sg_row_load(j->logits, j->type, (size_t)(first * j->c), (size_t)(pixels * j->c), buffer);
    for (int64_t i = 0; i < pixels; i++)
        j->classes[first + i] = argmax(logit + i * j->c, j->c);
    if (!j->probabilities)
        return;
    sg_class_planes(logit, pixels, j->c, plane);
    sg_class_powers(plane, pixels, j->c, largest, sum);
    sg_class_shares(plane, pixels, j->c, sum);
    sg_class_rows(plane, pixels, j->c, j->probabilities + first * j->c);
}

static void classify_pixels(void *context, int64_t begin, int64_t end)
{
    const classify_job *j = context;
    int64_t most = sg_class_pixels(j->c);
    for (int64_t i = begin; i < end; i += most)
        classify_row(j, i, sg_min64(most, end - i));
}

sg_err sg_cpu_classify(sg_backend *backend, const void *logits, sg_dtype type, size_t pixels,
                       int64_t c, uint8_t *classes, float *probabilities)
{
    classify_job j = {logits, type, c, classes, probabilities};
    if (c < 1 || c > SG_MAX_CLASSES)
        return sg_fail(SG_EUSAGE, "%lld classes, must be in 1 .. %d", (long long)c,
                       (int)SG_MAX_CLASSES);
    sg_cpu_for((sg_cpu *)backend, (int64_t)pixels, 4096, classify_pixels, &j);
    return SG_OK;
}
