/* Test-time augmentation against its definition, pixel by pixel. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "tiles/augment.h"

enum { BATCH = 3, MOST = 12, BANDS = 2, CLASSES = 3 };

/* A network that is no friend of turns: a pixel's results depend on its right and lower neighbour.
 */
typedef struct {
    int64_t h, w;
    int32_t n;
    float pixels[BATCH * MOST * MOST * BANDS];
} pass;

typedef struct {
    int64_t h, w;
    int32_t raw, in_flight;
    int calls, ended, transposed;
    int fail_at;
    pass pass[2]; /* begun */
} fake;

static float at(const float *pixels, int64_t h, int64_t w, int64_t y, int64_t x, int band)
{
    return y < h && x < w ? pixels[(y * w + x) * BANDS + band] : 0;
}

/* Whole numbers, so that sums are exact in any order. */
static float value(float here, float right, float below, int class)
{
    return class == 0 ? here + 2 * right : class == 1 ? 3 * below : right + below + 1;
}

static sg_err begin(void *user, bool transposed, int32_t n, const sg_raw_image *image)
{
    fake *f = user;
    f->transposed += transposed;
    if (++f->calls == f->fail_at)
        return sg_fail(SG_EINPUT, "planned");
    assert_true(f->calls - f->ended <= f->in_flight);
    pass *p = &f->pass[f->calls % 2];
    p->h = transposed ? f->w : f->h;
    p->w = transposed ? f->h : f->w;
    p->n = n;
    for (int32_t i = 0; i < n; i++) {
        assert_true(f->raw || sg_raw_is_plain(&image[i]));
        sg_raw_to_f32(&image[i], p->h, p->w, BANDS, p->pixels + i * p->h * p->w * BANDS);
    }
    return SG_OK;
}

static sg_err end(void *user, uint8_t *classes, float *probabilities)
{
    fake *f = user;
    const pass *p = &f->pass[++f->ended % 2];
    int64_t h = p->h, w = p->w;
    const float *pixels = p->pixels;
    memset(classes, 77, (size_t)(p->n * h * w));
    for (int32_t i = 0; i < p->n; i++, pixels += h * w * BANDS)
        for (int64_t y = 0; y < h; y++)
            for (int64_t x = 0; x < w; x++)
                for (int c = 0; c < CLASSES; c++)
                    *probabilities++ =
                        value(at(pixels, h, w, y, x, 1), at(pixels, h, w, y, x + 1, 0),
                              at(pixels, h, w, y + 1, x, 0), c);
    return SG_OK;
}

static void fill(float *pixels, size_t count)
{
    for (size_t i = 0; i < count; i++)
        pixels[i] = (float)(i * 37 % 101);
}

/* Band 0 of the neighbour in a direction, 0 outside. */
static float beside(const float *pixels, const fake *f, int64_t y, int64_t x, int dy, int dx)
{
    return y + dy < 0 || x + dx < 0 ? 0 : at(pixels, f->h, f->w, y + dy, x + dx, 0);
}

/* In the turned image "right" and "below" are two perpendicular directions: each such pair once. */
static void expect(const float *pixels, const fake *f, int64_t y, int64_t x, float *mean)
{
    memset(mean, 0, CLASSES * sizeof *mean);
    for (int swap = 0; swap < 2; swap++)
        for (int v = -1; v <= 1; v += 2)
            for (int h = -1; h <= 1; h += 2) {
                float across = beside(pixels, f, y, x, 0, h), down = beside(pixels, f, y, x, v, 0);
                for (int c = 0; c < CLASSES; c++)
                    mean[c] += value(at(pixels, f->h, f->w, y, x, 1), swap ? down : across,
                                     swap ? across : down, c) /
                               8;
            }
}

