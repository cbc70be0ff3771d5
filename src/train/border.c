/*
 * The two nearest things of every pixel. Down each column two sweeps find, for each pixel, the two
 * nearest different things of that column; then along each row a search outwards, column by column,
 * takes the two nearest of these, until columns are farther away than the second. What is nearest
 * in the plane is among the two nearest of its column, so the search is exact.
 */
#include "train/border.h"

#include <math.h>
#include <string.h>

#include "base/size.h"
#include "nn/graph.h"

/* The two nearest different things: numbers from 1 (0: none) and squared distances. */
typedef struct {
    int32_t thing[2];
    float square[2];
} nearest;

typedef struct {
    int32_t *thing;   /* [h][w]: an object, a class + 1, or 0 */
    int64_t *pending; /* [h * w] pixels of an object yet to be looked at */
    nearest *column;  /* [h][w] within columns */
    float reach;      /* beyond which the weight is 0 */
} work;

sg_err sg_border_open(sg_border *border, const sg_border_options *options, int64_t samples,
                      int64_t h, int64_t w)
{
    size_t pixels = (size_t)(h * w), all;
    work *k = NULL;
    *border = (sg_border){.options = *options, .samples = samples, .h = h, .w = w};
    if (options->w0 <= 0)
        return SG_OK;
    sg_err err = sg_calloc(1, sizeof *k, &k);
    border->work = k;
    if (!err)
        err = sg_size_mul((size_t)samples, pixels, &all);
    if (!err)
        err = sg_calloc(all, sizeof(float), &border->weight);
    if (!err)
        err = sg_malloc(pixels, sizeof *k->thing, &k->thing);
    if (!err)
        err = sg_malloc(pixels, sizeof *k->pending, &k->pending);
    if (!err)
        err = sg_malloc(pixels, sizeof *k->column, &k->column);
    if (err)
        sg_border_close(border);
    else
        k->reach = 4.5f * options->sigma;
    return err;
}

void sg_border_close(sg_border *border)
{
    work *k = border->work;
    if (k) {
        sg_free(k->thing);
        sg_free(k->pending);
        sg_free(k->column);
    }
    sg_free(k);
    sg_free(border->weight);
    *border = (sg_border){0};
}

/* ---- things ---- */

/* Number the object that pixel `first` belongs to; its pixels are those of the class not numbered
 * yet that touch with a side. */
static void fill_object(const sg_border *b, const uint8_t *labels, int64_t first, int32_t number)
{
    const work *k = b->work;
    int64_t pending = 0;
    k->thing[first] = number;
    k->pending[pending++] = first;
    while (pending > 0) {
        int64_t at = k->pending[--pending], y = at / b->w, x = at % b->w;
        const int64_t beside[4] = {y > 0 ? at - b->w : -1, y + 1 < b->h ? at + b->w : -1,
                                   x > 0 ? at - 1 : -1, x + 1 < b->w ? at + 1 : -1};
        for (int i = 0; i < 4; i++) {
            int64_t to = beside[i];
            if (to < 0 || labels[to] != b->options.of_class || k->thing[to] != 0)
                continue;
            k->thing[to] = number;
            k->pending[pending++] = to;
        }
    }
}

static void find_things(const sg_border *b, const uint8_t *labels)
{
    const work *k = b->work;
    int64_t pixels = b->h * b->w;
    int32_t objects = 0;
    bool edges = b->options.of_class == SG_BORDER_EDGES;
    for (int64_t i = 0; i < pixels; i++)
        k->thing[i] = edges && labels[i] != SG_IGNORE_LABEL ? labels[i] + 1 : 0;
    for (int64_t i = 0; !edges && i < pixels; i++)
        if (labels[i] == b->options.of_class && k->thing[i] == 0)
            fill_object(b, labels, i, ++objects);
}

/* ---- distances ---- */

/* A thing at that distance has been seen. */
static void see(nearest *n, int32_t thing, float square)
{
    if (thing == 0)
        return;
    if (thing == n->thing[0]) {
        n->square[0] = fminf(n->square[0], square);
    } else if (square < n->square[0]) {
        n->thing[1] = n->thing[0];
        n->square[1] = n->square[0];
        n->thing[0] = thing;
        n->square[0] = square;
    } else if (square < n->square[1]) {
        n->thing[1] = thing;
        n->square[1] = square;
    }
}

/* One sweep along a column: rows y, y + step ... up to the edge. last[]: rows of the two things
 * seen last, which are the nearest ones on this side. */
static void sweep(const sg_border *b, int64_t x, int64_t y, int64_t step)
{
    const work *k = b->work;
    int32_t thing[2] = {0, 0};
    int64_t row[2] = {0, 0};
    for (; y >= 0 && y < b->h; y += step) {
        int32_t here = k->thing[y * b->w + x];
        if (here != 0 && here != thing[0]) {
            thing[1] = thing[0];
            row[1] = row[0];
            thing[0] = here;
        }
        if (here != 0)
            row[0] = y;
        for (int i = 0; i < 2; i++)
            see(&k->column[y * b->w + x], thing[i], (float)((y - row[i]) * (y - row[i])));
    }
}

/* The columns x - d and x + d, as far as they are there. */
static void look_aside(const sg_border *b, int64_t y, int64_t x, int64_t d, nearest *n)
{
    const work *k = b->work;
    for (int side = 0; side < (d > 0 ? 2 : 1); side++) {
        int64_t from = side ? x + d : x - d;
        if (from < 0 || from >= b->w)
            continue;
        const nearest *c = &k->column[y * b->w + from];
        for (int i = 0; i < 2; i++)
            see(n, c->thing[i], c->square[i] + (float)(d * d));
    }
}

static nearest find_nearest(const sg_border *b, int64_t y, int64_t x)
{
    const work *k = b->work;
    nearest n = {{0, 0}, {INFINITY, INFINITY}};
    for (int64_t d = 0; d < b->w && (float)d <= k->reach; d++) {
        if ((float)(d * d) >= n.square[1])
            break;
        look_aside(b, y, x, d, &n);
    }
    return n;
}

static float weight_of(const sg_border *b, const nearest *n)
{
    const work *k = b->work;
    float distance = sqrtf(n->square[0]) + sqrtf(n->square[1]), sigma = b->options.sigma;
    if (n->thing[1] == 0 || distance > k->reach)
        return 0;
    return b->options.w0 * expf(-distance * distance / (2 * sigma * sigma));
}

static void find_sample(const sg_border *b, const uint8_t *labels, float *weight)
{
    const work *k = b->work;
    for (int64_t i = 0; i < b->h * b->w; i++)
        k->column[i] = (nearest){{0, 0}, {INFINITY, INFINITY}};
    find_things(b, labels);
    for (int64_t x = 0; x < b->w; x++) {
        sweep(b, x, 0, 1);
        sweep(b, x, b->h - 1, -1);
    }
    for (int64_t i = 0; i < b->h * b->w; i++) {
        weight[i] = 0;
        if (labels[i] == SG_IGNORE_LABEL || labels[i] == b->options.of_class)
            continue;
        nearest n = find_nearest(b, i / b->w, i % b->w);
        weight[i] = weight_of(b, &n);
    }
}

void sg_border_find(sg_border *border, const uint8_t *labels)
{
    int64_t pixels = border->h * border->w;
    for (int64_t n = 0; border->weight && n < border->samples; n++)
        find_sample(border, labels + n * pixels, border->weight + n * pixels);
}
