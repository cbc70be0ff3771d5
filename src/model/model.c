#include "model/networks.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *name;
    sg_err (*build)(const sg_model_options *options, sg_graph **graph);
} network;

static const network networks[] = {
    {"unet", sg_unet_build},
    {"deeplabv3", sg_deeplab3_build},
    {"deeplabv3+", sg_deeplab3plus_build},
    {"pspnet", sg_pspnet_build},
    {"fcn", sg_fcn_build},
    {"fcn8s", sg_fcn8s_build},
    {"fcn16s", sg_fcn16s_build},
    {"fcn32s", sg_fcn32s_build},
};

enum { MOST_BANDS = 65535, MOST_WIDTH = 4096, MOST_POOL = 4096 };

sg_model_options sg_model_defaults(void)
{
    return (sg_model_options){.net = "unet"};
}

const char *sg_model_names(void)
{
    return "unet deeplabv3 deeplabv3+ pspnet fcn fcn8s fcn16s fcn32s";
}

static sg_err check_channels(const sg_model_options *options)
{
    if (options->bands < 1 || options->bands > MOST_BANDS)
        return sg_fail(SG_EUSAGE, "a network of %d bands, must be 1 .. %d", (int)options->bands,
                       MOST_BANDS);
    if (options->classes < 2 || options->classes > SG_MAX_CLASSES)
        return sg_fail(SG_EUSAGE, "a network of %d classes, must be 2 .. %d", (int)options->classes,
                       SG_MAX_CLASSES);
    if (options->width < 0 || options->width > MOST_WIDTH)
        return sg_fail(SG_EUSAGE, "a network of width %d, must be 1 .. %d, or 0 for its own",
                       (int)options->width, MOST_WIDTH);
    return SG_OK;
}

static sg_err check(const sg_model_options *options)
{
    int32_t stride = options->output_stride;
    if (!(options->dropout >= 0 && options->dropout < 1))
        return sg_fail(SG_EUSAGE, "dropout is %g, must be at least 0 and less than 1",
                       (double)options->dropout);
    if (stride != 0 && stride != 8 && stride != 16 && stride != 32)
        return sg_fail(SG_EUSAGE, "an output stride of %d, must be 8, 16 or 32", (int)stride);
    for (int i = 0; i < 3; i++)
        if (options->rates[i] < 0 || options->rates[i] > 256)
            return sg_fail(SG_EUSAGE, "a dilation rate of %d, must be 1 .. 256",
                           (int)options->rates[i]);
    if (options->pool < -1 || options->pool > MOST_POOL)
        return sg_fail(SG_EUSAGE, "image pooling over %d pixels, must be 1 .. %d, or -1 for all",
                       (int)options->pool, MOST_POOL);
    if (options->groups < 0 || options->groups > MOST_WIDTH)
        return sg_fail(SG_EUSAGE, "group norm of %d groups, must be 1 .. %d, or 0 for 32",
                       (int)options->groups, MOST_WIDTH);
    if (options->groups > 0 && options->norm != SG_NORM_GROUP)
        return sg_fail(SG_EUSAGE, "groups are for norm: group; batch norm has none");
    if (options->valid && strcmp(options->net, "unet") != 0)
        return sg_fail(SG_EUSAGE, "convolutions without padding are for unet, not for %s",
                       options->net);
    if (options->valid && options->norm == SG_NORM_GROUP)
        return sg_fail(SG_EUSAGE,
                       "convolutions without padding and group norm exclude each other: group norm "
                       "looks at the whole tile, so that tiles are blended, but along its sides "
                       "such a network has no result");
    return check_channels(options);
}

sg_err sg_model_build(const sg_model_options *options, sg_graph **graph)
{
    *graph = NULL;
    for (size_t i = 0; i < sizeof networks / sizeof *networks; i++) {
        if (strncmp(options->net, networks[i].name, sizeof options->net) != 0)
            continue;
        sg_err err = check(options);
        return err ? err : networks[i].build(options, graph);
    }
    return sg_fail(SG_EUSAGE, "the network \"%.*s\" is not known; there are: %s",
                   (int)sizeof options->net, options->net, sg_model_names());
}

/* ---- "unet,width=64" ---- */

