/*
 * Train, validation and test by geography. [local]
 *
 * By scene: each scene belongs to one split. By blocks: a scene is cut into square blocks, dealt to
 * splits by a seed, and each block shrinks by half the guard on the sides where its neighbour
 * belongs to another split, so that no training window touches a validation pixel.
 */
#ifndef SG_TILES_SPLIT_H
#define SG_TILES_SPLIT_H

#include "data/raster.h"

typedef enum { SG_SPLIT_TRAIN, SG_SPLIT_VAL, SG_SPLIT_TEST, SG_SPLITS } sg_split;

typedef struct {
    int32_t scene; /* index */
    sg_split split;
    sg_window window; /* crops and validation tiles lie inside */
} sg_region;

typedef struct {
    sg_region *item; /* owned */
    size_t count, capacity;
} sg_regions;

const char *sg_split_name(sg_split split);
/* The whole scene as one region. */
sg_err sg_regions_add_scene(sg_regions *regions, int32_t scene, sg_split split, int64_t width,
                            int64_t height);
typedef struct {
    int64_t block;    /* pixels */
    int64_t guard;    /* pixels between splits */
    double val, test; /* shares of blocks */
    uint64_t seed;
} sg_block_split;
/* Blocks of one split that lie side by side in a row are joined. */
sg_err sg_regions_add_blocks(sg_regions *regions, int32_t scene, int64_t width, int64_t height,
                             const sg_block_split *options);
void sg_regions_clear(sg_regions *regions);
/* Where things of regions are counted through, first[i] being region i's first: the region that
 * holds number `index`, of so many. */
size_t sg_regions_find(const uint64_t *first, size_t regions, uint64_t index);

/*
 * Two scenes of different splits that overlap on the ground by at least a pixel are refused:
 * SG_EUSAGE names both files. Scenes without CRS or geotransform are compared by path only.
 */
sg_err sg_split_check_overlap(const sg_raster_info *const *info, const sg_georef *const *georef,
                              const sg_split *split, int32_t scenes);

#endif
