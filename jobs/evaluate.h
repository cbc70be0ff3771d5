/*
 * segtiles evaluate, between its files: evaluate.c reads the command line and shows the result,
 * evaluate_mask.c compares a mask with labels, evaluate_job.c a network with a job's labels.
 */
#ifndef SG_JOBS_EVALUATE_H
#define SG_JOBS_EVALUATE_H

#include "data/label.h"
#include "data/loader.h"
#include "jobs/command.h"
#include "tiles/split.h"
#include "train/metrics.h"

/* A chunk of a job's scene that was compared; what it points at is borrowed for the call. */
typedef struct {
    const sg_spec *spec; /* the network's, with the job's classes and layers */
    const sg_scene *scene;
    size_t index;                   /* of the scene among those with pixels of the split */
    sg_window core;                 /* scene coordinates */
    const uint8_t *truth, *classes; /* (h, w); truth is SG_NO_CLASS outside of the split, too */
    const float *probabilities;     /* (h, w, classes), as in sg_chunk_fn */
    size_t stored;                  /* its number in the job's tile store, where there is one */
} sg_compared;
/* Called for each chunk that this rank compares, one at a time, by a thread of its own. */
typedef sg_err (*sg_compared_fn)(void *user, const sg_compared *chunk);

typedef struct {
    const char *model, *split, *classes, *map;
    const char *layer, *attribute;
    int32_t ignore, all_touched, json;
    int32_t augment; /* as in sg_predict_options; a job only */
    const char *crf; /* as typed, NULL: none; a job only */
    sg_device_options device;
    sg_compared_fn seen; /* of a job only; NULL: nobody looks */
    void *user;
    int count;
    char **item; /* MASK TRUTH, or JOB key=value ... */
} sg_evaluate_options;

typedef struct {
    sg_class_table classes;
    sg_confusion confusion; /* summed over ranks */
    int64_t unmapped;       /* labelled pixels for which there is no prediction */
    char what[SG_PATH_MAX]; /* what was evaluated: a mask or a checkpoint */
} sg_evaluation;

/* The mask's pixels against a raster or vector layer on its grid. [collective] */
sg_err sg_evaluate_mask(const sg_evaluate_options *options, sg_comm *comm,
                        sg_evaluation *evaluation);
/* The scenes of one split of a job, mapped as predict maps them. [collective] */
sg_err sg_evaluate_job(const sg_evaluate_options *options, sg_comm *comm,
                       sg_evaluation *evaluation);

/* "1=forest,2=other" into a table. SG_EUSAGE. [local] */
sg_err sg_classes_parse(const char *text, sg_class_table *classes);

#endif