typedef struct {
    const char *name;
    size_t offset; /* of an int32_t in sg_model_options */
} number;

static const number numbers[] = {
    {"bands", offsetof(sg_model_options, bands)},
    {"classes", offsetof(sg_model_options, classes)},
    {"depth", offsetof(sg_model_options, depth)},
    {"width", offsetof(sg_model_options, width)},
    {"output_stride", offsetof(sg_model_options, output_stride)},
    {"pool", offsetof(sg_model_options, pool)},
    {"separable", offsetof(sg_model_options, separable)},
    {"groups", offsetof(sg_model_options, groups)},
    {"aux", offsetof(sg_model_options, aux)},
    {"valid", offsetof(sg_model_options, valid)},
};

/* A whole number, up to `end` or the text's end; NULL where there is none. */
static const char *read_number(const char *text, int32_t *value)
{
    char *end = NULL;
    long read = strtol(text, &end, 10);
    if (end == text || read < -1 || read > 1 << 20)
        return NULL;
    *value = (int32_t)read;
    return end;
}

static bool read_rates(const char *text, int32_t rates[3])
{
    for (int i = 0; text && i < 3; i++) {
        text = read_number(text, &rates[i]);
        if (i < 2 && text)
            text = *text == ':' ? text + 1 : NULL;
    }
    return text && *text == '\0';
}

static bool read_dropout(const char *text, float *dropout)
{
    char *end = NULL;
    *dropout = strtof(text, &end);
    return end != text && *end == '\0';
}

static bool read_up(const char *text, int32_t *up)
{
    *up = strcmp(text, "bilinear") == 0 ? SG_UP_BILINEAR : SG_UP_TRANSPOSED;
    return *up == SG_UP_BILINEAR || strcmp(text, "transposed") == 0;
}

static bool read_norm(const char *text, int32_t *norm)
{
    *norm = strcmp(text, "group") == 0 ? SG_NORM_GROUP : SG_NORM_BATCH;
    return *norm == SG_NORM_GROUP || strcmp(text, "batch") == 0;
}

static bool read_encoder(const char *text, char encoder[16])
{
    size_t length = strlen(text);
    if (length >= 16)
        return false;
    memcpy(encoder, text, length + 1);
    return true;
}

static bool read_option(const char *name, const char *value, sg_model_options *options)
{
    if (strcmp(name, "rates") == 0)
        return read_rates(value, options->rates);
    if (strcmp(name, "dropout") == 0)
        return read_dropout(value, &options->dropout);
    if (strcmp(name, "up") == 0)
        return read_up(value, &options->up);
    if (strcmp(name, "norm") == 0)
        return read_norm(value, &options->norm);
    if (strcmp(name, "encoder") == 0)
        return read_encoder(value, options->encoder);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        int32_t *target = (int32_t *)((char *)options + numbers[i].offset);
        const char *end = strcmp(name, numbers[i].name) == 0 ? read_number(value, target) : NULL;
        if (end)
            return *end == '\0';
    }
    return false;
}

sg_err sg_model_parse(const char *text, sg_model_options *options)
{
    char copy[256], *rest = copy, *item;
    if (strlen(text) >= sizeof copy)
        return sg_fail(SG_EUSAGE, "the network \"%.20s...\" is described too long", text);
    strcpy(copy, text);
    item = strsep(&rest, ",");
    if (strlen(item) >= sizeof options->net)
        return sg_fail(SG_EUSAGE, "the network \"%s\" is not known; there are: %s", item,
                       sg_model_names());
    strcpy(options->net, item);
    while ((item = strsep(&rest, ","))) {
        char *value = strchr(item, '=');
        if (value)
            *value++ = '\0';
        if (!value || !read_option(item, value, options))
            return sg_fail(SG_EUSAGE,
                           "\"%s\": the option \"%s%s%s\" is not understood; there are: bands, "
                           "classes, depth, width, dropout, encoder, output_stride, rates=6:12:18, "
                           "pool, up=transposed|bilinear, separable=0|1, norm=batch|group, groups, "
                           "aux=0|1, valid=0|1",
                           text, item, value ? "=" : "", value ? value : "");
    }
    return SG_OK;
}
