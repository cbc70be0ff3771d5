/* Rotated and scaled crops against the functions that the images are made of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <complex.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/classes.h"
#include "data/placement.h"

enum { W = 120, H = 100, BANDS = 3, CROP_W = 40, CROP_H = 32 };

typedef struct {
    sg_image image;
    float pixels[W * H * BANDS];
    uint8_t valid[W * H], labels[W * H];
} picture;

/* Linear, so that the bilinear mean of four pixels is the function itself between them. */
static double tone(int b, double x, double y)
{
    return (b + 1) * x - 2 * y + 7 * b;
}

/* Patches of 5 x 5 pixels. */
static uint8_t class_of(double x, double y)
{
    return (uint8_t)(((int)floor(x / 5) + 2 * (int)floor(y / 5)) % 7);
}

static void link_up(picture *p, int64_t w, int64_t h)
{
    p->image = (sg_image){w, h, BANDS, p->pixels, p->valid, p->labels};
}

/* The part of the scene at `at`, all of it valid. */
static picture *paint(sg_window at)
{
    picture *p = calloc(1, sizeof *p);
    link_up(p, at.w, at.h);
    for (int64_t i = 0; i < at.w * at.h; i++) {
        double x = (double)(at.x + i % at.w) + .5, y = (double)(at.y + i / at.w) + .5;
        p->valid[i] = 1;
        p->labels[i] = class_of(x, y);
        for (int b = 0; b < BANDS; b++)
            p->pixels[i * BANDS + b] = (float)tone(b, x, y);
    }
    return p;
}

static picture *crop_of(const sg_placement *placement, const picture *scene, sg_window at)
{
    picture *crop = malloc(sizeof *crop);
    memset(crop, 0xee, sizeof *crop);
    link_up(crop, CROP_W, CROP_H);
    sg_placement_take(placement, &scene->image, at, &crop->image);
    return crop;
}

/* Things are `size` times as large and turned against the clock by `degrees`: then a step to the
 * right goes down in the scene, whose rows count downwards. */
static sg_placement placed(double x, double y, double degrees, double size)
{
    double angle = degrees * acos(-1) / 180;
    return (sg_placement){x, y, cos(angle) / size, sin(angle) / size};
}

/* Where pixel i of the crop lies in the scene: a complex product. */
static double complex position(double x, double y, double degrees, double size, int i)
{
    double complex from_middle =
        (i % CROP_W + .5 - CROP_W / 2.) + I * (i / CROP_W + .5 - CROP_H / 2.);
    return x + I * y + from_middle * cexp(I * degrees * acos(-1) / 180) / size;
}

static double to_edge(double v)
{
    return fabs(v - round(v));
}

static void crops_hold_the_function_at_their_positions(void **state)
{
    static const double degrees[] = {0, 15, -33.3, 90, 180, 271.5}, size[] = {.8, 1, 1.3, 2.7};
    const sg_window all = {0, 0, W, H};
    picture *scene = paint(all);
    (void)state;
    for (int d = 0; d < 6; d++)
        for (int s = 0; s < 4; s++) {
            sg_placement p = placed(60.3, 50.8, degrees[d], size[s]);
            picture *crop = crop_of(&p, scene, all);
            for (int i = 0; i < CROP_W * CROP_H; i++) {
                double complex at = position(60.3, 50.8, degrees[d], size[s], i);
                assert_int_equal(crop->valid[i], 1);
                for (int b = 0; b < BANDS; b++)
                    assert_true(fabs(crop->pixels[i * BANDS + b] - tone(b, creal(at), cimag(at))) <
                                1e-3); /* rounding of values up to 500 in f32 */
                if (to_edge(creal(at)) > 1e-6 && to_edge(cimag(at)) > 1e-6)
                    assert_int_equal(crop->labels[i],
                                     class_of(floor(creal(at)) + .5, floor(cimag(at)) + .5));
            }
            free(crop);
        }
    free(scene);
}

