/* The layout of a Cloud Optimized GeoTIFF, classic and BigTIFF, read back by GDAL. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/size.h"
#include "support/tempdir.h"
#include "tiles/blocks.h"
#include "tiles/cog.h"

enum { W = 100, H = 70, BLOCK = 16, MOST_BLOCKS = 64 };

typedef struct {
    uint8_t *data[MOST_BLOCKS];
    size_t bytes[MOST_BLOCKS];
    int read; /* how many times a block was asked for */
} packed_blocks;

static uint8_t value(int level, int64_t x, int64_t y)
{
    return (uint8_t)(1 + (x * 7 + y * 3 + level) % 200);
}

static sg_geotiff_options raster_options(void)
{
    return (sg_geotiff_options){
        .width = W, .height = H, .bands = 1, .block = BLOCK, .has_nodata = 1, .nodata = 255};
}

static void pack(const sg_pyramid *p, packed_blocks *packed)
{
    sg_geotiff_options raster = raster_options();
    sg_blocks blocks;
    assert_int_equal(sg_blocks_open(&blocks, &raster), SG_OK);
    assert_in_range(p->blocks, 1, MOST_BLOCKS);
    for (int32_t k = 0; k < p->levels; k++)
        for (int64_t i = 0; i < p->level[k].across * p->level[k].down; i++) {
            uint8_t pixels[BLOCK * BLOCK];
            int64_t x = i % p->level[k].across * BLOCK, y = i / p->level[k].across * BLOCK;
            size_t number = (size_t)(p->level[k].first + i);
            for (int64_t j = 0; j < BLOCK * BLOCK; j++)
                pixels[j] = value(k, x + j % BLOCK, y + j / BLOCK);
            assert_int_equal(sg_blocks_pack(&blocks, pixels, BLOCK, BLOCK, BLOCK), SG_OK);
            packed->bytes[number] = blocks.packed_bytes;
            packed->data[number] = malloc(blocks.packed_bytes);
            memcpy(packed->data[number], blocks.packed, blocks.packed_bytes);
        }
    sg_blocks_close(&blocks);
}

static int64_t bytes_of(void *user, int64_t block)
{
    return (int64_t)((const packed_blocks *)user)->bytes[block];
}

static sg_err read_one(void *user, int64_t block, void *data)
{
    packed_blocks *packed = user;
    packed->read++;
    memcpy(data, packed->data[block], packed->bytes[block]);
    return SG_OK;
}

/* In so many shares, the last one first. */
static sg_err write_shares(const sg_cog *cog, int64_t shares)
{
    sg_cog_blocks blocks;
    sg_err err = sg_cog_create(cog, &blocks);
    for (int64_t i = shares; err == SG_OK && i-- > 0;)
        err = sg_cog_put(cog, &blocks, i, shares);
    return err;
}

static sg_err write_cog(const sg_cog *cog)
{
    return write_shares(cog, 1);
}

/* Directory k of the file is level k. */
static void check_level(const char *path, int k, const sg_level *level, bool sparse)
{
    static float pixels[W * H];
    static uint8_t valid[W * H];
    char directory[SG_PATH_MAX];
    sg_raster *raster = NULL;
    assert_int_equal(sg_path_format(directory, "GTIFF_DIR:%d:%s", k + 1, path), SG_OK);
    assert_int_equal(sg_raster_open(&raster, directory, NULL, 0), SG_OK);
    const sg_raster_info *info = sg_raster_get_info(raster);
    assert_int_equal(info->width, level->width);
    assert_int_equal(info->height, level->height);
    assert_int_equal(info->block_w, BLOCK);
    assert_true(info->has_nodata && info->nodata == 255);
    sg_window all = {0, 0, level->width, level->height};
    assert_int_equal(sg_raster_read(raster, all, pixels, valid), SG_OK);
    for (int64_t i = 0; i < level->width * level->height; i++) {
        int64_t x = i % level->width, y = i / level->width;
        int64_t block = level->first + y / BLOCK * level->across + x / BLOCK;
        bool there = !sparse || block % 2 == 0;
        assert_int_equal(valid[i], there);
        assert_true(pixels[i] == (there ? value(k, x, y) : 0));
    }
    sg_raster_close(raster);
}

