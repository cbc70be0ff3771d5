/*
 * A key has one place, its remainder, so that neighbouring tiles do not compete. What is held by a
 * thread is never replaced; bytes that find their place held are their caller's alone.
 */
#include "data/tile_cache.h"

#include <pthread.h>

#include "base/size.h"

typedef struct {
    int64_t key;
    uint8_t *bytes; /* owned; NULL: free */
    int32_t holders;
} place;

struct sg_tile_cache {
    pthread_mutex_t lock;
    place *place; /* [places] */
    size_t places;
};

sg_err sg_tile_cache_open(sg_tile_cache **out, size_t entries)
{
    sg_tile_cache *cache = NULL;
    sg_err err = sg_calloc(1, sizeof *cache, &cache);
    if (err)
        return err;
    err = sg_calloc(entries, sizeof *cache->place, &cache->place);
    if (err) {
        sg_free(cache);
        return err;
    }
    cache->places = entries;
    pthread_mutex_init(&cache->lock, NULL);
    *out = cache;
    return SG_OK;
}

void sg_tile_cache_close(sg_tile_cache *cache)
{
    if (!cache)
        return;
    for (size_t i = 0; i < cache->places; i++) {
        SG_ASSERT(cache->place[i].holders == 0);
        sg_free(cache->place[i].bytes);
    }
    pthread_mutex_destroy(&cache->lock);
    sg_free(cache->place);
    sg_free(cache);
}

static place *place_of(sg_tile_cache *cache, int64_t key)
{
    return &cache->place[(size_t)key % cache->places];
}

const uint8_t *sg_tile_cache_find(sg_tile_cache *cache, int64_t key)
{
    const uint8_t *bytes = NULL;
    place *p = place_of(cache, key);
    pthread_mutex_lock(&cache->lock);
    if (p->bytes && p->key == key) {
        p->holders++;
        bytes = p->bytes;
    }
    pthread_mutex_unlock(&cache->lock);
    return bytes;
}

void sg_tile_cache_add(sg_tile_cache *cache, int64_t key, uint8_t *bytes)
{
    uint8_t *former = NULL;
    place *p = place_of(cache, key);
    pthread_mutex_lock(&cache->lock);
    if (p->holders == 0) {
        former = p->bytes;
        *p = (place){key, bytes, 1};
    }
    pthread_mutex_unlock(&cache->lock);
    sg_free(former);
}

void sg_tile_cache_release(sg_tile_cache *cache, int64_t key, const uint8_t *bytes)
{
    place *p = place_of(cache, key);
    bool kept;
    if (!bytes)
        return;
    pthread_mutex_lock(&cache->lock);
    kept = p->bytes == bytes;
    if (kept)
        p->holders--;
    pthread_mutex_unlock(&cache->lock);
    if (!kept)
        sg_free((uint8_t *)bytes);
}
