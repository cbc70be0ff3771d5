/*
 * The network's reach in space, computed from its graph: what exact tiling rests on. [local]
 *
 * Method: intervals are propagated backwards from the output through every path; see Araujo et al.,
 * "Computing receptive fields of convolutional neural networks", Distill 2019.
 */
#ifndef SG_NN_REACH_H
#define SG_NN_REACH_H

#include "nn/op.h"

typedef struct {
    int64_t stride;    /* total stride: tile origins and sizes must be multiples of it (pixels) */
    int64_t radius;    /* an output pixel reads inputs at most this far away (pixels) */
    int64_t halo;      /* radius rounded up to a multiple of stride */
    int32_t unbounded; /* 1: some output reads the whole input (global pooling): cannot be exact */
    int64_t output_step; /* input pixels per output pixel; 1 for full-resolution networks */
    /* Along the sides of the output so many pixels mean nothing, as convolutions without padding
     * have no result there: what the network is padded with at its end. At most the halo. */
    sg_pad margin;
    int64_t widest_margin; /* the largest of the four */
} sg_network_reach;

sg_err sg_graph_reach(const sg_graph *graph, sg_network_reach *reach);

#endif
