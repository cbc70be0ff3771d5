/* The files of one prediction: what each holds of a chunk, and what it says about itself. */
#include "jobs/predict_output.h"

#include <inttypes.h>
#include <string.h>
#include "base/size.h"
#include "jobs/predict_products.h"

enum { METADATA_MOST = SG_CLASSES_MAX + 5 };

/* Probabilities as bytes: in steps of 1 / 254, and what stands for no data. */
enum { BYTE_STEPS = 254, NO_BYTE = 255 };

struct sg_outputs {
    sg_comm *comm; /* borrowed */
    sg_outputs_options options;
    sg_mask *file[SG_OUTPUTS]; /* NULL where not wanted */
    const char *metadata[METADATA_MOST + 1];
    const char *name[SG_CLASSES_MAX]; /* of the bands of probabilities */
    sg_text facts;                    /* what metadata points into */
    sg_text style, journal;
    uint8_t *values;   /* of a chunk: class values as the mask holds them */
    float *confidence; /* of a chunk */
    uint8_t *bytes;    /* of a chunk: probabilities, or NULL where they are floats */
};

static const sg_class_table *classes_of(const sg_outputs *o)
{
    return &o->options.network->checkpoint.spec.classes;
}

static bool wants(const sg_outputs *o, sg_output output)
{
    return o->options.names->output[output][0] != '\0';
}

static bool wants_bytes(const sg_outputs *o)
{
    return wants(o, SG_OUT_PROBABILITIES) &&
           strcmp(o->options.wishes->probabilities_type, "byte") == 0;
}

static bool wants_margin(const sg_outputs *o)
{
    return strcmp(o->options.wishes->confidence_kind, "margin") == 0;
}

