/* Making a sample: read the window, normalise, lay labels over it, alter, turn, mix. */
#include "data/loader_private.h"

#include <string.h>

#include "base/rng.h"
#include "base/size.h"

sg_err sg_loader_reader_open(sg_loader_reader *reader, const sg_scenes *scenes,
                             const sg_loader_options *options)
{
    memset(reader, 0, sizeof(*reader));
    reader->scenes = scenes;
    reader->options = options;
    size_t count = 0, floats = 0;
    sg_err err = sg_size_mul((size_t)options->w, (size_t)options->h, &count);
    if (!err)
        err = sg_size_mul(count, (size_t)scenes->spec->bands, &floats);
    if (!err)
        err = sg_malloc(floats, sizeof(float), &reader->pixels);
    if (!err)
        err = sg_malloc(count, 1, &reader->labels);
    if (!err)
        err = sg_malloc(count, 1, &reader->valid);
    if (err)
        sg_loader_reader_close(reader);
    return err;
}

static void close_entry(sg_loader_entry *entry)
{
    sg_source_close(entry->source);
    memset(entry, 0, sizeof(*entry));
}

void sg_loader_reader_close(sg_loader_reader *reader)
{
    for (int32_t i = 0; i < SG_LOADER_OPEN_MAX; i++)
        close_entry(&reader->entry[i]);
    sg_free(reader->pixels);
    sg_free(reader->labels);
    sg_free(reader->valid);
    sg_free(reader->source.pixels);
    sg_free(reader->source.valid);
    sg_free(reader->source.labels);
    sg_free(reader->partner.pixels);
    sg_free(reader->partner.labels);
    sg_free(reader->room.item);
    sg_free(reader->mix_room.item);
    memset(&reader->source, 0, sizeof(reader->source));
    memset(&reader->partner, 0, sizeof(reader->partner));
    memset(&reader->room, 0, sizeof(reader->room));
    memset(&reader->mix_room, 0, sizeof(reader->mix_room));
    reader->pixels = NULL;
    reader->labels = reader->valid = NULL;
}

/* The opened scene; the one unused for longest makes room. */
static sg_err find_entry(sg_loader_reader *reader, int32_t scene, sg_loader_entry **out)
{
    sg_loader_entry *oldest = &reader->entry[0], *found = NULL;
    for (int32_t i = 0; i < SG_LOADER_OPEN_MAX && !found; i++) {
        sg_loader_entry *entry = &reader->entry[i];
        if (entry->used && entry->scene == scene)
            found = entry;
        if (entry->used < oldest->used)
            oldest = entry;
    }
    if (found == NULL) {
        close_entry(oldest);
        sg_err err = sg_source_open(&oldest->source, reader->scenes, scene);
        if (err)
            return err;
        oldest->scene = scene;
        found = oldest;
    }
    found->used = ++reader->clock;
    *out = found;
    return SG_OK;
}

/* Labels count only where the image has data and inside the sample's counting window. */
static void mask_labels(const sg_sample *sample, const uint8_t *valid, uint8_t *labels)
{
    const sg_window *w = &sample->window, *c = &sample->count;
    for (int64_t y = 0; y < w->h; y++) {
        bool row_counts = w->y + y >= c->y && w->y + y < c->y + c->h;
        for (int64_t x = 0; x < w->w; x++) {
            bool counts = row_counts && w->x + x >= c->x && w->x + x < c->x + c->w;
            if (!counts || !valid[y * w->w + x])
                labels[y * w->w + x] = SG_NO_CLASS;
        }
    }
}

/* A word as a number in [-1, 1). */
static double both_ways(uint32_t word)
{
    return 2 * (double)sg_uniform(word) - 1;
}

/* What is subtracted and divided by, so that z = (x - mean) / std becomes gain * z + offset. */
static void jittered(const sg_sample *sample, const sg_scene *scene, int32_t bands, double *mean,
                     double *std)
{
    sg_random4 all = sg_random(sample->seed, SG_STREAM_JITTER, sample->index, 0);
    for (int32_t b = 0; b < bands; b++) {
        sg_random4 own = sg_random(sample->seed, SG_STREAM_JITTER, sample->index, (uint32_t)b + 1);
        double half = .5 * (double)sample->jitter;
        double gain = 1 + half * (both_ways(all.v[0]) + both_ways(own.v[0]));
        double offset = half * (both_ways(all.v[1]) + both_ways(own.v[1]));
        std[b] = scene->std[b] / gain;
        mean[b] = scene->mean[b] - offset * std[b];
    }
}

/* ---- as read ---- */

