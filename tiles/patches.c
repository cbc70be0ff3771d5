/*
 * A row is cut into runs of one value. A run that touches runs of its value in the row above takes
 * part in their patches, which become one (union-find over the slots of live patches); a slot is
 * given back when its patch has ended, or has become part of another, so there are never more of
 * them than two rows have runs.
 */
#include "tiles/patches.h"

#include "base/size.h"

typedef struct {
    int64_t x, end;
    int32_t slot;
    uint8_t value;
} run;

typedef struct {
    run *item; /* owned */
    size_t count, capacity;
} runs;

typedef struct {
    sg_patch patch;
    int32_t parent; /* itself: a patch; another slot: part of that one's */
    int64_t last;   /* row that it reaches */
} slot;

struct sg_patches {
    int64_t width, y; /* the next row */
    uint8_t nodata;
    int64_t aside; /* columns by which connected runs may miss each other */
    sg_ground ground;
    runs above, row;
    slot *slots; /* owned */
    size_t slots_used, slots_capacity;
    int32_t *spare, *joined; /* slots to be used again, now and when the row is done; owned */
    size_t spares, spare_capacity, joins, joined_capacity;
    sg_patch *ended; /* owned */
    size_t ends, ended_capacity;
};

sg_err sg_patches_create(sg_patches **out, int64_t width, uint8_t nodata, bool corners,
                         const sg_ground *ground)
{
    sg_patches *p = NULL;
    sg_err err = sg_calloc(1, sizeof *p, &p);
    if (err == SG_OK) {
        p->width = width;
        p->nodata = nodata;
        p->aside = corners;
        p->ground = *ground;
    }
    *out = p;
    return err;
}

void sg_patches_close(sg_patches *p)
{
    if (!p)
        return;
    sg_free(p->above.item);
    sg_free(p->row.item);
    sg_free(p->slots);
    sg_free(p->spare);
    sg_free(p->joined);
    sg_free(p->ended);
    sg_free(p);
}

/* ---- slots ---- */

static int32_t find(sg_patches *p, int32_t s)
{
    while (p->slots[s].parent != s) {
        p->slots[s].parent = p->slots[p->slots[s].parent].parent;
        s = p->slots[s].parent;
    }
    return s;
}

static sg_err push(int32_t **list, size_t *count, size_t *capacity, int32_t s)
{
    sg_err err = sg_grow(list, capacity, *count + 1, sizeof **list);
    if (err == SG_OK)
        (*list)[(*count)++] = s;
    return err;
}

static sg_err begin_patch(sg_patches *p, const run *r, int32_t *s)
{
    if (p->spares > 0) {
        *s = p->spare[--p->spares];
    } else {
        sg_err err = sg_grow(&p->slots, &p->slots_capacity, p->slots_used + 1, sizeof *p->slots);
        if (err != SG_OK)
            return err;
        *s = (int32_t)p->slots_used++;
    }
    p->slots[*s] = (slot){.patch = {.x = r->x, .y = p->y, .value = r->value}, .parent = *s};
    return SG_OK;
}

/* Sums are added in the order in which the patches begin: the result has one order too. */
static sg_err join(sg_patches *p, int32_t a, int32_t b)
{
    sg_patch *one = &p->slots[a].patch, *two = &p->slots[b].patch;
    if (a == b)
        return SG_OK;
    if (two->y < one->y || (two->y == one->y && two->x < one->x))
        return join(p, b, a);
    one->pixels += two->pixels;
    one->confidence += two->confidence;
    one->area += two->area;
    p->slots[b].parent = a;
    return push(&p->joined, &p->joins, &p->joined_capacity, b);
}

/* ---- rows ---- */

static sg_err cut(sg_patches *p, const uint8_t *values)
{
    sg_err err = SG_OK;
    p->row.count = 0;
    for (int64_t x = 0, end; err == SG_OK && x < p->width; x = end) {
        for (end = x + 1; end < p->width && values[end] == values[x];)
            end++;
        if (values[x] == p->nodata)
            continue;
        err = sg_grow(&p->row.item, &p->row.capacity, p->row.count + 1, sizeof *p->row.item);
        if (err == SG_OK)
            p->row.item[p->row.count++] = (run){x, end, -1, values[x]};
    }
    return err;
}

/* Every run of the row finds its slot: that of the runs above that it touches, or a new one. */
static sg_err connect(sg_patches *p)
{
    sg_err err = SG_OK;
    size_t first = 0; /* of the runs above, the first that may touch */
    for (size_t i = 0; err == SG_OK && i < p->row.count; i++) {
        run *r = &p->row.item[i];
        while (first < p->above.count && p->above.item[first].end + p->aside <= r->x)
            first++;
        for (size_t k = first; err == SG_OK && k < p->above.count; k++) {
            const run *a = &p->above.item[k];
            if (a->x >= r->end + p->aside)
                break;
            if (a->value != r->value)
                continue;
            int32_t s = find(p, a->slot);
            if (r->slot < 0)
                r->slot = s;
            else
                err = join(p, find(p, r->slot), s);
        }
        if (err == SG_OK && r->slot < 0)
            err = begin_patch(p, r, &r->slot);
    }
    return err;
}

static void add_pixels(sg_patches *p, const float *confidence)
{
    sg_ground_set_row(&p->ground, p->y);
    for (size_t i = 0; i < p->row.count; i++) {
        run *r = &p->row.item[i];
        r->slot = find(p, r->slot);
        slot *s = &p->slots[r->slot];
        double sum = 0;
        for (int64_t x = r->x; confidence && x < r->end; x++)
            sum += (double)confidence[x];
        s->last = p->y;
        s->patch.pixels += r->end - r->x;
        s->patch.confidence += sum;
        s->patch.area += sg_ground_run(&p->ground, r->x, r->end - r->x);
    }
}

/* Patches of the row above that the new one does not reach. */
static sg_err end_patches(sg_patches *p)
{
    sg_err err = SG_OK;
    p->ends = 0;
    for (size_t i = 0; err == SG_OK && i < p->above.count; i++) {
        int32_t s = find(p, p->above.item[i].slot);
        if (p->slots[s].last == p->y || p->slots[s].patch.pixels == 0)
            continue;
        err = sg_grow(&p->ended, &p->ended_capacity, p->ends + 1, sizeof *p->ended);
        if (err != SG_OK)
            break;
        sg_patch *patch = &p->slots[s].patch;
        patch->area = sg_ground_total(&p->ground, patch->pixels, patch->area);
        p->ended[p->ends++] = *patch;
        patch->pixels = 0; /* told of */
        err = push(&p->joined, &p->joins, &p->joined_capacity, s);
    }
    for (; err == SG_OK && p->joins > 0; p->joins--)
        err = push(&p->spare, &p->spares, &p->spare_capacity, p->joined[p->joins - 1]);
    return err;
}

sg_err sg_patches_row(sg_patches *p, const uint8_t *values, const float *confidence,
                      const sg_patch **ended, size_t *count)
{
    sg_err err = SG_OK;
    p->row.count = 0;
    if (values)
        err = cut(p, values);
    if (err == SG_OK)
        err = connect(p);
    if (err == SG_OK) {
        add_pixels(p, confidence);
        err = end_patches(p);
    }
    runs above = p->above;
    p->above = p->row;
    p->row = above;
    p->y++;
    *ended = p->ended;
    *count = p->ends;
    return err;
}
