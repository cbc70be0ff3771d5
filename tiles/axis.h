/*
 * One axis of a grid of tiles: where chunks, tiles and frames lie along it. Pure integers, pixels.
 * What the words mean is told in tiles/grid.h. [local]
 */
#ifndef SG_TILES_AXIS_H
#define SG_TILES_AXIS_H

#include <stdint.h>

/* One axis of a scene, and [from, to) of it that is mapped. */
typedef struct {
    int64_t padded, stride, halo;
    int64_t beyond; /* tiles lie in [-beyond, padded + beyond) */
    int64_t from, to;
    int64_t end;                   /* the same as to, or where the padded scene ends */
    int64_t step;                  /* between tiles in blend mode; 0: exact mode */
    int64_t length, frame, margin; /* of the scene; of frames, 0: none */
} sg_axis;

/* From [from, to) to the frames that it touches, and from there to what they see. */
void sg_axis_take_frames(const sg_axis *along, int64_t *from, int64_t *to);
void sg_axis_take_margins(const sg_axis *along, int64_t *from, int64_t *to);
/* By how much what a chunk's tiles cover may be longer than the chunk. */
int64_t sg_axis_most_reach(const sg_axis *along, int64_t chunk);

/* The longest tile and the shortest that leaves a core. */
int64_t sg_axis_longest_tile(const sg_axis *along);
int64_t sg_axis_least_tile(const sg_axis *along);
/* The shortest tile of which so many pieces cover any of the chunks. */
int64_t sg_axis_tile_for(const sg_axis *along, int64_t chunk, int64_t chunks, int64_t pieces);

/* Tiles of chunk number `index`; the most that any chunk takes, or a bound; those of all. */
int64_t sg_axis_tiles(const sg_axis *along, int64_t tile, int64_t chunk, int64_t index);
int64_t sg_axis_most_tiles(const sg_axis *along, int64_t tile, int64_t chunk, int64_t chunks);
int64_t sg_axis_all_tiles(const sg_axis *along, int64_t tile, int64_t chunk, int64_t chunks);
/* The i-th tile that [from, to) takes: where it begins, and its core. */
void sg_axis_locate(const sg_axis *along, int64_t tile, int64_t from, int64_t to, int64_t i,
                    int64_t *origin, int64_t *core, int64_t *core_length);

#endif
