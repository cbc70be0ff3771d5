/*
 * A trained network made ready to classify: read from its checkpoint, folded, on its device.
 */
#ifndef SG_JOBS_NETWORK_H
#define SG_JOBS_NETWORK_H

#include "base/file.h"
#include "jobs/command.h"
#include "nn/fuse.h"
#include "nn/reach.h"
#include "train/checkpoint.h"

typedef struct {
    char path[SG_PATH_MAX];
    sg_checkpoint checkpoint;
    sg_graph *graph; /* folded for inference, with its own parameters */
    sg_params *params;
    sg_weights *weights;
    sg_backend *backend;
    sg_dtype type;
    sg_network_reach reach;
    int32_t exact; /* 1: what surrounds a core and a halo does not change the core's bits */
} sg_network;

/* Load and check; network is zeroed first. SG_EUNSUPPORTED: not of full resolution. [collective] */
sg_err sg_network_open(sg_network *network, sg_comm *comm, const char *path,
                       const sg_device_options *device);
void sg_network_close(sg_network *network); /* [local] */

/* An executor for n tiles of w x h. [local] */
sg_err sg_network_exec(const sg_network *network, int64_t n, int64_t h, int64_t w, sg_exec **exec);
/* Bytes that the network's values take per pixel of a large tile. [local] */
sg_err sg_network_bytes_per_pixel(const sg_network *network, double *bytes);

/* Do the bits of a core depend on the tile around it? See exact.c. [local] */
sg_err sg_network_try_exact(const sg_network *network, int32_t *exact);

#endif
