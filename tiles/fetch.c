#include "tiles/fetch.h"

#include <pthread.h>
#include <string.h>
#include "base/size.h"
#include "tiles/failure.h"

enum { SLOTS_MOST = SG_IN_FLIGHT_MOST + 1, STRIP_ROWS = 256 };

/* A batch and how far it has been filled. Slot number i of the run is ring[i % slots]. */
typedef struct {
    sg_fetched batch;
    int32_t tile;    /* the strip to hand out next begins in this tile ... */
    int64_t row;     /* ... at this row of it */
    int32_t reading; /* strips handed out and not yet read */
} slot;

typedef struct {
    slot *slot;
    int32_t tile;
    int64_t row, rows; /* of the tile */
} strip;

typedef struct {
    sg_fetch *fetch; /* the pool it belongs to */
    sg_source *source;
    pthread_t thread;
    int running;
} reader;

struct sg_fetch {
    const sg_pipeline_options *options; /* borrowed */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    slot ring[SLOTS_MOST];
    int64_t slots;
    int64_t opened, taken, returned; /* slots, counted over the run */
    int opening;                     /* a reader is planning the next slot, outside the lock */
    int ended;                       /* there are no more tiles to plan */
    int stop;
    sg_failure failure;
    int64_t strip_rows;
    sg_raw_type type;     /* of what is read */
    float *shift, *scale; /* [bands], where it is not f32 */
    /* The plan: belongs to the reader that is opening a slot. */
    int64_t chunk, tiles, next_tile;
    int no_more_chunks;
    reader *reader;
    int32_t readers;
};

static int all_handed_out(const slot *s)
{
    return s->tile == s->batch.n;
}

static int is_ready(const slot *s)
{
    return all_handed_out(s) && s->reading == 0;
}

/* Move on to the next chunk when this one has no more tiles. */
static sg_err plan_chunk(sg_fetch *fetch)
{
    const sg_pipeline_options *options = fetch->options;
    int64_t chunk;
    sg_err err = options->next(options->user, &chunk);
    if (err != SG_OK)
        return err;
    fetch->no_more_chunks = chunk >= sg_grid_chunks(options->grid);
    fetch->chunk = chunk;
    fetch->next_tile = 0;
    fetch->tiles = fetch->no_more_chunks ? 0 : sg_grid_tiles(options->grid, chunk);
    return SG_OK;
}

/* The pixels that a tile's core has a part in: itself, or with frames all of those that see it. */
static sg_window served_by(const sg_grid *grid, const sg_planned_tile *planned)
{
    sg_window core = planned->tile.core;
    if (grid->frame == 0)
        return core;
    const sg_window seen = {core.x - grid->margin, core.y - grid->margin, core.w + 2 * grid->margin,
                            core.h + 2 * grid->margin};
    const sg_window scene = {0, 0, grid->width, grid->height};
    return sg_window_intersect(sg_grid_frames(grid, sg_window_intersect(seen, scene)),
                               sg_grid_chunk(grid, planned->chunk));
}

/* A look that costs next to nothing, so that what nobody asks for, or what is not there, is not
 * read. */
static sg_err look_at(const sg_fetch *fetch, sg_source *source, sg_planned_tile *planned)
{
    sg_cutline *cutline = fetch->options->cutline;
    sg_window served = served_by(fetch->options->grid, planned);
    bool blank = false;
    sg_err err = cutline ? sg_cutline_misses(cutline, served, &blank) : SG_OK;
    if (err == SG_OK && !blank)
        err = sg_source_is_blank(source, planned->tile.core, &blank);
    planned->blank = blank;
    return err;
}

static sg_err plan_batch(sg_fetch *fetch, sg_source *source, sg_fetched *batch)
{
    batch->n = 0;
    while (batch->n < fetch->options->batch && !fetch->no_more_chunks) {
        if (fetch->next_tile == fetch->tiles) {
            sg_err err = plan_chunk(fetch);
            if (err != SG_OK)
                return err;
            continue;
        }
        sg_planned_tile *planned = &batch->tile[batch->n++];
        *planned = (sg_planned_tile){
            .tile = sg_grid_tile(fetch->options->grid, fetch->chunk, fetch->next_tile),
            .chunk = fetch->chunk,
            .last = fetch->next_tile + 1 == fetch->tiles};
        fetch->next_tile++;
        sg_err err = look_at(fetch, source, planned);
        if (err != SG_OK)
            return err;
    }
    return SG_OK;
}

