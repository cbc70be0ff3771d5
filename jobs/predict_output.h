/*
 * What a prediction leaves behind: the mask, and probabilities and confidence where asked for, all
 * of one scene, written chunk by chunk by all ranks (see tiles/mask.h).
 */
#ifndef SG_JOBS_PREDICT_OUTPUT_H
#define SG_JOBS_PREDICT_OUTPUT_H

#include "jobs/predict.h"
#include "tiles/mask.h"

typedef struct sg_outputs sg_outputs;

/* Borrowed until closed. */
typedef struct {
    const sg_predict_options *wishes;
    const sg_network *network;
    const sg_predict_names *names;
    const sg_raster_info *info; /* of what is made */
    const sg_georef *georef;
    const sg_predict_plan *plan;
} sg_outputs_options;

/* Begin, or go on where an earlier run has ended. [collective] */
sg_err sg_outputs_create(sg_outputs **outputs, sg_comm *comm, const sg_outputs_options *options);
/* Has an earlier run finished the chunk in all outputs? The same on all ranks. [local] */
bool sg_outputs_have(const sg_outputs *outputs, int64_t chunk);
/* A finished chunk, as the pipeline gives it (see sg_chunk_fn). [local], one thread at a time. */
sg_err sg_outputs_put(sg_outputs *outputs, sg_window core, const uint8_t *classes,
                      const float *probabilities);
/* Bytes that this rank has written of all files. [local] */
int64_t sg_outputs_written(const sg_outputs *outputs);
/* Give the names; mine: this rank's result so far. [collective] */
sg_err sg_outputs_commit(sg_outputs *outputs, sg_err mine);
void sg_outputs_close(sg_outputs *outputs); /* NULL is fine. [local] */

#endif
