#include "jobs/job.h"

#include "base/size.h"
#include "data/stack.h"
#include "jobs/job_loss.h"
#include "jobs/options.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AT(member) SG_YAML_AT(sg_job, member)
#define PATH_FIELD(key, member)                                                                    \
    {                                                                                              \
        key, SG_YAML_STRING, AT(member), .max = SG_PATH_MAX - 1, .fallback = ""                    \
    }
#define FILES_FIELDS(key, index)                                                                   \
    {key ".images", SG_YAML_STRINGS, AT(data.files[index].images), .fallback = "[]"},              \
        PATH_FIELD(key ".labels", data.files[index].labels)

static const sg_yaml_field scene_fields[] = {
    {"image", SG_YAML_STRING, SG_YAML_AT(sg_job_scene, image), .min = 1, .max = SG_PATH_MAX - 1},
    {"label", SG_YAML_STRING, SG_YAML_AT(sg_job_scene, label), .min = 1, .max = SG_PATH_MAX - 1},
    {"split", SG_YAML_ENUM, SG_YAML_AT(sg_job_scene, split), .allowed = "train|val|test",
     .fallback = "train"},
    {0}};

static const sg_yaml_field layer_fields[] = {
    {"file", SG_YAML_STRING, SG_YAML_AT(sg_layer, file), .min = 1, .max = SG_LAYER_FILE_MAX - 1},
    {"resample", SG_YAML_STRING, SG_YAML_AT(sg_layer, resample), .max = 15, .fallback = "auto"},
    {0}};

static const sg_yaml_field rate_fields[] = {
    {"match", SG_YAML_STRING, SG_YAML_AT(sg_job_rate, match), .min = 1, .max = SG_NAME_MAX - 1},
    {"rate", SG_YAML_FLOAT, SG_YAML_AT(sg_job_rate, rate), .min = 0, .max = 1000},
    {0}};

static const sg_yaml_field class_fields[] = {
    {"name", SG_YAML_STRING, SG_YAML_AT(sg_job_class, name), .min = 1,
     .max = SG_CLASS_NAME_MAX - 1},
    {"value", SG_YAML_INT, SG_YAML_AT(sg_job_class, value), .min = -1, .max = 255,
     .fallback = "-1"},
    {"color", SG_YAML_STRING, SG_YAML_AT(sg_job_class, color), .max = 7, .fallback = ""},
    {0}};

