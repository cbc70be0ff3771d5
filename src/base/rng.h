/*
 * Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as
 * 1, 2, 3", SC 2011). A value is a pure function of (key, counter): no state, so it cannot depend
 * on threads, ranks or order. All [local].
 */
#ifndef SG_BASE_RNG_H
#define SG_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint32_t v[4];
} sg_random4;

/* Streams keep the uses of one seed apart. */
typedef enum {
    SG_STREAM_INIT = 1,  /* initial weights */
    SG_STREAM_ORDER = 2, /* order of scenes and samples */
    SG_STREAM_CROP = 3,  /* where a crop lies */
    SG_STREAM_AUGMENT = 4,
    SG_STREAM_DROPOUT = 5,
    SG_STREAM_SCENE = 6, /* made scenes */
    SG_STREAM_SPLIT = 7,
    SG_STREAM_JITTER = 8, /* brightness and contrast */
    SG_STREAM_ALTER = 9,  /* how much a sample is altered */
    SG_STREAM_NOISE = 10,
    SG_STREAM_PLACE = 11, /* pixels that crops are put around */
    SG_STREAM_MIX = 12    /* what of one crop goes into another */
} sg_stream;

/* Four words for (seed, stream, a, b). */
sg_random4 sg_random(uint64_t seed, sg_stream stream, uint64_t a, uint32_t b);

/* Uniform in [0, 1) with 24 bits. */
float sg_uniform(uint32_t word);
/* Uniform in [0, 1) with 53 bits. */
double sg_uniform53(uint32_t high, uint32_t low);
/* Uniform in 0 .. n-1 by multiply-high; n > 0. */
uint32_t sg_below(uint32_t word, uint32_t n);
/* The first of `count` indices whose cumulative chance is above u, the last one's being 1. */
size_t sg_choose(const double *cumulative, size_t count, double u);
/* Two standard normal values by Box-Muller. */
void sg_normal2(uint32_t word0, uint32_t word1, float out[2]);
/* The i-th element of a keyed pseudo-random permutation of 0 .. n-1 (cycle-walking Feistel). */
uint64_t sg_permute(uint64_t seed, sg_stream stream, uint64_t epoch, uint64_t i, uint64_t n);

#endif
