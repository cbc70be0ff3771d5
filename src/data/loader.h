/*
 * The loader: threads with their own handles of scenes read, augment and normalise samples ahead of
 * the network. What sample i is, is told by a pure function, so batches do not depend on threads.
 * [local]
 */
#ifndef SG_DATA_LOADER_H
#define SG_DATA_LOADER_H

#include "base/raw.h"
#include "data/alter.h"
#include "data/source.h"
#include "data/stats.h"
#include "data/turn.h"

/* The eight flips and rotations: bit 2 transposes (first), bit 1 flips rows, bit 0 flips columns.
 */
typedef struct {
    int32_t scene;
    sg_window window; /* all samples of a loader have the same w = h, or w and h when turn is 0 */
    sg_window
        count;    /* labels outside are ignored (validation cores); equal to window for training */
    int32_t turn; /* 0 .. 7 */
    float jitter; /* 0 .. 0.9: brightness and contrast change by as much, in deviations of the band;
                   */
    uint64_t seed, index;        /* a function of these, half of it alike in all bands */
    const sg_alterations *alter; /* NULL: none; borrowed; functions of seed and index */
    sg_window within;            /* pixels that the window may take when it is rotated or scaled */
} sg_sample;

/* What a sample that is to be mixed with another one receives of it. */
typedef enum { SG_MIX_RECTANGLE, SG_MIX_REGIONS } sg_mix_kind;

typedef struct {
    uint64_t first; /* index of its first sample */
    int32_t n;      /* samples, at most the batch size; 0 when failed */
    float *pixels;  /* (n, h, w, bands) normalised, invalid pixels 0; with `raw`: room for images */
    sg_raw_image *image; /* [n]: the samples; without `raw` plain ones, in pixels */
    uint8_t *labels;     /* (n, h, w); invalid pixels and outside count: SG_NO_CLASS */
    sg_err error;        /* reading failed; text in message */
    char message[512];
} sg_batch;

typedef struct {
    int32_t batch, w, h; /* samples, pixels */
    int32_t threads;     /* at least 1 */
    int32_t ahead;       /* batches in flight, at least 1 */
    bool raw;            /* leave samples as they were read, where nothing but turns alters them */
    uint64_t first, end,
        stride; /* batch k holds samples first + k * stride .. + batch - 1, below end */
    void (*sample)(void *user, uint64_t index,
                   sg_sample *sample); /* pure, called by many threads */
    /* The sample that sample `index` receives something of, and of which class; pure as well.
     * False: there is none. NULL where no sample is mixed. */
    bool (*partner)(void *user, uint64_t index, sg_mix_kind kind, sg_sample *sample,
                    uint8_t *class);
    void *user;
    struct {
        int32_t top, bottom, left, right;
    } margin; /* sides of a finished sample whose labels do not count, pixels */
} sg_loader_options;

typedef struct sg_loader sg_loader;

/* What scenes and options point at stays borrowed until sg_loader_close. ahead + 1 batches exist:
 * the caller may hold one, or more if it needs them, but not all of them when it asks for the next.
 */
sg_err sg_loader_open(sg_loader **loader, const sg_scenes *scenes,
                      const sg_loader_options *options);
/* The next batch in order, NULL at the end. Give it back with sg_loader_return. */
sg_batch *sg_loader_next(sg_loader *loader);
void sg_loader_return(sg_loader *loader, sg_batch *batch);
/* The batch that comes next, where it is ready and has not failed; else NULL, without waiting. */
const sg_batch *sg_loader_peek(sg_loader *loader);
/* Seconds that sg_loader_next has waited so far. */
double sg_loader_waited(const sg_loader *loader);
void sg_loader_close(sg_loader *loader); /* stops the threads; NULL is fine */

#endif
