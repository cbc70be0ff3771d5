/* A job's tile store, for commands that read from it. */
#include <string.h>

#include "jobs/tile_facts.h"

sg_err sg_tile_facts_open(sg_tile_store **store, const sg_job *job)
{
    char path[SG_PATH_MAX];
    if (job->data.store[0] == '\0')
        return SG_OK;
    sg_err err = sg_expand_path(job->data.store, path);
    if (err == SG_OK)
        err = sg_tile_store_open(store, path, SG_TILE_CACHE_BYTES);
    return err == SG_OK ? sg_tile_facts_check(*store, job) : err;
}

sg_err sg_tile_facts_adopt(sg_tile_store *store, sg_spec *spec)
{
    sg_spec stored;
    sg_err err = sg_tile_facts_spec(store, &stored);
    if (err != SG_OK)
        return err;
    spec->layers = stored.layers;
    memcpy(spec->layer, stored.layer, sizeof spec->layer);
    spec->bands = stored.bands;
    memcpy(spec->band, stored.band, sizeof spec->band);
    spec->has_nodata = stored.has_nodata;
    spec->nodata = stored.nodata;
    spec->gsd = stored.gsd;
    return SG_OK;
}

static sg_err misses(sg_tile_store *store, const char *model, const char *what)
{
    return sg_fail(SG_EUSAGE,
                   "%s was written with other %s than %s reads; leave data.store out to read the "
                   "scenes, or write it again with `segtiles tile`",
                   sg_tile_store_path(store), what, model);
}

sg_err sg_tile_facts_fits(sg_tile_store *store, const sg_spec *spec, const char *model)
{
    sg_spec stored;
    sg_err err = sg_tile_facts_spec(store, &stored);
    if (err != SG_OK)
        return err;
    if (stored.bands != spec->bands ||
        memcmp(stored.band, spec->band, (size_t)spec->bands * sizeof spec->band[0]) != 0)
        return misses(store, model, "bands");
    if (stored.layers != spec->layers)
        return misses(store, model, "rasters in data.stack");
    bool same = stored.has_nodata == spec->has_nodata;
    if (!same || (spec->has_nodata && stored.nodata != spec->nodata))
        return misses(store, model, "nodata");
    return SG_OK;
}
