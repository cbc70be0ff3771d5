/*
 * What a job's scenes are, found out by all ranks together before anything is computed: that every
 * one can be opened and fits, how large they are, band statistics, class frequencies, regions. The
 * work is shared out by blocks and the results are the same for any number of ranks.
 */
#ifndef SG_JOBS_SURVEY_H
#define SG_JOBS_SURVEY_H

#include "comm/comm.h"
#include "jobs/job.h"

typedef struct {
    int64_t width, height; /* pixels */
    int32_t bands;         /* data bands of the file */
    double gsd;            /* metres per pixel, 0 unknown */
} sg_scene_size;

typedef struct {
    size_t count;        /* scenes */
    sg_scene *scene;     /* [count], owned; mean and std after sg_survey_statistics */
    sg_split *split;     /* [count], owned */
    sg_scene_size *size; /* [count], owned */
    sg_moments *moments; /* (count, bands), owned; NULL: not measured, or only for a while */
    struct sg_tile_store *store; /* borrowed: what scenes are read from; NULL: their files */
    sg_regions regions;          /* of all splits, owned */
    sg_regions unfocused; /* as they were before sg_survey_focus, empty when it left them; owned */
    sg_places places;     /* of classes that crops are taken around, owned */
    int64_t pixels[SG_SPLITS][SG_CLASSES_MAX]; /* labelled pixels per class, sg_survey_classes */
    int64_t unlabelled[SG_SPLITS];
} sg_survey;

/*
 * Open every scene of the splits (bit i of `splits` stands for split i) with its labels, on some
 * rank; check bands and overlap; make the regions. spec: classes are set by the caller; bands are
 * set from the job when spec->bands is 0, else checked; gsd is set when it was 0. SG_EINPUT,
 * SG_EUSAGE naming the file. [collective]
 */
sg_err sg_survey_open(sg_survey *survey, sg_comm *comm, const sg_job *job, unsigned splits,
                      sg_spec *spec);
void sg_survey_close(sg_survey *survey);

/* Warn where pixels of scenes are not as large as the spec's; those of the first training scene
 * become the spec's where it has none. [local] */
void sg_survey_note_gsd(const sg_survey *survey, sg_spec *spec);

/* How its scenes are read. Borrows all. [local] */
sg_scenes sg_survey_as_scenes(const sg_survey *survey, const sg_spec *spec,
                              const sg_label_options *label);
/* Drop the regions of other splits than these; SG_EUSAGE where nothing is left that is needed.
 * [local] */
sg_err sg_survey_keep_splits(sg_survey *survey, const sg_job *job, unsigned splits);

/* The moments of all scenes, to be kept. [collective] */
enum { SG_MOMENT_VALUES = 5 }; /* numbers that a sg_moments is */
sg_err sg_survey_measure(sg_survey *survey, sg_comm *comm, const sg_spec *spec);

/* Band statistics: into spec (over all training scenes) when measure, and into every scene what is
 * to be applied to it. Moments that are there are used. [collective] */
sg_err sg_survey_statistics(sg_survey *survey, sg_comm *comm, sg_spec *spec, bool measure);

/* Count labelled pixels per class and split. SG_EINPUT when training has none. [collective] */
sg_err sg_survey_classes(sg_survey *survey, sg_comm *comm, const sg_spec *spec,
                         const sg_label_options *label);

/* Where labels are sparse (or train.crops says so), let training regions be windows around labels.
 * After sg_survey_classes. [collective] */
sg_err sg_survey_focus(sg_survey *survey, sg_comm *comm, const sg_spec *spec, const sg_job *job);

/* Copy all scenes to a folder of each node, once a node, and go on with the copies: their paths
 * replace the scenes'. scenes: how the scenes are read. [collective] */
sg_err sg_survey_stage(sg_survey *survey, sg_comm *comm, const char *folder,
                       const sg_scenes *scenes);

/* The regions before any focus: what crops may show. Borrowed. [local] */
const sg_regions *sg_survey_whole(const sg_survey *survey);

/* The job's rules for crops, with places in the training regions before any focus where they are
 * needed; these stay the survey's. After sg_survey_classes. [collective] */
sg_err sg_survey_crops(sg_survey *survey, sg_comm *comm, const sg_spec *spec, const sg_job *job,
                       sg_crop_rules *rules);

/* Crops of an epoch: as many as cover the training regions once, or the tiles of their grid.
 * [local] */
sg_err sg_survey_epoch(const sg_survey *survey, const sg_job *job, double *crops);

/* Pixels of all regions of a split. [local] */
int64_t sg_survey_pixels(const sg_survey *survey, sg_split split);
size_t sg_survey_scenes(const sg_survey *survey, sg_split split);

#endif