static void skip_blank(slot *s)
{
    while (s->tile < s->batch.n && s->batch.tile[s->tile].blank)
        s->tile++;
}

/* Under the lock, which is given up while the plan is made: it may have to ask another rank. */
static void open_slot(sg_fetch *fetch, sg_source *source)
{
    slot *s = &fetch->ring[fetch->opened % fetch->slots];
    fetch->opening = 1;
    pthread_mutex_unlock(&fetch->lock);
    sg_err err = plan_batch(fetch, source, &s->batch);
    pthread_mutex_lock(&fetch->lock);
    fetch->opening = 0;
    s->tile = 0;
    s->row = 0;
    s->reading = 0;
    if (err != SG_OK) {
        sg_failure_keep(&fetch->failure, err);
        fetch->stop = 1;
    } else if (s->batch.n == 0) {
        fetch->ended = 1;
    } else {
        skip_blank(s);
        fetch->opened++;
    }
    pthread_cond_broadcast(&fetch->changed);
}

/* Strips end at multiples of strip_rows in the scene, so that no two readers decode one block. */
static int hand_out(sg_fetch *fetch, strip *out)
{
    if (fetch->opened == 0)
        return 0;
    slot *s = &fetch->ring[(fetch->opened - 1) % fetch->slots];
    if (all_handed_out(s))
        return 0;
    sg_window input = s->batch.tile[s->tile].tile.input;
    int64_t rows = fetch->strip_rows - (input.y + s->row) % fetch->strip_rows;
    *out = (strip){s, s->tile, s->row, sg_min64(rows, input.h - s->row)};
    s->reading++;
    s->row += out->rows;
    if (s->row == input.h) {
        s->row = 0;
        s->tile++;
        skip_blank(s);
    }
    return 1;
}

static int take_strip(sg_fetch *fetch, sg_source *source, strip *out)
{
    int taken = 0;
    pthread_mutex_lock(&fetch->lock);
    while (!fetch->stop && !(taken = hand_out(fetch, out)) && !fetch->ended) {
        if (!fetch->opening && fetch->opened - fetch->returned < fetch->slots)
            open_slot(fetch, source);
        else
            pthread_cond_wait(&fetch->changed, &fetch->lock);
    }
    pthread_mutex_unlock(&fetch->lock);
    return taken;
}

static sg_err read_pixels(const sg_fetch *fetch, sg_source *source, sg_window window,
                          uint8_t *values, uint8_t *data)
{
    const sg_pipeline_options *options = fetch->options;
    if (fetch->type != SG_RAW_F32)
        return sg_source_read_raw(source, window, values, data);
    sg_err err = sg_source_read(source, window, (float *)values, data);
    if (err == SG_OK)
        sg_normalize_pixels((float *)values, data, (size_t)(window.w * window.h),
                            options->spec->bands, options->mean, options->std);
    return err;
}

static sg_err read_strip(const sg_fetch *fetch, sg_source *source, const strip *part)
{
    const sg_pipeline_options *options = fetch->options;
    sg_fetched *batch = &part->slot->batch;
    sg_window window = batch->tile[part->tile].tile.input;
    size_t first = (size_t)((part->tile * window.h + part->row) * window.w);
    size_t pixel = (size_t)options->spec->bands * sg_raw_size(fetch->type);
    uint8_t *valid = batch->valid + first, *data = batch->data + first;
    window.y += part->row;
    window.h = part->rows;
    sg_err err = read_pixels(fetch, source, window, (uint8_t *)batch->values + first * pixel, data);
    if (err == SG_OK && data != valid)
        memcpy(valid, data, (size_t)(window.w * window.h));
    if (err == SG_OK && options->cutline && options->grid->frame == 0)
        err = sg_cutline_apply(options->cutline, window, valid);
    return err;
}

