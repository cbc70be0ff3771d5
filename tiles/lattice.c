/*
 * Points of the lattice are vectors of dims + 1 whole numbers that leave the same remainder when
 * divided by dims + 1, and add up to 0, so that the last one need not be kept. They are found by a
 * hash table with open addressing and numbered from 1 in the order in which pixels bring them;
 * number 0 stands for a neighbour that is not there and is worth nothing.
 */
#include "tiles/lattice.h"

#include <math.h>
#include <string.h>
#include "base/size.h"

enum { LANES = SG_LATTICE_LANES };
static const double GOLDEN_RATIO = 1.6180339887498949;

struct sg_lattice {
    int32_t dims;
    size_t most;            /* pixels */
    size_t count, points;   /* pixels placed, points they have; number 0 does not count */
    double *scale, *shift;  /* [dims] from deviations to the lattice */
    double *high;           /* [dims + 1] the pixel's place in the lattice */
    int32_t *origin, *rank; /* [dims + 1] of its simplex: see locate */
    double *bary;           /* [dims + 2] */
    int32_t *wanted;        /* [dims + 1] a point that is looked for */
    int32_t *key;           /* (points, dims) */
    int32_t *slot;          /* [slots] a point's number, 0: free */
    size_t slots;           /* a power of two */
    int32_t *corner;        /* (count, dims + 1) points */
    float *share;           /* (count, dims + 1) their weights */
    int32_t *first;         /* [points + 2] of what a point is given, in the next two: */
    int32_t *pixel;         /* [count x (dims + 1)] */
    float *weight;          /* the same */
    int32_t *neighbour;     /* (dims + 1, points, 2) */
    float *value, *blurred; /* (points, LANES) */
};

/* ---- memory ---- */

typedef struct {
    size_t corners, points, slots;
} extent;

static extent extent_of(int32_t dims, size_t most)
{
    extent e = {.corners = most * ((size_t)dims + 1)};
    e.points = e.corners + 1;
    for (e.slots = 16; e.slots < 2 * e.points;)
        e.slots *= 2;
    return e;
}

double sg_lattice_bytes(int32_t dims, size_t most)
{
    extent e = extent_of(dims, most);
    double corner = 2 * (sizeof(int32_t) + sizeof(float));
    double point =
        (double)sizeof(int32_t) * (dims + 1 + 2 * (dims + 1)) + 2 * LANES * sizeof(float);
    return (double)e.corners * corner + (double)e.points * point +
           (double)e.slots * sizeof(int32_t);
}

static sg_err allocate(sg_lattice *l, extent e)
{
    size_t dims = (size_t)l->dims, neighbours;
    sg_err err = sg_size_mul3(e.points, dims + 1, 2, &neighbours);
    if (err == SG_OK)
        err = sg_malloc(2 * dims, sizeof *l->scale, &l->scale);
    if (err == SG_OK)
        err = sg_malloc(2 * dims + 3, sizeof *l->high, &l->high);
    if (err == SG_OK)
        err = sg_malloc(3 * (dims + 1), sizeof *l->origin, &l->origin);
    if (err == SG_OK)
        err = sg_malloc(e.points * dims, sizeof *l->key, &l->key);
    if (err == SG_OK)
        err = sg_malloc(e.slots, sizeof *l->slot, &l->slot);
    if (err == SG_OK)
        err = sg_malloc(e.corners, sizeof *l->corner, &l->corner);
    if (err == SG_OK)
        err = sg_malloc(e.corners, sizeof *l->share, &l->share);
    if (err == SG_OK)
        err = sg_malloc(e.points + 1, sizeof *l->first, &l->first);
    if (err == SG_OK)
        err = sg_malloc(e.corners, sizeof *l->pixel, &l->pixel);
    if (err == SG_OK)
        err = sg_malloc(e.corners, sizeof *l->weight, &l->weight);
    if (err == SG_OK)
        err = sg_malloc(neighbours, sizeof *l->neighbour, &l->neighbour);
    if (err == SG_OK)
        err = sg_malloc(e.points * LANES, sizeof *l->value, &l->value);
    if (err == SG_OK)
        err = sg_malloc(e.points * LANES, sizeof *l->blurred, &l->blurred);
    return err;
}