static void check_file(const char *path, const sg_pyramid *p, int version, bool sparse)
{
    uint8_t head[4];
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fread(head, 1, 4, file), 4);
    fclose(file);
    assert_int_equal(head[2], version);
    for (int32_t k = 0; k < p->levels; k++)
        check_level(path, k, &p->level[k], sparse);
}

/* Every other block is not there. */
static int64_t bytes_of_even(void *user, int64_t block)
{
    return block % 2 == 0 ? bytes_of(user, block) : 0;
}

static long file_bytes(const char *path)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    long bytes = ftell(file);
    fclose(file);
    return bytes;
}

static void other_layouts(void **state, sg_cog cog)
{
    char path[TEMPDIR_PATH];
    long with_leaders = 0;
    cog.path = tempdir_path(state, "other.tif", path);
    cog.classic_most = 0;
    for (int plain = 0; plain <= 1; plain++) {
        cog.layout = (sg_tiff_layout){plain, SG_BIG_NO};
        cog.bytes = bytes_of;
        assert_int_equal(write_cog(&cog), SG_OK);
        check_file(path, cog.pyramid, 42, false);
        if (!plain)
            with_leaders = file_bytes(path);
        else /* four bytes on both sides of each, and what tells of them */
            assert_true(file_bytes(path) + 8 * cog.pyramid->blocks < with_leaders);
        cog.bytes = bytes_of_even;
        assert_int_equal(write_cog(&cog), SG_OK);
        check_file(path, cog.pyramid, 42, true);
        cog.layout.big = SG_BIG_YES;
        assert_int_equal(write_cog(&cog), SG_OK);
        check_file(path, cog.pyramid, 43, true);
    }
    cog.layout.big = SG_BIG_IF_SAFER;
    cog.raw_bytes = UINT64_C(3) << 30;
    assert_int_equal(write_cog(&cog), SG_OK);
    check_file(path, cog.pyramid, 43, true);
}

static char *bytes_at(const char *path, long *bytes)
{
    *bytes = file_bytes(path);
    char *data = malloc((size_t)*bytes);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fread(data, 1, (size_t)*bytes, file), *bytes);
    fclose(file);
    return data;
}

/* The same file in any number of shares; each reads what it needs, and a block that lies in two is
 * read twice. A unit of an odd size cuts everywhere, in the bytes around blocks as well. */
static void check_shares(void **state, sg_cog cog)
{
    static const struct {
        int64_t shares;
        uint64_t unit;
    } way[] = {{2, 1}, {3, 64}, {7, 3}, {40, 1000}, {5000, 0}};
    packed_blocks *packed = cog.user;
    char path[TEMPDIR_PATH];
    long whole_bytes, bytes;
    assert_int_equal(write_cog(&cog), SG_OK);
    char *whole = bytes_at(cog.path, &whole_bytes);
    cog.path = tempdir_path(state, "shares.tif", path);
    for (size_t i = 0; i < sizeof way / sizeof *way; i++) {
        cog.unit = way[i].unit;
        packed->read = 0;
        assert_int_equal(write_shares(&cog, way[i].shares), SG_OK);
        char *data = bytes_at(path, &bytes);
        assert_int_equal(bytes, whole_bytes);
        assert_memory_equal(data, whole, (size_t)bytes);
        free(data);
        assert_in_range(packed->read, cog.pyramid->blocks, cog.pyramid->blocks + way[i].shares);
    }
    check_file(path, cog.pyramid, 42, false);
    free(whole);
}

