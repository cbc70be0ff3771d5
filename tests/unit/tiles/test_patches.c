/* Patches found row by row, against a flood fill of the whole mask. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/size.h"
#include "tiles/patches.h"

enum { MOST_W = 70, MOST_H = 60, MOST = MOST_W * MOST_H, NODATA = 9 };

typedef struct {
    int w, h;
    uint8_t value[MOST];
    float confidence[MOST];
} map;

/* Areas that tell rows apart: degrees, as the ground has them. */
static sg_ground ground_of_degrees(void)
{
    return (sg_ground){.known = true,
                       .geographic = true,
                       .a = 6378137,
                       .e2 = 0.00669437999014,
                       .unit = M_PI / 180,
                       .geotransform = {7, 0.5, 0, 60, 0, -1}};
}

/* values: how many there are beside nodata; grain: how many pixels of a row stay alike on average.
 */
static void make_map(map *m, int w, int h, int values, int grain, unsigned seed)
{
    m->w = w;
    m->h = h;
    srand(seed);
    for (int i = 0; i < w * h; i++) {
        bool keep = i % w > 0 && rand() % grain > 0;
        int value = rand() % (values + 1);
        m->value[i] = keep ? m->value[i - 1] : value == values ? NODATA : (uint8_t)value;
        m->confidence[i] = (float)(rand() % 1000) / 1000;
    }
}

/* A ring in a ring in a ring, whose parts meet in the last row only. */
static void make_spiral(map *m, int n)
{
    m->w = m->h = n;
    for (int y = 0; y < n; y++)
        for (int x = 0; x < n; x++) {
            int edge = (int)sg_min64(sg_min64(x, y), sg_min64(n - 1 - x, n - 1 - y));
            m->value[y * n + x] = (uint8_t)(edge % 2);
            m->confidence[y * n + x] = 0.25f;
        }
    for (int y = 0; y < n; y++)
        m->value[y * n + n / 2] = 0;
}

static void flood(const map *m, int first, bool corners, bool *seen, const sg_ground *ground,
                  sg_patch *patch)
{
    static int stack[8 * MOST];
    int depth = 0;
    sg_ground g = *ground;
    *patch = (sg_patch){.x = first % m->w, .y = first / m->w, .value = m->value[first]};
    stack[depth++] = first;
    seen[first] = true;
    while (depth > 0) {
        int i = stack[--depth], x = i % m->w, y = i / m->w;
        sg_ground_set_row(&g, y);
        patch->pixels++;
        patch->confidence += (double)m->confidence[i];
        patch->area += sg_ground_run(&g, x, 1);
        for (int k = 0; k < 9; k++) {
            int across = k % 3 - 1, down = k / 3 - 1, next = i + down * m->w + across;
            bool inside = x + across >= 0 && x + across < m->w && y + down >= 0 && y + down < m->h;
            if (!inside || (!corners && across != 0 && down != 0))
                continue;
            if (!seen[next] && m->value[next] == patch->value) {
                seen[next] = true;
                stack[depth++] = next;
            }
        }
    }
}

static void check_same(const sg_patch *a, const sg_patch *b)
{
    assert_int_equal(a->value, b->value);
    assert_int_equal(a->pixels, b->pixels);
    assert_true(fabs(a->confidence - b->confidence) <= 1e-12 * b->confidence); /* other order */
    assert_true(fabs(a->area - b->area) <= 1e-12 * b->area);
}

