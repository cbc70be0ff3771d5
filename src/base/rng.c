#include "base/rng.h"

#include <math.h>

#include "base/error.h"

enum { ROUNDS = 10, FEISTEL_ROUNDS = 8 };

static void philox_round(uint32_t c[4], uint32_t k0, uint32_t k1)
{
    uint64_t p0 = (uint64_t)0xD2511F53u * c[0];
    uint64_t p1 = (uint64_t)0xCD9E8D57u * c[2];
    uint32_t next[4] = {(uint32_t)(p1 >> 32) ^ c[1] ^ k0, (uint32_t)p1,
                        (uint32_t)(p0 >> 32) ^ c[3] ^ k1, (uint32_t)p0};
    for (int i = 0; i < 4; i++) {
        c[i] = next[i];
    }
}

sg_random4 sg_random(uint64_t seed, sg_stream stream, uint64_t a, uint32_t b)
{
    sg_random4 r = {{(uint32_t)a, (uint32_t)(a >> 32), b, (uint32_t)stream}};
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (int i = 0; i < ROUNDS; i++) {
        philox_round(r.v, k0, k1);
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return r;
}

float sg_uniform(uint32_t word)
{
    return (float)(word >> 8) * 0x1p-24f;
}

double sg_uniform53(uint32_t high, uint32_t low)
{
    return ((double)(high >> 5) * 67108864.0 + (double)(low >> 6)) / 9007199254740992.0;
}

uint32_t sg_below(uint32_t word, uint32_t n)
{
    return (uint32_t)(((uint64_t)word * n) >> 32);
}

size_t sg_choose(const double *cumulative, size_t count, double u)
{
    size_t low = 0, high = count - 1;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (cumulative[middle] > u)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

void sg_normal2(uint32_t word0, uint32_t word1, float out[2])
{
    double u = ((double)word0 + 1.0) * 0x1p-32; /* in (0, 1]: the logarithm is finite */
    double angle = 6.283185307179586 * ((double)word1 * 0x1p-32);
    double radius = sqrt(-2.0 * log(u));
    out[0] = (float)(radius * cos(angle));
    out[1] = (float)(radius * sin(angle));
}

/* A permutation of 0 .. 4^half_bits - 1. */
static uint64_t feistel(uint64_t key, sg_stream stream, uint64_t x, int half_bits)
{
    uint64_t mask = ((uint64_t)1 << half_bits) - 1;
    uint64_t left = x >> half_bits, right = x & mask;
    for (uint32_t round = 0; round < FEISTEL_ROUNDS; round++) {
        uint64_t mixed = left ^ (sg_random(key, stream, right, round).v[0] & mask);
        left = right;
        right = mixed;
    }
    return left << half_bits | right;
}

uint64_t sg_permute(uint64_t seed, sg_stream stream, uint64_t epoch, uint64_t i, uint64_t n)
{
    SG_ASSERT(i < n);
    int half_bits = 1;
    while (half_bits < 32 && ((uint64_t)1 << 2 * half_bits) < n) {
        half_bits++;
    }
    /* A word that no round uses as its counter keys the epoch. */
    sg_random4 key = sg_random(seed, stream, epoch, UINT32_MAX);
    uint64_t mixed = (uint64_t)key.v[1] << 32 | key.v[0];
    /* Walk the cycle until it comes back into range; the start lies in range, so it does. */
    do {
        i = feistel(mixed, stream, i, half_bits);
    } while (i >= n);
    return i;
}
