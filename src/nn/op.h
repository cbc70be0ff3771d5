/*
 * What an operator is: its shape rule, what its backward pass needs, its reach in space. One
 * definition per operator, sg_op_ID in op/ID.c, with its reference arithmetic (see reference.h).
 * Nothing here depends on a backend. All [local], no memory is kept.
 */
#ifndef SG_NN_OP_H
#define SG_NN_OP_H

#include "nn/graph.h"

/* Along one axis, output position o reads input positions floor(o * stride / up) + [lo, hi] (in
 * input pixels, the worst case over o); unbounded is 1 where that cannot be said: it reads
 * everything (global pooling), or what it reads depends on the whole size (aligned corners). A
 * resize to the size of a second tensor is asked with the scale that follows from the graph. What
 * is unbounded leaves one pixel (global pooling), unless keeps_grid: then its pixels are those of
 * its input (group norm). */
typedef struct {
    int64_t up, stride; /* one of them is 1 */
    int64_t lo, hi;     /* lo <= 0 <= hi for operators with padding */
    int32_t unbounded, keeps_grid;
} sg_reach;

/* What the backward pass reads; the plan keeps it alive. */
enum {
    SG_NEEDS_INPUT = 1,  /* all its inputs' values */
    SG_NEEDS_OUTPUT = 2, /* its output's value */
    SG_NEEDS_NOTHING = 0
};

typedef struct {
    const char *name;
    int32_t least_inputs, most_inputs;
    /* Check the node and make its parameters; set *channels. in_channels: one per input. */
    sg_err (*make)(sg_graph *graph, sg_node *node, const int32_t *in_channels, int32_t *channels);
    /* Output shape from input shapes; SG_EUSAGE, naming the node, when they do not fit. */
    sg_err (*shape)(const sg_node *node, const sg_shape *in, sg_shape *out);
    /* SG_NEEDS_ bits. */
    int (*needs)(const sg_node *node);
    /* Bytes kept from the forward to the backward pass beside tensors (argmax, statistics); may be
     * NULL for none. The content is the backend's affair, the size is the same for all. */
    size_t (*saved)(const sg_node *node, const sg_shape *in, sg_shape out);
    /* 1: a second forward pass reads what the first one saved (sg_io.again); 0: it saves anew. */
    int32_t saved_once;
    /* Reach along height (axis 0) or width (axis 1). */
    void (*reach)(const sg_node *node, int axis, sg_reach *reach);
    /* Multiply-adds counted as two, for one forward pass. */
    double (*flops)(const sg_node *node, const sg_shape *in, sg_shape out);
    /* Bit i: the backward pass can add into input i's gradient instead of overwriting it. */
    uint32_t adds_gradient;
    /* 1: the output is the inputs' channels, one input's behind another's, and nothing else: a plan
     * may let the inputs lie there from the start. */
    int32_t joins;
} sg_op_def;

#define SG_OPERATOR(id, name) extern const sg_op_def sg_op_##id;
#include "nn/ops.def"
#undef SG_OPERATOR

const sg_op_def *sg_op_definition(sg_op op);
bool sg_op_takes_act(sg_op op); /* may carry sg_node.act: activation, and what fuses with one */
bool sg_op_is_loss(sg_op op);   /* ends a training graph: reads labels, starts the backward pass */

/* Output length of a window along one axis: (in + pads - dilation * (kernel - 1) - 1) / stride + 1.
 */
int64_t sg_window_output(int64_t in, int64_t pads, int64_t kernel, int64_t stride,
                         int64_t dilation);

#endif