static void check_pixel(const float *pixels, const fake *f, int64_t y, int64_t x, uint8_t class,
                        const float *probabilities)
{
    float mean[CLASSES];
    int best = 0;
    expect(pixels, f, y, x, mean);
    for (int c = 0; c < CLASSES; c++) {
        assert_true(probabilities[c] == mean[c]);
        best = mean[c] > mean[best] ? c : best;
    }
    assert_int_equal(class, best);
}

static sg_augment *make(fake *f)
{
    const sg_augment_options options = {f->h,   f->w,         BATCH, BANDS, CLASSES,
                                        f->raw, f->in_flight, begin, end,   f};
    sg_augment *augment = NULL;
    assert_int_equal(sg_augment_create(&augment, &options), SG_OK);
    return augment;
}

static void check_tiles_of(int64_t h, int64_t w, int32_t n, int32_t raw, int32_t in_flight)
{
    static float pixels[BATCH * MOST * MOST * BANDS], probabilities[BATCH * MOST * MOST * CLASSES];
    static uint8_t classes[BATCH * MOST * MOST], alone[BATCH * MOST * MOST];
    static fake f;
    sg_raw_image image[BATCH];
    f = (fake){.h = h, .w = w, .raw = raw, .in_flight = in_flight};
    sg_augment *augment = make(&f);
    fill(pixels, (size_t)(BATCH * h * w * BANDS));
    sg_raw_plain(image, n, pixels, (size_t)(h * w * BANDS));
    for (int again = 0; again < 2; again++) /* nothing is left of the call before */
        assert_int_equal(sg_augment_classify(augment, n, image, classes, probabilities), SG_OK);
    assert_int_equal(f.calls, 16);
    assert_int_equal(f.transposed, 8);
    for (int64_t i = 0; i < n * h * w; i++)
        check_pixel(pixels + i / (h * w) * (h * w * BANDS), &f, i / w % h, i % w, classes[i],
                    probabilities + i * CLASSES);
    assert_int_equal(sg_augment_classify(augment, n, image, alone, NULL), SG_OK);
    assert_memory_equal(classes, alone, (size_t)(n * h * w));
    sg_augment_close(augment);
}

static void check_tiles(int64_t h, int64_t w, int32_t n)
{
    for (int32_t k = 0; k < 4; k++)
        check_tiles_of(h, w, n, k % 2, 1 + k / 2);
}

static void result_is_the_mean_over_all_turns(void **state)
{
    (void)state;
    check_tiles(8, 8, BATCH);
    check_tiles(4, 12, 2);
    check_tiles(12, 8, BATCH);
    check_tiles(1, 1, 1);
}

static void first_of_equal_classes_is_taken(void **state)
{
    const float pixels[BANDS] = {0, 1}; /* alone: class 0 and 2 both have 1 */
    float probabilities[CLASSES * BATCH];
    uint8_t classes[BATCH];
    static fake f = {.h = 1, .w = 1, .in_flight = 1};
    const sg_raw_image image = {.values = pixels};
    sg_augment *augment = make(&f);
    (void)state;
    assert_int_equal(sg_augment_classify(augment, 1, &image, classes, probabilities), SG_OK);
    assert_true(probabilities[0] == probabilities[2]);
    assert_int_equal(classes[0], 0);
    sg_augment_close(augment);
}

static void failure_of_any_turn_ends_it(void **state)
{
    float pixels[BATCH * 4 * BANDS] = {0};
    uint8_t classes[BATCH * 4];
    (void)state;
    for (int i = 1; i <= 8; i++) {
        static fake f;
        const sg_raw_image image = {.values = pixels};
        f = (fake){.h = 2, .w = 2, .in_flight = 1, .fail_at = i};
        sg_augment *augment = make(&f);
        assert_int_equal(sg_augment_classify(augment, 1, &image, classes, NULL), SG_EINPUT);
        assert_int_equal(f.calls, i);
        sg_augment_close(augment);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(result_is_the_mean_over_all_turns),
        cmocka_unit_test(first_of_equal_classes_is_taken),
        cmocka_unit_test(failure_of_any_turn_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