static void *read_strips(void *argument)
{
    reader *self = argument;
    sg_fetch *fetch = self->fetch;
    strip part;
    while (take_strip(fetch, self->source, &part)) {
        sg_err err = read_strip(fetch, self->source, &part);
        pthread_mutex_lock(&fetch->lock);
        part.slot->reading--;
        if (err != SG_OK) {
            sg_failure_keep(&fetch->failure, err);
            fetch->stop = 1;
        }
        if (fetch->stop || is_ready(part.slot))
            pthread_cond_broadcast(&fetch->changed);
        pthread_mutex_unlock(&fetch->lock);
    }
    return NULL;
}

/* What does not change about its images. */
static void make_images(const sg_fetch *fetch, const sg_fetched *batch)
{
    const sg_pipeline_options *options = fetch->options;
    size_t tile = (size_t)(options->grid->tile_h * options->grid->tile_w);
    size_t bytes = tile * (size_t)options->spec->bands * sg_raw_size(fetch->type);
    for (size_t i = 0; i < (size_t)options->batch; i++)
        batch->image[i] = (sg_raw_image){.type = fetch->type,
                                         .values = (uint8_t *)batch->values + i * bytes,
                                         .shift = fetch->shift,
                                         .scale = fetch->scale};
}

static sg_err make_slot(const sg_fetch *fetch, sg_fetched *batch, size_t pixels, size_t values)
{
    const sg_pipeline_options *options = fetch->options;
    size_t tiles = (size_t)options->batch;
    sg_err err = sg_calloc(tiles, sizeof *batch->tile, &batch->tile);
    if (err == SG_OK)
        err = sg_calloc(tiles, sizeof *batch->image, &batch->image);
    if (err == SG_OK)
        err = sg_calloc(values, sg_raw_size(fetch->type), &batch->values);
    if (err == SG_OK)
        err = sg_calloc(pixels, 1, &batch->valid);
    batch->data = batch->valid;
    /* What lies outside of a cutline is seen by the network: it has data, but is not asked for. */
    if (err == SG_OK && options->cutline && fetch->type != SG_RAW_F32)
        err = sg_calloc(pixels, 1, &batch->data);
    if (err == SG_OK)
        make_images(fetch, batch);
    return err;
}

static sg_err make_slots(sg_fetch *fetch)
{
    const sg_pipeline_options *options = fetch->options;
    size_t pixels, values;
    sg_err err = sg_size_mul3((size_t)options->batch, (size_t)options->grid->tile_h,
                              (size_t)options->grid->tile_w, &pixels);
    if (err == SG_OK)
        err = sg_size_mul(pixels, (size_t)options->spec->bands, &values);
    for (int64_t i = 0; err == SG_OK && i < fetch->slots; i++)
        err = make_slot(fetch, &fetch->ring[i].batch, pixels, values);
    return err;
}

static void free_slot(sg_fetched *batch)
{
    if (batch->data != batch->valid)
        sg_free(batch->data);
    sg_free(batch->valid);
    sg_free(batch->values);
    sg_free(batch->image);
    sg_free(batch->tile);
}

/* Values stay as they are read where whoever takes them normalises them. */
static sg_err choose_type(sg_fetch *fetch)
{
    const sg_pipeline_options *options = fetch->options;
    size_t bands = (size_t)options->spec->bands;
    fetch->type = options->raw ? sg_source_raw_type(fetch->reader[0].source) : SG_RAW_F32;
    if (fetch->type == SG_RAW_F32)
        return SG_OK;
    sg_err err = sg_malloc(2 * bands, sizeof(float), &fetch->shift);
    if (err == SG_OK) {
        fetch->scale = fetch->shift + bands;
        sg_normalize_factors(options->spec->bands, options->mean, options->std, fetch->shift,
                             fetch->scale);
    }
    return err;
}

static sg_err open_sources(sg_fetch *fetch)
{
    const sg_pipeline_options *options = fetch->options;
    sg_err err = sg_calloc((size_t)options->readers, sizeof *fetch->reader, &fetch->reader);
    for (int32_t i = 0; err == SG_OK && i < options->readers; i++) {
        fetch->reader[i].fetch = fetch;
        fetch->readers = i + 1;
        err = sg_source_open_pixels(&fetch->reader[i].source, options->path, options->spec,
                                    options->store, options->scene);
    }
    if (err != SG_OK)
        return err;
    fetch->strip_rows = sg_round_up(STRIP_ROWS, sg_source_block_h(fetch->reader[0].source));
    return SG_OK;
}

