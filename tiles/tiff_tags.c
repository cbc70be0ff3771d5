#include "tiles/tiff_tags.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/size.h"

/* Sizes of a directory's parts: classic, BigTIFF. */
static const struct {
    size_t count, entry, value, next;
} SIZES[2] = {{2, 12, 4, 4}, {8, 20, 8, 8}};

static size_t type_bytes(uint16_t type)
{
    static const uint8_t bytes[] = {0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8};
    return type < sizeof bytes ? bytes[type] : 0;
}

static uint64_t number(const uint8_t *at, size_t bytes)
{
    uint64_t value = 0;
    memcpy(&value, at, bytes);
    return value;
}

/* ---- the list ---- */

void sg_tiff_tags_clear(sg_tiff_tags *tags)
{
    for (size_t i = 0; i < tags->count; i++)
        sg_free(tags->tag[i].data);
    sg_free(tags->tag);
    *tags = (sg_tiff_tags){0};
}

const sg_tiff_tag *sg_tiff_tags_find(const sg_tiff_tags *tags, uint16_t tag)
{
    for (size_t i = 0; i < tags->count; i++)
        if (tags->tag[i].tag == tag)
            return &tags->tag[i];
    return NULL;
}

static void insert(sg_tiff_tags *tags, sg_tiff_tag made)
{
    size_t at = 0;
    while (at < tags->count && tags->tag[at].tag < made.tag)
        at++;
    if (at < tags->count && tags->tag[at].tag == made.tag) {
        sg_free(tags->tag[at].data);
    } else {
        memmove(tags->tag + at + 1, tags->tag + at, (tags->count - at) * sizeof *tags->tag);
        tags->count++;
    }
    tags->tag[at] = made;
}

sg_err sg_tiff_tags_set(sg_tiff_tags *tags, uint16_t tag, uint16_t type, uint64_t count,
                        const void *data)
{
    sg_tiff_tag made = {.tag = tag, .type = type, .count = count};
    sg_err err = sg_size_mul((size_t)count, type_bytes(type), &made.bytes);
    if (err == SG_OK)
        err = sg_grow(&tags->tag, &tags->capacity, tags->count + 1, sizeof *tags->tag);
    if (err == SG_OK)
        err = sg_calloc(made.bytes, 1, &made.data);
    if (err != SG_OK)
        return err;
    if (data)
        memcpy(made.data, data, made.bytes);
    insert(tags, made);
    return SG_OK;
}

void sg_tiff_tags_remove(sg_tiff_tags *tags, uint16_t tag)
{
    size_t at = 0;
    while (at < tags->count && tags->tag[at].tag != tag)
        at++;
    if (at == tags->count)
        return;
    sg_free(tags->tag[at].data);
    tags->count--;
    memmove(tags->tag + at, tags->tag + at + 1, (tags->count - at) * sizeof *tags->tag);
}

sg_err sg_tiff_tags_copy(sg_tiff_tags *copy, const sg_tiff_tags *tags, bool (*skip)(uint16_t tag))
{
    sg_err err = SG_OK;
    *copy = (sg_tiff_tags){0};
    for (size_t i = 0; err == SG_OK && i < tags->count; i++) {
        const sg_tiff_tag *t = &tags->tag[i];
        if (!skip(t->tag))
            err = sg_tiff_tags_set(copy, t->tag, t->type, t->count, t->data);
    }
    return err;
}

/* ---- reading ---- */

typedef struct {
    FILE *file;
    const char *path;
    bool big;
} source;

static sg_err damaged(const source *s)
{
    return sg_fail(SG_EINPUT, "%s: cannot be read as a TIFF", s->path);
}

static sg_err read_at(const source *s, uint64_t offset, void *out, size_t bytes)
{
    if (fseeko(s->file, (off_t)offset, SEEK_SET) != 0 || fread(out, 1, bytes, s->file) != bytes)
        return damaged(s);
    return SG_OK;
}

static sg_err read_header(source *s, uint64_t *directory)
{
    uint8_t head[16] = {0};
    size_t got = fread(head, 1, sizeof head, s->file);
    uint64_t version = number(head + 2, 2);
    if (got < sizeof head || memcmp(head, "II", 2) != 0 || (version != 42 && version != 43))
        return damaged(s);
    s->big = version == 43;
    *directory = s->big ? number(head + 8, 8) : number(head + 4, 4);
    return SG_OK;
}

