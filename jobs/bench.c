/* segtiles bench: how fast it is here. */
#include "jobs/bench.h"

#include <stdlib.h>
#include <string.h>
#include "jobs/options.h"

enum { MOST_BATCH = 1024 };

static sg_err parse_arguments(sg_comm *comm, int argc, char **argv, sg_bench_options *o,
                              sg_arguments *arguments)
{
    const sg_option table[] = {{.name = "net",
                                .kind = SG_OPTION_TEXT,
                                .target = &o->net,
                                .value = "NETWORK",
                                .help = "as deeplabv3+,encoder=resnet50 (unet)"},
                               {.name = "width",
                                .kind = SG_OPTION_INT,
                                .target = &o->model.width,
                                .value = "N",
                                .least = 1,
                                .most = 1024,
                                .help = "channels at full resolution (64)"},
                               {.name = "depth",
                                .kind = SG_OPTION_INT,
                                .target = &o->model.depth,
                                .value = "N",
                                .least = 1,
                                .most = 6,
                                .help = "down-samplings (4)"},
                               {.name = "bands",
                                .kind = SG_OPTION_INT,
                                .target = &o->model.bands,
                                .value = "N",
                                .least = 1,
                                .most = 1024,
                                .help = "input channels (4)"},
                               {.name = "classes",
                                .kind = SG_OPTION_INT,
                                .target = &o->model.classes,
                                .value = "N",
                                .least = 1,
                                .most = SG_MAX_CLASSES,
                                .help = "output channels (6)"},
                               {.name = "size",
                                .kind = SG_OPTION_INT,
                                .target = &o->size,
                                .value = "PIXELS",
                                .least = 1,
                                .most = 32768,
                                .help = "side of a tile (net 512, train 256)"},
                               {.name = "batch",
                                .kind = SG_OPTION_TEXT,
                                .target = &o->batch_text,
                                .value = "N",
                                .help =
                                    "tiles at once (net 1, train, load 8); auto: what fits on a "
                                    "GPU"},
                               {.name = "repeats",
                                .kind = SG_OPTION_INT,
                                .target = &o->repeats,
                                .value = "N",
                                .least = 1,
                                .most = SG_BENCH_REPEATS,
                                .help = "how often to measure (5)"},
                               {.name = "profile",
                                .kind = SG_OPTION_FLAG,
                                .target = &o->profile,
                                .help = "time per operator"},
                               {.name = "recompute",
                                .kind = SG_OPTION_FLAG,
                                .target = &o->recompute,
                                .help = "train: compute values again instead of keeping them"},
                               {.letter = 'm',
                                .name = "model",
                                .kind = SG_OPTION_TEXT,
                                .target = &o->checkpoint,
                                .value = "FILE",
                                .help = "predict: checkpoint (found as predict finds it)"},
                               SG_DEVICE_OPTION_ROWS(&o->device),
                               {0}};
    const sg_usage usage = {
        .synopsis = "bench [options] net|train | predict SCENE | load JOB [key=value ...]",
        .about =
            "Times a network's forward pass or training step, and its 3x3 convolutions alone; or "
            "a prediction, from reading the scene to the written mask, and its network alone;\nor "
            "how fast crops of a job are read, from its scenes and its tile store.",
        .least = 1,
        .most = -1,
        .missing = "what to measure, net, train, predict or load",
        .option = table,
    };
    return sg_options_parse(&usage, comm, argc, argv, arguments);
}

typedef sg_err (*bench_fn)(const sg_bench_options *options, sg_comm *comm);

static sg_err read_batch(sg_bench_options *o)
{
    char *end = NULL;
    const char *text = o->batch_text ? o->batch_text : o->train || o->job ? "8" : "1";
    if (strcmp(text, "auto") == 0) {
        o->batch = 0;
        return SG_OK;
    }
    long number = strtol(text, &end, 10);
    if (end == text || *end || number < 1 || number > MOST_BATCH)
        return sg_fail(SG_EUSAGE, "--batch %s: expected a number from 1 to %d, or auto", text,
                       MOST_BATCH);
    o->batch = (int32_t)number;
    return SG_OK;
}

static sg_err choose_load(const sg_arguments *arguments, sg_bench_options *o, bench_fn *bench)
{
    if (arguments->count < 2)
        return sg_fail(SG_EUSAGE, "bench load: the job file is missing");
    for (int i = 2; i < arguments->count; i++)
        if (strchr(arguments->item[i], '=') == NULL)
            return sg_fail(SG_EUSAGE, "\"%s\" is no key=value; only one job file is read",
                           arguments->item[i]);
    o->job = arguments->item[1];
    o->overrides = arguments->item + 2;
    o->override_count = arguments->count - 2;
    *bench = sg_bench_load;
    return read_batch(o);
}

static sg_err choose(const sg_arguments *arguments, sg_bench_options *o, bench_fn *bench)
{
    const char *what = arguments->item[0];
    int wanted = strcmp(what, "predict") == 0 ? 2 : 1;
    if (strcmp(what, "load") == 0)
        return choose_load(arguments, o, bench);
    if (strcmp(what, "net") && strcmp(what, "train") && wanted == 1)
        return sg_fail(SG_EUSAGE,
                       "bench: \"%s\" is not known; there are net, train, predict and load", what);
    if (arguments->count != wanted)
        return sg_fail(SG_EUSAGE,
                       wanted == 2 ? "bench predict: the scene is missing"
                                   : "bench %s: it takes no scene",
                       what);
    o->train = strcmp(what, "train") == 0;
    o->size = o->size ? o->size : o->train ? 256 : 512;
    o->scene = arguments->item[wanted - 1];
    *bench = wanted == 2 ? sg_bench_predict : sg_bench_network;
    return read_batch(o);
}

/* What was left open: a network that is described knows the rest itself. */
static sg_err complete_model(sg_bench_options *o)
{
    sg_model_options *model = &o->model;
    model->bands = model->bands ? model->bands : 4;
    model->classes = model->classes ? model->classes : 6;
    if (o->net)
        return sg_model_parse(o->net, model);
    model->width = model->width ? model->width : 64;
    model->depth = model->depth ? model->depth : 4;
    return SG_OK;
}

sg_err sg_command_bench(sg_comm *comm, int argc, char **argv)
{
    sg_bench_options options = {.model = sg_model_defaults(),
                                .repeats = 5,
                                .device = {.device = "auto", .precision = "auto"}};
    sg_arguments arguments;
    bench_fn bench = NULL;
    sg_err err = parse_arguments(comm, argc, argv, &options, &arguments);
    if (!err)
        err = complete_model(&options);
    if (!err && !arguments.help)
        err = choose(&arguments, &options, &bench);
    err = sg_comm_agree(comm, err);
    return err || arguments.help ? err : bench(&options, comm);
}
