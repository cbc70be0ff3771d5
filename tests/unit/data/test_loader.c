/* The loader: the same batches for any number of threads, errors with their batch, no deadlock. */
#include "made.h"

#include <math.h>
#include <unistd.h>

#include "base/size.h"
#include "data/loader.h"
#include "data/mix.h"

enum { W = 90, H = 70, TILE = 24, SCENES = 40, MANY = 3 };

static sg_spec spec;
static sg_scene scene[SCENES];
static sg_scenes scenes;

static double image_values(int band, int x, int y)
{
    return (11 * band + 3 * x + 7 * y) % 200;
}

static double label_values(int band, int x, int y)
{
    return (x + 2 * y) % 4;
}

/* Nodata 0, so image_values has holes. */
static int make_scenes(void **state)
{
    const double nodata = 0;
    sg_gdal_start((size_t)64 << 20);
    if (tempdir_make(state))
        return 1;
    spec = (sg_spec){.bands = 2, .band = {3, 1}};
    spec.classes = (sg_class_table){.count = 2, .item = {{"one", 1, {0}}, {"three", 3, {0}}}};
    for (int i = 0; i < SCENES; i++) {
        char name[32], path[TEMPDIR_PATH];
        snprintf(name, sizeof(name), "image%d.tif", i);
        snprintf(scene[i].image, SG_PATH_MAX, "%s", tempdir_path(state, name, path));
        make_raster(path,
                    &(made_raster){
                        .w = W, .h = H + i, .bands = 3, .nodata = &nodata, .value = image_values});
        snprintf(name, sizeof(name), "label%d.tif", i);
        snprintf(scene[i].label, SG_PATH_MAX, "%s", tempdir_path(state, name, path));
        make_raster(path, &(made_raster){.w = W, .h = H + i, .value = label_values});
        for (int b = 0; b < 2; b++) {
            scene[i].mean[b] = 100 + b;
            scene[i].std[b] = 2 + 2 * b;
        }
    }
    scenes = (sg_scenes){.scene = scene, .scenes = SCENES, .spec = &spec, .label = {.ignore = -1}};
    return sg_classes_complete(&spec.classes);
}

/* Sample i: scattered over scenes, windows (also over the edges), turns. user: how many scenes. */
static void scattered(void *user, uint64_t index, sg_sample *sample)
{
    uint32_t state = (uint32_t)index * 2654435761u + 12345u;
    sample->scene = (int32_t)made_random(&state, *(const uint32_t *)user);
    int64_t x = (int)made_random(&state, W) - 12, y = (int)made_random(&state, H) - 12;
    sample->window = sample->count = (sg_window){x, y, TILE, TILE};
    if (index % 3 == 0)
        sample->count = (sg_window){x + 5, y + 2, 9, 11};
    sample->turn = (int32_t)made_random(&state, 8);
}

static float expected_pixel(const sg_sample *s, int64_t x, int64_t y, int b)
{
    const int64_t height = H + s->scene;
    if (x < 0 || y < 0 || x >= W || y >= height)
        return 0;
    double band3 = image_values(2, (int)x, (int)y), band1 = image_values(0, (int)x, (int)y);
    if (band3 == 0 || band1 == 0)
        return 0;
    return (float)(((b ? band1 : band3) - (100 + b)) / (2 + 2 * b)); /* dividing by 2, 4: exact */
}

static uint8_t expected_label(const sg_sample *s, int64_t x, int64_t y)
{
    const int64_t height = H + s->scene;
    const sg_window *c = &s->count;
    bool counts = x >= c->x && y >= c->y && x < c->x + c->w && y < c->y + c->h;
    if (!counts || x < 0 || y < 0 || x >= W || y >= height ||
        image_values(2, (int)x, (int)y) == 0 || image_values(0, (int)x, (int)y) == 0)
        return SG_NO_CLASS;
    double value = label_values(0, (int)x, (int)y);
    return value == 1 ? 0 : value == 3 ? 1 : SG_NO_CLASS;
}

/* Where pixel (row, column) of the turned tile lies in the window; see sg_sample.turn. */
static void unturn(int32_t turn, int *row, int *column)
{
    if (turn & 2)
        *row = TILE - 1 - *row;
    if (turn & 1)
        *column = TILE - 1 - *column;
    if (turn & 4) {
        int keep = *row;
        *row = *column;
        *column = keep;
    }
}

