#include "tiles/augment.h"

#include "base/size.h"

struct sg_augment {
    sg_augment_options options;
    float *turned; /* (batch, tile_h, tile_w, bands), or w and h swapped */
    float *result; /* the same with classes: probabilities of the turned tiles */
    float *sum;    /* (batch, tile_h, tile_w, classes): of all turns so far */
};

/* All cleared: what stands in a batch's unused tiles is computed, though not looked at. */
static sg_err make_buffers(sg_augment *augment)
{
    const sg_augment_options *options = &augment->options;
    size_t pixels = 0, values = 0, results = 0;
    sg_err err = sg_size_mul((size_t)options->tile_h, (size_t)options->tile_w, &pixels);
    if (err == SG_OK)
        err = sg_size_mul(pixels, (size_t)options->batch, &pixels);
    if (err == SG_OK)
        err = sg_size_mul(pixels, (size_t)options->bands, &values);
    if (err == SG_OK)
        err = sg_size_mul(pixels, (size_t)options->classes, &results);
    if (err == SG_OK)
        err = sg_calloc(values, sizeof(float), &augment->turned);
    if (err == SG_OK)
        err = sg_calloc(results, sizeof(float), &augment->result);
    if (err == SG_OK)
        err = sg_calloc(results, sizeof(float), &augment->sum);
    return err;
}

sg_err sg_augment_create(sg_augment **out, const sg_augment_options *options)
{
    sg_augment *augment = NULL;
    sg_err err = sg_calloc(1, sizeof *augment, &augment);
    if (err == SG_OK) {
        augment->options = *options;
        err = make_buffers(augment);
    }
    if (err != SG_OK) {
        sg_augment_close(augment);
        augment = NULL;
    }
    *out = augment;
    return err;
}

/* One turn of the batch, turned back into the sum. classes: room for the network's own. */
static sg_err add_turn(sg_augment *augment, int32_t turn, int32_t n, const float *pixels,
                       uint8_t *classes)
{
    const sg_augment_options *options = &augment->options;
    int64_t h = options->tile_h, w = options->tile_w;
    int64_t values = h * w * options->bands, results = h * w * options->classes;
    for (int32_t i = 0; i < n; i++)
        sg_turn_rectangle(pixels + i * values, augment->turned + i * values, h, w, options->bands,
                          turn);
    sg_err err = options->network(options->user, sg_turn_transposes(turn), n, augment->turned,
                                  classes, augment->result);
    for (int32_t i = 0; err == SG_OK && i < n; i++)
        sg_turn_add_back(augment->result + i * results, augment->sum + i * results, h, w,
                         options->classes, turn);
    return err;
}

/* The mean, and its class. probabilities may be NULL. */
static void decide(const sg_augment *augment, int32_t n, uint8_t *classes, float *probabilities)
{
    const sg_augment_options *options = &augment->options;
    size_t count = (size_t)options->classes;
    size_t pixels = (size_t)n * (size_t)options->tile_h * (size_t)options->tile_w;
    const float *sum = augment->sum;
    for (size_t i = 0; i < pixels; i++, sum += count) {
        size_t best = 0;
        for (size_t c = 1; c < count; c++)
            best = sum[c] > sum[best] ? c : best;
        classes[i] = (uint8_t)best;
        for (size_t c = 0; probabilities && c < count; c++)
            probabilities[i * count + c] = sum[c] / SG_TURNS;
    }
}

sg_err sg_augment_classify(sg_augment *augment, int32_t n, const float *pixels, uint8_t *classes,
                           float *probabilities)
{
    const sg_augment_options *options = &augment->options;
    SG_ASSERT(n > 0 && n <= options->batch);
    sg_err err = options->network(options->user, false, n, pixels, classes, augment->sum);
    for (int32_t turn = 1; err == SG_OK && turn < SG_TURNS; turn++)
        err = add_turn(augment, turn, n, pixels, classes);
    if (err == SG_OK)
        decide(augment, n, classes, probabilities);
    return err;
}

void sg_augment_close(sg_augment *augment)
{
    if (!augment)
        return;
    sg_free(augment->turned);
    sg_free(augment->result);
    sg_free(augment->sum);
    sg_free(augment);
}

double sg_augment_bytes_per_pixel(int32_t bands, int32_t classes)
{
    return (double)sizeof(float) * (bands + 2 * classes);
}
