/*
 * TIFF's predictors: a row's values are replaced by their differences, which compress better. The
 * rows are those of a block, pixels innermost by band. [local]
 */
#ifndef SG_DATA_PREDICTOR_H
#define SG_DATA_PREDICTOR_H

#include <stddef.h>
#include <stdint.h>

/* The values that tag 317 takes. */
typedef enum {
    SG_PREDICTOR_NONE = 1,
    SG_PREDICTOR_STANDARD = 2,
    SG_PREDICTOR_FLOAT = 3
} sg_predictor;

/* What the rows are like. */
typedef struct {
    size_t width, bands; /* values in a row: width * bands */
    size_t value_bytes;  /* 1 or 4 */
} sg_predicted;

/*
 * In place, one row. STANDARD: bytes, or 32-bit words, minus the same band's of the pixel before
 * (TIFF 6.0, section 14). FLOAT: f32 only: the bytes of all values sorted by their weight, the
 * highest first, then differences of bytes (TIFF Technical Note 3). scratch: a row's bytes; FLOAT
 * only.
 */
void sg_predict_row(sg_predictor predictor, const sg_predicted *rows, uint8_t *row,
                    uint8_t *scratch);

#endif
