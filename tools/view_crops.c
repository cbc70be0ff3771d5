/*
 * view_crops: the crops that a job trains on, as they are sampled and altered, in one PNG: each
 * with its labels below, which are black where none count.
 */
#include "tools/png.h"
#include "jobs/job.h"
#include "jobs/options.h"
#include "jobs/tile_facts.h"
#include "jobs/training_crops.h"
#include "base/log.h"
#include "base/size.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { GAP = 4, ACROSS = 8, COUNT_MAX = 1024 }; /* GAP: pixels between panels */

typedef struct {
    const char *out, *bands;
    int32_t count;
    int64_t first;
    sg_arguments rest; /* the job, key=value ... */
} arguments;

typedef struct {
    const arguments *wish;
    sg_job job;
    sg_tile_store *store; /* or NULL */
    sg_training_crops crops;
    int32_t band[3];  /* as the network counts them, from 0 */
    int32_t w, h;     /* of the picture */
    uint8_t *picture; /* (h, w, 3) */
} view;

static sg_err parse_arguments(sg_comm *comm, int argc, char **argv, arguments *wish)
{
    const sg_option table[] = {
        {'o', "out", SG_OPTION_TEXT, &wish->out, "FILE", NULL, 0, 0, "the picture (crops.png)"},
        {'b', "bands", SG_OPTION_TEXT, &wish->bands, "R,G,B", NULL, 0, 0,
         "which of the network's bands to show (1,2,3, or 1,1,1 where there are fewer)"},
        {'n', "count", SG_OPTION_INT, &wish->count, "N", NULL, 1, COUNT_MAX, "crops (16)"},
        {0, "first", SG_OPTION_LONG, &wish->first, "N", NULL, 0, 1e15, "the first crop (0)"},
        {0}};
    const sg_usage usage = {.program = "view_crops",
                            .synopsis = "[options] JOB [key=value ...]",
                            .about = "Draws the crops that a job trains on, with their labels.",
                            .least = 1,
                            .most = -1,
                            .missing = "a job file",
                            .option = table};
    return sg_options_parse(&usage, comm, argc, argv, &wish->rest);
}

static sg_err load_job(view *v)
{
    char **item = v->wish->rest.item;
    const sg_yaml_source source = {item[0], NULL, (const char *const *)item + 1,
                                   (size_t)v->wish->rest.count - 1};
    sg_err err = sg_job_load(&v->job, &source);
    return err == SG_OK ? sg_tile_facts_open(&v->store, &v->job) : err;
}

static sg_err choose_bands(view *v)
{
    char end;
    int bands[3] = {1, 2, 3};
    if (v->wish->bands != NULL &&
        sscanf(v->wish->bands, "%d,%d,%d%c", &bands[0], &bands[1], &bands[2], &end) != 3)
        return sg_fail(SG_EUSAGE, "--bands %s: expected three numbers, like 4,3,2", v->wish->bands);
    bool few = v->wish->bands == NULL && v->crops.spec.bands < 3;
    for (int i = 0; i < 3; i++) {
        v->band[i] = few ? 0 : bands[i] - 1;
        if (v->band[i] < 0 || v->band[i] >= v->crops.spec.bands)
            return sg_fail(SG_EUSAGE, "--bands: %d; the job has bands 1 to %d", bands[i],
                           v->crops.spec.bands);
    }
    return SG_OK;
}

/* Two deviations either way. */
static uint8_t tone(float value)
{
    return (uint8_t)(255 * fminf(fmaxf((value + 2) / 4, 0), 1));
}

static void draw_crop(const view *v, int32_t i, const float *pixels, const uint8_t *labels)
{
    const int32_t tile = v->job.train.tile;
    const int32_t left = i % ACROSS * (tile + GAP), top = i / ACROSS * 2 * (tile + GAP);
    for (int32_t y = 0; y < tile; y++)
        for (int32_t x = 0; x < tile; x++) {
            uint8_t *image =
                v->picture + 3 * ((size_t)(top + y) * (size_t)v->w + (size_t)(left + x));
            uint8_t *truth = image + 3 * (size_t)(tile + GAP) * (size_t)v->w;
            const float *pixel = pixels + (size_t)(y * tile + x) * (size_t)v->crops.spec.bands;
            uint8_t class = labels[y * tile + x];
            for (int c = 0; c < 3; c++) {
                image[c] = tone(pixel[v->band[c]]);
                truth[c] = class == SG_NO_CLASS ? 0 : v->crops.spec.classes.item[class].colour[c];
            }
        }
}

static sg_err draw_crops(view *v)
{
    const sg_loader_options options = {.batch = 1,
                                       .threads = 1,
                                       .ahead = 1,
                                       .first = (uint64_t)v->wish->first,
                                       .end = (uint64_t)(v->wish->first + v->wish->count),
                                       .stride = 1};
    sg_loader *loader = NULL;
    sg_batch *batch;
    sg_err err = sg_training_crops_load(&v->crops, &v->job, options, &loader);
    for (int32_t i = 0; err == SG_OK && (batch = sg_loader_next(loader)) != NULL; i++) {
        if (batch->error != SG_OK)
            err = sg_fail(batch->error, "%s", batch->message);
        else
            draw_crop(v, i, batch->pixels, batch->labels);
        sg_loader_return(loader, batch);
    }
    sg_loader_close(loader);
    return err;
}

static sg_err make_picture(view *v)
{
    const int32_t count = v->wish->count, across = count < ACROSS ? count : ACROSS;
    const int64_t side = v->job.train.tile + GAP;
    v->w = (int32_t)(across * side - GAP);
    v->h = (int32_t)(sg_div_up(count, ACROSS) * 2 * side - GAP);
    sg_err err = sg_malloc((size_t)v->w * (size_t)v->h, 3, &v->picture);
    if (err != SG_OK)
        return err;
    memset(v->picture, 255, (size_t)v->w * (size_t)v->h * 3);
    err = draw_crops(v);
    return err == SG_OK ? png_write(v->wish->out, v->picture, (uint32_t)v->w, (uint32_t)v->h) : err;
}

static sg_err run(view *v, sg_comm *comm)
{
    sg_err err = load_job(v);
    if (err == SG_OK)
        err = sg_training_crops_open(&v->crops, comm, &v->job, v->store);
    if (err == SG_OK)
        err = choose_bands(v);
    return err == SG_OK ? make_picture(v) : err;
}

int main(int argc, char **argv)
{
    arguments wish = {.out = "crops.png", .count = 16};
    view v = {.wish = &wish};
    sg_comm *comm = NULL;
    sg_gdal_start((size_t)256 << 20);
    sg_err err = sg_comm_start(&comm, &argc, &argv);
    sg_log_setup(0, 1, SG_LOG_NORMAL);
    if (err == SG_OK)
        err = parse_arguments(comm, argc, argv, &wish);
    if (err == SG_OK && !wish.rest.help)
        err = run(&v, comm);
    if (err != SG_OK)
        fprintf(stderr, "view_crops: %s\n", sg_error_text());
    sg_training_crops_close(&v.crops);
    sg_tile_store_close(v.store);
    sg_job_clear(&v.job);
    sg_free(v.picture);
    sg_comm_close(comm);
    return sg_exit_status(err);
}
