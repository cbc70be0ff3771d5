/*
 * add_bench: how many bytes one thread adds up in a second of a processor, in the loop of
 * src/comm/reduce.c: three vectors of other ranks to its own, all of them in memory and not in a
 * cache, of the slices of several buckets. For the arithmetic in docs/scaling.md.
 *
 *     cc -O3 -o add_bench tools/scaling/add_bench.c -lm && ./add_bench
 */
#define _POSIX_C_SOURCE 200112L
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { OTHERS = 3, ROUNDS = 8, LEAST = 1 << 16, MOST = 1 << 21, CACHE = 1 << 28 };

static double processor_time(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void forget(volatile char *cache)
{
    for (size_t i = 0; i < CACHE; i += 64)
        cache[i]++;
}

static void add(float *sum, const float *others, size_t n)
{
    for (int m = 0; m < OTHERS; m++) {
        const float *part = others + (size_t)m * n;
        for (size_t i = 0; i < n; i++)
            sum[i] += part[i];
    }
}

static void measure(float *memory, volatile char *cache, size_t n)
{
    double best = INFINITY;
    for (int i = 0; i < ROUNDS; i++) {
        forget(cache);
        double start = processor_time();
        add(memory, memory + n, n);
        best = fmin(best, processor_time() - start);
    }
    printf("slices of %7zu elements: %.1f GB/s\n", n, 4e-9 * OTHERS * (double)n / best);
}

int main(void)
{
    float *memory = malloc((OTHERS + 1) * (size_t)MOST * sizeof *memory);
    char *cache = calloc(CACHE, 1);
    if (!memory || !cache)
        return EXIT_FAILURE;
    memset(memory, 0, (OTHERS + 1) * (size_t)MOST * sizeof *memory);
    for (size_t n = LEAST; n <= MOST; n *= 2)
        measure(memory, cache, n);
    free(memory);
    free(cache);
    return EXIT_SUCCESS;
}
