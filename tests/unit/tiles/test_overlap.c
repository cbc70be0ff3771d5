/* Overlapping tiles: every pixel has all tiles that reach it, whatever is asked for at once, and
 * weights are positive and add up to 1, at the scene's edge too. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "tiles/grid.h"

enum { MOST = 400 };

/* All of it against a plain look at every tile. */
static void check_axis(const sg_overlap *along)
{
    int64_t tiles = sg_overlap_tiles(along);
    assert_int_equal(sg_overlap_origin(along, tiles - 1), along->padded - along->tile);
    for (int64_t from = 0; from < along->padded; from++) {
        int64_t to = from + 1 + from * 7 % (along->padded - from), first, last;
        sg_overlap_covering(along, from, to, &first, &last);
        for (int64_t t = 0; t < tiles; t++) {
            int64_t origin = sg_overlap_origin(along, t);
            int reaches = origin < to && origin + along->tile > from;
            assert_int_equal(reaches, t >= first && t <= last);
        }
        double sum = 0;
        sg_overlap_covering(along, from, from + 1, &first, &last);
        for (int64_t t = first; t <= last; t++) {
            float weight;
            sg_overlap_weights(along, sg_overlap_origin(along, t), from, 1, &weight);
            assert_true(weight > 0 && weight <= 1);
            sum += (double)weight;
        }
        assert_true(fabs(sum - 1) < 1e-6);
    }
}

static void weights_of_all_tiles_of_a_pixel_add_up_to_one(void **state)
{
    (void)state;
    for (int64_t padded = 16; padded <= MOST; padded += 48)
        for (int64_t tile = 16; tile <= padded; tile += 32)
            for (int64_t step = 16; step <= tile; step += 16)
                check_axis(&(sg_overlap){padded, tile, step});
}

/* Tiles of a chunk are those of the scene's grid that reach into it, in row order. */
static void check_chunks(const sg_grid *grid)
{
    sg_overlap x = sg_grid_overlap_x(grid), y = sg_grid_overlap_y(grid);
    int64_t across = sg_overlap_tiles(&x), down = sg_overlap_tiles(&y);
    for (int64_t c = 0; c < sg_grid_chunks(grid); c++) {
        sg_window chunk = sg_grid_chunk(grid, c);
        int64_t found = 0;
        for (int64_t k = 0; k < across * down; k++) {
            sg_window input = {sg_overlap_origin(&x, k % across), sg_overlap_origin(&y, k / across),
                               grid->tile_w, grid->tile_h};
            sg_window core = sg_window_intersect(input, chunk);
            if (sg_window_is_empty(core))
                continue;
            assert_true(found < sg_grid_tiles(grid, c));
            sg_tile tile = sg_grid_tile(grid, c, found++);
            assert_memory_equal(&tile.input, &input, sizeof input);
            assert_memory_equal(&tile.core, &core, sizeof core);
        }
        assert_int_equal(found, sg_grid_tiles(grid, c));
    }
}

static void chunks_take_the_tiles_that_reach_into_them(void **state)
{
    (void)state;
    for (int64_t i = 0; i < 60; i++) {
        sg_grid grid;
        sg_grid_wish wish = {.width = 30 + 41 * i % 700,
                             .height = 25 + 67 * i % 500,
                             .stride = 16,
                             .block = 64,
                             .ranks = 1 + i % 4,
                             .most_pixels = INT64_MAX,
                             .tile = 64 + i % 3 * 48,
                             .chunk_w = i % 2 ? 0 : 128,
                             .chunk_h = i % 2 ? 0 : 64,
                             .blend = true,
                             .overlap = i % 4 * 16};
        if (i % 5 == 0)
            wish.part = (sg_window){7, 5, wish.width - 9, wish.height - 6};
        assert_int_equal(sg_grid_create(&grid, &wish), SG_OK);
        check_chunks(&grid);
    }
}

static void an_overlap_as_large_as_the_tile_is_refused(void **state)
{
    sg_grid grid;
    sg_grid_wish wish = {.width = 500,
                         .height = 400,
                         .stride = 16,
                         .block = 256,
                         .ranks = 1,
                         .most_pixels = INT64_MAX,
                         .tile = 64,
                         .blend = true,
                         .overlap = 50};
    (void)state;
    assert_int_equal(sg_grid_create(&grid, &wish), SG_EUSAGE);
    assert_non_null(strstr(sg_error_text(), "at most by 48"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_of_all_tiles_of_a_pixel_add_up_to_one),
        cmocka_unit_test(chunks_take_the_tiles_that_reach_into_them),
        cmocka_unit_test(an_overlap_as_large_as_the_tile_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
