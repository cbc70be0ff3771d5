/* Which crop is sample i, and how validation tiles cover regions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/tempdir.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "train/cover.h"
#include "train/sampler.h"

/* Areas 3 : 1; a region of another split between them; one row smaller than the tile. */
static sg_region region[] = {
    {0, SG_SPLIT_TRAIN, {100, 50, 300, 200}},
    {0, SG_SPLIT_VAL, {0, 0, 5000, 5000}},
    {1, SG_SPLIT_TRAIN, {0, 0, 100, 200}},
};
static const sg_regions regions = {region, 3, 3};

static void make(sg_sampler_tables *tables, uint64_t seed)
{
    const sg_training training = {
        .regions = &regions, .tile = 64, .augment = 1, .jitter = .25f, .seed = seed};
    assert_int_equal(sg_sampler_make(tables, &training), SG_OK);
}

static void crops_lie_in_training_regions_by_their_area(void **state)
{
    enum { COUNT = 40000 };
    sg_sampler_tables tables;
    int in_first = 0, turns[8] = {0};
    int64_t least = INT64_MAX, most = 0;
    make(&tables, 5);
    for (uint64_t i = 0; i < COUNT; i++) {
        sg_sample s;
        sg_sampler_sample(&tables.sampler, i, &s);
        const sg_region *r = &region[s.scene == 0 ? 0 : 2];
        assert_true(sg_window_contains(r->window, s.window));
        assert_int_equal(s.window.w, 64);
        assert_int_equal(s.window.h, 64);
        assert_memory_equal(&s.window, &s.count, sizeof s.window);
        assert_true(s.turn >= 0 && s.turn < 8);
        assert_true(s.jitter == .25f && s.index == i);
        turns[s.turn]++;
        in_first += s.scene == 0;
        if (s.scene == 0) {
            least = sg_min64(least, s.window.x);
            most = sg_max64(most, s.window.x);
        }
    }
    /* Four standard deviations of a binomial count. */
    assert_true(fabs(in_first - 0.75 * COUNT) < 4 * sqrt(COUNT * .75 * .25));
    for (int turn = 0; turn < 8; turn++)
        assert_true(fabs(turns[turn] - COUNT / 8.0) < 4 * sqrt(COUNT * .125 * .875));
    assert_int_equal(least, 100);
    assert_int_equal(most, 100 + 300 - 64);
    sg_sampler_clear(&tables);
}

static void a_sample_depends_on_seed_and_index_alone(void **state)
{
    sg_sampler_tables a, b, other;
    int different = 0;
    make(&a, 5);
    make(&b, 5);
    make(&other, 6);
    for (uint64_t i = 0; i < 100; i++) {
        sg_sample first, again, changed;
        memset(&first, 0, sizeof first);
        memset(&again, 0, sizeof again);
        sg_sampler_sample(&b.sampler, 99 - i, &again); /* in another order */
        sg_sampler_sample(&b.sampler, i, &again);
        sg_sampler_sample(&a.sampler, i, &first);
        sg_sampler_sample(&other.sampler, i, &changed);
        assert_memory_equal(&first, &again, sizeof first);
        different += memcmp(&first.window, &changed.window, sizeof first.window) != 0;
    }
    assert_true(different > 90);
    sg_sampler_clear(&a);
    sg_sampler_clear(&b);
    sg_sampler_clear(&other);
}

static void without_training_regions_there_is_nothing_to_sample(void **state)
{
    const sg_regions none = {region + 1, 1, 1};
    const sg_training training = {.regions = &none, .tile = 64};
    sg_sampler_tables tables;
    assert_int_equal(sg_sampler_make(&tables, &training), SG_EUSAGE);
}

/* A scene of 300 x 200 cut into strips: 20 pixels between other splits, 20 pixels at the right
 * edge, 64 pixels. Tiles are 64 pixels. */
