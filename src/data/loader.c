/*
 * The loader's threads. Batches live in a ring of `ahead` + 1 slots: one may be in the network's
 * hands while `ahead` are made. Threads take single samples in order, so a batch is finished by all
 * of them together and the next one that the network wants is always the first to be ready.
 */
#include "data/loader_private.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/size.h"

typedef enum { SLOT_FREE, SLOT_FILLING, SLOT_READY, SLOT_HELD } slot_state;

typedef struct {
    sg_batch batch; /* first: a batch's address is its slot's */
    slot_state state;
    int32_t size;      /* samples, also when the batch failed */
    int32_t open;      /* samples not finished */
    int32_t failed_at; /* the lowest sample that failed, or size */
    uint8_t *valid;    /* (batch, h, w), with `raw`; as the next */
    float *factors;    /* [batch][2 * bands] */
} slot;

struct sg_loader {
    sg_scenes scenes;
    sg_loader_options options;
    uint64_t batches;
    size_t sample_floats, sample_labels;
    int32_t slots;
    slot *slot; /* [slots] */
    int32_t threads;
    pthread_t *thread; /* [threads] */
    double waited;

    pthread_mutex_t lock; /* guards all below, and the slots' states and counts */
    pthread_cond_t work;  /* a sample can be taken, or stop */
    pthread_cond_t ready; /* a batch is ready, or a thread has gone */
    uint64_t fill_batch;  /* next sample to take */
    int32_t fill_sample;
    uint64_t next_batch; /* next batch to hand out */
    int stop;
};

static slot *slot_of(sg_loader *loader, uint64_t batch)
{
    return &loader->slot[batch % (uint64_t)loader->slots];
}

/* Begin a batch in its slot. Under lock. */
static void begin_batch(sg_loader *loader, slot *s, uint64_t k)
{
    const sg_loader_options *o = &loader->options;
    uint64_t first = o->first + k * o->stride;
    uint64_t left = o->end - first;
    s->size = left < (uint64_t)o->batch ? (int32_t)left : o->batch;
    s->open = s->failed_at = s->size;
    s->state = SLOT_FILLING;
    s->batch.first = first;
    s->batch.n = s->size;
    s->batch.error = SG_OK;
    s->batch.message[0] = '\0';
}

/* The next sample, or NULL when the thread has to wait. Under lock. */
static slot *take_sample(sg_loader *loader, int32_t *sample)
{
    if (loader->fill_batch >= loader->batches)
        return NULL;
    slot *s = slot_of(loader, loader->fill_batch);
    if (loader->fill_sample == 0) {
        if (s->state != SLOT_FREE)
            return NULL;
        begin_batch(loader, s, loader->fill_batch);
    }
    *sample = loader->fill_sample++;
    if (loader->fill_sample == s->size) {
        loader->fill_sample = 0;
        loader->fill_batch++;
    }
    return s;
}

/* The lowest failing sample's error is told, whichever thread came first. Under lock. */
static void finish_sample(sg_loader *loader, slot *s, int32_t sample, sg_err err)
{
    if (err && sample < s->failed_at) {
        s->failed_at = sample;
        s->batch.error = err;
        snprintf(s->batch.message, sizeof(s->batch.message), "%s", sg_error_text());
    }
    if (--s->open > 0)
        return;
    if (s->batch.error)
        s->batch.n = 0;
    s->state = SLOT_READY;
    pthread_cond_signal(&loader->ready);
}

static sg_loader_place place_of(const sg_loader *loader, const slot *s, int32_t sample)
{
    size_t i = (size_t)sample;
    sg_loader_place place = {.pixels = s->batch.pixels + i * loader->sample_floats,
                             .labels = s->batch.labels + i * loader->sample_labels,
                             .image = s->batch.image + i};
    if (loader->options.raw) {
        place.valid = s->valid + i * loader->sample_labels;
        place.factors = s->factors + i * 2 * (size_t)loader->scenes.spec->bands;
    }
    return place;
}

static void work_until_done(sg_loader *loader, sg_loader_reader *reader, sg_err reader_error)
{
    pthread_mutex_lock(&loader->lock);
    while (!loader->stop && loader->fill_batch < loader->batches) {
        int32_t sample = 0;
        slot *s = take_sample(loader, &sample);
        if (s == NULL) {
            pthread_cond_wait(&loader->work, &loader->lock);
            continue;
        }
        pthread_mutex_unlock(&loader->lock);
        sg_loader_place place = place_of(loader, s, sample);
        sg_err err = reader_error;
        if (!err)
            err = sg_loader_reader_sample(reader, s->batch.first + (uint64_t)sample, &place);
        pthread_mutex_lock(&loader->lock);
        finish_sample(loader, s, sample, err);
    }
    pthread_cond_broadcast(&loader->work); /* the others see the end, too */
    pthread_mutex_unlock(&loader->lock);
}

/* A thread without memory for its scratch still takes samples, and fails them: nobody waits for
 * ever. */
static void *run_thread(void *user)
{
    sg_loader *loader = user;
    sg_loader_reader reader;
    sg_err err = sg_loader_reader_open(&reader, &loader->scenes, &loader->options);
    work_until_done(loader, &reader, err);
    sg_loader_reader_close(&reader);
    return NULL;
}

static sg_err check_options(const sg_scenes *scenes, const sg_loader_options *options)
{
    SG_ASSERT(scenes->spec->bands >= 1 && options->sample != NULL);
    if (options->batch < 1 || options->w < 1 || options->h < 1 || options->threads < 1 ||
        options->ahead < 1 || options->stride < 1)
        return sg_fail(SG_EUSAGE,
                       "loader: batch %d, tile %d x %d, threads %d, batches ahead %d; each must be "
                       "at least 1",
                       options->batch, options->w, options->h, options->threads, options->ahead);
    return SG_OK;
}

