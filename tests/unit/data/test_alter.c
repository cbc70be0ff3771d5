/* What is drawn for crops, and what it does to their values, against the formulas. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "data/alter.h"

enum { W = 48, H = 40, BANDS = 4, PIXELS = W * H, DRAWS = 4000 };

static const sg_alterations still = {.chance = 1, .least = 1, .most = 1};

typedef struct {
    sg_image image;
    float pixels[PIXELS * BANDS];
    uint8_t valid[PIXELS];
} picture;

/* Smooth, different in each band, within 2.5 deviations; a seventh of the pixels is invalid. */
static void paint(picture *p)
{
    p->image = (sg_image){W, H, BANDS, p->pixels, p->valid, NULL};
    for (int i = 0; i < PIXELS; i++) {
        p->valid[i] = i % 7 != 3;
        for (int b = 0; b < BANDS; b++)
            p->pixels[i * BANDS + b] =
                p->valid[i] ? (float)(2.5 * sin(.37 * (i % W) + b) * cos(.23 * i / W)) : 0;
    }
}

static void alter(picture *p, const sg_alterations *a, uint64_t index)
{
    sg_blur_room room = {0};
    assert_int_equal(sg_alter_values(a, (sg_draw){3, index}, p->image, &room), SG_OK);
    sg_free(room.item);
    for (int i = 0; i < PIXELS * BANDS; i++)
        assert_true(p->valid[i / BANDS] || p->pixels[i] == 0);
}

/* Four standard deviations of a binomial count. */
static void assert_share(int count, int of, double share)
{
    assert_true(fabs(count - share * of) < 4 * sqrt(of * share * (1 - share)));
}

static void nothing_asked_for_changes_nothing(void **state)
{
    picture before, after;
    sg_placement p;
    (void)state;
    paint(&before);
    paint(&after);
    alter(&after, &still, 0);
    assert_memory_equal(before.pixels, after.pixels, sizeof before.pixels);
    assert_false(sg_alter_any(&still));
    assert_false(sg_alter_place(&still, (sg_draw){1, 2}, (sg_window){0, 0, 8, 8},
                                (sg_window){0, 0, 9, 9}, &p));
}

static void angles_and_sizes_are_even_over_what_is_allowed(void **state)
{
    sg_alterations a = still;
    const sg_window window = {400, 300, 64, 64}, within = {0, 0, 1000, 1000};
    int stay = 0, unturned = 0, sized = 0, angle_bin[10] = {0}, size_bin[10] = {0};
    (void)state;
    a.chance = .5;
    a.rotate = 30;
    a.least = .5;
    a.most = 2;
    for (uint64_t i = 0; i < DRAWS; i++) {
        sg_placement p;
        if (!sg_alter_place(&a, (sg_draw){9, i}, window, within, &p)) {
            stay++;
            continue;
        }
        double angle = atan2(p.aside, p.along) * 180 / acos(-1);
        double size = 1 / hypot(p.aside, p.along);
        assert_true(fabs(angle) <= 30 && size >= .5 && size <= 2);
        assert_true(p.x == 432 && p.y == 332);
        if (angle == 0)
            unturned++;
        else
            angle_bin[(int)((angle + 30) / 6.0000001)]++;
        if (fabs(size - 1) > 1e-12) {
            sized++;
            size_bin[(int)((log2(size) + 1) / .20000001)]++;
        }
    }
    assert_share(stay, DRAWS, .25);
    assert_share(unturned, DRAWS, .25);
    assert_share(sized, DRAWS, .5);
    for (int k = 0; k < 10; k++) {
        assert_share(angle_bin[k], DRAWS, .05);
        assert_share(size_bin[k], DRAWS, .05);
    }
}

/* The four corners' pixels lie within where there is room; where there is not, nothing of it is
 * left out. */
static void crops_are_shifted_into_what_they_may_show(void **state)
{
    sg_alterations a = still;
    const sg_window window = {100, 100, 64, 64}, roomy = {95, 90, 110, 120},
                    tight = {90, 95, 80, 70};
    int shifts = 0;
    (void)state;
    a.rotate = 45;
    for (uint64_t i = 0; i < 500; i++) {
        double half[2];
        sg_placement p;
        assert_true(sg_alter_place(&a, (sg_draw){2, i}, window, roomy, &p));
        sg_placement_half(&p, 64, 64, half);
        assert_true(p.x - half[0] > 95.49 && p.x + half[0] < 204.51);
        assert_true(p.y - half[1] > 90.49 && p.y + half[1] < 209.51);
        shifts += p.x != 132 || p.y != 132;
        assert_true(sg_alter_place(&a, (sg_draw){2, i}, window, tight, &p));
        if (half[0] > 40)
            assert_true(p.x - half[0] < 90.51 && p.x + half[0] > 169.49);
        if (half[1] > 35)
            assert_true(p.y - half[1] < 95.51 && p.y + half[1] > 164.49);
    }
    assert_true(shifts > 200 && shifts < 500);
}

