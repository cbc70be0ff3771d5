/* segtiles predict: scenes into masks. */
#include "jobs/predict.h"

#include <stdlib.h>
#include <string.h>
#include "base/size.h"
#include "jobs/options.h"
#include "jobs/predict_names.h"
#include "jobs/predict_where.h"
#include "jobs/signals.h"

/* Before they are looked at. */
typedef struct {
    const char *driver;
    sg_option_list creation;
    char progress[8];
    const char *batch, *crf;
    sg_where_words where;
} typed_words;

static sg_err parse_arguments(sg_comm *comm, int argc, char **argv, sg_predict_options *options,
                              typed_words *typed, sg_arguments *arguments)
{
    const sg_option table[] = {
        {.letter = 'm',
         .name = "model",
         .kind = SG_OPTION_TEXT,
         .target = &options->model,
         .value = "FILE",
         .help = "checkpoint (else $SEGTILES_MODEL, ./model.h5, the newest run under ./runs)"},
        {.letter = 'o',
         .name = "out",
         .kind = SG_OPTION_TEXT,
         .target = &options->out,
         .value = "FILE",
         .help = "the mask, or a folder for masks (else SCENE_mask.tif in the current folder)"},
        {.name = "probabilities",
         .kind = SG_OPTION_MAYBE,
         .target = &options->probabilities,
         .value = "FILE",
         .help = "also the probability of every class (else SCENE_probabilities.tif)"},
        {.name = "confidence",
         .kind = SG_OPTION_MAYBE,
         .target = &options->confidence,
         .value = "FILE",
         .help = "also the probability of the class chosen (else SCENE_confidence.tif)"},
        {.name = "confidence-kind",
         .kind = SG_OPTION_CHOICE,
         .target = options->confidence_kind,
         .value = "KIND",
         .choices = "max margin",
         .help = "margin: how much more probable the class is than the next"},
        {.name = "probabilities-type",
         .kind = SG_OPTION_CHOICE,
         .target = options->probabilities_type,
         .value = "TYPE",
         .choices = "float byte",
         .help = "byte: in 254 steps, a quarter of the size"},
        {.name = "polygons",
         .kind = SG_OPTION_MAYBE,
         .target = &options->polygons,
         .value = "FILE",
         .help = "also the mask's patches as polygons, .gpkg or .fgb (else SCENE_polygons.gpkg)"},
        {.name = "areas",
         .kind = SG_OPTION_MAYBE,
         .target = &options->areas,
         .value = "FILE",
         .help = "also a table of each class's pixels and area (else SCENE_areas.csv)"},
        {.name = "sieve",
         .kind = SG_OPTION_INT,
         .target = &options->sieve,
         .value = "N",
         .most = INT32_MAX,
         .help = "give patches of fewer than N pixels to their largest neighbours"},
        {.name = "connectedness",
         .kind = SG_OPTION_CHOICE,
         .target = options->connectedness,
         .value = "N",
         .choices = "4 8",
         .help =
             "of patches, for --sieve and --polygons: 8: pixels that touch with a corner belong "
             "together, as with GDAL's -8"},
        {.name = "of",
         .kind = SG_OPTION_TEXT,
         .target = &typed->driver,
         .value = "FORMAT",
         .help = "of all outputs: COG (the default) or GTiff, as in GDAL"},
        {.name = "co",
         .kind = SG_OPTION_LIST,
         .target = &typed->creation,
         .value = "KEY=VALUE",
         .help = "how outputs are stored, as in GDAL; repeatable (see below)"},
        SG_WHERE_OPTION_ROWS(&typed->where, &options->area),
        {.name = "force",
         .kind = SG_OPTION_FLAG,
         .target = &options->force,
         .help = "take a scene of another ground sampling distance as it is"},
        {.name = "resample",
         .kind = SG_OPTION_FLAG,
         .target = &options->resample,
         .help = "map the scene at the model's ground sampling distance"},
        {.name = "tta",
         .kind = SG_OPTION_FLAG,
         .target = &options->augment,
         .help = "the mean over eight flips and rotations of the scene (8 times the work)"},
        {.name = "crf",
         .kind = SG_OPTION_MAYBE,
         .target = &typed->crf,
         .value = "KEY=VALUE,...",
         .help = "draw borders along the scene's own by a fully connected CRF (see below)"},
        {.name = "restart",
         .kind = SG_OPTION_FLAG,
         .target = &options->restart,
         .help = "begin anew where an unfinished prediction lies (OUT.parts)"},
        {.name = "tile",
         .kind = SG_OPTION_LONG,
         .target = &options->tile,
         .value = "N",
         .most = 1 << 20,
         .help = "side of a tile in pixels (0: choose; only a blended mask depends on it)"},
        {.name = "mode",
         .kind = SG_OPTION_CHOICE,
         .target = options->mode,
         .value = "MODE",
         .choices = "auto exact blend",
         .help = "exact: no seams at all; blend: overlapping tiles, weighted by a smooth window; "
                 "auto: exact where the network allows"},
        {.name = "overlap",
         .kind = SG_OPTION_LONG,
         .target = &options->overlap,
         .value = "N",
         .most = 1 << 20,
         .help = "pixels that blended tiles share (else a quarter of the tile)"},
        {.name = "batch",
         .kind = SG_OPTION_TEXT,
         .target = &typed->batch,
         .value = "N",
         .help = "tiles classified at once (0: choose; auto: as many as fit into memory)"},
        {.name = "chunk",
         .kind = SG_OPTION_LONG,
         .target = &options->chunk,
         .value = "N",
         .most = 1 << 20,
         .help = "side of a unit of work in pixels (0: choose)"},
        {.name = "max-mem",
         .kind = SG_OPTION_TEXT,
         .target = &options->max_mem,
         .value = "SIZE",
         .help = "memory a rank may take in all, as 2G (else half of its share of free memory)"},
        {.name = "readers",
         .kind = SG_OPTION_INT,
         .target = &options->readers,
         .value = "N",
         .most = 256,
         .help = "reading threads of a rank (0: choose)"},
        {.name = "progress",
         .kind = SG_OPTION_CHOICE,
         .target = typed->progress,
         .value = "HOW",
         .choices = "auto json",
         .help = "auto: a bar on a terminal, else lines; json: objects, one a line, on standard "
                 "output"},
        SG_DEVICE_OPTION_ROWS(&options->device),
        {0}};
    const sg_usage usage = {
        .synopsis = "predict [options] SCENE ...",
        .about = "Maps scenes with a trained network. Every scene gets a mask: a GeoTIFF on the "
                 "scene's grid, with a .qml beside it that names and colours its classes in QGIS.",
        .least = 1,
        .most = -1,
        .missing = "a scene",
        .option = table,
        .more =
            "A mask is the same to the byte for any number of ranks, any chunk and batch, and "
            "any tile unless tiles are blended. What a failed or killed run has finished is kept "
            "in OUT.parts: the same "
            "command, on any number of ranks, does the rest.\n\n"
            "-co COMPRESS=DEFLATE|ZSTD|LZW|NONE, LEVEL=N (or ZLEVEL, ZSTD_LEVEL),\n"
            "    PREDICTOR=NO|YES|STANDARD|FLOATING_POINT (or 1, 2, 3; YES: as suits the pixels;\n"
            "    FLOATING_POINT: of real numbers only), BLOCKSIZE=N (or BLOCKXSIZE, BLOCKYSIZE),\n"
            "    BIGTIFF=YES|NO|IF_NEEDED|IF_SAFER, OVERVIEWS=AUTO|NONE (default: COG AUTO,\n"
            "    GTiff NONE), SPARSE_OK=TRUE: blocks without data are not "
            "stored\n\n" SG_CRF_HELP "\n" SG_WHERE_HELP};
    return sg_options_parse(&usage, comm, argc, argv, arguments);
}

