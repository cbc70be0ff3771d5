/* What codecs and predictors make of a row, read back by GDAL from a TIFF with a row a strip. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/rng.h"
#include "data/lzw.h"
#include "data/packing.h"
#include "data/raster.h"
#include "support/tempdir.h"

enum { ROWS = 8, TAGS = 12 };

typedef struct {
    sg_codec_kind codec;
    int32_t level;
    sg_predictor predictor;
    uint32_t width, bands;
    bool is_float;
} image;

static size_t row_bytes(const image *t)
{
    return (size_t)t->width * t->bands * (t->is_float ? 4 : 1);
}

/* Kind 0: noise; 1: all the same; 2: periods of growing length; 3: noise of few values; 4: runs as
 * in a mask; 5: strings that grow by one; 6: a ramp; 7: noise after sameness. */
static uint8_t byte_of(int kind, size_t i)
{
    uint32_t noise = sg_random(7, SG_STREAM_SCENE, i, (uint32_t)kind).v[0];
    switch (kind) {
    case 0:
        return (uint8_t)noise;
    case 1:
        return 255;
    case 2:
        return (uint8_t)(i % (3 + i / 1000));
    case 3:
        return (uint8_t)(noise % 3);
    case 4:
        return (uint8_t)(sg_random(7, SG_STREAM_SCENE, i / 57, 4).v[0] % 5);
    case 5:
        return (uint8_t)(i * i % 251);
    case 6:
        return (uint8_t)(i / 3);
    default:
        return (uint8_t)(i < 9000 ? 3 : noise);
    }
}

static void fill_row(const image *t, int kind, uint8_t *row)
{
    for (size_t i = 0; i < (size_t)t->width * t->bands; i++) {
        float real = (float)byte_of(kind, i) / 255 - .25f * (float)byte_of(kind, i + 1);
        if (t->is_float)
            memcpy(row + 4 * i, &real, 4);
        else
            row[i] = byte_of(kind, i);
    }
}

static void put(FILE *file, uint32_t value, size_t bytes)
{
    assert_int_equal(fwrite(&value, 1, bytes, file), bytes); /* little endian */
}

static void put_tag(FILE *file, uint32_t tag, uint32_t type, uint32_t count, uint32_t value)
{
    put(file, tag, 2);
    put(file, type, 2);
    put(file, count, 4);
    put(file, value, 4);
}

/* Header, strips, then their tables and the directory, which the header points to. */
static void write_tiff(const char *path, const image *t)
{
    uint8_t *row = malloc(row_bytes(t)), *scratch = malloc(row_bytes(t)), *packed;
    uint32_t offset[ROWS], bytes[ROWS];
    sg_predicted rows = {t->width, t->bands, t->is_float ? 4 : 1};
    sg_codec *codec = NULL;
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(sg_codec_open(&codec, t->codec, t->level), SG_OK);
    packed = malloc(sg_codec_bound(codec, row_bytes(t)));
    fwrite("II*\0\0\0\0\0", 1, 8, file);
    for (int kind = 0; kind < ROWS; kind++) {
        size_t length = 0;
        fill_row(t, kind, row);
        sg_predict_row(t->predictor, &rows, row, scratch);
        assert_int_equal(sg_codec_pack(codec, row, row_bytes(t), packed, &length), SG_OK);
        assert_in_range(length, 1, sg_codec_bound(codec, row_bytes(t)));
        offset[kind] = (uint32_t)ftell(file);
        bytes[kind] = (uint32_t)length;
        fwrite(packed, 1, length, file);
    }
    if (ftell(file) % 2)
        put(file, 0, 1);
    uint32_t tables = (uint32_t)ftell(file);
    for (int i = 0; i < ROWS; i++)
        put(file, offset[i], 4);
    for (int i = 0; i < ROWS; i++)
        put(file, bytes[i], 4);
    uint32_t bits = (uint32_t)ftell(file), directory;
    for (uint32_t i = 0; i < 2 * t->bands; i++) /* bits, then formats */
        put(file, i < t->bands ? (t->is_float ? 32 : 8) : (t->is_float ? 3 : 1), 2);
    directory = (uint32_t)ftell(file);
    put(file, TAGS, 2);
    put_tag(file, 256, 4, 1, t->width);
    put_tag(file, 257, 4, 1, ROWS);
    put_tag(file, 258, 3, t->bands, t->bands > 2 ? bits : t->is_float ? 32 : 8);
    put_tag(file, 259, 3, 1, sg_codec_tag(t->codec));
    put_tag(file, 262, 3, 1, 1);
    put_tag(file, 273, 4, ROWS, tables);
    put_tag(file, 277, 3, 1, t->bands);
    put_tag(file, 278, 4, 1, 1);
    put_tag(file, 279, 4, ROWS, tables + 4 * ROWS);
    put_tag(file, 284, 3, 1, 1);
    put_tag(file, 317, 3, 1, t->predictor);
    put_tag(file, 339, 3, t->bands, t->bands > 2 ? bits + 2 * t->bands : t->is_float ? 3 : 1);
    put(file, 0, 4);
    fseek(file, 4, SEEK_SET);
    put(file, directory, 4);
    fclose(file);
    sg_codec_close(codec);
    free(row);
    free(scratch);
    free(packed);
}

