/*
 * A network as data: tensors with channel counts, nodes with attributes, parameters. It knows no
 * batch, no tile size and no memory: spatial sizes follow from the input when a plan is made, so
 * one graph serves every tile. Built once, frozen, saved in the checkpoint. May include: base,
 * tensor.h.
 *
 * Nodes stand in execution order: a node's inputs are tensors of earlier nodes. Each node makes one
 * tensor. Ids are indices. All functions are [local].
 */
#ifndef SG_NN_GRAPH_H
#define SG_NN_GRAPH_H

#include <stdbool.h>
#include <stdint.h>
#include "base/text.h"
#include "nn/tensor.h"

enum { SG_MAX_INPUTS = 8, SG_MAX_PARAMS = 4, SG_NAME_MAX = 64, SG_MAX_CLASSES = 255 };
enum { SG_IGNORE_LABEL = 255 };
enum { SG_MAX_NODES = 4096, SG_MAX_CHANNELS = 1 << 20, SG_MAX_TERMS = 8 };

typedef enum {
#define SG_OPERATOR(id, name) SG_OP_##id,
#include "nn/ops.def"
#undef SG_OPERATOR
    SG_OP_COUNT
} sg_op;

typedef enum {
    SG_ACT_NONE,
    SG_ACT_RELU,
    SG_ACT_RELU6,
    SG_ACT_LEAKY, /* slope .01 below 0 */
    SG_ACT_SILU,  /* x * sigmoid(x) */
    SG_ACT_SIGMOID,
    SG_ACT_COUNT
} sg_act;

typedef enum { SG_POOL_MAX, SG_POOL_MEAN } sg_pool_kind;

/* Padding may differ per side: PyTorch's symmetric padding p is top = bottom = left = right = p. */
typedef struct {
    int32_t top, bottom, left, right;
} sg_pad;

/* Padding of convolutions is with zeros; of max pooling with -infinity; mean pooling divides by the
 * whole window (count_include_pad, PyTorch's default) unless exclude_pad. */
typedef struct {
    int32_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w;
    sg_pad pad;
    int32_t groups;               /* conv: divides both channel counts; conv_transpose: 1 */
    int32_t out_channels;         /* conv, conv_transpose; input: the network's bands */
    int32_t out_pad_h, out_pad_w; /* conv_transpose: PyTorch's output_padding */
    int32_t exclude_pad;          /* avg_pool */
    int32_t bias;                 /* conv, conv_transpose: 1 when there is a bias parameter */
} sg_window_attr;

typedef struct {
    float epsilon;  /* added to the variance */
    float momentum; /* running = (1 - momentum) * running + momentum * batch, PyTorch's convention;
                       the running variance takes the unbiased batch variance. With the steps it
                       falls: see sg_norm_momentum */
} sg_norm_attr;

typedef struct {
    float epsilon;  /* added to the variance */
    int32_t groups; /* divides the channels */
} sg_group_norm_attr;

typedef struct {
    int32_t align_corners;    /* PyTorch's align_corners of bilinear interpolate */
    int32_t scale_h, scale_w; /* > 0: output = input * scale; 0: size of the second input tensor */
} sg_resize_attr;

typedef struct {
    int32_t kind; /* sg_pool_kind */
} sg_global_attr;

/* Pixels cut off the sides, then zeros added to them. */
typedef struct {
    sg_pad cut, pad;
} sg_crop_attr;

typedef struct {
    float rate; /* share of elements set to 0; others are multiplied by 1 / (1 - rate) */
} sg_dropout_attr;

/* A term of the training loss. What an operator does not name it ignores. */
typedef struct {
    int32_t term;      /* its place in sg_run.term_sum, 0 .. SG_MAX_TERMS - 1 */
    float weight;      /* factor of this term in the sum, above 0 */
    float smoothing;   /* softmax_loss: share of each target spread over all classes, [0, 1) */
    float gamma;       /* softmax_loss: exponent of focal loss, 0 .. 10; 0: cross-entropy */
    int32_t border;    /* softmax_loss: 1: sg_run.border is added to a pixel's class weight */
    float alpha, beta; /* region_loss: costs of false positives and of false negatives, 0 .. 10 */
    float smooth;      /* region_loss: added above and below the fraction, in pixels */
} sg_loss_attr;

typedef union {
    sg_window_attr window; /* conv, conv_transpose, max_pool, avg_pool */
    sg_norm_attr norm;
    sg_group_norm_attr group_norm;
    sg_resize_attr resize;
    sg_global_attr global;
    sg_crop_attr crop;
    sg_dropout_attr dropout;
    sg_loss_attr loss; /* softmax_loss, region_loss, lovasz_loss */
} sg_attr;

typedef struct {
    sg_op op;
    int32_t act;     /* sg_act applied to the result: set by activation nodes and by fusion into
                        conv, conv_transpose, batch_norm, group_norm, add */
    int32_t out_f32; /* the output tensor is f32 whatever the plan computes in (logits) */
    int32_t aux;     /* 1: logits of an auxiliary head, which only losses read */
    sg_attr attr;
    int32_t inputs;
    int32_t input[SG_MAX_INPUTS]; /* tensor ids */
    int32_t output;               /* tensor id */
    int32_t params;
    int32_t param[SG_MAX_PARAMS]; /* parameter ids, in the operator's order */
    char name[SG_NAME_MAX];       /* "encoder1.conv1", unique */
} sg_node;

