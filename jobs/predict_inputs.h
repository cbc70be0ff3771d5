/*
 * What is mapped: the words of the command line, as scenes. A word is a raster; a folder; "@FILE",
 * a text with a word a line; or a STAC file (.json, .geojson).
 */
#ifndef SG_JOBS_PREDICT_INPUTS_H
#define SG_JOBS_PREDICT_INPUTS_H

#include "base/file.h"
#include "comm/comm.h"
#include "data/spec.h"

typedef struct {
    char path[SG_PATH_MAX]; /* as GDAL opens it */
    char stem[SG_PATH_MAX]; /* what its outputs are named for */
} sg_input;

typedef struct {
    sg_input *item; /* owned */
    size_t count, capacity;
} sg_inputs;

/*
 * Rank 0 looks, all ranks get the same. assets: of STAC items, names parted by commas, or NULL.
 * SG_EUSAGE, SG_EINPUT: a folder or list without scenes, a damaged list or STAC file. [collective]
 */
sg_err sg_inputs_find(sg_inputs *inputs, sg_comm *comm, char *const *word, int words,
                      const char *assets);
void sg_inputs_close(sg_inputs *inputs); /* and what it has in memory. [local] */

/* Put the spec's layers behind every scene: its path becomes that of a stack in memory. files:
 * where they lie, instead of what the spec says; 0: as it says. [local] */
sg_err sg_inputs_stack(sg_inputs *inputs, const sg_spec *spec, const char *const *file, int files);

/* Rank 0's scenes and rasters in memory to all ranks; mine: its result so far. [collective] */
sg_err sg_inputs_share(sg_inputs *inputs, sg_comm *comm, sg_err mine);

/* Where rasters that are made of others stand. */
#define SG_INPUTS_FOLDER "/vsimem/segtiles_scenes"

#endif
