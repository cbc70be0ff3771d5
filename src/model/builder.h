/*
 * Adding layers to a graph, one line each. After the first error nothing more is added, so that a
 * network reads as its list of layers; sg_builder_finish returns the error. Tensors are ids of the
 * graph. Private to model. [local]
 */
#ifndef SG_MODEL_BUILDER_H
#define SG_MODEL_BUILDER_H

#include "model/model.h"

typedef struct {
    sg_graph *graph;
    sg_err err;
    int32_t groups;         /* most groups of a norm; 0: batch norms */
    char name[SG_NAME_MAX]; /* of sg_name */
} sg_builder;

/* A convolution; what is 0 is 1. Zero padding keeps the size of what has stride 1, unless valid. */
typedef struct {
    int32_t channels; /* of the output */
    int32_t kernel, stride, dilation, groups;
    bool bias, valid;
} sg_conv_shape;

/* Begin with the input; options tell its bands and the kind of norm. */
int32_t sg_builder_start(sg_builder *b, const sg_model_options *options);
/* Freeze the graph and hand it over, or free it and return the first error. */
sg_err sg_builder_finish(sg_builder *b, sg_graph **graph);
/* Channels of a tensor; 1 after an error. */
int32_t sg_builder_channels(const sg_builder *b, int32_t x);
/* x is the input, or part of it. */
bool sg_builder_is_input(const sg_builder *b, int32_t x);
/* A name made of parts, printf-like; borrowed until the next call. */
const char *sg_name(sg_builder *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

int32_t sg_add_conv(sg_builder *b, int32_t x, sg_conv_shape shape, const char *name);
/* Batch norm, or group norm with the most groups that the options allow and the channels take. */
int32_t sg_add_norm(sg_builder *b, int32_t x, const char *name);
int32_t sg_add_relu(sg_builder *b, int32_t x, const char *name);
/* Windows of size x size, padded on all sides; means leave padding out. */
int32_t sg_add_max_pool(sg_builder *b, int32_t x, int32_t size, int32_t stride, int32_t pad,
                        const char *name);
int32_t sg_add_mean_pool(sg_builder *b, int32_t x, int32_t size, int32_t stride, int32_t pad,
                         const char *name);
int32_t sg_add_global_mean(sg_builder *b, int32_t x, const char *name);
/* Transposed convolution with bias; the output is `stride` times as large: kernel - stride is
 * even. */
int32_t sg_add_transposed(sg_builder *b, int32_t x, int32_t channels, int32_t kernel,
                          int32_t stride, const char *name);
/* Bilinear, corners not aligned (PyTorch's default): by a factor, or to the size of another. */
int32_t sg_add_upsampling(sg_builder *b, int32_t x, int32_t factor, const char *name);
int32_t sg_add_resize_like(sg_builder *b, int32_t x, int32_t like, const char *name);
int32_t sg_add_concat(sg_builder *b, const int32_t *x, int32_t count, const char *name);
int32_t sg_add_sum(sg_builder *b, int32_t x, int32_t y, const char *name);
/* Nothing at rate 0. */
int32_t sg_add_dropout(sg_builder *b, int32_t x, float rate, const char *name);
/* 1x1 convolution with bias, f32 logits; and what enlarges them, bilinear, at the end. */
int32_t sg_add_classes(sg_builder *b, int32_t x, int32_t classes, const char *name);
int32_t sg_add_logit_upsampling(sg_builder *b, int32_t x, int32_t factor, const char *name);
/* As many pixels off each side; zeros onto the sides of f32 logits. */
int32_t sg_add_crop(sg_builder *b, int32_t x, sg_pad cut, const char *name);
int32_t sg_add_logit_padding(sg_builder *b, int32_t x, sg_pad cut, sg_pad pad, const char *name);
/* What was added last are the logits of an auxiliary head. */
void sg_mark_aux(sg_builder *b);

/* "STAGE.convN" without bias, "STAGE.bnN", "STAGE.reluN". */
int32_t sg_add_layer(sg_builder *b, int32_t x, sg_conv_shape shape, const char *stage, int number);

#endif
