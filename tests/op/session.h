/*
 * A network in training on one backend, from seeded weights: what several checks of
 * whole networks share. Independent of the test framework. [local]
 */
#ifndef SG_TEST_OP_SESSION_H
#define SG_TEST_OP_SESSION_H

#include "model/model.h"
#include "nn/exec.h"
#include "nn/update_pieces.h"

typedef struct {
    const sg_model_options *model;
    sg_shape input;
    sg_dtype type;
    float rate;
    bool sgd;       /* with momentum, in place of AdamW */
    double shake;   /* weights begin so much, relative, away from where they would; 0: not */
    bool recompute; /* values are dropped and computed again */
} op_session_options;

/* All owned but the backend. */
typedef struct {
    sg_backend *backend;
    sg_graph *plain, *with_loss, *fused;
    sg_params *params;
    sg_weights *weights;
    sg_exec *exec;
    sg_update_pieces pieces;
    float rate;
    bool sgd;
    size_t pixels;
} op_session;

/* Close it also after a failure. */
sg_err op_session_open(op_session *session, sg_backend *backend, const op_session_options *options);
void op_session_close(op_session *session);

/* Step `number`, from 0, on f32 NHWC values; *loss is the mean over valid pixels. */
sg_err op_session_step(op_session *session, const float *input, const uint8_t *labels,
                       int32_t number, double *loss);

/* A made batch: input in [-1, 1] (h, w are the batch's), labels that follow from it, some to
 * ignore. Arrays are the caller's: [n*h*w*c] and [n*h*w]. */
void op_make_batch(sg_shape shape, int32_t classes, float *input, uint8_t *labels);

#endif
