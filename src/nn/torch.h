/*
 * PyTorch's names and layouts of parameters: what files of weights are exchanged in, and ONNX has
 * the same layouts. An encoder's parameters bear torchvision's names without "encoder.". [local]
 */
#ifndef SG_NN_TORCH_H
#define SG_NN_TORCH_H

#include "nn/graph.h"

enum { SG_TORCH_NAME_MAX = SG_NAME_MAX + 32 };

/* "encoder.bn1.mean" -> "bn1.running_mean"; "head.weight" stays. */
void sg_torch_name(const sg_param_info *info, char name[SG_TORCH_NAME_MAX]);
bool sg_torch_is_encoder(const sg_param_info *info);

/* A transposed convolution's weights are (in, out, h, w), those of others (out, in, h, w); what has
 * one dimension is the same. */
bool sg_torch_is_transposed(const sg_graph *graph, const sg_param_info *info);
/* Lengths in PyTorch's order of a parameter whose own are (out, h, w, in). */
void sg_torch_shape(bool transposed, const int64_t dim[4], int64_t torch[4]);
/* Reorder all values; the arrays do not overlap. dim: (out, h, w, in). */
void sg_torch_to(bool transposed, const int64_t dim[4], const float *ours, float *torch);
void sg_torch_from(bool transposed, const int64_t dim[4], const float *torch, float *ours);

#endif
