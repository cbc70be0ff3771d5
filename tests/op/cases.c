#include "op/cases.h"

/* Square window: kernel, stride, padding, dilation, groups, output channels, bias. */
#define WINDOW(k, s, p, d, g, o, b)                                                                \
    .attr.window = {.kernel_h = k,                                                                 \
                    .kernel_w = k,                                                                 \
                    .stride_h = s,                                                                 \
                    .stride_w = s,                                                                 \
                    .dilation_h = d,                                                               \
                    .dilation_w = d,                                                               \
                    .pad = {p, p, p, p},                                                           \
                    .groups = g,                                                                   \
                    .out_channels = o,                                                             \
                    .bias = b}
/* Any window: kernel, strides, dilations as height, width; padding top, bottom, left, right. */
#define WINDOW2(kh, kw, sh, sw, dh, dw, t, bo, l, r, o, b)                                         \
    .attr.window = {.kernel_h = kh,                                                                \
                    .kernel_w = kw,                                                                \
                    .stride_h = sh,                                                                \
                    .stride_w = sw,                                                                \
                    .dilation_h = dh,                                                              \
                    .dilation_w = dw,                                                              \
                    .pad = {t, bo, l, r},                                                          \
                    .groups = 1,                                                                   \
                    .out_channels = o,                                                             \
                    .bias = b}
#define IN1(...) .inputs = 1, .in = {{__VA_ARGS__}}
#define CONV(text, ...)                                                                            \
    {                                                                                              \
        .name = "conv: " text, .op = SG_OP_conv, __VA_ARGS__                                       \
    }
#define TRANSPOSE(text, ...)                                                                       \
    {                                                                                              \
        .name = "conv_transpose: " text, .op = SG_OP_conv_transpose, __VA_ARGS__                   \
    }
#define NORM(text, ...)                                                                            \
    {                                                                                              \
        .name = "batch_norm: " text, .op = SG_OP_batch_norm, .attr.norm = {1e-5f, .1f},            \
        __VA_ARGS__                                                                                \
    }
#define GROUPS(text, count, ...)                                                                   \
    {                                                                                              \
        .name = "group_norm: " text, .op = SG_OP_group_norm, .attr.group_norm = {1e-5f, count},    \
        __VA_ARGS__                                                                                \
    }
/* What is cut off and what is added, each top, bottom, left, right in brackets. */
#define CROP(text, off, on, ...)                                                                   \
    {                                                                                              \
        .name = "crop: " text, .op = SG_OP_crop, .attr.crop = {UNWRAP off, UNWRAP on}, __VA_ARGS__ \
    }
#define ACT(text, kind, ...)                                                                       \
    {                                                                                              \
        .name = "activation: " text, .op = SG_OP_activation, .act = kind, __VA_ARGS__              \
    }
#define MAX_POOL(text, ...)                                                                        \
    {                                                                                              \
        .name = "max_pool: " text, .op = SG_OP_max_pool, __VA_ARGS__                               \
    }
#define AVG_POOL(text, ...)                                                                        \
    {                                                                                              \
        .name = "avg_pool: " text, .op = SG_OP_avg_pool, __VA_ARGS__                               \
    }
#define GLOBAL(text, pool, ...)                                                                    \
    {                                                                                              \
        .name = "global_pool: " text, .op = SG_OP_global_pool, .attr.global.kind = pool,           \
        __VA_ARGS__                                                                                \
    }
/* align_corners, scale_h, scale_w */
#define RESIZE(text, a, sh, sw, ...)                                                               \
    {                                                                                              \
        .name = "resize: " text, .op = SG_OP_resize, .attr.resize = {a, sh, sw}, __VA_ARGS__       \
    }
#define CONCAT(text, ...)                                                                          \
    {                                                                                              \
        .name = "concat: " text, .op = SG_OP_concat, __VA_ARGS__                                   \
    }
