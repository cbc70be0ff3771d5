/*
 * segtiles bench predict: a prediction as `segtiles predict` does it, from reading the scene to the
 * written mask, against its network alone: the same batches, from memory, with nothing read,
 * stitched or written beside it.
 */
#include "jobs/bench.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/rng.h"
#include "base/size.h"
#include "jobs/predict.h"
#include "nn/measure.h"

typedef struct {
    const sg_bench_options *options;
    sg_comm *comm;
    sg_predict_options predict;
    sg_predict_names names;
    sg_network network;
    sg_predict_report report; /* of the last prediction */
    double whole, alone;      /* seconds, medians */
} bench;

/* Beside the caller, for a while; all ranks must agree on the name. */
static sg_err name_mask(bench *b)
{
    int64_t process = getpid();
    sg_comm_broadcast(b->comm, &process, sizeof process, 0);
    b->names.scene = b->options->scene;
    return sg_path_format(b->names.output[SG_OUT_MASK], "bench_mask.%" PRId64 ".tif", process);
}

static void remove_mask(const bench *b)
{
    static const char *const ends[] = {".tif", ".tif.aux.xml", ".qml"};
    char path[SG_PATH_MAX];
    const char *mask = b->names.output[SG_OUT_MASK];
    int stem = (int)(strlen(mask) - strlen(ends[0]));
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (sg_path_format(path, "%.*s%s", stem, mask, ends[i]) == SG_OK)
            (void)remove(path); /* not all of them need be there */
}

static sg_err open_bench(bench *b)
{
    char path[SG_PATH_MAX] = "";
    sg_err err = name_mask(b);
    if (!err)
        err = sg_find_model(b->options->checkpoint, path);
    err = sg_comm_agree(b->comm, err);
    if (!err)
        err = sg_network_open(&b->network, b->comm, path, &b->options->device);
    if (!err)
        err = sg_comm_agree(b->comm, sg_predict_check(&b->predict, &b->network, b->options->scene));
    return err;
}

/* [collective] */
static sg_err time_whole(bench *b)
{
    double seconds[SG_BENCH_REPEATS];
    sg_err err = SG_OK;
    for (int32_t i = 0; !err && i < b->options->repeats; i++) {
        err = sg_predict_scene(&b->predict, &b->network, b->comm, &b->names, &b->report);
        seconds[i] = b->report.seconds;
        sg_comm_max_f64(b->comm, &seconds[i], 1);
        if (sg_comm_rank(b->comm) == 0)
            remove_mask(b);
    }
    if (!err)
        b->whole = sg_measure_median(seconds, b->options->repeats);
    return err;
}

static sg_err classify(sg_exec *exec, const float *pixels, uint8_t *classes)
{
    sg_run run = {0};
    sg_err err = sg_exec_forward(exec, pixels, NULL, &run);
    return err ? err : sg_exec_classify(exec, classes, NULL);
}

/* As many batches as this rank had. [collective] */
static sg_err time_batches(bench *b, sg_exec *exec, const float *pixels, uint8_t *classes)
{
    double seconds[SG_BENCH_REPEATS];
    sg_err err = classify(exec, pixels, classes); /* the first one touches the memory */
    for (int32_t i = 0; i < b->options->repeats; i++) {
        sg_comm_barrier(b->comm);
        double start = sg_now();
        for (int64_t k = 0; !err && k < b->report.work.batches; k++)
            err = classify(exec, pixels, classes);
        seconds[i] = sg_now() - start;
        sg_comm_max_f64(b->comm, &seconds[i], 1);
    }
    b->alone = sg_measure_median(seconds, b->options->repeats);
    return err;
}

static sg_err time_alone(bench *b)
{
    const sg_grid *grid = &b->report.plan.grid;
    size_t tile = (size_t)(grid->tile_w * grid->tile_h * b->report.plan.batch);
    size_t values = tile * (size_t)b->network.checkpoint.spec.bands;
    sg_exec *exec = NULL;
    float *pixels = NULL;
    uint8_t *classes = NULL;
    sg_err err =
        sg_network_exec(&b->network, b->report.plan.batch, grid->tile_h, grid->tile_w, &exec);
    if (!err)
        err = sg_malloc(values, sizeof *pixels, &pixels);
    if (!err)
        err = sg_malloc(tile, 1, &classes);
    for (size_t i = 0; !err && i < values; i++)
        pixels[i] = sg_uniform(sg_random(1, SG_STREAM_SCENE, i, 0).v[0]) - .5f;
    err = sg_comm_agree(b->comm, err);
    if (!err)
        err = sg_comm_agree(b->comm, time_batches(b, exec, pixels, classes));
    sg_exec_close(exec);
    sg_free(pixels);
    sg_free(classes);
    return err;
}

/* [collective] */
static void show(const bench *b)
{
    const sg_predict_plan *plan = &b->report.plan;
    double written = (double)b->report.work.written;
    sg_comm_sum_f64(b->comm, &written, 1);
    if (sg_comm_rank(b->comm) != 0)
        return;
    printf("predict: %s, %s; tiles of %" PRId64 " x %" PRId64 ", batches of %d, %s\n",
           b->options->scene, b->network.path, plan->grid.tile_w, plan->grid.tile_h,
           (int)plan->batch, sg_dtype_name(b->network.type));
    printf("device: %s (%s), %d rank%s\n", b->network.backend->name, b->network.backend->device,
           sg_comm_ranks(b->comm), sg_comm_ranks(b->comm) == 1 ? "" : "s");
    printf("scene to mask: %.2f s, %.3f Mpx/s\n", b->whole, 1e-6 * written / b->whole);
    printf("its network alone: %.2f s, %.3f Mpx/s; the whole runs at %.0f %% of its speed\n",
           b->alone, 1e-6 * written / b->alone, 100 * b->alone / b->whole);
}

sg_err sg_bench_predict(const sg_bench_options *options, sg_comm *comm)
{
    bench b = {.options = options, .comm = comm};
    b.predict.device = options->device;
    b.predict.format = sg_format_default();
    b.predict.overlap = SG_OVERLAP_AUTO;
    sg_err err = open_bench(&b);
    if (!err)
        err = time_whole(&b);
    if (!err)
        err = time_alone(&b);
    if (!err)
        show(&b);
    sg_network_close(&b.network);
    return err;
}
