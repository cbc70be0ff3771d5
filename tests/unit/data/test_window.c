/* Windows: common parts, emptiness, containment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "data/window.h"

static void common_part_of_overlapping_windows(void **state)
{
    sg_window c = sg_window_intersect((sg_window){0, 0, 10, 8}, (sg_window){-3, 5, 6, 10});
    assert_int_equal(c.x, 0);
    assert_int_equal(c.y, 5);
    assert_int_equal(c.w, 3);
    assert_int_equal(c.h, 3);
}

static void windows_apart_or_touching_share_nothing(void **state)
{
    sg_window a = {0, 0, 10, 10};
    assert_true(sg_window_is_empty(sg_window_intersect(a, (sg_window){10, 0, 5, 5})));
    assert_true(sg_window_is_empty(sg_window_intersect(a, (sg_window){0, -5, 5, 5})));
    assert_true(sg_window_is_empty(sg_window_intersect(a, (sg_window){100, 100, 5, 5})));
    assert_false(sg_window_is_empty(sg_window_intersect(a, (sg_window){9, 9, 5, 5})));
}

static void containment_includes_the_edges(void **state)
{
    sg_window a = {2, 3, 10, 10};
    assert_true(sg_window_contains(a, a));
    assert_true(sg_window_contains(a, (sg_window){11, 12, 1, 1}));
    assert_false(sg_window_contains(a, (sg_window){11, 12, 2, 1}));
    assert_false(sg_window_contains(a, (sg_window){1, 3, 2, 2}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(common_part_of_overlapping_windows),
        cmocka_unit_test(windows_apart_or_touching_share_nothing),
        cmocka_unit_test(containment_includes_the_edges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
