#include "data/stage.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/hash.h"
#include "base/size.h"
#include "data/raster_private.h"
#include "data/scene_writer.h"
#include "data/stack.h"

enum { PIECE = 1024, BLOCK = 256 }; /* pixels, square */

sg_spec sg_stage_spec(const sg_spec *spec)
{
    sg_spec staged = *spec;
    staged.layers = 0;
    staged.has_nodata = 0;
    for (int32_t b = 0; b < staged.bands; b++)
        staged.band[b] = b + 1;
    return staged;
}

sg_label_options sg_stage_label_options(void)
{
    return (sg_label_options){.ignore = -1};
}

/* ---- what makes a copy the same ---- */

uint64_t sg_stage_hash_file(uint64_t hash, const char *path)
{
    struct stat info;
    char *whole = realpath(path, NULL);
    hash = sg_hash(hash, whole ? whole : path, strlen(whole ? whole : path) + 1);
    free(whole);
    if (stat(path, &info) != 0) /* what GDAL opens need not be a file */
        return hash;
    const int64_t facts[3] = {(int64_t)info.st_size, (int64_t)info.st_mtim.tv_sec,
                              (int64_t)info.st_mtim.tv_nsec};
    return sg_hash(hash, facts, sizeof facts);
}

static uint64_t hash_reading(uint64_t hash, const sg_scenes *scenes)
{
    const sg_spec *spec = scenes->spec;
    hash = sg_hash(hash, spec->band, (size_t)spec->bands * sizeof *spec->band);
    hash = sg_hash(hash, &spec->has_nodata, sizeof spec->has_nodata);
    hash = sg_hash(hash, &spec->nodata, sizeof spec->nodata);
    for (int32_t i = 0; i < spec->classes.count; i++) {
        const sg_class *class = &spec->classes.item[i];
        hash = sg_hash(hash, class->name, strlen(class->name) + 1);
        hash = sg_hash(hash, &class->value, sizeof class->value);
    }
    hash = sg_hash(hash, scenes->label.layer, strlen(scenes->label.layer) + 1);
    hash = sg_hash(hash, scenes->label.attribute, strlen(scenes->label.attribute) + 1);
    const int32_t rest[2] = {scenes->label.ignore, scenes->label.all_touched};
    return sg_hash(hash, rest, sizeof rest);
}

sg_err sg_stage_hash(const sg_scenes *scenes, const sg_scene *scene, uint64_t *hash)
{
    const sg_spec *spec = scenes->spec;
    char path[SG_PATH_MAX];
    sg_err err = SG_OK;
    *hash = sg_stage_hash_file(SG_HASH_START, scene->image);
    for (int32_t i = 0; err == SG_OK && i < spec->layers; i++) {
        err = sg_layer_file(path, &spec->layer[i], scene->image);
        if (err == SG_OK)
            *hash = sg_stage_hash_file(*hash, path);
        *hash = sg_hash(*hash, spec->layer[i].resample, strlen(spec->layer[i].resample) + 1);
    }
    *hash = hash_reading(sg_stage_hash_file(*hash, scene->label), scenes);
    return err;
}

static sg_err name_copy(const char *folder, const sg_scenes *scenes, const sg_scene *scene,
                        sg_scene *staged)
{
    char stem[SG_PATH_MAX];
    uint64_t hash;
    sg_err err = sg_stage_hash(scenes, scene, &hash);
    if (err == SG_OK)
        err = sg_path_stem(stem, scene->image);
    if (err == SG_OK)
        err = sg_path_format(staged->image, "%s/%.100s-%016" PRIx64 ".tif", folder, stem, hash);
    if (err == SG_OK)
        err = sg_path_format(staged->label, "%s/%.100s-%016" PRIx64 "_labels.tif", folder, stem,
                             hash);
    return err;
}

/* ---- making a copy ---- */

typedef struct {
    sg_raster *raster;
    sg_label *label;
    sg_scene_writer *pixels, *labels;
    float *values;  /* (PIECE, PIECE, bands) */
    uint8_t *valid; /* (PIECE, PIECE) */
    float *class_values;
    uint8_t *classes;
    float value_of[256]; /* of a class index in the copy */
} copying;

/* Class values as they are, and one that no class has for pixels without label. */
static void find_values(const sg_class_table *classes, float *value_of)
{
    bool used[256] = {false};
    int free_value = 0;
    for (int32_t i = 0; i < classes->count; i++) {
        value_of[i] = (float)classes->item[i].value;
        used[classes->item[i].value] = true;
    }
    while (used[free_value])
        free_value++;
    for (int32_t i = classes->count; i < 256; i++)
        value_of[i] = (float)free_value;
}

