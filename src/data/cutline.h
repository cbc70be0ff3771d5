/*
 * A cutline: polygons of a vector layer that say which pixels of a scene are asked for, those whose
 * centre is inside one of them. Shared by all threads. [local]
 */
#ifndef SG_DATA_CUTLINE_H
#define SG_DATA_CUTLINE_H

#include "data/raster.h"

typedef struct sg_cutline sg_cutline;

/*
 * Take the polygons of a layer (NULL: the first) that touch the scene, in any CRS, to the scene's
 * pixels; vertices are transformed, edges stay straight between them. SG_EINPUT: not a vector file,
 * no such layer, something that is no polygon, no CRS on one side, or no polygon touches the scene.
 */
sg_err sg_cutline_open(sg_cutline **cutline, const char *path, const char *layer,
                       const sg_raster *scene);
void sg_cutline_close(sg_cutline *cutline); /* NULL is fine */

/* The pixels that the polygons' bounding box touches, inside the scene. */
sg_window sg_cutline_bounds(const sg_cutline *cutline);
/* A number that other polygons do not have, for this scene. */
uint64_t sg_cutline_identity(const sg_cutline *cutline);

/* Is no pixel of the window inside? */
sg_err sg_cutline_misses(sg_cutline *cutline, sg_window window, bool *misses);
/* Put 0 into mask (h, w) where the window's pixels are outside; the rest stays as it is. */
sg_err sg_cutline_apply(sg_cutline *cutline, sg_window window, uint8_t *mask);

#endif
