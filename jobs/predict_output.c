/* The files of one prediction: what each holds of a chunk, and what it says about itself. */
#include "jobs/predict_output.h"

#include <string.h>
#include "base/size.h"

enum { METADATA_MOST = SG_CLASSES_MAX + 3 };

struct sg_outputs {
    sg_outputs_options options;
    sg_mask *file[SG_OUTPUTS]; /* NULL where not wanted */
    const char *metadata[METADATA_MOST + 1];
    const char *name[SG_CLASSES_MAX]; /* of the bands of probabilities */
    sg_text facts;                    /* what metadata points into */
    sg_text style, journal;
    uint8_t *values;   /* of a chunk: class values as the mask holds them */
    float *confidence; /* of a chunk */
};

static const sg_class_table *classes_of(const sg_outputs *o)
{
    return &o->options.network->checkpoint.spec.classes;
}

static bool wants(const sg_outputs *o, sg_output output)
{
    return o->options.names->output[output][0] != '\0';
}

/* The model's identity and the class names, which readers without category names look for. */
static sg_err list_metadata(sg_outputs *o)
{
    const sg_class_table *classes = classes_of(o);
    size_t offset[METADATA_MOST], count = 0;
    sg_err err = SG_OK;
    for (int32_t i = o->options.plan->augment ? -3 : -2; err == SG_OK && i < classes->count; i++) {
        offset[count++] = o->facts.length;
        if (i == -3)
            err = sg_text_add(&o->facts, "SEGTILES_AUGMENTATION=eight flips and rotations");
        else if (i == -2)
            err = sg_text_add(&o->facts, "SEGTILES_MODEL=%s",
                              o->options.network->checkpoint.identity);
        else if (i == -1)
            err = sg_text_add(&o->facts, "SEGTILES_VERSION=%s", SEGTILES_VERSION);
        else
            err = sg_text_add(&o->facts, "CLASS_%d=%s", classes->item[i].value,
                              classes->item[i].name);
        if (err == SG_OK)
            err = sg_text_add(&o->facts, "%c", '\0');
    }
    for (size_t i = 0; err == SG_OK && i < count; i++)
        o->metadata[i] = o->facts.data + offset[i];
    o->metadata[count] = NULL;
    return err;
}

static sg_geotiff_options raster_options(const sg_outputs *o, sg_output kind)
{
    const sg_class_table *classes = classes_of(o);
    return (sg_geotiff_options){.width = o->options.info->width,
                                .height = o->options.info->height,
                                .bands = kind == SG_OUT_PROBABILITIES ? classes->count : 1,
                                .is_float = kind != SG_OUT_MASK,
                                .block = o->options.format->block,
                                .packing = o->options.format->packing,
                                .georef = o->options.georef,
                                .classes = kind == SG_OUT_MASK ? classes : NULL,
                                .band_names = kind == SG_OUT_PROBABILITIES ? o->name : NULL,
                                .metadata = o->metadata,
                                .has_nodata = 1,
                                .nodata = kind == SG_OUT_MASK ? classes->nodata
                                                              : (double)SG_NO_PROBABILITY};
}

static sg_err make_texts(sg_outputs *o)
{
    const sg_class_table *classes = classes_of(o);
    for (int32_t i = 0; i < classes->count; i++)
        o->name[i] = classes->item[i].name;
    sg_err err = list_metadata(o);
    if (err == SG_OK)
        err = sg_classes_qml(classes, &o->style);
    if (err == SG_OK)
        err = sg_predict_journal(o->options.network, o->options.names->scene, o->options.info,
                                 o->options.plan, o->options.format, &o->journal);
    return err;
}

/* Texts, and room for a chunk. */
static sg_err prepare(sg_outputs *o)
{
    const sg_grid *grid = &o->options.plan->grid;
    size_t pixels = 0;
    sg_err err = make_texts(o);
    if (err == SG_OK)
        err = sg_size_mul((size_t)grid->chunk_w, (size_t)grid->chunk_h, &pixels);
    if (err == SG_OK)
        err = sg_malloc(pixels, 1, &o->values);
    if (err == SG_OK && wants(o, SG_OUT_CONFIDENCE))
        err = sg_malloc(pixels, sizeof(float), &o->confidence);
    return err;
}