static const sg_yaml_field job_fields[] = {
    {"name", SG_YAML_STRING, AT(name), .min = 1, .max = SG_JOB_NAME_MAX - 1},
    {"seed", SG_YAML_INT, AT(seed), .fallback = "0"},
    PATH_FIELD("out", out),
    {"device", SG_YAML_STRING, AT(device.device), .min = 1, .max = 15, .fallback = "auto"},
    {"precision", SG_YAML_STRING, AT(device.precision), .min = 1, .max = 7, .fallback = "auto"},
    {"threads", SG_YAML_INT, AT(device.threads), .min = 0, .max = 1024, .fallback = "0"},

    PATH_FIELD("data.root", data.root),
    PATH_FIELD("data.stage", data.stage),
    PATH_FIELD("data.store", data.store),
    {"data.scenes", SG_YAML_MAPS, AT(data.scenes), .fallback = "[]", .item = scene_fields,
     .item_size = sizeof(sg_job_scene)},
    FILES_FIELDS("data.train", SG_SPLIT_TRAIN),
    FILES_FIELDS("data.val", SG_SPLIT_VAL),
    FILES_FIELDS("data.test", SG_SPLIT_TEST),
    PATH_FIELD("data.csv.file", data.csv.file),
    PATH_FIELD("data.csv.images", data.csv.images),
    PATH_FIELD("data.csv.labels", data.csv.labels),
    {"data.csv.split", SG_YAML_STRING, AT(data.csv.split), .min = 1, .max = SG_JOB_NAME_MAX - 1,
     .fallback = "split"},
    {"data.val_share", SG_YAML_FLOAT, AT(data.val_share), .min = 0, .max = 0.9, .fallback = "0"},
    {"data.blocks.size", SG_YAML_INT, AT(data.blocks.size), .min = 16, .max = 1 << 20,
     .fallback = "512"},
    {"data.blocks.guard", SG_YAML_INT, AT(data.blocks.guard), .min = 0, .max = 1 << 20,
     .fallback = "64"},
    {"data.blocks.val", SG_YAML_FLOAT, AT(data.blocks.val), .min = 0, .max = 0.9, .fallback = "0"},
    {"data.blocks.test", SG_YAML_FLOAT, AT(data.blocks.test), .min = 0, .max = 0.9,
     .fallback = "0"},
    {"data.stack", SG_YAML_MAPS, AT(data.stack), .max = SG_LAYERS_MAX, .fallback = "[]",
     .item = layer_fields, .item_size = sizeof(sg_layer)},
    {"data.bands", SG_YAML_INTS, AT(data.bands), .min = 0, .max = SG_BANDS_MAX, .fallback = "[]"},
    {"data.nodata", SG_YAML_FLOATS, AT(data.nodata), .min = 0, .max = 1, .fallback = "[]"},
    {"data.normalize", SG_YAML_ENUM, AT(data.normalize), .allowed = "dataset|scene|none",
     .fallback = "dataset"},
    {"data.classes", SG_YAML_MAPS, AT(data.classes), .min = 1, .max = SG_CLASSES_MAX,
     .item = class_fields, .item_size = sizeof(sg_job_class)},
    {"data.ignore", SG_YAML_INT, AT(data.label.ignore), .min = -1, .max = INFINITY,
     .fallback = "-1"},
    {"data.layer", SG_YAML_STRING, AT(data.label.layer), .max = 63, .fallback = ""},
    {"data.attribute", SG_YAML_STRING, AT(data.label.attribute), .max = 63, .fallback = ""},
    {"data.all_touched", SG_YAML_BOOL, AT(data.label.all_touched), .fallback = "false"},
    {"data.check_overlap", SG_YAML_BOOL, AT(data.check_overlap), .fallback = "true"},

    {"model.net", SG_YAML_STRING, AT(model.net), .min = 1, .max = 31, .fallback = "unet"},
    {"model.encoder", SG_YAML_STRING, AT(model.encoder), .max = 15, .fallback = ""},
    {"model.width", SG_YAML_INT, AT(model.width), .min = 0, .max = 4096, .fallback = "0"},
    {"model.depth", SG_YAML_INT, AT(model.depth), .min = 1, .max = 6, .fallback = "4"},
    {"model.output_stride", SG_YAML_INT, AT(model.output_stride), .min = 0, .max = 32,
     .fallback = "0"},
    {"model.rates", SG_YAML_INTS, AT(model.rates), .min = 0, .max = 3, .fallback = "[]"},
    {"model.pool", SG_YAML_INT, AT(model.pool), .min = -1, .max = 4096, .fallback = "0"},
    {"model.up", SG_YAML_ENUM, AT(model.up), .allowed = "transposed|bilinear",
     .fallback = "transposed"},
    {"model.separable", SG_YAML_BOOL, AT(model.separable), .fallback = "false"},
    {"model.norm", SG_YAML_ENUM, AT(model.norm), .allowed = "batch|group", .fallback = "batch"},
    {"model.groups", SG_YAML_INT, AT(model.groups), .min = 0, .max = 4096, .fallback = "0"},
    {"model.padding", SG_YAML_ENUM, AT(model.padding), .allowed = "same|valid", .fallback = "same"},
    {"model.aux", SG_YAML_BOOL, AT(model.aux), .fallback = "false"},
    {"model.dropout", SG_YAML_FLOAT, AT(model.dropout), .min = 0, .max = 0.95, .fallback = "0"},
    PATH_FIELD("model.init", model.init),
    {"model.init_bands", SG_YAML_ENUM, AT(model.init_bands),
     .allowed = "auto|match|mean|first|cyclic|none", .fallback = "auto"},
    {"model.init_roles", SG_YAML_STRINGS, AT(model.init_roles), .min = 0, .max = SG_BANDS_MAX,
     .fallback = "[]"},

    {"train.tile", SG_YAML_INT, AT(train.tile), .min = 1, .max = 16384, .fallback = "256"},
    {"train.batch", SG_YAML_INT, AT(train.batch), .min = 1, .max = SG_TRAIN_BATCH_MOST,
     .allowed = "auto", .fallback = "8"},
    {"train.crops", SG_YAML_ENUM, AT(train.crops), .allowed = "auto|labelled|all|grid|balanced",
     .fallback = "auto"},
    {"train.balance", SG_YAML_PAIRS, AT(train.balance), .fallback = "{}"},
    {"train.mining", SG_YAML_FLOAT, AT(train.mining), .min = 0, .max = 1, .fallback = "0"},
    {"train.scene_weights", SG_YAML_ENUM, AT(train.scene_weights), .allowed = "area|equal",
     .fallback = "area"},
    {"train.steps", SG_YAML_INT, AT(train.steps), .min = 0, .max = 1e12, .fallback = "0"},
    {"train.epochs", SG_YAML_FLOAT, AT(train.epochs), .min = 0, .max = 1e9, .fallback = "0"},
    {"train.rate", SG_YAML_FLOAT, AT(train.rate), .min = 0, .max = 100, .fallback = "1e-3"},
    {"train.schedule", SG_YAML_ENUM, AT(train.schedule),
     .allowed = "constant|step|poly|cosine|onecycle", .fallback = "cosine"},
    {"train.warmup", SG_YAML_FLOAT, AT(train.warmup), .min = 0, .max = 1, .fallback = "0.05"},
    {"train.floor", SG_YAML_FLOAT, AT(train.floor), .min = 0, .max = 100, .fallback = "0"},
    {"train.every", SG_YAML_INT, AT(train.every), .min = 0, .max = 1e12, .fallback = "0"},
    {"train.gamma", SG_YAML_FLOAT, AT(train.gamma), .min = 0, .max = 1, .fallback = "0.1"},
    {"train.power", SG_YAML_FLOAT, AT(train.power), .min = 0, .max = 100, .fallback = "0.9"},
    {"train.rate_batch", SG_YAML_INT, AT(train.rate_batch), .min = 0, .max = 65536,
     .fallback = "0"},
    {"train.layers", SG_YAML_MAPS, AT(train.layers), .fallback = "[]", .item = rate_fields,
     .item_size = sizeof(sg_job_rate)},
    {"train.optimizer", SG_YAML_ENUM, AT(train.optimizer), .allowed = "sgd|adam|adamw|lars|lamb",
     .fallback = "adamw"},
    {"train.trust", SG_YAML_FLOAT, AT(train.trust), .min = 0, .max = 1, .fallback = "1e-3"},
    {"train.decay", SG_YAML_FLOAT, AT(train.decay), .min = 0, .max = 1, .fallback = "0.01"},
    {"train.momentum", SG_YAML_FLOAT, AT(train.momentum), .min = 0, .max = 1, .fallback = "0.9"},
    {"train.nesterov", SG_YAML_BOOL, AT(train.nesterov), .fallback = "false"},
    {"train.clip", SG_YAML_FLOAT, AT(train.clip), .min = 0, .max = 1e9, .fallback = "0"},
    {"train.accumulate", SG_YAML_INT, AT(train.accumulate), .min = 1, .max = 65536,
     .fallback = "1"},
    {"train.recompute", SG_YAML_BOOL, AT(train.recompute), .fallback = "false"},
    {"train.wire", SG_YAML_ENUM, AT(train.wire), .allowed = "f32|bf16", .fallback = "f32"},
    {"train.augment.turns", SG_YAML_BOOL, AT(train.augment.turns), .fallback = "true",
     .alone = true},
    {"train.augment.rotate", SG_YAML_FLOAT, AT(train.augment.rotate), .min = 0, .max = 180,
     .fallback = "0"},
    {"train.augment.scale", SG_YAML_FLOATS, AT(train.augment.scale), .min = 2, .max = 2,
     .fallback = "[1, 1]"},
    {"train.augment.brightness", SG_YAML_FLOAT, AT(train.augment.brightness), .min = 0, .max = 10,
     .fallback = "0"},
    {"train.augment.contrast", SG_YAML_FLOAT, AT(train.augment.contrast), .min = 0, .max = 0.9,
     .fallback = "0"},
    {"train.augment.gamma", SG_YAML_FLOAT, AT(train.augment.gamma), .min = 0, .max = 2,
     .fallback = "0"},
    {"train.augment.per_band", SG_YAML_FLOAT, AT(train.augment.per_band), .min = 0, .max = 1,
     .fallback = "0.5"},
    {"train.augment.blur", SG_YAML_FLOAT, AT(train.augment.blur), .min = 0,
     .max = SG_BLUR_SIGMA_MAX, .fallback = "0"},
    {"train.augment.noise", SG_YAML_FLOAT, AT(train.augment.noise), .min = 0, .max = 10,
     .fallback = "0"},
    {"train.augment.band_dropout", SG_YAML_FLOAT, AT(train.augment.band_dropout), .min = 0,
     .max = 0.9, .fallback = "0"},
    {"train.augment.cut_mix", SG_YAML_FLOAT, AT(train.augment.cut_mix), .min = 0, .max = 1,
     .fallback = "0"},
    {"train.augment.paste", SG_YAML_FLOAT, AT(train.augment.paste), .min = 0, .max = 1,
     .fallback = "0"},
    {"train.augment.paste_classes", SG_YAML_STRINGS, AT(train.augment.paste_classes),
     .fallback = "[]"},
    {"train.augment.p", SG_YAML_FLOAT, AT(train.augment.p), .min = 0, .max = 1, .fallback = "0.5"},
    {"train.jitter", SG_YAML_FLOAT, AT(train.jitter), .min = 0, .max = 0.9, .fallback = "0"},
    {"train.average", SG_YAML_FLOAT, AT(train.average), .min = 0, .max = 0.99999, .fallback = "0"},
    {"train.loss", SG_YAML_MAPS, AT(train.loss), .min = 1, .max = SG_MAX_TERMS, .fallback = "[ce]",
     .allowed = "name", .item = sg_job_term_fields, .item_size = sizeof(sg_job_term)},
    {"train.class_weights", SG_YAML_STRINGS, AT(train.class_weights), .fallback = "[none]"},
    {"train.aux_weight", SG_YAML_FLOAT, AT(train.aux_weight), .min = 0.001, .max = 10,
     .fallback = "0.4"},
    {"train.sync_norm", SG_YAML_STRING, AT(train.sync_norm), .min = 1, .max = 15,
     .fallback = "true"},
    {"train.validate_every", SG_YAML_INT, AT(train.validate_every), .min = 0, .max = 1e12,
     .fallback = "0"},
    {"train.patience", SG_YAML_INT, AT(train.patience), .min = 0, .max = 1e6, .fallback = "0"},
    {"train.save_every", SG_YAML_INT, AT(train.save_every), .min = 0, .max = 1e12, .fallback = "0"},
    {"train.save_minutes", SG_YAML_FLOAT, AT(train.save_minutes), .min = 0, .max = 1e6,
     .fallback = "10"},
    {"train.stall", SG_YAML_FLOAT, AT(train.stall), .min = 0, .max = 1e6, .fallback = "0"},
    {"train.stall_ends", SG_YAML_BOOL, AT(train.stall_ends), .fallback = "false"},
    {"train.tensorboard", SG_YAML_BOOL, AT(train.tensorboard), .fallback = "false"},
    {"train.loader_threads", SG_YAML_INT, AT(train.loader_threads), .min = 0, .max = 256,
     .fallback = "0"},
    {0}};

