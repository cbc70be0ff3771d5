/*
 * segtiles export, between its files: a trained network for other programs. [local]
 */
#ifndef SG_JOBS_EXPORT_H
#define SG_JOBS_EXPORT_H

#include "data/onnx.h"
#include "nn/reach.h"
#include "train/checkpoint.h"

typedef struct {
    const char *safetensors, *onnx; /* files, or NULL */
    int64_t tile;                   /* ONNX: side of the only tile it takes; 0: any */
    int32_t logits;                 /* ONNX: ends before the softmax */
    int32_t raw;                    /* ONNX: takes pixels as scenes hold them */
} sg_export_options;

/* All parameters but those of auxiliary heads under PyTorch's names, in its layouts, as f32. */
sg_err sg_export_safetensors(const sg_checkpoint *checkpoint, const char *path);

/* The network as predict runs it (batch norms folded), NCHW; options->onnx is the file. */
sg_err sg_export_onnx(const sg_checkpoint *checkpoint, const sg_export_options *options);

/* What a runtime must know beside the network: keys of the QGIS plugin Deepness, and our own with
 * "segtiles_" before them. */
sg_err sg_export_metadata(sg_onnx *model, const sg_checkpoint *checkpoint,
                          const sg_network_reach *reach, const sg_export_options *options);

#endif