static sg_err create_file(sg_outputs *o, sg_comm *comm, sg_output kind)
{
    const sg_mask_options options = {.path = o->options.names->output[kind],
                                     .raster = raster_options(o, kind),
                                     .chunk_w = o->options.plan->grid.chunk_w,
                                     .chunk_h = o->options.plan->grid.chunk_h,
                                     .overviews = o->options.format->overviews,
                                     .layout = o->options.format->layout,
                                     .style = kind == SG_OUT_MASK ? o->style.data : NULL,
                                     .journal = o->journal.data,
                                     .restart = o->options.restart};
    return sg_mask_create(&o->file[kind], comm, &options);
}

sg_err sg_outputs_create(sg_outputs **out, sg_comm *comm, const sg_outputs_options *options)
{
    sg_outputs *o = NULL;
    sg_err err = sg_calloc(1, sizeof *o, &o);
    if (err == SG_OK) {
        o->options = *options;
        err = prepare(o);
    }
    err = sg_comm_agree(comm, err);
    for (int i = 0; err == SG_OK && i < SG_OUTPUTS; i++)
        if (wants(o, i))
            err = create_file(o, comm, i);
    if (err != SG_OK) {
        sg_outputs_close(o);
        o = NULL;
    }
    *out = o;
    return err;
}

bool sg_outputs_have(const sg_outputs *o, int64_t chunk)
{
    for (int i = 0; i < SG_OUTPUTS; i++)
        if (o->file[i] && !sg_mask_has(o->file[i], chunk))
            return false;
    return true;
}

/* A chunk, from class indices to what the files hold. */
typedef struct {
    int64_t index;
    size_t pixels;
    const uint8_t *classes;     /* [pixels] */
    const float *probabilities; /* [pixels][classes] or NULL */
} finished_chunk;

static sg_err put_values(const sg_outputs *o, const finished_chunk *chunk)
{
    const sg_class_table *table = classes_of(o);
    uint8_t value[256];
    memset(value, table->nodata, sizeof value);
    for (int32_t i = 0; i < table->count; i++)
        value[i] = (uint8_t)table->item[i].value;
    for (size_t i = 0; i < chunk->pixels; i++)
        o->values[i] = value[chunk->classes[i]];
    return sg_mask_put(o->file[SG_OUT_MASK], chunk->index, o->values);
}

static sg_err put_confidence(const sg_outputs *o, const finished_chunk *chunk)
{
    size_t across = (size_t)classes_of(o)->count;
    for (size_t i = 0; i < chunk->pixels; i++)
        o->confidence[i] = chunk->classes[i] == SG_NO_CLASS
                               ? SG_NO_PROBABILITY
                               : chunk->probabilities[i * across + chunk->classes[i]];
    return sg_mask_put(o->file[SG_OUT_CONFIDENCE], chunk->index, o->confidence);
}

sg_err sg_outputs_put(sg_outputs *o, sg_window core, const uint8_t *classes,
                      const float *probabilities)
{
    const finished_chunk chunk = {sg_grid_chunk_at(&o->options.plan->grid, core.x, core.y),
                                  (size_t)(core.w * core.h), classes, probabilities};
    sg_err err = put_values(o, &chunk);
    if (err == SG_OK && o->file[SG_OUT_PROBABILITIES])
        err = sg_mask_put(o->file[SG_OUT_PROBABILITIES], chunk.index, probabilities);
    if (err == SG_OK && o->file[SG_OUT_CONFIDENCE])
        err = put_confidence(o, &chunk);
    return err;
}

int64_t sg_outputs_written(const sg_outputs *o)
{
    int64_t bytes = 0;
    for (int i = 0; i < SG_OUTPUTS; i++)
        bytes += o->file[i] ? sg_mask_written(o->file[i]) : 0;
    return bytes;
}

/* The spools of all outputs stay until all have their names. */
sg_err sg_outputs_commit(sg_outputs *o, sg_err err)
{
    for (int i = 0; i < SG_OUTPUTS; i++)
        if (o->file[i])
            err = sg_mask_commit(o->file[i], err);
    for (int i = 0; err == SG_OK && i < SG_OUTPUTS; i++)
        if (o->file[i])
            sg_mask_forget(o->file[i]);
    return err;
}

void sg_outputs_close(sg_outputs *o)
{
    if (!o)
        return;
    for (int i = 0; i < SG_OUTPUTS; i++)
        sg_mask_close(o->file[i]);
    sg_text_clear(&o->facts);
    sg_text_clear(&o->style);
    sg_text_clear(&o->journal);
    sg_free(o->values);
    sg_free(o->confidence);
    sg_free(o);
}