/* The model's identity and the class names, which readers without category names look for. */
static sg_err list_metadata(sg_outputs *o)
{
    const sg_class_table *classes = classes_of(o);
    size_t offset[METADATA_MOST], count = 0;
    sg_err err = SG_OK;
    const sg_grid *grid = &o->options.plan->grid;
    const sg_crf_options *crf = &o->options.plan->crf;
    const bool present[] = {crf->iterations > 0, grid->step_w > 0, o->options.plan->augment};
    for (int32_t i = -5; err == SG_OK && i < classes->count; i++) {
        if (i < -2 && !present[i + 5])
            continue;
        offset[count++] = o->facts.length;
        if (i == -5)
            err = sg_predict_crf_tell(crf, "SEGTILES_CRF=", "", &o->facts);
        else if (i == -4)
            err = sg_text_add(&o->facts,
                              "SEGTILES_BLEND=tiles of %" PRId64 " x %" PRId64
                              " pixels every %" PRId64 ", %" PRId64,
                              grid->tile_w, grid->tile_h, grid->step_w, grid->step_h);
        else if (i == -3)
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

static sg_geotiff_options probabilities_options(const sg_outputs *o, sg_geotiff_options raster)
{
    raster.bands = classes_of(o)->count;
    raster.band_names = o->name;
    if (wants_bytes(o)) {
        raster.is_float = 0;
        raster.nodata = NO_BYTE;
        raster.scale = 1.0 / BYTE_STEPS;
    }
    return raster;
}

static sg_geotiff_options raster_options(const sg_outputs *o, sg_output kind)
{
    static const char *const margin[] = {"margin"};
    const sg_class_table *classes = classes_of(o);
    const bool named = kind == SG_OUT_CONFIDENCE && wants_margin(o);
    const sg_geotiff_options raster = {.width = o->options.info->width,
                                       .height = o->options.info->height,
                                       .bands = 1,
                                       .is_float = kind != SG_OUT_MASK,
                                       .block = o->options.wishes->format.block,
                                       .packing = o->options.wishes->format.packing,
                                       .georef = o->options.georef,
                                       .classes = kind == SG_OUT_MASK ? classes : NULL,
                                       .band_names = named ? margin : NULL,
                                       .metadata = o->metadata,
                                       .has_nodata = 1,
                                       .nodata = kind == SG_OUT_MASK ? classes->nodata
                                                                     : (double)SG_NO_PROBABILITY};
    return kind == SG_OUT_PROBABILITIES ? probabilities_options(o, raster) : raster;
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
                                 o->options.plan, &o->options.wishes->format, &o->journal);
    if (err == SG_OK)
        err = sg_products_journal(o->options.wishes, &o->journal);
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
    if (err == SG_OK && wants_bytes(o))
        err = sg_malloc(pixels, (size_t)classes_of(o)->count, &o->bytes);
    return err;
}

static sg_err create_file(sg_outputs *o, sg_comm *comm, sg_output kind)
{
    const bool aside = kind == SG_OUT_CONFIDENCE && o->options.names->confidence_aside;
    const sg_mask_options options = {
        .path = o->options.names->output[kind],
        .raster = raster_options(o, kind),
        .chunk_w = o->options.plan->grid.chunk_w,
        .chunk_h = o->options.plan->grid.chunk_h,
        .overviews = o->options.wishes->format.overviews && !aside,
        .layout = aside ? (sg_tiff_layout){0} : o->options.wishes->format.layout,
        .sieve = kind == SG_OUT_MASK && o->options.wishes->sieve > 1 ? o->options.wishes->sieve : 0,
        .connected = sg_predict_corners(o->options.wishes) ? 8 : 4,
        .style = kind == SG_OUT_MASK ? o->style.data : NULL,
        .journal = o->journal.data,
        .restart = o->options.wishes->restart};
    return sg_mask_create(&o->file[kind], comm, &options);
}

sg_err sg_outputs_create(sg_outputs **out, sg_comm *comm, const sg_outputs_options *options)
{
    sg_outputs *o = NULL;
    sg_err err = sg_calloc(1, sizeof *o, &o);
    if (err == SG_OK) {
        o->comm = comm;
        o->options = *options;
        err = prepare(o);
    }
    if (err == SG_OK && sg_comm_rank(comm) == 0)
        err = sg_products_check(options->names);
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

/* Of one pixel: how much more probable its class is than the next. */
static float margin_of(const float *probability, int32_t classes, uint8_t class)
{
    float next = 0;
    for (int32_t i = 0; i < classes; i++)
        if (i != class && probability[i] > next)
            next = probability[i];
    return probability[class] - next;
}

static void make_margins(const sg_outputs *o, const finished_chunk *chunk)
{
    int32_t across = classes_of(o)->count;
    for (size_t i = 0; i < chunk->pixels; i++)
        if (chunk->classes[i] != SG_NO_CLASS)
            o->confidence[i] =
                margin_of(chunk->probabilities + i * (size_t)across, across, chunk->classes[i]);
}

static sg_err put_confidence(const sg_outputs *o, const finished_chunk *chunk)
{
    size_t across = (size_t)classes_of(o)->count;
    for (size_t i = 0; i < chunk->pixels; i++)
        o->confidence[i] = chunk->classes[i] == SG_NO_CLASS
                               ? SG_NO_PROBABILITY
                               : chunk->probabilities[i * across + chunk->classes[i]];
    if (wants_margin(o))
        make_margins(o, chunk);
    return sg_mask_put(o->file[SG_OUT_CONFIDENCE], chunk->index, o->confidence);
}

static sg_err put_probabilities(const sg_outputs *o, const finished_chunk *chunk)
{
    size_t count = chunk->pixels * (size_t)classes_of(o)->count;
    const float *p = chunk->probabilities;
    if (!o->bytes)
        return sg_mask_put(o->file[SG_OUT_PROBABILITIES], chunk->index, p);
    for (size_t i = 0; i < count; i++)
        o->bytes[i] = p[i] == SG_NO_PROBABILITY ? NO_BYTE : (uint8_t)(p[i] * BYTE_STEPS + 0.5f);
    return sg_mask_put(o->file[SG_OUT_PROBABILITIES], chunk->index, o->bytes);
}

sg_err sg_outputs_put(sg_outputs *o, sg_window core, const uint8_t *classes,
                      const float *probabilities)
{
    const finished_chunk chunk = {sg_grid_chunk_at(&o->options.plan->grid, core.x, core.y),
                                  (size_t)(core.w * core.h), classes, probabilities};
    sg_err err = put_values(o, &chunk);
    if (err == SG_OK && o->file[SG_OUT_PROBABILITIES])
        err = put_probabilities(o, &chunk);
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

static sg_err make_products(const sg_outputs *o)
{
    const sg_products products = {o->options.names, o->options.georef, classes_of(o),
                                  sg_predict_corners(o->options.wishes)};
    sg_err err = sg_comm_rank(o->comm) == 0 ? sg_products_make(&products) : SG_OK;
    return sg_comm_agree(o->comm, err);
}

/* The spools of all outputs stay until all have their names. */
sg_err sg_outputs_commit(sg_outputs *o, sg_err err)
{
    for (int i = 0; i < SG_OUTPUTS; i++)
        if (o->file[i])
            err = sg_mask_commit(o->file[i], err);
    if (err == SG_OK)
        err = make_products(o);
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
    sg_free(o->bytes);
    sg_free(o);
}