/* A number, or "auto". */
static sg_err read_batch(const char *text, int32_t *batch)
{
    char *end = NULL;
    if (!text)
        return SG_OK;
    if (strcmp(text, "auto") == 0) {
        *batch = SG_BATCH_LARGEST;
        return SG_OK;
    }
    long number = strtol(text, &end, 10);
    if (end == text || *end || number < 0 || number > SG_BATCH_MOST)
        return sg_fail(SG_EUSAGE, "--batch %s: expected a number from 0 to %d, or auto", text,
                       SG_BATCH_MOST);
    *batch = (int32_t)number;
    return SG_OK;
}

static sg_err check_options(const sg_predict_options *options)
{
    double bytes;
    if (options->force && options->resample)
        return sg_fail(SG_EUSAGE, "--force and --resample exclude each other");
    return options->max_mem ? sg_bytes_parse(options->max_mem, &bytes) : SG_OK;
}

static sg_err find_and_open(sg_network *network, sg_comm *comm, const sg_predict_options *options)
{
    char path[SG_PATH_MAX] = "";
    sg_err err = sg_comm_agree(comm, sg_find_model(options->model, path));
    if (err == SG_OK)
        err = sg_network_open(network, comm, path, &options->device);
    return err == SG_OK ? sg_predict_check_mode(options, network) : err;
}

