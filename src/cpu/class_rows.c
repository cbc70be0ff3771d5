#include "cpu/class_rows.h"

#include "base/size.h"
#include "cpu/device.h"

int64_t sg_class_pixels(int64_t c)
{
    return sg_max64(1, SG_ROW / c);
}

SG_CLONES static void subtract_largest(const float *logit, int64_t pixels, int64_t c, float *power,
                                       float *largest)
{
    for (int64_t i = 0; i < pixels; i++) {
        float most = logit[i * c];
        for (int64_t k = 1; k < c; k++)
            most = logit[i * c + k] > most ? logit[i * c + k] : most;
        for (int64_t k = 0; k < c; k++)
            power[i * c + k] = logit[i * c + k] - most;
        largest[i] = most;
    }
}

void sg_class_powers(const float *logit, int64_t pixels, int64_t c, float *power, float *largest,
                     float *sum)
{
    subtract_largest(logit, pixels, c, power, largest);
    sg_row_exp(power, (size_t)(pixels * c));
    for (int64_t i = 0; i < pixels; i++) {
        sum[i] = 0;
        for (int64_t k = 0; k < c; k++)
            sum[i] += power[i * c + k];
    }
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
    float buffer[SG_ROW], power[SG_ROW], largest[SG_ROW], sum[SG_ROW];
    const float *logit =
        sg_row_load(j->logits, j->type, (size_t)(first * j->c), (size_t)(pixels * j->c), buffer);
    for (int64_t i = 0; i < pixels; i++)
        j->classes[first + i] = argmax(logit + i * j->c, j->c);
    if (!j->probabilities)
        return;
    sg_class_powers(logit, pixels, j->c, power, largest, sum);
    for (int64_t i = 0; i < pixels; i++)
        for (int64_t k = 0; k < j->c; k++)
            j->probabilities[(first + i) * j->c + k] = power[i * j->c + k] / sum[i];
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
