/*
 * The geometry of tiling, in pure integers. [local]
 *
 * The scene is extended at its right and lower edge to a multiple of the network's total stride;
 * the network pads only there and at the true edges. It is cut into chunks (cores, in output
 * pixels), each chunk into tiles. All tiles of a grid have one size, so one plan serves a scene: a
 * tile that would reach over the extended edge is moved inwards. A tile's origin is a multiple of
 * the stride, and every pixel of its core is at least the halo away from those of its sides that
 * are not the scene's edge. That makes the result independent of the grid.
 *
 * A network without padding has no result along the sides of its tile. Then there is no edge that
 * ends a halo: tiles reach over all four sides of the extended scene, beyond which pixels are 0.
 *
 * A part of the scene may be mapped alone: chunks then begin at the part's corner, wherever it
 * lies, while tiles lie where they could lie for the whole scene, and see the scene beyond the
 * part. So the part's mask is what the whole scene's mask shows there.
 *
 * Blend mode, for networks that cannot be exact: tiles of a fixed size lie on one grid of the whole
 * scene, which chunks have no part in, and overlap (see tiles/overlap.h); there are no halos. A
 * chunk takes all tiles that reach into it, in row order, and a tile's core is all that it has in
 * the chunk: cores overlap. Tiles at the border of chunks are computed for either.
 *
 * Where results are worked over in frames, squares on one grid of the whole scene of which each
 * sees a margin around itself, a chunk's tiles cover more than the chunk: its reach, which is all
 * that the frames it touches see. Then it is the reach that cores partition, or cover.
 */
#ifndef SG_TILES_GRID_H
#define SG_TILES_GRID_H

#include "base/error.h"
#include "data/window.h"
#include "tiles/overlap.h"

typedef struct {
    int64_t width, height;      /* scene, pixels */
    sg_window part;             /* of it that is mapped: chunks partition it */
    int64_t stride, halo;       /* halo is a multiple of stride */
    int64_t padded_w, padded_h; /* scene rounded up to the stride */
    int64_t beyond;             /* how far tiles may reach over its sides: 0 or the halo */
    int64_t tile_w, tile_h;     /* multiples of stride, at most what they may reach */
    int64_t chunk_w, chunk_h;   /* multiples of stride and of the output block */
    int64_t chunks_x, chunks_y;
    int64_t tiles_x, tiles_y; /* tiles per full chunk */
    int64_t step_w, step_h;   /* between tiles in blend mode, multiples of stride; 0: exact mode */
    int64_t frame, margin;    /* side of a frame and what it sees beyond; 0: no frames */
} sg_grid;

typedef struct {
    sg_window input; /* tile_w x tile_h, may reach over the scene's edges */
    sg_window core;  /* the part of the result that is kept, scene coordinates */
} sg_tile;

typedef struct {
    int64_t width, height, stride, halo;
    sg_window part;           /* inside the scene; empty: all of it */
    int64_t block;            /* output block, pixels; a multiple of stride or stride of it */
    int64_t tile;             /* wanted tile size, 0: choose */
    int64_t chunk_w, chunk_h; /* wanted chunk size, both 0: choose */
    int64_t ranks;            /* how many share the work */
    int64_t most_pixels; /* a tile's pixels that fit into memory, at least (stride + 2 halo)^2 */
    int64_t most_chunk;  /* a chunk's pixels that fit into memory, 0: 12 Mi */
    bool surrounded;     /* the halo goes on beyond the scene's edges */
    bool blend;          /* with a wished tile and no halo */
    int64_t overlap;     /* of blended tiles, pixels, 0 .. tile - stride once both are rounded up */
    int64_t frame, margin; /* pixels; 0: no frames */
} sg_grid_wish;

/*
 * Choose the grid with the least work on the busiest rank: computed pixels per rank, ties to fewer
 * chunks. A wished tile is taken whatever most_pixels says. SG_EUSAGE when the wished tile leaves
 * no core, saying the least that would, or is no larger than the overlap; SG_ENOMEM when
 * most_pixels holds no tile at all.
 */
sg_err sg_grid_create(sg_grid *grid, const sg_grid_wish *wish);

int64_t sg_grid_chunks(const sg_grid *grid);
/* The core of chunk `index` in row order, inside the part; and the index of a pixel's chunk. */
sg_window sg_grid_chunk(const sg_grid *grid, int64_t index);
int64_t sg_grid_chunk_at(const sg_grid *grid, int64_t x, int64_t y);
/* What the chunk's tiles cover: its core, or with frames all that they see, inside the scene; and
 * the largest of any chunk. */
sg_window sg_grid_reach(const sg_grid *grid, int64_t index);
void sg_grid_longest_reach(const sg_grid *grid, int64_t *width, int64_t *height);
/* Of frames: what those that a window touches hold and, with their margins, see; in the scene. */
sg_window sg_grid_frames(const sg_grid *grid, sg_window window);
sg_window sg_grid_around(const sg_grid *grid, sg_window window);
/* Tiles of a chunk, and the i-th of them. Cores of a chunk's tiles partition its reach, or, in
 * blend mode, cover it. */
int64_t sg_grid_tiles(const sg_grid *grid, int64_t chunk);
sg_tile sg_grid_tile(const sg_grid *grid, int64_t chunk, int64_t i);
/* Of blend mode: how tiles lie along either axis. */
sg_overlap sg_grid_overlap_x(const sg_grid *grid);
sg_overlap sg_grid_overlap_y(const sg_grid *grid);
/* Pixels that the busiest of so many ranks computes. */
double sg_grid_busiest(const sg_grid *grid, int64_t ranks);
/* Pixels computed over pixels written. */
double sg_grid_overhead(const sg_grid *grid);

#endif