/* One of several writes its range and nothing else. */
static void a_share_is_a_range(void **state)
{
    char skeleton[TEMPDIR_PATH], path[TEMPDIR_PATH];
    sg_geotiff_options raster = raster_options();
    sg_pyramid pyramid;
    sg_tiff_tags tags;
    sg_cog_blocks blocks;
    packed_blocks packed = {{0}, {0}, 0};
    long bytes;
    sg_gdal_start(1 << 20);
    sg_pyramid_make(&pyramid, W, H, BLOCK, true);
    pack(&pyramid, &packed);
    assert_int_equal(sg_geotiff_create(tempdir_path(state, "skeleton.tif", skeleton), &raster),
                     SG_OK);
    assert_int_equal(sg_tiff_tags_read(&tags, skeleton), SG_OK);
    const sg_cog cog = {.path = tempdir_path(state, "range.tif", path),
                        .tags = &tags,
                        .pyramid = &pyramid,
                        .bytes = bytes_of,
                        .read = read_one,
                        .user = &packed,
                        .unit = 16};
    assert_int_equal(sg_cog_create(&cog, &blocks), SG_OK);
    char *empty = bytes_at(path, &bytes);
    assert_int_equal(bytes, blocks.end);
    assert_int_equal(sg_cog_put(&cog, &blocks, 1, 3), SG_OK);
    char *data = bytes_at(path, &bytes);
    assert_int_equal(bytes, blocks.end);
    long from = 0, to = bytes;
    while (from < bytes && data[from] == empty[from])
        from++;
    while (to > 0 && data[to - 1] == empty[to - 1])
        to--;
    long third = (long)(blocks.end - blocks.begin) / 3, begin = (long)blocks.begin;
    assert_in_range(from, begin + third - 32, begin + third + 32);
    assert_in_range(to, begin + 2 * third - 32, begin + 2 * third + 32);
    assert_in_range(packed.read, pyramid.blocks / 6, pyramid.blocks / 2);
    check_shares(state, cog);
    free(empty);
    free(data);
    sg_tiff_tags_clear(&tags);
    for (int i = 0; i < MOST_BLOCKS; i++)
        free(packed.data[i]);
}

static void gdal_reads_what_was_laid_out(void **state)
{
    char skeleton[TEMPDIR_PATH], path[TEMPDIR_PATH];
    sg_geotiff_options raster = raster_options();
    sg_pyramid pyramid;
    sg_tiff_tags tags;
    packed_blocks packed = {{0}, {0}, 0};
    sg_gdal_start(1 << 20);
    sg_pyramid_make(&pyramid, W, H, BLOCK, true);
    assert_int_equal(pyramid.levels, 4);
    pack(&pyramid, &packed);
    assert_int_equal(sg_geotiff_create(tempdir_path(state, "skeleton.tif", skeleton), &raster),
                     SG_OK);
    assert_int_equal(sg_tiff_tags_read(&tags, skeleton), SG_OK);
    sg_cog cog = {.path = tempdir_path(state, "cog.tif", path),
                  .tags = &tags,
                  .pyramid = &pyramid,
                  .bytes = bytes_of,
                  .read = read_one,
                  .user = &packed};
    assert_int_equal(write_cog(&cog), SG_OK);
    check_file(path, &pyramid, 42, false);
    cog.path = tempdir_path(state, "big.tif", path);
    cog.classic_most = 4096;
    assert_int_equal(write_cog(&cog), SG_OK);
    check_file(path, &pyramid, 43, false);
    cog.layout.big = SG_BIG_NO;
    assert_int_equal(write_cog(&cog), SG_EUSAGE);
    assert_non_null(strstr(sg_error_text(), "BIGTIFF"));
    other_layouts(state, cog);
    sg_tiff_tags_clear(&tags);

    assert_int_equal(sg_tiff_tags_read(&tags, path), SG_OK); /* a BigTIFF's tags, too */
    const sg_tiff_tag *width = sg_tiff_tags_find(&tags, SG_TIFF_WIDTH);
    assert_non_null(width);
    assert_int_equal(width->data[0], W);
    sg_tiff_tags_clear(&tags);
    for (int i = 0; i < MOST_BLOCKS; i++)
        free(packed.data[i]);
}

static void what_is_no_tiff_is_refused(void **state)
{
    char path[TEMPDIR_PATH];
    sg_tiff_tags tags;
    FILE *file = fopen(tempdir_path(state, "none.tif", path), "w");
    fputs("no TIFF, however long it may be", file);
    fclose(file);
    assert_int_equal(sg_tiff_tags_read(&tags, path), SG_EINPUT);
    assert_non_null(strstr(sg_error_text(), "none.tif"));
    assert_int_equal(sg_tiff_tags_read(&tags, tempdir_path(state, "absent.tif", path)), SG_EINPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gdal_reads_what_was_laid_out),
        cmocka_unit_test(a_share_is_a_range),
        cmocka_unit_test(what_is_no_tiff_is_refused),
    };
    return cmocka_run_group_tests_name("cog", tests, tempdir_make, tempdir_remove);
}
