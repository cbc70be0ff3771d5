/*
 * segtiles predict, between its files: predict.c reads the command line; predict_where.c,
 * predict_inputs.c, predict_area.c and predict_mosaic.c say which pixels are mapped,
 * predict_names.c what the outputs are called; predict_check.c whether a scene suits the network,
 * predict_crf.c reads what is told of the CRF, predict_stats.c measures, predict_plan.c decides on
 * tiles, predict_memory.c on what they take; predict_scene.c maps one scene, predict_output.c
 * writes the files, predict_journal.c says what they are made of, predict_progress.c how it goes,
 * and predict_products.c makes polygons and areas of the finished mask.
 */
#ifndef SG_JOBS_PREDICT_H
#define SG_JOBS_PREDICT_H

#include "jobs/network.h"
#include "jobs/predict_area.h"
#include "tiles/format.h"
#include "tiles/grid.h"
#include "tiles/pipeline.h"

enum { SG_BATCH_LARGEST = -1, SG_BATCH_MOST = 4096 }; /* --batch auto: the largest that fits */
enum { SG_OVERLAP_AUTO = -1 };                        /* a quarter of the tile */

typedef struct {
    const char *model, *out;
    const char *probabilities, *confidence; /* file; "" its usual name; NULL not wanted */
    const char *polygons, *areas;           /* as well */
    char confidence_kind[8];                /* "max" or "margin" */
    char probabilities_type[8];             /* "float" or "byte" */
    int32_t sieve;                          /* pixels; 0: no sieve */
    char connectedness[8];                  /* of patches: "8", else 4 */
    int64_t tile, chunk;                    /* pixels; 0: choose */
    char mode[8];                           /* "exact", "blend"; else whichever is possible */
    int64_t overlap;                        /* of blended tiles, pixels; SG_OVERLAP_AUTO */
    int32_t batch, readers;                 /* 0: choose; batch also SG_BATCH_LARGEST */
    const char *max_mem;                    /* as typed, or NULL */
    int32_t force, resample, restart;
    sg_format format;     /* of the outputs */
    int32_t augment;      /* classify every tile in its eight turns, see tiles/augment.h */
    sg_crf_options crf;   /* iterations 0: none */
    sg_area_options area; /* what of each scene is mapped */
    sg_device_options device;
    int32_t json;       /* progress and summary for machines, on standard output */
    volatile int *stop; /* set by a signal: finish the chunks that are begun; or NULL */
} sg_predict_options;

enum { SG_OUTPUTS = 3 };
typedef enum { SG_OUT_MASK, SG_OUT_PROBABILITIES, SG_OUT_CONFIDENCE } sg_output;

typedef struct {
    const char *scene;                              /* as GDAL opens it */
    char output[SG_OUTPUTS][SG_PATH_MAX];           /* "" where not wanted */
    char polygons[SG_PATH_MAX], areas[SG_PATH_MAX]; /* "" where not wanted */
    bool confidence_aside; /* it was not asked for, and goes when the polygons are made */
} sg_predict_names;

typedef struct {
    sg_grid grid;
    int32_t batch, readers;
    double cache;    /* GDAL's, bytes */
    int32_t augment; /* as in the options, and the next */
    sg_crf_options crf;
    int32_t crf_workers; /* threads, each with a window of the CRF */
    uint64_t cutline;    /* its identity; 0: none */
} sg_predict_plan;

/* What a plan is made for. */
typedef struct {
    int64_t width, height;    /* of the scene, pixels */
    sg_window part;           /* of it that is mapped */
    int64_t chunk_w, chunk_h; /* of an unfinished prediction that is gone on with; 0: none */
    int want_probabilities;
    int wanted[SG_OUTPUTS];
    int64_t source_rows; /* of a block of the scene */
    double source_block; /* bytes that a handle may hold of it, all bands */
} sg_predict_size;

/* "alpha=20,iterations=3", "" for what is usual, or NULL for none, into crf. SG_EUSAGE. [local] */
sg_err sg_predict_crf_parse(const char *text, sg_crf_options *crf);
/* Where there is one: its options, and the windows that it is worked in. [local] */
sg_err sg_predict_crf_tell(const sg_crf_options *crf, const char *before, const char *after,
                           sg_text *text);
/* For the end of the help. */
#define SG_CRF_HELP                                                                                \
    "--crf draws pixels together that are near and alike (all bands count): w1 exp(-d^2 / 2 "      \
    "alpha^2 -\n"                                                                                  \
    "    c^2 / 2 beta^2) + w2 exp(-d^2 / 2 gamma^2), d in pixels, c in the network's units "       \
    "(deviations of a\n    band, unless it was trained with normalize: none); iterations: of "     \
    "mean field\n"

/* Are tiles blended: as asked for, or because the network looks at its whole input? [local] */
bool sg_predict_blends(const sg_predict_options *options, const sg_network *network);
/* Is there such a way for this network? SG_EUSAGE, SG_EUNSUPPORTED. [local] */
sg_err sg_predict_check_mode(const sg_predict_options *options, const sg_network *network);

/* Choose tiles, chunks and batch within memory; the same on all ranks. [collective] */
sg_err sg_predict_choose(const sg_predict_options *options, const sg_network *network,
                         sg_comm *comm, const sg_predict_size *size, sg_predict_plan *plan);

/* What normalises the scene at path: mean and std, [bands]. [collective] */
sg_err sg_predict_normalisation(const sg_spec *spec, sg_comm *comm, const char *path, double *mean,
                                double *std);

/* What a prediction is made of, so that another run can go on with it: see tiles/parts.h. Tiles are
 * part of it only where results depend on them. [local] */
sg_err sg_predict_journal(const sg_network *network, const char *scene, const sg_raster_info *info,
                          const sg_predict_plan *plan, const sg_format *format, sg_text *journal);
/* The chunks of the unfinished prediction of an output, into size; 0 when there is none. [local] */
void sg_predict_resumed(const char *output, sg_predict_size *size);

/* Does the scene suit the network? SG_EINPUT names all that does not. [local] */
sg_err sg_predict_check(const sg_predict_options *options, const sg_network *network,
                        const char *scene);
/* Is its ground sampling distance another than the model's? [local] */
bool sg_predict_other_gsd(const sg_raster_info *info, const sg_spec *spec);

/* How one scene was mapped, as this rank saw it. */
typedef struct {
    sg_predict_plan plan;
    sg_pipeline_report work;
    double seconds; /* from opening the scene to the masks in place */
} sg_predict_report;

/* Map one scene, which has been checked. [collective] */
sg_err sg_predict_scene(const sg_predict_options *options, const sg_network *network, sg_comm *comm,
                        const sg_predict_names *names, sg_predict_report *report);

/* Do pixels that touch with a corner belong together? [local] */
bool sg_predict_corners(const sg_predict_options *options);
/* "512M", "2G", "1.5GB" to bytes. SG_EUSAGE. [local] */
sg_err sg_bytes_parse(const char *text, double *bytes);

#endif
