#include "train/gallery.h"

#include <math.h>
#include <string.h>

#include "base/size.h"
#include "data/picture.h"

enum { CHANNELS = 4, PANELS = 3, GAP = 4, UNLABELLED = 0x30 };
static const double DEVIATIONS = 2;

/* One tile. */
typedef struct {
    const sg_spec *spec;
    const float *pixels;               /* (tile, tile, bands) */
    const uint8_t *truth, *prediction; /* (tile, tile) */
    int64_t tile, step;                /* pixels; of which each step-th is shown */
    sg_window core;                    /* of the tile, that is shown */
    int64_t w, h;                      /* of a panel */
    uint8_t *canvas;                   /* (h, PANELS w + gaps, CHANNELS) */
} drawing;

static int32_t tiles_of(const sg_cover *cover)
{
    return cover->tiles < SG_GALLERY_TILES ? (int32_t)cover->tiles : SG_GALLERY_TILES;
}

static uint64_t chosen(const sg_cover *cover, int32_t k)
{
    return (2 * (uint64_t)k + 1) * cover->tiles / (2 * (uint64_t)tiles_of(cover));
}

void sg_gallery_begin(sg_gallery *gallery, const sg_cover *cover)
{
    sg_gallery_clear(gallery);
    gallery->count = tiles_of(cover);
}

static int64_t canvas_width(const drawing *d)
{
    return PANELS * d->w + (PANELS - 1) * GAP;
}

static uint8_t *canvas_at(const drawing *d, int panel, int64_t i)
{
    int64_t x = panel * (d->w + GAP) + i % d->w, y = i / d->w;
    return d->canvas + (y * canvas_width(d) + x) * CHANNELS;
}

/* The tile's pixel that the i-th of a panel shows. */
static int64_t tile_at(const drawing *d, int64_t i)
{
    return (d->core.y + i / d->w * d->step) * d->tile + d->core.x + i % d->w * d->step;
}

/* What the network sees has mean 0 and deviation 1, unless it is not normalised. */
static void find_range(const drawing *d, int32_t band, double *low, double *span)
{
    double mean = 0, std = 1;
    if (d->spec->normalize == SG_NORMALIZE_NONE) {
        double sum = 0, squares = 0, n = (double)(d->w * d->h);
        for (int64_t i = 0; i < d->w * d->h; i++) {
            double value = (double)d->pixels[tile_at(d, i) * d->spec->bands + band];
            sum += value;
            squares += value * value;
        }
        mean = sum / n;
        std = sqrt(fmax(squares / n - mean * mean, 0));
    }
    *low = mean - DEVIATIONS * std;
    *span = 2 * DEVIATIONS * std;
}

static void draw_image(const drawing *d)
{
    const int32_t bands = d->spec->bands;
    for (int channel = 0; channel < 3; channel++) {
        int32_t band = bands < 3 ? 0 : channel;
        double low, span;
        find_range(d, band, &low, &span);
        for (int64_t i = 0; i < d->w * d->h; i++) {
            double value = (double)d->pixels[tile_at(d, i) * bands + band];
            double level = span > 0 ? (value - low) / span : 0.5;
            canvas_at(d, 0, i)[channel] = (uint8_t)(255 * fmin(fmax(level, 0), 1));
        }
    }
}

static void draw_classes(const drawing *d, int panel, const uint8_t *classes)
{
    const sg_class_table *table = &d->spec->classes;
    static const uint8_t none[3] = {UNLABELLED, UNLABELLED, UNLABELLED};
    for (int64_t i = 0; i < d->w * d->h; i++) {
        uint8_t class = classes[tile_at(d, i)];
        memcpy(canvas_at(d, panel, i), class < table->count ? table->item[class].colour : none, 3);
    }
}

