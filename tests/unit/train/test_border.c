/*
 * Weights of borders against plain C that looks at every pair of pixels. Objects are found here by
 * spreading numbers until nothing changes.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/rng.h"
#include "nn/graph.h"
#include "train/border.h"

enum { H = 23, W = 31, PIXELS = H * W, SAMPLES = 3 };

/* Blobs of class 1 of 3 on a ground of classes 0 and 2, some pixels without label. */
static void make_labels(uint8_t *labels, uint32_t sample)
{
    for (uint32_t i = 0; i < PIXELS; i++) {
        sg_random4 r = sg_random(5, SG_STREAM_SCENE, sample, i);
        uint32_t x = i % W, y = i / W,
                 cell = sg_random(6, SG_STREAM_SCENE, sample, y / 5 * W + x / 6).v[0];
        bool gap = x % 6 == 0 || y % 5 == 0;
        labels[i] = !gap && cell % 3 ? 1 : x < W / 2 ? 0 : 2;
        if (sg_below(r.v[0], 20) == 0)
            labels[i] = SG_IGNORE_LABEL;
    }
}

static void number_objects(const uint8_t *labels, int of_class, int *number)
{
    bool changed = true;
    for (int i = 0; i < PIXELS; i++)
        number[i] = labels[i] == of_class ? i + 1 : 0;
    while (changed) {
        changed = false;
        for (int i = 0; i < PIXELS; i++) {
            const int beside[2] = {i % W ? i - 1 : i, i >= W ? i - W : i};
            for (int k = 0; k < 2; k++) {
                int *a = &number[i], *b = &number[beside[k]];
                if (*a && *b && *a != *b) {
                    *a = *b = *a < *b ? *a : *b;
                    changed = true;
                }
            }
        }
    }
}

static double weight_at(const uint8_t *labels, const int *thing, int at, const sg_border_options *o)
{
    double nearest[PIXELS + 1], first = INFINITY, second = INFINITY;
    if (labels[at] == SG_IGNORE_LABEL || labels[at] == o->of_class)
        return 0;
    for (int t = 0; t <= PIXELS; t++)
        nearest[t] = INFINITY;
    for (int i = 0; i < PIXELS; i++)
        nearest[thing[i]] = fmin(nearest[thing[i]], hypot(i % W - at % W, i / W - at / W));
    for (int t = 1; t <= PIXELS; t++) {
        if (nearest[t] < first) {
            second = first;
            first = nearest[t];
        } else if (nearest[t] < second) {
            second = nearest[t];
        }
    }
    double d = first + second;
    return d > 4.5 * o->sigma ? 0 : o->w0 * exp(-d * d / (2 * o->sigma * o->sigma));
}

static void compare(const sg_border_options *options)
{
    uint8_t labels[SAMPLES * PIXELS];
    int thing[PIXELS], above = 0;
    sg_border border;
    assert_int_equal(sg_border_open(&border, options, SAMPLES, H, W), SG_OK);
    for (uint32_t n = 0; n < SAMPLES; n++)
        make_labels(labels + n * PIXELS, n);
    for (int again = 0; again < 2; again++)
        sg_border_find(&border, labels);
    for (int n = 0; n < SAMPLES; n++) {
        const uint8_t *sample = labels + n * PIXELS;
        number_objects(sample, options->of_class, thing);
        for (int i = 0; i < PIXELS && options->of_class == SG_BORDER_EDGES; i++)
            thing[i] = sample[i] == SG_IGNORE_LABEL ? 0 : sample[i] + 1;
        for (int i = 0; i < PIXELS; i++) {
            double wanted = weight_at(sample, thing, i, options);
            double got = border.weight[n * PIXELS + i];
            above += wanted > 0.01 * options->w0;
            /* f32, and a distance that may fall on either side of the limit */
            if (!(fabs(got - wanted) <= 1e-5 * wanted + 5e-5 * options->w0))
                fail_msg("sample %d, pixel %d: %g, wanted %g", n, i, got, wanted);
        }
    }
    assert_true(above > 100);
    sg_border_close(&border);
}

static void between_objects_both_distances_count(void **state)
{
    compare(&(sg_border_options){10, 5, 1});
    compare(&(sg_border_options){3, 1.5f, 1});
}

static void along_edges_the_nearest_other_class_counts(void **state)
{
    compare(&(sg_border_options){10, 5, SG_BORDER_EDGES});
    compare(&(sg_border_options){2, 1, SG_BORDER_EDGES});
}

static void one_object_and_none_and_no_labels_have_no_weight(void **state)
{
    const int wanted[] = {0, 1, SG_IGNORE_LABEL};
    uint8_t labels[PIXELS];
    sg_border border;
    for (int kind = 0; kind < 3; kind++) {
        assert_int_equal(sg_border_open(&border, &(sg_border_options){10, 5, 1}, 1, H, W), SG_OK);
        memset(labels, wanted[kind], sizeof labels);
        labels[0] = (uint8_t)wanted[kind];
        sg_border_find(&border, labels);
        for (int i = 0; i < PIXELS; i++)
            assert_true(border.weight[i] == 0);
        sg_border_close(&border);
    }
}

static void without_weights_nothing_is_made(void **state)
{
    sg_border border;
    assert_int_equal(sg_border_open(&border, &(sg_border_options){0, 0, -1}, 4, H, W), SG_OK);
    sg_border_find(&border, NULL);
    assert_null(border.weight);
    sg_border_close(&border);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(between_objects_both_distances_count),
        cmocka_unit_test(along_edges_the_nearest_other_class_counts),
        cmocka_unit_test(one_object_and_none_and_no_labels_have_no_weight),
        cmocka_unit_test(without_weights_nothing_is_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
