/* FNV-1a, 64 bits (Fowler, Noll and Vo): a number for what is the same, not against forgery.
 * [local] */
#ifndef SG_BASE_HASH_H
#define SG_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define SG_HASH_START UINT64_C(0xcbf29ce484222325)

/* Go on from a hash, SG_HASH_START at first. */
uint64_t sg_hash(uint64_t hash, const void *data, size_t bytes);

#endif
