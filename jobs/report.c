/* segtiles report: a training run on one page. */
#include "jobs/report.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/size.h"
#include "jobs/options.h"
#include "jobs/report_pictures.h"
#include "jobs/survey.h"
#include "jobs/tile_facts.h"

enum { TILES = 8 };
static const size_t PICTURES_MOST = 2200000; /* bytes of a kind's figures: pages stay below 5 MB */

static sg_err parse_arguments(sg_comm *comm, int argc, char **argv, sg_report_options *options,
                              bool *help)
{
    const sg_option table[] = {
        {'o', "out", SG_OPTION_TEXT, &options->out, "FILE", NULL, 0, 0,
         "the page (RUN/report.html)"},
        {0, "split", SG_OPTION_TEXT, &options->split, "NAME", NULL, 0, 0,
         "scenes that the network is tried on: train, val or test (val; train where there are "
         "none)"},
        {0, "tiles", SG_OPTION_INT, &options->tiles, "N", NULL, 0, SG_TILES_MOST,
         "how many tiles by chance, and how many of the worst, are shown (8)"},
        {'b', "bands", SG_OPTION_TEXT, &options->bands, "R,G,B", NULL, 0, 0,
         "bands that tiles are shown in, of those the network reads (its first three)"},
        {0, "curves", SG_OPTION_FLAG, &options->curves, NULL, NULL, 0, 0,
         "only what the run has written so far: no scene is read, no network run"},
        SG_DEVICE_OPTION_ROWS(&options->device),
        {0}};
    const sg_usage usage = {
        .synopsis = "report [options] RUN [key=value ...]",
        .about = "Writes one page (HTML, with all pictures in it) about a run folder of train: "
                 "curves, confusion\nmatrix, scores and share of each class, tiles by chance and "
                 "the worst ones, calibration, speed,\njob and network. key=value sets a key of "
                 "the run's job, such as data.root.",
        .least = 1,
        .most = -1,
        .missing = "a run folder",
        .option = table,
        .more = "The run may still be going on. The page's name goes to standard output."};
    sg_arguments arguments;
    sg_err err = sg_options_parse(&usage, comm, argc, argv, &arguments);
    *help = arguments.help;
    options->item = arguments.item;
    options->count = arguments.count;
    for (int i = 1; err == SG_OK && !arguments.help && i < arguments.count; i++)
        if (strchr(arguments.item[i], '=') == NULL)
            err = sg_fail(SG_EUSAGE, "\"%s\" is no key=value; one run folder makes one page",
                          arguments.item[i]);
    return err;
}

static void close_report(sg_report *report)
{
    for (int kind = 0; kind < SG_TILE_KINDS; kind++)
        sg_text_clear(&report->figures[kind]);
    sg_tile_book_close(&report->book);
    sg_confusion_close(&report->evaluation.confusion);
    sg_series_clear(&report->series);
    sg_checkpoint_close(&report->checkpoint);
    sg_tile_store_close(report->store);
    sg_job_clear(&report->job);
    sg_free(report->job_text);
}

static sg_err load_job(sg_report *report)
{
    const sg_report_options *options = report->options;
    char path[SG_PATH_MAX];
    sg_err err = sg_path_format(report->folder, "%s", options->item[0]);
    for (size_t n = strlen(report->folder); n > 1 && report->folder[n - 1] == '/'; n--)
        report->folder[n - 1] = '\0';
    if (err == SG_OK && !sg_is_folder(report->folder))
        err = sg_fail(SG_EINPUT,
                      "%s is no folder; report wants a run folder of train, as "
                      "runs/NAME-1",
                      report->folder);
    if (err == SG_OK)
        err = sg_path_format(path, "%s/job.yaml", report->folder);
    if (err == SG_OK && !sg_file_exists(path))
        err = sg_fail(SG_EINPUT, "%s holds no job.yaml; report wants a run folder of train",
                      report->folder);
    if (err == SG_OK)
        err = sg_file_read_text(path, &report->job_text);
    const sg_yaml_source source = {path, report->job_text, (const char *const *)(options->item + 1),
                                   (size_t)(options->count - 1)};
    if (err == SG_OK)
        err = sg_job_load(&report->job, &source);
    return err == SG_OK ? sg_job_classes(&report->job, &report->classes) : err;
}

