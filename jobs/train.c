/* segtiles train: from a job file to a checkpoint. */
#include "jobs/train.h"

#include "jobs/command.h"
#include "jobs/options.h"
#include "jobs/resume.h"
#include "jobs/runs.h"
#include "jobs/signals.h"
#include "jobs/tile_facts.h"
#include "base/log.h"
#include "base/size.h"
#include "base/threads.h"
#include "nn/reach.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    const char *out, *resume; /* resume: NULL no, "" the newest run of the job's name */
    const char *auto_resume;  /* NULL no, else the run folder where no other is named */
    int32_t dry_run;
    sg_device_options device; /* "" and 0: as the job says */
    const char *job_path;     /* NULL: the job in the checkpoint */
    char **overrides;
    int override_count;
} train_options;

static void close_run(sg_train_run *run)
{
    sg_backend_close(run->backend);
    sg_params_close(run->initial);
    sg_graph_close(run->graph);
    sg_free(run->rate);
    sg_tile_store_close(run->store);
    sg_survey_close(&run->survey);
    sg_checkpoint_close(&run->checkpoint);
    sg_text_clear(&run->job_text);
    sg_job_clear(&run->job);
}

static sg_err parse_arguments(sg_comm *comm, int argc, char **argv, train_options *options,
                              bool *help)
{
    const sg_option table[] = {
        {'o', "out", SG_OPTION_TEXT, &options->out, "FOLDER", NULL, 0, 0,
         "run folder (else the job's out, else runs/NAME-n)"},
        {0, "resume", SG_OPTION_MAYBE, &options->resume, "FOLDER", NULL, 0, 0,
         "go on from FOLDER/last.h5; alone: from the newest run of the job's name"},
        {0, "auto-resume", SG_OPTION_MAYBE, &options->auto_resume, "FOLDER", NULL, 0, 0,
         "go on where the run folder (--out, the job's, else FOLDER) holds a training, else begin"},
        {0, "dry-run", SG_OPTION_FLAG, &options->dry_run, NULL, NULL, 0, 0,
         "check the job, its scenes and the network, then end"},
        SG_DEVICE_OPTION_ROWS(&options->device),
        {0}};
    const sg_usage usage = {
        .synopsis = "train [options] JOB [key=value ...]",
        .about = "Trains a network by a job file. key=value sets a key of the job: "
                 "train.steps=300 data.bands=[4,3,2]",
        .most = -1,
        .option = table,
        .more =
            "Writes last.h5, best.h5, metrics.csv and metrics.jsonl into the run folder and the "
            "name\nof the checkpoint to use to standard output. SIGTERM and SIGUSR1 end it after "
            "saving, with\nstatus 75; --resume goes on."};
    sg_arguments arguments;
    sg_err err = sg_options_parse(&usage, comm, argc, argv, &arguments);
    *help = arguments.help;
    if (err != SG_OK || arguments.help)
        return err;
    bool named = arguments.count > 0 && strchr(arguments.item[0], '=') == NULL;
    if (!named && (options->resume == NULL || options->resume[0] == '\0'))
        return sg_fail(SG_EUSAGE, "a job file is missing: segtiles %s", usage.synopsis);
    options->job_path = named ? arguments.item[0] : NULL;
    options->overrides = arguments.item + named;
    options->override_count = arguments.count - named;
    for (int i = 0; i < options->override_count; i++) {
        if (strchr(options->overrides[i], '=') == NULL)
            return sg_fail(SG_EUSAGE, "\"%s\" is no key=value; only one job file is read",
                           options->overrides[i]);
    }
    return SG_OK;
}

static sg_err load_job(const train_options *options, sg_train_run *run)
{
    char *text = NULL;
    sg_yaml_source source = {options->job_path, NULL, (const char *const *)options->overrides,
                             (size_t)options->override_count};
    sg_err err = SG_OK;
    if (options->job_path == NULL) {
        err = sg_resume_job(options->resume, &text);
        source.path = options->resume;
        source.text = text;
    }
    if (err == SG_OK)
        err = sg_job_load(&run->job, &source);
    sg_free(text);
    if (err != SG_OK)
        return err;
    sg_device_options *device = &run->job.device;
    if (options->device.device[0] != '\0')
        memcpy(device->device, options->device.device, sizeof(device->device));
    if (options->device.precision[0] != '\0')
        memcpy(device->precision, options->device.precision, sizeof(device->precision));
    if (options->device.threads > 0)
        device->threads = options->device.threads;
    return sg_job_write(&run->job, &run->job_text);
}

/* Which folder this run uses: "" for one yet to be made; and whether it goes on from what is there.
 * On rank 0. */
