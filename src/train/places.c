#include "train/places.h"

#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "base/size.h"

int64_t sg_places_wanted(int32_t classes)
{
    return sg_min64(SG_PLACES_MOST, SG_PLACES_ALL_MOST / classes);
}

/* A number of the pixel's own is below the share that is wanted. */
bool sg_places_holds(uint64_t seed, const sg_place *place, int64_t pixels, int64_t wanted)
{
    if (pixels <= wanted)
        return true;
    uint64_t pixel = (uint64_t)place->y << 32 | (uint64_t)place->x;
    sg_random4 r = sg_random(seed, SG_STREAM_PLACE, pixel, (uint32_t)place->region);
    return (double)r.v[0] * 0x1p-32 < (double)wanted / (double)pixels;
}

static int compare(const void *a, const void *b)
{
    const sg_place *p = a, *q = b;
    const int64_t one[] = {p->class, p->region, p->y, p->x};
    const int64_t two[] = {q->class, q->region, q->y, q->x};
    for (int i = 0; i < 4; i++)
        if (one[i] != two[i])
            return one[i] < two[i] ? -1 : 1;
    return 0;
}

sg_err sg_places_make(sg_places *places, int32_t classes, sg_place *item, size_t count)
{
    *places = (sg_places){.classes = classes, .item = item};
    sg_err err = sg_calloc((size_t)classes + 1, sizeof *places->first, &places->first);
    if (err) {
        sg_places_clear(places);
        return err;
    }
    if (count > 0)
        qsort(item, count, sizeof *item, compare);
    for (size_t i = 0; i < count; i++)
        places->first[item[i].class + 1]++;
    for (int32_t c = 0; c < classes; c++)
        places->first[c + 1] += places->first[c];
    return SG_OK;
}

void sg_places_clear(sg_places *places)
{
    sg_free(places->first);
    sg_free(places->item);
    memset(places, 0, sizeof *places);
}
