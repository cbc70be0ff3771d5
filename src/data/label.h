/*
 * Labels of a scene, delivered on the scene's grid as class indices. A raster (value map to
 * classes) or a vector layer (attribute map, burned on the fly), in any CRS and resolution: warped
 * to the image's grid with nearest neighbour. A sg_label belongs to one thread. All [local].
 */
#ifndef SG_DATA_LABEL_H
#define SG_DATA_LABEL_H

#include "data/raster.h"

typedef struct {
    char layer[64];      /* vector: layer name, "" for the first */
    char attribute[64];  /* vector: field whose value (number) or text (name) tells the class; ""
                            burns class 0 */
    int32_t ignore;      /* raster: this value is ignored as well as unmapped ones; -1 none */
    int32_t all_touched; /* vector: burn every pixel touched (of a mere corner: as GDAL decides) */
} sg_label_options;

typedef struct sg_label sg_label;

/* image gives the grid and stays borrowed. SG_EINPUT: file, layer or attribute missing, no overlap,
 * CRS unknown on one side only. Unmapped values are ignored; a file where no value maps is an error
 * on first full read by the caller. */
sg_err sg_label_open(sg_label **label, const char *path, const sg_raster *image,
                     const sg_class_table *classes, const sg_label_options *options);
void sg_label_close(sg_label *label);

/* classes_out: (h, w) class index or SG_NO_CLASS; outside the scene SG_NO_CLASS. */
sg_err sg_label_read(sg_label *label, sg_window window, uint8_t *classes_out);

#endif
