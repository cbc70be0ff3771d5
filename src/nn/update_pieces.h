/*
 * The pieces in which an optimizer steps a network's parameters, in a backend's memory: see
 * nn/update.h. [local]
 */
#ifndef SG_NN_UPDATE_PIECES_H
#define SG_NN_UPDATE_PIECES_H

#include "nn/backend.h"

typedef struct {
    sg_backend *backend; /* borrowed */
    void *piece, *norms; /* device; owned */
    int32_t pieces;
} sg_update_pieces;

/* Weights alone decay: see sg_param_decays. rate: of each parameter id, a factor on the step's
 * rate; NULL: 1 for all. */
sg_err sg_update_pieces_open(sg_update_pieces *pieces, sg_backend *backend, const sg_graph *graph,
                             const sg_param_layout *layout, const float *rate);
void sg_update_pieces_close(sg_update_pieces *pieces); /* zeros are fine */

/* One step of all parameters. v: NULL for SGD and LARS. */
sg_err sg_update_step(const sg_update_pieces *pieces, const sg_update *update, float *param,
                      const float *gradient, float *m, float *v);
/* The sum of the squares of what a step would take: of all tensors that are not frozen. */
sg_err sg_update_norm(const sg_update_pieces *pieces, const float *gradient, double *squares);

#endif
