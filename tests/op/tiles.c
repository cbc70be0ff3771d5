#include "op/whole.h"

#include <inttypes.h>
#include <string.h>
#include "base/size.h"
#include "nn/fuse.h"
#include "nn/reach.h"
#include "op/session.h"

enum { BANDS = 4, CLASSES = 3, WIDTH = 24, DEPTH = 2, SIDE = 160 };

typedef struct {
    sg_backend *backend;
    sg_dtype type;
    sg_graph *plain, *folded;
    sg_params *params, *folded_params;
    sg_weights *weights;
    sg_network_reach reach;
    float *image;          /* [SIDE][SIDE][BANDS] */
    float *whole;          /* [SIDE][SIDE][CLASSES] probabilities of the whole */
    float *tiles, *result; /* a batch of tiles, its probabilities */
    uint8_t *classes;
} trial;

static sg_err open_trial(trial *t)
{
    sg_model_options model = sg_model_defaults();
    model.bands = BANDS;
    model.classes = CLASSES;
    model.width = WIDTH;
    model.depth = DEPTH;
    sg_err err = sg_model_build(&model, &t->plain);
    if (!err)
        err = sg_params_create(t->plain, &t->params);
    if (!err)
        err = sg_params_init(t->plain, t->params, 9);
    if (!err)
        err = sg_graph_reach(t->plain, &t->reach);
    if (!err)
        err = sg_graph_fold(t->plain, t->params, &t->folded, &t->folded_params);
    if (!err)
        err = sg_weights_create(t->backend, t->folded_params, false, &t->weights);
    const size_t pixels = (size_t)SIDE * SIDE;
    if (!err)
        err = sg_malloc(pixels * BANDS, sizeof(float), &t->image);
    if (!err)
        err = sg_malloc(pixels * CLASSES, sizeof(float), &t->whole);
    if (!err) /* four tiles, none larger than the image */
        err = sg_malloc(4 * pixels * BANDS, sizeof(float), &t->tiles);
    if (!err)
        err = sg_malloc(4 * pixels * CLASSES, sizeof(float), &t->result);
    return err ? err : sg_malloc(4 * pixels, 1, &t->classes);
}

static void close_trial(trial *t)
{
    sg_weights_close(t->weights);
    sg_params_close(t->folded_params);
    sg_params_close(t->params);
    sg_graph_close(t->folded);
    sg_graph_close(t->plain);
    sg_free(t->image);
    sg_free(t->whole);
    sg_free(t->tiles);
    sg_free(t->result);
    sg_free(t->classes);
}

static sg_err predict(trial *t, const float *input, int64_t n, int64_t side, float *probabilities)
{
    sg_exec *exec = NULL;
    sg_err err = sg_exec_create(t->backend, t->folded, t->weights, (sg_shape){n, side, side, BANDS},
                                t->type, SG_PLAN_INFERENCE, &exec);
    if (!err)
        err = sg_exec_forward(exec, input, NULL, NULL);
    if (!err)
        err = sg_exec_classify(exec, t->classes, probabilities);
    sg_exec_close(exec);
    return err;
}

/* Pixels of a tile at (y, x) that are at least a halo from its borders, but for the image's. */
static sg_err compare_tile(const trial *t, const float *got, int64_t y, int64_t x, int64_t side)
{
    const int64_t halo = t->reach.halo;
    int64_t top = y > 0 ? halo : 0, bottom = y + side < SIDE ? side - halo : side;
    int64_t left = x > 0 ? halo : 0, right = x + side < SIDE ? side - halo : side;
    for (int64_t row = top; row < bottom; row++) {
        const float *wanted = t->whole + ((y + row) * SIDE + x + left) * CLASSES;
        size_t bytes = (size_t)(right - left) * CLASSES * sizeof *got;
        if (memcmp(wanted, got + (row * side + left) * CLASSES, bytes))
            return sg_fail(SG_EINTERNAL,
                           "%s: row %" PRId64 " of the tile of %" PRId64 " at %" PRId64 ", %" PRId64
                           " has other bits than the whole image",
                           sg_dtype_name(t->type), row, side, x, y);
    }
    return SG_OK;
}

/* The tiles in the image's corners, so many at once. */
static sg_err compare_corners(trial *t, int64_t side, int64_t batch)
{
    const int64_t far = (SIDE - side) / t->reach.stride * t->reach.stride;
    const size_t values = (size_t)(side * side);
    sg_err err = SG_OK;
    for (int64_t k = 0; k < 4; k++) {
        int64_t y = k / 2 * far, x = k % 2 * far;
        for (int64_t row = 0; row < side; row++)
            memcpy(t->tiles + ((size_t)k * values + (size_t)(row * side)) * BANDS,
                   t->image + ((y + row) * SIDE + x) * BANDS, (size_t)side * BANDS * sizeof(float));
    }
    for (int64_t k = 0; !err && k < 4; k += batch)
        err = predict(t, t->tiles + (size_t)k * values * BANDS, batch, side,
                      t->result + (size_t)k * values * CLASSES);
    for (int64_t k = 0; !err && k < 4; k++)
        err = compare_tile(t, t->result + (size_t)k * values * CLASSES, k / 2 * far, k % 2 * far,
                           side);
    return err;
}

static sg_err compare_type(sg_backend *backend, sg_dtype type)
{
    trial t = {.backend = backend, .type = type};
    sg_err err = open_trial(&t);
    if (!err) {
        op_make_batch((sg_shape){1, SIDE, SIDE, BANDS}, CLASSES, t.image, t.classes);
        err = predict(&t, t.image, 1, SIDE, t.whole);
    }
    for (int64_t side = 96; !err && side <= 144; side += 24)
        for (int64_t batch = 1; !err && batch <= 4; batch *= 2)
            err = compare_corners(&t, side, batch);
    close_trial(&t);
    return err;
}

sg_err op_compare_tiles(sg_backend *backend)
{
    sg_err err = compare_type(backend, SG_F32);
    return !err && backend->supports(backend, SG_BF16) ? compare_type(backend, SG_BF16) : err;
}
