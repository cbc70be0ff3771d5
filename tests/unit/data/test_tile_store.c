/* Tiles read as their scenes read, from any number of threads; damage is seen. */
#include "made.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "data/source.h"
#include "data/tile_store.h"

enum { SCENES = 3, BANDS = 3, TILE = 32, WINDOW = 75 };
static const int width[SCENES] = {150, 20, 65}, height[SCENES] = {100, 20, 130};
static const double nodata = 7;

static double holes(int band, int x, int y)
{
    return (x + 3 * y) % 50 == 0 && band == 1 ? nodata : made_ramp(band, x, y) + 10;
}

static double below_zero(int band, int x, int y)
{
    return 300 * made_ramp(band, x, y) - 9000;
}

static double reals(int band, int x, int y)
{
    return x == y ? NAN : (x > 40 && x < 110 ? -0.0 : .37 * made_ramp(band, x, y) - 5);
}

static double nothing_right(int band, int x, int y)
{
    return x >= 60 ? nodata : made_ramp(band, x, y) + 10;
}

static double labels(int band, int x, int y)
{
    return y < 33 ? 0 : (x / 16 + y / 8) % 4; /* 0: no class */
}

typedef struct {
    sg_spec spec;
    sg_scene scene[SCENES];
    sg_scenes files, tiles; /* the same scenes, read in both ways */
    sg_tile_layout layout;
    char path[SG_PATH_MAX];
} set;

static void make_scene(set *s, const char *folder, int i, made_raster image)
{
    image.w = width[i];
    image.h = height[i];
    snprintf(s->scene[i].image, SG_PATH_MAX, "%s/scene%d.tif", folder, i);
    make_raster(s->scene[i].image, &image);
    if (i == 1) /* a scene without labels */
        return;
    snprintf(s->scene[i].label, SG_PATH_MAX, "%s/labels%d.tif", folder, i);
    make_raster(s->scene[i].label, &(made_raster){.w = image.w,
                                                  .h = image.h,
                                                  .crs = "EPSG:32618",
                                                  .geotransform = north_up,
                                                  .value = labels});
}

static void make_set(set *s, const char *folder, made_value value, GDALDataType type,
                     const double *missing)
{
    memset(s, 0, sizeof *s);
    s->spec = (sg_spec){.bands = BANDS, .band = {3, 1, 2}};
    s->spec.classes.count = 3;
    for (int i = 0; i < 3; i++) {
        snprintf(s->spec.classes.item[i].name, SG_CLASS_NAME_MAX, "class %d", i);
        s->spec.classes.item[i].value = i + 1;
    }
    for (int i = 0; i < SCENES; i++)
        make_scene(s, folder, i,
                   (made_raster){.bands = BANDS,
                                 .type = type,
                                 .crs = "EPSG:32618",
                                 .geotransform = north_up,
                                 .value = value,
                                 .nodata = missing});
    s->files = (sg_scenes){s->scene, SCENES, &s->spec, {.ignore = 2}, NULL};
    s->tiles = s->files;
    snprintf(s->path, sizeof s->path, "%s/tiles.h5", folder);
}

static void must(sg_err err)
{
    if (err != SG_OK)
        fail_msg("%s", sg_error_text());
}

static void write_tiles(set *s, sg_chunks_type type)
{
    enum { AREA = TILE * TILE };
    const sg_tile_format format = {TILE, BANDS, type, 4};
    static float pixels[AREA * BANDS];
    static uint8_t valid[AREA], classes[AREA];
    int64_t size[2 * SCENES];
    sg_tile_writer *writer = NULL;
    sg_tile_packer *packer = NULL;
    for (int i = 0; i < SCENES; i++) {
        size[2 * i] = width[i];
        size[2 * i + 1] = height[i];
    }
    must(sg_tile_layout_make(&s->layout, &format, size, SCENES));
    must(sg_tile_packer_open(&packer, &format));
    must(sg_tile_writer_open(&writer, s->path, &s->layout));
    for (int64_t i = 0; i < s->layout.tiles; i++) {
        const uint8_t *record;
        size_t bytes, scene;
        sg_source *source = NULL;
        sg_window window = sg_tile_layout_window(&s->layout, i, &scene);
        must(sg_source_open(&source, &s->files, (int32_t)scene));
        must(sg_source_read(source, window, pixels, valid));
        must(sg_source_labels(source, window, classes));
        must(sg_tile_pack(packer, pixels, valid, classes, &record, &bytes));
        must(sg_tile_writer_put(writer, record, bytes));
        sg_source_close(source);
    }
    must(sg_tile_writer_commit(writer));
    sg_tile_packer_close(packer);
}

