#include "jobs/predict_products.h"

#include <dirent.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>
#include "base/log.h"
#include "data/polygonize.h"
#include "data/rows.h"
#include "tiles/patches.h"

bool sg_predict_corners(const sg_predict_options *options)
{
    return strcmp(options->connectedness, "8") == 0;
}

sg_err sg_products_journal(const sg_predict_options *options, sg_text *journal)
{
    sg_err err = SG_OK;
    if (options->sieve > 1)
        err = sg_text_add(journal, "sieve %d%s\n", options->sieve,
                          sg_predict_corners(options) ? " by corners" : "");
    if (err == SG_OK && strcmp(options->confidence_kind, "margin") == 0)
        err = sg_text_add(journal, "confidence margin\n");
    if (err == SG_OK && strcmp(options->probabilities_type, "byte") == 0)
        err = sg_text_add(journal, "probabilities byte\n");
    return err;
}

/* Rows of blocks: of the mask and the confidence here, and of two rasters in GDAL's cache, which is
 * made that large (see data/scanlines.h). */
double sg_products_bytes(const sg_predict_options *options, int64_t width)
{
    double row = (double)width * (double)options->format.block;
    double polygons = options->polygons ? row * (1 + sizeof(float)) : 0;
    double cached = options->polygons || options->sieve > 1 ? 2 * row : 0;
    double areas = options->areas ? row : 0;
    return cached + (polygons > areas ? polygons : areas);
}

/* ---- the folder in which a product is made ---- */

static sg_err work_folder(const char *product, char *folder)
{
    return sg_path_format(folder, "%s.parts", product);
}

static void empty_folder(const char *folder)
{
    char path[SG_PATH_MAX];
    DIR *listing = opendir(folder);
    for (struct dirent *item; listing && (item = readdir(listing));)
        if (item->d_name[0] != '.' && sg_path_format(path, "%s/%s", folder, item->d_name) == SG_OK)
            sg_file_discard(path);
    if (listing)
        closedir(listing);
}

/* An empty one, whatever a killed run has left in it. */
static sg_err begin_folder(const char *product, char *folder)
{
    sg_err err = work_folder(product, folder);
    if (err == SG_OK)
        err = sg_make_folders(folder);
    if (err == SG_OK)
        empty_folder(folder);
    return err;
}

static void end_folder(const char *folder)
{
    empty_folder(folder);
    rmdir(folder);
}

/* A folder beside the product can be made, and taken away again with what a killed run has left. */
static sg_err check_place(const char *product)
{
    char folder[SG_PATH_MAX];
    sg_err err = begin_folder(product, folder);
    if (err == SG_OK)
        end_folder(folder);
    return err;
}

sg_err sg_products_check(const sg_predict_names *names)
{
    sg_err err = names->polygons[0] ? check_place(names->polygons) : SG_OK;
    return err == SG_OK && names->areas[0] ? check_place(names->areas) : err;
}

/* ---- polygons ---- */

/* Mask and confidence side by side, row by row, and the patches that have ended so far. */
typedef struct {
    sg_rows *mask, *confidence;
    sg_patches *patches;
    sg_patch_store *ended;
    int64_t found;
} patch_reader;

static sg_err open_reader(const sg_products *products, patch_reader *r)
{
    sg_ground ground;
    sg_ground_make(&ground, products->georef);
    sg_err err = sg_rows_open(&r->mask, products->names->output[SG_OUT_MASK], false);
    if (err == SG_OK)
        err = sg_rows_open(&r->confidence, products->names->output[SG_OUT_CONFIDENCE], true);
    if (err == SG_OK)
        err = sg_patches_create(&r->patches, sg_rows_width(r->mask),
                                (uint8_t)products->classes->nodata, products->corners, &ground);
    return err == SG_OK ? sg_patch_store_create(&r->ended) : err;
}

static void close_reader(patch_reader *r)
{
    sg_rows_close(r->mask);
    sg_rows_close(r->confidence);
    sg_patches_close(r->patches);
    sg_patch_store_close(r->ended);
}

/* more: false when the mask had ended before. */
static sg_err read_row(patch_reader *r, bool *more)
{
    const void *values, *confidence;
    const sg_patch *ended = NULL;
    size_t count = 0;
    sg_err err = sg_rows_next(r->mask, &values);
    if (err == SG_OK)
        err = sg_rows_next(r->confidence, &confidence);
    if (err == SG_OK)
        err = sg_patches_row(r->patches, values, confidence, &ended, &count);
    for (size_t i = 0; err == SG_OK && i < count; i++)
        err = sg_patch_store_put(r->ended, &ended[i]);
    *more = err == SG_OK && values;
    return err;
}

/* Outlines and patches come in nearly the same order, so few patches have to wait. */
static sg_err find_patch(patch_reader *r, sg_outline_place at, sg_patch *patch)
{
    sg_err err = SG_OK;
    bool more = true;
    while (err == SG_OK && !sg_patch_store_take(r->ended, at.x, at.y, patch)) {
        if (!more)
            return sg_fail(SG_EINTERNAL,
                           "the outline at pixel %" PRId64 ", %" PRId64 " has no patch", at.x,
                           at.y);
        err = read_row(r, &more);
    }
    r->found += err == SG_OK;
    return err;
}