sg_err sg_lattice_create(sg_lattice **out, int32_t dims, size_t most)
{
    sg_lattice *l = NULL;
    size_t corners;
    *out = NULL;
    SG_ASSERT(dims > 0 && most > 0);
    sg_err err = sg_size_mul(most, (size_t)dims + 1, &corners);
    if (err == SG_OK && corners >= INT32_MAX)
        err = sg_fail(SG_ENOMEM, "a lattice of %zu points in %d dimensions is too large", corners,
                      (int)dims);
    if (err == SG_OK)
        err = sg_calloc(1, sizeof *l, &l);
    if (err != SG_OK)
        return err;
    *l = (sg_lattice){.dims = dims, .most = most};
    extent e = extent_of(dims, most);
    l->slots = e.slots;
    err = allocate(l, e);
    if (err != SG_OK) {
        sg_lattice_close(l);
        return err;
    }
    l->bary = l->high + dims + 1;
    l->rank = l->origin + dims + 1;
    l->wanted = l->rank + dims + 1;
    l->shift = l->scale + dims;
    for (int32_t i = 0; i < dims; i++) {
        l->scale[i] = (dims + 1) * sqrt(2. / 3) / sqrt((i + 1.) * (i + 2.));
        l->shift[i] = fmod((i + 1) * GOLDEN_RATIO, 1);
    }
    *out = l;
    return SG_OK;
}

void sg_lattice_close(sg_lattice *l)
{
    if (!l)
        return;
    sg_free(l->scale);
    sg_free(l->high);
    sg_free(l->origin);
    sg_free(l->key);
    sg_free(l->slot);
    sg_free(l->corner);
    sg_free(l->share);
    sg_free(l->first);
    sg_free(l->pixel);
    sg_free(l->weight);
    sg_free(l->neighbour);
    sg_free(l->value);
    sg_free(l->blurred);
    sg_free(l);
}

/* ---- points ---- */

static size_t home_of(const sg_lattice *l, const int32_t *key)
{
    uint64_t h = 0;
    for (int32_t i = 0; i < l->dims; i++)
        h = (h ^ (uint32_t)key[i]) * UINT64_C(0x9e3779b97f4a7c15);
    return (size_t)(h ^ (h >> 32)) & (l->slots - 1);
}

/* Where the point stands, or could stand, in the table. */
static size_t find_slot(const sg_lattice *l, const int32_t *key)
{
    size_t bytes = (size_t)l->dims * sizeof *key, s = home_of(l, key);
    while (l->slot[s] && memcmp(l->key + (size_t)l->slot[s] * (size_t)l->dims, key, bytes) != 0)
        s = (s + 1) & (l->slots - 1);
    return s;
}

static int32_t point_of(sg_lattice *l, const int32_t *key)
{
    size_t s = find_slot(l, key);
    if (!l->slot[s]) {
        l->slot[s] = (int32_t)++l->points;
        memcpy(l->key + l->points * (size_t)l->dims, key, (size_t)l->dims * sizeof *key);
    }
    return l->slot[s];
}

/* ---- where a pixel lies ---- */

/* Onto the plane of vectors that add up to 0, by an orthogonal basis of it. The shift keeps the
 * whole numbers and simple fractions that pixels' places are off the faces of simplices, where
 * rounding would say on which side they lie. */
static void elevate(sg_lattice *l, const float *features)
{
    double sum = 0;
    for (int32_t i = l->dims; i > 0; i--) {
        double f = fmin(fmax((double)features[i - 1], -SG_LATTICE_FARTHEST), SG_LATTICE_FARTHEST);
        f = (f + l->shift[i - 1]) * l->scale[i - 1];
        l->high[i] = sum - i * f;
        sum += f;
    }
    l->high[0] = sum;
}

/* The nearest points of remainder 0 to each coordinate may not add up to 0: then those whose
 * coordinates have been rounded most go one further. */
static void settle(sg_lattice *l, int32_t excess)
{
    int32_t n = l->dims + 1;
    for (int32_t i = 0; i < n; i++) {
        l->rank[i] += excess;
        if (l->rank[i] < 0) {
            l->rank[i] += n;
            l->origin[i] += n;
        } else if (l->rank[i] >= n) {
            l->rank[i] -= n;
            l->origin[i] -= n;
        }
    }
}

/* The simplex: its corner of remainder 0, and the order of the coordinates by what they exceed it
 * by, the largest first, which says in which order the other corners are reached. */
static void locate(sg_lattice *l)
{
    int32_t n = l->dims + 1, excess = 0;
    for (int32_t i = 0; i < n; i++) {
        int32_t steps = (int32_t)floor(l->high[i] / n + .5);
        l->origin[i] = steps * n;
        l->rank[i] = 0;
        excess += steps;
    }
    for (int32_t i = 0; i < n; i++)
        for (int32_t j = i + 1; j < n; j++) {
            int less = l->high[i] - l->origin[i] < l->high[j] - l->origin[j];
            l->rank[less ? i : j]++;
        }
    settle(l, excess);
}

static void weigh(sg_lattice *l, float *share)
{
    int32_t n = l->dims + 1;
    for (int32_t i = 0; i <= n; i++)
        l->bary[i] = 0;
    for (int32_t i = 0; i < n; i++) {
        double beyond = (l->high[i] - l->origin[i]) / n;
        l->bary[l->dims - l->rank[i]] += beyond;
        l->bary[n - l->rank[i]] -= beyond;
    }
    l->bary[0] += 1 + l->bary[n];
    for (int32_t i = 0; i < n; i++)
        share[i] = (float)l->bary[i];
}