static sg_err choose_folder(const train_options *options, sg_train_run *run)
{
    bool resume = options->resume != NULL;
    run->resumes = resume;
    const char *named = resume && options->resume[0] != '\0' ? options->resume
                        : options->out != NULL               ? options->out
                                                             : run->job.out;
    int64_t number = 0;
    if (named[0] == '\0' && !resume && options->auto_resume != NULL) {
        named = options->auto_resume;
        if (named[0] == '\0')
            return sg_fail(SG_EUSAGE,
                           "--auto-resume: name the run folder with --out or the job's out");
    }
    if (named[0] == '\0' && !resume)
        return SG_OK;
    if (named[0] == '\0') {
        sg_err err = sg_run_newest(run->job.name, run->folder, &number);
        return err != SG_OK || number > 0
                   ? err
                   : sg_fail(SG_EUSAGE, "--resume: there is no folder runs/%s-n here",
                             run->job.name);
    }
    sg_err err = sg_expand_path(named, run->folder);
    if (err == SG_OK && !resume && sg_resume_possible(run->folder)) {
        run->resumes = options->auto_resume != NULL;
        if (!run->resumes)
            err = sg_fail(SG_EUSAGE,
                          "%s holds a training already; go on with --resume or choose "
                          "another folder",
                          run->folder);
    }
    return err;
}

static bool is_resumed(const sg_train_run *run)
{
    return run->checkpoint.graph != NULL;
}

/* Are the bands those of another one, as far as they are known? */
static bool has_bands(const sg_spec *spec, const sg_spec *other)
{
    return spec->bands == 0 ||
           (spec->bands == other->bands &&
            memcmp(spec->band, other->band, (size_t)spec->bands * sizeof spec->band[0]) == 0);
}

/* Bands, classes and normalisation: of the job, or of the checkpoint where one is resumed. */
static sg_err prepare_spec(sg_train_run *run)
{
    sg_err err = sg_job_spec(&run->job, &run->spec);
    if (err == SG_OK && run->store != NULL)
        err = sg_tile_facts_adopt(run->store, &run->spec);
    if (err != SG_OK || !is_resumed(run))
        return err;
    const sg_spec *old = &run->checkpoint.spec;
    if (old->classes.count != run->spec.classes.count || old->normalize != run->spec.normalize ||
        old->has_nodata != run->spec.has_nodata || old->nodata != run->spec.nodata ||
        old->layers != run->spec.layers || !has_bands(&run->spec, old))
        return sg_yaml_fail(
            run->job.yaml, "data",
            "classes, bands, normalize, nodata or stack are not those of %s/last.h5; "
            "they cannot change when resuming",
            run->folder);
    run->spec = *old;
    return SG_OK;
}

static sg_err survey_scenes(sg_train_run *run)
{
    unsigned splits = 1u << SG_SPLIT_TRAIN | 1u << SG_SPLIT_VAL;
    sg_err err = run->store != NULL
                     ? sg_comm_agree(run->comm, sg_tile_facts_survey(run->store, &run->job, splits,
                                                                     &run->survey))
                     : sg_survey_open(&run->survey, run->comm, &run->job, splits, &run->spec);
    if (err == SG_OK)
        err = sg_survey_classes(&run->survey, run->comm, &run->spec, &run->job.data.label);
    if (err == SG_OK)
        err = sg_survey_statistics(&run->survey, run->comm, &run->spec, !is_resumed(run));
    return err;
}

static sg_err check_tile(sg_train_run *run)
{
    const sg_job_train *train = &run->job.train;
    sg_network_reach reach;
    sg_err err = sg_graph_reach(run->graph, &reach);
    if (err == SG_OK && train->tile % reach.stride != 0)
        err = sg_yaml_fail(run->job.yaml, "train.tile",
                           "%d is no multiple of the network's stride, %lld", train->tile,
                           (long long)reach.stride);
    if (err == SG_OK && train->tile <= 2 * reach.widest_margin)
        err = sg_yaml_fail(run->job.yaml, "train.tile",
                           "%d leaves nothing beside margins of %lld, where a network without "
                           "padding has no result",
                           train->tile, (long long)reach.widest_margin);
    run->margin = reach.margin;
    return err;
}

static sg_err check_batch(const sg_train_run *run)
{
    const sg_job_train *train = &run->job.train;
    int32_t parts = sg_comm_ranks(run->comm) * train->accumulate;
    if (train->batch % parts == 0) /* 0: to be chosen */
        return SG_OK;
    return sg_yaml_fail(run->job.yaml, "train.batch",
                        "%d samples cannot be shared by %d ranks in %d parts; take a multiple of "
                        "%d, or another number of ranks",
                        train->batch, sg_comm_ranks(run->comm), train->accumulate, parts);
}

