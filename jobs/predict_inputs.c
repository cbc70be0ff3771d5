#include "jobs/predict_inputs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include "base/size.h"
#include "base/text.h"
#include "data/folder.h"
#include "data/memory.h"
#include "data/stac.h"
#include "data/stack.h"

typedef struct {
    sg_inputs *inputs;
    const char *assets;
    bool in_list;
    size_t items; /* of STAC files */
} finding;

static sg_err add_input(sg_inputs *inputs, const char *path, const char *stem)
{
    sg_err err = sg_grow(&inputs->item, &inputs->capacity, inputs->count + 1, sizeof *inputs->item);
    if (err != SG_OK)
        return err;
    sg_input *input = &inputs->item[inputs->count];
    err = sg_path_format(input->path, "%s", path);
    if (err == SG_OK)
        err = stem ? sg_path_format(input->stem, "%s", stem) : sg_path_stem(input->stem, path);
    inputs->count += err == SG_OK;
    return err;
}

static sg_err add_raster(void *user, const char *path)
{
    finding *f = user;
    return add_input(f->inputs, path, NULL);
}

/* Named for the item: many items' rasters have the same names. */
static sg_err add_item(void *user, const char *id, const char *const *path, size_t paths)
{
    finding *f = user;
    char stack[SG_PATH_MAX];
    sg_stack_item *item = NULL;
    f->items++;
    if (paths == 1)
        return add_input(f->inputs, path[0], id);
    sg_err err = sg_calloc(paths, sizeof *item, &item);
    for (size_t i = 0; err == SG_OK && i < paths; i++)
        item[i].file = path[i];
    if (err == SG_OK)
        err = sg_path_format(stack, "%s/%zu_%s.vrt", SG_INPUTS_FOLDER, f->inputs->count, id);
    if (err == SG_OK)
        err = sg_stack_make(stack, item, paths);
    sg_free(item);
    return err == SG_OK ? add_input(f->inputs, stack, id) : err;
}

static bool ends_in(const char *path, const char *extension)
{
    size_t length = strlen(path), tail = strlen(extension);
    return length > tail && strcasecmp(path + length - tail, extension) == 0;
}

static sg_err find_in_list(finding *f, const char *path);

static sg_err find_word(finding *f, const char *word)
{
    char path[SG_PATH_MAX];
    if (word[0] == '@' && f->in_list)
        return sg_fail(SG_EINPUT, "%s: a list in a list is not read", word);
    if (word[0] == '@')
        return find_in_list(f, word + 1);
    sg_err err = sg_path_of_url(path, word);
    if (err != SG_OK)
        return err;
    if (sg_is_folder(path) && !sg_folder_is_raster(path))
        return sg_folder_each_raster(path, add_raster, f);
    if (ends_in(path, ".json") || ends_in(path, ".geojson"))
        return sg_stac_each(path, f->assets, add_item, f);
    return add_raster(f, path);
}

/* A line of a list, without blanks and what follows a #; "" when nothing is left. */
static char *trim(char *line)
{
    line += strspn(line, " \t");
    if (line[0] == '#')
        line[0] = '\0';
    char *comment = strstr(line, " #");
    if (comment)
        comment[0] = '\0';
    size_t length = strlen(line);
    while (length > 0 && strchr(" \t\r", line[length - 1]))
        line[--length] = '\0';
    return line;
}

/* Beside the list; but names such as NETCDF:file.nc:band are GDAL's own. */
static sg_err find_line(finding *f, const char *list, const char *line)
{
    char path[SG_PATH_MAX];
    sg_err err = sg_path_beside(path, list, line);
    if (err == SG_OK && !sg_file_exists(path) && strchr(line, ':') && !strstr(line, "://"))
        err = sg_path_format(path, "%s", line);
    if (err == SG_OK && line[0] == '@')
        err = sg_path_format(path, "%s", line);
    return err == SG_OK ? find_word(f, path) : err;
}

static sg_err find_in_list(finding *f, const char *list)
{
    char *text = NULL, *next = NULL;
    size_t before = f->inputs->count;
    sg_err err = sg_file_read_text(list, &text);
    if (err != SG_OK)
        return err;
    char *start = strncmp(text, "\xef\xbb\xbf", 3) == 0 ? text + 3 : text;
    f->in_list = true;
    for (char *line = strtok_r(start, "\n", &next); err == SG_OK && line;
         line = strtok_r(NULL, "\n", &next)) {
        char *word = trim(line);
        if (*word)
            err = find_line(f, list, word);
    }
    f->in_list = false;
    sg_free(text);
    if (err == SG_OK && f->inputs->count == before)
        err = sg_fail(SG_EINPUT, "%s: lists no scene", list);
    return err;
}

/* ---- from rank 0 to all ---- */

/* Texts, each ended by \0. */
static sg_err add_word(sg_text *all, const char *word)
{
    sg_err err = sg_text_add(all, "%s", word);
    return err == SG_OK ? sg_text_add(all, "%c", '\0') : err;
}

static sg_err pack_file(void *user, const char *path, const char *text)
{
    sg_err err = add_word(user, path);
    return err == SG_OK ? add_word(user, text) : err;
}