static void place(sg_lattice *l, const float *features, int32_t *corner, float *share)
{
    int32_t n = l->dims + 1;
    elevate(l, features);
    locate(l);
    weigh(l, share);
    for (int32_t r = 0; r < n; r++) {
        for (int32_t i = 0; i < l->dims; i++)
            l->wanted[i] = l->origin[i] + (l->rank[i] <= l->dims - r ? r : r - n);
        corner[r] = point_of(l, l->wanted);
    }
}

/* ---- what filtering goes along ---- */

/* What each point is given: corners sorted by point, the pixels of each in their order. */
static void list_givers(sg_lattice *l)
{
    size_t n = (size_t)l->dims + 1, corners = l->count * n;
    memset(l->first, 0, (l->points + 2) * sizeof *l->first);
    for (size_t i = 0; i < corners; i++)
        l->first[l->corner[i] + 1]++;
    for (size_t p = 0; p <= l->points; p++)
        l->first[p + 1] += l->first[p];
    for (size_t i = 0; i < corners; i++) {
        int32_t at = l->first[l->corner[i]]++;
        l->pixel[at] = (int32_t)(i / n);
        l->weight[at] = l->share[i];
    }
    for (size_t p = l->points + 1; p > 0; p--)
        l->first[p] = l->first[p - 1];
    l->first[0] = 0;
}

/* Along direction j a neighbour is one more in all coordinates and dims less in the j-th; and the
 * other way round. */
static void link_along(sg_lattice *l, int32_t j)
{
    int32_t *beside = l->neighbour + (size_t)j * (l->points + 1) * 2;
    for (size_t p = 1; p <= l->points; p++)
        for (int side = 0; side < 2; side++) {
            const int32_t *key = l->key + p * (size_t)l->dims;
            int32_t step = side ? -1 : 1;
            for (int32_t i = 0; i < l->dims; i++)
                l->wanted[i] = key[i] + (i == j ? -step * l->dims : step);
            beside[2 * p + (size_t)side] = l->slot[find_slot(l, l->wanted)];
        }
}

void sg_lattice_build(sg_lattice *l, const float *features, size_t count)
{
    size_t n = (size_t)l->dims + 1;
    SG_ASSERT(count <= l->most);
    l->count = count;
    l->points = 0;
    memset(l->slot, 0, l->slots * sizeof *l->slot);
    for (size_t i = 0; i < count; i++)
        place(l, features + i * (size_t)l->dims, l->corner + i * n, l->share + i * n);
    list_givers(l);
    for (int32_t j = 0; j <= l->dims; j++)
        link_along(l, j);
}

size_t sg_lattice_points(const sg_lattice *l)
{
    return l->points;
}

/* ---- filtering ---- */

static void splat(sg_lattice *l, const float *values)
{
    memset(l->value, 0, LANES * sizeof *l->value);
    memset(l->blurred, 0, LANES * sizeof *l->blurred);
    for (size_t p = 1; p <= l->points; p++) {
        float sum[LANES] = {0};
        for (int32_t i = l->first[p]; i < l->first[p + 1]; i++) {
            const float *from = values + (size_t)l->pixel[i] * LANES;
            for (int k = 0; k < LANES; k++)
                sum[k] += l->weight[i] * from[k];
        }
        memcpy(l->value + p * LANES, sum, sizeof sum);
    }
}

static void blur(sg_lattice *l)
{
    for (int32_t j = 0; j <= l->dims; j++) {
        const int32_t *beside = l->neighbour + (size_t)j * (l->points + 1) * 2;
        const float *from = l->value;
        float *to = l->blurred;
        for (size_t p = 1; p <= l->points; p++) {
            const float *here = from + p * LANES;
            const float *one = from + (size_t)beside[2 * p] * LANES;
            const float *two = from + (size_t)beside[2 * p + 1] * LANES;
            for (int k = 0; k < LANES; k++)
                to[p * LANES + (size_t)k] = here[k] + .5f * (one[k] + two[k]);
        }
        l->blurred = l->value;
        l->value = to;
    }
}

static void slice(const sg_lattice *l, float *result)
{
    size_t n = (size_t)l->dims + 1;
    for (size_t i = 0; i < l->count; i++) {
        float sum[LANES] = {0};
        for (size_t r = 0; r < n; r++) {
            const float *from = l->value + (size_t)l->corner[i * n + r] * LANES;
            for (int k = 0; k < LANES; k++)
                sum[k] += l->share[i * n + r] * from[k];
        }
        memcpy(result + i * LANES, sum, sizeof sum);
    }
}

void sg_lattice_filter(sg_lattice *l, const float *values, float *result)
{
    splat(l, values);
    blur(l);
    slice(l, result);
}
