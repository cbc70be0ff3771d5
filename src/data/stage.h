/*
 * Scenes staged: copies on a disk of the node, made once, from which training reads fast. A copy is
 * what training reads of a scene and nothing else: its chosen bands, those of layers among them, as
 * a plain tiled GeoTIFF with a mask where pixels have no data, and its labels burned onto the same
 * grid. Reading the copy gives the bytes that reading the scene gives. All [local].
 */
#ifndef SG_DATA_STAGE_H
#define SG_DATA_STAGE_H

#include "base/hash.h"
#include "data/loader.h"

/* How copies are read: their bands in order, their labels by class value. */
sg_spec sg_stage_spec(const sg_spec *spec);
sg_label_options sg_stage_label_options(void);

/*
 * Make the copy of scenes->scene[index] in a folder, unless it is there already (of the same files,
 * sizes and times, read in the same way), and point *staged at it; made: its bytes, 0 when it was
 * there. Any number of processes may stage the same scene at once. SG_EINPUT, SG_EOUTPUT.
 */
sg_err sg_stage_scene(const char *folder, const sg_scenes *scenes, int32_t index, sg_scene *staged,
                      int64_t *made);

/* Go on from a hash (base/hash.h) with what makes a file the same: name, size and time. */
uint64_t sg_stage_hash_file(uint64_t hash, const char *path);
/* A number of what is read of a scene, and how: of its files' names, sizes and times, bands,
 * classes and the like. */
sg_err sg_stage_hash(const sg_scenes *scenes, const sg_scene *scene, uint64_t *hash);

/* The copy of a tile store in a folder, unless it is there already (of the same file, size and
 * time): its path into staged (SG_PATH_MAX bytes). made: its bytes, 0 when it was there. */
sg_err sg_stage_tiles(const char *folder, const char *path, char *staged, int64_t *made);

#endif