/* A word of a STRING key that must be one of a list: the list lives with the command-line options,
 * which take the same words. */
static sg_err check_word(const sg_job *job, const char *key, const char *value, const char *words)
{
    if (sg_text_has_word(words, value))
        return SG_OK;
    return sg_yaml_fail(job->yaml, key, "'%s' is unknown; allowed: %s", value, words);
}

static sg_err check_data(const sg_job *job)
{
    const sg_job_data *data = &job->data;
    sg_class_table classes;
    sg_err err = sg_job_classes(job, &classes);
    if (err != SG_OK)
        return err;
    for (size_t i = 0; i < data->bands.count; i++) {
        if (data->bands.item[i] < 1 || data->bands.item[i] > 65535)
            return sg_yaml_fail(job->yaml, "data.bands", "band %lld; bands count from 1",
                                (long long)data->bands.item[i]);
    }
    const sg_layer *layer = data->stack.item;
    for (size_t i = 0; err == SG_OK && i < data->stack.count; i++)
        err = check_word(job, "data.stack", layer[i].resample, SG_STACK_METHODS);
    if (err != SG_OK)
        return err;
    if (data->blocks.val + data->blocks.test > 0.9)
        return sg_yaml_fail(job->yaml, "data.blocks",
                            "val and test take %g of the blocks; leave training at least 0.1",
                            data->blocks.val + data->blocks.test);
    if (data->blocks.guard >= data->blocks.size)
        return sg_yaml_fail(job->yaml, "data.blocks.guard",
                            "%lld leaves nothing of blocks of %lld; make the blocks larger",
                            (long long)data->blocks.guard, (long long)data->blocks.size);
    if (data->csv.file[0] != '\0' && (data->csv.images[0] == '\0' || data->csv.labels[0] == '\0'))
        return sg_yaml_fail(
            job->yaml, "data.csv",
            "images and labels are wanted too: \"images/{scene}.tif\", where {scene} "
            "stands for a column of the list");
    return SG_OK;
}