static void find_factors(const sg_sample *sample, const sg_scene *scene, int32_t bands,
                         float *factors)
{
    double mean[SG_BANDS_MAX], std[SG_BANDS_MAX];
    if (sample->jitter > 0)
        jittered(sample, scene, bands, mean, std);
    sg_normalize_factors(bands, sample->jitter > 0 ? mean : scene->mean,
                         sample->jitter > 0 ? std : scene->std, factors, factors + bands);
}

static sg_err read_labels(sg_loader_reader *reader, const sg_loader_entry *entry,
                          const sg_sample *sample, const sg_loader_place *place)
{
    uint8_t *labels = sample->turn == 0 ? place->labels : reader->labels;
    sg_err err = sg_source_labels(entry->source, sample->window, labels);
    mask_labels(sample, place->valid, labels);
    if (!err && sample->turn != 0)
        sg_turn_u8(labels, place->labels, sample->window.w, sample->turn);
    return err;
}

/* Whoever loads it normalises and turns it. */
static sg_err read_raw(sg_loader_reader *reader, const sg_loader_entry *entry,
                       const sg_sample *sample, const sg_loader_place *place)
{
    const int32_t bands = reader->scenes->spec->bands;
    SG_ASSERT(sample->turn == 0 || sample->window.w == sample->window.h);
    sg_err err = sg_source_read_raw(entry->source, sample->window, place->pixels, place->valid);
    if (err)
        return err;
    bool whole = !memchr(place->valid, 0, (size_t)(sample->window.w * sample->window.h));
    find_factors(sample, &reader->scenes->scene[sample->scene], bands, place->factors);
    *place->image = (sg_raw_image){.type = sg_source_raw_type(entry->source),
                                   .turn = sample->turn,
                                   .values = place->pixels,
                                   .valid = whole ? NULL : place->valid,
                                   .shift = place->factors,
                                   .scale = place->factors + bands};
    return read_labels(reader, entry, sample, place);
}

/* *done: it could be left as it was read. */
static sg_err try_raw(sg_loader_reader *reader, const sg_sample *sample,
                      const sg_loader_place *place, bool *done)
{
    sg_loader_entry *entry = NULL;
    *done = false;
    if (!reader->options->raw || sample->alter)
        return SG_OK;
    sg_err err = find_entry(reader, sample->scene, &entry);
    if (err || sg_source_raw_type(entry->source) == SG_RAW_F32)
        return err;
    *done = true;
    return read_raw(reader, entry, sample, place);
}

/* ---- as numbers ---- */

static void normalize(const sg_sample *sample, const sg_scene *scene, int32_t bands, size_t count,
                      float *pixels, const uint8_t *valid)
{
    double mean[SG_BANDS_MAX], std[SG_BANDS_MAX];
    if (sample->jitter > 0)
        jittered(sample, scene, bands, mean, std);
    sg_normalize_pixels(pixels, valid, count, bands, sample->jitter > 0 ? mean : scene->mean,
                        sample->jitter > 0 ? std : scene->std);
}

/* A window of the sample's scene, normalised. */
static sg_err read_window(sg_loader_reader *reader, const sg_sample *sample, sg_window window,
                          const sg_image *image)
{
    const sg_scene *scene = &reader->scenes->scene[sample->scene];
    size_t count = (size_t)window.w * (size_t)window.h;
    sg_loader_entry *entry = NULL;
    sg_err err = find_entry(reader, sample->scene, &entry);
    if (!err)
        err = sg_source_read(entry->source, window, image->pixels, image->valid);
    if (err)
        return err;
    normalize(sample, scene, image->bands, count, image->pixels, image->valid);
    return sg_source_labels(entry->source, window, image->labels);
}

/* Room for the part of the scene that a crop is made of. */
static sg_err make_source(sg_loader_reader *reader, sg_window window, sg_image *source)
{
    size_t count = 0, floats = 0;
    sg_err err = sg_size_mul((size_t)window.w, (size_t)window.h, &count);
    if (!err)
        err = sg_size_mul(count, (size_t)reader->scenes->spec->bands, &floats);
    if (!err)
        err =
            sg_grow(&reader->source.pixels, &reader->source.pixels_capacity, floats, sizeof(float));
    if (!err)
        err = sg_grow(&reader->source.valid, &reader->source.valid_capacity, count, 1);
    if (!err)
        err = sg_grow(&reader->source.labels, &reader->source.labels_capacity, count, 1);
    *source = (sg_image){window.w,
                         window.h,
                         reader->scenes->spec->bands,
                         reader->source.pixels,
                         reader->source.valid,
                         reader->source.labels};
    return err;
}

static sg_err read_placed(sg_loader_reader *reader, const sg_sample *sample,
                          const sg_placement *placement, const sg_image *image)
{
    sg_window window = sg_placement_window(placement, image->w, image->h);
    sg_image source;
    window = sg_window_intersect(window, sample->within);
    SG_ASSERT(!sg_window_is_empty(window));
    sg_err err = make_source(reader, window, &source);
    if (!err)
        err = read_window(reader, sample, window, &source);
    if (err)
        return err;
    sg_placement_take(placement, &source, window, image);
    return SG_OK;
}