#define ADD(text, ...)                                                                             \
    {                                                                                              \
        .name = "add: " text, .op = SG_OP_add, __VA_ARGS__                                         \
    }
#define DROPOUT(text, share, ...)                                                                  \
    {                                                                                              \
        .name = "dropout: " text, .op = SG_OP_dropout, .attr.dropout.rate = share, __VA_ARGS__     \
    }
#define SOFTMAX(text, ...)                                                                         \
    {                                                                                              \
        .name = "softmax: " text, .op = SG_OP_softmax, __VA_ARGS__                                 \
    }
#define LOSS(text, kind, ...)                                                                      \
    {                                                                                              \
        .name = "softmax_loss: " text, .op = SG_OP_softmax_loss, .attr.loss.weight = 1,            \
        .labels = kind, __VA_ARGS__                                                                \
    }
/* Members of attr.loss in brackets. */
#define TERM(text, kind, members, ...)                                                             \
    {                                                                                              \
        .name = "softmax_loss: " text, .op = SG_OP_softmax_loss, .attr.loss = UNWRAP members,      \
        .labels = kind, __VA_ARGS__                                                                \
    }
#define UNWRAP(...)                                                                                \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }
/* alpha, beta, smooth */
#define REGION(text, kind, a, b, s, ...)                                                           \
    {                                                                                              \
        .name = "region_loss: " text, .op = SG_OP_region_loss,                                     \
        .attr.loss = {.weight = .5f, .alpha = a, .beta = b, .smooth = s}, .labels = kind,          \
        __VA_ARGS__                                                                                \
    }
#define LOVASZ(text, kind, ...)                                                                    \
    {                                                                                              \
        .name = "lovasz_loss: " text, .op = SG_OP_lovasz_loss, .attr.loss.weight = 1.5f,           \
        .labels = kind, __VA_ARGS__                                                                \
    }

