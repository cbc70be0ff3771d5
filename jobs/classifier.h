/*
 * A network at work on the tiles of one scene, as predict and evaluate use it: what the pipeline
 * calls. With augmentation, tiles that are not square need a second executor, for the turned ones.
 * [local]
 */
#ifndef SG_JOBS_CLASSIFIER_H
#define SG_JOBS_CLASSIFIER_H

#include "jobs/predict.h"
#include "tiles/augment.h"

/* Results that are on their way. */
typedef struct {
    sg_exec *exec;
    uint64_t ticket;
} sg_classifier_pass;

typedef struct {
    sg_exec *exec, *transposed; /* transposed NULL: exec serves both */
    sg_augment *augment;        /* NULL: tiles are classified as they are */
    sg_classifier_pass pass[SG_IN_FLIGHT_MOST];
    int64_t begun, ended;      /* passes: number k in pass[k % SG_IN_FLIGHT_MOST] */
    int32_t probabilities;     /* of tiles: they are wanted */
    int32_t n;                 /* tiles that await augmentation */
    const sg_raw_image *image; /* and which, borrowed */
    int32_t raw, in_flight;    /* for sg_pipeline_options */
} sg_classifier;

/* classifier is zeroed first; it must stay where it is, and the network open, until closed. */
sg_err sg_classifier_open(sg_classifier *classifier, const sg_network *network,
                          const sg_predict_plan *plan, bool probabilities);
/* As sg_begin_fn, but image stays; and sg_end_fn. */
sg_err sg_classifier_begin(sg_classifier *classifier, int32_t n, const sg_raw_image *image);
sg_err sg_classifier_end(sg_classifier *classifier, uint8_t *classes, float *probabilities);
void sg_classifier_close(sg_classifier *classifier); /* one that was never opened is fine */

#endif
