#include "data/tile_pack.h"

#include <math.h>
#include <string.h>

#include "base/size.h"
#include "data/classes.h"
#include "data/compress.h"

/* What stands before the packed parts of a record. */
typedef struct {
    uint32_t bytes[SG_TILE_PARTS]; /* packed, 0: left out */
    uint32_t crc[SG_TILE_PARTS];
} record_head;

struct sg_tile_packer {
    sg_tile_format format;
    uint8_t *plain, *shuffled; /* one part */
    uint8_t *record;
    size_t room; /* bytes of record */
};

static size_t element_size(const sg_tile_format *format, sg_tile_part part)
{
    return part == SG_TILE_IMAGE ? sg_chunks_type_size(format->type) : 1;
}

size_t sg_tile_part_bytes(const sg_tile_format *format, sg_tile_part part)
{
    size_t area = (size_t)format->tile * (size_t)format->tile;
    return area * element_size(format, part) * (part == SG_TILE_IMAGE ? (size_t)format->bands : 1);
}

uint8_t sg_tile_part_fill(sg_tile_part part)
{
    static const uint8_t fill[] = {0, 1, SG_NO_CLASS};
    return fill[part];
}

/* ---- packing ---- */

sg_err sg_tile_packer_open(sg_tile_packer **out, const sg_tile_format *format)
{
    sg_tile_packer *packer = NULL;
    size_t most = sg_tile_part_bytes(format, SG_TILE_IMAGE);
    sg_err err = sg_calloc(1, sizeof *packer, &packer);
    if (err)
        return err;
    packer->format = *format;
    packer->room = sizeof(record_head);
    for (int part = 0; part < SG_TILE_PARTS; part++)
        packer->room += sg_deflate_bound(sg_tile_part_bytes(format, part));
    err = sg_malloc(most, 1, &packer->plain);
    if (!err)
        err = sg_malloc(most, 1, &packer->shuffled);
    if (!err)
        err = sg_malloc(packer->room, 1, &packer->record);
    if (err) {
        sg_tile_packer_close(packer);
        return err;
    }
    *out = packer;
    return SG_OK;
}

void sg_tile_packer_close(sg_tile_packer *packer)
{
    if (!packer)
        return;
    sg_free(packer->plain);
    sg_free(packer->shuffled);
    sg_free(packer->record);
    sg_free(packer);
}

/* Values of one band, which lie `bands` apart, in an integer type; false where one does not fit. */
#define PUT_INTEGERS(type, least, most)                                                            \
    do {                                                                                           \
        type *to = out;                                                                            \
        for (size_t i = 0; i < area; i++) {                                                        \
            float value = pixels[i * bands];                                                       \
            fits &= value >= (least) && value <= (most) && value == truncf(value);                 \
            to[i] = fits ? (type)value : 0;                                                        \
        }                                                                                          \
    } while (0)

static bool put_band(sg_chunks_type type, const float *pixels, size_t bands, size_t area, void *out)
{
    bool fits = true;
    switch (type) {
    case SG_CHUNKS_U8:
        PUT_INTEGERS(uint8_t, 0, UINT8_MAX);
        break;
    case SG_CHUNKS_U16:
        PUT_INTEGERS(uint16_t, 0, UINT16_MAX);
        break;
    case SG_CHUNKS_I16:
        PUT_INTEGERS(int16_t, INT16_MIN, INT16_MAX);
        break;
    case SG_CHUNKS_F32:
        for (size_t i = 0; i < area; i++)
            ((float *)out)[i] = pixels[i * bands];
        break;
    case SG_CHUNKS_TYPES:
        break;
    }
    return fits;
}

/* HDF5's shuffle: the first bytes of all elements, then the second ones ... */
static void shuffle(const uint8_t *in, size_t bytes, size_t size, uint8_t *out)
{
    size_t count = bytes / size;
    for (size_t k = 0; k < size; k++)
        for (size_t i = 0; i < count; i++)
            out[k * count + i] = in[i * size + k];
}