static sg_err find_checkpoint(sg_report *report)
{
    static const char *const name[] = {"best.h5", "last.h5"};
    for (int i = 0; i < 2; i++) {
        sg_err err = sg_path_format(report->model, "%s/%s", report->folder, name[i]);
        if (err != SG_OK || sg_file_exists(report->model))
            return err;
    }
    report->model[0] = '\0';
    return report->options->curves
               ? SG_OK
               : sg_fail(SG_EINPUT,
                         "%s holds no best.h5 and no last.h5 yet; --curves makes a page "
                         "without the network",
                         report->folder);
}

static sg_err load(sg_report *report)
{
    char path[SG_PATH_MAX];
    sg_err err = load_job(report);
    if (err == SG_OK)
        err = sg_path_format(path, "%s/metrics.jsonl", report->folder);
    if (err == SG_OK)
        err = sg_series_read(&report->series, path, "step");
    return err == SG_OK ? find_checkpoint(report) : err;
}

double sg_report_last(const sg_report *report, const char *name)
{
    const sg_series *series = sg_series_find(&report->series, name);
    for (size_t i = series != NULL ? series->count : 0; i > 0; i--)
        if (isfinite(series->y[i - 1]))
            return series->y[i - 1];
    return NAN;
}

/* A training that goes on replaces its checkpoints: a second name holds this one, so that all ranks
 * read the same. Where the folder takes no new names, the first one has to do. */
static void hold_checkpoint(sg_report *report, char *held)
{
    double last = sg_report_last(report, "/step");
    bool ended = report->job.train.steps > 0 && last >= (double)report->job.train.steps;
    if (report->model[0] != '\0' && !ended && sg_file_temporary(report->model, held) == SG_OK &&
        link(report->model, held) == 0)
        return;
    memcpy(held, report->model, SG_PATH_MAX);
}

static void release_checkpoint(const sg_report *report, const char *held)
{
    if (strcmp(report->model, held) != 0)
        unlink(held);
}

/* Which of the network's bands are shown. */
static sg_err choose_bands(sg_report *report)
{
    const sg_spec *spec = &report->checkpoint.spec;
    int number[3];
    char end;
    for (int i = 0; i < 3; i++)
        report->book.band[i] = spec->bands >= 3 ? i : 0;
    if (report->options->bands == NULL)
        return SG_OK;
    if (sscanf(report->options->bands, "%d,%d,%d%c", &number[0], &number[1], &number[2], &end) != 3)
        return sg_fail(SG_EUSAGE, "--bands %s: expected three numbers, like 4,3,2",
                       report->options->bands);
    for (int i = 0; i < 3; i++) {
        int32_t at = 0;
        while (at < spec->bands && spec->band[at] != number[i])
            at++;
        if (at == spec->bands)
            return sg_fail(SG_EUSAGE, "--bands %s: the network of %s does not read band %d",
                           report->options->bands, report->model, number[i]);
        report->book.band[i] = at;
    }
    return SG_OK;
}

/* Has the job scenes of the split, or blocks for it? */
static sg_err find_splits(const sg_job *job, unsigned *splits)
{
    sg_job_scenes scenes = {0};
    sg_err err = sg_job_list_scenes(job, &scenes);
    for (size_t i = 0; err == SG_OK && i < scenes.count; i++)
        *splits |= 1u << scenes.item[i].split;
    sg_job_scenes_clear(&scenes);
    if (job->data.blocks.val > 0)
        *splits |= 1u << SG_SPLIT_VAL;
    if (job->data.blocks.test > 0)
        *splits |= 1u << SG_SPLIT_TEST;
    return err;
}

