/*
 * Rewriting graphs. Results are new frozen graphs; the arguments stay as they are. [local]
 */
#ifndef SG_NN_FUSE_H
#define SG_NN_FUSE_H

#include "nn/params.h"

/* Training: an activation that alone reads a batch norm, convolution or add becomes its `act`.
 * Parameters keep their names. */
sg_err sg_graph_fuse(const sg_graph *graph, sg_graph **fused);

/*
 * Inference: a batch norm that alone reads a convolution (plain or transposed) is folded into its
 * weights and bias (in f64, from the running statistics); activations are fused; dropout and
 * auxiliary heads disappear. *folded_params belongs to the new graph.
 */
sg_err sg_graph_fold(const sg_graph *graph, const sg_params *params, sg_graph **folded,
                     sg_params **folded_params);
/* The same for a backend. Where its convolutions can (SG_ADDS_INPUT), a sum of two tensors becomes
 * part of the convolution that makes one of them, if that one comes after the other and nothing
 * else reads it. In bf16 that is one rounding less. */
sg_err sg_graph_fold_for(const sg_abilities *abilities, const sg_graph *graph,
                         const sg_params *params, sg_graph **folded, sg_params **folded_params);

#endif
