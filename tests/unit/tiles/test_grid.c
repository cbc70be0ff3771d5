/* The grid: cores partition the scene, halos are kept, tiles are aligned, little is computed twice.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/rng.h"
#include "tiles/grid.h"

static sg_grid_wish plain_wish(int64_t width, int64_t height)
{
    return (sg_grid_wish){.width = width,
                          .height = height,
                          .stride = 16,
                          .halo = 96,
                          .block = 256,
                          .ranks = 1,
                          .most_pixels = 2208 * 2208};
}

/* Each pixel of the part that is mapped lies in exactly one tile's core, and no other does. */
static void check_partition(const sg_grid *grid)
{
    uint8_t *hits = calloc((size_t)(grid->width * grid->height), 1);
    for (int64_t c = 0; c < sg_grid_chunks(grid); c++) {
        sg_window chunk = sg_grid_chunk(grid, c);
        for (int64_t i = 0; i < sg_grid_tiles(grid, c); i++) {
            sg_window core = sg_grid_tile(grid, c, i).core;
            assert_true(sg_window_contains(chunk, core));
            for (int64_t y = core.y; y < core.y + core.h; y++)
                for (int64_t x = core.x; x < core.x + core.w; x++)
                    assert_int_equal(hits[y * grid->width + x]++, 0);
        }
    }
    for (int64_t i = 0; i < grid->width * grid->height; i++) {
        sg_window pixel = {i % grid->width, i / grid->width, 1, 1};
        assert_int_equal(hits[i], sg_window_contains(grid->part, pixel));
    }
    free(hits);
}

static void check_axis(int64_t origin, int64_t tile, int64_t core, int64_t length, int64_t padded,
                       const sg_grid *grid)
{
    assert_true(length > 0);
    int64_t beyond = grid->beyond;
    assert_true(origin >= -beyond && origin + tile <= padded + beyond);
    assert_int_equal(origin % grid->stride, 0);
    assert_true((origin == 0 && beyond == 0) || core - origin >= grid->halo);
    assert_true((origin + tile == padded && beyond == 0) ||
                origin + tile - (core + length) >= grid->halo);
}

static void check_tiles(const sg_grid *grid, const sg_grid_wish *wish)
{
    int64_t area = 0;
    assert_int_equal(grid->tile_w % grid->stride, 0);
    assert_int_equal(grid->tile_h % grid->stride, 0);
    assert_int_equal(grid->chunk_w % wish->block, 0);
    assert_int_equal(grid->chunk_h % wish->block, 0);
    for (int64_t c = 0; c < sg_grid_chunks(grid); c++) {
        sg_window chunk = sg_grid_chunk(grid, c);
        assert_int_equal((chunk.x - grid->part.x) % wish->block, 0);
        assert_int_equal((chunk.y - grid->part.y) % wish->block, 0);
        assert_int_equal(sg_grid_chunk_at(grid, chunk.x, chunk.y), c);
        assert_int_equal(sg_grid_chunk_at(grid, chunk.x + chunk.w - 1, chunk.y + chunk.h - 1), c);
        assert_true(sg_grid_tiles(grid, c) <= grid->tiles_x * grid->tiles_y);
        for (int64_t i = 0; i < sg_grid_tiles(grid, c); i++) {
            sg_tile t = sg_grid_tile(grid, c, i);
            assert_int_equal(t.input.w, grid->tile_w);
            assert_int_equal(t.input.h, grid->tile_h);
            check_axis(t.input.x, t.input.w, t.core.x, t.core.w, grid->padded_w, grid);
            check_axis(t.input.y, t.input.h, t.core.y, t.core.h, grid->padded_h, grid);
            area += t.core.w * t.core.h;
        }
    }
    assert_int_equal(area, grid->part.w * grid->part.h);
}

