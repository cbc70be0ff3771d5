/*
 * Choices that were measured once, kept on disk for later runs: text by text. May include: base.
 *
 * One file for each key, in $SEGTILES_CACHE, else $XDG_CACHE_HOME/segtiles, else ~/.cache/segtiles,
 * under "convolutions". Files are written whole and renamed, so that any number of ranks may write
 * at once: the last one stays. What is damaged, unreadable or cannot be written is warned of once
 * and otherwise as if it were not there: a cache never makes a run fail. All [local].
 */
#ifndef SG_CUDA_PLAN_CACHE_H
#define SG_CUDA_PLAN_CACHE_H

#include <stdbool.h>
#include "base/error.h"

typedef struct sg_plan_cache sg_plan_cache;

/* Where there is no place for it (none of the variables is set) it remembers nothing. SG_ENOMEM. */
sg_err sg_plan_cache_open(sg_plan_cache **cache);
void sg_plan_cache_close(sg_plan_cache *cache); /* NULL is fine */
/* key and choice: one line each, without its end. choice: SG_PLAN_CHOICE_MAX bytes. */
enum { SG_PLAN_CHOICE_MAX = 1024 };
bool sg_plan_cache_find(sg_plan_cache *cache, const char *key, char *choice);
void sg_plan_cache_keep(sg_plan_cache *cache, const char *key, const char *choice);

#endif