static void check_connected(const map *m, bool corners)
{
    sg_ground ground = ground_of_degrees();
    static bool seen[MOST];
    sg_patches *patches = NULL;
    sg_patch_store *store = NULL;
    size_t told = 0, flooded = 0;
    assert_int_equal(sg_patches_create(&patches, m->w, NODATA, corners, &ground), SG_OK);
    assert_int_equal(sg_patch_store_create(&store), SG_OK);
    for (int y = 0; y <= m->h; y++) {
        const sg_patch *ended;
        size_t count;
        const uint8_t *values = y < m->h ? m->value + y * m->w : NULL;
        assert_int_equal(sg_patches_row(patches, values, m->confidence + y * m->w, &ended, &count),
                         SG_OK);
        for (size_t i = 0; i < count; i++)
            assert_int_equal(sg_patch_store_put(store, &ended[i]), SG_OK);
        told += count;
    }
    memset(seen, 0, sizeof seen);
    for (int i = 0; i < m->w * m->h; i++)
        if (!seen[i] && m->value[i] != NODATA) {
            sg_patch wanted, found;
            flood(m, i, corners, seen, &ground, &wanted);
            assert_true(sg_patch_store_take(store, wanted.x, wanted.y, &found));
            assert_false(sg_patch_store_take(store, wanted.x, wanted.y, &found));
            check_same(&found, &wanted);
            flooded++;
        }
    assert_int_equal(told, flooded);
    sg_patches_close(patches);
    sg_patch_store_close(store);
}

static void check(const map *m)
{
    check_connected(m, false);
    check_connected(m, true);
}

static void patches_are_those_of_a_flood_fill(void **state)
{
    static map m;
    (void)state;
    for (unsigned seed = 0; seed < 300; seed++) {
        int w = 1 + (int)(seed * 37 % MOST_W), h = 1 + (int)(seed * 53 % MOST_H);
        make_map(&m, w, h, 1 + (int)(seed % 4), 1 + (int)(seed % 5), seed);
        check(&m);
    }
    for (int n = 1; n <= MOST_H; n++) {
        make_spiral(&m, n);
        check(&m);
    }
}

static void without_data_there_is_no_patch(void **state)
{
    static map m;
    (void)state;
    m.w = m.h = 20;
    memset(m.value, NODATA, sizeof m.value);
    check(&m);
}

/* Where all pixels are alike an area is a product: no rounding of many sums. */
static void areas_of_like_pixels_are_exact(void **state)
{
    const sg_ground ground = {.known = true, .pixel = 0.1};
    const uint8_t values[3] = {1, 1, 1};
    const sg_patch *ended = NULL;
    sg_patches *patches = NULL;
    size_t count = 0;
    (void)state;
    assert_int_equal(sg_patches_create(&patches, 3, NODATA, false, &ground), SG_OK);
    for (int y = 0; y <= 1000; y++)
        assert_int_equal(sg_patches_row(patches, y < 1000 ? values : NULL, NULL, &ended, &count),
                         SG_OK);
    assert_int_equal(count, 1);
    assert_true(ended[0].area == 3000 * 0.1 && ended[0].confidence == 0);
    sg_patches_close(patches);
}

/* Put and taken in another order, while the table grows. */
static void the_store_keeps_what_is_not_taken(void **state)
{
    enum { COUNT = 20000 };
    sg_patch_store *store = NULL;
    sg_patch found;
    (void)state;
    assert_int_equal(sg_patch_store_create(&store), SG_OK);
    for (int64_t i = 0; i < COUNT; i++) {
        const sg_patch patch = {.x = i * 7919 % COUNT, .y = i % 13, .pixels = i + 1};
        assert_int_equal(sg_patch_store_put(store, &patch), SG_OK);
        if (i % 3 == 2) { /* one of the last three */
            int64_t k = i - i / 3 % 3;
            assert_true(sg_patch_store_take(store, k * 7919 % COUNT, k % 13, &found));
            assert_int_equal(found.pixels, k + 1);
        }
    }
    for (int64_t i = COUNT; i-- > 0;) {
        int64_t last = i - i % 3 + 2;
        bool gone = last < COUNT && i == last - last / 3 % 3;
        assert_int_equal(sg_patch_store_take(store, i * 7919 % COUNT, i % 13, &found), !gone);
    }
    sg_patch_store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patches_are_those_of_a_flood_fill),
        cmocka_unit_test(without_data_there_is_no_patch),
        cmocka_unit_test(areas_of_like_pixels_are_exact),
        cmocka_unit_test(the_store_keeps_what_is_not_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