const op_case op_cases[] = {
    /* clang-format off */
    {.name = "input: 5 bands", .op = SG_OP_input, .attr.window.out_channels = 5,
     .in = {{3, 4, 7, 5}}},

    CONV("1x1 of one value", WINDOW(1, 1, 0, 1, 1, 1, 1), IN1(1, 1, 1, 1)),
    CONV("1x1, 16 to 32", WINDOW(1, 1, 0, 1, 1, 32, 1), IN1(1, 8, 8, 16)),
    CONV("1x1, stride 2", WINDOW(1, 2, 0, 1, 1, 6, 0), IN1(2, 7, 5, 3)),
    CONV("1x1, stride 4", WINDOW(1, 4, 0, 1, 1, 4, 0), IN1(1, 9, 10, 5)),
    CONV("1x1 to 2 classes in f32", WINDOW(1, 1, 0, 1, 1, 2, 1), IN1(2, 9, 7, 17), .out_f32 = 1),
    CONV("1x1 to 40 classes in f32", WINDOW(1, 1, 0, 1, 1, 40, 1), IN1(1, 5, 6, 8), .out_f32 = 1),
    CONV("3x3 of one pixel", WINDOW(3, 1, 1, 1, 1, 5, 1), IN1(3, 1, 1, 3)),
    CONV("3x3 of one row", WINDOW(3, 1, 1, 1, 1, 8, 0), IN1(1, 1, 40, 4)),
    CONV("3x3 of one column", WINDOW(3, 1, 1, 1, 1, 8, 0), IN1(1, 23, 1, 4)),
    CONV("3x3, 3 to 5", WINDOW(3, 1, 1, 1, 1, 5, 1), IN1(2, 7, 9, 3)),
    CONV("3x3, 5 to 17, batch 3", WINDOW(3, 1, 1, 1, 1, 17, 0), IN1(3, 11, 13, 5)),
    CONV("3x3, 17 to 3, no padding", WINDOW(3, 1, 0, 1, 1, 3, 0), IN1(1, 8, 7, 17)),
    CONV("3x3, 1 to 1", WINDOW(3, 1, 1, 1, 1, 1, 0), IN1(2, 6, 5, 1)),
    CONV("3x3, 16 to 16, relu", WINDOW(3, 1, 1, 1, 1, 16, 1), IN1(1, 16, 16, 16),
         .act = SG_ACT_RELU),
    CONV("3x3, 32 to 64", WINDOW(3, 1, 1, 1, 1, 64, 0), IN1(1, 6, 10, 32)),
    CONV("3x3, 64 to 32", WINDOW(3, 1, 1, 1, 1, 32, 0), IN1(2, 5, 7, 64)),
    CONV("3x3, 16 to 16, padded unevenly", WINDOW2(3, 3, 2, 2, 1, 1, 0, 1, 0, 1, 16, 0),
         IN1(2, 6, 8, 16)),
    CONV("3x3, 16 to 8 in f32", WINDOW(3, 1, 1, 1, 1, 8, 1), IN1(1, 6, 5, 16), .out_f32 = 1),
    CONV("3x3, 16 to 24, silu", WINDOW(3, 1, 1, 1, 1, 24, 1), IN1(1, 7, 5, 16),
         .act = SG_ACT_SILU),
    CONV("1x1, 16 to 32, sum, relu", WINDOW(1, 1, 0, 1, 1, 32, 1), .inputs = 2,
         .in = {{2, 5, 4, 16}, {2, 5, 4, 32}}, .act = SG_ACT_RELU),
    CONV("3x3, 8 to 16, stride 2, sum", WINDOW(3, 2, 1, 1, 1, 16, 0), .inputs = 2,
         .in = {{1, 7, 6, 8}, {1, 4, 3, 16}}),
    CONV("3x3, 5 to 6, sum, silu", WINDOW(3, 1, 1, 1, 1, 6, 1), .inputs = 2,
         .in = {{2, 5, 4, 5}, {2, 5, 4, 6}}, .act = SG_ACT_SILU),
    CONV("1x1, 8 to 8 in f32, sum", WINDOW(1, 1, 0, 1, 1, 8, 1), .inputs = 2,
         .in = {{1, 4, 5, 8}, {1, 4, 5, 8}}, .out_f32 = 1),
    CONV("1x1, 8 to 5", WINDOW(1, 1, 0, 1, 1, 5, 1), IN1(2, 4, 5, 8)),
    CONV("1x1, 5 to 8, relu", WINDOW(1, 1, 0, 1, 1, 8, 1), IN1(2, 4, 5, 5), .act = SG_ACT_RELU),
    CONV("3x3, 4 to 24, wide", WINDOW(3, 1, 1, 1, 1, 24, 0), IN1(1, 3, 70, 4)),
    CONV("3x3, dilation 2", WINDOW(3, 1, 2, 2, 1, 8, 0), IN1(1, 13, 11, 4)),
    CONV("3x3, dilation 6 beyond the image", WINDOW(3, 1, 6, 6, 1, 4, 1), IN1(1, 5, 15, 3)),
    CONV("3x3, 2 groups", WINDOW(3, 1, 1, 1, 2, 6, 1), IN1(2, 5, 7, 4)),
    CONV("3x3, 2 groups of 16", WINDOW(3, 1, 1, 1, 2, 32, 0), IN1(1, 6, 5, 32)),
    CONV("3x3, depthwise", WINDOW(3, 1, 1, 1, 5, 5, 0), IN1(2, 7, 6, 5)),
    CONV("3x3, depthwise of 16, relu6", WINDOW(3, 1, 1, 1, 16, 16, 1), IN1(1, 9, 8, 16),
         .act = SG_ACT_RELU6),
    CONV("3x3, depthwise, two outputs each", WINDOW(3, 1, 1, 1, 3, 6, 0), IN1(1, 6, 6, 3)),
    CONV("3x3, depthwise, stride 2, dilation 2", WINDOW(3, 2, 2, 2, 3, 3, 0), IN1(1, 9, 11, 3)),
    CONV("3x3, stride 2, padded below and right",
         WINDOW2(3, 3, 2, 2, 1, 1, 0, 1, 0, 1, 8, 0), IN1(2, 8, 10, 3)),
    CONV("3x3, stride 2, padded above only", WINDOW2(3, 3, 2, 2, 1, 1, 2, 0, 1, 0, 5, 1),
         IN1(1, 7, 8, 5)),
    CONV("7x7, stride 2", WINDOW(7, 2, 3, 1, 1, 8, 0), IN1(1, 17, 19, 3)),
    CONV("5x2, stride 3 and 1", WINDOW2(5, 2, 3, 1, 1, 1, 2, 1, 0, 1, 7, 1), IN1(2, 11, 6, 5)),
    CONV("1x3, dilation 1 and 3", WINDOW2(1, 3, 1, 1, 1, 3, 0, 0, 3, 3, 6, 0), IN1(1, 4, 12, 6)),
    CONV("padding wider than the kernel", WINDOW(3, 1, 4, 1, 1, 2, 1), IN1(1, 3, 4, 2)),
    CONV("leaky", WINDOW(3, 1, 1, 1, 1, 5, 1), IN1(1, 6, 7, 4), .act = SG_ACT_LEAKY),
    CONV("silu", WINDOW(3, 1, 1, 1, 1, 8, 1), IN1(2, 5, 5, 4), .act = SG_ACT_SILU),
    CONV("sigmoid", WINDOW(1, 1, 0, 1, 1, 3, 1), IN1(1, 6, 7, 8), .act = SG_ACT_SIGMOID),

    TRANSPOSE("2x2, stride 2", WINDOW(2, 2, 0, 1, 1, 3, 1), IN1(2, 5, 7, 5)),
    TRANSPOSE("2x2, stride 2, 32 to 16, relu", WINDOW(2, 2, 0, 1, 1, 16, 1), IN1(1, 6, 4, 32),
              .act = SG_ACT_RELU),
    TRANSPOSE("2x2, stride 2, one pixel, batch 3", WINDOW(2, 2, 0, 1, 1, 17, 0), IN1(3, 1, 1, 3)),
    TRANSPOSE("2x2, stride 2, 1 to 1", WINDOW(2, 2, 0, 1, 1, 1, 0), IN1(1, 3, 4, 1)),
    TRANSPOSE("3x3, stride 2, output padding", .attr.window = {.kernel_h = 3, .kernel_w = 3,
              .stride_h = 2, .stride_w = 2, .dilation_h = 1, .dilation_w = 1, .pad = {1, 1, 1, 1},
              .groups = 1, .out_channels = 6, .out_pad_h = 1, .out_pad_w = 1, .bias = 1},
              IN1(1, 4, 5, 4)),
    TRANSPOSE("2x2, stride 2, 16 to 16, no bias", WINDOW(2, 2, 0, 1, 1, 16, 0), IN1(2, 4, 5, 16)),
    TRANSPOSE("4x4, stride 2", WINDOW(4, 2, 1, 1, 1, 8, 0), IN1(1, 5, 3, 8)),
    TRANSPOSE("3x3, stride 1", WINDOW(3, 1, 1, 1, 1, 5, 0), IN1(1, 6, 5, 3)),
    TRANSPOSE("4x3, stride 3 and 2, cropped unevenly",
              WINDOW2(4, 3, 3, 2, 1, 1, 0, 1, 2, 0, 4, 1), IN1(2, 4, 5, 3)),
    TRANSPOSE("2x2, stride 3 leaves gaps", WINDOW(2, 3, 0, 1, 1, 4, 1), IN1(1, 3, 4, 3)),
    TRANSPOSE("silu", WINDOW(2, 2, 0, 1, 1, 4, 1), IN1(1, 3, 4, 6), .act = SG_ACT_SILU),

    NORM("1 channel", IN1(2, 5, 7, 1)),
    NORM("3 channels", IN1(3, 4, 5, 3)),
    NORM("17 channels, relu", IN1(2, 5, 6, 17), .act = SG_ACT_RELU),
    NORM("64 channels, relu", IN1(2, 7, 5, 64), .act = SG_ACT_RELU),
    NORM("one value per sample", IN1(3, 1, 1, 5)),
    NORM("one value", IN1(1, 1, 1, 4)),
    NORM("a large mean", IN1(2, 9, 8, 5), .values = OP_VALUES_OFFSET),
    NORM("leaky", IN1(1, 6, 7, 8), .act = SG_ACT_LEAKY),
    NORM("relu6", IN1(1, 6, 7, 5), .act = SG_ACT_RELU6),
    NORM("silu", IN1(2, 4, 7, 5), .act = SG_ACT_SILU),
    NORM("sigmoid", IN1(1, 6, 7, 3), .act = SG_ACT_SIGMOID),

    GROUPS("1 channel", 1, IN1(2, 5, 7, 1)),
    GROUPS("6 channels in 2", 2, IN1(3, 4, 5, 6)),
    GROUPS("each channel alone", 5, IN1(2, 6, 5, 5)),
    GROUPS("all channels together", 1, IN1(2, 5, 6, 17), .act = SG_ACT_RELU),
    GROUPS("64 channels in 32, relu", 32, IN1(2, 7, 5, 64), .act = SG_ACT_RELU),
    GROUPS("24 channels in 3", 3, IN1(2, 3, 40, 24)),
    GROUPS("one pixel", 2, IN1(3, 1, 1, 8)),
    GROUPS("one value", 4, IN1(1, 1, 1, 4)),
    GROUPS("a large mean", 2, IN1(2, 9, 8, 6), .values = OP_VALUES_OFFSET),
    GROUPS("leaky", 2, IN1(1, 6, 7, 8), .act = SG_ACT_LEAKY),
    GROUPS("relu6", 5, IN1(2, 6, 7, 5), .act = SG_ACT_RELU6),
    GROUPS("silu", 3, IN1(2, 4, 7, 6), .act = SG_ACT_SILU),
    GROUPS("sigmoid", 1, IN1(1, 6, 7, 3), .act = SG_ACT_SIGMOID),

    CROP("nothing", (0), (0), IN1(2, 3, 4, 5)),
    CROP("of the same margin", (2, 2, 2, 2), (0), IN1(2, 7, 9, 3)),
    CROP("unevenly", (1, 2, 0, 3), (0), IN1(2, 7, 6, 16)),
    CROP("to one pixel", (3, 2, 1, 4), (0), IN1(1, 6, 6, 8)),
    CROP("adding only", (0), (1, 2, 3, 0), IN1(2, 4, 3, 5)),
    CROP("and adding", (2, 0, 1, 1), (1, 3, 0, 2), IN1(2, 5, 7, 24)),
    CROP("and adding, to f32", (0, 1, 2, 0), (3, 0, 0, 1), IN1(2, 5, 4, 2), .out_f32 = 1),

    ACT("relu", SG_ACT_RELU, IN1(2, 5, 7, 3)),
    ACT("relu6", SG_ACT_RELU6, IN1(1, 9, 5, 17)),
    ACT("leaky", SG_ACT_LEAKY, IN1(3, 1, 1, 5)),
    ACT("silu", SG_ACT_SILU, IN1(1, 5, 6, 16)),
    ACT("sigmoid", SG_ACT_SIGMOID, IN1(1, 7, 3, 5)),
    ACT("relu of one value", SG_ACT_RELU, IN1(1, 1, 1, 1)),

    MAX_POOL("2x2", WINDOW(2, 2, 0, 1, 1, 0, 0), IN1(2, 6, 8, 5), .values = OP_VALUES_DISTINCT),
    MAX_POOL("2x2 of 32 channels", WINDOW(2, 2, 0, 1, 1, 0, 0), IN1(1, 8, 8, 32),
             .values = OP_VALUES_DISTINCT),
    MAX_POOL("2x2, odd sizes", WINDOW(2, 2, 0, 1, 1, 0, 0), IN1(1, 7, 5, 3),
             .values = OP_VALUES_DISTINCT),
    MAX_POOL("2x2, ties", WINDOW(2, 2, 0, 1, 1, 0, 0), IN1(3, 6, 6, 17), .values = OP_VALUES_TIES),
    MAX_POOL("3x3, stride 2, 16 channels", WINDOW(3, 2, 1, 1, 1, 0, 0), IN1(2, 9, 8, 16),
             .values = OP_VALUES_DISTINCT),
    MAX_POOL("3x3, stride 2", WINDOW(3, 2, 1, 1, 1, 0, 0), IN1(1, 9, 8, 5),
             .values = OP_VALUES_DISTINCT),
    MAX_POOL("3x3, stride 1, ties", WINDOW(3, 1, 1, 1, 1, 0, 0), IN1(1, 6, 7, 3),
             .values = OP_VALUES_TIES),
    MAX_POOL("3x2, uneven padding", WINDOW2(3, 2, 2, 1, 1, 1, 0, 2, 1, 0, 0, 0), IN1(2, 7, 6, 4),
             .values = OP_VALUES_DISTINCT),
    MAX_POOL("3x3, dilation 2", WINDOW(3, 1, 2, 2, 1, 0, 0), IN1(1, 8, 9, 3),
             .values = OP_VALUES_DISTINCT),
    MAX_POOL("1x1 of one value", WINDOW(1, 1, 0, 1, 1, 0, 0), IN1(1, 1, 1, 1)),

    AVG_POOL("2x2", WINDOW(2, 2, 0, 1, 1, 0, 0), IN1(2, 6, 8, 5)),
    AVG_POOL("2x2 of 24 channels", WINDOW(2, 2, 0, 1, 1, 0, 0), IN1(2, 6, 8, 24)),
    AVG_POOL("3x3, stride 2, padding counted", WINDOW(3, 2, 1, 1, 1, 0, 0), IN1(1, 9, 8, 3)),
    AVG_POOL("3x3, stride 2, padding left out", .attr.window = {.kernel_h = 3, .kernel_w = 3,
             .stride_h = 2, .stride_w = 2, .dilation_h = 1, .dilation_w = 1, .pad = {1, 1, 1, 1},
             .groups = 1, .exclude_pad = 1}, IN1(3, 7, 8, 17)),
    AVG_POOL("3x2, uneven padding left out", .attr.window = {.kernel_h = 3, .kernel_w = 2,
             .stride_h = 2, .stride_w = 1, .dilation_h = 1, .dilation_w = 1, .pad = {0, 2, 1, 0},
             .groups = 1, .exclude_pad = 1}, IN1(1, 7, 6, 4)),

    GLOBAL("largest", SG_POOL_MAX, IN1(3, 5, 7, 5), .values = OP_VALUES_DISTINCT),
    GLOBAL("largest, ties", SG_POOL_MAX, IN1(2, 6, 3, 17), .values = OP_VALUES_TIES),
    GLOBAL("mean", SG_POOL_MEAN, IN1(3, 9, 7, 17)),
    GLOBAL("largest of 16 channels", SG_POOL_MAX, IN1(2, 5, 7, 16), .values = OP_VALUES_DISTINCT),
    GLOBAL("mean of 16 channels", SG_POOL_MEAN, IN1(2, 5, 7, 16)),
    GLOBAL("mean of one pixel", SG_POOL_MEAN, IN1(2, 1, 1, 3)),

    RESIZE("2x", 0, 2, 2, IN1(2, 5, 7, 5)),
    RESIZE("2x of 16 channels", 0, 2, 2, IN1(2, 3, 5, 16)),
    RESIZE("to a larger tensor, 8 channels", 0, 0, 0, .inputs = 2,
           .in = {{2, 3, 5, 8}, {2, 7, 9, 24}}),
    RESIZE("2x, corners aligned", 1, 2, 2, IN1(1, 5, 4, 3)),
    RESIZE("4x and 3x", 0, 4, 3, IN1(1, 3, 5, 17)),
    RESIZE("8x of one pixel", 0, 8, 8, IN1(3, 1, 1, 4)),
    RESIZE("1x", 0, 1, 1, IN1(1, 4, 5, 3)),
    RESIZE("to a larger tensor", 0, 0, 0, .inputs = 2, .in = {{1, 5, 7, 3}, {1, 12, 9, 2}}),
    RESIZE("to a larger tensor, corners aligned", 1, 0, 0, .inputs = 2,
           .in = {{2, 4, 3, 5}, {2, 11, 8, 1}}),
    RESIZE("to a smaller tensor", 0, 0, 0, .inputs = 2, .in = {{1, 9, 10, 5}, {1, 4, 3, 7}}),
    RESIZE("to one pixel, corners aligned", 1, 0, 0, .inputs = 2,
           .in = {{1, 6, 5, 3}, {1, 1, 1, 3}}),

    CONCAT("3 + 5", .inputs = 2, .in = {{2, 5, 7, 3}, {2, 5, 7, 5}}),
    CONCAT("16 + 32", .inputs = 2, .in = {{1, 4, 6, 16}, {1, 4, 6, 32}}),
    CONCAT("1 + 17 + 4", .inputs = 3, .in = {{3, 1, 3, 1}, {3, 1, 3, 17}, {3, 1, 3, 4}}),
    CONCAT("eight of one", .inputs = 8,
           .in = {{1, 2, 3, 1}, {1, 2, 3, 1}, {1, 2, 3, 1}, {1, 2, 3, 1},
                  {1, 2, 3, 1}, {1, 2, 3, 1}, {1, 2, 3, 1}, {1, 2, 3, 1}}),

    ADD("two", .inputs = 2, .in = {{2, 5, 7, 3}, {2, 5, 7, 3}}),
    ADD("three, relu", .inputs = 3, .in = {{1, 4, 5, 17}, {1, 4, 5, 17}, {1, 4, 5, 17}},
        .act = SG_ACT_RELU),
    ADD("two, silu", .inputs = 2, .in = {{1, 6, 3, 16}, {1, 6, 3, 16}}, .act = SG_ACT_SILU),
    ADD("three of 16, relu", .inputs = 3, .in = {{2, 4, 5, 16}, {2, 4, 5, 16}, {2, 4, 5, 16}},
        .act = SG_ACT_RELU),
    ADD("two, sigmoid", .inputs = 2, .in = {{3, 1, 1, 5}, {3, 1, 1, 5}}, .act = SG_ACT_SIGMOID),

    DROPOUT("half", .5f, IN1(3, 5, 7, 5)),
    DROPOUT("a tenth", .1f, IN1(1, 8, 9, 16)),
    DROPOUT("none", 0, IN1(2, 3, 4, 3)),

    SOFTMAX("1 channel", IN1(2, 3, 4, 1)),
    SOFTMAX("2 channels", IN1(1, 5, 7, 2)),
    SOFTMAX("17 channels", IN1(3, 3, 5, 17)),
    SOFTMAX("40 channels", IN1(1, 4, 4, 40)),

    LOSS("2 classes", OP_LABELS_MIXED, IN1(2, 5, 7, 2)),
    LOSS("40 classes", OP_LABELS_MIXED, IN1(1, 6, 5, 40)),
    LOSS("17 classes, weights", OP_LABELS_WEIGHTED, IN1(3, 4, 5, 17)),
    LOSS("2 classes, weights", OP_LABELS_WEIGHTED, IN1(1, 7, 7, 2)),
    LOSS("5 classes, all ignored", OP_LABELS_IGNORED, IN1(2, 3, 5, 5)),
    LOSS("one pixel", OP_LABELS_MIXED, IN1(1, 1, 1, 3)),
    LOSS("large logits", OP_LABELS_MIXED, IN1(1, 5, 4, 6), .values = OP_VALUES_OFFSET),
    TERM("smoothed labels", OP_LABELS_MIXED, (.weight = .5f, .smoothing = .1f), IN1(2, 5, 7, 4)),
    TERM("smoothed labels, weights", OP_LABELS_WEIGHTED, (.weight = 2, .smoothing = .25f),
         IN1(1, 6, 5, 17)),
    TERM("smoothed labels, all ignored", OP_LABELS_IGNORED, (.weight = 1, .smoothing = .1f),
         IN1(2, 3, 5, 5)),
    TERM("focal", OP_LABELS_MIXED, (.weight = 1, .gamma = 2), IN1(2, 5, 7, 4)),
    TERM("focal, gamma .5, weights", OP_LABELS_WEIGHTED, (.weight = .75f, .gamma = .5f),
         IN1(1, 6, 5, 17)),
    TERM("focal, large logits", OP_LABELS_MIXED, (.weight = 1, .gamma = 2), IN1(1, 5, 4, 6),
         .values = OP_VALUES_OFFSET),
    TERM("borders", OP_LABELS_BORDER, (.weight = 1, .border = 1), IN1(2, 7, 6, 3)),
    TERM("focal with borders", OP_LABELS_BORDER, (.weight = .5f, .gamma = 1.5f, .border = 1),
         IN1(1, 6, 7, 5)),

    REGION("Dice of 2 classes", OP_LABELS_MIXED, .5f, .5f, 0, IN1(2, 5, 7, 2)),
    REGION("Dice, weights", OP_LABELS_WEIGHTED, .5f, .5f, 1, IN1(3, 4, 5, 17)),
    REGION("Jaccard", OP_LABELS_MIXED, 1, 1, 1, IN1(2, 17, 19, 5)),
    REGION("Tversky", OP_LABELS_MIXED, .3f, .7f, .5f, IN1(2, 9, 7, 3)),
    REGION("missed pixels alone cost", OP_LABELS_MIXED, 0, 1, 0, IN1(2, 5, 7, 3)),
    REGION("absent classes", OP_LABELS_SPARSE, .5f, .5f, 1, IN1(2, 6, 7, 6)),
    REGION("all ignored", OP_LABELS_IGNORED, .5f, .5f, 1, IN1(2, 3, 5, 5)),
    REGION("one pixel", OP_LABELS_MIXED, .5f, .5f, 0, IN1(1, 1, 1, 3)),
    REGION("40 classes", OP_LABELS_MIXED, .5f, .5f, 1, IN1(1, 16, 20, 40)),
    REGION("large logits", OP_LABELS_MIXED, .5f, .5f, 1, IN1(1, 5, 4, 6),
           .values = OP_VALUES_OFFSET),

    LOVASZ("2 classes", OP_LABELS_MIXED, IN1(2, 5, 7, 2)),
    LOVASZ("5 classes, weights", OP_LABELS_WEIGHTED, IN1(3, 9, 8, 5)),
    LOVASZ("absent classes", OP_LABELS_SPARSE, IN1(2, 6, 7, 8)),
    LOVASZ("all ignored", OP_LABELS_IGNORED, IN1(2, 3, 5, 5)),
    LOVASZ("one pixel", OP_LABELS_MIXED, IN1(1, 1, 1, 3)),
    LOVASZ("large logits", OP_LABELS_MIXED, IN1(1, 5, 4, 6), .values = OP_VALUES_OFFSET),
    /* clang-format on */
};

const size_t op_case_count = sizeof op_cases / sizeof *op_cases;
