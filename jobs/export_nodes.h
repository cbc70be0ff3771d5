/*
 * Between the files of the ONNX export: the graph that is being made, and its nodes. [local]
 *
 * Constants are numbered: first the parameters, then small lists of floats that nodes want. After
 * the first error nothing more is added.
 */
#ifndef SG_JOBS_EXPORT_NODES_H
#define SG_JOBS_EXPORT_NODES_H

#include "jobs/export.h"

enum { SG_EXPORT_FLOATS = SG_BANDS_MAX };

typedef struct {
    size_t count;
    float value[SG_EXPORT_FLOATS];
} sg_export_floats;

typedef struct {
    const sg_checkpoint *checkpoint;
    const sg_export_options *options;
    sg_graph *graph; /* folded */
    sg_params *params;
    sg_onnx *model;
    sg_export_floats *constant;
    size_t constants, capacity;
    const char *first, *last; /* names of the network's first tensor and of its result */
    sg_err err;
} sg_onnx_export;

/* All nodes of e->graph into e->model. SG_EUNSUPPORTED names an operator that ONNX lacks. */
sg_err sg_export_add_nodes(sg_onnx_export *e);

#endif
