/*
 * segtiles report, between its files: report.c reads the command line and gathers what is known of
 * a run, report_page.c puts the page together; report_curves.c, report_scores.c and
 * report_network.c are its pieces, report_chart.c draws lines, report_table.c makes tables,
 * report_tiles.c chooses tiles, report_pictures.c draws them, report_calibration.c counts
 * probabilities.
 *
 * The page is one file that needs no network and no script. It does not depend on ranks, nor on
 * when it was made.
 */
#ifndef SG_JOBS_REPORT_H
#define SG_JOBS_REPORT_H

#include "data/series.h"
#include "data/tile_store.h"
#include "jobs/job.h"
#include "jobs/report_calibration.h"
#include "jobs/report_tiles.h"
#include "train/checkpoint.h"

typedef struct {
    const char *out, *split, *bands; /* NULL: chosen */
    int32_t tiles;
    int32_t curves; /* 1: only what needs neither scenes nor network */
    sg_device_options device;
    char **item; /* RUN key=value ... */
    int count;
} sg_report_options;

typedef struct {
    const sg_report_options *options;
    char folder[SG_PATH_MAX], model[SG_PATH_MAX]; /* model "": there is no checkpoint */
    char *job_text;                               /* of job.yaml; owned, as all below */
    sg_job job;
    sg_tile_store *store; /* of the job, or NULL */
    sg_class_table classes;
    sg_checkpoint checkpoint;
    sg_series_set series;
    sg_split split;   /* which scenes the numbers are of */
    bool substituted; /* there are no validation scenes: they are of training scenes */
    unsigned splits;  /* bit i: the job has scenes of split i */
    int64_t pixels[SG_SPLITS][SG_CLASSES_MAX], unlabelled[SG_SPLITS];
    sg_evaluation evaluation;
    sg_calibration calibration;
    sg_tile_book book;
    int64_t tiles_seen;             /* over all ranks */
    sg_text figures[SG_TILE_KINDS]; /* of tiles */
    int32_t shown[SG_TILE_KINDS];
} sg_report;

/* The whole page. [local] */
sg_err sg_report_page(const sg_report *report, sg_text *html);

/* Its pieces. [local] */
sg_err sg_report_add_curves(const sg_report *report, sg_text *html);
sg_err sg_report_add_speed(const sg_report *report, sg_text *html);
sg_err sg_report_add_classes(const sg_report *report, sg_text *html);   /* IoU and others */
sg_err sg_report_add_confusion(const sg_report *report, sg_text *html); /* the matrix */
sg_err sg_report_add_balance(const sg_report *report, sg_text *html);
sg_err sg_report_add_calibration(const sg_report *report, sg_text *html);
sg_err sg_report_add_network(const sg_report *report, sg_text *html);

/* The last number of a series, NaN when there is none. */
double sg_report_last(const sg_report *report, const char *name);

#endif