static sg_err draw(drawing *d, sg_gallery_picture *picture)
{
    for (d->step = 1; sg_max64(d->core.w, d->core.h) > SG_GALLERY_SIDE * d->step;)
        d->step *= 2;
    d->w = sg_div_up(d->core.w, d->step);
    d->h = sg_div_up(d->core.h, d->step);
    size_t pixels = (size_t)(canvas_width(d) * d->h);
    sg_err err = sg_malloc(pixels, CHANNELS, &d->canvas);
    if (err)
        return err;
    memset(d->canvas, 0xff, pixels * CHANNELS);
    draw_image(d);
    draw_classes(d, 1, d->truth);
    draw_classes(d, 2, d->prediction);
    picture->width = (int32_t)canvas_width(d);
    picture->height = (int32_t)d->h;
    const sg_picture shown = {picture->width, picture->height, d->canvas, NULL};
    err = sg_picture_png(&shown, &picture->png, &picture->bytes);
    sg_free(d->canvas);
    return err;
}

static sg_err draw_tile(sg_gallery_picture *picture, const sg_looked *looked, const sg_batch *batch,
                        int64_t i)
{
    const sg_cover *cover = looked->cover;
    const int64_t side = cover->tile + 2 * looked->beside, pixels = side * side;
    sg_sample sample = {0};
    sg_cover_sample(cover, batch->first + (uint64_t)i, &sample);
    float *values = NULL;
    sg_err err = sg_malloc((size_t)(pixels * looked->spec->bands), sizeof *values, &values);
    if (err)
        return err;
    sg_raw_to_f32(&batch->image[i], side, side, looked->spec->bands, values);
    drawing d = {.spec = looked->spec,
                 .pixels = values,
                 .truth = batch->labels + i * pixels,
                 .prediction = looked->prediction + i * pixels,
                 .tile = side,
                 .core = sample.count};
    d.core.x -= sample.window.x - looked->beside;
    d.core.y -= sample.window.y - looked->beside;
    err = draw(&d, picture);
    sg_free(values);
    return err;
}

sg_err sg_gallery_look(sg_gallery *gallery, const sg_looked *looked, const sg_batch *batch)
{
    sg_err err = SG_OK;
    for (int32_t k = 0; !err && k < gallery->count; k++) {
        uint64_t tile = chosen(looked->cover, k);
        if (tile >= batch->first && tile < batch->first + (uint64_t)batch->n)
            err = draw_tile(&gallery->picture[k], looked, batch, (int64_t)(tile - batch->first));
    }
    return err;
}

/* One picture from the rank that has it. [collective] */
static sg_err share_picture(sg_gallery_picture *picture, sg_comm *comm, int owner)
{
    int64_t facts[3] = {picture->width, picture->height, (int64_t)picture->bytes};
    sg_comm_broadcast(comm, facts, sizeof facts, owner);
    sg_err err = SG_OK;
    if (sg_comm_rank(comm) != owner)
        err = sg_malloc((size_t)facts[2], 1, &picture->png);
    err = sg_comm_agree(comm, err);
    if (err)
        return err;
    picture->width = (int32_t)facts[0];
    picture->height = (int32_t)facts[1];
    picture->bytes = (size_t)facts[2];
    sg_comm_broadcast(comm, picture->png, picture->bytes, owner);
    return SG_OK;
}

sg_err sg_gallery_share(sg_gallery *gallery, sg_comm *comm, const sg_cover *cover, int32_t batch)
{
    sg_err err = SG_OK;
    for (int32_t k = 0; !err && k < gallery->count; k++) {
        uint64_t turn = chosen(cover, k) / (uint64_t)batch;
        err =
            share_picture(&gallery->picture[k], comm, (int)(turn % (uint64_t)sg_comm_ranks(comm)));
    }
    return err;
}

void sg_gallery_clear(sg_gallery *gallery)
{
    for (int32_t k = 0; k < SG_GALLERY_TILES; k++)
        sg_free(gallery->picture[k].png);
    memset(gallery, 0, sizeof *gallery);
}
