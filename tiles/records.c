#include "tiles/records.h"

#include "base/size.h"

void sg_records_make(sg_records *r, const sg_pyramid *pyramid, int64_t chunk_w, int64_t chunk_h)
{
    SG_ASSERT(chunk_w % pyramid->block == 0 && chunk_h % pyramid->block == 0);
    *r = (sg_records){.pyramid = *pyramid, .chunk_w = chunk_w, .chunk_h = chunk_h};
    r->chunks_x = sg_div_up(pyramid->level[0].width, chunk_w);
    r->chunks_y = sg_div_up(pyramid->level[0].height, chunk_h);
}

int64_t sg_records_chunks(const sg_records *r)
{
    return r->chunks_x * r->chunks_y;
}

int64_t sg_records_count(const sg_records *r)
{
    return sg_records_done(r, sg_records_chunks(r));
}

int64_t sg_records_block(const sg_records *r, int32_t level, int64_t x, int64_t y)
{
    const sg_level *l = &r->pyramid.level[level];
    return l->first + y * l->across + x;
}

int64_t sg_records_piece(const sg_records *r, int32_t level, int64_t chunk)
{
    return r->pyramid.blocks + (level - 1) * sg_records_chunks(r) + chunk;
}

int64_t sg_records_done(const sg_records *r, int64_t chunk)
{
    return r->pyramid.blocks + (r->pyramid.levels - 1) * sg_records_chunks(r) + chunk;
}

sg_window sg_records_window(const sg_records *r, int32_t level, int64_t chunk)
{
    const sg_level *l = &r->pyramid.level[level];
    SG_ASSERT(level <= sg_pyramid_direct(&r->pyramid));
    sg_window w = {(chunk % r->chunks_x * r->chunk_w) >> level,
                   (chunk / r->chunks_x * r->chunk_h) >> level, r->chunk_w >> level,
                   r->chunk_h >> level};
    return sg_window_intersect(w, (sg_window){0, 0, l->width, l->height});
}

bool sg_records_whole(const sg_records *r, int32_t level)
{
    int64_t side = r->pyramid.block << level;
    int32_t direct = sg_pyramid_direct(&r->pyramid);
    if (level > direct || (level == direct && r->pyramid.levels > direct + 1 && level > 0))
        return false;
    return (r->chunk_w % side == 0 || r->chunks_x == 1) &&
           (r->chunk_h % side == 0 || r->chunks_y == 1);
}