/* Whole pixels: nothing is interpolated. */
static void a_crop_that_is_only_shifted_is_a_copy(void **state)
{
    const sg_window all = {0, 0, W, H};
    picture *scene = paint(all);
    sg_placement p = {60, 50, 1, 0};
    picture *crop = crop_of(&p, scene, all);
    (void)state;
    for (int i = 0; i < CROP_W * CROP_H; i++) {
        int from = (50 - CROP_H / 2 + i / CROP_W) * W + 60 - CROP_W / 2 + i % CROP_W;
        assert_memory_equal(crop->pixels + i * BANDS, scene->pixels + from * BANDS,
                            BANDS * sizeof(float));
        assert_int_equal(crop->labels[i], scene->labels[from]);
    }
    free(crop);
    free(scene);
}

/* Every second pixel in a chequer of 3 x 3 is missing, and so is all beyond the edges. */
static void holes_take_no_part(void **state)
{
    const sg_window all = {0, 0, W, H};
    picture *scene = paint(all);
    const double x = 6, y = 93, degrees = 20, size = 1.1;
    sg_placement p = placed(x, y, degrees, size);
    int holes = 0, mixed = 0;
    (void)state;
    for (int i = 0; i < W * H; i++)
        if ((i % W / 3 + i / W / 3) % 2) {
            scene->valid[i] = 0;
            memset(scene->pixels + i * BANDS, 0, BANDS * sizeof(float));
        }
    picture *crop = crop_of(&p, scene, all);
    for (int i = 0; i < CROP_W * CROP_H; i++) {
        double complex at = position(x, y, degrees, size, i);
        double sum[BANDS] = {0}, weights = 0, nearest = 2;
        bool valid = false;
        for (int column = 0; column < W; column++) /* all pixels, by their distance */
            for (int row = 0; row < H; row++) {
                double dx = fabs(column + .5 - creal(at)), dy = fabs(row + .5 - cimag(at));
                double weight = fmax(0, 1 - dx) * fmax(0, 1 - dy);
                int k = row * W + column;
                if (weight > 0 && scene->valid[k]) {
                    weights += weight;
                    for (int b = 0; b < BANDS; b++)
                        sum[b] += weight * (double)scene->pixels[k * BANDS + b];
                }
                if (fmax(dx, dy) < nearest) {
                    nearest = fmax(dx, dy);
                    valid = nearest <= .5 && scene->valid[k];
                }
            }
        if (fabs(nearest - .5) < 1e-6)
            continue;
        assert_int_equal(crop->valid[i], valid);
        if (!valid) {
            assert_int_equal(crop->labels[i], SG_NO_CLASS);
            holes++;
        }
        mixed += valid && weights < .999;
        for (int b = 0; b < BANDS; b++)
            assert_true(fabs(crop->pixels[i * BANDS + b] - (valid ? sum[b] / weights : 0)) < 1e-3);
    }
    assert_true(holes > 300 && mixed > 100);
    free(crop);
    free(scene);
}

static void the_window_holds_all_that_a_crop_is_made_of(void **state)
{
    const sg_window all = {0, 0, W, H};
    picture *scene = paint(all);
    (void)state;
    for (int i = 0; i < 200; i++) {
        sg_placement p = placed(55 + .173 * i / 3, 45 + .091 * i, 7.7 * i, .75 + .01 * i);
        sg_window window = sg_placement_window(&p, CROP_W, CROP_H);
        picture *part = paint(sg_window_intersect(window, all));
        picture *one = crop_of(&p, scene, all);
        picture *two = crop_of(&p, part, sg_window_intersect(window, all));
        double half[2];
        sg_placement_half(&p, CROP_W, CROP_H, half);
        assert_true((double)window.w < 2 * half[0] + 6 && (double)window.h < 2 * half[1] + 6);
        for (int k = 0; k < CROP_W * CROP_H * BANDS; k++)
            assert_true(fabsf(one->pixels[k] - two->pixels[k]) < 1e-3f);
        assert_memory_equal(one->valid, two->valid, CROP_W * CROP_H);
        free(one);
        free(two);
        free(part);
    }
    free(scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crops_hold_the_function_at_their_positions),
        cmocka_unit_test(a_crop_that_is_only_shifted_is_a_copy),
        cmocka_unit_test(holes_take_no_part),
        cmocka_unit_test(the_window_holds_all_that_a_crop_is_made_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