/* One thread's comparison of random windows. */
typedef struct {
    const set *s;
    uint32_t seed;
    sg_err err;
    int differ;
} reading;

static sg_err read_window(sg_source *source, sg_window window, float *pixels, uint8_t *valid,
                          uint8_t *classes)
{
    sg_err err = sg_source_read(source, window, pixels, valid);
    return err ? err : sg_source_labels(source, window, classes);
}

static void *compare_windows(void *user)
{
    reading *r = user;
    static __thread float pixels[2][WINDOW * WINDOW * BANDS];
    static __thread uint8_t valid[2][WINDOW * WINDOW], classes[2][WINDOW * WINDOW];
    const sg_scenes *from[2] = {&r->s->files, &r->s->tiles};
    sg_source *source[2][SCENES] = {{NULL}};
    for (int i = 0; i < 2 * SCENES && !r->err; i++)
        r->err = sg_source_open(&source[i % 2][i / 2], from[i % 2], i / 2);
    for (int round = 0; round < 200 && !r->err; round++) {
        int32_t scene = (int32_t)made_random(&r->seed, SCENES);
        sg_window w = {.w = 1 + made_random(&r->seed, WINDOW),
                       .h = 1 + made_random(&r->seed, WINDOW)};
        w.x = (int64_t)made_random(&r->seed, (uint32_t)width[scene] + 80) - 60;
        w.y = (int64_t)made_random(&r->seed, (uint32_t)height[scene] + 80) - 60;
        size_t count = (size_t)(w.w * w.h);
        for (int k = 0; k < 2 && !r->err; k++)
            r->err = read_window(source[k][scene], w, pixels[k], valid[k], classes[k]);
        r->differ += memcmp(pixels[0], pixels[1], count * BANDS * sizeof(float)) != 0 ||
                     memcmp(valid[0], valid[1], count) != 0 ||
                     memcmp(classes[0], classes[1], count) != 0;
    }
    for (int i = 0; i < 2 * SCENES; i++)
        sg_source_close(source[i % 2][i / 2]);
    return NULL;
}

static void read_with(set *s, size_t cache_bytes, int threads)
{
    reading r[4];
    pthread_t thread[4];
    must(sg_tile_store_open(&s->tiles.store, s->path, cache_bytes));
    for (int i = 0; i < threads; i++) {
        r[i] = (reading){.s = s, .seed = 17u + (unsigned)i};
        assert_int_equal(pthread_create(&thread[i], NULL, compare_windows, &r[i]), 0);
    }
    for (int i = 0; i < threads; i++) {
        pthread_join(thread[i], NULL);
        assert_int_equal(r[i].err, SG_OK);
        assert_int_equal(r[i].differ, 0);
    }
    sg_tile_store_close(s->tiles.store);
    s->tiles.store = NULL;
}

static void check(made_value value, GDALDataType type, const double *missing, sg_chunks_type stored)
{
    void *folder = NULL;
    set s;
    sg_raster *raster = NULL;
    assert_int_equal(tempdir_make(&folder), 0);
    make_set(&s, folder, value, type, missing);
    must(sg_raster_open_spec(&raster, s.scene[0].image, &s.spec));
    assert_string_equal(sg_raster_exact_type(raster), sg_chunks_type_name(stored));
    sg_raster_close(raster);
    write_tiles(&s, stored);
    read_with(&s, 0, 4); /* where tiles push each other out */
    read_with(&s, 1 << 20, 2);
    sg_tile_layout_clear(&s.layout);
    tempdir_remove(&folder);
}

static void tiles_read_as_their_scenes(void **state)
{
    sg_gdal_start(1 << 20);
    check(NULL, GDT_Byte, NULL, SG_CHUNKS_U8);
    check(nothing_right, GDT_Byte, &nodata, SG_CHUNKS_U8);
    check(holes, GDT_UInt16, &nodata, SG_CHUNKS_U16);
    check(below_zero, GDT_Int16, NULL, SG_CHUNKS_I16);
    check(below_zero, GDT_Int32, NULL, SG_CHUNKS_F32);
    check(reals, GDT_Float32, NULL, SG_CHUNKS_F32);
}