static void strips_beside_another_split_are_left_out(void **state)
{
    char path[TEMPDIR_PATH];
    sg_region strips[] = {{0, SG_SPLIT_TRAIN, {100, 0, 20, 200}},
                          {0, SG_SPLIT_TRAIN, {280, 0, 20, 200}},
                          {0, SG_SPLIT_TRAIN, {0, 0, 64, 200}}};
    const sg_regions list = {strips, 3, 3};
    sg_scene scene = {{0}, {0}, {0}, {0}};
    const sg_scenes scenes = {.scene = &scene, .scenes = 1};
    const sg_training training = {.regions = &list, .scenes = &scenes, .tile = 64};
    sg_sampler_tables tables;
    int seen[3] = {0};
    sg_gdal_start(1 << 20);
    tempdir_path(state, "scene.tif", path);
    assert_int_equal(
        sg_geotiff_create(
            path, &(sg_geotiff_options){.width = 300, .height = 200, .bands = 1, .block = 64}),
        SG_OK);
    snprintf(scene.image, sizeof scene.image, "%s", path);
    assert_int_equal(sg_sampler_make(&tables, &training), SG_OK);
    assert_int_equal(tables.sampler.train_count, 2);
    for (uint64_t i = 0; i < 1000; i++) {
        sg_sample s;
        sg_sampler_sample(&tables.sampler, i, &s);
        int strip = s.window.x == 280 ? 1 : s.window.x == 0 ? 2 : 0;
        assert_true(sg_window_contains(strips[strip].window, s.count));
        assert_int_equal(s.count.w, strip == 1 ? 20 : 64);
        seen[strip]++;
    }
    assert_int_equal(seen[0], 0);
    assert_true(seen[1] > 150 && seen[2] > 600);
    sg_sampler_clear(&tables);
    strcpy(scene.image, "/nonexistent/scene.tif");
    assert_int_equal(sg_sampler_make(&tables, &training), SG_EINPUT);
}

/* Every pixel of the region lies in one core, every core in its tile, and has its margin. */
static void check_cover(int64_t w, int64_t h, int64_t tile, int64_t margin)
{
    sg_region one[] = {{0, SG_SPLIT_TRAIN, {0, 0, 7, 7}}, {4, SG_SPLIT_VAL, {1000, 33, w, h}}};
    const sg_regions list = {one, 2, 2};
    const sg_window *all = &one[1].window;
    uint8_t *seen = calloc((size_t)w, (size_t)h);
    sg_cover cover;
    assert_int_equal(sg_cover_make(&cover, &list, SG_SPLIT_VAL, tile, margin, 16), SG_OK);
    assert_true(cover.tiles > 0);
    for (uint64_t i = 0; i < cover.tiles; i++) {
        sg_sample s;
        sg_cover_sample(&cover, i, &s);
        const sg_window *c = &s.count, *t = &s.window;
        assert_int_equal(s.scene, 4);
        assert_int_equal(s.turn, 0);
        assert_true(t->w == tile && t->h == tile);
        assert_true(sg_window_contains(*t, *c) && sg_window_contains(*all, *c));
        assert_true(c->x == all->x || c->x - t->x >= margin);
        assert_true(c->y == all->y || c->y - t->y >= margin);
        assert_true(c->x + c->w == all->x + w || t->x + tile - c->x - c->w >= margin);
        assert_true(c->y + c->h == all->y + h || t->y + tile - c->y - c->h >= margin);
        assert_true(t->x + tile <= sg_max64(all->x + w, all->x + tile));
        for (int64_t y = c->y - all->y; y < c->y - all->y + c->h; y++)
            for (int64_t x = c->x - all->x; x < c->x - all->x + c->w; x++)
                assert_int_equal(seen[y * w + x]++, 0);
    }
    assert_null(memchr(seen, 0, (size_t)(w * h)));
    free(seen);
    sg_cover_clear(&cover);
}

static void cores_partition_regions_of_any_size(void **state)
{
    static const int64_t length[] = {1, 63, 64, 65, 80, 97, 128, 129, 200, 333};
    for (size_t i = 0; i < sizeof length / sizeof *length; i++)
        for (size_t j = 0; j < sizeof length / sizeof *length; j++)
            check_cover(length[i], length[j], 64, 8);
    check_cover(1000, 777, 512, 64);
    check_cover(1000, 777, 512, 0);
    check_cover(100, 33, 16, 2); /* less than a stride between margins */
}

static void a_split_without_regions_has_no_tiles(void **state)
{
    sg_cover cover;
    assert_int_equal(sg_cover_make(&cover, &regions, SG_SPLIT_TEST, 64, 8, 16), SG_OK);
    assert_int_equal(cover.tiles, 0);
    assert_int_equal(sg_cover_longest(&regions, SG_SPLIT_TEST), 0);
    assert_int_equal(sg_cover_longest(&regions, SG_SPLIT_TRAIN), 300);
    sg_cover_clear(&cover);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crops_lie_in_training_regions_by_their_area),
        cmocka_unit_test(a_sample_depends_on_seed_and_index_alone),
        cmocka_unit_test(without_training_regions_there_is_nothing_to_sample),
        cmocka_unit_test(strips_beside_another_split_are_left_out),
        cmocka_unit_test(cores_partition_regions_of_any_size),
        cmocka_unit_test(a_split_without_regions_has_no_tiles),
    };
    return cmocka_run_group_tests(tests, tempdir_make, tempdir_remove);
}
