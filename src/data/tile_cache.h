/*
 * Unpacked parts of tiles, kept for the next crop that needs them. Shared by all threads of a rank.
 * [local]
 */
#ifndef SG_DATA_TILE_CACHE_H
#define SG_DATA_TILE_CACHE_H

#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

typedef struct sg_tile_cache sg_tile_cache;

/* Room for so many. */
sg_err sg_tile_cache_open(sg_tile_cache **cache, size_t entries);
void sg_tile_cache_close(sg_tile_cache *cache); /* when nobody holds an entry; NULL is fine */

/* The bytes under a key, NULL: not there. They stay until they are released. */
const uint8_t *sg_tile_cache_find(sg_tile_cache *cache, int64_t key);
/* Take over bytes of sg_malloc under a key; the caller holds them, and releases them. */
void sg_tile_cache_add(sg_tile_cache *cache, int64_t key, uint8_t *bytes);
void sg_tile_cache_release(sg_tile_cache *cache, int64_t key, const uint8_t *bytes);

#endif
