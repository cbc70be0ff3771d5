/*
 * Does exact tiling hold here? Exact tiling rests on a property of the device's kernels that no
 * standard promises: the bits of an output pixel depend on the pixels in its reach, and not on the
 * size of the tile, on where in it the pixel lies, or on what else is in the batch. So it is tried:
 * a tile of random pixels is classified alone, and again as a part of a larger tile that stands
 * second in a batch of two. The cores must be equal to the bit. Of a network that looks at its
 * whole input, the larger tile is no larger.
 *
 * Should they differ, the caller keeps to one tile size and one chunk size for all scenes and
 * ranks: then the same kernels see the same tiles at the same places, and a mask still does not
 * depend on the number of ranks.
 */
#include "jobs/network.h"

#include <string.h>
#include "base/rng.h"
#include "base/size.h"

/* Strides that the two tiles have beside twice the halo, and where the small one lies in the large.
 */
enum { SMALL = 4, LARGE_W = 7, LARGE_H = 6, OFFSET_X = 2, OFFSET_Y = 1, BATCH = 2 };

typedef struct {
    sg_shape shape;
    float *pixels; /* (n, h, w, bands) */
    float *logits; /* (n, h, w, classes) */
} trial;

static sg_err make_trial(trial *t, const sg_network *network, int64_t n, int64_t h, int64_t w)
{
    t->shape = (sg_shape){n, h, w, network->checkpoint.spec.bands};
    size_t count = (size_t)(n * h * w);
    sg_err err = sg_malloc(count * (size_t)t->shape.c, sizeof(float), &t->pixels);
    if (err == SG_OK)
        err = sg_malloc(count * (size_t)network->checkpoint.spec.classes.count, sizeof(float),
                        &t->logits);
    return err;
}

static void close_trial(trial *t)
{
    sg_free(t->pixels);
    sg_free(t->logits);
}

static void fill_random(trial *t)
{
    size_t count = sg_shape_count(t->shape);
    for (size_t i = 0; i < count; i += 2) {
        float two[2];
        sg_random4 r = sg_random(1, SG_STREAM_SCENE, i, 0);
        sg_normal2(r.v[0], r.v[1], two);
        t->pixels[i] = two[0];
        if (i + 1 < count)
            t->pixels[i + 1] = two[1];
    }
}

/* The small tile is a window of the large trial's last tile. */
static void cut_small(const trial *large, trial *small, int64_t x0, int64_t y0)
{
    int64_t bands = large->shape.c, first = (large->shape.n - 1) * large->shape.h;
    for (int64_t y = 0; y < small->shape.h; y++)
        memcpy(small->pixels + y * small->shape.w * bands,
               large->pixels + ((first + y0 + y) * large->shape.w + x0) * bands,
               (size_t)(small->shape.w * bands) * sizeof(float));
}

static sg_err classify(const sg_network *network, trial *t)
{
    sg_exec *exec = NULL;
    sg_run run = {0};
    sg_err err = sg_network_exec(network, t->shape.n, t->shape.h, t->shape.w, &exec);
    if (err == SG_OK)
        err = sg_exec_forward(exec, t->pixels, NULL, &run);
    if (err == SG_OK)
        err = sg_exec_read_value(exec, network->graph->node[network->graph->nodes - 1].output,
                                 t->logits);
    sg_exec_close(exec);
    return err;
}

static int same_core(const trial *large, const trial *small, int64_t x0, int64_t y0, int64_t halo,
                     int64_t classes)
{
    int64_t first = (large->shape.n - 1) * large->shape.h;
    for (int64_t y = halo; y < small->shape.h - halo; y++)
        if (memcmp(small->logits + (y * small->shape.w + halo) * classes,
                   large->logits + ((first + y0 + y) * large->shape.w + x0 + halo) * classes,
                   (size_t)((small->shape.w - 2 * halo) * classes) * sizeof(float)) != 0)
            return 0;
    return 1;
}

sg_err sg_network_try_exact(const sg_network *network, int32_t *exact)
{
    int64_t stride = network->reach.stride, halo = network->reach.halo;
    const int whole = network->reach.unbounded; /* then only the batch may not matter */
    int64_t x0 = whole ? 0 : OFFSET_X * stride, y0 = whole ? 0 : OFFSET_Y * stride;
    trial large = {0}, small = {0};
    sg_err err = make_trial(&large, network, BATCH, 2 * halo + (whole ? SMALL : LARGE_H) * stride,
                            2 * halo + (whole ? SMALL : LARGE_W) * stride);
    if (err == SG_OK)
        err = make_trial(&small, network, 1, 2 * halo + SMALL * stride, 2 * halo + SMALL * stride);
    if (err != SG_OK)
        goto done;
    fill_random(&large);
    cut_small(&large, &small, x0, y0);
    err = classify(network, &large);
    if (err == SG_OK)
        err = classify(network, &small);
    if (err == SG_OK)
        *exact = same_core(&large, &small, x0, y0, halo, network->checkpoint.spec.classes.count);
done:
    close_trial(&large);
    close_trial(&small);
    return err;
}
