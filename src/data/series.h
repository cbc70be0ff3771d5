/*
 * Numbers over steps, read from a file of JSON objects, one a line: metrics.jsonl. Whatever numbers
 * a row holds become a series named by its JSON pointer: "/loss", "/val_iou/water", "/ranks/0/x".
 * [local]
 */
#ifndef SG_DATA_SERIES_H
#define SG_DATA_SERIES_H

#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

enum { SG_SERIES_MAX = 8192 }; /* names; numbers beyond are left out */

typedef struct {
    char *name;    /* owned, as x and y */
    double *x, *y; /* [count]; y is NaN where the file says null */
    size_t count, room_x, room_y;
} sg_series;

typedef struct {
    sg_series *item; /* owned, in the order of first appearance */
    size_t count, room;
    int64_t rows, damaged; /* rows read; rows that are no object with a number x, left out */
} sg_series_set;

/* x: the member that tells where a row stands, as "step". A last line without its end is being
 * written and is left out. A file that does not exist gives an empty set. SG_EINPUT: unreadable. */
sg_err sg_series_read(sg_series_set *set, const char *path, const char *x);
void sg_series_clear(sg_series_set *set);
/* By name, NULL when absent. */
const sg_series *sg_series_find(const sg_series_set *set, const char *name);

#endif
