/*
 * A convolution as a graph of cuDNN's backend API, between cudnn_graph.c, which describes it, and
 * what chooses and runs it: see cudnn_private.h. [local]
 */
#ifndef SG_CUDA_CUDNN_GRAPH_H
#define SG_CUDA_CUDNN_GRAPH_H

#include <cudnn.h>
#include "cuda/cudnn_plan.h"

/* Unique ids of the tensors that have memory: operands a and b, result, bias, what is added. */
enum { SG_CUDNN_A = 1, SG_CUDNN_B, SG_CUDNN_RESULT, SG_CUDNN_BIAS, SG_CUDNN_ADDED };

enum { SG_CUDNN_PARTS = 32 };

typedef struct {
    cudnnBackendDescriptor_t
        part[SG_CUDNN_PARTS]; /* owned: what the graph is made of, and itself */
    int parts;
    cudnnStatus_t status; /* of the first call that failed */
    cudnnBackendDescriptor_t graph;
} sg_cudnn_graph;

/* graph->status says whether cuDNN took it; to be cleared in any case. handle: may be NULL. */
void sg_cudnn_graph_make(cudnnHandle_t handle, const sg_conv_request *request,
                         sg_cudnn_graph *graph);
void sg_cudnn_graph_clear(sg_cudnn_graph *graph);
/* Of SG_CUDNN_A, _B or _RESULT. */
sg_shape sg_cudnn_operand(const sg_conv_request *request, int64_t id);
/* Elements from one of its pixels to the next. */
int64_t sg_cudnn_pitch(const sg_conv_request *request, int64_t id);

#endif
