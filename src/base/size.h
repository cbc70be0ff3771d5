/*
 * Checked sizes. Byte and element counts are size_t and are multiplied through here.
 * Overflow is SG_ENOMEM. All [local].
 */
#ifndef SG_BASE_SIZE_H
#define SG_BASE_SIZE_H

#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

sg_err sg_size_mul(size_t a, size_t b, size_t *product);
sg_err sg_size_mul3(size_t a, size_t b, size_t c, size_t *product);
sg_err sg_size_add(size_t a, size_t b, size_t *sum);

/* Zeroed memory for count items of size bytes; aligned to 64 bytes; free with sg_free. */
sg_err sg_calloc(size_t count, size_t size, void *out_pointer);
/* The same without zeroing. out_pointer is the address of a pointer of any object type. */
sg_err sg_malloc(size_t count, size_t size, void *out_pointer);
/* Grow an array obtained here (or NULL) to at least want items; *capacity is kept up to date. */
sg_err sg_grow(void *array_pointer, size_t *capacity, size_t want, size_t item_size);
void sg_free(void *pointer); /* NULL is fine */

static inline int64_t sg_div_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}
static inline int64_t sg_round_up(int64_t a, int64_t b)
{
    return sg_div_up(a, b) * b;
}
static inline int64_t sg_min64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}
static inline int64_t sg_max64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

#endif