static sg_err open_writers(copying *c, const sg_scene *staged)
{
    const sg_raster_info *info = sg_raster_get_info(c->raster);
    sg_scene_options options = {.width = info->width,
                                .height = info->height,
                                .bands = sg_raster_bands(c->raster),
                                .type = sg_raster_exact_type(c->raster),
                                .block = BLOCK,
                                .compress = "NONE",
                                .crs = ""};
    sg_err err = sg_scene_create(&c->pixels, staged->image, &options);
    options.bands = 1;
    options.type = "Byte";
    return err == SG_OK ? sg_scene_create(&c->labels, staged->label, &options) : err;
}

static sg_err open_copying(copying *c, const sg_scenes *scenes, const sg_scene *scene,
                           const sg_scene *staged)
{
    size_t count = (size_t)PIECE * PIECE;
    sg_err err = sg_raster_open_spec(&c->raster, scene->image, scenes->spec);
    if (err == SG_OK)
        err = sg_label_open(&c->label, scene->label, c->raster, &scenes->spec->classes,
                            &scenes->label);
    if (err == SG_OK)
        err = sg_malloc(count * (size_t)scenes->spec->bands, sizeof *c->values, &c->values);
    if (err == SG_OK)
        err = sg_malloc(count, sizeof *c->class_values, &c->class_values);
    if (err == SG_OK)
        err = sg_malloc(count, 1, &c->valid);
    if (err == SG_OK)
        err = sg_malloc(count, 1, &c->classes);
    find_values(&scenes->spec->classes, c->value_of);
    return err == SG_OK ? open_writers(c, staged) : err;
}

static sg_err copy_piece(copying *c, sg_window window)
{
    sg_err err = sg_raster_read(c->raster, window, c->values, c->valid);
    if (err == SG_OK)
        err = sg_label_read(c->label, window, c->classes);
    if (err != SG_OK)
        return err;
    for (int64_t i = 0; i < window.w * window.h; i++)
        c->class_values[i] = c->value_of[c->classes[i]];
    err = sg_scene_write(c->pixels, window, c->values);
    if (err == SG_OK)
        err = sg_scene_write_mask(c->pixels, window, c->valid);
    return err == SG_OK ? sg_scene_write(c->labels, window, c->class_values) : err;
}

static sg_err copy_pieces(copying *c)
{
    const sg_raster_info *info = sg_raster_get_info(c->raster);
    sg_window all = {0, 0, info->width, info->height};
    sg_err err = SG_OK;
    for (int64_t y = 0; err == SG_OK && y < all.h; y += PIECE)
        for (int64_t x = 0; err == SG_OK && x < all.w; x += PIECE)
            err = copy_piece(c, sg_window_intersect((sg_window){x, y, PIECE, PIECE}, all));
    return err;
}

/* Labels first: a copy is there when its pixels are. */
static sg_err commit(copying *c)
{
    sg_err err = sg_scene_commit(c->labels);
    c->labels = NULL;
    if (err == SG_OK) {
        err = sg_scene_commit(c->pixels);
        c->pixels = NULL;
    }
    return err;
}

static void close_copying(copying *c)
{
    sg_scene_close(c->labels);
    sg_scene_close(c->pixels);
    sg_label_close(c->label);
    sg_raster_close(c->raster);
    sg_free(c->values);
    sg_free(c->class_values);
    sg_free(c->valid);
    sg_free(c->classes);
}

static int64_t bytes_of(const sg_scene *staged)
{
    struct stat image, label;
    if (stat(staged->image, &image) != 0 || stat(staged->label, &label) != 0)
        return 0;
    return (int64_t)image.st_size + (int64_t)label.st_size;
}

sg_err sg_stage_scene(const char *folder, const sg_scenes *scenes, int32_t index, sg_scene *staged,
                      int64_t *made)
{
    const sg_scene *scene = &scenes->scene[index];
    sg_scene copy = *scene;
    copying c = {0};
    *made = 0;
    sg_err err = name_copy(folder, scenes, scene, &copy);
    if (err != SG_OK)
        return err;
    if (!sg_file_exists(copy.image) || !sg_file_exists(copy.label)) {
        err = open_copying(&c, scenes, scene, &copy);
        if (err == SG_OK)
            err = copy_pieces(&c);
        if (err == SG_OK)
            err = commit(&c);
        close_copying(&c);
        if (err == SG_OK)
            *made = bytes_of(&copy);
    }
    if (err == SG_OK)
        *staged = copy;
    return err;
}