/* From here on a scene holds its layers, and the network reads bands of one raster. */
static sg_err stack_scenes(sg_network *network, sg_comm *comm, const sg_where_words *where,
                           sg_inputs *scenes)
{
    sg_spec *spec = &network->checkpoint.spec;
    sg_err err = sg_inputs_stack(scenes, spec, where->stack.item, where->stack.count);
    spec->layers = 0;
    return sg_comm_agree(comm, err);
}

/* All scenes before any work, shared out over ranks. */
static sg_err check_all(const sg_predict_options *options, const sg_network *network, sg_comm *comm,
                        const sg_inputs *inputs)
{
    sg_err err = SG_OK;
    for (int i = sg_comm_rank(comm); err == SG_OK && i < (int)inputs->count;
         i += sg_comm_ranks(comm))
        err = sg_predict_check(options, network, inputs->item[i].path);
    return sg_comm_agree(comm, err);
}

sg_err sg_command_predict(sg_comm *comm, int argc, char **argv)
{
    typed_words typed = {.progress = "auto", .where = SG_WHERE_WORDS};
    const sg_mosaic_options *mosaic = &typed.where.mosaic;
    sg_predict_options options = {.device = {.device = "auto", .precision = "auto"},
                                  .confidence_kind = "max",
                                  .probabilities_type = "float",
                                  .connectedness = "4",
                                  .mode = "auto",
                                  .overlap = SG_OVERLAP_AUTO};
    sg_arguments arguments;
    sg_inputs inputs = {0}, members = {0};
    sg_network network = {0};
    sg_predict_names *names = NULL;
    sg_predict_report report;
    sg_err err = parse_arguments(comm, argc, argv, &options, &typed, &arguments);
    if (err == SG_OK && arguments.help)
        return SG_OK;
    options.stop = sg_signals_catch();
    if (err == SG_OK)
        err = sg_where_choose(&typed.where, &options.area);
    if (err == SG_OK)
        err = read_batch(typed.batch, &options.batch);
    if (err == SG_OK)
        err = sg_predict_crf_parse(typed.crf, &options.crf);
    if (err == SG_OK)
        err = check_options(&options);
    if (err == SG_OK)
        err = sg_format_parse(&options.format, typed.driver, typed.creation.item,
                              typed.creation.count);
    options.json = strcmp(typed.progress, "json") == 0;
    err = sg_comm_agree(comm, err);
    if (err == SG_OK)
        err = sg_inputs_find(&inputs, comm, arguments.item, arguments.count, typed.where.assets);
    if (err == SG_OK && mosaic->mask)
        err = sg_mosaic_name(mosaic, &options, &inputs, &members);
    if (err == SG_OK)
        err = sg_calloc(inputs.count, sizeof *names, &names);
    if (err == SG_OK)
        err = sg_predict_name_all(&options, &inputs, &members, names);
    err = sg_comm_agree(comm, err);
    if (err == SG_OK)
        err = find_and_open(&network, comm, &options);
    if (err == SG_OK)
        err = stack_scenes(&network, comm, &typed.where, mosaic->mask ? &members : &inputs);
    if (err == SG_OK && mosaic->mask)
        err =
            sg_mosaic_put_together(mosaic, &options, &network, comm, inputs.item[0].path, &members);
    if (err == SG_OK)
        err = check_all(&options, &network, comm, &inputs);
    for (size_t i = 0; err == SG_OK && i < inputs.count; i++)
        err = sg_predict_scene(&options, &network, comm, &names[i], &report);
    sg_network_close(&network);
    sg_inputs_close(&inputs);
    sg_inputs_close(&members);
    sg_free(names);
    return err;
}
