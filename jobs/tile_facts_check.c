/* Is a job one of a tile store's? */
#include "jobs/tile_facts.h"

#include <string.h>

/* A job beside what a store was written with. */
typedef struct {
    const sg_job *job, *made;
    const sg_spec *spec;
    const char *path;
} comparison;

static sg_err differs(const comparison *c, const char *key, const char *what)
{
    return sg_yaml_fail(c->job->yaml, key,
                        "%s was written with %s; leave the key out, or write it again with "
                        "`segtiles tile`",
                        c->path, what);
}

static sg_err check_bands(const comparison *c)
{
    const sg_yaml_ints *bands = &c->job->data.bands;
    bool same = bands->count == (size_t)c->spec->bands;
    for (size_t i = 0; same && i < bands->count; i++)
        same = bands->item[i] == c->spec->band[i];
    return bands->count == 0 || same ? SG_OK : differs(c, "data.bands", "other bands");
}

static sg_err check_nodata(const comparison *c)
{
    const sg_yaml_floats *nodata = &c->job->data.nodata;
    bool same = nodata->count == 0 || (c->spec->has_nodata && nodata->item[0] == c->spec->nodata);
    return same ? SG_OK : differs(c, "data.nodata", "another value");
}

static sg_err check_stack(const comparison *c)
{
    sg_spec own = {0};
    sg_err err = sg_job_layers(c->job, &own);
    if (err != SG_OK || own.layers == 0)
        return err;
    bool same = own.layers == c->spec->layers;
    for (int32_t i = 0; same && i < own.layers; i++)
        same = strcmp(own.layer[i].file, c->spec->layer[i].file) == 0 &&
               strcmp(own.layer[i].resample, c->spec->layer[i].resample) == 0;
    return same ? SG_OK : differs(c, "data.stack", "other rasters");
}

/* Colours are for masks, which do not come from the store. */
static sg_err check_classes(const comparison *c)
{
    sg_class_table own;
    const sg_class_table *made = &c->spec->classes;
    sg_err err = sg_job_classes(c->job, &own);
    if (err != SG_OK)
        return err;
    bool same = own.count == made->count;
    for (int32_t i = 0; same && i < own.count; i++)
        same = own.item[i].value == made->item[i].value &&
               strcmp(own.item[i].name, made->item[i].name) == 0;
    return same ? SG_OK
                : sg_yaml_fail(c->job->yaml, "data.classes",
                               "%s was written with other classes; write it again with `segtiles "
                               "tile`",
                               c->path);
}

/* Values that are the defaults count as left out. */
static sg_err check_labels(const comparison *c)
{
    const sg_label_options *own = &c->job->data.label, *made = &c->made->data.label;
    if (own->ignore != -1 && own->ignore != made->ignore)
        return differs(c, "data.ignore", "another value");
    if (own->attribute[0] != '\0' && strcmp(own->attribute, made->attribute) != 0)
        return differs(c, "data.attribute", "another field");
    if (own->layer[0] != '\0' && strcmp(own->layer, made->layer) != 0)
        return differs(c, "data.layer", "another layer");
    if (own->all_touched && !made->all_touched)
        return differs(c, "data.all_touched", "labels burned otherwise");
    return SG_OK;
}

static sg_err check_splits(const comparison *c)
{
    const sg_job_data *own = &c->job->data, *made = &c->made->data;
    bool blocks = own->blocks.val + own->blocks.test > 0;
    if (own->val_share > 0 && own->val_share != made->val_share)
        return differs(c, "data.val_share", "another share");
    if (blocks &&
        (own->blocks.val != made->blocks.val || own->blocks.test != made->blocks.test ||
         own->blocks.size != made->blocks.size || own->blocks.guard != made->blocks.guard))
        return differs(c, "data.blocks", "other blocks");
    return SG_OK;
}

sg_err sg_tile_facts_check(sg_tile_store *store, const sg_job *job)
{
    sg_job made = {0};
    sg_spec spec;
    const comparison c = {job, &made, &spec, sg_tile_store_path(store)};
    sg_err err = sg_tile_facts_spec(store, &spec);
    if (err == SG_OK)
        err = sg_tile_facts_job(store, &made);
    if (err != SG_OK)
        return err;
    err = check_classes(&c);
    if (err == SG_OK)
        err = check_bands(&c);
    if (err == SG_OK)
        err = check_nodata(&c);
    if (err == SG_OK)
        err = check_stack(&c);
    if (err == SG_OK)
        err = check_labels(&c);
    if (err == SG_OK)
        err = check_splits(&c);
    sg_job_clear(&made);
    return err;
}
