/*
 * What stands in a tile store beside its tiles: all that a training wants to know of the scenes
 * before it reads a pixel. Items of the file, beside those of data/tile_store.h:
 *
 *   job                         the job that it was written by, defaults written out
 *   spec/..., classes/...       bands, layers, nodata, classes, as in checkpoints
 *   scene/image, scene/label    (scene, n) names, padded with zeros; label "": none
 *   scene/split                 (scene) 0 train, 1 val, 2 test
 *   scene/moments               (scene, band, 5) valid pixels, mean, sum of squared deviations,
 *                               least, most
 *   scene/geotransform          (scene, 6) as GDAL has it; identity where there is none
 *   scene/gsd                   (scene) metres per pixel, 0 unknown
 *   scene/crs, crs              (scene) row of crs; (n, m) texts in WKT, "" for none
 *   regions                     (region, 6) scene, split, x, y, width, height
 *   counts                      (split, 256) labelled pixels by class; 255: without label
 */
#ifndef SG_JOBS_TILE_FACTS_H
#define SG_JOBS_TILE_FACTS_H

#include "data/tile_store.h"
#include "jobs/survey.h"

enum { SG_TILE_CACHE_BYTES = 256 << 20 }; /* as much as GDAL's blocks have */

/* Where scenes lie. */
typedef struct {
    double (*geotransform)[6]; /* [scenes], owned */
    char **crs;                /* [scenes], owned: WKT, "" for none */
    size_t scenes;
} sg_tile_places;

/* Of all scenes of a survey; their files are opened. [local] */
sg_err sg_tile_places_find(sg_tile_places *places, const sg_survey *survey);
void sg_tile_places_clear(sg_tile_places *places);

/* Into a file that is written; the survey's moments are those of all scenes. [local] */
sg_err sg_tile_facts_put(sg_store_file *file, const sg_survey *survey, const sg_spec *spec,
                         const sg_tile_places *places, const char *job_text);

/* The job's data.store, opened and found to be of this job; *store stays where it names none. To be
 * closed in any case. [local] */
sg_err sg_tile_facts_open(sg_tile_store **store, const sg_job *job);
/* Bands, layers, nodata and ground sampling distance are the store's from now on. [local] */
sg_err sg_tile_facts_adopt(sg_tile_store *store, sg_spec *spec);
/* Are the store's scenes as a network reads them? SG_EUSAGE names the model. [local] */
sg_err sg_tile_facts_fits(sg_tile_store *store, const sg_spec *spec, const char *model);

/* How a store's scenes are read, and of which classes: what a checkpoint will say. [local] */
sg_err sg_tile_facts_spec(sg_tile_store *store, sg_spec *spec);
/* The job that the store was written by; for sg_job_clear. [local] */
sg_err sg_tile_facts_job(sg_tile_store *store, sg_job *job);
/*
 * Does the job want what the store holds? What it leaves out is as the store has it; bands, nodata,
 * layers, classes, labels and splits that it names must be those of the store. SG_EUSAGE names the
 * key. [local]
 */
sg_err sg_tile_facts_check(sg_tile_store *store, const sg_job *job);
/* A survey of the store's scenes, in their order, with regions of the wanted splits, moments and
 * class counts. SG_EINPUT: damaged. [local] */
sg_err sg_tile_facts_survey(sg_tile_store *store, const sg_job *job, unsigned splits,
                            sg_survey *survey);

#endif