static void check(const sg_grid_wish *wish)
{
    sg_grid grid;
    assert_int_equal(sg_grid_create(&grid, wish), SG_OK);
    check_tiles(&grid, wish);
    if (grid.width * grid.height <= 1 << 16)
        check_partition(&grid);
    if (wish->tile == 0)
        assert_true(grid.tile_w * grid.tile_h <= wish->most_pixels);
    assert_true(sg_grid_overhead(&grid) >= 1);
}

static void small_scenes_are_partitioned_for_every_size(void **state)
{
    (void)state;
    for (int64_t height = 1; height <= 41; height += 4)
        for (int64_t width = 1; width <= 70; width++)
            for (int64_t tile = 0; tile <= 32; tile += 8) {
                sg_grid_wish wish = {.width = width,
                                     .height = height,
                                     .stride = 4,
                                     .halo = tile == 8 ? 0 : 4,
                                     .block = 16,
                                     .tile = tile,
                                     .ranks = 3,
                                     .most_pixels = tile == 0 ? 12 * 12 : 1};
                check(&wish);
            }
}

static int64_t below(uint32_t word, int64_t n)
{
    return (int64_t)sg_below(word, (uint32_t)n);
}

/* Odd strides, halos, blocks and memory limits. */
static void random_grids_keep_every_rule(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 3000; i++) {
        sg_random4 a = sg_random(7, SG_STREAM_SCENE, i, 0), b = sg_random(7, SG_STREAM_SCENE, i, 1);
        int64_t stride = 1 + below(a.v[0], 12), halo = stride * below(a.v[1], 6);
        int64_t least = stride + 2 * halo;
        sg_grid_wish wish = {.width = 1 + below(a.v[2], 400),
                             .height = 1 + below(a.v[3], 300),
                             .stride = stride,
                             .halo = halo,
                             .block = 1 << below(b.v[0], 6),
                             .tile = b.v[1] & 1 ? least + below(b.v[2], 100) : 0,
                             .chunk_w = b.v[1] & 2 ? 1 + below(b.v[3], 200) : 0,
                             .chunk_h = b.v[1] & 2 ? 1 + below(b.v[0], 200) : 0,
                             .ranks = 1 + below(b.v[3], 17),
                             .most_pixels = least * least + below(b.v[2], 20000),
                             .most_chunk = b.v[1] & 4 ? 1 : 0};
        check(&wish);
        if (i % 8 > 0)
            continue;
        wish.surrounded = true; /* halos go on beyond the scene */
        check(&wish);
        wish.part.x = wish.width / 3;
        wish.part.y = wish.height / 2;
        wish.part.w = 1 + (wish.width - 1) / 2;
        wish.part.h = 1 + (wish.height - 1) / 3;
        check(&wish);
    }
}

/* Every part of small scenes, along one axis and then the other. */
static void every_part_of_small_scenes_is_partitioned(void **state)
{
    (void)state;
    for (int64_t width = 1; width <= 45; width += 4)
        for (int64_t x = 0; x < width; x++)
            for (int64_t w = 1; x + w <= width; w++)
                for (int64_t tile = 0; tile <= 16; tile += 8) {
                    sg_grid_wish wish = {.width = width,
                                         .height = 10,
                                         .stride = 4,
                                         .halo = tile == 8 ? 0 : 4,
                                         .part = {x, 3, w, 5},
                                         .block = 8,
                                         .tile = tile,
                                         .ranks = 2,
                                         .most_pixels = tile == 0 ? 12 * 12 : 1};
                    check(&wish);
                    wish.width = 10;
                    wish.height = width;
                    wish.part = (sg_window){3, x, 5, w};
                    check(&wish);
                }
}