static sg_err check_train(const sg_job *job)
{
    const sg_job_train *train = &job->train;
    if (train->steps > 0 && train->epochs > 0)
        return sg_yaml_fail(job->yaml, "train.epochs", "steps are given too; keep one of them");
    if (train->batch % train->accumulate != 0)
        return sg_yaml_fail(job->yaml, "train.accumulate",
                            "%d parts do not divide a batch of %d samples", train->accumulate,
                            train->batch);
    if (train->schedule == SG_RATE_STEP && train->every == 0)
        return sg_yaml_fail(job->yaml, "train.schedule",
                            "step wants train.every, the steps after which the rate drops");
    if (train->floor > train->rate)
        return sg_yaml_fail(job->yaml, "train.floor", "%g lies above train.rate, %g", train->floor,
                            train->rate);
    sg_crop_rules rules;
    sg_loss loss;
    sg_err err = sg_job_loss(job, &loss);
    if (err == SG_OK)
        err = sg_job_check_augment(job);
    if (err == SG_OK)
        err = sg_job_crop_rules(job, NULL, &rules);
    if (err != SG_OK)
        return err;
    float weight[SG_CLASSES_MAX];
    int64_t pixels[SG_CLASSES_MAX] = {0};
    int32_t weights;
    return sg_job_class_weights(job, (int32_t)job->data.classes.count, pixels, weight, &weights);
}