static sg_err read_entry(const source *s, sg_tiff_tags *tags, uint64_t offset)
{
    size_t value = SIZES[s->big].value;
    uint8_t entry[20], *data = NULL;
    sg_err err = read_at(s, offset, entry, SIZES[s->big].entry);
    if (err != SG_OK)
        return err;
    uint16_t tag = (uint16_t)number(entry, 2), type = (uint16_t)number(entry + 2, 2);
    uint64_t count = number(entry + 4, value);
    size_t each = type_bytes(type), bytes;
    if (each == 0 || count > (UINT64_C(1) << 40))
        return damaged(s);
    err = sg_size_mul((size_t)count, each, &bytes);
    if (err == SG_OK && bytes <= value)
        return sg_tiff_tags_set(tags, tag, type, count, entry + 4 + value);
    if (err == SG_OK)
        err = sg_malloc(bytes, 1, &data);
    if (err == SG_OK)
        err = read_at(s, number(entry + 4 + value, value), data, bytes);
    if (err == SG_OK)
        err = sg_tiff_tags_set(tags, tag, type, count, data);
    sg_free(data);
    return err;
}

static sg_err read_tags(source *s, sg_tiff_tags *tags)
{
    uint64_t directory = 0;
    uint8_t count[8] = {0};
    sg_err err = read_header(s, &directory);
    if (err == SG_OK)
        err = read_at(s, directory, count, SIZES[s->big].count);
    uint64_t entries = number(count, 8);
    for (uint64_t i = 0; err == SG_OK && i < entries; i++)
        err = read_entry(s, tags, directory + SIZES[s->big].count + i * SIZES[s->big].entry);
    return err;
}

sg_err sg_tiff_tags_read(sg_tiff_tags *tags, const char *path)
{
    source s = {fopen(path, "rbe"), path, false};
    *tags = (sg_tiff_tags){0};
    if (!s.file)
        return sg_fail(SG_EINPUT, "%s: cannot be read: %s", path, strerror(errno));
    sg_err err = read_tags(&s, tags);
    fclose(s.file);
    if (err != SG_OK)
        sg_tiff_tags_clear(tags);
    return err;
}

/* ---- writing ---- */

/* Data behind the directory begins at multiples of 8. */
static size_t outside(const sg_tiff_tag *tag, bool big)
{
    return tag->bytes <= SIZES[big].value ? 0 : (tag->bytes + 7) / 8 * 8;
}

static size_t directory_bytes(const sg_tiff_tags *tags, bool big)
{
    size_t bytes = SIZES[big].count + tags->count * SIZES[big].entry + SIZES[big].next;
    return (bytes + 7) / 8 * 8;
}

size_t sg_tiff_tags_bytes(const sg_tiff_tags *tags, bool big)
{
    size_t bytes = directory_bytes(tags, big);
    for (size_t i = 0; i < tags->count; i++)
        bytes += outside(&tags->tag[i], big);
    return bytes;
}

void sg_tiff_tags_write(const sg_tiff_tags *tags, bool big, uint64_t offset, uint64_t next,
                        uint8_t *out)
{
    size_t value = SIZES[big].value, at = directory_bytes(tags, big);
    uint64_t count = tags->count;
    memset(out, 0, sg_tiff_tags_bytes(tags, big));
    memcpy(out, &count, SIZES[big].count);
    uint8_t *entry = out + SIZES[big].count;
    for (size_t i = 0; i < tags->count; i++, entry += SIZES[big].entry) {
        const sg_tiff_tag *t = &tags->tag[i];
        uint64_t place = offset + at;
        memcpy(entry, &t->tag, 2);
        memcpy(entry + 2, &t->type, 2);
        memcpy(entry + 4, &t->count, value);
        if (outside(t, big) == 0) {
            memcpy(entry + 4 + value, t->data, t->bytes);
            continue;
        }
        memcpy(entry + 4 + value, &place, value);
        memcpy(out + at, t->data, t->bytes);
        at += outside(t, big);
    }
    memcpy(entry, &next, SIZES[big].next);
}
