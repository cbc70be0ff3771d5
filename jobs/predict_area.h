/* What of a scene is mapped: -te, -projwin, -srcwin, --cutline. [local] */
#ifndef SG_JOBS_PREDICT_AREA_H
#define SG_JOBS_PREDICT_AREA_H

#include "data/cutline.h"
#include "data/part.h"

typedef struct {
    sg_part_wish part;
    const char *cutline, *layer; /* NULL: none, the first */
} sg_area_options;

typedef struct {
    sg_window part;      /* of the scene, pixels */
    sg_cutline *cutline; /* owned, or NULL */
} sg_area;

/* SG_EUSAGE, SG_EINPUT: what is asked for does not make sense, or lies outside of the scene. */
sg_err sg_area_open(sg_area *area, const sg_area_options *options, const sg_raster *scene);
void sg_area_close(sg_area *area);

#endif