static void random_parts_keep_every_rule(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 3000; i++) {
        sg_random4 a = sg_random(8, SG_STREAM_SCENE, i, 0), b = sg_random(8, SG_STREAM_SCENE, i, 1);
        sg_random4 c = sg_random(8, SG_STREAM_SCENE, i, 2);
        int64_t stride = 1 + below(a.v[0], 12), halo = stride * below(a.v[1], 6);
        int64_t least = stride + 2 * halo;
        sg_grid_wish wish = {.width = 1 + below(a.v[2], 4000),
                             .height = 1 + below(a.v[3], 300),
                             .stride = stride,
                             .halo = halo,
                             .block = 1 << below(b.v[0], 6),
                             .tile = b.v[1] & 1 ? least + below(b.v[2], 100) : 0,
                             .chunk_w = b.v[1] & 2 ? 1 + below(b.v[3], 200) : 0,
                             .chunk_h = b.v[1] & 2 ? 1 + below(b.v[0], 200) : 0,
                             .ranks = 1 + below(b.v[3], 17),
                             .most_pixels = least * least + below(b.v[2], 20000)};
        wish.part.x = below(c.v[0], wish.width);
        wish.part.y = below(c.v[1], wish.height);
        wish.part.w = 1 + below(c.v[2], wish.width - wish.part.x);
        wish.part.h = 1 + below(c.v[3], wish.height - wish.part.y);
        check(&wish);
    }
}

/* All that frames which the chunk touches see, looked for frame by frame. */
static sg_window plain_reach(const sg_grid *grid, sg_window chunk)
{
    int64_t left = grid->width, upper = grid->height, right = 0, lower = 0;
    for (int64_t y = 0; y < grid->height; y += grid->frame)
        for (int64_t x = 0; x < grid->width; x += grid->frame) {
            sg_window frame = {x, y, grid->frame, grid->frame};
            if (sg_window_is_empty(sg_window_intersect(frame, chunk)))
                continue;
            left = x - grid->margin < left ? x - grid->margin : left;
            upper = y - grid->margin < upper ? y - grid->margin : upper;
            right = x + grid->frame + grid->margin;
            lower = y + grid->frame + grid->margin;
        }
    return sg_window_intersect((sg_window){left, upper, right - left, lower - upper},
                               (sg_window){0, 0, grid->width, grid->height});
}

/* With frames it is a chunk's reach that its tiles partition, or cover. */
static void check_frames(const sg_grid *grid)
{
    uint8_t *hits = malloc((size_t)(grid->width * grid->height));
    int64_t longest_w, longest_h;
    sg_grid_longest_reach(grid, &longest_w, &longest_h);
    for (int64_t c = 0; c < sg_grid_chunks(grid); c++) {
        sg_window reach = sg_grid_reach(grid, c),
                  wanted = plain_reach(grid, sg_grid_chunk(grid, c));
        assert_memory_equal(&reach, &wanted, sizeof reach);
        assert_true(reach.w <= longest_w && reach.h <= longest_h);
        assert_true(sg_grid_tiles(grid, c) <= grid->tiles_x * grid->tiles_y);
        memset(hits, 0, (size_t)(grid->width * grid->height));
        for (int64_t i = 0; i < sg_grid_tiles(grid, c); i++) {
            sg_tile t = sg_grid_tile(grid, c, i);
            assert_true(sg_window_contains(reach, t.core));
            check_axis(t.input.x, t.input.w, t.core.x, t.core.w, grid->padded_w, grid);
            check_axis(t.input.y, t.input.h, t.core.y, t.core.h, grid->padded_h, grid);
            for (int64_t y = t.core.y; y < t.core.y + t.core.h; y++)
                for (int64_t x = t.core.x; x < t.core.x + t.core.w; x++)
                    assert_true(hits[y * grid->width + x]++ == 0 || grid->step_w > 0);
        }
        for (int64_t i = 0; i < reach.w * reach.h; i++)
            assert_true(hits[(reach.y + i / reach.w) * grid->width + reach.x + i % reach.w] > 0);
    }
    free(hits);
}

