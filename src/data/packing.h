/* How the blocks of a raster are stored; all zero: deflate, without predictor. [local] */
#ifndef SG_DATA_PACKING_H
#define SG_DATA_PACKING_H

#include <stdbool.h>
#include "data/codec.h"
#include "data/predictor.h"

typedef enum {
    SG_PREDICT_NOTHING,
    SG_PREDICT_STANDARD,
    SG_PREDICT_FLOATS, /* bytes without predictor */
    SG_PREDICT_SUITED  /* reals as FLOATS, bytes as STANDARD */
} sg_predictor_wish;

typedef struct {
    sg_codec_kind codec;
    int32_t level; /* 0: the codec's usual one */
    sg_predictor_wish predictor;
    bool sparse; /* blocks without any data are left out */
} sg_packing;

/* What a wish means for bytes, or for f32. */
static inline sg_predictor sg_packing_predictor(const sg_packing *packing, bool is_float)
{
    switch (packing->predictor) {
    case SG_PREDICT_STANDARD:
        return SG_PREDICTOR_STANDARD;
    case SG_PREDICT_FLOATS:
        return is_float ? SG_PREDICTOR_FLOAT : SG_PREDICTOR_NONE;
    case SG_PREDICT_SUITED:
        return is_float ? SG_PREDICTOR_FLOAT : SG_PREDICTOR_STANDARD;
    default:
        return SG_PREDICTOR_NONE;
    }
}

#endif