static sg_err pack(const sg_inputs *inputs, sg_text *all)
{
    char count[32];
    snprintf(count, sizeof count, "%zu", inputs->count);
    sg_err err = add_word(all, count);
    for (size_t i = 0; err == SG_OK && i < inputs->count; i++) {
        err = add_word(all, inputs->item[i].path);
        if (err == SG_OK)
            err = add_word(all, inputs->item[i].stem);
    }
    return err == SG_OK ? sg_memory_each(SG_INPUTS_FOLDER, pack_file, all) : err;
}

static const char *take_word(const char **at)
{
    const char *word = *at;
    *at += strlen(word) + 1;
    return word;
}

static sg_err unpack(sg_inputs *inputs, const char *at, size_t bytes)
{
    const char *end = at + bytes;
    size_t count = strtoul(take_word(&at), NULL, 10);
    sg_err err = SG_OK;
    inputs->count = 0;
    for (size_t i = 0; err == SG_OK && i < count; i++) {
        const char *path = take_word(&at);
        err = add_input(inputs, path, take_word(&at));
    }
    while (err == SG_OK && at < end) {
        const char *path = take_word(&at);
        err = sg_memory_put(path, take_word(&at));
    }
    return err;
}

sg_err sg_inputs_share(sg_inputs *inputs, sg_comm *comm, sg_err err)
{
    sg_text all = {0};
    char *received = NULL;
    bool first = sg_comm_rank(comm) == 0;
    if (err == SG_OK && first)
        err = pack(inputs, &all);
    err = sg_comm_agree(comm, err);
    uint64_t bytes = all.length;
    if (err == SG_OK) {
        sg_comm_broadcast(comm, &bytes, sizeof bytes, 0);
        err = first ? SG_OK : sg_malloc(bytes, 1, &received);
        err = sg_comm_agree(comm, err);
    }
    if (err == SG_OK) {
        sg_comm_broadcast(comm, first ? all.data : received, bytes, 0);
        err = sg_comm_agree(comm, first ? SG_OK : unpack(inputs, received, bytes));
    }
    sg_text_clear(&all);
    sg_free(received);
    return err;
}

sg_err sg_inputs_find(sg_inputs *inputs, sg_comm *comm, char *const *word, int words,
                      const char *assets)
{
    finding f = {.inputs = inputs, .assets = assets};
    sg_err err = SG_OK;
    *inputs = (sg_inputs){0};
    for (int i = 0; err == SG_OK && i < words && sg_comm_rank(comm) == 0; i++)
        err = find_word(&f, word[i]);
    if (err == SG_OK && assets && f.items == 0 && sg_comm_rank(comm) == 0)
        err = sg_fail(SG_EUSAGE, "--asset %s: no scene is a STAC file", assets);
    return sg_inputs_share(inputs, comm, err);
}

/* What is typed lies in the current folder, not beside the scene. */
static sg_err name_layer(sg_layer *layer, const char *typed)
{
    char folder[SG_PATH_MAX], path[SG_PATH_MAX];
    sg_err err = SG_OK;
    if (typed[0] == '/')
        err = sg_path_format(path, "%s", typed);
    else if (getcwd(folder, sizeof folder))
        err = sg_path_format(path, "%s/%s", folder, typed);
    else
        err = sg_fail(SG_EINPUT, "%s: the current folder is gone", typed);
    if (err == SG_OK && strlen(path) >= sizeof layer->file)
        err = sg_fail(SG_EUSAGE, "--stack %s: longer than %d characters", path,
                      SG_LAYER_FILE_MAX - 1);
    if (err == SG_OK)
        snprintf(layer->file, sizeof layer->file, "%.*s", SG_LAYER_FILE_MAX - 1, path);
    return err;
}

static sg_err stack_input(sg_input *input, size_t number, const sg_layer *layer, int32_t layers)
{
    char scene[SG_PATH_MAX];
    sg_err err = sg_path_format(scene, "%s", input->path);
    if (err == SG_OK)
        err = sg_path_format(input->path, "%s/stack_%zu_%s.vrt", SG_INPUTS_FOLDER, number,
                             input->stem);
    return err == SG_OK ? sg_stack_of_scene(input->path, scene, layer, layers) : err;
}

sg_err sg_inputs_stack(sg_inputs *inputs, const sg_spec *spec, const char *const *file, int files)
{
    sg_layer layer[SG_LAYERS_MAX];
    sg_err err = SG_OK;
    memcpy(layer, spec->layer, sizeof layer);
    if (files > 0 && files != spec->layers)
        return sg_fail(SG_EUSAGE,
                       "--stack is given %d time(s), but the model reads %d raster(s) behind a "
                       "scene's own; name all of them, in the order of its data.stack",
                       files, spec->layers);
    for (int i = 0; err == SG_OK && i < files; i++)
        err = name_layer(&layer[i], file[i]);
    for (size_t i = 0; err == SG_OK && spec->layers > 0 && i < inputs->count; i++)
        err = stack_input(&inputs->item[i], i, layer, spec->layers);
    return err;
}

void sg_inputs_close(sg_inputs *inputs)
{
    sg_memory_forget(SG_INPUTS_FOLDER);
    sg_free(inputs->item);
    *inputs = (sg_inputs){0};
}
