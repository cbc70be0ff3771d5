/*
 * One rank's work on a scene: reader threads fetch and normalise tiles ahead, the network
 * classifies them, the cores are stitched into chunks and handed to the writer. The network is a
 * callback: tiles knows nothing of nn. [local]
 */
#ifndef SG_TILES_PIPELINE_H
#define SG_TILES_PIPELINE_H

#include "data/cutline.h"
#include "data/source.h"
#include "data/stats.h"
#include "tiles/crf.h"
#include "tiles/grid.h"

/* Stands in probabilities where the scene has no data. */
#define SG_NO_PROBABILITY (-1.0f)

enum { SG_IN_FLIGHT_MOST = 2 };

/*
 * Begin to classify n tiles, at most a batch; they stay as they are until the results are taken.
 * image [n]: plain numbers, normalised (sg_raw_is_plain), or with `raw` any. Called by the thread
 * that runs the pipeline, as the next.
 */
typedef sg_err (*sg_begin_fn)(void *user, int32_t n, const sg_raw_image *image);
/* Take the results of the tiles begun first: classes (n, tile_h, tile_w) and, when not NULL,
 * probabilities (n, tile_h, tile_w, classes), both with room for a batch. */
typedef sg_err (*sg_end_fn)(void *user, uint8_t *classes, float *probabilities);
/* Next chunk index, or a number >= sg_grid_chunks at the end. Called by a reader thread, one at a
 * time, ahead of the work. */
typedef sg_err (*sg_next_fn)(void *user, int64_t *chunk);
/*
 * A finished chunk: core (scene coordinates); classes (h, w): class index, SG_NO_CLASS where the
 * scene has no data; probabilities (h, w, class_count), SG_NO_PROBABILITY there, or NULL. Called by
 * the writer thread, so that the network does not wait for it.
 */
typedef sg_err (*sg_chunk_fn)(void *user, sg_window core, const uint8_t *classes,
                              const float *probabilities);

/* Seconds are those of the thread that runs the network, but write_s. */
typedef struct {
    int64_t computed, written;         /* pixels */
    int64_t batches;                   /* begun by the network */
    int64_t chunks, empty;             /* finished; those of them in which no pixel has a class */
    int64_t unread;                    /* tiles that needed not even be read */
    double network_s, wait_s, stall_s; /* in the network, waiting for readers, for the writer */
    double write_s;                    /* in the writer, beside it */
    double wall_s;                     /* in all */
} sg_pipeline_report;

/* This rank's work so far, told by the writer thread after each chunk. */
typedef void (*sg_progress_fn)(void *user, const sg_pipeline_report *work);

typedef struct {
    const char *path;
    struct sg_tile_store *store; /* what the scene is read from, as its number `scene`; or NULL */
    size_t scene;
    const sg_spec *spec;      /* bands and classes */
    const double *mean, *std; /* [bands], to be applied */
    const sg_grid *grid;
    sg_cutline *cutline;        /* pixels outside are not asked for; or NULL */
    int32_t batch;              /* tiles per network call */
    int32_t readers;            /* threads, at least 1 */
    int32_t want_probabilities; /* 1 in blend mode and with a CRF */
    sg_crf_options crf;         /* iterations 0: none; else the grid has its frames */
    int32_t crf_workers;        /* threads that compute it, beside the network */
    int32_t raw;                /* 1: tiles may come as they were read; not with a CRF */
    int32_t in_flight;          /* batches that may be begun and not yet taken, 1 or 2 */
    sg_begin_fn begin;
    sg_end_fn end;
    sg_next_fn next;
    sg_chunk_fn chunk;
    sg_progress_fn progress; /* may be NULL */
    void *user;              /* for all callbacks */
} sg_pipeline_options;

/*
 * Memory: one batch of tiles being read, in_flight being classified, two chunks being stitched and
 * written; with a CRF, chunks are as large as their reach and hold the bands, too, and there is
 * room for its results and, for each worker, for a window.
 * On any failure the threads are stopped and the first error is returned.
 */
sg_err sg_pipeline_run(const sg_pipeline_options *options, sg_pipeline_report *report);

#endif