static void expect_batch(const sg_batch *batch, uint32_t from_scenes)
{
    for (int32_t i = 0; i < batch->n; i++) {
        sg_sample s = {0};
        scattered(&from_scenes, batch->first + (uint64_t)i, &s);
        for (int k = 0; k < TILE * TILE; k++) {
            int row = k / TILE, column = k % TILE;
            unturn(s.turn, &row, &column);
            int64_t x = s.window.x + column, y = s.window.y + row;
            size_t at = (size_t)i * TILE * TILE + (size_t)k;
            for (int b = 0; b < 2; b++)
                assert_true(batch->pixels[2 * at + (size_t)b] == expected_pixel(&s, x, y, b));
            assert_int_equal(batch->labels[at], expected_label(&s, x, y));
        }
    }
}

static sg_loader_options options_of(int32_t threads, int32_t ahead, uint64_t end, uint32_t *user)
{
    return (sg_loader_options){.batch = 4,
                               .w = TILE,
                               .h = TILE,
                               .threads = threads,
                               .ahead = ahead,
                               .first = 5,
                               .end = end,
                               .stride = 8,
                               .sample = scattered,
                               .user = user};
}

static void batches_are_what_the_samples_say_for_any_thread_count(void **state)
{
    uint32_t few = MANY;
    const int32_t threads[] = {1, 2, 5}, ahead[] = {1, 2, 7};
    for (int t = 0; t < 3; t++)
        for (int a = 0; a < 3; a++) {
            sg_loader_options options = options_of(threads[t], ahead[a], 104, &few);
            sg_loader *loader = NULL;
            assert_int_equal(sg_loader_open(&loader, &scenes, &options), SG_OK);
            uint64_t first = 5;
            int batches = 0;
            for (sg_batch *b; (b = sg_loader_next(loader)) != NULL; first += 8, batches++) {
                assert_int_equal(b->error, SG_OK);
                assert_int_equal(b->first, first);
                assert_int_equal(b->n, first + 4 <= 104 ? 4 : 104 - first); /* the last is short */
                expect_batch(b, few);
                sg_loader_return(loader, b);
            }
            assert_int_equal(batches, 13);
            assert_null(sg_loader_next(loader));
            assert_true(sg_loader_waited(loader) >= 0);
            sg_loader_close(loader);
        }
}

/* In the finished sample, whatever it was turned by. */
static void labels_in_the_margin_do_not_count(void **state)
{
    uint32_t from = SCENES;
    sg_loader_options options = options_of(2, 2, 60, &from);
    sg_loader *plain_loader = NULL, *loader = NULL;
    sg_batch *batch, *whole;
    assert_int_equal(sg_loader_open(&plain_loader, &scenes, &options), SG_OK);
    options.margin.top = 3;
    options.margin.bottom = 1;
    options.margin.left = 2;
    options.margin.right = 4;
    assert_int_equal(sg_loader_open(&loader, &scenes, &options), SG_OK);
    while ((batch = sg_loader_next(loader))) {
        whole = sg_loader_next(plain_loader);
        for (int k = 0; k < batch->n * TILE * TILE; k++) {
            int row = k / TILE % TILE, column = k % TILE;
            bool inside = row >= 3 && row < TILE - 1 && column >= 2 && column < TILE - 4;
            assert_int_equal(batch->labels[k], inside ? whole->labels[k] : SG_NO_CLASS);
        }
        sg_loader_return(loader, batch);
        sg_loader_return(plain_loader, whole);
    }
    sg_loader_close(loader);
    sg_loader_close(plain_loader);
}

/* Some are brightened, too. */
static void jittered(void *user, uint64_t index, sg_sample *sample)
{
    scattered(user, index, sample);
    sample->jitter = index % 4 == 0 ? .3f : 0;
    sample->seed = 5;
    sample->index = index;
}

