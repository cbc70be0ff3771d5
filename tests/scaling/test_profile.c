/* When gradients become final: all of them, in all of the time, of the network that is meant. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "profile.h"

static void check_shares(const profile *p)
{
    double time = 0, values = 0;
    for (int i = 0; i < p->parts; i++) {
        assert_true(p->time[i] > 0 && p->values[i] > 0);
        time += p->time[i];
        values += p->values[i];
    }
    assert_true(fabs(time - 1) < 1e-9 && fabs(values - 1) < 1e-9);
}

static void parts_are_all_of_it(void **state)
{
    (void)state;
    profile p;
    profile_evenly(&p, 18);
    assert_int_equal(p.parts, 18);
    check_shares(&p);
    profile_of_unet(&p, 64, 4, 8);
    check_shares(&p);
}

/* `segtiles info --net unet,width=64,bands=4,classes=8`: 31.0 M parameters; 1.47 MFLOP a pixel; 18
 * layers of batch norm. */
static void it_is_the_network_that_is_meant(void **state)
{
    (void)state;
    profile p;
    int norms = 0;
    profile_of_unet(&p, 64, 4, 8);
    for (int i = 0; i < p.parts; i++)
        norms += p.norm[i];
    assert_int_equal(norms, 18);
    assert_true(fabs(p.parameters - 31.04e6) < 0.01e6);
    assert_true(fabs(p.flops - 1.472e6) < 0.001e6);
}

/* 1024 channels in the middle: most of the values lie there, few at the end, where pixels are many.
 */
static void the_last_part_of_the_pass_brings_little(void **state)
{
    (void)state;
    profile p;
    double time = 0, values = 0;
    profile_of_unet(&p, 64, 4, 8);
    for (int i = 0; time < 0.84; i++) {
        time += p.time[i];
        values += p.values[i];
    }
    assert_true(values > 0.95);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_all_of_it),
        cmocka_unit_test(it_is_the_network_that_is_meant),
        cmocka_unit_test(the_last_part_of_the_pass_brings_little),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
