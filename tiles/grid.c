#include "tiles/grid.h"

#include "tiles/axis.h"
#include <inttypes.h>
#include "base/size.h"

/* Chunks are searched up to this length and area: larger ones save next to nothing, and they are
 * what a rank holds and what is lost with it. */
enum { LONGEST_CHUNK = 8192, LARGEST_CHUNK = 12 << 20, CHUNK_CANDIDATES = 64 };

/* A way to cut one axis: `tiles` is the most that any chunk needs. */
typedef struct {
    int64_t chunk, chunks, tile, tiles;
} cut;

typedef struct {
    cut *item;
    size_t count, capacity;
} cuts;

static int64_t greatest_divisor(int64_t a, int64_t b)
{
    while (b != 0) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static sg_err add_cut(cuts *list, const sg_axis *along, int64_t chunk, int64_t tile)
{
    cut one = {.chunk = chunk, .chunks = sg_div_up(along->to - along->from, chunk), .tile = tile};
    one.tiles = sg_axis_most_tiles(along, tile, chunk, one.chunks);
    sg_err err = sg_grow(&list->item, &list->capacity, list->count + 1, sizeof(cut));
    if (err == SG_OK)
        list->item[list->count++] = one;
    return err;
}

/* All tiles worth trying for one chunk size: 1, 2, 3 ... pieces, then in growing steps. */
static sg_err add_cuts_of_chunk(cuts *list, const sg_axis *along, int64_t chunk,
                                int64_t wanted_tile)
{
    if (wanted_tile > 0)
        return add_cut(list, along, chunk, wanted_tile);
    int64_t chunks = sg_div_up(along->to - along->from, chunk), least = sg_axis_least_tile(along);
    int64_t tile = 0, last = 0;
    sg_err err = SG_OK;
    for (int64_t pieces = 1; err == SG_OK && tile != least; pieces += 1 + pieces / 16) {
        tile = sg_max64(sg_axis_tile_for(along, chunk, chunks, pieces), least);
        if (tile != last)
            err = add_cut(list, along, chunk, tile);
        last = tile;
    }
    return err;
}

static sg_err list_cuts(cuts *list, const sg_axis *along, int64_t unit, int64_t wanted_chunk,
                        int64_t wanted_tile)
{
    int64_t whole = sg_round_up(along->to - along->from, unit);
    if (wanted_chunk > 0)
        return add_cuts_of_chunk(list, along, sg_min64(sg_round_up(wanted_chunk, unit), whole),
                                 wanted_tile);
    int64_t most = sg_min64(whole, sg_round_up(LONGEST_CHUNK, unit));
    int64_t step = sg_div_up(most / unit, CHUNK_CANDIDATES) * unit;
    sg_err err = SG_OK;
    for (int64_t chunk = most; err == SG_OK && chunk > 0; chunk -= step)
        err = add_cuts_of_chunk(list, along, chunk, wanted_tile);
    return err;
}

static double busiest(const cut *x, const cut *y, int64_t ranks)
{
    const sg_grid grid = {.tile_w = x->tile,
                          .tile_h = y->tile,
                          .chunks_x = x->chunks,
                          .chunks_y = y->chunks,
                          .tiles_x = x->tiles,
                          .tiles_y = y->tiles};
    return sg_grid_busiest(&grid, ranks);
}

static int fits(const cut *x, const cut *y, const sg_grid_wish *wish)
{
    if (wish->tile == 0 && (double)x->tile * (double)y->tile > (double)wish->most_pixels)
        return 0;
    return wish->chunk_w > 0 || (double)x->chunk * (double)y->chunk <= (double)wish->most_chunk;
}

static void choose(const cuts *xs, const cuts *ys, const sg_grid_wish *wish, const cut **best_x,
                   const cut **best_y)
{
    double least = 0;
    *best_x = *best_y = NULL;
    for (size_t j = 0; j < ys->count; j++)
        for (size_t i = 0; i < xs->count; i++) {
            const cut *x = &xs->item[i], *y = &ys->item[j];
            if (!fits(x, y, wish))
                continue;
            double work = busiest(x, y, wish->ranks);
            if (*best_x && work > least)
                continue;
            if (*best_x && work == least &&
                x->chunks * y->chunks >= (*best_x)->chunks * (*best_y)->chunks)
                continue;
            least = work;
            *best_x = x;
            *best_y = y;
        }
}

static sg_err check_wish(const sg_grid_wish *wish)
{
    SG_ASSERT(wish->width > 0 && wish->height > 0 && wish->stride > 0 && wish->block > 0);
    SG_ASSERT(wish->halo >= 0 && wish->halo % wish->stride == 0 && wish->ranks > 0);
    SG_ASSERT(!wish->blend ||
              (!wish->surrounded && wish->tile != 0 && wish->halo == 0 && wish->overlap >= 0));
    SG_ASSERT(sg_window_contains((sg_window){0, 0, wish->width, wish->height}, wish->part));
    if (wish->tile < 0 || wish->chunk_w < 0 || wish->chunk_h < 0)
        return sg_fail(SG_EUSAGE, "tile and chunk sizes are positive numbers of pixels");
    return SG_OK;
}

/* The wished tile along one axis, 0 when there is no wish. */
static sg_err wished_tile(const sg_grid_wish *wish, const sg_axis *along, int64_t *tile)
{
    *tile = 0;
    if (wish->tile == 0)
        return SG_OK;
    *tile = sg_min64(sg_round_up(wish->tile, wish->stride), sg_axis_longest_tile(along));
    if (*tile < sg_axis_least_tile(along))
        return sg_fail(SG_EUSAGE,
                       "a tile of %" PRId64 " pixels leaves no core beside a halo of %" PRId64
                       ": the least for this network is %" PRId64,
                       wish->tile, wish->halo, wish->stride + 2 * wish->halo);
    return SG_OK;
}

/* All but the step. */
static sg_axis make_axis(const sg_grid *grid, int64_t padded, int64_t scene, int64_t from,
                         int64_t length)
{
    int64_t to = from + length;
    return (sg_axis){.padded = padded,
                     .stride = grid->stride,
                     .halo = grid->halo,
                     .beyond = grid->beyond,
                     .from = from,
                     .to = to,
                     .end = to == scene ? padded : to,
                     .length = scene,
                     .frame = grid->frame,
                     .margin = grid->margin};
}

static sg_axis along_x(const sg_grid *grid)
{
    sg_axis x = make_axis(grid, grid->padded_w, grid->width, grid->part.x, grid->part.w);
    x.step = grid->step_w;
    return x;
}

static sg_axis along_y(const sg_grid *grid)
{
    sg_axis y = make_axis(grid, grid->padded_h, grid->height, grid->part.y, grid->part.h);
    y.step = grid->step_h;
    return y;
}

sg_overlap sg_grid_overlap_x(const sg_grid *grid)
{
    return (sg_overlap){grid->padded_w, grid->tile_w, grid->step_w};
}

sg_overlap sg_grid_overlap_y(const sg_grid *grid)
{
    return (sg_overlap){grid->padded_h, grid->tile_h, grid->step_h};
}

/* A tile as large as the scene has no neighbour: any step will do. */
static sg_err take_steps(sg_grid *grid, const sg_grid_wish *wish)
{
    int64_t tile = sg_round_up(wish->tile, wish->stride);
    int64_t step = tile - sg_round_up(wish->overlap, wish->stride);
    if (step < wish->stride)
        return sg_fail(SG_EUSAGE,
                       "tiles of %" PRId64 " pixels cannot overlap by %" PRId64
                       ": for this network at most by %" PRId64,
                       tile, wish->overlap, tile - wish->stride);
    grid->step_w = sg_min64(step, grid->padded_w);
    grid->step_h = sg_min64(step, grid->padded_h);
    return SG_OK;
}

/* However short memory is, the smallest candidate of a chunk must stay possible. */
static int64_t chunk_limit(const sg_grid_wish *wish, int64_t unit)
{
    int64_t smallest = unit + LONGEST_CHUNK / CHUNK_CANDIDATES;
    int64_t most = wish->most_chunk > 0 ? wish->most_chunk : LARGEST_CHUNK;
    return sg_max64(most, smallest * smallest);
}

static sg_err list_both(const sg_grid *grid, const sg_grid_wish *wish, int64_t unit, cuts *xs,
                        cuts *ys)
{
    sg_axis x = along_x(grid), y = along_y(grid);
    int64_t tile_w = 0, tile_h = 0;
    sg_err err = wished_tile(wish, &x, &tile_w);
    if (err == SG_OK)
        err = wished_tile(wish, &y, &tile_h);
    if (err == SG_OK)
        err = list_cuts(xs, &x, unit, wish->chunk_w, tile_w);
    if (err == SG_OK)
        err = list_cuts(ys, &y, unit, wish->chunk_h, tile_h);
    return err;
}

static sg_err take_best(sg_grid *grid, const sg_grid_wish *wish, const cuts *xs, const cuts *ys)
{
    const cut *x, *y;
    choose(xs, ys, wish, &x, &y);
    if (!x)
        return sg_fail(SG_ENOMEM,
                       "memory for %" PRId64 " pixels is less than the smallest tile of this "
                       "network, %" PRId64 " x %" PRId64,
                       wish->most_pixels, wish->stride + 2 * wish->halo,
                       wish->stride + 2 * wish->halo);
    grid->tile_w = x->tile;
    grid->tile_h = y->tile;
    grid->chunk_w = x->chunk;
    grid->chunk_h = y->chunk;
    grid->chunks_x = x->chunks;
    grid->chunks_y = y->chunks;
    grid->tiles_x = x->tiles;
    grid->tiles_y = y->tiles;
    return SG_OK;
}

sg_err sg_grid_create(sg_grid *grid, const sg_grid_wish *wanted)
{
    sg_err err = check_wish(wanted);
    if (err != SG_OK)
        return err;
    sg_grid_wish wish = *wanted;
    int64_t unit = wish.block / greatest_divisor(wish.block, wish.stride) * wish.stride;
    wish.most_chunk = chunk_limit(&wish, unit);
    *grid =
        (sg_grid){.width = wish.width,
                  .height = wish.height,
                  .stride = wish.stride,
                  .halo = wish.halo,
                  .beyond = wish.surrounded ? wish.halo : 0,
                  .frame = wish.frame,
                  .margin = wish.margin,
                  .part = sg_window_is_empty(wish.part) ? (sg_window){0, 0, wish.width, wish.height}
                                                        : wish.part,
                  .padded_w = sg_round_up(wish.width, wish.stride),
                  .padded_h = sg_round_up(wish.height, wish.stride)};
    cuts xs = {0}, ys = {0};
    err = wish.blend ? take_steps(grid, &wish) : SG_OK;
    if (err == SG_OK)
        err = list_both(grid, &wish, unit, &xs, &ys);
    if (err == SG_OK)
        err = take_best(grid, &wish, &xs, &ys);
    sg_free(xs.item);
    sg_free(ys.item);
    return err;
}

int64_t sg_grid_chunks(const sg_grid *grid)
{
    return grid->chunks_x * grid->chunks_y;
}

sg_window sg_grid_chunk(const sg_grid *grid, int64_t index)
{
    SG_ASSERT(index >= 0 && index < sg_grid_chunks(grid));
    sg_window part = grid->part, core = {part.x + index % grid->chunks_x * grid->chunk_w,
                                         part.y + index / grid->chunks_x * grid->chunk_h,
                                         grid->chunk_w, grid->chunk_h};
    return sg_window_intersect(core, part);
}

sg_window sg_grid_frames(const sg_grid *grid, sg_window window)
{
    sg_axis x = along_x(grid), y = along_y(grid);
    int64_t right = window.x + window.w, lower = window.y + window.h;
    sg_axis_take_frames(&x, &window.x, &right);
    sg_axis_take_frames(&y, &window.y, &lower);
    return (sg_window){window.x, window.y, right - window.x, lower - window.y};
}

sg_window sg_grid_around(const sg_grid *grid, sg_window window)
{
    sg_axis x = along_x(grid), y = along_y(grid);
    sg_window frames = sg_grid_frames(grid, window);
    int64_t right = frames.x + frames.w, lower = frames.y + frames.h;
    sg_axis_take_margins(&x, &frames.x, &right);
    sg_axis_take_margins(&y, &frames.y, &lower);
    return (sg_window){frames.x, frames.y, right - frames.x, lower - frames.y};
}

sg_window sg_grid_reach(const sg_grid *grid, int64_t index)
{
    return sg_grid_around(grid, sg_grid_chunk(grid, index));
}

void sg_grid_longest_reach(const sg_grid *grid, int64_t *width, int64_t *height)
{
    sg_axis x = along_x(grid), y = along_y(grid);
    int64_t unit = sg_max64(grid->frame, 1); /* a part's only chunk may end inside a frame */
    int64_t w = sg_min64(grid->chunk_w, sg_round_up(grid->part.w, unit));
    int64_t h = sg_min64(grid->chunk_h, sg_round_up(grid->part.h, unit));
    *width = sg_min64(w + sg_axis_most_reach(&x, grid->chunk_w), grid->width);
    *height = sg_min64(h + sg_axis_most_reach(&y, grid->chunk_h), grid->height);
}

int64_t sg_grid_chunk_at(const sg_grid *grid, int64_t x, int64_t y)
{
    SG_ASSERT(sg_window_contains(grid->part, (sg_window){x, y, 1, 1}));
    return (y - grid->part.y) / grid->chunk_h * grid->chunks_x + (x - grid->part.x) / grid->chunk_w;
}

int64_t sg_grid_tiles(const sg_grid *grid, int64_t chunk)
{
    sg_axis x = along_x(grid), y = along_y(grid);
    return sg_axis_tiles(&x, grid->tile_w, grid->chunk_w, chunk % grid->chunks_x) *
           sg_axis_tiles(&y, grid->tile_h, grid->chunk_h, chunk / grid->chunks_x);
}

sg_tile sg_grid_tile(const sg_grid *grid, int64_t chunk, int64_t i)
{
    sg_axis x = along_x(grid), y = along_y(grid);
    sg_window reach = sg_grid_reach(grid, chunk);
    int64_t columns = sg_axis_tiles(&x, grid->tile_w, grid->chunk_w, chunk % grid->chunks_x);
    sg_tile tile = {.input = {0, 0, grid->tile_w, grid->tile_h}};
    sg_axis_locate(&x, grid->tile_w, reach.x, reach.x + reach.w, i % columns, &tile.input.x,
                   &tile.core.x, &tile.core.w);
    sg_axis_locate(&y, grid->tile_h, reach.y, reach.y + reach.h, i / columns, &tile.input.y,
                   &tile.core.y, &tile.core.h);
    return tile;
}

double sg_grid_busiest(const sg_grid *grid, int64_t ranks)
{
    int64_t rounds = sg_div_up(sg_grid_chunks(grid), ranks);
    return (double)rounds * (double)(grid->tiles_x * grid->tiles_y) *
           ((double)grid->tile_w * (double)grid->tile_h);
}

double sg_grid_overhead(const sg_grid *grid)
{
    sg_axis x = along_x(grid), y = along_y(grid);
    double tiles = (double)sg_axis_all_tiles(&x, grid->tile_w, grid->chunk_w, grid->chunks_x) *
                   (double)sg_axis_all_tiles(&y, grid->tile_h, grid->chunk_h, grid->chunks_y);
    return tiles * (double)grid->tile_w * (double)grid->tile_h /
           ((double)grid->part.w * (double)grid->part.h);
}
