/* A hash table with open addressing; what is taken out leaves no marks behind. */
#include "tiles/patches.h"

#include "base/size.h"

enum { FIRST_SIZE = 1024 };

struct sg_patch_store {
    sg_patch *item; /* [size], owned; no pixels: free */
    size_t size;    /* a power of two */
    size_t used;    /* at most half of it */
};

static size_t home_of(const sg_patch_store *store, int64_t x, int64_t y)
{
    uint64_t h = (uint64_t)y * UINT64_C(0x9e3779b97f4a7c15) + (uint64_t)x;
    h = (h ^ (h >> 32)) * UINT64_C(0xd6e8feb86659fd93);
    return (size_t)(h ^ (h >> 32)) & (store->size - 1);
}

static size_t next_of(const sg_patch_store *store, size_t i)
{
    return (i + 1) & (store->size - 1);
}

sg_err sg_patch_store_create(sg_patch_store **out)
{
    sg_patch_store *store = NULL;
    sg_err err = sg_calloc(1, sizeof *store, &store);
    if (err == SG_OK) {
        store->size = FIRST_SIZE;
        err = sg_calloc(store->size, sizeof *store->item, &store->item);
    }
    if (err != SG_OK) {
        sg_free(store);
        store = NULL;
    }
    *out = store;
    return err;
}

void sg_patch_store_close(sg_patch_store *store)
{
    if (!store)
        return;
    sg_free(store->item);
    sg_free(store);
}

static void place(sg_patch_store *store, const sg_patch *patch)
{
    size_t i = home_of(store, patch->x, patch->y);
    while (store->item[i].pixels > 0)
        i = next_of(store, i);
    store->item[i] = *patch;
}

static sg_err enlarge(sg_patch_store *store)
{
    sg_patch_store larger = {.size = 2 * store->size, .used = store->used};
    sg_err err = sg_calloc(larger.size, sizeof *larger.item, &larger.item);
    if (err != SG_OK)
        return err;
    for (size_t i = 0; i < store->size; i++)
        if (store->item[i].pixels > 0)
            place(&larger, &store->item[i]);
    sg_free(store->item);
    *store = larger;
    return SG_OK;
}

sg_err sg_patch_store_put(sg_patch_store *store, const sg_patch *patch)
{
    sg_err err = 2 * (store->used + 1) > store->size ? enlarge(store) : SG_OK;
    SG_ASSERT(patch->pixels > 0);
    if (err == SG_OK) {
        place(store, patch);
        store->used++;
    }
    return err;
}

/* Those behind a freed place move up where they would not be found any more. */
static void free_place(sg_patch_store *store, size_t hole)
{
    size_t mask = store->size - 1;
    for (size_t i = next_of(store, hole); store->item[i].pixels > 0; i = next_of(store, i)) {
        size_t home = home_of(store, store->item[i].x, store->item[i].y);
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            store->item[hole] = store->item[i];
            hole = i;
        }
    }
    store->item[hole].pixels = 0;
    store->used--;
}

bool sg_patch_store_take(sg_patch_store *store, int64_t x, int64_t y, sg_patch *patch)
{
    for (size_t i = home_of(store, x, y); store->item[i].pixels > 0; i = next_of(store, i))
        if (store->item[i].x == x && store->item[i].y == y) {
            *patch = store->item[i];
            free_place(store, i);
            return true;
        }
    return false;
}
