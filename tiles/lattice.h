/*
 * The permutohedral lattice (Adams, Baek and Davis, "Fast high-dimensional filtering using the
 * permutohedral lattice", 2010): sums over all pairs of pixels, weighted by a Gaussian of the
 * distance of their features, in time that grows with the pixels alone. [local]
 *
 * A pixel's values are shared out to the corners of the simplex that its features lie in, by their
 * barycentric weights; along each of the lattice's dims + 1 directions every point takes half of
 * its two neighbours; and a pixel gets the mean of its corners. All three steps together have the
 * variance of the Gaussian. What comes out is K v for a kernel K whose factor has no meaning: it is
 * to be divided by what K makes of ones.
 *
 * Numerical contract: features are placed in f64, values summed in f32. A point adds its pixels in
 * their order, and every other sum has a fixed order too. Features beyond +-SG_LATTICE_FARTHEST
 * count as that far, which is far from all others.
 */
#ifndef SG_TILES_LATTICE_H
#define SG_TILES_LATTICE_H

#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

/* Values of a pixel that are filtered at once. */
enum { SG_LATTICE_LANES = 4 };
enum { SG_LATTICE_FARTHEST = 10000 };

typedef struct sg_lattice sg_lattice;

/* For at most so many pixels, with all the memory that the worst of them can take. */
sg_err sg_lattice_create(sg_lattice **lattice, int32_t dims, size_t most);
void sg_lattice_close(sg_lattice *lattice); /* NULL is fine */
/* What a lattice takes at most; as good as nothing of it is touched before it is needed. */
double sg_lattice_bytes(int32_t dims, size_t most);

/* Place count pixels. features: (count, dims), in deviations of the Gaussian. */
void sg_lattice_build(sg_lattice *lattice, const float *features, size_t count);
size_t sg_lattice_points(const sg_lattice *lattice);
/* values, result: (count, SG_LATTICE_LANES); they may be the same. */
void sg_lattice_filter(sg_lattice *lattice, const float *values, float *result);

#endif
