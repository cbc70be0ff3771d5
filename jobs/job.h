/*
 * Job files: what a training is to do. YAML with a schema (base/yaml.h); docs/job.md lists every
 * key. All [local]: every rank reads the file itself.
 *
 * Paths in a job file are relative to the current folder, those of scenes to data.root where it is
 * given; $NAME, ${NAME}, ${NAME:-else} and a leading ~ are expanded.
 */
#ifndef SG_JOBS_JOB_H
#define SG_JOBS_JOB_H

#include "base/file.h"
#include "base/yaml.h"
#include "data/loader.h"
#include "jobs/command.h"
#include "model/model.h"
#include "tiles/split.h"
#include "train/init.h"
#include "train/loop.h"

enum { SG_JOB_NAME_MAX = 64 };

/* data.scenes: one scene by name. */
typedef struct {
    char image[SG_PATH_MAX], label[SG_PATH_MAX];
    sg_split split;
} sg_job_scene;

/* data.train, data.val, data.test: patterns of images, and where their labels are: a folder (same
 * file names), a name with {stem} in it, or one file for all. */
typedef struct {
    sg_yaml_strings images;
    char labels[SG_PATH_MAX];
} sg_job_files;

typedef struct {
    char name[SG_CLASS_NAME_MAX];
    int32_t value; /* -1: its place in the list, from 1 */
    char color[8]; /* "#rrggbb", "" for one of the palette */
} sg_job_class;

typedef struct {
    char root[SG_PATH_MAX], stage[SG_PATH_MAX]; /* stage: a folder of each node, or "" */
    char store[SG_PATH_MAX];                    /* a tile store that training reads, or "" */
    sg_yaml_maps scenes;                        /* of sg_job_scene */
    sg_job_files files[SG_SPLITS];
    struct {
        char file[SG_PATH_MAX], images[SG_PATH_MAX], labels[SG_PATH_MAX]; /* "{column}.tif" */
        char split[SG_JOB_NAME_MAX];                                      /* name of the column */
    } csv;
    double val_share; /* of training scenes that become validation scenes */
    struct {
        int64_t size, guard;
        double val, test;
    } blocks;           /* val or test above 0: training scenes are cut into blocks */
    sg_yaml_maps stack; /* of sg_layer */
    sg_yaml_ints bands;
    sg_yaml_floats nodata; /* none or one */
    sg_normalize normalize;
    sg_yaml_maps classes; /* of sg_job_class */
    sg_label_options label;
    int32_t check_overlap;
} sg_job_data;

typedef struct {
    char net[32], encoder[16];
    int32_t depth, width, output_stride, pool, up, separable;
    int32_t norm, groups, aux, padding; /* norm: sg_norm_kind; padding: 1 is valid */
    double dropout;
    sg_yaml_ints rates;     /* none or three */
    char init[SG_PATH_MAX]; /* "": random weights */
    sg_init_bands init_bands;
    sg_yaml_strings init_roles; /* none, or one per band */
} sg_job_model;

/* train.layers: the rate of the parameters whose names match. */
typedef struct {
    char match[SG_NAME_MAX]; /* a pattern of the shell: "encoder.*" */
    double rate;             /* factor on train.rate; 0: frozen */
} sg_job_rate;
/* A term of the loss. */
typedef enum {
    SG_TERM_CE,
    SG_TERM_BCE,
    SG_TERM_FOCAL,
    SG_TERM_BOUNDARY,
    SG_TERM_DICE,
    SG_TERM_JACCARD,
    SG_TERM_TVERSKY,
    SG_TERM_LOVASZ,
    SG_TERM_KINDS
} sg_term_kind;

typedef struct {
    sg_term_kind name;
    double weight;
    double smoothing;                /* ce */
    double gamma;                    /* focal */
    double peak, sigma;              /* boundary */
    char between[SG_CLASS_NAME_MAX]; /* boundary: name of a class, "" for all edges */
    double alpha, beta;              /* tversky */
    double smooth;                   /* dice, jaccard, tversky */
} sg_job_term;

/* Where training crops lie: around labels where these are sparse, around labels, anywhere, on a
 * regular grid, around each class as often. */
typedef enum {
    SG_CROPS_AUTO,
    SG_CROPS_LABELLED,
    SG_CROPS_ALL,
    SG_CROPS_GRID,
    SG_CROPS_BALANCED
} sg_job_crops;

/* What is done to crops: sg_alterations (data/alter.h) says what each means. */
typedef struct {
    int32_t turns;
    double rotate;
    sg_yaml_floats scale; /* least, most */
    double brightness, contrast, gamma, per_band, blur, noise, band_dropout, p, cut_mix, paste;
    sg_yaml_strings paste_classes; /* names; none: the rare ones */
} sg_job_augment;

enum { SG_TRAIN_BATCH_MOST = 65536 };

