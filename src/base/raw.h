/*
 * Images as they were read, small whole numbers or f32, and what makes a network's f32 of them. All
 * who do that give the same bits: (value - shift) * scale, each operation rounded to f32. [local]
 */
#ifndef SG_BASE_RAW_H
#define SG_BASE_RAW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum { SG_RAW_F32, SG_RAW_U8, SG_RAW_U16, SG_RAW_I16 } sg_raw_type;

/* All borrowed. bands are innermost. */
typedef struct {
    sg_raw_type type;
    int32_t turn;         /* 0 .. 7, of base/walk.h */
    const void *values;   /* (h, w, bands), before the turn */
    const uint8_t *valid; /* (h, w): pixels that are 0 become zeros in all bands; NULL: none */
    const float *shift, *scale; /* [bands]; NULL, both: values are as they are to be */
} sg_raw_image;

static inline size_t sg_raw_size(sg_raw_type type) /* bytes of a value */
{
    return type == SG_RAW_F32 ? 4 : type == SG_RAW_U8 ? 1 : 2;
}

/* Images that need nothing done to them: f32 [count] of one image each, one behind the other. */
void sg_raw_plain(sg_raw_image *image, int32_t n, const float *values, size_t count);
bool sg_raw_is_plain(const sg_raw_image *image);
/* (h, w, bands) as they are once turned: plain C, a pixel at a time. */
void sg_raw_to_f32(const sg_raw_image *image, int64_t h, int64_t w, int32_t bands, float *out);

#endif
