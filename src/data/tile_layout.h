/*
 * Where the tiles of a tile store lie: each scene is cut by a grid from its upper left pixel, and
 * tiles are numbered scene by scene, row by row. The last ones of a row or column reach over the
 * scene's edge: what they hold there has no data. [local]
 */
#ifndef SG_DATA_TILE_LAYOUT_H
#define SG_DATA_TILE_LAYOUT_H

#include "data/tile_pack.h"
#include "data/window.h"

enum { SG_TILE_LEAST = 16, SG_TILE_MOST = 4096 }; /* side, pixels */

typedef struct {
    int64_t width, height; /* pixels */
    int64_t first;         /* its first tile */
    int64_t across, down;  /* tiles */
} sg_tile_scene;

typedef struct {
    sg_tile_format format;
    size_t scenes;
    sg_tile_scene *scene; /* [scenes], owned */
    int64_t tiles;
} sg_tile_layout;

/* size: (scenes, 2), width and height. SG_EINPUT: impossible ones, or too many tiles. */
sg_err sg_tile_layout_make(sg_tile_layout *layout, const sg_tile_format *format,
                           const int64_t *size, size_t scenes);
void sg_tile_layout_clear(sg_tile_layout *layout);
/* The pixels of a tile, and its scene. */
sg_window sg_tile_layout_window(const sg_tile_layout *layout, int64_t tile, size_t *scene);

#endif