/* Has the store regions of the split? */
static sg_err find_stored_splits(const sg_report *report, unsigned *splits)
{
    const unsigned all = (1u << SG_SPLITS) - 1;
    sg_survey survey = {0};
    sg_err err = sg_tile_facts_survey(report->store, &report->job, all, &survey);
    for (size_t i = 0; err == SG_OK && i < survey.regions.count; i++)
        *splits |= 1u << survey.regions.item[i].split;
    sg_survey_close(&survey);
    return err;
}

static sg_err choose_split(sg_report *report)
{
    const char *wanted = report->options->split;
    sg_err err = report->store != NULL ? find_stored_splits(report, &report->splits)
                                       : find_splits(&report->job, &report->splits);
    if (err != SG_OK)
        return err;
    report->split = SG_SPLIT_VAL;
    report->substituted = wanted == NULL && !(report->splits >> SG_SPLIT_VAL & 1);
    if (report->substituted)
        report->split = SG_SPLIT_TRAIN;
    for (int i = 0; wanted != NULL && i < SG_SPLITS; i++)
        if (strcmp(wanted, sg_split_name(i)) == 0)
            report->split = i;
    if (wanted != NULL && strcmp(wanted, sg_split_name(report->split)) != 0)
        return sg_fail(SG_EUSAGE, "--split %s: expected one of: train val test", wanted);
    return SG_OK;
}

static sg_err prepare(sg_report *report, const char *held)
{
    sg_err err = sg_tile_facts_open(&report->store, &report->job);
    if (err == SG_OK)
        err = choose_split(report);
    if (err == SG_OK)
        err = sg_checkpoint_load(&report->checkpoint, held, false);
    if (err == SG_OK)
        err = choose_bands(report);
    report->book.wanted = report->options->tiles;
    report->book.classes = report->classes.count;
    report->book.store = report->store;
    return err == SG_OK ? sg_tile_book_open(&report->book) : err;
}

/* Labels of every split. [collective] */
static sg_err count_labels(sg_report *report, sg_comm *comm)
{
    sg_survey survey;
    sg_spec spec = report->checkpoint.spec;
    spec.classes = report->classes;
    sg_err err = report->store != NULL
                     ? sg_comm_agree(comm, sg_tile_facts_survey(report->store, &report->job,
                                                                report->splits, &survey))
                     : sg_survey_open(&survey, comm, &report->job, report->splits, &spec);
    if (err == SG_OK)
        err = sg_survey_classes(&survey, comm, &spec, &report->job.data.label);
    memcpy(report->pixels, survey.pixels, sizeof report->pixels);
    memcpy(report->unlabelled, survey.unlabelled, sizeof report->unlabelled);
    sg_survey_close(&survey);
    return err;
}

static sg_err see_chunk(void *user, const sg_compared *chunk)
{
    sg_report *report = user;
    sg_calibration_see(&report->calibration, chunk);
    return sg_tile_book_see(&report->book, chunk);
}

/* Run the network over the split's scenes. [collective] */
static sg_err evaluate(sg_report *report, sg_comm *comm, const char *held)
{
    const sg_report_options *options = report->options;
    char path[SG_PATH_MAX], **item = NULL;
    sg_err err = sg_path_format(path, "%s/job.yaml", report->folder);
    if (err == SG_OK)
        err = sg_malloc((size_t)options->count, sizeof *item, &item);
    err = sg_comm_agree(comm, err);
    if (err != SG_OK)
        goto done;
    memcpy(item, options->item, (size_t)options->count * sizeof *item);
    item[0] = path;
    const sg_evaluate_options wish = {.model = held,
                                      .split = sg_split_name(report->split),
                                      .ignore = -1,
                                      .device = options->device,
                                      .seen = see_chunk,
                                      .user = report,
                                      .count = options->count,
                                      .item = item};
    err = sg_evaluate_job(&wish, comm, &report->evaluation);
    if (err == SG_OK)
        sg_calibration_sum(&report->calibration, comm);
    report->tiles_seen = report->book.seen;
    if (err == SG_OK)
        sg_comm_sum_i64(comm, &report->tiles_seen, 1);
done:
    sg_free(item);
    return err;
}

