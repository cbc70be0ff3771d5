#include "tiles/augment.h"

#include "base/size.h"

struct sg_augment {
    sg_augment_options options;
    sg_raw_image *image; /* [batch]: the tiles of one turn */
    float
        *turned; /* (batch, tile_h, tile_w, bands), or w and h swapped; unless the network turns */
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
        err = sg_calloc((size_t)options->batch, sizeof *augment->image, &augment->image);
    if (err == SG_OK && !options->raw)
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

/* The tiles of one turn into the network. */
static sg_err begin_turn(sg_augment *augment, int32_t turn, int32_t n, const sg_raw_image *image)
{
    const sg_augment_options *options = &augment->options;
    int64_t h = options->tile_h, w = options->tile_w;
    size_t values = (size_t)(h * w * options->bands);
    for (int32_t i = 0; i < n; i++) {
        augment->image[i] = image[i];
        augment->image[i].turn = turn;
    }
    for (int32_t i = 0; !options->raw && turn > 0 && i < n; i++) {
        float *turned = augment->turned + (size_t)i * values;
        SG_ASSERT(sg_raw_is_plain(&image[i]));
        sg_turn_rectangle(image[i].values, turned, h, w, options->bands, turn);
        augment->image[i] = (sg_raw_image){.values = turned};
    }
    return options->begin(options->user, sg_turn_transposes(turn), n, augment->image);
}

/* Its results, turned back into the sum. classes: room for the network's own. */
static sg_err end_turn(sg_augment *augment, int32_t turn, int32_t n, uint8_t *classes)
{
    const sg_augment_options *options = &augment->options;
    int64_t h = options->tile_h, w = options->tile_w, results = h * w * options->classes;
    sg_err err = options->end(options->user, classes, turn == 0 ? augment->sum : augment->result);
    for (int32_t i = 0; err == SG_OK && turn > 0 && i < n; i++)
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

sg_err sg_augment_classify(sg_augment *augment, int32_t n, const sg_raw_image *image,
                           uint8_t *classes, float *probabilities)
{
    const sg_augment_options *options = &augment->options;
    int32_t ended = 0;
    sg_err err = SG_OK;
    SG_ASSERT(n > 0 && n <= options->batch);
    for (int32_t turn = 0; err == SG_OK && turn < SG_TURNS; turn++) {
        err = begin_turn(augment, turn, n, image);
        while (err == SG_OK && ended <= turn &&
               (turn + 1 == SG_TURNS || turn + 1 - ended == options->in_flight))
            err = end_turn(augment, ended++, n, classes);
    }
    if (err == SG_OK)
        decide(augment, n, classes, probabilities);
    return err;
}

void sg_augment_close(sg_augment *augment)
{
    if (!augment)
        return;
    sg_free(augment->image);
    sg_free(augment->turned);
    sg_free(augment->result);
    sg_free(augment->sum);
    sg_free(augment);
}

double sg_augment_bytes_per_pixel(int32_t bands, int32_t classes)
{
    return (double)sizeof(float) * (bands + 2 * classes);
}
