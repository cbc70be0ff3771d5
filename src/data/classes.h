/*
 * The class table: which value in labels and masks is which class, its name and colour. A class's
 * index (0 ..) is what the network computes with; its value is what files hold. [local]
 */
#ifndef SG_DATA_CLASSES_H
#define SG_DATA_CLASSES_H

#include <stdint.h>
#include "base/text.h"

enum { SG_CLASSES_MAX = 255, SG_CLASS_NAME_MAX = 64, SG_NO_CLASS = 255 };

typedef struct {
    char name[SG_CLASS_NAME_MAX];
    int32_t value;     /* 0 .. 255, in label rasters and in the mask */
    uint8_t colour[3]; /* black (0, 0, 0) stands for missing */
} sg_class;

typedef struct {
    int32_t count;
    int32_t nodata; /* the mask's nodata value: 255, else 0, else the highest free one */
    sg_class item[SG_CLASSES_MAX];
} sg_class_table;

/* Check names and values (unique, in range), fill in missing colours (a fixed qualitative palette),
 * choose nodata. SG_EUSAGE names what is wrong. */
sg_err sg_classes_complete(sg_class_table *classes);
/* "#rrggbb" to three bytes. */
sg_err sg_colour_parse(const char *text, uint8_t colour[3]);
/* A QGIS style (.qml, paletted renderer) naming exactly these classes. */
sg_err sg_classes_qml(const sg_class_table *classes, sg_text *text);
/* The same for polygons, by their field "value" (see polygonize.h): filled, without outlines. */
sg_err sg_classes_polygon_qml(const sg_class_table *classes, sg_text *text);
/* By name, -1 when absent. */
int32_t sg_classes_find(const sg_class_table *classes, const char *name);

#endif
