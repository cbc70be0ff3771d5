/*
 * Checkpoints: everything that makes a network usable and a training resumable, in one HDF5 file.
 * [local]
 */
#ifndef SG_TRAIN_CHECKPOINT_H
#define SG_TRAIN_CHECKPOINT_H

#include "data/spec.h"
#include "nn/exec.h"
#include "train/mining.h"

/* Where training stood. */
typedef struct {
    int64_t step, epoch, sample; /* steps done; epoch; samples of it done */
    int64_t ranks, batch;        /* of the run that wrote it */
    uint64_t seed;
    double best; /* best validation mIoU so far, negative: none */
    int64_t best_step;
} sg_position;

typedef struct {
    sg_graph *graph;   /* without loss, unfused; owned */
    sg_params *params; /* for graph; owned */
    sg_params *raw;    /* where params are a mean over steps: those to train on from; owned */
    int64_t averaged;  /* steps in that mean */
    sg_spec spec;
    sg_position position;
    char *job;              /* the job file's text with overrides, owned, may be NULL */
    float *m, *v;           /* optimizer state in the layout of params, owned; NULL when absent */
    sg_mining_state mining; /* where crops are taken by errors: cells 0: they are not; owned */
    double scores_miou;     /* validation mIoU when written, NaN unknown */
    char identity[17]; /* hex of a hash over graph and weights: the model's identity in masks */
} sg_checkpoint;

/* Written atomically. Parameters are stored by name. */
sg_err sg_checkpoint_save(const sg_checkpoint *checkpoint, const char *path);
/* The same; a checkpoint that is replaced stays under the name former. */
sg_err sg_checkpoint_replace(const sg_checkpoint *checkpoint, const char *path, const char *former);
/* with_optimizer: also m and v (SG_EINPUT when absent), and raw where there is one. SG_EINPUT for
 * anything damaged, naming the file. */
sg_err sg_checkpoint_load(sg_checkpoint *checkpoint, const char *path, bool with_optimizer);
/* The model's identity: 16 hex digits of a hash over the graph's text and all weights. */
sg_err sg_checkpoint_identify(const sg_graph *graph, const sg_params *params, char identity[17]);
void sg_checkpoint_close(sg_checkpoint *checkpoint); /* frees what it owns, zeroes */

#endif
