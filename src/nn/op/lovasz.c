/*
 * Lovasz-softmax of one sample: errors of a class in falling order, and the steps of the Jaccard
 * loss along them, which are its Lovasz extension's gradient.
 */
#include "nn/op/loss.h"

#include <math.h>
#include <string.h>

enum { DIGITS = 256 };

/* Shares of all classes at every pixel. */
static void softmax(const void *logits, sg_dtype type, size_t first, int64_t classes, float *share)
{
    float largest = -INFINITY, sum = 0;
    for (int64_t c = 0; c < classes; c++)
        largest = fmaxf(largest, sg_load(logits, type, first + (size_t)c));
    for (int64_t c = 0; c < classes; c++) {
        share[c] = expf(sg_load(logits, type, first + (size_t)c) - largest);
        sum += share[c];
    }
    for (int64_t c = 0; c < classes; c++)
        share[c] /= sum;
}

/* Keys that rise as errors fall: the error's bits, negated, above the pixel. Errors are not
 * negative, so that their bits rise as they do. */
static uint64_t key_of(float error, int64_t pixel)
{
    uint32_t bits;
    memcpy(&bits, &error, sizeof bits);
    return (uint64_t)~bits << 32 | (uint64_t)pixel;
}

/* By the upper half, a byte at a time; stable, so equal errors stay in the order of pixels. */
static void sort(uint64_t *const key[2], int64_t count)
{
    for (int pass = 0; pass < 4; pass++) {
        int64_t start[DIGITS + 1] = {0};
        const uint64_t *from = key[pass % 2];
        uint64_t *to = key[(pass + 1) % 2];
        const int shift = 32 + 8 * pass;
        for (int64_t i = 0; i < count; i++)
            start[(from[i] >> shift & 0xff) + 1]++;
        for (int d = 0; d < DIGITS; d++)
            start[d + 1] += start[d];
        for (int64_t i = 0; i < count; i++)
            to[start[from[i] >> shift & 0xff]++] = from[i];
    }
}

static float error_of(uint32_t key_upper)
{
    uint32_t bits = ~key_upper;
    float error;
    memcpy(&error, &bits, sizeof error);
    return error;
}

/* Add class c's part: the loss to the result, the gradient by the shares to gradient. */
static double add_class(const uint8_t *labels, int64_t pixels, int64_t classes, int64_t c,
                        double factor, const sg_lovasz_work *work, float *gradient)
{
    int64_t valid = 0, size = 0, hits = 0;
    double loss = 0, before = 0;
    for (int64_t i = 0; i < pixels; i++) {
        float share = work->share[i * classes + c];
        if (labels[i] == SG_IGNORE_LABEL)
            continue;
        size += labels[i] == c;
        work->key[0][valid++] = key_of(labels[i] == c ? 1 - share : share, i);
    }
    sort(work->key, valid);
    for (int64_t k = 0; k < valid; k++) {
        int64_t i = (int64_t)(work->key[0][k] & 0xffffffffu);
        hits += labels[i] == c;
        double jaccard = 1 - (double)(size - hits) / (double)(size + k + 1 - hits);
        double step = factor * (jaccard - before);
        loss += step * error_of((uint32_t)(work->key[0][k] >> 32));
        gradient[i * classes + c] = (float)(labels[i] == c ? -step : step);
        before = jaccard;
    }
    return loss;
}

/* From the gradient by a pixel's shares to that by its logits. */
static void through_softmax(const float *share, int64_t classes, float *gradient)
{
    double mean = 0;
    for (int64_t c = 0; c < classes; c++)
        mean += (double)gradient[c] * share[c];
    for (int64_t c = 0; c < classes; c++)
        gradient[c] = (float)(share[c] * (gradient[c] - mean));
}

double sg_lovasz_sample(const void *logits, sg_dtype type, size_t first, const uint8_t *labels,
                        int64_t pixels, int64_t classes, double weight, const sg_lovasz_work *work,
                        float *gradient)
{
    bool has[SG_MAX_CLASSES] = {false};
    int64_t present = 0;
    double loss = 0;
    memset(gradient, 0, (size_t)(pixels * classes) * sizeof *gradient);
    for (int64_t i = 0; i < pixels; i++) {
        if (labels[i] == SG_IGNORE_LABEL)
            continue;
        softmax(logits, type, first + (size_t)(i * classes), classes, work->share + i * classes);
        present += !has[labels[i]];
        has[labels[i]] = true;
    }
    for (int64_t c = 0; c < classes; c++)
        if (has[c])
            loss += add_class(labels, pixels, classes, c, weight / (double)present, work, gradient);
    for (int64_t i = 0; i < pixels; i++)
        if (labels[i] != SG_IGNORE_LABEL)
            through_softmax(work->share + i * classes, classes, gradient + i * classes);
    return loss;
}