static sg_err check_init(const sg_job *job)
{
    const sg_job_model *model = &job->model;
    bool match = model->init_bands == SG_INIT_BANDS_MATCH;
    if (model->init[0] == '\0' && model->init_bands != SG_INIT_BANDS_AUTO)
        return sg_yaml_fail(job->yaml, "model.init_bands",
                            "there is no model.init, whose first layer it is about");
    if (match != (model->init_roles.count > 0))
        return sg_yaml_fail(job->yaml, match ? "model.init_bands" : "model.init_roles",
                            "match and model.init_roles go together: a role for each band, such "
                            "as [blue, green, red, mean]");
    return SG_OK;
}

static sg_err check_model(const sg_job *job)
{
    const sg_job_model *model = &job->model;
    sg_err err = check_word(job, "model.net", model->net, sg_model_names());
    if (err == SG_OK && model->encoder[0] != '\0')
        err = check_word(job, "model.encoder", model->encoder, sg_model_encoders());
    if (err == SG_OK && model->rates.count != 0 && model->rates.count != 3)
        err = sg_yaml_fail(job->yaml, "model.rates", "%zu rates; the pyramid has three",
                           model->rates.count);
    for (size_t i = 0; err == SG_OK && i < model->rates.count; i++)
        if (model->rates.item[i] < 1 || model->rates.item[i] > 256)
            err = sg_yaml_fail(job->yaml, "model.rates", "a rate of %lld, must be 1 .. 256",
                               (long long)model->rates.item[i]);
    return err == SG_OK ? check_init(job) : err;
}