static void what_does_not_fit_the_type_is_refused(void **state)
{
    const sg_tile_format format = {16, 1, SG_CHUNKS_U8, 4};
    static const float wrong[] = {256, -1, 0.5f, NAN, 1e30f};
    float pixels[256] = {0};
    uint8_t valid[256] = {0}, classes[256] = {0};
    const uint8_t *record;
    size_t bytes;
    sg_tile_packer *packer = NULL;
    must(sg_tile_packer_open(&packer, &format));
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        pixels[200] = wrong[i];
        assert_int_equal(sg_tile_pack(packer, pixels, valid, classes, &record, &bytes), SG_EINPUT);
    }
    pixels[200] = 255;
    must(sg_tile_pack(packer, pixels, valid, classes, &record, &bytes));
    sg_tile_packer_close(packer);
}

/* All that is read of a store: pixels, validity and classes of its scenes. */
static sg_err read_all(const char *path, uint8_t *sum, size_t room)
{
    sg_tile_store *store = NULL;
    static float pixels[150 * 130 * BANDS];
    static uint8_t valid[150 * 130], classes[150 * 130];
    size_t used = 0;
    sg_err err = sg_tile_store_open(&store, path, 1 << 20);
    for (size_t i = 0; !err && i < SCENES; i++) {
        const sg_window all = {0, 0, width[i], height[i]};
        size_t count = (size_t)(all.w * all.h);
        if (sg_tile_store_layout(store)->scenes != SCENES ||
            sg_tile_store_layout(store)->format.bands != BANDS)
            err = SG_EINPUT;
        if (!err)
            err = sg_tile_store_pixels(store, i, all, pixels, valid);
        if (!err)
            err = sg_tile_store_labels(store, i, all, classes);
        assert_true(used + count * (4 * BANDS + 2) <= room);
        memcpy(sum + used, pixels, count * 4 * BANDS);
        memcpy(sum + used + count * 4 * BANDS, valid, count);
        memcpy(sum + used + count * (4 * BANDS + 1), classes, count);
        used += count * (4 * BANDS + 2);
    }
    sg_tile_store_close(store);
    return err;
}

static void a_flipped_bit_is_seen_or_harmless(void **state)
{
    enum { ROOM = (150 * 100 + 400 + 65 * 130) * (4 * BANDS + 2) };
    static uint8_t whole[ROOM], damaged[ROOM];
    void *folder = NULL;
    set s;
    uint32_t seed = 5;
    int seen = 0;
    assert_int_equal(tempdir_make(&folder), 0);
    make_set(&s, folder, holes, GDT_UInt16, &nodata);
    write_tiles(&s, SG_CHUNKS_U16);
    assert_int_equal(read_all(s.path, whole, ROOM), SG_OK);
    FILE *file = fopen(s.path, "r+b");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    const uint32_t length = (uint32_t)ftell(file);
    for (int round = 0; round < 100; round++) {
        long at = (long)made_random(&seed, length);
        uint8_t byte, flipped;
        fseek(file, at, SEEK_SET);
        assert_int_equal(fread(&byte, 1, 1, file), 1);
        flipped = byte ^ (uint8_t)(1u << made_random(&seed, 8));
        fseek(file, at, SEEK_SET);
        fwrite(&flipped, 1, 1, file);
        fflush(file);
        sg_err err = read_all(s.path, damaged, ROOM);
        seen += err != SG_OK;
        if (err == SG_OK)
            assert_memory_equal(damaged, whole, ROOM);
        else
            assert_int_equal(err, SG_EINPUT);
        fseek(file, at, SEEK_SET);
        fwrite(&byte, 1, 1, file);
        fflush(file);
    }
    fclose(file);
    assert_true(seen > 20);
    assert_int_equal(truncate(s.path, (off_t)(length / 2)), 0);
    assert_int_equal(read_all(s.path, damaged, ROOM), SG_EINPUT);
    sg_tile_layout_clear(&s.layout);
    tempdir_remove(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tiles_read_as_their_scenes),
        cmocka_unit_test(what_does_not_fit_the_type_is_refused),
        cmocka_unit_test(a_flipped_bit_is_seen_or_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
