/*
 * An endless made-up landscape: what class of land cover lies at a pixel, and how it looks in each
 * band. Everything is a function of (seed, x, y): no state, so it does not depend on the order, the
 * size of blocks or the number of threads. All [local].
 *
 * Two smooth random fields (layers of value noise, from 1024 to 16 pixels) place the classes; each
 * class has a spectrum and textures: smooth mottle, parcels, fine grain. Some classes differ little
 * in colour and much in texture. Light varies over kilometres; sensors add noise.
 */
#ifndef SG_TOOLS_LANDSCAPE_H
#define SG_TOOLS_LANDSCAPE_H

#include "data/classes.h"

enum { LANDSCAPE_BANDS_MAX = 512, LANDSCAPE_CLASSES_MAX = 64, LANDSCAPE_FIELDS = 4 };

typedef struct {
    uint64_t seed; /* which landscape */
    int32_t bands, classes;
    float place[LANDSCAPE_CLASSES_MAX][2];   /* where a class lies among the two placing fields */
    float texture[LANDSCAPE_CLASSES_MAX][3]; /* strength of mottle, parcels, grain */
    float *spectrum;                         /* (classes, bands) reflectance, owned */
} landscape;

/* nature: which spectra and textures belong to the classes; the same for scenes that one network is
 * to know. */
sg_err landscape_create(landscape *land, uint64_t seed, uint64_t nature, int32_t bands,
                        int32_t classes);
void landscape_close(landscape *land);
/* Names, values 1 .. classes, colours. */
sg_err landscape_classes(int32_t classes, sg_class_table *table);

/* Draws rows of one window; one per thread. */
typedef struct painter painter;
sg_err painter_create(painter **brush, const landscape *land, int64_t x, int64_t width);
void painter_close(painter *brush);
/* Row y of the window: pixels (width, bands) reflectance in 0 .. 1, labels (width) 1 .. classes.
 * Consecutive rows are quickest. */
void painter_row(painter *brush, int64_t y, float *pixels, uint8_t *labels);

#endif