/* What scenes and network tell. [collective] */
static sg_err gather(sg_report *report, sg_comm *comm, const char *held)
{
    sg_err err = sg_comm_agree(comm, prepare(report, held));
    if (err == SG_OK)
        err = count_labels(report, comm);
    if (err == SG_OK)
        err = evaluate(report, comm, held);
    for (int kind = 0; err == SG_OK && kind < SG_TILE_KINDS; kind++)
        err = sg_report_add_tiles(&report->book, comm, kind, PICTURES_MOST, &report->figures[kind],
                                  &report->shown[kind]);
    return err;
}

static sg_err page_path(const sg_report *report, char *path)
{
    return report->options->out != NULL ? sg_path_format(path, "%s", report->options->out)
                                        : sg_path_format(path, "%s/report.html", report->folder);
}

/* Can the page be written? Asked before the work, not behind it. */
static sg_err check_page(const sg_report *report)
{
    char path[SG_PATH_MAX], folder[SG_PATH_MAX];
    sg_err err = page_path(report, path);
    int length = (int)(sg_path_base(path) - path);
    if (err == SG_OK)
        err = sg_path_format(folder, "%.*s", length > 0 ? length : 1, length > 0 ? path : ".");
    if (err == SG_OK && (access(folder, W_OK | X_OK) != 0 || !sg_is_folder(folder)))
        err = sg_fail(SG_EOUTPUT, "%s cannot be written: %s", path, strerror(errno));
    if (err == SG_OK && sg_is_folder(path))
        err = sg_fail(SG_EOUTPUT, "%s is a folder; --out names a file", path);
    return err;
}

static sg_err write_page(const sg_report *report)
{
    char path[SG_PATH_MAX];
    sg_text html = {0};
    sg_err err = page_path(report, path);
    if (err == SG_OK)
        err = sg_report_page(report, &html);
    if (err == SG_OK)
        err = sg_file_write_text(path, html.data);
    if (err == SG_OK) {
        sg_verbose("%s: %.2f MB", path, 1e-6 * (double)html.length);
        printf("%s\n", path);
        if (fflush(stdout) != 0)
            err = sg_fail(SG_EOUTPUT, "standard output cannot be written");
    }
    sg_text_clear(&html);
    return err;
}

sg_err sg_command_report(sg_comm *comm, int argc, char **argv)
{
    sg_report_options options = {.tiles = TILES, .device = {.device = "auto", .precision = "auto"}};
    sg_report report = {.options = &options};
    char held[SG_PATH_MAX] = "";
    bool help = false, first = sg_comm_rank(comm) == 0;
    sg_err err = sg_comm_agree(comm, parse_arguments(comm, argc, argv, &options, &help));
    if (err != SG_OK || help)
        return err;
    err = load(&report);
    if (err == SG_OK && first)
        err = check_page(&report);
    err = sg_comm_agree(comm, err);
    if (err == SG_OK && !options.curves) {
        if (first)
            hold_checkpoint(&report, held);
        sg_comm_broadcast(comm, held, sizeof held, 0);
        err = gather(&report, comm, held);
        if (first)
            release_checkpoint(&report, held);
    } else if (err == SG_OK && report.model[0] != '\0') {
        err = sg_comm_agree(comm, sg_checkpoint_load(&report.checkpoint, report.model, false));
    }
    if (err == SG_OK)
        err = sg_comm_agree(comm, first ? write_page(&report) : SG_OK);
    close_report(&report);
    return err;
}
