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

/* What is drawn for a sample outlives the description that its sampler was made from. */
static void alterations_are_the_samplers_own(void **state)
{
    sg_training training = {.regions = &regions, .tile = 64, .alter = {.chance = 1, .rotate = 30}};
    sg_sampler_tables tables;
    sg_sample s;
    assert_int_equal(sg_sampler_make(&tables, &training), SG_OK);
    memset(&training, 0, sizeof training);
    sg_sampler_sample(&tables.sampler, 7, &s);
    assert_non_null(s.alter);
    assert_true(s.alter->rotate == 30 && s.alter->chance == 1);
    sg_sampler_clear(&tables);
}

/* What has labels lies in the region; the margin around it may not. */
static void margins_may_lie_outside_of_regions(void **state)
{
    const sg_training training = {
        .regions = &regions, .tile = 64, .margin = {20, 16, 20, 16}, .augment = 1, .seed = 5};
    const sg_training too_small = {.regions = &regions, .tile = 40, .margin = {20, 16, 20, 16}};
    sg_sampler_tables tables;
    int64_t least = INT64_MAX, most = 0;
    assert_int_equal(sg_sampler_make(&tables, &training), SG_OK);
    for (uint64_t i = 0; i < 20000; i++) {
        sg_sample s;
        sg_sampler_sample(&tables.sampler, i, &s);
        const sg_window inner = {s.window.x + 20, s.window.y + 20, 24, 24};
        assert_true(s.window.w == 64 && s.window.h == 64);
        assert_true(sg_window_contains(region[s.scene == 0 ? 0 : 2].window, inner));
        assert_true(sg_window_contains(region[s.scene == 0 ? 0 : 2].window, s.count));
        assert_true(sg_window_contains(s.count, inner));
        least = s.scene == 0 ? sg_min64(least, inner.x) : least;
        most = s.scene == 0 ? sg_max64(most, inner.x) : most;
    }
    assert_int_equal(least, 100);
    assert_int_equal(most, 100 + 300 - 24);
    sg_sampler_clear(&tables);
    assert_int_equal(sg_sampler_make(&tables, &too_small), SG_EUSAGE);
    assert_non_null(strstr(sg_error_text(), "margins of 20"));
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

/* One train scene in two regions, and a small one. */
static sg_region parts[] = {{0, SG_SPLIT_TRAIN, {0, 0, 256, 128}},
                            {0, SG_SPLIT_TRAIN, {0, 128, 256, 128}},
                            {1, SG_SPLIT_TRAIN, {0, 0, 130, 64}}};
static const sg_regions several = {parts, 3, 3};

static void scenes_are_taken_by_area_or_equally(void **state)
{
    enum { COUNT = 20000 };
    const double area[] = {256. * 256 / (256 * 256 + 130 * 64), .5};
    (void)state;
    for (int equal = 0; equal < 2; equal++) {
        const sg_training training = {
            .regions = &several, .tile = 64, .crops = {.equal_scenes = equal}};
        sg_sampler_tables tables;
        int in_first = 0, in_upper = 0;
        assert_int_equal(sg_sampler_make(&tables, &training), SG_OK);
        for (uint64_t i = 0; i < COUNT; i++) {
            sg_sample s;
            sg_sampler_sample(&tables.sampler, i, &s);
            in_first += s.scene == 0;
            in_upper += s.scene == 0 && s.window.y < 128;
        }
        const double share = area[equal];
        assert_true(fabs(in_first - share * COUNT) < 4 * sqrt(COUNT * share * (1 - share)));
        assert_true(fabs(in_upper - share / 2 * COUNT) <
                    4 * sqrt(COUNT * share / 2 * (1 - share / 2)));
        sg_sampler_clear(&tables);
    }
}

/* 4 x 2 tiles in each of the first two regions, 3 x 1 in the third, whose last moves inwards. */
static void a_grid_comes_once_an_epoch_in_another_order(void **state)
{
    enum { TILES = 2 * 4 * 2 + 3, EPOCHS = 5 };
    const sg_training training = {.regions = &several, .tile = 64, .seed = 3, .crops = {.grid = 1}};
    sg_sampler_tables tables;
    int order[EPOCHS][TILES], moved = 0;
    (void)state;
    assert_int_equal(sg_sampler_make(&tables, &training), SG_OK);
    for (int i = 0; i < EPOCHS * TILES; i++) {
        sg_sample s;
        sg_sampler_sample(&tables.sampler, (uint64_t)i, &s);
        assert_true(s.window.w == 64 && s.window.h == 64);
        assert_memory_equal(&s.count, &s.window, sizeof s.count);
        assert_true(s.window.y % 64 == 0 && (s.window.x % 64 == 0 || s.window.x == 130 - 64));
        order[i / TILES][i % TILES] = s.scene == 1 ? 16 + (int)(s.window.x + 63) / 64
                                                   : (int)(s.window.y / 16 + s.window.x / 64);
    }
    for (int e = 0; e < EPOCHS; e++) {
        int seen[TILES] = {0};
        for (int k = 0; k < TILES; k++) {
            assert_int_equal(seen[order[e][k]]++, 0);
            moved += e > 0 && order[e][k] != order[0][k];
        }
    }
    assert_true(moved > (EPOCHS - 1) * TILES / 2);
    sg_sampler_clear(&tables);
}

/* Six pixels of class 0, three of class 2, none of class 1. */
static sg_places made_places(void)
{
    static const sg_place made[] = {{0, 1, 10, 200}, {2, 0, 255, 0},   {0, 0, 0, 0},
                                    {0, 0, 100, 50}, {2, 2, 129, 63},  {0, 1, 200, 255},
                                    {2, 1, 60, 130}, {0, 0, 255, 127}, {0, 2, 3, 3}};
    sg_places places;
    sg_place *item = NULL;
    assert_int_equal(sg_malloc(9, sizeof *item, &item), SG_OK);
    memcpy(item, made, sizeof made);
    assert_int_equal(sg_places_make(&places, 3, item, 9), SG_OK);
    assert_int_equal(places.first[1], 6);
    assert_int_equal(places.first[2], 6);
    assert_int_equal(places.first[3], 9);
    return places;
}

static bool holds(const sg_sample *s, const sg_place *p)
{
    return s->scene == parts[p->region].scene && p->x >= s->window.x && p->y >= s->window.y &&
           p->x < s->window.x + 64 && p->y < s->window.y + 64;
}

static void classes_have_their_share_of_crops(void **state)
{
    enum { COUNT = 20000 };
    sg_places places = made_places();
    const sg_training training = {.regions = &several,
                                  .tile = 64,
                                  .seed = 8,
                                  .crops = {.share = {.25, 0, .5}, .places = &places}};
    sg_sampler_tables tables;
    int around[9] = {0}, elsewhere = 0;
    assert_int_equal(sg_sampler_make(&tables, &training), SG_OK);
    for (uint64_t i = 0; i < COUNT; i++) {
        sg_sample s, plain;
        int found = -1;
        sg_sampler_sample(&tables.sampler, i, &s);
        for (int k = 0; k < 9; k++)
            if (holds(&s, &places.item[k]))
                found = k;
        assert_true(sg_window_contains(s.within, s.window));
        /* Crops by area are those that there are without shares. */
        sg_sampler without = tables.sampler;
        without.classes = 0;
        without.mining_end = 0;
        sg_sampler_sample(&without, i, &plain);
        if (memcmp(&s.window, &plain.window, sizeof s.window) == 0 && s.scene == plain.scene)
            elsewhere++;
        else {
            assert_true(found >= 0);
            around[found]++;
        }
    }
    assert_true(fabs(elsewhere - .25 * COUNT) < 4 * sqrt(COUNT * .25 * .75) + 2);
    for (int k = 0; k < 9; k++) {
        double share = k < 6 ? .25 / 6 : .5 / 3;
        assert_true(fabs(around[k] - share * COUNT) < 4 * sqrt(COUNT * share) + 2);
    }
    sg_sampler_clear(&tables);
    sg_places_clear(&places);
    (void)state;
}

static void a_class_without_places_is_named(void **state)
{
    sg_places places = made_places();
    const sg_spec spec = {.classes = {.count = 3, .item = {{"a"}, {"sand"}, {"c"}}}};
    const sg_training training = {.regions = &several,
                                  .spec = &spec,
                                  .tile = 64,
                                  .crops = {.share = {0, .1}, .places = &places}};
    sg_sampler_tables tables;
    (void)state;
    assert_int_equal(sg_sampler_make(&tables, &training), SG_EUSAGE);
    assert_non_null(strstr(sg_error_text(), "'sand'"));
    sg_places_clear(&places);
}

/* Focused windows lie in whole regions, which is what rotated crops may show. */
static void focused_crops_may_show_their_whole_region(void **state)
{
    sg_region windows[] = {{0, SG_SPLIT_TRAIN, {64, 0, 100, 100}},
                           {0, SG_SPLIT_TRAIN, {10, 140, 70, 110}},
                           {1, SG_SPLIT_TRAIN, {0, 0, 90, 64}}};
    const sg_regions focused = {windows, 3, 3};
    const sg_training training = {.regions = &focused, .whole = &several, .tile = 64};
    sg_sampler_tables tables;
    int seen[3] = {0};
    (void)state;
    assert_int_equal(sg_sampler_make(&tables, &training), SG_OK);
    for (uint64_t i = 0; i < 1000; i++) {
        sg_sample s;
        sg_sampler_sample(&tables.sampler, i, &s);
        int k = s.scene == 1 ? 2 : s.window.y >= 128;
        assert_true(sg_window_contains(windows[k].window, s.window));
        assert_memory_equal(&s.within, &parts[k].window, sizeof s.within);
        seen[k]++;
    }
    assert_true(seen[0] > 100 && seen[1] > 100 && seen[2] > 100);
    sg_sampler_clear(&tables);
}

/* Wrong in one corner of the second region: crops go there, by the formula. */
static void mining_goes_where_the_errors_are(void **state)
{
    enum { COUNT = 20000, CELL = 32 };
    const sg_training training = {
        .regions = &several, .tile = 64, .seed = 4, .crops = {.mining = 1}};
    sg_sampler_tables tables;
    sg_comm *comm = NULL;
    int before = 0, after = 0;
    double wrong = 0, seen = 0, sum = 0, chance = 0;
    (void)state;
    assert_int_equal(sg_comm_start(&comm, NULL, NULL), SG_OK);
    assert_int_equal(sg_sampler_make(&tables, &training), SG_OK);
    sg_mining *m = &tables.mining;
    assert_int_equal(m->state.cells, 8 * 4 * 2 + 5 * 2);
    for (uint64_t i = 0; i < COUNT; i++) {
        sg_sample s;
        sg_sampler_sample(&tables.sampler, i, &s);
        before += s.scene == 0 && s.window.x == 256 - 64 && s.window.y == 256 - 64;
        bool bad = s.scene == 0 && s.window.x + 32 >= 224 && s.window.y + 32 >= 224;
        if (i < 2000)
            sg_sampler_learn(&tables.sampler, i, bad ? 2000 : 100, 4000);
    }
    /* The same sums by hand: cells of the crops' middles. */
    double cell_wrong[74] = {0}, cell_seen[74] = {0};
    for (size_t i = 0; i < 74; i++) {
        cell_wrong[i] = (double)m->state.new_wrong[i];
        cell_seen[i] = (double)m->state.new_seen[i];
        wrong += cell_wrong[i];
        seen += cell_seen[i];
    }
    assert_true(seen == 2000 * 4000.);
    sg_mining_refresh(m, comm);
    for (int i = 0; i < 74; i++) {
        int width = i >= 64 && (i - 64) % 5 == 4 ? 130 - 4 * CELL : CELL;
        double share = (cell_wrong[i] + 1024 * wrong / seen) / (cell_seen[i] + 1024) * width * CELL;
        sum += share;
        chance += i == 63 ? share : 0; /* the corner */
    }
    chance /= sum;
    for (uint64_t i = 0; i < COUNT; i++) {
        sg_sample s;
        sg_sampler_sample(&tables.sampler, COUNT + i, &s);
        after += s.scene == 0 && s.window.x == 256 - 64 && s.window.y == 256 - 64;
    }
    /* A pixel of the corner's cell is the middle of the crop in the corner, by the region's edge.
     */
    assert_true(fabs(before - COUNT * (1024. / (256 * 256 + 130 * 64))) < 4 * sqrt(before));
    assert_true(chance > .08);
    assert_true(fabs(after - chance * COUNT) < 4 * sqrt(COUNT * chance));
    sg_sampler_clear(&tables);
    sg_comm_close(comm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crops_lie_in_training_regions_by_their_area),
        cmocka_unit_test(alterations_are_the_samplers_own),
        cmocka_unit_test(margins_may_lie_outside_of_regions),
        cmocka_unit_test(a_sample_depends_on_seed_and_index_alone),
        cmocka_unit_test(without_training_regions_there_is_nothing_to_sample),
        cmocka_unit_test(strips_beside_another_split_are_left_out),
        cmocka_unit_test(scenes_are_taken_by_area_or_equally),
        cmocka_unit_test(a_grid_comes_once_an_epoch_in_another_order),
        cmocka_unit_test(classes_have_their_share_of_crops),
        cmocka_unit_test(a_class_without_places_is_named),
        cmocka_unit_test(focused_crops_may_show_their_whole_region),
        cmocka_unit_test(mining_goes_where_the_errors_are),
        cmocka_unit_test(cores_partition_regions_of_any_size),
        cmocka_unit_test(a_split_without_regions_has_no_tiles),
    };
    return cmocka_run_group_tests(tests, tempdir_make, tempdir_remove);
}