static void expect_same_numbers(const sg_batch *raw, const sg_batch *batch, bool stays)
{
    static float numbers[TILE * TILE * 2];
    assert_int_equal(raw->n, batch->n);
    assert_memory_equal(raw->labels, batch->labels, (size_t)batch->n * TILE * TILE);
    for (int32_t i = 0; i < batch->n; i++) {
        const float *plain = batch->pixels + i * TILE * TILE * 2;
        assert_true(sg_raw_is_plain(&batch->image[i]) && batch->image[i].values == plain);
        assert_int_equal(raw->image[i].type == SG_RAW_F32, !stays);
        sg_raw_to_f32(&raw->image[i], TILE, TILE, 2, numbers);
        assert_memory_equal(numbers, plain, sizeof numbers);
    }
}

/* Both loaders' batches, of the scenes `some`. */
static void compare_raw(const sg_scenes *some, uint32_t count, bool stays)
{
    sg_loader_options options = options_of(2, 2, 200, &count);
    sg_loader *plain = NULL, *raw = NULL;
    options.sample = jittered;
    assert_int_equal(sg_loader_open(&plain, some, &options), SG_OK);
    options.raw = true;
    assert_int_equal(sg_loader_open(&raw, some, &options), SG_OK);
    for (sg_batch *a, *b; (a = sg_loader_next(raw)) != NULL;) {
        b = sg_loader_next(plain);
        assert_int_equal(a->error, SG_OK);
        expect_same_numbers(a, b, stays);
        sg_loader_return(raw, a);
        sg_loader_return(plain, b);
    }
    sg_loader_close(raw);
    sg_loader_close(plain);
}

static double signed_values(int band, int x, int y)
{
    return image_values(band, x, y) * 150 - 15000;
}

static void samples_as_they_were_read_are_the_same_numbers(void **state)
{
    const GDALDataType types[] = {GDT_Byte, GDT_UInt16, GDT_Int16, GDT_Float32, GDT_Int32};
    const double nodata = 40 * 150 - 15000;
    for (size_t k = 0; k < sizeof types / sizeof *types; k++) {
        char path[TEMPDIR_PATH], name[32];
        bool is_signed = types[k] != GDT_Byte && types[k] != GDT_UInt16;
        sg_scene one = scene[0];
        sg_spec own = spec;
        snprintf(name, sizeof name, "type%zu.tif", k);
        snprintf(one.image, SG_PATH_MAX, "%s", tempdir_path(state, name, path));
        make_raster(path, &(made_raster){.w = W,
                                         .h = H,
                                         .bands = 3,
                                         .type = types[k],
                                         .nodata = is_signed ? &nodata : NULL,
                                         .value = is_signed ? signed_values : image_values});
        own.has_nodata = types[k] == GDT_UInt16; /* in all bands: nowhere, then everywhere */
        own.nodata = 77;
        sg_scenes some = {.scene = &one, .scenes = 1, .spec = &own, .label = {.ignore = -1}};
        compare_raw(&some, 1, k < 3);
    }
    compare_raw(&scenes, MANY, true); /* with a nodata value in each band */
}

static void the_next_batch_can_be_looked_at(void **state)
{
    uint32_t few = MANY;
    sg_loader_options options = options_of(1, 1, 30, &few);
    sg_loader *loader = NULL;
    assert_int_equal(sg_loader_open(&loader, &scenes, &options), SG_OK);
    for (sg_batch *b; (b = sg_loader_next(loader)) != NULL;) {
        const sg_batch *next = sg_loader_peek(loader);
        uint64_t first = b->first + 8;
        for (int i = 0; i < 10000 && !next && first < 30; i++) {
            usleep(200);
            next = sg_loader_peek(loader);
        }
        assert_true(first < 30 ? next && next->first == first : next == NULL);
        sg_loader_return(loader, b);
        if (next) {
            b = sg_loader_next(loader);
            assert_ptr_equal(b, next);
            sg_loader_return(loader, b);
        }
    }
    sg_loader_close(loader);
}

static void more_scenes_than_a_thread_keeps_open(void **state)
{
    uint32_t all = SCENES;
    sg_loader_options options = options_of(2, 3, 1000, &all);
    sg_loader *loader = NULL;
    assert_int_equal(sg_loader_open(&loader, &scenes, &options), SG_OK);
    for (sg_batch *b; (b = sg_loader_next(loader)) != NULL;) {
        assert_int_equal(b->error, SG_OK);
        expect_batch(b, all);
        sg_loader_return(loader, b);
    }
    sg_loader_close(loader);
}