static sg_err check_job(const sg_job *job)
{
    if (strpbrk(job->name, "/ \t") != NULL)
        return sg_yaml_fail(job->yaml, "name", "'%s' names the run folder: no slashes, no blanks",
                            job->name);
    sg_err err = check_word(job, "device", job->device.device, SG_DEVICE_WORDS);
    if (err == SG_OK)
        err = check_word(job, "precision", job->device.precision, SG_PRECISION_WORDS);
    if (err == SG_OK)
        err = check_model(job);
    if (err == SG_OK)
        err = check_data(job);
    return err == SG_OK ? check_train(job) : err;
}

sg_err sg_job_load(sg_job *job, const sg_yaml_source *source)
{
    memset(job, 0, sizeof(*job));
    sg_err err = sg_yaml_load(&job->yaml, source, job_fields, job);
    if (err != SG_OK)
        return err;
    err = check_job(job);
    if (err != SG_OK)
        sg_job_clear(job);
    return err;
}

void sg_job_clear(sg_job *job)
{
    sg_yaml_close(job->yaml);
    sg_yaml_clear(job_fields, job);
    memset(job, 0, sizeof(*job));
}

sg_err sg_job_write(const sg_job *job, sg_text *text)
{
    return sg_yaml_write(job_fields, job, text);
}

sg_err sg_job_spec(const sg_job *job, sg_spec *spec)
{
    const sg_yaml_floats *nodata = &job->data.nodata;
    spec->normalize = job->data.normalize;
    spec->has_nodata = nodata->count > 0;
    spec->nodata = nodata->count > 0 ? nodata->item[0] : 0;
    sg_err err = sg_job_classes(job, &spec->classes);
    return err == SG_OK ? sg_job_layers(job, spec) : err;
}

sg_err sg_job_layers(const sg_job *job, sg_spec *spec)
{
    const sg_layer *item = job->data.stack.item;
    sg_err err = SG_OK;
    spec->layers = (int32_t)job->data.stack.count;
    for (int32_t i = 0; err == SG_OK && i < spec->layers; i++) {
        char path[SG_PATH_MAX];
        sg_layer *layer = &spec->layer[i];
        *layer = item[i];
        err = sg_expand_path(item[i].file, path);
        if (err == SG_OK && strlen(path) >= sizeof layer->file)
            err = sg_yaml_fail(job->yaml, "data.stack", "%s: longer than %d characters", path,
                               SG_LAYER_FILE_MAX - 1);
        if (err == SG_OK)
            snprintf(layer->file, sizeof layer->file, "%.*s", SG_LAYER_FILE_MAX - 1, path);
    }
    return err;
}

sg_err sg_job_classes(const sg_job *job, sg_class_table *classes)
{
    memset(classes, 0, sizeof(*classes));
    const sg_job_class *item = job->data.classes.item;
    classes->count = (int32_t)job->data.classes.count;
    for (int32_t i = 0; i < classes->count; i++) {
        sg_class *class = &classes->item[i];
        memcpy(class->name, item[i].name, sizeof(class->name));
        class->value = item[i].value >= 0 ? item[i].value : i + 1;
        char key[64];
        snprintf(key, sizeof(key), "data.classes[%d].color", i);
        if (item[i].color[0] != '\0' && sg_colour_parse(item[i].color, class->colour) != SG_OK)
            return sg_yaml_fail(job->yaml, key, "%s", sg_error_text());
    }
    sg_err err = sg_classes_complete(classes);
    return err == SG_OK ? SG_OK : sg_yaml_fail(job->yaml, "data.classes", "%s", sg_error_text());
}

/* Weights such that every class present has the same share of the loss; their mean over pixels is
 * 1. */
static void balance(int32_t classes, const int64_t *pixels, float *weight)
{
    double total = 0;
    int32_t present = 0;
    for (int32_t i = 0; i < classes; i++) {
        total += (double)pixels[i];
        present += pixels[i] > 0;
    }
    for (int32_t i = 0; i < classes; i++)
        weight[i] = pixels[i] > 0 ? (float)(total / ((double)present * (double)pixels[i])) : 0;
}

