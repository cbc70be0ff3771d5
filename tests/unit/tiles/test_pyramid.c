/* Levels and how they are made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "tiles/pyramid.h"
#include "tiles/records.h"

static void levels_halve_down_to_one_block(void **state)
{
    sg_pyramid p;
    (void)state;
    sg_pyramid_make(&p, 1025, 300, 256, true);
    static const int64_t size[][4] = {
        {1025, 300, 5, 2}, {513, 150, 3, 1}, {257, 75, 2, 1}, {129, 38, 1, 1}};
    int64_t first = 0;
    assert_int_equal(p.levels, 4);
    for (int k = 0; k < 4; k++) {
        assert_int_equal(p.level[k].width, size[k][0]);
        assert_int_equal(p.level[k].height, size[k][1]);
        assert_int_equal(p.level[k].across, size[k][2]);
        assert_int_equal(p.level[k].down, size[k][3]);
        assert_int_equal(p.level[k].first, first);
        first += size[k][2] * size[k][3];
    }
    assert_int_equal(p.blocks, first);
    sg_pyramid_make(&p, 1025, 300, 256, false);
    assert_int_equal(p.levels, 1);
    sg_pyramid_make(&p, 1, 1, 256, true);
    assert_int_equal(p.levels, 1);
    assert_int_equal(p.blocks, 1);
}

static void no_cell_is_larger_than_a_block(void **state)
{
    sg_pyramid p;
    (void)state;
    sg_pyramid_make(&p, 1 << 12, 1 << 12, 16, true);
    assert_int_equal(p.levels, 9);
    assert_int_equal(sg_pyramid_direct(&p), 4); /* 2^4 = 16 */
    sg_pyramid_make(&p, 60, 60, 16, true);
    assert_int_equal(sg_pyramid_direct(&p), 2);
}

static void the_most_frequent_value_wins_and_nodata_never(void **state)
{
    static const uint8_t pixels[3 * 5] = {7,   7, 2,   1,   255, /**/
                                          7,   3, 1,   2,   255, /**/
                                          255, 9, 255, 255, 4};
    const sg_reduction how = {1, 0, 255, 0};
    uint8_t out[6];
    (void)state;
    sg_reduce(&how, 1, pixels, 5, 3, out);
    static const uint8_t halves[6] = {7, 1, 255, 9, 255, 4}; /* of two, the smaller one */
    assert_memory_equal(out, halves, 6);
    sg_reduce(&how, 2, pixels, 5, 3, out);
    static const uint8_t quarters[2] = {7, 4};
    assert_memory_equal(out, quarters, 2);
}

static void means_leave_nodata_out(void **state)
{
    static const float pixels[2 * 3 * 2] = {1, -1, 2, .5f, -1, -1, 3, -1, -1, 1.5f, 8, -1};
    const sg_reduction how = {2, 1, -1, 0};
    float out[4];
    (void)state;
    sg_reduce(&how, 1, pixels, 3, 2, out);
    static const float wanted[4] = {2, 1, 8, -1};
    assert_memory_equal(out, wanted, sizeof wanted);
}

static void bytes_that_stand_for_amounts_have_means_too(void **state)
{
    static const uint8_t pixels[2 * 3 * 2] = {1, 255, 2, 10, 255, 255, 2, 255, 255, 11, 254, 255};
    const sg_reduction how = {2, 0, 255, 1};
    uint8_t out[4];
    (void)state;
    sg_reduce(&how, 1, pixels, 3, 2, out);
    static const uint8_t wanted[4] = {2, 11, 254, 255}; /* halves up */
    assert_memory_equal(out, wanted, sizeof wanted);
}

/* Every record has one meaning, and a level's windows cover it once. */
static void check_records(int64_t width, int64_t height, int64_t chunk_w, int64_t chunk_h)
{
    sg_pyramid p;
    sg_records r;
    static uint8_t used[4096];
    sg_pyramid_make(&p, width, height, 16, true);
    sg_records_make(&r, &p, chunk_w, chunk_h);
    int64_t count = sg_records_count(&r), chunks = sg_records_chunks(&r);
    assert_in_range(count, 1, sizeof used);
    memset(used, 0, sizeof used);
    for (int32_t k = 0; k < p.levels; k++)
        for (int64_t i = 0; i < p.level[k].across * p.level[k].down; i++)
            used[sg_records_block(&r, k, i % p.level[k].across, i / p.level[k].across)]++;
    for (int64_t c = 0; c < chunks; c++) {
        for (int32_t k = 1; k < p.levels; k++)
            used[sg_records_piece(&r, k, c)]++;
        used[sg_records_done(&r, c)]++;
    }
    for (int64_t i = 0; i < count; i++)
        assert_int_equal(used[i], 1);
    for (int32_t k = 0; k <= sg_pyramid_direct(&p); k++) {
        int64_t area = 0;
        for (int64_t c = 0; c < chunks; c++) {
            sg_window w = sg_records_window(&r, k, c);
            area += w.w * w.h;
            if (sg_records_whole(&r, k))
                assert_true(w.x % 16 == 0 && w.y % 16 == 0);
        }
        assert_int_equal(area, p.level[k].width * p.level[k].height);
    }
}

static void records_are_numbered_through(void **state)
{
    (void)state;
    check_records(300, 210, 64, 64);
    check_records(300, 210, 48, 80);
    check_records(300, 210, 304, 16);
    check_records(17, 1, 32, 16);
    check_records(16, 16, 16, 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_halve_down_to_one_block),
        cmocka_unit_test(no_cell_is_larger_than_a_block),
        cmocka_unit_test(the_most_frequent_value_wins_and_nodata_never),
        cmocka_unit_test(means_leave_nodata_out),
        cmocka_unit_test(bytes_that_stand_for_amounts_have_means_too),
        cmocka_unit_test(records_are_numbered_through),
    };
    return cmocka_run_group_tests_name("pyramid", tests, NULL, NULL);
}