static void scenes_without_labels_have_none(void **state)
{
    uint32_t one = 1;
    sg_scene bare = scene[0];
    bare.label[0] = '\0';
    sg_scenes without = {.scene = &bare, .scenes = 1, .spec = &spec};
    sg_loader_options options = options_of(1, 1, 20, &one);
    sg_loader *loader = NULL;
    assert_int_equal(sg_loader_open(&loader, &without, &options), SG_OK);
    sg_batch *batch = sg_loader_next(loader);
    for (int i = 0; i < batch->n * TILE * TILE; i++)
        assert_int_equal(batch->labels[i], SG_NO_CLASS);
    sg_loader_return(loader, batch);
    sg_loader_close(loader);
}

static void nothing_to_load_ends_at_once(void **state)
{
    uint32_t one = 1;
    sg_loader_options options = options_of(2, 2, 5, &one);
    sg_loader *loader = NULL;
    assert_int_equal(sg_loader_open(&loader, &scenes, &options), SG_OK);
    assert_null(sg_loader_next(loader));
    sg_loader_close(loader);
    sg_loader_close(NULL);
}

static void closing_in_the_middle_does_not_hang(void **state)
{
    uint32_t few = MANY;
    for (int taken = 0; taken < 6; taken++)
        for (int held = 0; held < 2; held++) {
            sg_loader_options options = options_of(3, 2, 1 << 30, &few);
            sg_loader *loader = NULL;
            assert_int_equal(sg_loader_open(&loader, &scenes, &options), SG_OK);
            for (int i = 0; i < taken; i++) {
                sg_batch *batch = sg_loader_next(loader);
                assert_int_equal(batch->n, 4);
                if (!held || i + 1 < taken)
                    sg_loader_return(loader, batch);
            }
            sg_loader_close(loader);
        }
}

/* Samples 16 and 19 of scene 1 lie in its damaged part, all others in scene 0. */
static void mostly_whole(void *user, uint64_t index, sg_sample *sample)
{
    bool damaged = index == 16 || index == 19;
    sample->scene = damaged;
    sample->window = sample->count = (sg_window){damaged ? 7 : 3, damaged ? 40 : 2, TILE, TILE};
    sample->turn = 0;
}

static void an_error_comes_with_its_batch_and_the_rest_goes_on(void **state)
{
    char path[TEMPDIR_PATH];
    sg_scene pair[2] = {scene[0], scene[1]};
    tempdir_path(state, "cut.tif", path);
    make_raster(path, &(made_raster){.w = W, .h = H + 1, .bands = 3, .value = image_values});
    assert_int_equal(truncate(path, 3 * W * H / 2), 0);
    snprintf(pair[1].image, SG_PATH_MAX, "%s", path);
    sg_scenes damaged = {.scene = pair, .scenes = 2, .spec = &spec, .label = {.ignore = -1}};
    for (int32_t threads = 1; threads <= 4; threads++) {
        sg_loader_options options = options_of(threads, 3, 60, NULL);
        options.sample = mostly_whole;
        options.first = 0;
        options.stride = 4;
        sg_loader *loader = NULL;
        assert_int_equal(sg_loader_open(&loader, &damaged, &options), SG_OK);
        for (int k = 0; k < 15; k++) {
            sg_batch *batch = sg_loader_next(loader);
            assert_non_null(batch);
            assert_int_equal(batch->error, k == 4 ? SG_EINPUT : SG_OK);
            assert_int_equal(batch->n, k == 4 ? 0 : 4);
            if (k == 4) {
                assert_non_null(strstr(batch->message, path));
                if (strstr(batch->message, "column 7, row 40") == NULL)
                    fail_msg("%s", batch->message);
            }
            sg_loader_return(loader, batch);
        }
        assert_null(sg_loader_next(loader));
        sg_loader_close(loader);
    }
}

static void a_missing_scene_is_named(void **state)
{
    uint32_t one = 1;
    sg_scene missing = scene[0];
    snprintf(missing.image, SG_PATH_MAX, "%s/missing.tif", (const char *)*state);
    sg_scenes set = {.scene = &missing, .scenes = 1, .spec = &spec};
    sg_loader_options options = options_of(2, 2, 100, &one);
    sg_loader *loader = NULL;
    assert_int_equal(sg_loader_open(&loader, &set, &options), SG_OK);
    sg_batch *batch = sg_loader_next(loader);
    assert_int_equal(batch->error, SG_EINPUT);
    assert_non_null(strstr(batch->message, "missing.tif"));
    sg_loader_close(loader);
}