static void check(void **state, const image *t)
{
    char path[TEMPDIR_PATH];
    size_t values = (size_t)t->width * t->bands;
    float *pixels = malloc(ROWS * values * sizeof *pixels);
    uint8_t *row = malloc(row_bytes(t));
    sg_raster *raster = NULL;
    write_tiff(tempdir_path(state, "rows.tif", path), t);
    assert_int_equal(sg_raster_open(&raster, path, NULL, 0), SG_OK);
    assert_int_equal(sg_raster_bands(raster), (int32_t)t->bands);
    sg_window all = {0, 0, t->width, ROWS};
    assert_int_equal(sg_raster_read(raster, all, pixels, NULL), SG_OK);
    sg_raster_close(raster);
    for (int kind = 0; kind < ROWS; kind++) {
        fill_row(t, kind, row);
        for (size_t i = 0; i < values; i++) {
            float expected = row[i];
            if (t->is_float)
                memcpy(&expected, row + 4 * i, 4);
            if (pixels[(size_t)kind * values + i] != expected)
                fail_msg("%s, predictor %d, %u x %u: row %d, value %zu is %g, not %g",
                         sg_codec_name(t->codec), t->predictor, t->width, t->bands, kind, i,
                         (double)pixels[(size_t)kind * values + i], (double)expected);
        }
    }
    free(pixels);
    free(row);
}

/* The widths at which codes grow and the table is full, and all small ones. */
static void gdal_reads_lzw_of_any_length(void **state)
{
    static const uint32_t edge[] = {254, 510, 766, 1278, 1790, 2302, 3326, 3836, 3838, 4094, 7674};
    for (uint32_t w = 1; w <= 40; w++)
        check(state, &(image){.codec = SG_CODEC_LZW, .predictor = 1, .width = w, .bands = 1});
    for (size_t i = 0; i < sizeof edge / sizeof *edge; i++)
        for (uint32_t w = edge[i] - 3; w <= edge[i] + 3; w++)
            check(state, &(image){.codec = SG_CODEC_LZW, .predictor = 1, .width = w, .bands = 1});
    check(state, &(image){.codec = SG_CODEC_LZW, .predictor = 1, .width = 300000, .bands = 1});
}

static void gdal_reads_every_codec_with_every_predictor(void **state)
{
    static const sg_codec_kind codec[] = {SG_CODEC_DEFLATE, SG_CODEC_ZSTD, SG_CODEC_LZW};
    for (size_t c = 0; c < sizeof codec / sizeof *codec; c++)
        for (int predictor = 1; predictor <= 3; predictor++)
            for (uint32_t bands = 1; bands <= 5; bands += 2)
                for (int is_float = predictor == 3; is_float <= 1; is_float++)
                    check(state, &(image){codec[c], (int)c, predictor, 2001, bands, is_float});
    check(state, &(image){SG_CODEC_ZSTD, 22, 1, 5000, 1, false});
    check(state, &(image){SG_CODEC_NONE, 0, 1, 5000, 3, true});
}

/* The example of TIFF 6.0, section 13: 7 7 7 8 8 7 7 6 6 becomes 256 7 258 8 8 258 6 6 257. */
static void the_specification_s_example(void **state)
{
    static const uint8_t in[] = {7, 7, 7, 8, 8, 7, 7, 6, 6};
    static const uint32_t code[] = {256, 7, 258, 8, 8, 258, 6, 6, 257};
    uint8_t expected[11] = {0}, out[64];
    sg_lzw *table = malloc(sizeof *table);
    for (size_t i = 0; i < 9; i++)
        for (size_t bit = 0; bit < 9; bit++)
            expected[(9 * i + bit) / 8] |=
                (uint8_t)((code[i] >> (8 - bit) & 1) << (7 - (9 * i + bit) % 8));
    assert_int_equal(sg_lzw_encode(table, in, sizeof in, out), 11);
    assert_memory_equal(out, expected, 11);
    assert_int_equal(sg_lzw_encode(table, in, 0, out), 3); /* nothing but the two codes */
    free(table);
}

static int start(void **state)
{
    sg_gdal_start(1 << 20);
    return tempdir_make(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gdal_reads_lzw_of_any_length),
        cmocka_unit_test(gdal_reads_every_codec_with_every_predictor),
        cmocka_unit_test(the_specification_s_example),
    };
    return cmocka_run_group_tests_name("codec", tests, start, tempdir_remove);
}