typedef struct {
    int32_t tile;
    int32_t batch; /* 0: as many as fit, until sg_train_batch has said how many */
    sg_job_crops crops;
    sg_yaml_pairs balance; /* class name: share of crops around its pixels */
    double mining;         /* share of crops where the network errs */
    int32_t scene_weights; /* 0: area, 1: equal */
    int64_t steps;
    double epochs;
    double rate, floor, warmup, gamma, power;
    int64_t every;
    sg_rate_kind schedule;
    sg_update_rule optimizer;
    double decay, momentum, clip, jitter, average, trust;
    int32_t rate_batch;  /* the rate is that of a batch of so many; 0: of any */
    int32_t patience;    /* validations without a better one; 0: train to the end */
    sg_yaml_maps layers; /* of sg_job_rate */
    int32_t nesterov, accumulate, recompute, loader_threads;
    char sync_norm[16]; /* true, false, node or a number: sg_job_sync_norm */
    int32_t wire;       /* of gradients: 0: f32, 1: bf16 */
    double aux_weight;
    sg_job_augment augment;
    sg_yaml_maps loss;                  /* of sg_job_term */
    sg_yaml_strings class_weights;      /* "none", "balanced", or one number per class */
    int64_t validate_every, save_every; /* steps; 0: chosen */
    double save_minutes;                /* 0: off */
    double stall;                       /* seconds; 0: off */
    int32_t stall_ends, tensorboard;
} sg_job_train;

typedef struct {
    char name[SG_JOB_NAME_MAX];
    uint64_t seed;
    char out[SG_PATH_MAX]; /* "": runs/NAME-n */
    sg_job_data data;
    sg_job_model model;
    sg_job_train train;
    sg_device_options device;
    sg_yaml *yaml; /* where things stand in the file, for later messages; owned */
} sg_job;

/*
 * Read path (or text where it is not NULL; path then only names it) with key=value overrides;
 * checks all that can be known without opening a scene. SG_EUSAGE with file and line.
 */
sg_err sg_job_load(sg_job *job, const sg_yaml_source *source);
void sg_job_clear(sg_job *job);
/* The job with all defaults written out: what goes into checkpoints. */
sg_err sg_job_write(const sg_job *job, sg_text *text);

/* How scenes are read, as far as the job tells: normalisation, nodata, classes, layers. SG_EUSAGE.
 */
sg_err sg_job_spec(const sg_job *job, sg_spec *spec);
/* data.stack into the spec's layers. SG_EUSAGE: a variable that is not set. */
sg_err sg_job_layers(const sg_job *job, sg_spec *spec);
/* The class table and the label options. */
sg_err sg_job_classes(const sg_job *job, sg_class_table *classes);
/* Weights of the loss per class: weight[classes] from pixel counts; *weights is 0 for "none". */
sg_err sg_job_class_weights(const sg_job *job, int32_t classes, const int64_t *pixels,
                            float *weight, int32_t *weights);
/* train.crops, balance, mining and scene_weights; pixels: of each class in training, or NULL where
 * these are not known yet. rules->places is left to the caller. */
sg_err sg_job_crop_rules(const sg_job *job, const int64_t *pixels, sg_crop_rules *rules);
/* What train.augment asks for beside turns. */
sg_alterations sg_job_alterations(const sg_job *job);
sg_err sg_job_check_augment(const sg_job *job);
/* The terms of the loss; their attributes have been checked. */
sg_err sg_job_loss(const sg_job *job, sg_loss *loss);
/* train.sync_norm as sg_step_options has it. */
sg_err sg_job_sync_norm(const sg_job *job, int32_t *sync_norm);
/* Steps in all, given the steps of one epoch. */
int64_t sg_job_steps(const sg_job *job, int64_t steps_per_epoch);
sg_schedule sg_job_schedule(const sg_job *job, int64_t steps);
sg_update sg_job_update(const sg_job *job);
/* Factors on the rate by parameter id, into *rate, sg_free; NULL where all are 1. SG_EUSAGE: a
 * pattern matches no parameter, or all are frozen. */
sg_err sg_job_rates(const sg_job *job, const sg_graph *graph, float **rate);
sg_model_options sg_job_model_options(const sg_job *job, int32_t bands, int32_t classes);

/* All scenes that the job names, in the order of the file, patterns in alphabetical order. */
typedef struct {
    sg_job_scene *item; /* owned */
    size_t count, capacity;
} sg_job_scenes;

/* Does the job name any? */
bool sg_job_names_scenes(const sg_job *job);
/* SG_EUSAGE: none named, a pattern matches nothing, a scene in two splits, no training scene, no
 * labels; a CSV column missing. Files are not opened. */
sg_err sg_job_list_scenes(const sg_job *job, sg_job_scenes *scenes);
void sg_job_scenes_clear(sg_job_scenes *scenes);

/* Expand $NAME, ${NAME}, ${NAME:-else} and a leading ~. SG_EUSAGE: a variable that is not set. */
sg_err sg_expand_path(const char *text, char *path);

#endif