static void impossible_options_are_refused(void **state)
{
    uint32_t one = 1;
    sg_loader *loader = NULL;
    sg_loader_options options = options_of(0, 2, 100, &one);
    assert_int_equal(sg_loader_open(&loader, &scenes, &options), SG_EUSAGE);
    options = options_of(1, 2, 100, &one);
    options.batch = 0;
    assert_int_equal(sg_loader_open(&loader, &scenes, &options), SG_EUSAGE);
    options = options_of(1, INT32_MAX - 1, 100, &one);
    options.w = options.h = INT32_MAX;
    options.batch = INT32_MAX;
    assert_int_equal(sg_loader_open(&loader, &scenes, &options), SG_ENOMEM);
    assert_null(loader);
}

static void with_jitter(void *user, uint64_t index, sg_sample *sample)
{
    scattered(user, index, sample);
    sample->turn = 0;
    sample->jitter = .5f;
    sample->seed = 77;
    sample->index = index;
}

/* pixel = gain * plain + offset in all of a sample's pixels of a band; returns whether there were
 * two different ones to tell from. */
static bool fit_line(const sg_batch *batch, int32_t i, const sg_sample *s, int b, double *gain,
                     double *offset)
{
    double n = 0, x1 = 0, y1 = 0, xx = 0, xy = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int k = 0; k < TILE * TILE; k++) {
            double plain =
                (double)expected_pixel(s, s->window.x + k % TILE, s->window.y + k / TILE, b);
            double got =
                (double)batch->pixels[((size_t)i * TILE * TILE + (size_t)k) * 2 + (size_t)b];
            if (plain == 0) /* no data, or the mean itself */
                continue;
            if (pass == 1)
                assert_true(fabs(*gain * plain + *offset - got) < 1e-4 * (1 + fabs(got)));
            n++, x1 += plain, y1 += got, xx += plain * plain, xy += plain * got;
            if (pass == 0 && n * xx - x1 * x1 > 1e-6) {
                *gain = (n * xy - x1 * y1) / (n * xx - x1 * x1);
                *offset = (y1 - *gain * x1) / n;
            }
        }
    return n * xx - x1 * x1 > 1e-6;
}

static void jitter_changes_contrast_and_brightness_by_sample(void **state)
{
    uint32_t few = MANY;
    sg_loader *loader = NULL;
    sg_batch *batch = NULL;
    double least = 2, most = 0, apart = 0;
    sg_loader_options options = options_of(2, 2, 200, &few);
    (void)state;
    options.sample = with_jitter;
    assert_int_equal(sg_loader_open(&loader, &scenes, &options), SG_OK);
    while ((batch = sg_loader_next(loader)) != NULL) {
        for (int32_t i = 0; i < batch->n; i++) {
            sg_sample s = {0};
            double gain[2] = {0}, offset[2] = {0};
            with_jitter(&few, batch->first + (uint64_t)i, &s);
            if (!fit_line(batch, i, &s, 0, &gain[0], &offset[0]) ||
                !fit_line(batch, i, &s, 1, &gain[1], &offset[1]))
                continue;
            for (int b = 0; b < 2; b++) {
                assert_true(fabs(gain[b] - 1) < .501 && fabs(offset[b]) < .501);
                least = fmin(least, gain[b]);
                most = fmax(most, gain[b]);
            }
            apart = fmax(apart, fabs(gain[0] - gain[1]));
        }
        sg_loader_return(loader, batch);
    }
    sg_loader_close(loader);
    assert_true(least < .75 && most > 1.25 && apart > .25);
}

/* Patches of 6 x 6 pixels, so that an image tells its labels, and columns without data. */
static double patches(int band, int x, int y)
{
    (void)band;
    return x % 30 < 2 ? 0 : 1 + 2 * ((x / 6 + y / 6) % 2);
}

