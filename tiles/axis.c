#include "tiles/axis.h"

#include "base/size.h"
#include "tiles/overlap.h"

/* Where the tile lies whose core begins at `core`: the halo before it, moved inwards at the end. A
 * part may begin anywhere: then its chunks' first tiles begin up to a stride earlier. */
static int64_t tile_origin(const sg_axis *along, int64_t tile, int64_t core)
{
    int64_t before = sg_max64(core - along->halo + along->beyond, 0);
    return sg_min64(before - before % along->stride, along->padded + 2 * along->beyond - tile) -
           along->beyond;
}

/* Where the core that begins at `core` ends: the halo before the tile's end, or the scene's. */
static int64_t core_end(const sg_axis *along, int64_t tile, int64_t core)
{
    int64_t end = tile_origin(along, tile, core) + tile;
    if (end == along->padded + along->beyond)
        return along->padded;
    return end - along->halo;
}

static int64_t count_tiles(const sg_axis *along, int64_t tile, int64_t from, int64_t to)
{
    int64_t count = 0;
    while (from < to) {
        from = core_end(along, tile, from);
        count++;
    }
    return count;
}

/* From [from, to) to the frames that it touches. */
void sg_axis_take_frames(const sg_axis *along, int64_t *from, int64_t *to)
{
    if (along->frame == 0)
        return;
    *from -= *from % along->frame;
    *to = sg_min64(sg_round_up(*to, along->frame), along->length);
}

/* And to what they see. */
void sg_axis_take_margins(const sg_axis *along, int64_t *from, int64_t *to)
{
    *from = sg_max64(*from - along->margin, 0);
    *to = sg_min64(*to + along->margin, along->length);
}

/* What the tiles of chunk number `index` cover. */
static void reach_of_chunk(const sg_axis *along, int64_t chunk, int64_t index, int64_t *from,
                           int64_t *to)
{
    *from = along->from + index * chunk;
    *to = sg_min64(*from + chunk, along->to);
    sg_axis_take_frames(along, from, to);
    sg_axis_take_margins(along, from, to);
}

/* By how much the reach of a chunk may be longer. */
int64_t sg_axis_most_reach(const sg_axis *along, int64_t chunk)
{
    if (along->frame == 0)
        return 0;
    int aligned = along->from % along->frame == 0 && chunk % along->frame == 0;
    return 2 * (along->margin + (aligned ? 0 : along->frame - 1));
}

/* Tiles of chunk number `index` along an axis. */
int64_t sg_axis_tiles(const sg_axis *along, int64_t tile, int64_t chunk, int64_t index)
{
    int64_t from, to;
    reach_of_chunk(along, chunk, index, &from, &to);
    if (along->step > 0) {
        sg_overlap overlap = {along->padded, tile, along->step};
        int64_t first, last;
        sg_overlap_covering(&overlap, from, to, &first, &last);
        return last - first + 1;
    }
    return count_tiles(along, tile, from, to);
}

/* What the first tile of a chunk may lose, as its core does not begin where tiles do. */
static int64_t most_lost(const sg_axis *along)
{
    int64_t s = along->stride;
    if (along->frame > 0)
        return along->frame % s == 0 && along->margin % s == 0 ? 0 : s - 1;
    return along->from % s == 0 ? 0 : s - 1;
}

/* The most tiles that a chunk takes. Halos at the scene's edge save some, so inner chunks need
 * most; with many chunks there is surely one. */
int64_t sg_axis_most_tiles(const sg_axis *along, int64_t tile, int64_t chunk, int64_t chunks)
{
    int64_t most = 0;
    int64_t reach = chunk + sg_axis_most_reach(along, chunk);
    if (chunks > 64 && along->step > 0)
        return sg_div_up(reach + tile, along->step) + 1;
    if (chunks > 64)
        return sg_div_up(reach + most_lost(along), tile - 2 * along->halo);
    for (int64_t i = 0; i < chunks; i++)
        most = sg_max64(most, sg_axis_tiles(along, tile, chunk, i));
    return most;
}

int64_t sg_axis_longest_tile(const sg_axis *along)
{
    return along->padded + 2 * along->beyond;
}

int64_t sg_axis_least_tile(const sg_axis *along)
{
    return sg_min64(along->stride + 2 * along->halo, sg_axis_longest_tile(along));
}

/* The smallest tile of which `pieces` cover any chunk. Halos at the scene's edge cost nothing. */
int64_t sg_axis_tile_for(const sg_axis *along, int64_t chunk, int64_t chunks, int64_t pieces)
{
    int64_t both = (along->from == 0) + (along->end == along->padded);
    int64_t edges = chunks == 1 ? both : chunks == 2 ? both / 2 : 0;
    edges = along->beyond > 0 ? 0 : edges;
    int64_t core = (chunks == 1 ? along->end - along->from : chunk) + most_lost(along);
    core = sg_min64(core + sg_axis_most_reach(along, chunk), along->padded);
    int64_t tile = sg_div_up(core + (2 * pieces - edges) * along->halo, pieces);
    return sg_min64(sg_round_up(tile, along->stride), sg_axis_longest_tile(along));
}

/* The i-th tile of those that reach into [from, to). */
static void locate_blended(const sg_axis *along, int64_t tile, int64_t from, int64_t to, int64_t i,
                           int64_t *origin, int64_t *core, int64_t *core_length)
{
    sg_overlap overlap = {along->padded, tile, along->step};
    int64_t first, last;
    sg_overlap_covering(&overlap, from, to, &first, &last);
    *origin = sg_overlap_origin(&overlap, first + i);
    *core = sg_max64(*origin, from);
    *core_length = sg_min64(*origin + tile, to) - *core;
}

/* The i-th tile of [from, to) along one axis. */
void sg_axis_locate(const sg_axis *along, int64_t tile, int64_t from, int64_t to, int64_t i,
                    int64_t *origin, int64_t *core, int64_t *core_length)
{
    if (along->step > 0) {
        locate_blended(along, tile, from, to, i, origin, core, core_length);
        return;
    }
    for (; i > 0; i--)
        from = core_end(along, tile, from);
    *origin = tile_origin(along, tile, from);
    *core = from;
    *core_length = sg_min64(core_end(along, tile, from), to) - from;
}

int64_t sg_axis_all_tiles(const sg_axis *along, int64_t tile, int64_t chunk, int64_t chunks)
{
    int64_t sum = 0;
    for (int64_t i = 0; i < chunks; i++)
        sum += sg_axis_tiles(along, tile, chunk, i);
    return sum;
}