static void chunks_have_all_that_their_frames_see(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 1500; i++) {
        sg_random4 a = sg_random(9, SG_STREAM_SCENE, i, 0), b = sg_random(9, SG_STREAM_SCENE, i, 1);
        sg_random4 c = sg_random(9, SG_STREAM_SCENE, i, 2);
        bool blend = i % 3 == 0;
        int64_t stride = 1 + below(a.v[0], 8), halo = blend ? 0 : stride * below(a.v[1], 4);
        int64_t least = stride + 2 * halo;
        sg_grid_wish wish = {.width = 1 + below(a.v[2], i % 5 ? 150 : 1500),
                             .height = 1 + below(a.v[3], i % 5 ? 120 : 12),
                             .stride = stride,
                             .halo = halo,
                             .block = 1 << below(b.v[0], 5),
                             .tile =
                                 blend || b.v[1] & 1 ? least + 2 * stride + below(b.v[2], 50) : 0,
                             .chunk_w = b.v[1] & 2 ? 1 + below(b.v[3], 100) : 0,
                             .chunk_h = b.v[1] & 2 ? 1 + below(b.v[0], 100) : 0,
                             .ranks = 1 + below(b.v[3], 5),
                             .most_pixels = least * least + below(b.v[2], 5000),
                             .most_chunk = b.v[1] & 4 ? 1 : 0,
                             .blend = blend,
                             .overlap = blend ? below(b.v[3], 3) : 0,
                             .frame = 1 + below(c.v[0], 40),
                             .margin = below(c.v[1], 20)};
        sg_grid grid;
        if (i & 1) {
            wish.part.x = below(c.v[2], wish.width);
            wish.part.y = below(c.v[3], wish.height);
            wish.part.w = 1 + below(c.v[2] << 16, wish.width - wish.part.x);
            wish.part.h = 1 + below(c.v[3] << 16, wish.height - wish.part.y);
        }
        assert_int_equal(sg_grid_create(&grid, &wish), SG_OK);
        check_frames(&grid);
    }
}

/* What it is for: of a large scene little more is computed than what is asked for. */
static void a_small_part_of_a_large_scene_is_one_tile(void **state)
{
    (void)state;
    sg_grid_wish wish = plain_wish(100000, 100000);
    wish.part = (sg_window){50001, 70003, 500, 300};
    sg_grid grid;
    assert_int_equal(sg_grid_create(&grid, &wish), SG_OK);
    assert_int_equal(sg_grid_chunks(&grid) * sg_grid_tiles(&grid, 0), 1);
    assert_true(grid.tile_w <= 500 + 2 * (96 + 16) && grid.tile_h <= 300 + 2 * (96 + 16));
    check(&wish);
}

static void a_scene_within_the_limit_is_one_tile(void **state)
{
    (void)state;
    static const int64_t size[][2] = {{1, 1}, {1, 900}, {900, 1}, {15, 15}, {2208, 2200}};
    for (size_t i = 0; i < sizeof size / sizeof *size; i++) {
        sg_grid_wish wish = plain_wish(size[i][0], size[i][1]);
        sg_grid grid;
        assert_int_equal(sg_grid_create(&grid, &wish), SG_OK);
        assert_int_equal(sg_grid_chunks(&grid), 1);
        assert_int_equal(sg_grid_tiles(&grid, 0), 1);
        assert_int_equal(grid.tile_w, grid.padded_w);
        check(&wish);
    }
}

static void large_scenes_cost_at_most_three_tenths_more(void **state)
{
    (void)state;
    static const int64_t size[][2] = {
        {4000, 4000}, {10980, 10980}, {20000, 20000}, {100000, 100000}, {40000, 3000}};
    for (size_t i = 0; i < sizeof size / sizeof *size; i++)
        for (int64_t ranks = 1; ranks <= 4; ranks *= 2) {
            sg_grid_wish wish = plain_wish(size[i][0], size[i][1]);
            wish.ranks = ranks;
            sg_grid grid;
            assert_int_equal(sg_grid_create(&grid, &wish), SG_OK);
            assert_true(sg_grid_overhead(&grid) <= 1.3);
        }
}

