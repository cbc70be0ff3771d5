/*
 * What a rank holds while it maps a scene, all of it, in bytes: tiles and chunks are chosen so that
 * the sum stays within --max-mem. The numbers follow the code that allocates: fetch.c, pipeline.c,
 * stitch.c, refine.c, mask.c, compose.c, cog.c, and the plan of the network. [local] unless said
 * otherwise.
 */
#ifndef SG_JOBS_PREDICT_MEMORY_H
#define SG_JOBS_PREDICT_MEMORY_H

#include "jobs/predict.h"

typedef struct {
    double program; /* this process so far, weights included, and what comes with threads and MPI */
    double cache;   /* GDAL's block cache */
    double readers; /* what reading threads hold beside tiles */
    double network; /* values, working space */
    double batches; /* tiles being read, and results */
    double chunks;  /* being stitched and written */
    double crf;     /* windows with their lattices, and results */
    double outputs; /* made of a chunk, and overviews */
    double tables;  /* of blocks: as good as all that grows with the scene */
    double assembly; /* when the batches and chunks are gone; most on rank 0 */
} sg_predict_memory;

/* What the largest rank is before it begins. */
typedef struct {
    double resident; /* bytes of this process */
    double threads;  /* that compute */
} sg_predict_rank;

/* The same on all ranks. [collective] */
void sg_predict_measure(const sg_predict_options *options, sg_comm *comm, sg_predict_rank *rank);
/* What the plan takes. */
sg_err sg_predict_need(const sg_predict_options *options, const sg_network *network,
                       const sg_predict_size *size, const sg_predict_rank *rank,
                       const sg_predict_plan *plan, sg_predict_memory *memory);
/* Of which a CRF takes for each of its workers. */
double sg_predict_crf_bytes(const sg_network *network, const sg_predict_plan *plan);
/* The most of it at any time. */
double sg_predict_most(const sg_predict_memory *memory);
/* Bytes of a pixel of an output. */
double sg_predict_pixel_bytes(const sg_network *network, sg_output output);

#endif