/* The gain and offset that one band was given, checked on all of its pixels. */
static void line_of(const picture *before, const picture *after, int b, double *gain,
                    double *offset)
{
    double x0 = before->pixels[b], y0 = after->pixels[b];
    double x1 = before->pixels[16 * BANDS + b], y1 = after->pixels[16 * BANDS + b];
    *gain = (y1 - y0) / (x1 - x0);
    *offset = y0 - *gain * x0;
    for (int i = 0; i < PIXELS; i++)
        if (before->valid[i])
            assert_true(fabs(*gain * before->pixels[i * BANDS + b] + *offset -
                             after->pixels[i * BANDS + b]) < 1e-4);
}

static void contrast_and_brightness_are_lines(void **state)
{
    sg_alterations a = still;
    double gains = 0, offsets = 0, across = 0;
    picture before, after;
    (void)state;
    paint(&before);
    a.contrast = .4;
    a.brightness = .7;
    for (int pass = 0; pass < 3; pass++) {
        a.per_band = .5 * pass;
        for (uint64_t i = 0; i < 400; i++) {
            double gain[BANDS], offset[BANDS];
            paint(&after);
            alter(&after, &a, i);
            for (int b = 0; b < BANDS; b++) {
                line_of(&before, &after, b, &gain[b], &offset[b]);
                assert_true(fabs(gain[b] - 1) < .4001 && fabs(offset[b]) < .7001);
                if (pass == 0)
                    assert_true(fabs(gain[b] - gain[0]) < 1e-4 &&
                                fabs(offset[b] - offset[0]) < 1e-4);
            }
            if (pass != 2)
                continue;
            gains += (gain[2] - 1) * (gain[2] - 1);
            offsets += offset[2] * offset[2];
            across += (gain[1] - 1) * (gain[2] - 1);
        }
    }
    /* Of even numbers in -1 .. 1 the mean square is 1/3; it deviates by 0.3 / 20. Apart from each
     * other the mean product is 0, and deviates by 1 / 60. */
    assert_true(fabs(gains / 400 / .16 - 1 / 3.) < .06);
    assert_true(fabs(offsets / 400 / .49 - 1 / 3.) < .06);
    assert_true(fabs(across / 400 / .16) < .07);
}

static void gamma_is_a_power_between_three_deviations(void **state)
{
    sg_alterations a = still;
    double least = 0, most = 0;
    picture before, after;
    (void)state;
    a.gamma = .5;
    a.per_band = 1;
    for (uint64_t i = 0; i < 100; i++) {
        paint(&before);
        before.pixels[0] = -3.5f;
        before.pixels[1] = 3;
        before.pixels[2] = 4;
        memcpy(&after, &before, sizeof after);
        after.image = (sg_image){W, H, BANDS, after.pixels, after.valid, NULL};
        alter(&after, &a, i);
        assert_memory_equal(before.pixels, after.pixels, 3 * sizeof(float));
        for (int b = 0; b < BANDS; b++) {
            int at = 20 * BANDS + b;
            double power =
                log(((double)after.pixels[at] + 3) / 6) / log(((double)before.pixels[at] + 3) / 6);
            assert_true(fabs(log(power)) < .501);
            least = fmin(least, log(power));
            most = fmax(most, log(power));
            for (int k = BANDS + b; k < PIXELS * BANDS; k += BANDS)
                if (before.valid[k / BANDS])
                    assert_true(fabs(6 * pow(((double)before.pixels[k] + 3) / 6, power) - 3 -
                                     (double)after.pixels[k]) < 1e-3); /* of the fitted power */
        }
    }
    assert_true(least < -.45 && most > .45);
}

static void noise_is_normal_and_everywhere_its_own(void **state)
{
    sg_alterations a = still;
    double deviations = 0;
    (void)state;
    a.noise = 2;
    for (uint64_t i = 0; i < 300; i++) {
        picture p;
        double sum = 0, squares = 0, fourth = 0, lag[3] = {0}, n = 0;
        paint(&p);
        memset(p.pixels, 0, sizeof p.pixels);
        memset(p.valid, 1, sizeof p.valid);
        alter(&p, &a, i);
        for (int k = 0; k < PIXELS * BANDS; k++) {
            double v = p.pixels[k];
            sum += v, squares += v * v, fourth += v * v * v * v, n++;
            for (int l = 0; l < 3 && k > BANDS * W; l++)
                lag[l] += v * (double)p.pixels[k - (l == 0 ? 1 : l == 1 ? BANDS : BANDS * W)];
        }
        double sigma = sqrt(squares / n);
        assert_true(sigma <= 2.05);
        deviations += sigma;
        /* five deviations of the mean, the fourth moment and of correlations */
        assert_true(fabs(sum / n) < 5 * sigma / sqrt(n));
        assert_true(fabs(fourth / n / pow(sigma, 4) - 3) < 5 * sqrt(24 / n));
        for (int l = 0; l < 3; l++)
            assert_true(fabs(lag[l] / n) < 5 * sigma * sigma / sqrt(n));
    }
    assert_true(fabs(deviations / 300 - 1) < 4 * 2 / sqrt(12. * 300));
}

