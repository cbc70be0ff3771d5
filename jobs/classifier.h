/*
 * A network at work on the tiles of one scene, as predict and evaluate use it: what the pipeline
 * calls. With augmentation, tiles that are not square need a second executor, for the turned ones.
 * [local]
 */
#ifndef SG_JOBS_CLASSIFIER_H
#define SG_JOBS_CLASSIFIER_H

#include "jobs/predict.h"
#include "tiles/augment.h"

typedef struct {
    sg_exec *exec, *transposed; /* transposed NULL: exec serves both */
    sg_augment *augment;        /* NULL: tiles are classified as they are */
} sg_classifier;

/* classifier is zeroed first; it must stay where it is, and the network open, until closed. */
sg_err sg_classifier_open(sg_classifier *classifier, const sg_network *network,
                          const sg_predict_plan *plan);
/* As sg_network_fn. */
sg_err sg_classifier_run(sg_classifier *classifier, int32_t n, const float *pixels,
                         uint8_t *classes, float *probabilities);
void sg_classifier_close(sg_classifier *classifier); /* one that was never opened is fine */

#endif
