#include "data/predictor.h"

#include <string.h>

/* From the end, so that every value still finds the one before it. */
static void subtract_bytes(uint8_t *row, size_t count, size_t apart)
{
    for (size_t i = count; i-- > apart;)
        row[i] = (uint8_t)(row[i] - row[i - apart]);
}

static void subtract_words(uint8_t *row, size_t count, size_t apart)
{
    for (size_t i = count; i-- > apart;) {
        uint32_t value, before;
        memcpy(&value, row + i * sizeof value, sizeof value);
        memcpy(&before, row + (i - apart) * sizeof before, sizeof before);
        value -= before;
        memcpy(row + i * sizeof value, &value, sizeof value);
    }
}

/* This machine is little endian: a value's highest byte is its last. */
static void sort_bytes(uint8_t *row, size_t count, size_t bytes, uint8_t *scratch)
{
    memcpy(scratch, row, count * bytes);
    for (size_t i = 0; i < count; i++)
        for (size_t b = 0; b < bytes; b++)
            row[(bytes - 1 - b) * count + i] = scratch[i * bytes + b];
}

void sg_predict_row(sg_predictor predictor, const sg_predicted *rows, uint8_t *row,
                    uint8_t *scratch)
{
    size_t count = rows->width * rows->bands;
    if (predictor == SG_PREDICTOR_FLOAT) {
        sort_bytes(row, count, rows->value_bytes, scratch);
        subtract_bytes(row, count * rows->value_bytes, rows->bands);
    } else if (predictor == SG_PREDICTOR_STANDARD && rows->value_bytes == 1) {
        subtract_bytes(row, count, rows->bands);
    } else if (predictor == SG_PREDICTOR_STANDARD) {
        subtract_words(row, count, rows->bands);
    }
}