sg_err sg_job_class_weights(const sg_job *job, int32_t classes, const int64_t *pixels,
                            float *weight, int32_t *weights)
{
    const sg_yaml_strings *given = &job->train.class_weights;
    const char *key = "train.class_weights";
    *weights = 0;
    if (given->count == 1 && strcmp(given->item[0], "none") == 0)
        return SG_OK;
    *weights = classes;
    if (given->count == 1 && strcmp(given->item[0], "balanced") == 0) {
        balance(classes, pixels, weight);
        return SG_OK;
    }
    if (given->count != (size_t)classes)
        return sg_yaml_fail(job->yaml, key,
                            "%zu values for %d classes; allowed: none, balanced, or a number for "
                            "each class",
                            given->count, classes);
    for (int32_t i = 0; i < classes; i++) {
        char *end = NULL;
        weight[i] = strtof(given->item[i], &end);
        if (end == given->item[i] || *end != '\0' || !(weight[i] >= 0 && weight[i] < 1e6f))
            return sg_yaml_fail(job->yaml, key, "'%s' is no weight; weights are numbers from 0 up",
                                given->item[i]);
    }
    return SG_OK;
}

enum { DEFAULT_STEPS = 2000 };

int64_t sg_job_steps(const sg_job *job, int64_t steps_per_epoch)
{
    if (job->train.steps > 0)
        return job->train.steps;
    if (job->train.epochs > 0)
        return sg_max64(1, (int64_t)ceil(job->train.epochs * (double)steps_per_epoch));
    return DEFAULT_STEPS;
}

/* Rates grow with the batch (Goyal et al. 2017), those of LAMB with its root (You et al. 2020). */
static double rate_scale(const sg_job_train *train)
{
    if (train->rate_batch == 0)
        return 1;
    double times = (double)train->batch / train->rate_batch;
    return train->optimizer == SG_LAMB ? sqrt(times) : times;
}

sg_schedule sg_job_schedule(const sg_job *job, int64_t steps)
{
    double scale = rate_scale(&job->train);
    return (sg_schedule){.kind = job->train.schedule,
                         .base = job->train.rate * scale,
                         .floor = job->train.floor * scale,
                         .steps = steps,
                         .warmup = (int64_t)llround(job->train.warmup * (double)steps),
                         .every = job->train.every,
                         .warmup_start = 0.04, /* as in one-cycle schedules */
                         .gamma = job->train.gamma,
                         .power = job->train.power};
}

sg_update sg_job_update(const sg_job *job)
{
    return (sg_update){.rule = job->train.optimizer,
                       .rate = (float)job->train.rate,
                       .decay = (float)job->train.decay,
                       .momentum = (float)job->train.momentum,
                       .nesterov = job->train.nesterov,
                       .beta1 = 0.9f,
                       .beta2 = 0.999f,
                       .epsilon = job->train.optimizer == SG_LAMB ? 1e-6f : 1e-8f,
                       .trust = (float)job->train.trust,
                       .gradient_scale = 1};
}

sg_model_options sg_job_model_options(const sg_job *job, int32_t bands, int32_t classes)
{
    sg_model_options options = sg_model_defaults();
    snprintf(options.net, sizeof(options.net), "%s", job->model.net);
    options.bands = bands;
    options.classes = classes;
    snprintf(options.encoder, sizeof(options.encoder), "%s", job->model.encoder);
    options.depth = job->model.depth;
    options.width = job->model.width;
    options.output_stride = job->model.output_stride;
    for (size_t i = 0; i < job->model.rates.count; i++)
        options.rates[i] = (int32_t)job->model.rates.item[i];
    options.pool = job->model.pool;
    options.up = job->model.up;
    options.separable = job->model.separable;
    options.norm = job->model.norm;
    options.groups = job->model.groups;
    options.valid = job->model.padding;
    options.aux = job->model.aux;
    options.dropout = (float)job->model.dropout;
    return options;
}
