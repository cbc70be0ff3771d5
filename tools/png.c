/* PNG (Portable Network Graphics, second edition, W3C 2003): a header, one block of deflated rows.
 */
#include "tools/png.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/size.h"
#include "data/compress.h"

static void put_u32(uint8_t *out, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        out[i] = (uint8_t)(value >> (24 - 8 * i));
}

static int write_chunk(FILE *file, const char *kind, const uint8_t *data, uint32_t bytes)
{
    uint8_t length[4], check[4];
    put_u32(length, bytes);
    put_u32(check, sg_crc32(sg_crc32(0, kind, 4), data, bytes));
    return fwrite(length, 1, 4, file) == 4 && fwrite(kind, 1, 4, file) == 4 &&
           fwrite(data, 1, bytes, file) == bytes && fwrite(check, 1, 4, file) == 4;
}

static int write_chunks(FILE *file, const uint8_t *packed, size_t bytes, uint32_t width,
                        uint32_t height)
{
    static const uint8_t signature[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    uint8_t header[13] = {0, 0, 0, 0, 0, 0, 0, 0, 8, 2, 0, 0, 0}; /* 8 bits, RGB */
    put_u32(header, width);
    put_u32(header + 4, height);
    return fwrite(signature, 1, 8, file) == 8 && write_chunk(file, "IHDR", header, 13) &&
           write_chunk(file, "IDAT", packed, (uint32_t)bytes) &&
           write_chunk(file, "IEND", header, 0);
}

/* Rows with the filter byte 0 before each, deflated. */
static sg_err pack(const uint8_t *pixels, uint32_t width, uint32_t height, uint8_t **packed,
                   size_t *bytes)
{
    size_t row = 3 * (size_t)width;
    uint8_t *rows = NULL;
    sg_err err = sg_calloc(height, row + 1, &rows);
    for (uint32_t y = 0; err == SG_OK && y < height; y++)
        memcpy(rows + y * (row + 1) + 1, pixels + y * row, row);
    *bytes = sg_deflate_bound(height * (row + 1));
    if (err == SG_OK)
        err = sg_malloc(*bytes, 1, packed);
    if (err == SG_OK)
        err = sg_deflate(rows, height * (row + 1), 6, *packed, bytes);
    sg_free(rows);
    return err;
}

sg_err png_write(const char *path, const uint8_t *pixels, uint32_t width, uint32_t height)
{
    char temporary[SG_PATH_MAX];
    uint8_t *packed = NULL;
    size_t bytes = 0;
    FILE *file = NULL;
    sg_err err = pack(pixels, width, height, &packed, &bytes);
    if (err == SG_OK)
        err = sg_file_temporary(path, temporary);
    if (err != SG_OK)
        goto done;
    file = fopen(temporary, "wb");
    int written = file != NULL && write_chunks(file, packed, bytes, width, height);
    if ((file != NULL && fclose(file) != 0) || !written) {
        err = sg_fail(SG_EOUTPUT, "%s cannot be written: %s", path, strerror(errno));
        sg_file_discard(temporary);
    } else {
        err = sg_file_commit(temporary, path);
    }
done:
    sg_free(packed);
    return err;
}
