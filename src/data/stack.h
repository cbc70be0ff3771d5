/*
 * Rasters of one place stacked: seen through VRTs in memory as one raster with the bands of all, on
 * the grid of the first, in whatever CRS and resolution they lie. A band has data where its own
 * raster has: by its nodata, mask or alpha, and where that raster lies at all. [local]
 */
#ifndef SG_DATA_STACK_H
#define SG_DATA_STACK_H

#include <stddef.h>
#include "data/spec.h"

/* How a raster on another grid is brought to the first one's, words parted by blanks: gdalwarp's,
 * and auto: averaged where it is finer, interpolated where it is coarser, the nearest of a palette.
 */
#define SG_STACK_METHODS                                                                           \
    "auto near bilinear cubic cubicspline lanczos average rms mode min max med q1 q3"

/* Is it one of them, or ""? */
bool sg_is_stack_method(const char *word);

typedef struct {
    const char *file;
    const char *method; /* of SG_STACK_METHODS; NULL or "": auto */
} sg_stack_item;

/*
 * Make path ("/vsimem/...vrt") the stack of items, the first of which gives the grid. Alpha bands
 * are no bands of it. Rasters on the first one's grid are read as they are, others through warped
 * views that stand beside path. SG_EINPUT: a file cannot be opened, or does not touch the first.
 */
sg_err sg_stack_make(const char *path, const sg_stack_item *item, size_t items);
/* Remove the stack and its views; "" is fine. */
void sg_stack_remove(const char *path);

/* The stack of a scene and its layers. */
sg_err sg_stack_of_scene(const char *path, const char *scene, const sg_layer *layer,
                         int32_t layers);

/*
 * Which file a layer names for a scene: {stem} stands for the scene's file name without its
 * extension, {stem/a/b} for that with the first a replaced by b. It lies beside the scene unless it
 * starts at "/". SG_EUSAGE: other braces, or a stem without that a.
 */
sg_err sg_layer_file(char *path, const sg_layer *layer, const char *scene);

#endif
