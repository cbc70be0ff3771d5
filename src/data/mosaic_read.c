#include "data/mosaic_private.h"

#include <cpl_conv.h>
#include <cpl_string.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/size.h"

/* Members that a handle keeps open: files are few in a process. */
enum { OPEN_MOST = 32 };

typedef struct {
    char *path; /* owned */
    sg_window window;
    sg_raster *raster; /* NULL: not open */
    int64_t used;      /* when it was last read */
} member;

struct sg_mosaic {
    member *item; /* owned */
    size_t count, capacity, open;
    int64_t reads;
    float *pixels; /* scratch: a member's */
    uint8_t *valid;
    size_t pixels_capacity, valid_capacity;
};

static sg_err add_member(sg_mosaic *mosaic, const char *text)
{
    long long x, y, w, h;
    int path = 0;
    if (sscanf(text, "%lld %lld %lld %lld %n", &x, &y, &w, &h, &path) != 4 || path == 0)
        return sg_fail(SG_EINPUT, "a mosaic's member is no \"X Y WIDTH HEIGHT PATH\": %s", text);
    sg_err err = sg_grow(&mosaic->item, &mosaic->capacity, mosaic->count + 1, sizeof *mosaic->item);
    if (err == SG_OK)
        mosaic->item[mosaic->count++] =
            (member){.path = CPLStrdup(text + path), .window = {x, y, w, h}};
    return err;
}

sg_err sg_mosaic_open(sg_mosaic **out, GDALDatasetH dataset)
{
    char **list = GDALGetMetadata(dataset, SG_MOSAIC_DOMAIN);
    sg_mosaic *mosaic = NULL;
    *out = NULL;
    if (!list)
        return SG_OK;
    sg_err err = sg_calloc(1, sizeof *mosaic, &mosaic);
    for (int i = 1; err == SG_OK; i++) {
        char name[32];
        snprintf(name, sizeof name, "MEMBER_%d", i);
        const char *text = CSLFetchNameValue(list, name);
        if (!text)
            break;
        err = add_member(mosaic, text);
    }
    if (err != SG_OK) {
        sg_mosaic_close(mosaic);
        return err;
    }
    *out = mosaic;
    return SG_OK;
}

void sg_mosaic_close(sg_mosaic *mosaic)
{
    if (!mosaic)
        return;
    for (size_t i = 0; i < mosaic->count; i++) {
        sg_raster_close(mosaic->item[i].raster);
        CPLFree(mosaic->item[i].path);
    }
    sg_free(mosaic->item);
    sg_free(mosaic->pixels);
    sg_free(mosaic->valid);
    sg_free(mosaic);
}

static void close_oldest(sg_mosaic *mosaic)
{
    member *oldest = NULL;
    for (size_t i = 0; i < mosaic->count; i++) {
        member *one = &mosaic->item[i];
        if (one->raster && (!oldest || one->used < oldest->used))
            oldest = one;
    }
    sg_raster_close(oldest->raster);
    oldest->raster = NULL;
    mosaic->open--;
}

static sg_err open_member(const sg_raster *whole, member *m)
{
    sg_mosaic *mosaic = whole->mosaic;
    m->used = ++mosaic->reads;
    if (m->raster)
        return SG_OK;
    if (mosaic->open == OPEN_MOST)
        close_oldest(mosaic);
    sg_err err = sg_raster_open(&m->raster, m->path, whole->number, whole->bands);
    if (err != SG_OK)
        return err;
    mosaic->open++;
    m->raster->has_fill = whole->has_fill;
    m->raster->fill = whole->fill;
    return SG_OK;
}

/* A window of the mosaic in a member's pixels. */
static sg_window in_member(const member *m, sg_window window)
{
    return (sg_window){window.x - m->window.x, window.y - m->window.y, window.w, window.h};
}

static sg_err grow_scratch(sg_mosaic *mosaic, sg_window part, int32_t bands)
{
    size_t pixels = (size_t)(part.w * part.h);
    sg_err err = sg_grow(&mosaic->pixels, &mosaic->pixels_capacity, pixels * (size_t)bands,
                         sizeof *mosaic->pixels);
    return err == SG_OK ? sg_grow(&mosaic->valid, &mosaic->valid_capacity, pixels, 1) : err;
}

/* Where a part of the result lies. */
typedef struct {
    float *pixels;
    uint8_t *valid;
    size_t stride;
} target;

static bool is_full(const target *t, sg_window part)
{
    for (int64_t y = 0; y < part.h; y++)
        if (memchr(t->valid + (size_t)y * t->stride, 0, (size_t)part.w))
            return false;
    return true;
}

/* What the member has, where no member before had data. */
static void lay_below(const sg_mosaic *mosaic, const target *t, sg_window part, size_t bands)
{
    for (int64_t y = 0; y < part.h; y++) {
        const uint8_t *valid = mosaic->valid + y * part.w;
        const float *pixels = mosaic->pixels + (size_t)(y * part.w) * bands;
        uint8_t *have = t->valid + (size_t)y * t->stride;
        float *out = t->pixels + (size_t)y * t->stride * bands;
        for (size_t x = 0; x < (size_t)part.w; x++) {
            if (have[x] || !valid[x])
                continue;
            memcpy(out + x * bands, pixels + x * bands, bands * sizeof *out);
            have[x] = 1;
        }
    }
}

sg_err sg_mosaic_read(const sg_raster *raster, sg_window inner, float *pixels, uint8_t *valid,
                      size_t stride)
{
    sg_mosaic *mosaic = raster->mosaic;
    size_t bands = (size_t)raster->bands;
    sg_err err = SG_OK;
    for (size_t i = 0; err == SG_OK && i < mosaic->count; i++) {
        member *m = &mosaic->item[i];
        sg_window part = sg_window_intersect(inner, m->window);
        if (sg_window_is_empty(part))
            continue;
        size_t skip = (size_t)(part.y - inner.y) * stride + (size_t)(part.x - inner.x);
        target t = {pixels + skip * bands, valid + skip, stride};
        if (is_full(&t, part))
            continue;
        err = open_member(raster, m);
        if (err == SG_OK)
            err = grow_scratch(mosaic, part, raster->bands);
        if (err == SG_OK)
            err = sg_raster_read(m->raster, in_member(m, part), mosaic->pixels, mosaic->valid);
        if (err == SG_OK)
            lay_below(mosaic, &t, part, bands);
    }
    return err;
}

sg_err sg_mosaic_is_blank(const sg_raster *raster, sg_window window, bool *blank)
{
    sg_mosaic *mosaic = raster->mosaic;
    sg_err err = SG_OK;
    *blank = true;
    for (size_t i = 0; err == SG_OK && *blank && i < mosaic->count; i++) {
        member *m = &mosaic->item[i];
        sg_window part = sg_window_intersect(window, m->window);
        if (sg_window_is_empty(part))
            continue;
        err = open_member(raster, m);
        if (err == SG_OK)
            err = sg_raster_is_blank(m->raster, in_member(m, part), blank);
    }
    return err;
}
