/* The class of each pixel, and the shares of all. */
#include "cpu/class_rows.h"

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

static void classify_row(const void *context, int64_t first, int64_t pixels)
{
    const classify_job *j = context;
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

sg_err sg_cpu_classify(sg_backend *backend, const void *logits, sg_dtype type, size_t pixels,
                       int64_t c, uint8_t *classes, float *probabilities)
{
    classify_job j = {logits, type, c, classes, probabilities};
    if (c < 1 || c > SG_MAX_CLASSES)
        return sg_fail(SG_EUSAGE, "%lld classes, must be in 1 .. %d", (long long)c,
                       (int)SG_MAX_CLASSES);
    sg_class_for((sg_cpu *)backend, (int64_t)pixels, c, classify_row, &j);
    return SG_OK;
}
