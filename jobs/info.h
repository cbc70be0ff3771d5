/*
 * segtiles info, between its files. [local]
 */
#ifndef SG_JOBS_INFO_H
#define SG_JOBS_INFO_H

#include <stdbool.h>
#include <stdint.h>
#include "base/text.h"
#include "nn/reach.h"

typedef struct {
    int32_t json, stats, net;
    int64_t tile; /* of a network alone, pixels; 0: 512, or what it takes */
} sg_info_options;

/* Is it a checkpoint, damaged or not? What cannot be read is none. */
bool sg_is_checkpoint(const char *path);
/* Add what is known of the file, for people or as one JSON object with a line end. */
sg_err sg_info_raster(const char *path, const sg_info_options *options, sg_text *text);
sg_err sg_info_tiles(const char *path, const sg_info_options *options, sg_text *text);
sg_err sg_info_checkpoint(const char *path, const sg_info_options *options, sg_text *text);

/* FLOPs per pixel of a prediction of tiles of `side` pixels. */
sg_err sg_info_flops(const sg_graph *graph, int64_t side, double *flops);
/* Parameters that only training has, those of auxiliary heads. */
sg_err sg_info_aux_parameters(const sg_graph *graph, int64_t *count);
/* Its line about a network's reach. */
sg_err sg_info_add_reach(const sg_network_reach *reach, sg_text *text);
/* A network as sg_model_parse reads it: layers, sizes, cost and reach. */
sg_err sg_info_network(const char *network, const sg_info_options *options, sg_text *text);

#endif
