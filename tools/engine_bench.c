/*
 * engine_bench net|train [key=value ...]: how fast the engine alone runs a network here, forward or
 * a training step, and its 3x3 convolutions alone. Keys: device (cuda), type (bf16), net (a U-Net;
 * else as deeplabv3+,encoder=resnet50), width, depth, bands, classes, size, batch (auto: what
 * fits), repeats, recompute (1). The engine's counterpart of `segtiles bench`, for machines with
 * neither GDAL nor MPI.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "model/model.h"
#include "nn/measure.h"
#include "op/harness.h"

enum { MOST_REPEATS = 1000 };

typedef struct {
    const char *device, *type, *net;
    sg_model_options model;
    int32_t train, size, batch, repeats, recompute;
} wishes;

static sg_err set_number(const char *key, const char *value, int32_t *target)
{
    char *end;
    long number = strtol(value, &end, 10);
    if (*end || end == value || number < 1 || number > 65536)
        return sg_fail(SG_EUSAGE, "%s=%s: expected a number from 1 to 65536", key, value);
    *target = (int32_t)number;
    return SG_OK;
}

static sg_err set_key(wishes *w, const char *argument)
{
    const struct {
        const char *name;
        int32_t *target;
    } numbers[] = {{"width", &w->model.width}, {"depth", &w->model.depth},
                   {"bands", &w->model.bands}, {"classes", &w->model.classes},
                   {"size", &w->size},         {"batch", &w->batch},
                   {"repeats", &w->repeats},   {"recompute", &w->recompute}};
    const char *value = strchr(argument, '=');
    if (strcmp(argument, "batch=auto") == 0) {
        w->batch = 0;
        return SG_OK;
    }
    size_t length = value ? (size_t)(value++ - argument) : 0;
    if (value && strncmp(argument, "device=", length + 1) == 0)
        w->device = value;
    else if (value && strncmp(argument, "type=", length + 1) == 0)
        w->type = value;
    else if (value && strncmp(argument, "net=", length + 1) == 0)
        w->net = value;
    else
        for (size_t i = 0; value && i < sizeof numbers / sizeof *numbers; i++)
            if (strlen(numbers[i].name) == length && !strncmp(argument, numbers[i].name, length))
                return set_number(numbers[i].name, value, numbers[i].target);
    if (value && (value == w->device || value == w->type || value == w->net))
        return SG_OK;
    return sg_fail(SG_EUSAGE,
                   "\"%s\" is no key=value; keys: device type net width depth bands "
                   "classes size batch repeats recompute",
                   argument);
}

static sg_err read_arguments(int argc, char **argv, wishes *w)
{
    *w = (wishes){.device = "cuda", .type = "bf16", .model = sg_model_defaults(), .repeats = 10};
    w->model.bands = 4;
    w->model.classes = 6;
    if (argc < 2 || (strcmp(argv[1], "net") && strcmp(argv[1], "train")))
        return sg_fail(SG_EUSAGE, "usage: engine_bench net|train [key=value ...]");
    w->train = strcmp(argv[1], "train") == 0;
    w->size = w->train ? 256 : 512;
    w->batch = w->train ? 8 : 1;
    sg_err err = SG_OK;
    for (int i = 2; !err && i < argc; i++)
        err = set_key(w, argv[i]);
    if (!err && strcmp(w->type, "f32") && strcmp(w->type, "bf16"))
        err = sg_fail(SG_EUSAGE, "type=%s: there are f32 and bf16", w->type);
    if (!err && w->net)
        err = sg_model_parse(w->net, &w->model);
    else if (w->model.width == 0)
        w->model.width = 64;
    if (!err && w->repeats > MOST_REPEATS)
        err = sg_fail(SG_EUSAGE, "repeats=%d: at most %d", (int)w->repeats, MOST_REPEATS);
    return err;
}

static void show(const wishes *w, const sg_backend *device, const sg_measure *measure,
                 double median, double least)
{
    int64_t batch = sg_measure_batch(measure);
    double pixels = (double)batch * w->size * w->size;
    printf("%s: %s", w->train ? "train" : "net", w->net ? w->net : w->model.net);
    if (!w->net)
        printf(" of width %d, depth %d", (int)w->model.width, (int)w->model.depth);
    printf(", %d bands, %d classes; %d x %d x %d, %s\n", (int)w->model.bands, (int)w->model.classes,
           (int)batch, (int)w->size, (int)w->size, w->type);
    printf("device: %s (%s), %zu MiB\n", device->name, device->device,
           sg_measure_bytes(measure) >> 20);
    printf("whole %s: %.3f ms (best %.3f), %.3f Mpx/s, %.0f GFLOP/s\n",
           w->train ? "step" : "forward pass", 1e3 * median, 1e3 * least, 1e-6 * pixels / median,
           1e-9 * sg_measure_flops(measure) / median);
}

static sg_err time_steps(const wishes *w, sg_measure *measure, double *median, double *least)
{
    double seconds[MOST_REPEATS];
    sg_err err = sg_measure_step(measure); /* the first ones load and warm */
    if (!err)
        err = sg_measure_step(measure);
    for (int32_t i = 0; !err && i < w->repeats; i++) {
        double start = sg_now();
        err = sg_measure_step(measure);
        seconds[i] = sg_now() - start;
    }
    if (err)
        return err;
    *median = sg_measure_median(seconds, w->repeats);
    *least = seconds[0];
    return SG_OK;
}

static sg_err run(const wishes *w, sg_backend *device, sg_measure *measure)
{
    double median, least, convs, flops;
    sg_err err = time_steps(w, measure, &median, &least);
    if (err)
        return err;
    show(w, device, measure, median, least);
    err = sg_measure_convs(measure, w->repeats + 2, &convs, &flops);
    if (!err && convs > 0)
        printf("its 3x3 convolutions alone: %.3f ms, %.0f GFLOP/s; the whole runs at %.0f %% of "
               "their speed\n",
               1e3 * convs, 1e-9 * flops / convs, 100 * convs / median);
    return err;
}

static sg_err bench(const wishes *w)
{
    sg_backend *device = NULL;
    sg_graph *graph = NULL;
    sg_measure *measure = NULL;
    sg_err err = op_backend_open(w->device, &device);
    if (!err)
        err = sg_model_build(&w->model, &graph);
    sg_measure_options options = {.device = device,
                                  .backend = device,
                                  .graph = graph,
                                  .input = {w->batch, w->size, w->size, w->model.bands},
                                  .type = strcmp(w->type, "f32") == 0 ? SG_F32 : SG_BF16,
                                  .train = w->train,
                                  .recompute = w->recompute};
    if (!err)
        err = sg_measure_open(&options, &measure);
    if (!err)
        err = run(w, device, measure);
    sg_measure_close(measure);
    sg_graph_close(graph);
    sg_backend_close(device);
    return err;
}

int main(int argc, char **argv)
{
    wishes w;
    sg_err err = read_arguments(argc, argv, &w);
    sg_log_setup(0, 1, SG_LOG_VERBOSE); /* which convolutions take a slow way */
    if (!err)
        err = bench(&w);
    if (err)
        fprintf(stderr, "engine_bench: %s\n", sg_error_text());
    return sg_exit_status(err);
}