typedef struct {
    int32_t channels;
    int32_t maker; /* node id */
} sg_tensor_info;

/* Convolution weights are [out][kernel_h][kernel_w][in / groups] (OHWI); those of a transposed one
 * likewise with out and in as the operator sees them. */
typedef enum {
    SG_PARAM_WEIGHT,
    SG_PARAM_BIAS,
    SG_PARAM_SCALE, /* batch norm and group norm, initially 1 */
    SG_PARAM_SHIFT, /* the same, initially 0 */
    SG_PARAM_MEAN,  /* batch norm running mean: state, no gradient */
    SG_PARAM_VARIANCE
} sg_param_kind;

typedef struct {
    sg_param_kind kind;
    int32_t node;
    int32_t dims;
    int64_t dim[4];
    size_t count;                /* elements */
    char name[SG_NAME_MAX + 16]; /* "encoder1.conv1.weight" */
} sg_param_info;

typedef struct {
    sg_node *node; /* owned */
    int32_t nodes;
    sg_tensor_info *tensor;
    int32_t tensors;
    sg_param_info *param;
    int32_t param_count;
    int32_t frozen; /* 1 after sg_graph_freeze: then constant */
    size_t node_capacity, tensor_capacity, param_capacity;
} sg_graph;

sg_err sg_graph_create(sg_graph **graph);
void sg_graph_close(sg_graph *graph); /* NULL is fine */
sg_err sg_graph_copy(const sg_graph *from, sg_graph **to);

/*
 * Add a node; *output receives its tensor id. The operator's definition checks the inputs and the
 * attributes, sets the output's channels and makes its parameters. The graph must not be frozen.
 * Errors: SG_EUSAGE for bad attributes, naming the node.
 */
sg_err sg_graph_add(sg_graph *graph, sg_op op, const char *name, const sg_attr *attr,
                    const int32_t *inputs, int32_t input_count, int32_t *output);
/* Add a node that is complete but for its output and parameters (fusion, reading back). */
sg_err sg_graph_add_node(sg_graph *graph, const sg_node *node, int32_t *output);

/* SG_EUSAGE when the name is too long. */
sg_err sg_graph_set_name(sg_node *node, const char *name);

/* The usual layers in one line each. Convolutions: square kernel, symmetric padding. */
sg_err sg_graph_input(sg_graph *graph, int32_t channels, int32_t *output);
sg_err sg_graph_conv(sg_graph *graph, const char *name, int32_t input, int32_t out_channels,
                     int32_t kernel, int32_t stride, int32_t pad, int32_t bias, int32_t *output);
sg_err sg_graph_activation(sg_graph *graph, const char *name, int32_t input, sg_act act,
                           int32_t *output);

/* Check the invariants and forbid changes. The last node is the network's output. */
sg_err sg_graph_freeze(sg_graph *graph);
sg_err sg_graph_check(const sg_graph *graph);

/* Training has loss nodes at the end; prediction ends in logits. A graph is kept without the loss;
 * this adds one, plain cross-entropy ("loss"), to a copy. */
sg_err sg_graph_with_loss(const sg_graph *graph, sg_graph **with_loss);

/*
 * The same with the sum of 1 to SG_MAX_TERMS terms of the logits; attr.term is set here to the
 * place in the list. Auxiliary heads have the same terms, each times aux_weight (SG_AUX_WEIGHT of
 * sg_graph_with_loss); all of theirs are summed up in the place behind the list, which then is one
 * shorter.
 */
#define SG_AUX_WEIGHT .4f
typedef struct {
    sg_op op; /* a loss */
    sg_loss_attr attr;
} sg_loss_term;
sg_err sg_graph_with_losses(const sg_graph *graph, const sg_loss_term *terms, int32_t count,
                            float aux_weight, sg_graph **with_losses);
bool sg_graph_has_aux(const sg_graph *graph);
/* Whether a loss of the graph is a function of sums over all ranks' pixels (sg_run.reduce_loss),
 * and whether one reads sg_run.border. */
bool sg_graph_sums_regions(const sg_graph *graph);
bool sg_graph_reads_border(const sg_graph *graph);

int32_t sg_graph_input_channels(const sg_graph *graph);
int32_t sg_graph_output_channels(const sg_graph *graph); /* classes */
bool sg_param_is_trainable(const sg_param_info *param);  /* all but mean and variance */
bool sg_param_decays(const sg_param_info *param);        /* weights only: no bias, scale, shift */
size_t sg_node_trainable_count(const sg_graph *graph, const sg_node *node); /* elements */
size_t sg_graph_trainable_count(const sg_graph *graph);                     /* elements */

const char *sg_op_name(sg_op op);
const char *sg_act_name(sg_act act);

/* Text form, one node a line; reading checks everything (the text may come from a damaged file). */
sg_err sg_graph_write(const sg_graph *graph, sg_text *text);
sg_err sg_graph_read(const char *text, sg_graph **graph);

#endif
