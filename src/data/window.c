#include "data/window.h"

#include "base/size.h"

sg_window sg_window_intersect(sg_window a, sg_window b)
{
    int64_t x = sg_max64(a.x, b.x), y = sg_max64(a.y, b.y);
    int64_t right = sg_min64(a.x + a.w, b.x + b.w), low = sg_min64(a.y + a.h, b.y + b.h);
    return (sg_window){x, y, sg_max64(right - x, 0), sg_max64(low - y, 0)};
}

bool sg_window_is_empty(sg_window window)
{
    return window.w <= 0 || window.h <= 0;
}

bool sg_window_contains(sg_window outer, sg_window inner)
{
    return inner.x >= outer.x && inner.y >= outer.y && inner.x + inner.w <= outer.x + outer.w &&
           inner.y + inner.h <= outer.y + outer.h;
}
