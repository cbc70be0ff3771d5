/* Which labelled pixels are places: evenly chosen, about as many as wanted, in order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "base/size.h"
#include "train/places.h"

enum { SIDE = 1000, PIXELS = SIDE * SIDE };

static void about_as_many_as_wanted_are_places_everywhere(void **state)
{
    int64_t wanted = sg_places_wanted(4);
    int count[4][4] = {{0}}, columns[4] = {0}, all = 0;
    (void)state;
    assert_int_equal(wanted, 16384);
    assert_int_equal(sg_places_wanted(255), (1 << 20) / 255);
    for (int i = 0; i < PIXELS; i++) {
        sg_place place = {2, 1, i % SIDE, i / SIDE};
        if (!sg_places_holds(5, &place, PIXELS, wanted))
            continue;
        all++;
        count[i / SIDE / 250][i % SIDE / 250]++;
        columns[i % 4]++;
    }
    assert_true(fabs(all - (double)wanted) < 4 * sqrt((double)wanted));
    for (int k = 0; k < 16; k++)
        assert_true(fabs(count[k / 4][k % 4] - (double)wanted / 16) < 4 * sqrt(wanted / 16.));
    for (int k = 0; k < 4; k++)
        assert_true(fabs(columns[k] - (double)wanted / 4) < 4 * sqrt((double)wanted / 4));
}

static void of_few_pixels_all_are_places(void **state)
{
    (void)state;
    for (int64_t i = 0; i < 100; i++)
        assert_true(sg_places_holds(5, &(sg_place){0, 0, i, 3}, 100, 100));
}

static void places_stand_in_the_same_order_whoever_found_them(void **state)
{
    const sg_place sorted[] = {
        {0, 0, 5, 1}, {0, 0, 1, 2}, {0, 3, 0, 0}, {2, 0, 0, 0}, {2, 1, 7, 7}};
    static const int order[3][5] = {{0, 1, 2, 3, 4}, {4, 3, 2, 1, 0}, {2, 4, 0, 3, 1}};
    (void)state;
    for (int k = 0; k < 3; k++) {
        sg_place *item = NULL;
        sg_places places;
        assert_int_equal(sg_malloc(5, sizeof *item, &item), SG_OK);
        for (int i = 0; i < 5; i++)
            item[i] = sorted[order[k][i]];
        assert_int_equal(sg_places_make(&places, 3, item, 5), SG_OK);
        assert_memory_equal(places.item, sorted, sizeof sorted);
        const size_t first[] = {0, 3, 3, 5};
        assert_memory_equal(places.first, first, sizeof first);
        sg_places_clear(&places);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(about_as_many_as_wanted_are_places_everywhere),
        cmocka_unit_test(of_few_pixels_all_are_places),
        cmocka_unit_test(places_stand_in_the_same_order_whoever_found_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