static sg_err read_sample(sg_loader_reader *reader, const sg_sample *sample, float *pixels,
                          uint8_t *labels)
{
    const sg_image image = {sample->window.w, sample->window.h, reader->scenes->spec->bands,
                            pixels,           reader->valid,    labels};
    const sg_draw draw = {sample->seed, sample->index};
    sg_placement placement;
    bool placed = sample->alter &&
                  sg_alter_place(sample->alter, draw, sample->window, sample->within, &placement);
    sg_err err = placed ? read_placed(reader, sample, &placement, &image)
                        : read_window(reader, sample, sample->window, &image);
    if (err)
        return err;
    if (!placed)
        mask_labels(sample, reader->valid, labels);
    return sample->alter ? sg_alter_values(sample->alter, draw, image, &reader->room) : SG_OK;
}

/* One crop by itself. */
static sg_err make_crop(sg_loader_reader *reader, const sg_sample *sample, float *pixels,
                        uint8_t *labels)
{
    const sg_loader_options *options = reader->options;
    SG_ASSERT(sample->scene >= 0 && sample->scene < reader->scenes->scenes);
    SG_ASSERT(sample->window.w == options->w && sample->window.h == options->h);
    if (sample->turn == 0)
        return read_sample(reader, sample, pixels, labels);
    SG_ASSERT(options->w == options->h);
    sg_err err = read_sample(reader, sample, reader->pixels, reader->labels);
    if (err)
        return err;
    sg_turn_f32(reader->pixels, pixels, options->w, reader->scenes->spec->bands, sample->turn);
    sg_turn_u8(reader->labels, labels, options->w, sample->turn);
    return SG_OK;
}

/* Put something of another crop into this one. */
static sg_err mix(sg_loader_reader *reader, sg_draw draw, sg_mix_kind kind, const sg_image *image)
{
    const sg_loader_options *options = reader->options;
    const size_t count = (size_t)(image->w * image->h);
    sg_sample other = {0};
    uint8_t class = SG_NO_CLASS;
    if (!options->partner || !options->partner(options->user, draw.index, kind, &other, &class))
        return SG_OK;
    sg_err err = sg_grow(&reader->partner.pixels, &reader->partner.pixels_capacity,
                         count * (size_t)image->bands, sizeof(float));
    if (!err)
        err = sg_grow(&reader->partner.labels, &reader->partner.labels_capacity, count, 1);
    const sg_image from = {
        image->w, image->h, image->bands, reader->partner.pixels, NULL, reader->partner.labels};
    if (!err)
        err = make_crop(reader, &other, from.pixels, from.labels);
    if (err)
        return err;
    if (kind == SG_MIX_REGIONS)
        return sg_mix_regions(draw, class, &from, image, &reader->mix_room);
    sg_mix_copy(&from, image, sg_mix_rectangle(draw, image->w, image->h));
    return SG_OK;
}

/* Labels along the sides of a sample, however it was turned, do not count. */
static void mask_margin(const sg_loader_options *o, uint8_t *labels)
{
    for (int64_t y = 0; y < o->h; y++) {
        uint8_t *row = labels + y * o->w;
        bool counts = y >= o->margin.top && y < o->h - o->margin.bottom;
        int64_t left = counts ? o->margin.left : o->w, right = counts ? o->margin.right : 0;
        memset(row, SG_NO_CLASS, (size_t)left);
        memset(row + o->w - right, SG_NO_CLASS, (size_t)right);
    }
}

sg_err sg_loader_reader_sample(sg_loader_reader *reader, uint64_t index,
                               const sg_loader_place *place)
{
    const sg_loader_options *options = reader->options;
    sg_sample sample = {0};
    bool done;
    options->sample(options->user, index, &sample);
    SG_ASSERT(sample.scene >= 0 && sample.scene < reader->scenes->scenes);
    const sg_image image = {options->w,    options->h, reader->scenes->spec->bands,
                            place->pixels, NULL,       place->labels};
    const sg_draw draw = {sample.seed, index};
    *place->image = (sg_raw_image){.values = place->pixels};
    sg_err err = try_raw(reader, &sample, place, &done);
    if (!err && !done)
        err = make_crop(reader, &sample, place->pixels, place->labels);
    if (!err && sample.alter && sg_alter_pastes(sample.alter, draw))
        err = mix(reader, draw, SG_MIX_REGIONS, &image);
    if (!err && sample.alter && sg_alter_cuts(sample.alter, draw))
        err = mix(reader, draw, SG_MIX_RECTANGLE, &image);
    if (!err)
        mask_margin(options, place->labels);
    return err;
}