static const sg_alterations all_kinds = {.chance = .7,
                                         .rotate = 180,
                                         .least = .6,
                                         .most = 1.5,
                                         .brightness = .1,
                                         .contrast = .1,
                                         .gamma = .1,
                                         .per_band = .5,
                                         .blur = .3,
                                         .noise = .02};

static void altered(void *user, uint64_t index, sg_sample *sample)
{
    scattered(user, index, sample);
    sample->scene = 0;
    sample->seed = 5;
    sample->index = index;
    sample->jitter = .1f;
    sample->alter = &all_kinds;
    sample->within = (sg_window){10, 20, W - 10, H - 20};
    sample->window.x = 10 + (sample->window.x + 12) % 40;
    sample->window.y = 20 + (sample->window.y + 12) % 20;
    sample->count = sg_window_intersect(sample->window, sample->within);
}

/* Values -1 and 1 are far apart for all that is done to them; what is between lies on an edge. */
static void count_matches(const sg_batch *batch, int *right, int *wrong, int *none)
{
    for (int i = 0; i < batch->n * TILE * TILE; i++) {
        const float value = batch->pixels[2 * i];
        if (batch->labels[i] == SG_NO_CLASS)
            *none += 1;
        else if (fabsf(value) > .5f)
            *(batch->labels[i] == (value > 0) ? right : wrong) += 1;
        assert_true(batch->labels[i] != SG_NO_CLASS ||
                    (value == 0 && batch->pixels[2 * i + 1] == 0));
    }
}

static void labels_stay_with_their_pixels_whatever_is_altered(void **state)
{
    char path[TEMPDIR_PATH];
    const double nodata = 0;
    uint32_t one = 1;
    sg_scene made = {.mean = {2, 2}, .std = {1, 1}};
    sg_scenes set = {.scene = &made, .scenes = 1, .spec = &spec, .label = {.ignore = -1}};
    float first[2 * TILE * TILE] = {0};
    snprintf(made.image, SG_PATH_MAX, "%s", tempdir_path(state, "patches.tif", path));
    make_raster(path,
                &(made_raster){.w = W, .h = H, .bands = 3, .nodata = &nodata, .value = patches});
    snprintf(made.label, SG_PATH_MAX, "%s", tempdir_path(state, "classes.tif", path));
    make_raster(path, &(made_raster){.w = W, .h = H, .value = patches});
    for (int32_t threads = 1; threads <= 4; threads++) {
        int right = 0, wrong = 0, none = 0;
        sg_loader_options options = options_of(threads, 2, 500, &one);
        options.sample = altered;
        sg_loader *loader = NULL;
        assert_int_equal(sg_loader_open(&loader, &set, &options), SG_OK);
        for (sg_batch *b; (b = sg_loader_next(loader)) != NULL;) {
            assert_int_equal(b->error, SG_OK);
            count_matches(b, &right, &wrong, &none);
            if (b->first == 261 && threads == 1)
                memcpy(first, b->pixels, sizeof first);
            else if (b->first == 261)
                assert_memory_equal(first, b->pixels, sizeof first);
            sg_loader_return(loader, b);
        }
        sg_loader_close(loader);
        assert_int_equal(wrong, 0);
        assert_true(right > 80000 && none > 1000);
    }
}

static const sg_alterations mixed = {
    .chance = 1, .least = 1, .most = 1, .noise = .5, .cut_mix = .5, .paste = .5};

static void plain(void *user, uint64_t index, sg_sample *sample)
{
    scattered(user, index, sample);
    sample->within = (sg_window){0, 0, W, H + sample->scene};
    sample->seed = 5;
    sample->index = index;
}

static void noisy(void *user, uint64_t index, sg_sample *sample)
{
    static const sg_alterations noise = {.chance = 1, .least = 1, .most = 1, .noise = .5};
    plain(user, index, sample);
    sample->alter = &noise;
}

static void receiving(void *user, uint64_t index, sg_sample *sample)
{
    plain(user, index, sample);
    sample->alter = &mixed;
}

/* Of samples that come later in the run; regions of class 1. Every fifth has none. */
static bool giving(void *user, uint64_t index, sg_mix_kind kind, sg_sample *sample, uint8_t *class)
{
    receiving(user, index + (kind == SG_MIX_REGIONS ? 1000 : 2000), sample);
    *class = 1;
    return index % 5 != 0;
}