/* The sum over all pixels of the image, one by one. */
static double blurred(const picture *p, int b, int x, int y, double sigma)
{
    double sum = 0, weights = 0;
    int reach = (int)ceil(3 * sigma);
    for (int i = 0; i < PIXELS; i++) {
        int dx = i % W - x, dy = i / W - y;
        if (!p->valid[i] || abs(dx) > reach || abs(dy) > reach)
            continue;
        double weight = exp(-(dx * dx + dy * dy) / (2 * sigma * sigma));
        weights += weight;
        sum += weight * (double)p->pixels[i * BANDS + b];
    }
    return sum / weights;
}

static void blur_is_the_mean_by_a_gaussian_of_what_there_is(void **state)
{
    static const double sigmas[] = {.3, 1, 2.6, 10};
    sg_blur_room room = {0};
    (void)state;
    for (int s = 0; s < 4; s++) {
        picture before, after;
        paint(&before);
        paint(&after);
        assert_int_equal(sg_blur(&after.image, sigmas[s], &room), SG_OK);
        for (int i = 0; i < PIXELS; i++)
            for (int b = 0; b < BANDS; b++) {
                double wanted = before.valid[i] ? blurred(&before, b, i % W, i / W, sigmas[s]) : 0;
                assert_true(fabs((double)after.pixels[i * BANDS + b] - wanted) < 1e-5);
            }
    }
    sg_free(room.item);
}

static void bands_are_blank_as_often_as_asked_but_never_all(void **state)
{
    sg_alterations a = still;
    int blank[BANDS] = {0};
    picture before;
    (void)state;
    paint(&before);
    a.chance = 0; /* is of the others */
    a.band_dropout = .6;
    assert_true(sg_alter_any(&a));
    for (uint64_t i = 0; i < DRAWS; i++) {
        picture p;
        int gone = 0;
        paint(&p);
        alter(&p, &a, i);
        for (int b = 0; b < BANDS; b++) {
            bool is_blank = p.pixels[5 * BANDS + b] == 0;
            for (int k = b; k < PIXELS * BANDS; k += BANDS)
                assert_true(p.pixels[k] == (is_blank ? 0 : before.pixels[k]));
            blank[b] += is_blank;
            gone += is_blank;
        }
        assert_true(gone < BANDS);
    }
    for (int b = 0; b < BANDS; b++)
        assert_share(blank[b], DRAWS, .6 * (1 - 1. / BANDS));
}

static void what_is_drawn_for_one_kind_does_not_depend_on_the_others(void **state)
{
    sg_alterations alone = still, both = still;
    const sg_window window = {400, 300, 64, 64}, within = {0, 0, 1000, 1000};
    (void)state;
    alone.rotate = both.rotate = 20;
    alone.chance = both.chance = .5;
    both.least = .9;
    both.noise = both.blur = 1;
    for (uint64_t i = 0; i < 200; i++) {
        sg_placement one = {0, 0, 1, 0}, two = {0, 0, 1, 0}, again = {0, 0, 1, 0};
        sg_alter_place(&alone, (sg_draw){5, i}, window, within, &one);
        sg_alter_place(&both, (sg_draw){5, i}, window, within, &two);
        sg_alter_place(&alone, (sg_draw){5, i}, window, within, &again);
        assert_true(fabs(atan2(one.aside, one.along) - atan2(two.aside, two.along)) < 1e-12);
        assert_memory_equal(&one, &again, sizeof one);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_asked_for_changes_nothing),
        cmocka_unit_test(angles_and_sizes_are_even_over_what_is_allowed),
        cmocka_unit_test(crops_are_shifted_into_what_they_may_show),
        cmocka_unit_test(contrast_and_brightness_are_lines),
        cmocka_unit_test(gamma_is_a_power_between_three_deviations),
        cmocka_unit_test(noise_is_normal_and_everywhere_its_own),
        cmocka_unit_test(blur_is_the_mean_by_a_gaussian_of_what_there_is),
        cmocka_unit_test(bands_are_blank_as_often_as_asked_but_never_all),
        cmocka_unit_test(what_is_drawn_for_one_kind_does_not_depend_on_the_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