/* Network, device and the numbers that depend on the data. */
static sg_err prepare_network(sg_train_run *run)
{
    sg_model_options options =
        sg_job_model_options(&run->job, run->spec.bands, run->spec.classes.count);
    sg_job_train *train = &run->job.train;
    sg_err err = sg_model_build(&options, &run->graph);
    if (is_resumed(run) && train->batch > 0)
        sg_resume_parts(run->comm, train->batch, &train->accumulate);
    if (err == SG_OK)
        err = check_tile(run);
    if (err == SG_OK)
        err = check_batch(run);
    if (err == SG_OK)
        err = sg_job_rates(&run->job, run->graph, &run->rate);
    if (err == SG_OK)
        err = sg_job_class_weights(&run->job, run->spec.classes.count,
                                   run->survey.pixels[SG_SPLIT_TRAIN], run->weight, &run->weights);
    if (err == SG_OK)
        err = sg_device_open(&run->job.device, run->comm, &run->backend, &run->type);
    if (err == SG_OK)
        err = sg_backend_covers(run->backend, run->graph, true);
    if (err == SG_OK)
        err = sg_job_loss(&run->job, &run->loss);
    return err == SG_OK ? sg_job_sync_norm(&run->job, &run->sync_norm) : err;
}

/* The batch, where it was left open, and how many of them there are. [collective] */
static sg_err prepare_steps(sg_train_run *run)
{
    sg_job_train *train = &run->job.train;
    bool open = train->batch == 0;
    double crops = 0;
    sg_err err = sg_train_batch(run);
    if (err == SG_OK && open && is_resumed(run)) {
        sg_resume_parts(run->comm, train->batch, &train->accumulate);
        err = check_batch(run);
    }
    if (err == SG_OK)
        err = sg_survey_epoch(&run->survey, &run->job, &crops);
    if (err != SG_OK)
        return err;
    run->steps_per_epoch = sg_max64(1, (int64_t)llround(crops / train->batch));
    run->steps = sg_job_steps(&run->job, run->steps_per_epoch);
    return SG_OK;
}

/* What model.init names takes the place of random weights; a resumed run has its own. */
static sg_err prepare_initial(sg_train_run *run)
{
    const sg_job_model *model = &run->job.model;
    char path[SG_PATH_MAX];
    sg_init_report report;
    if (model->init[0] == '\0' || is_resumed(run))
        return SG_OK;
    sg_err err = sg_expand_path(model->init, path);
    if (err == SG_OK)
        err = sg_params_create(run->graph, &run->initial);
    if (err == SG_OK)
        err = sg_params_init(run->graph, run->initial, run->job.seed);
    const sg_init_options options = {.path = path,
                                     .bands = model->init_bands,
                                     .role = model->init_roles.item,
                                     .roles = model->init_roles.count};
    return err == SG_OK ? sg_init_params(&options, run->graph, &run->spec, run->initial, &report)
                        : err;
}

/* Often enough to choose the best checkpoint, seldom enough to cost little. */
static int64_t validation_interval(const sg_train_run *run)
{
    if (run->job.train.validate_every > 0)
        return run->job.train.validate_every;
    return sg_max64(run->steps_per_epoch, sg_div_up(run->steps, 20));
}

static int32_t loader_threads(const sg_train_run *run)
{
    if (run->job.train.loader_threads > 0)
        return run->job.train.loader_threads;
    return (int32_t)sg_min64(4, sg_comm_threads(run->comm));
}

static sg_err run_training(sg_train_run *run)
{
    const sg_job_train *train = &run->job.train;
    sg_scenes scenes = sg_survey_as_scenes(&run->survey, &run->spec, &run->job.data.label);
    sg_err err = sg_train_stage(run, &scenes);
    if (err != SG_OK)
        return err;
    sg_training training = {
        .comm = run->comm,
        .backend = run->backend,
        .graph = run->graph,
        .spec = &run->spec,
        .scenes = &scenes,
        .regions = &run->survey.regions,
        .whole = sg_survey_whole(&run->survey),
        .crops = run->crops,
        .type = run->type,
        .tile = train->tile,
        .margin = run->margin,
        .batch = train->batch,
        .steps = run->steps,
        .steps_per_epoch = run->steps_per_epoch,
        .augment = train->augment.turns,
        .alter = sg_job_alterations(&run->job),
        .jitter = (float)train->jitter,
        .loader_threads = loader_threads(run),
        .seed = run->job.seed,
        .update = sg_job_update(&run->job),
        .average = train->average,
        .schedule = sg_job_schedule(&run->job, run->steps),
        .step = {.accumulate = train->accumulate,
                 .clip_norm = (float)train->clip,
                 .sync_norm = run->sync_norm,
                 .recompute = train->recompute,
                 .narrow = train->wire,
                 .rate = run->rate},
        .class_weight = run->weights > 0 ? run->weight : NULL,
        .loss = &run->loss,
        .validate_every = validation_interval(run),
        .patience = train->patience,
        .save_every = train->save_every,
        .save_seconds = 60 * train->save_minutes,
        .stall_seconds = train->stall,
        .stall_ends = train->stall_ends,
        .folder = run->folder,
        .tensorboard = train->tensorboard,
        .job_text = run->job_text.data,
        .resume = is_resumed(run) ? &run->checkpoint : NULL,
        .resume_is_former = run->is_former,
        .initial = run->initial,
        .stop = run->stop,
    };
    sg_training_report report;
    err = sg_train(&training, &report);
    if (err == SG_OK)
        sg_train_tell_result(run, &report);
    return err;
}