/* The crops of one batch of 4 from `first`, without any mixing. */
static void load_noisy(uint64_t first, uint32_t *few, float *pixels, uint8_t *labels)
{
    sg_loader_options options = options_of(1, 1, first + 4, few);
    sg_loader *loader = NULL;
    options.first = first;
    options.sample = noisy;
    assert_int_equal(sg_loader_open(&loader, &scenes, &options), SG_OK);
    sg_batch *batch = sg_loader_next(loader);
    assert_int_equal(batch->error, SG_OK);
    memcpy(pixels, batch->pixels, sizeof(float) * 4 * TILE * TILE * 2);
    memcpy(labels, batch->labels, (size_t)4 * TILE * TILE);
    sg_loader_return(loader, batch);
    sg_loader_close(loader);
}

static void crops_are_mixed_of_what_they_are_by_themselves(void **state)
{
    enum { CROP = TILE * TILE };
    static float own[4 * CROP * 2], pasted[4 * CROP * 2], cut[4 * CROP * 2];
    static uint8_t own_l[4 * CROP], pasted_l[4 * CROP], cut_l[4 * CROP];
    uint32_t few = MANY;
    int pastes = 0, cuts = 0;
    sg_loader_options options = options_of(3, 2, 300, &few);
    sg_loader *loader = NULL;
    sg_mix_room room = {0};
    (void)state;
    options.sample = receiving;
    options.partner = giving;
    assert_int_equal(sg_loader_open(&loader, &scenes, &options), SG_OK);
    for (sg_batch *b; (b = sg_loader_next(loader)) != NULL;) {
        load_noisy(b->first, &few, own, own_l);
        load_noisy(b->first + 1000, &few, pasted, pasted_l);
        load_noisy(b->first + 2000, &few, cut, cut_l);
        for (int32_t i = 0; i < b->n; i++) {
            const uint64_t index = b->first + (uint64_t)i;
            const sg_draw draw = {5, index};
            const size_t at = (size_t)i * CROP;
            const sg_image to = {TILE, TILE, 2, own + 2 * at, NULL, own_l + at};
            const sg_image from = {TILE, TILE, 2, pasted + 2 * at, NULL, pasted_l + at};
            const sg_image other = {TILE, TILE, 2, cut + 2 * at, NULL, cut_l + at};
            if (sg_alter_pastes(&mixed, draw) && index % 5 != 0 && ++pastes)
                assert_int_equal(sg_mix_regions(draw, 1, &from, &to, &room), SG_OK);
            if (sg_alter_cuts(&mixed, draw) && index % 5 != 0 && ++cuts)
                sg_mix_copy(&other, &to, sg_mix_rectangle(draw, TILE, TILE));
            assert_memory_equal(b->pixels + 2 * at, own + 2 * at, sizeof(float) * 2 * CROP);
            assert_memory_equal(b->labels + at, own_l + at, CROP);
        }
        sg_loader_return(loader, b);
    }
    sg_loader_close(loader);
    sg_free(room.item);
    assert_true(pastes > 30 && cuts > 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jitter_changes_contrast_and_brightness_by_sample),
        cmocka_unit_test(batches_are_what_the_samples_say_for_any_thread_count),
        cmocka_unit_test(labels_in_the_margin_do_not_count),
        cmocka_unit_test(samples_as_they_were_read_are_the_same_numbers),
        cmocka_unit_test(the_next_batch_can_be_looked_at),
        cmocka_unit_test(more_scenes_than_a_thread_keeps_open),
        cmocka_unit_test(scenes_without_labels_have_none),
        cmocka_unit_test(nothing_to_load_ends_at_once),
        cmocka_unit_test(closing_in_the_middle_does_not_hang),
        cmocka_unit_test(an_error_comes_with_its_batch_and_the_rest_goes_on),
        cmocka_unit_test(a_missing_scene_is_named),
        cmocka_unit_test(impossible_options_are_refused),
        cmocka_unit_test(labels_stay_with_their_pixels_whatever_is_altered),
        cmocka_unit_test(crops_are_mixed_of_what_they_are_by_themselves),
    };
    return cmocka_run_group_tests(tests, make_scenes, tempdir_remove);
}