static sg_err allocate_slots(sg_loader *loader)
{
    const sg_loader_options *o = &loader->options;
    size_t floats = 0, labels = 0;
    sg_err err = sg_size_mul((size_t)o->w, (size_t)o->h, &loader->sample_labels);
    if (!err)
        err = sg_size_mul(loader->sample_labels, (size_t)loader->scenes.spec->bands,
                          &loader->sample_floats);
    if (!err)
        err = sg_size_mul(loader->sample_labels, (size_t)o->batch, &labels);
    if (!err)
        err = sg_size_mul(loader->sample_floats, (size_t)o->batch, &floats);
    if (!err)
        err = sg_calloc((size_t)loader->slots, sizeof(slot), &loader->slot);
    for (int32_t i = 0; i < loader->slots && !err; i++) {
        err = sg_malloc(floats, sizeof(float), &loader->slot[i].batch.pixels);
        if (!err)
            err = sg_malloc(labels, 1, &loader->slot[i].batch.labels);
        if (!err)
            err = sg_calloc((size_t)o->batch, sizeof(sg_raw_image), &loader->slot[i].batch.image);
        if (!err && o->raw)
            err = sg_malloc(labels, 1, &loader->slot[i].valid);
        if (!err && o->raw)
            err =
                sg_malloc((size_t)o->batch, 2 * (size_t)loader->scenes.spec->bands * sizeof(float),
                          &loader->slot[i].factors);
    }
    return err;
}

static sg_err start_threads(sg_loader *loader)
{
    sg_err err = sg_calloc((size_t)loader->options.threads, sizeof(pthread_t), &loader->thread);
    while (!err && loader->threads < loader->options.threads) {
        int status = pthread_create(&loader->thread[loader->threads], NULL, run_thread, loader);
        if (status)
            err = sg_fail(SG_EINTERNAL, "loader: thread %d of %d cannot be started: %s",
                          loader->threads + 1, loader->options.threads, strerror(status));
        else
            loader->threads++;
    }
    return err;
}

sg_err sg_loader_open(sg_loader **out, const sg_scenes *scenes, const sg_loader_options *options)
{
    sg_loader *loader = NULL;
    sg_err err = check_options(scenes, options);
    if (!err)
        err = sg_calloc(1, sizeof(*loader), &loader);
    if (err)
        return err;
    loader->scenes = *scenes;
    loader->options = *options;
    loader->slots = options->ahead + 1;
    if (options->end > options->first)
        loader->batches = (options->end - options->first - 1) / options->stride + 1;
    pthread_mutex_init(&loader->lock, NULL);
    pthread_cond_init(&loader->work, NULL);
    pthread_cond_init(&loader->ready, NULL);
    err = allocate_slots(loader);
    if (!err)
        err = start_threads(loader);
    if (err) {
        sg_loader_close(loader);
        return err;
    }
    *out = loader;
    return SG_OK;
}

sg_batch *sg_loader_next(sg_loader *loader)
{
    if (loader->next_batch >= loader->batches)
        return NULL;
    slot *s = slot_of(loader, loader->next_batch);
    double start = sg_now();
    pthread_mutex_lock(&loader->lock);
    SG_ASSERT(s->state != SLOT_HELD); /* else the caller keeps all slots, and would wait for ever */
    while (s->state != SLOT_READY)
        pthread_cond_wait(&loader->ready, &loader->lock);
    s->state = SLOT_HELD;
    loader->next_batch++;
    pthread_mutex_unlock(&loader->lock);
    loader->waited += sg_now() - start;
    return &s->batch;
}

const sg_batch *sg_loader_peek(sg_loader *loader)
{
    if (loader->next_batch >= loader->batches)
        return NULL;
    slot *s = slot_of(loader, loader->next_batch);
    pthread_mutex_lock(&loader->lock);
    bool ready = s->state == SLOT_READY && !s->batch.error;
    pthread_mutex_unlock(&loader->lock);
    return ready ? &s->batch : NULL;
}

void sg_loader_return(sg_loader *loader, sg_batch *batch)
{
    slot *s = (slot *)batch;
    pthread_mutex_lock(&loader->lock);
    SG_ASSERT(s->state == SLOT_HELD);
    s->state = SLOT_FREE;
    pthread_cond_broadcast(&loader->work);
    pthread_mutex_unlock(&loader->lock);
}

double sg_loader_waited(const sg_loader *loader)
{
    return loader->waited;
}

void sg_loader_close(sg_loader *loader)
{
    if (loader == NULL)
        return;
    pthread_mutex_lock(&loader->lock);
    loader->stop = 1;
    pthread_cond_broadcast(&loader->work);
    pthread_mutex_unlock(&loader->lock);
    for (int32_t i = 0; i < loader->threads; i++)
        pthread_join(loader->thread[i], NULL);
    for (int32_t i = 0; loader->slot && i < loader->slots; i++) {
        sg_free(loader->slot[i].batch.pixels);
        sg_free(loader->slot[i].batch.labels);
        sg_free(loader->slot[i].batch.image);
        sg_free(loader->slot[i].valid);
        sg_free(loader->slot[i].factors);
    }
    pthread_cond_destroy(&loader->ready);
    pthread_cond_destroy(&loader->work);
    pthread_mutex_destroy(&loader->lock);
    sg_free(loader->slot);
    sg_free(loader->thread);
    sg_free(loader);
}
