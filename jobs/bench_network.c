/* segtiles bench net, train: a network's forward pass or training step, against its own 3x3
 * convolutions, the part that cannot be avoided, timed alone in the same run. */
#include "jobs/bench.h"

#include <stdio.h>
#include <string.h>
#include "base/clock.h"
#include "jobs/profile.h"
#include "nn/measure.h"

/* A network on its device. */
typedef struct {
    const sg_bench_options *options;
    sg_backend *device;  /* as opened */
    sg_backend *backend; /* what runs the network: device, or a profiler over it */
    sg_profile profile;
    sg_dtype type;
    sg_measure *measure;
    int64_t pixels;
} bench;

static sg_err open_measure(bench *b)
{
    const sg_bench_options *o = b->options;
    sg_graph *graph = NULL;
    sg_err err = sg_model_build(&o->model, &graph);
    const sg_measure_options options = {.device = b->device,
                                        .backend = b->backend,
                                        .graph = graph,
                                        .input = {o->batch, o->size, o->size, o->model.bands},
                                        .type = b->type,
                                        .train = o->train,
                                        .recompute = o->recompute};
    if (!err)
        err = sg_measure_open(&options, &b->measure);
    if (!err)
        b->pixels = sg_measure_batch(b->measure) * o->size * o->size;
    sg_graph_close(graph);
    return err;
}

static sg_err open_bench(bench *b, const sg_bench_options *options, const sg_comm *comm)
{
    *b = (bench){.options = options};
    sg_err err = sg_device_open(&options->device, comm, &b->device, &b->type);
    b->backend = b->device;
    if (!err && options->profile)
        err = sg_profile_open(b->device, &b->profile, &b->backend);
    return err ? err : open_measure(b);
}

static void close_bench(bench *b)
{
    sg_measure_close(b->measure);
    if (b->backend != b->device)
        sg_backend_close(b->backend);
    sg_backend_close(b->device);
}

/* Median seconds of a step; the slowest rank counts. [collective] */
static sg_err time_network(bench *b, sg_comm *comm, double *median, double *least)
{
    double seconds[SG_BENCH_REPEATS];
    sg_err err = sg_measure_step(b->measure); /* the first one touches the memory */
    memset(&b->profile, 0, sizeof b->profile);
    for (int32_t i = 0; i < b->options->repeats; i++) {
        sg_comm_barrier(comm);
        double start = sg_now();
        if (!err)
            err = sg_measure_step(b->measure);
        seconds[i] = sg_now() - start;
        sg_comm_max_f64(comm, &seconds[i], 1);
    }
    *median = sg_measure_median(seconds, b->options->repeats);
    *least = seconds[0];
    return err;
}

/* ---- telling ---- */

static void show_entry(const bench *b, const char *what, const char *pass,
                       const sg_profile_entry *entry)
{
    if (entry->calls)
        printf("  %-14s %-9s %9.2f ms\n", what, pass, 1e3 * entry->seconds / b->options->repeats);
}

static void show_profile(const bench *b)
{
    const sg_profile *p = &b->profile;
    printf("per step:\n");
    for (int op = 0; op < SG_OP_COUNT; op++) {
        show_entry(b, sg_op_name((sg_op)op), "forward", &p->forward[op]);
        show_entry(b, sg_op_name((sg_op)op), "backward", &p->backward[op]);
        show_entry(b, sg_op_name((sg_op)op), "refresh", &p->refresh[op]);
    }
    show_entry(b, "load input", "", &p->load_input);
    show_entry(b, "accumulate", "", &p->accumulate);
    show_entry(b, "classify", "", &p->classify);
    show_entry(b, "update", "", &p->update);
}

static void show(const bench *b, int ranks, double median, double least, double convs,
                 double conv_flops)
{
    const sg_bench_options *o = b->options;
    double mpx = 1e-6 * (double)b->pixels * ranks;
    double flops = sg_measure_flops(b->measure) * ranks;
    printf("%s: %s", o->train ? "train" : "net", o->net ? o->net : o->model.net);
    if (!o->net)
        printf(" of width %d, depth %d", (int)o->model.width, (int)o->model.depth);
    printf(", %d bands, %d classes; %d x %d x %d, %s\n", (int)o->model.bands, (int)o->model.classes,
           (int)sg_measure_batch(b->measure), (int)o->size, (int)o->size, sg_dtype_name(b->type));
    printf("device: %s (%s), %zu MiB of values, %d rank%s\n", b->device->name, b->device->device,
           sg_measure_bytes(b->measure) >> 20, ranks, ranks == 1 ? "" : "s");
    printf("whole %s: %.2f ms (best %.2f), %.3f Mpx/s, %.0f GFLOP/s\n",
           o->train ? "step" : "forward pass", 1e3 * median, 1e3 * least, mpx / median,
           1e-9 * flops / median);
    if (convs > 0)
        printf("its 3x3 convolutions alone: %.2f ms, %.3f Mpx/s, %.0f GFLOP/s; the whole runs at "
               "%.0f %% of their speed (best %.0f %%)\n",
               1e3 * convs, mpx / convs, 1e-9 * conv_flops * ranks / convs, 100 * convs / median,
               100 * convs / least);
    if (o->profile)
        show_profile(b);
}

sg_err sg_bench_network(const sg_bench_options *options, sg_comm *comm)
{
    bench b;
    double median = 0, least = 0, convs = 0, conv_flops = 0;
    sg_err err = sg_comm_agree(comm, open_bench(&b, options, comm));
    if (!err)
        err = sg_comm_agree(comm, time_network(&b, comm, &median, &least));
    if (!err)
        err = sg_comm_agree(comm,
                            sg_measure_convs(b.measure, options->repeats + 2, &convs, &conv_flops));
    if (!err && sg_comm_rank(comm) == 0)
        show(&b, sg_comm_ranks(comm), median, least, convs, conv_flops);
    close_bench(&b);
    return err;
}