static sg_err write_polygons(sg_outlines *outlines, patch_reader *reader)
{
    sg_outline_place at;
    sg_patch patch;
    bool more = true;
    sg_err err = sg_outlines_next(outlines, &at, &more);
    while (err == SG_OK && more) {
        err = find_patch(reader, at, &patch);
        if (err == SG_OK) {
            const sg_outline_facts facts = {.value = patch.value,
                                            .pixels = patch.pixels,
                                            .area = patch.area,
                                            .confidence = patch.confidence / (double)patch.pixels};
            err = sg_outlines_put(outlines, &facts);
        }
        if (err == SG_OK)
            err = sg_outlines_next(outlines, &at, &more);
    }
    return err == SG_OK ? sg_outlines_finish(outlines) : err;
}

/* Where things lie on the way. */
typedef struct {
    char folder[SG_PATH_MAX], traced[SG_PATH_MAX], made[SG_PATH_MAX], layer[SG_PATH_MAX];
    char style[SG_PATH_MAX]; /* beside the polygons: "" where the mask's bears this name */
} places;

static sg_err find_style(const char *polygons, const char *mask, char *style)
{
    char mine[SG_PATH_MAX], masks[SG_PATH_MAX];
    sg_err err = sg_path_trunk(mine, polygons);
    if (err == SG_OK)
        err = sg_path_trunk(masks, mask);
    style[0] = '\0';
    return err == SG_OK && strcmp(mine, masks) != 0 ? sg_path_format(style, "%s.qml", mine) : err;
}

static sg_err write_style(const sg_class_table *classes, const char *path)
{
    sg_text text = {0};
    sg_err err = sg_classes_polygon_qml(classes, &text);
    if (err == SG_OK)
        err = sg_file_write_text(path, text.data);
    sg_text_clear(&text);
    return err;
}

/* Both get their names, the polygons last. */
static sg_err commit_polygons(const sg_products *products, const places *p)
{
    char style[SG_PATH_MAX];
    sg_err err = sg_path_format(style, "%s/style.qml", p->folder);
    if (err == SG_OK && p->style[0])
        err = write_style(products->classes, style);
    if (err == SG_OK && p->style[0])
        err = sg_file_commit(style, p->style);
    return err == SG_OK ? sg_file_commit(p->made, products->names->polygons) : err;
}

static sg_err find_places(const sg_products *products, places *p)
{
    const char *polygons = products->names->polygons;
    sg_err err = begin_folder(polygons, p->folder);
    if (err == SG_OK)
        err = sg_path_stem(p->layer, polygons);
    if (err == SG_OK)
        err = sg_path_format(p->traced, "%s/traced.fgb", p->folder);
    if (err == SG_OK)
        err = sg_path_format(p->made, "%s/%s", p->folder, sg_path_base(polygons));
    if (err == SG_OK)
        err = find_style(polygons, products->names->output[SG_OUT_MASK], p->style);
    return err;
}

static sg_err make_polygons(const sg_products *products)
{
    const char *path = products->names->polygons;
    sg_ground ground;
    places p;
    patch_reader reader = {0};
    sg_outlines *outlines = NULL;
    sg_err err = find_places(products, &p);
    if (err != SG_OK)
        return err;
    sg_ground_make(&ground, products->georef);
    const sg_outlines_options options = {.mask = products->names->output[SG_OUT_MASK],
                                         .traced = p.traced,
                                         .path = p.made,
                                         .layer = p.layer,
                                         .classes = products->classes,
                                         .has_confidence = true,
                                         .has_area = ground.known,
                                         .corners = products->corners};
    sg_verbose("%s: tracing outlines", path);
    err = sg_outlines_open(&outlines, &options);
    if (err == SG_OK)
        err = open_reader(products, &reader);
    if (err == SG_OK)
        err = write_polygons(outlines, &reader);
    if (err == SG_OK)
        sg_info("%s: %" PRId64 " polygon(s)", path, reader.found);
    sg_outlines_close(outlines);
    close_reader(&reader);
    if (err == SG_OK)
        err = commit_polygons(products, &p);
    end_folder(p.folder);
    return err;
}

static sg_err make_areas(const sg_products *products)
{
    const char *path = products->names->areas;
    char folder[SG_PATH_MAX], made[SG_PATH_MAX];
    sg_err err = begin_folder(path, folder);
    if (err != SG_OK)
        return err;
    err = sg_path_format(made, "%s/areas.csv", folder);
    if (err == SG_OK)
        err = sg_areas_write(made, products->names->output[SG_OUT_MASK], products->classes,
                             products->georef);
    if (err == SG_OK)
        err = sg_file_commit(made, path);
    end_folder(folder);
    return err;
}

sg_err sg_products_make(const sg_products *products)
{
    const sg_predict_names *names = products->names;
    sg_err err = SG_OK;
    if (names->areas[0])
        err = make_areas(products);
    if (err == SG_OK && names->polygons[0])
        err = make_polygons(products);
    if (names->confidence_aside)
        sg_geotiff_discard(names->output[SG_OUT_CONFIDENCE]); /* its spool is there still */
    return err;
}
