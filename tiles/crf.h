/*
 * A fully connected conditional random field over one window of a scene, as DeepLab's authors used
 * it (Kraehenbuehl and Koltun, "Efficient inference in fully connected CRFs with Gaussian edge
 * potentials", 2011). [local]
 *
 * Every pixel draws every other one towards its own class, the more so the nearer and the more
 * alike they are:
 *
 *   w1 exp(-|p - q|^2 / 2 alpha^2 - |I_p - I_q|^2 / 2 beta^2) + w2 exp(-|p - q|^2 / 2 gamma^2)
 *
 * with p in pixels and I the bands as the network sees them. Against it stands -log of the
 * network's probability, which is taken to be at least 1e-5. Compatibility is Potts's: other
 * classes are all equally wrong. Mean field iterations begin with the network's probabilities.
 * Either kernel is divided by the square roots of its sums over both pixels, so weights mean the
 * same at the edge of the data; and a pixel counts among its own neighbours, as in the authors'
 * program. Pixels without data take no part.
 *
 * The sums are those of the permutohedral lattice (tiles/lattice.h), in f32 and in a fixed order.
 */
#ifndef SG_TILES_CRF_H
#define SG_TILES_CRF_H

#include <stdbool.h>
#include "data/window.h"
#include "tiles/lattice.h"

typedef struct {
    int32_t iterations;     /* of mean field; 0: there is no CRF */
    double w1, alpha, beta; /* appearance: weight (0: none), pixels, units of the bands */
    double w2, gamma;       /* smoothness: weight (0: none), pixels */
} sg_crf_options;

/* What is worth asking for: see docs/prediction.md. */
sg_crf_options sg_crf_defaults(void);
/* The largest alpha and gamma. */
enum { SG_CRF_REACH_MOST = 128 };

/*
 * A scene is worked in windows that begin at multiples of a length from its first pixel, each
 * together with a margin around it, which is not kept. Both are functions of the options alone, so
 * that no tile, chunk or rank shows in the result.
 */
int64_t sg_crf_margin(const sg_crf_options *options);
int64_t sg_crf_window(const sg_crf_options *options);

/* The window with its margin, cut at the scene's edge. */
typedef struct {
    int64_t w, h;               /* pixels */
    int64_t row;                /* pixels from one row to the next */
    const uint8_t *known;       /* (h, row) SG_NO_CLASS: no data */
    const float *bands;         /* (h, row, bands) */
    const float *probabilities; /* (h, row, classes) */
} sg_crf_field;

/* What is kept. */
typedef struct {
    sg_window core;       /* counted from the field's first pixel, inside of it */
    int64_t row;          /* pixels from one row of the results to the next */
    uint8_t *classes;     /* (core.h, row) SG_NO_CLASS: no data */
    float *probabilities; /* (core.h, row, classes), SG_NO_PROBABILITY: no data */
} sg_crf_result;

typedef struct sg_crf sg_crf;

/* With memory for fields of at most so many pixels. */
sg_err sg_crf_create(sg_crf **crf, const sg_crf_options *options, int32_t bands, int32_t classes,
                     size_t most);
void sg_crf_close(sg_crf *crf); /* NULL is fine */
/* What it takes at most. */
double sg_crf_bytes(const sg_crf_options *options, int32_t bands, int32_t classes, size_t most);

/* The class is the most probable one, the first of equal ones. */
void sg_crf_run(sg_crf *crf, const sg_crf_field *field, const sg_crf_result *result);

#endif
