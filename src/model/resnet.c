#include "model/networks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STAGES = 4, STEM = 64, EXPANSION = 4, USUAL = 50 };

typedef struct {
    int32_t layers;
    bool bottleneck;
    int32_t blocks[STAGES];
} variant;

static const variant variants[] = {
    {18, false, {2, 2, 2, 2}},
    {34, false, {3, 4, 6, 3}},
    {50, true, {3, 4, 6, 3}},
    {101, true, {3, 4, 23, 3}},
};

const char *sg_model_encoders(void)
{
    return "resnet18 resnet34 resnet50 resnet101";
}

sg_err sg_resnet_layers(const char *encoder, int32_t *layers)
{
    static const char kin[] = "resnet";
    *layers = USUAL;
    if (!*encoder)
        return SG_OK;
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
        *layers = variants[i].layers;
        if (strncmp(encoder, kin, sizeof kin - 1) == 0 &&
            strtol(encoder + sizeof kin - 1, NULL, 10) == *layers)
            return SG_OK;
    }
    return sg_fail(SG_EUSAGE, "the encoder \"%s\" is not known; there are: %s", encoder,
                   sg_model_encoders());
}

/* One residual block: what its convolutions have besides channels. */
typedef struct {
    char name[SG_NAME_MAX / 2]; /* "encoder.layer1.0" */
    bool bottleneck, project;   /* project: the way past it has a convolution too */
    int32_t channels;           /* before the expansion */
    int32_t stride, dilation;
} block;

static int32_t conv_norm(sg_builder *b, int32_t x, const block *k, int number, sg_conv_shape shape)
{
    x = sg_add_conv(b, x, shape, sg_name(b, "%s.conv%d", k->name, number));
    return sg_add_norm(b, x, sg_name(b, "%s.bn%d", k->name, number));
}

static int32_t relu(sg_builder *b, int32_t x, const block *k, int number)
{
    return sg_add_relu(b, x, sg_name(b, "%s.relu%d", k->name, number));
}

static int32_t basic_path(sg_builder *b, int32_t x, const block *k)
{
    sg_conv_shape first = {
        .channels = k->channels, .kernel = 3, .stride = k->stride, .dilation = k->dilation};
    sg_conv_shape second = {
        .channels = k->channels, .kernel = 3, .stride = 1, .dilation = k->dilation};
    x = relu(b, conv_norm(b, x, k, 1, first), k, 1);
    return conv_norm(b, x, k, 2, second);
}

static int32_t bottleneck_path(sg_builder *b, int32_t x, const block *k)
{
    sg_conv_shape middle = {
        .channels = k->channels, .kernel = 3, .stride = k->stride, .dilation = k->dilation};
    x = relu(b, conv_norm(b, x, k, 1, (sg_conv_shape){.channels = k->channels}), k, 1);
    x = relu(b, conv_norm(b, x, k, 2, middle), k, 2);
    return conv_norm(b, x, k, 3, (sg_conv_shape){.channels = EXPANSION * k->channels});
}

static int32_t add_block(sg_builder *b, int32_t x, const block *k)
{
    int32_t past = x;
    x = k->bottleneck ? bottleneck_path(b, x, k) : basic_path(b, x, k);
    if (k->project) {
        sg_conv_shape shape = {
            .channels = sg_builder_channels(b, x), .kernel = 1, .stride = k->stride};
        past = sg_add_conv(b, past, shape, sg_name(b, "%s.downsample.0", k->name));
        past = sg_add_norm(b, past, sg_name(b, "%s.downsample.1", k->name));
    }
    x = sg_add_sum(b, x, past, sg_name(b, "%s.add", k->name));
    return sg_add_relu(b, x, sg_name(b, "%s.relu", k->name));
}

/* Of the network so far. */
typedef struct {
    int32_t stride, dilation;
} scale;

static int32_t add_stage(sg_builder *b, int32_t x, const variant *v, int stage, int32_t most,
                         scale *now)
{
    block k = {.bottleneck = v->bottleneck, .channels = STEM << stage, .dilation = now->dilation};
    int32_t stride = stage > 0 ? 2 : 1;
    if (now->stride * stride > most) { /* a stride too many becomes a dilation */
        now->dilation *= stride;
        stride = 1;
    }
    now->stride *= stride;
    for (int i = 0; i < v->blocks[stage]; i++) {
        snprintf(k.name, sizeof k.name, "encoder.layer%d.%d", stage + 1, i);
        k.stride = i == 0 ? stride : 1;
        k.project = i == 0 && (stage > 0 || v->bottleneck);
        x = add_block(b, x, &k);
        k.dilation = now->dilation;
    }
    return x;
}

void sg_resnet_add(sg_builder *b, int32_t x, int32_t layers, int32_t output_stride,
                   sg_features *features)
{
    const variant *v = variants;
    scale now = {4, 1};
    while (v->layers != layers)
        v++;
    x = sg_add_conv(b, x, (sg_conv_shape){.channels = STEM, .kernel = 7, .stride = 2},
                    "encoder.conv1");
    x = sg_add_relu(b, sg_add_norm(b, x, "encoder.bn1"), "encoder.relu");
    features->level[0] = -1;
    features->level[1] = x;
    x = sg_add_max_pool(b, x, 3, 2, 1, "encoder.maxpool");
    for (int stage = 0; stage < STAGES; stage++) {
        x = add_stage(b, x, v, stage, output_stride, &now);
        features->level[stage + 2] = x;
    }
}
