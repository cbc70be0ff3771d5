#include "base/size.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { ALIGNMENT = 64 }; /* a cache line, and the widest vector register */
/* Large memory is asked for in huge pages, which are faster to get and to find. */
enum { HUGE_PAGE = 2 << 20, LARGE = 4 * HUGE_PAGE };

static sg_err overflow(void)
{
    return sg_fail(SG_ENOMEM, "a size does not fit into the address space; use smaller tiles, a "
                              "smaller batch or fewer bands");
}

sg_err sg_size_mul(size_t a, size_t b, size_t *product)
{
    return __builtin_mul_overflow(a, b, product) ? overflow() : SG_OK;
}

sg_err sg_size_mul3(size_t a, size_t b, size_t c, size_t *product)
{
    sg_err err = sg_size_mul(a, b, product);
    return err ? err : sg_size_mul(*product, c, product);
}

sg_err sg_size_add(size_t a, size_t b, size_t *sum)
{
    return __builtin_add_overflow(a, b, sum) ? overflow() : SG_OK;
}

sg_err sg_malloc(size_t count, size_t size, void *out_pointer)
{
    void *memory = NULL;
    size_t bytes = 0;
    memcpy(out_pointer, &memory, sizeof memory);
    sg_err err = sg_size_mul(count, size, &bytes);
    if (err) {
        return err;
    }
    if (posix_memalign(&memory, bytes < LARGE ? ALIGNMENT : HUGE_PAGE, bytes ? bytes : 1)) {
        return sg_fail(SG_ENOMEM, "no memory for %zu bytes; use smaller tiles or a smaller batch",
                       bytes);
    }
    if (bytes >= LARGE) {
        (void)madvise(memory, bytes, MADV_HUGEPAGE); /* where there are none, there are none */
    }
    memcpy(out_pointer, &memory, sizeof memory);
    return SG_OK;
}

sg_err sg_calloc(size_t count, size_t size, void *out_pointer)
{
    sg_err err = sg_malloc(count, size, out_pointer);
    if (err) {
        return err;
    }
    void *memory = NULL;
    memcpy(&memory, out_pointer, sizeof memory);
    memset(memory, 0, count * size);
    return SG_OK;
}

sg_err sg_grow(void *array_pointer, size_t *capacity, size_t want, size_t item_size)
{
    if (want <= *capacity) {
        return SG_OK;
    }
    void *old = NULL, *grown = NULL;
    size_t half_more = *capacity + *capacity / 2;
    size_t count = want > half_more ? want : half_more;
    memcpy(&old, array_pointer, sizeof old);
    sg_err err = sg_calloc(count, item_size, &grown);
    if (err) {
        return err;
    }
    if (old) {
        memcpy(grown, old, *capacity * item_size);
    }
    sg_free(old);
    memcpy(array_pointer, &grown, sizeof grown);
    *capacity = count;
    return SG_OK;
}

void sg_free(void *pointer)
{
    free(pointer);
}
