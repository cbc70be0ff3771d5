/*
 * What several operator files share: checks of attributes, making parameters, activations fused
 * into a result, and storing or adding a gradient. For op/ and for backends that borrow a piece of
 * the reference. May include: base, nn. All [local], nothing allocates unless it says so.
 */
#ifndef SG_NN_OP_COMMON_H
#define SG_NN_OP_COMMON_H

#include "nn/backend.h"
#include "nn/op.h"

enum {
    SG_MAX_KERNEL = 1024, /* also strides; keeps every window sum far from overflow */
    SG_MAX_SPREAD = 65536 /* dilation, padding, channels */
};

/*
 * Append a parameter "NODE.SUFFIX" to the graph and its id to the node. The node's id is the one
 * that it will get when it is appended, graph->nodes. dims is 1 to 4.
 */
sg_err sg_op_add_param(sg_graph *graph, sg_node *node, sg_param_kind kind, const char *suffix,
                       int32_t dims, const int64_t *dim);

/* SG_EUSAGE naming the node when `value` of attribute `what` lies outside [least, most]. */
sg_err sg_op_check_range(const sg_node *node, const char *what, int64_t value, int64_t least,
                         int64_t most);
/* Kernel, stride, dilation and padding of a window are within their bounds. */
sg_err sg_op_check_window(const sg_node *node);
/* Padding that leaves every pooling window at least one real pixel when dilation is 1. */
sg_err sg_op_check_pool(const sg_node *node);
/* act is one of sg_act. */
sg_err sg_op_check_act(const sg_node *node);
/* No activation may be set on this operator. */
sg_err sg_op_check_no_act(const sg_node *node);
/* epsilon of a normalisation lies in (0, 1). */
sg_err sg_op_check_epsilon(const sg_node *node, float epsilon);
/* All inputs have the same n, h, w. */
sg_err sg_op_check_same_size(const sg_node *node, const sg_shape *in);

/* The output has the shape of in[0]. */
sg_err sg_op_shape_of_input(const sg_node *node, const sg_shape *in, sg_shape *out);
/* The output of a window over in[0]; c is set to channels. SG_EUSAGE when nothing is left. */
sg_err sg_op_window_shape(const sg_node *node, const sg_shape *in, int64_t channels, sg_shape *out);
/* Reach of a plain window. */
void sg_op_window_reach(const sg_node *node, int axis, sg_reach *reach);
/* Reach of an operator that works pixel by pixel, and of one that reads everything. */
void sg_op_pixel_reach(const sg_node *node, int axis, sg_reach *reach);
void sg_op_unbounded_reach(const sg_node *node, int axis, sg_reach *reach);
/* Of one that reads everything for each pixel. */
void sg_op_everywhere_reach(const sg_node *node, int axis, sg_reach *reach);

int sg_op_needs_nothing(const sg_node *node);
int sg_op_needs_input(const sg_node *node);
int sg_op_needs_output(const sg_node *node);

float sg_act_apply(int32_t act, float x);
/* d act / dx. SG_ACT_SILU needs x, the others work from the output y. */
float sg_act_slope_from_output(int32_t act, float y);
float sg_silu_slope(float x);

/*
 * An activation fused into an operator: its slope comes from the output, but silu's, which is not a
 * function of the output: then the f32 values before the activation are kept in `saved`.
 */
int sg_fused_act_needs(const sg_node *node);
size_t sg_fused_act_saved(const sg_node *node, sg_shape out); /* bytes */
/* out[index] = act(value); kept is where the values before it go, or NULL. */
void sg_fused_act_store(const sg_site *site, const sg_io *io, float *kept, size_t index,
                        float value);
/* grad_out[index] * act'; kept as above. */
float sg_fused_act_gradient(const sg_site *site, const sg_io *io, const float *kept, size_t index);

/* grad_in[input][index] = or += value, as site->write says. The write is not SG_GRAD_NONE. */
void sg_gradient_put(const sg_site *site, const sg_io *io, int input, size_t index, float value);
/* Whether input's gradient is wanted at all. */
bool sg_gradient_wanted(const sg_site *site, int input);
/* The gradient of input 0, if it is wanted, from that of each of its elements. */
typedef float (*sg_gather_fn)(const sg_site *site, const sg_io *io, int64_t n, int64_t row,
                              int64_t column, int64_t c);
void sg_gradient_gather(const sg_site *site, const sg_io *io, sg_gather_fn gather);

/* For kernels that need no state: *kernel stays NULL. */
sg_err sg_op_prepare_nothing(sg_backend *backend, const sg_site *site, void **kernel);

/*
 * A batch's weight in the running statistics at this step: the node's momentum at first, from then
 * on so little that they are a mean over the last tenth of the steps, or the last hundred steps. A
 * segmentation batch holds a few scenes, and ten of them are too few for what predictions rest on.
 */
double sg_norm_momentum(const sg_norm_attr *norm, const sg_run *run);

/* The dropout mask: a function of (seed, step, node, global sample, element within the sample). */
uint64_t sg_dropout_key(const sg_run *run, const sg_node *node);
bool sg_dropout_keeps(uint64_t key, uint64_t sample, uint64_t element, float rate);

/* Where output position o of a bilinear resize reads: (1 - weight) * x[low] + weight * x[high]. */
typedef struct {
    int64_t low, high;
    float weight; /* in [0, 1) */
} sg_lerp;

/*
 * Half-pixel centres clamped at 0, or aligned corners; PyTorch's formulas over exact fractions, so
 * that with a whole factor the weights do not depend on where in the image the pixel lies.
 */
sg_lerp sg_resize_position(int64_t o, int64_t in, int64_t out, int32_t align_corners);

#endif