static void unshuffle(const uint8_t *in, size_t bytes, size_t size, uint8_t *out)
{
    size_t count = bytes / size;
    for (size_t k = 0; k < size; k++)
        for (size_t i = 0; i < count; i++)
            out[i * size + k] = in[k * count + i];
}

static bool is_filled(const uint8_t *values, size_t bytes, uint8_t fill)
{
    return values[0] == fill && memcmp(values, values + 1, bytes - 1) == 0;
}

/* Append a part to the record. */
static sg_err pack_part(sg_tile_packer *packer, sg_tile_part part, const uint8_t *plain,
                        size_t *used)
{
    const sg_tile_format *format = &packer->format;
    size_t bytes = sg_tile_part_bytes(format, part), size = element_size(format, part);
    size_t packed = packer->room - *used;
    record_head *head = (record_head *)packer->record;
    if (is_filled(plain, bytes, sg_tile_part_fill(part)))
        return SG_OK;
    if (size > 1) {
        shuffle(plain, bytes, size, packer->shuffled);
        plain = packer->shuffled;
    }
    sg_err err = sg_deflate(plain, bytes, format->deflate, packer->record + *used, &packed);
    if (err)
        return err;
    if (packed > UINT32_MAX)
        return sg_fail(SG_EUNSUPPORTED, "a tile of %zu bytes is too large; take a smaller one",
                       bytes);
    head->bytes[part] = (uint32_t)packed;
    head->crc[part] = sg_crc32(0, packer->record + *used, packed);
    *used += packed;
    return SG_OK;
}

sg_err sg_tile_pack(sg_tile_packer *packer, const float *pixels, const uint8_t *valid,
                    const uint8_t *labels, const uint8_t **record, size_t *bytes)
{
    const sg_tile_format *format = &packer->format;
    size_t area = (size_t)format->tile * (size_t)format->tile, bands = (size_t)format->bands;
    size_t size = sg_chunks_type_size(format->type), used = sizeof(record_head);
    memset(packer->record, 0, sizeof(record_head));
    for (size_t b = 0; b < bands; b++)
        if (!put_band(format->type, pixels + b, bands, area, packer->plain + b * area * size))
            return sg_fail(SG_EINPUT, "a pixel of band %zu is no value of type %s", b + 1,
                           sg_chunks_type_name(format->type));
    sg_err err = pack_part(packer, SG_TILE_IMAGE, packer->plain, &used);
    if (!err)
        err = pack_part(packer, SG_TILE_VALID, valid, &used);
    if (!err)
        err = pack_part(packer, SG_TILE_LABELS, labels, &used);
    *record = packer->record;
    *bytes = used;
    return err;
}

/* ---- and back ---- */

bool sg_tile_record_part(const uint8_t *record, size_t bytes, sg_tile_part part,
                         const uint8_t **packed, size_t *packed_bytes, uint32_t *crc)
{
    record_head head;
    size_t at = sizeof head;
    if (bytes < sizeof head)
        return false;
    memcpy(&head, record, sizeof head);
    for (int i = 0; i < (int)part; i++)
        at += head.bytes[i];
    *packed = record + at;
    *packed_bytes = head.bytes[part];
    *crc = head.crc[part];
    return at + head.bytes[part] <= bytes && sg_crc32(0, *packed, *packed_bytes) == *crc;
}

sg_err sg_tile_unpack(const sg_tile_format *format, sg_tile_part part, const uint8_t *packed,
                      size_t packed_bytes, uint8_t *room, uint8_t *out)
{
    size_t bytes = sg_tile_part_bytes(format, part), size = element_size(format, part);
    sg_err err = sg_inflate(packed, packed_bytes, size > 1 ? room : out, bytes);
    if (!err && size > 1)
        unshuffle(room, bytes, size, out);
    return err;
}