static sg_err start_threads(sg_fetch *fetch)
{
    for (int32_t i = 0; i < fetch->readers; i++) {
        reader *one = &fetch->reader[i];
        if (pthread_create(&one->thread, NULL, read_strips, one) != 0)
            return sg_fail(SG_ENOMEM, "reader thread %d cannot be started", i + 1);
        one->running = 1;
    }
    return SG_OK;
}

sg_err sg_fetch_start(sg_fetch **out, const sg_pipeline_options *options)
{
    sg_fetch *fetch = NULL;
    *out = NULL;
    sg_err err = sg_calloc(1, sizeof *fetch, &fetch);
    if (err != SG_OK)
        return err;
    fetch->options = options;
    pthread_mutex_init(&fetch->lock, NULL);
    pthread_cond_init(&fetch->changed, NULL);
    SG_ASSERT(options->in_flight >= 1 && options->in_flight <= SG_IN_FLIGHT_MOST);
    fetch->slots = options->in_flight + 1;
    err = open_sources(fetch);
    if (err == SG_OK)
        err = choose_type(fetch);
    if (err == SG_OK)
        err = make_slots(fetch);
    if (err == SG_OK)
        err = start_threads(fetch);
    if (err != SG_OK) {
        sg_fetch_close(fetch);
        return err;
    }
    *out = fetch;
    return SG_OK;
}

/* Most images are whole: then there is no mask to look at. */
static void find_holes(const sg_fetch *fetch, const sg_fetched *batch)
{
    size_t tile = (size_t)(fetch->options->grid->tile_h * fetch->options->grid->tile_w);
    for (int32_t i = 0; i < batch->n; i++) {
        const uint8_t *data = batch->data + (size_t)i * tile;
        batch->image[i].valid = memchr(data, 0, tile) ? data : NULL;
    }
}

sg_err sg_fetch_next(sg_fetch *fetch, sg_fetched **batch)
{
    *batch = NULL;
    pthread_mutex_lock(&fetch->lock);
    slot *s = &fetch->ring[fetch->taken % fetch->slots];
    while (!fetch->stop && !(fetch->taken < fetch->opened && is_ready(s)) &&
           !(fetch->ended && fetch->taken == fetch->opened))
        pthread_cond_wait(&fetch->changed, &fetch->lock);
    if (!fetch->stop && fetch->taken < fetch->opened) {
        *batch = &s->batch;
        fetch->taken++;
    }
    sg_err err = sg_failure_raise(&fetch->failure);
    pthread_mutex_unlock(&fetch->lock);
    if (*batch && fetch->type != SG_RAW_F32)
        find_holes(fetch, *batch);
    return err;
}

void sg_fetch_return(sg_fetch *fetch, sg_fetched *batch)
{
    pthread_mutex_lock(&fetch->lock);
    SG_ASSERT(batch == &fetch->ring[fetch->returned % fetch->slots].batch);
    fetch->returned++;
    pthread_cond_broadcast(&fetch->changed);
    pthread_mutex_unlock(&fetch->lock);
}

static void stop_readers(sg_fetch *fetch)
{
    pthread_mutex_lock(&fetch->lock);
    fetch->stop = 1;
    pthread_cond_broadcast(&fetch->changed);
    pthread_mutex_unlock(&fetch->lock);
    for (int32_t i = 0; i < fetch->readers; i++) {
        if (fetch->reader[i].running)
            pthread_join(fetch->reader[i].thread, NULL);
        sg_source_close(fetch->reader[i].source);
    }
}

void sg_fetch_close(sg_fetch *fetch)
{
    if (!fetch)
        return;
    stop_readers(fetch);
    for (int64_t i = 0; i < fetch->slots; i++)
        free_slot(&fetch->ring[i].batch);
    sg_free(fetch->shift);
    pthread_mutex_destroy(&fetch->lock);
    pthread_cond_destroy(&fetch->changed);
    sg_free(fetch->reader);
    sg_free(fetch);
}
