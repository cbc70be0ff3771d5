#include "data/tile_layout.h"

#include "base/size.h"

/* Beyond these a file is damaged: GDAL's rasters end at 2^31, and a store of 2^40 tiles has no
 * place. */
static const int64_t side_most = INT32_MAX, tiles_most = INT64_C(1) << 40;

sg_err sg_tile_layout_make(sg_tile_layout *layout, const sg_tile_format *format,
                           const int64_t *size, size_t scenes)
{
    *layout = (sg_tile_layout){.format = *format, .scenes = scenes};
    sg_err err = sg_calloc(scenes, sizeof *layout->scene, &layout->scene);
    for (size_t i = 0; !err && i < scenes; i++) {
        sg_tile_scene *scene = &layout->scene[i];
        *scene = (sg_tile_scene){.width = size[2 * i], .height = size[2 * i + 1]};
        if (scene->width < 1 || scene->height < 1 || scene->width > side_most ||
            scene->height > side_most)
            return sg_fail(SG_EINPUT, "a scene of %lld x %lld pixels is impossible",
                           (long long)scene->width, (long long)scene->height);
        scene->first = layout->tiles;
        scene->across = sg_div_up(scene->width, format->tile);
        scene->down = sg_div_up(scene->height, format->tile);
        layout->tiles += scene->across * scene->down;
        if (layout->tiles > tiles_most)
            return sg_fail(SG_EINPUT, "more than %lld tiles are impossible", (long long)tiles_most);
    }
    return err;
}

void sg_tile_layout_clear(sg_tile_layout *layout)
{
    sg_free(layout->scene);
    *layout = (sg_tile_layout){0};
}

sg_window sg_tile_layout_window(const sg_tile_layout *layout, int64_t tile, size_t *scene)
{
    size_t low = 0, high = layout->scenes; /* the scene lies in low .. high - 1 */
    const int64_t side = layout->format.tile;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (layout->scene[middle].first <= tile)
            low = middle;
        else
            high = middle;
    }
    const sg_tile_scene *s = &layout->scene[low];
    *scene = low;
    return (sg_window){(tile - s->first) % s->across * side, (tile - s->first) / s->across * side,
                       side, side};
}