/* The busiest rank's pixels, as the header defines them. */
static double busiest(const sg_grid *grid, int64_t ranks)
{
    int64_t rounds = (sg_grid_chunks(grid) + ranks - 1) / ranks;
    return (double)(rounds * grid->tiles_x * grid->tiles_y * grid->tile_w * grid->tile_h);
}

/* No other chunk and tile size that a user could ask for would do with less work. */
static void no_wish_beats_the_choice(void **state)
{
    (void)state;
    sg_grid_wish wish = {.width = 700,
                         .height = 530,
                         .stride = 8,
                         .halo = 24,
                         .block = 32,
                         .ranks = 3,
                         .most_pixels = 200 * 200};
    sg_grid best, other;
    assert_int_equal(sg_grid_create(&best, &wish), SG_OK);
    for (wish.chunk_w = wish.chunk_h = 32; wish.chunk_w <= 704; wish.chunk_h = wish.chunk_w += 32)
        for (wish.tile = 56; wish.tile <= 200; wish.tile += 8) {
            assert_int_equal(sg_grid_create(&other, &wish), SG_OK);
            assert_true(busiest(&best, 3) <= busiest(&other, 3));
        }
}

static void many_ranks_get_a_chunk_each(void **state)
{
    (void)state;
    sg_grid_wish wish = plain_wish(3000, 2500);
    wish.ranks = 16;
    sg_grid grid;
    assert_int_equal(sg_grid_create(&grid, &wish), SG_OK);
    assert_true(sg_grid_chunks(&grid) >= 12);
}

static void a_tile_without_core_is_refused_saying_the_least(void **state)
{
    (void)state;
    sg_grid_wish wish = plain_wish(3000, 2500);
    wish.tile = 192;
    sg_grid grid;
    assert_int_equal(sg_grid_create(&grid, &wish), SG_EUSAGE);
    assert_non_null(strstr(sg_error_text(), "192"));
    assert_non_null(strstr(sg_error_text(), "208"));
    wish.tile = 208;
    assert_int_equal(sg_grid_create(&grid, &wish), SG_OK);
    assert_int_equal(grid.tile_w, 208);
}

static void too_little_memory_is_said(void **state)
{
    (void)state;
    sg_grid_wish wish = plain_wish(3000, 2500);
    wish.most_pixels = 207 * 208;
    sg_grid grid;
    assert_int_equal(sg_grid_create(&grid, &wish), SG_ENOMEM);
    wish.most_pixels = 208 * 208;
    assert_int_equal(sg_grid_create(&grid, &wish), SG_OK);
    assert_int_equal(grid.tile_w, 208);
    assert_int_equal(grid.tile_h, 208);
}

static void chunks_stay_within_their_limit(void **state)
{
    (void)state;
    sg_grid_wish wish = plain_wish(20000, 20000);
    wish.most_chunk = 1024 * 1024;
    sg_grid grid;
    assert_int_equal(sg_grid_create(&grid, &wish), SG_OK);
    assert_true(grid.chunk_w * grid.chunk_h <= 1024 * 1024);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_scenes_are_partitioned_for_every_size),
        cmocka_unit_test(random_grids_keep_every_rule),
        cmocka_unit_test(every_part_of_small_scenes_is_partitioned),
        cmocka_unit_test(random_parts_keep_every_rule),
        cmocka_unit_test(chunks_have_all_that_their_frames_see),
        cmocka_unit_test(a_small_part_of_a_large_scene_is_one_tile),
        cmocka_unit_test(a_scene_within_the_limit_is_one_tile),
        cmocka_unit_test(large_scenes_cost_at_most_three_tenths_more),
        cmocka_unit_test(no_wish_beats_the_choice),
        cmocka_unit_test(many_ranks_get_a_chunk_each),
        cmocka_unit_test(a_tile_without_core_is_refused_saying_the_least),
        cmocka_unit_test(too_little_memory_is_said),
        cmocka_unit_test(chunks_stay_within_their_limit),
    };
    return cmocka_run_group_tests_name("grid", tests, NULL, NULL);
}
