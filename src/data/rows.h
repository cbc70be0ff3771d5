/*
 * A raster's first band as bytes or as f32: its rows from the first to the last, for which a row of
 * its blocks is held, so that every block is read once; and any window of it. [local]
 */
#ifndef SG_DATA_ROWS_H
#define SG_DATA_ROWS_H

#include <stdbool.h>
#include "base/file.h"
#include "data/window.h"

typedef struct sg_rows sg_rows;

/* SG_EINPUT names the file. */
sg_err sg_rows_open(sg_rows **rows, const char *path, bool is_float);
/* The next row: uint8_t or float, [width]; NULL after the last. Valid until the next call. */
sg_err sg_rows_next(sg_rows *rows, const void **row);
/* Any window of the raster: (h, w). */
sg_err sg_rows_window(sg_rows *rows, sg_window window, void *pixels);
int64_t sg_rows_width(const sg_rows *rows);
void sg_rows_close(sg_rows *rows); /* NULL is fine */

#endif