/* Where from and where to; nothing is made yet. [collective] */
static sg_err find_folder(const train_options *options, sg_train_run *run)
{
    bool first = sg_comm_rank(run->comm) == 0;
    sg_err err = sg_comm_agree(run->comm, first ? choose_folder(options, run) : SG_OK);
    if (err != SG_OK)
        return err;
    sg_comm_broadcast(run->comm, run->folder, sizeof(run->folder), 0);
    sg_comm_broadcast(run->comm, &run->resumes, sizeof(run->resumes), 0);
    if (run->resumes)
        err = sg_resume_load(run->comm, run->folder, &run->checkpoint, &run->is_former);
    if (err == SG_OK)
        err = prepare_spec(run);
    return sg_comm_agree(run->comm, err);
}

static sg_err fill_folder(sg_train_run *run)
{
    char path[SG_PATH_MAX];
    sg_err err = run->folder[0] == '\0' ? sg_run_make(run->job.name, run->folder)
                                        : sg_make_folders(run->folder);
    if (err == SG_OK)
        err = sg_path_format(path, "%s/job.yaml", run->folder);
    return err == SG_OK ? sg_file_write_text(path, run->job_text.data) : err;
}

/* Make the run folder, with the job as it is carried out. [collective] */
static sg_err make_folder(sg_train_run *run)
{
    bool first = sg_comm_rank(run->comm) == 0;
    sg_err err = sg_comm_agree(run->comm, first ? fill_folder(run) : SG_OK);
    sg_comm_broadcast(run->comm, run->folder, sizeof(run->folder), 0);
    return err;
}

/* Was one of the ranks told to stop? [collective] */
static sg_err check_stop(const sg_train_run *run)
{
    int64_t stop = *run->stop;
    sg_comm_max_i64(run->comm, &stop, 1);
    return stop ? sg_fail(SG_ESTOPPED, "stopped by a signal before the first step; run again")
                : SG_OK;
}

/* Everything that can be wrong before the first step. [collective] */
static sg_err prepare(const train_options *options, sg_train_run *run)
{
    sg_err err = sg_comm_agree(run->comm, load_job(options, run));
    if (err == SG_OK)
        err = sg_comm_agree(run->comm, sg_tile_facts_open(&run->store, &run->job));
    if (err == SG_OK)
        err = find_folder(options, run);
    if (err == SG_OK)
        err = survey_scenes(run);
    if (err != SG_OK)
        return err;
    sg_train_tell_data(run);
    err = sg_survey_crops(&run->survey, run->comm, &run->spec, &run->job, &run->crops);
    if (err == SG_OK)
        err = sg_survey_focus(&run->survey, run->comm, &run->spec, &run->job);
    if (err == SG_OK)
        err = check_stop(run);
    if (err != SG_OK)
        return err;
    err = sg_comm_agree(run->comm, prepare_network(run));
    if (err == SG_OK)
        err = sg_comm_agree(run->comm, prepare_steps(run));
    if (err == SG_OK)
        err = sg_train_tell_network(run);
    if (err == SG_OK)
        err = prepare_initial(run);
    return sg_comm_agree(run->comm, err);
}

sg_err sg_command_train(sg_comm *comm, int argc, char **argv)
{
    train_options options = {0};
    sg_train_run run = {.comm = comm};
    bool help = false;
    sg_err err = sg_comm_agree(comm, parse_arguments(comm, argc, argv, &options, &help));
    if (err != SG_OK || help)
        return err;
    run.stop = sg_signals_catch();
    err = prepare(&options, &run);
    if (err == SG_OK && options.dry_run)
        sg_info("all is in order; nothing was trained (--dry-run)");
    else if (err == SG_OK)
        err = make_folder(&run);
    if (err == SG_OK && !options.dry_run)
        err = run_training(&run);
    close_run(&run);
    return err;
}
