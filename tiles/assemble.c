#include "tiles/assemble.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <tiffio.h>
#include "base/size.h"

/* Where a block lies. */
typedef struct {
    const sg_spool *spool; /* NULL: missing */
    const sg_spool_entry *entry;
} place;

typedef struct {
    char text[256]; /* libtiff's first complaint */
} complaint;

static int keep_complaint(TIFF *tiff, void *user, const char *module, const char *format,
                          va_list arguments)
{
    (void)tiff;
    (void)module;
    complaint *kept = user;
    if (kept->text[0] == '\0')
        vsnprintf(kept->text, sizeof kept->text, format, arguments);
    return 1;
}

/* GDAL's own tags are unknown to libtiff, which keeps them as they are: nothing to tell. */
static int ignore_warning(TIFF *tiff, void *user, const char *module, const char *format,
                          va_list arguments)
{
    (void)tiff, (void)user, (void)module, (void)format, (void)arguments;
    return 1;
}

static TIFF *open_skeleton(const char *path, complaint *kept)
{
    TIFFOpenOptions *options = TIFFOpenOptionsAlloc();
    if (!options)
        return NULL;
    TIFFOpenOptionsSetErrorHandlerExtR(options, keep_complaint, kept);
    TIFFOpenOptionsSetWarningHandlerExtR(options, ignore_warning, NULL);
    TIFF *tiff = TIFFOpenExt(path, "r+", options);
    TIFFOpenOptionsFree(options);
    return tiff;
}

static sg_err cannot_write(const char *path, int reason, const complaint *kept)
{
    if (reason != 0)
        return sg_fail(SG_EOUTPUT, "%s: cannot be written: %s", path, strerror(reason));
    return sg_fail(SG_EOUTPUT, "%s: cannot be written: %s", path, kept->text);
}

static sg_err locate_blocks(place *places, int64_t blocks, sg_spool *const *spool, int spools)
{
    for (int s = 0; s < spools; s++) {
        size_t count;
        const sg_spool_entry *entry = sg_spool_entries(spool[s], &count);
        for (size_t i = 0; i < count; i++) {
            int64_t block = entry[i].block;
            if (block < 0 || block >= blocks || places[block].spool)
                return sg_fail(SG_EINTERNAL, "block %" PRId64 " of %" PRId64 " was written twice",
                               block, blocks);
            places[block] = (place){spool[s], &entry[i]};
        }
    }
    for (int64_t block = 0; block < blocks; block++)
        if (!places[block].spool)
            return sg_fail(SG_EINTERNAL, "block %" PRId64 " of %" PRId64 " was never written",
                           block, blocks);
    return SG_OK;
}

static int64_t largest(const place *places, int64_t blocks)
{
    int64_t most = 1;
    for (int64_t i = 0; i < blocks; i++)
        most = sg_max64(most, places[i].entry->bytes);
    return most;
}

static sg_err copy_blocks(TIFF *tiff, const char *path, const place *places, int64_t blocks,
                          const complaint *kept)
{
    char *buffer = NULL;
    sg_err err = sg_malloc((size_t)largest(places, blocks), 1, &buffer);
    for (int64_t i = 0; err == SG_OK && i < blocks; i++) {
        const sg_spool_entry *entry = places[i].entry;
        err = sg_spool_read(places[i].spool, entry, buffer);
        errno = 0;
        if (err == SG_OK && TIFFWriteRawTile(tiff, (uint32_t)i, buffer, entry->bytes) < 0)
            err = cannot_write(path, errno, kept);
    }
    sg_free(buffer);
    return err;
}

/* The skeleton must be laid out as the blocks are: square, bands interleaved, all of them. */
static sg_err check_layout(TIFF *tiff, const char *path, const sg_geotiff_options *options,
                           int64_t blocks)
{
    uint32_t w = 0, h = 0;
    uint16_t planes = 0, compression = 0;
    TIFFGetField(tiff, TIFFTAG_TILEWIDTH, &w);
    TIFFGetField(tiff, TIFFTAG_TILELENGTH, &h);
    TIFFGetField(tiff, TIFFTAG_PLANARCONFIG, &planes);
    TIFFGetField(tiff, TIFFTAG_COMPRESSION, &compression);
    if ((int64_t)w == options->block && (int64_t)h == options->block &&
        planes == PLANARCONFIG_CONTIG && compression == COMPRESSION_ADOBE_DEFLATE &&
        (int64_t)TIFFNumberOfTiles(tiff) == blocks)
        return SG_OK;
    return sg_fail(SG_EINTERNAL,
                   "%s: has blocks of %u x %u, compression %u, layout %u: not as they were made",
                   path, w, h, compression, planes);
}

static sg_err fill_skeleton(const char *path, const sg_geotiff_options *options,
                            const place *places, int64_t blocks)
{
    complaint kept = {""};
    errno = 0;
    TIFF *tiff = open_skeleton(path, &kept);
    if (!tiff)
        return cannot_write(path, errno, &kept);
    sg_err err = check_layout(tiff, path, options, blocks);
    if (err == SG_OK)
        err = copy_blocks(tiff, path, places, blocks, &kept);
    errno = 0;
    if (err == SG_OK && !TIFFFlush(tiff))
        err = cannot_write(path, errno, &kept);
    TIFFClose(tiff); /* it tells of what it could not write by a complaint only */
    return err == SG_OK && kept.text[0] ? cannot_write(path, 0, &kept) : err;
}

sg_err sg_assemble(const char *path, const sg_geotiff_options *options, sg_spool *const *spool,
                   int spools)
{
    int64_t blocks =
        sg_div_up(options->width, options->block) * sg_div_up(options->height, options->block);
    place *places = NULL;
    sg_err err = sg_calloc((size_t)blocks, sizeof *places, &places);
    if (err == SG_OK)
        err = locate_blocks(places, blocks, spool, spools);
    if (err == SG_OK)
        err = sg_geotiff_create(path, options);
    if (err == SG_OK)
        err = fill_skeleton(path, options, places, blocks);
    sg_free(places);
    return err;
}
