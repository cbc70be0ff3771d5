/* What goes into a network and comes out of it, on every backend that there is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include "op/harness.h"
#include "op/images.h"

static void compare(sg_err (*check)(sg_backend *))
{
    for (size_t i = 0; i < op_backend_count(); i++) {
        sg_backend *backend = NULL;
        sg_err err = op_backend_open(op_backend_names[i], &backend);
        if (!err)
            err = check(backend);
        sg_backend_close(backend);
        if (err)
            fail_msg("%s: %s", op_backend_names[i], sg_error_text());
    }
}

static void images_become_the_numbers_that_they_stand_for(void **state)
{
    compare(op_compare_images);
}

static void results_are_those_of_their_own_pass(void **state)
{
    compare(op_compare_results);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(images_become_the_numbers_that_they_stand_for),
        cmocka_unit_test(results_are_those_of_their_own_pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
