/* --mosaic: all scenes become one, in memory, before the network sees them. */
#ifndef SG_JOBS_PREDICT_MOSAIC_H
#define SG_JOBS_PREDICT_MOSAIC_H

#include "data/mosaic.h"
#include "jobs/predict.h"
#include "jobs/predict_inputs.h"

typedef struct {
    const char *mask;    /* the file asked for; NULL: no mosaic */
    sg_mosaic_wish grid; /* as asked for */
} sg_mosaic_options;

/* Do the options fit each other, and the one scene to be? It replaces the inputs, which become the
 * mosaic's members. SG_EUSAGE. [local] */
sg_err sg_mosaic_name(const sg_mosaic_options *mosaic, sg_predict_options *options,
                      sg_inputs *inputs, sg_inputs *members);
/* Check the members and make it, on all ranks. SG_EUNSUPPORTED: the network's normalisation is that
 * of single scenes. [collective] */
sg_err sg_mosaic_put_together(const sg_mosaic_options *mosaic, const sg_predict_options *options,
                              const sg_network *network, sg_comm *comm, const char *path,
                              sg_inputs *members);

#endif
