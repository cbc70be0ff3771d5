/*
 * segtiles evaluate, between its files: evaluate.c reads the command line and shows the result,
 * evaluate_mask.c compares a mask with labels, evaluate_job.c a network with a job's labels.
 */
#ifndef SG_JOBS_EVALUATE_H
#define SG_JOBS_EVALUATE_H

#include "data/label.h"
#include "jobs/command.h"
#include "tiles/split.h"
#include "train/metrics.h"

typedef struct {
    const char *model, *split, *classes, *map;
    const char *layer, *attribute;
    int32_t ignore, all_touched, json;
    int32_t augment; /* as in sg_predict_options; a job only */
    sg_device_options device;
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
