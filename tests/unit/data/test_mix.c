/* Two crops made one, against plain copies and a region grown by itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "base/size.h"
#include "data/mix.h"

enum { W = 40, H = 30, BANDS = 2, PIXELS = W * H };

typedef struct {
    sg_image image;
    float pixels[PIXELS * BANDS];
    uint8_t labels[PIXELS];
} picture;

static void paint(picture *p, float from, const char *const *rows)
{
    p->image = (sg_image){W, H, BANDS, p->pixels, NULL, p->labels};
    for (int i = 0; i < PIXELS * BANDS; i++)
        p->pixels[i] = from + (float)i;
    memset(p->labels, 9, sizeof p->labels);
    for (int y = 0; rows && rows[y]; y++)
        for (int x = 0; rows[y][x]; x++)
            p->labels[(y + 3) * W + x + 5] = rows[y][x] == '#' ? 4 : 6;
}

/* Is pixel i of `mixed` that of one picture, in all of its bands and its label? */
static bool is_from(const picture *mixed, const picture *one, int i)
{
    return memcmp(mixed->pixels + i * BANDS, one->pixels + i * BANDS, BANDS * sizeof(float)) == 0 &&
           mixed->labels[i] == one->labels[i];
}

static void rectangles_lie_in_the_crop_and_have_their_size(void **state)
{
    double least = 1, most = 0, sides = 1;
    int64_t left = 100, right = 0;
    (void)state;
    for (uint64_t i = 0; i < 3000; i++) {
        sg_window r = sg_mix_rectangle((sg_draw){1, i}, 100, 100);
        assert_true(r.x >= 0 && r.y >= 0 && r.x + r.w <= 100 && r.y + r.h <= 100);
        double area = (double)(r.w * r.h) / 1e4, ratio = (double)r.w / (double)r.h;
        assert_true(ratio > .47 && ratio < 2.13); /* whole pixels of at least 22 */
        least = fmin(least, area);
        most = fmax(most, area);
        sides = fmax(sides, ratio);
        left = sg_min64(left, r.x);
        right = sg_max64(right, r.x + r.w);
    }
    assert_true(least > .09 && least < .11 && most > .49 && most < .51 && sides > 1.9);
    assert_int_equal(left, 0);
    assert_int_equal(right, 100);
}

static void a_rectangle_is_copied_to_its_place(void **state)
{
    picture from, to, before;
    const sg_window part = {7, 4, 20, 11};
    (void)state;
    paint(&from, 1e5f, NULL);
    paint(&to, 0, NULL);
    memset(to.labels, 1, sizeof to.labels);
    before = to;
    sg_mix_copy(&from.image, &to.image, part);
    for (int i = 0; i < PIXELS; i++) {
        int x = i % W, y = i / W;
        bool inside = x >= 7 && y >= 4 && x < 27 && y < 15;
        assert_true(is_from(&to, inside ? &from : &before, i));
    }
}

/* Four regions of class 4: two diagonal pixels are one, and the other class lies between. */
static const char *const four[] = {"##....##", "#..6...#", ".#.66...", "........",
                                   "...#....", "..###..#", NULL};

/* Grow region `number` from its first pixel until nothing is added. */
static void grow(const picture *p, int number, int *region)
{
    for (bool grown = true; grown;) {
        grown = false;
        for (int i = 0; i < PIXELS; i++)
            for (int k = 0; p->labels[i] == 4 && region[i] == 0 && k < PIXELS; k++) {
                bool touch = region[k] == number && k % W - i % W <= 1 && i % W - k % W <= 1 &&
                             k / W - i / W <= 1 && i / W - k / W <= 1;
                if (touch) {
                    region[i] = number;
                    grown = true;
                }
            }
    }
}

static int find_regions(const picture *p, int *region)
{
    int regions = 0;
    memset(region, 0, PIXELS * sizeof *region);
    for (int i = 0; i < PIXELS; i++)
        if (p->labels[i] == 4 && region[i] == 0) {
            region[i] = ++regions;
            grow(p, regions, region);
        }
    return regions;
}

static void whole_regions_are_copied_half_of_the_time(void **state)
{
    enum { DRAWS = 2000 };
    picture from, to, before;
    sg_mix_room room = {0};
    int region[PIXELS], copied[5] = {0};
    (void)state;
    paint(&from, 1e5f, four);
    paint(&before, 0, NULL);
    assert_int_equal(find_regions(&from, region), 4);
    for (uint64_t d = 0; d < DRAWS; d++) {
        int seen[5] = {-1, -1, -1, -1, -1}, count = 0;
        to = before;
        to.image = (sg_image){W, H, BANDS, to.pixels, NULL, to.labels};
        assert_int_equal(sg_mix_regions((sg_draw){7, d}, 4, &from.image, &to.image, &room), SG_OK);
        for (int i = 0; i < PIXELS; i++) {
            bool is_copy = is_from(&to, &from, i);
            assert_true(is_copy || is_from(&to, &before, i));
            if (region[i] == 0)
                assert_false(is_copy);
            else if (seen[region[i]] < 0)
                seen[region[i]] = is_copy;
            else
                assert_int_equal(seen[region[i]], is_copy); /* all of a region, or nothing */
        }
        for (int r = 1; r <= 4; r++) {
            copied[r] += seen[r];
            count += seen[r];
        }
        assert_true(count >= 1);
    }
    for (int r = 1; r <= 4; r++) /* certain in a quarter, else one half */
        assert_true(fabs(copied[r] - DRAWS * .625) < 4 * sqrt(DRAWS * .625 * .375));
    sg_free(room.item);
}

static void what_is_everywhere_is_copied_in_a_rectangle_only(void **state)
{
    picture from, to, before;
    sg_mix_room room = {0};
    (void)state;
    paint(&from, 1e5f, NULL);
    memset(from.labels, 4, sizeof from.labels);
    paint(&before, 0, NULL);
    for (uint64_t d = 0; d < 50; d++) {
        const sg_window r = sg_mix_rectangle((sg_draw){7, d}, W, H);
        to = before;
        to.image = (sg_image){W, H, BANDS, to.pixels, NULL, to.labels};
        assert_int_equal(sg_mix_regions((sg_draw){7, d}, 4, &from.image, &to.image, &room), SG_OK);
        for (int i = 0; i < PIXELS; i++) {
            bool inside = i % W >= r.x && i / W >= r.y && i % W < r.x + r.w && i / W < r.y + r.h;
            assert_true(is_from(&to, inside ? &from : &before, i));
        }
        /* Without the class there is nothing to copy. */
        to = before;
        to.image = (sg_image){W, H, BANDS, to.pixels, NULL, to.labels};
        assert_int_equal(sg_mix_regions((sg_draw){7, d}, 5, &from.image, &to.image, &room), SG_OK);
        assert_memory_equal(to.pixels, before.pixels, sizeof to.pixels);
        assert_memory_equal(to.labels, before.labels, sizeof to.labels);
    }
    sg_free(room.item);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rectangles_lie_in_the_crop_and_have_their_size),
        cmocka_unit_test(a_rectangle_is_copied_to_its_place),
        cmocka_unit_test(whole_regions_are_copied_half_of_the_time),
        cmocka_unit_test(what_is_everywhere_is_copied_in_a_rectangle_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
