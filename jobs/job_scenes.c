/* Which scenes a job names: by name, by pattern, by a list in CSV. */
#include "jobs/job.h"

#include "base/rng.h"
#include "base/size.h"

#include <glob.h>
#include <stdio.h>
#include <string.h>

void sg_job_scenes_clear(sg_job_scenes *scenes)
{
    sg_free(scenes->item);
    *scenes = (sg_job_scenes){0};
}

/* A path of a scene: expanded, and below data.root unless it starts at "/" or names a protocol that
 * GDAL reads ("/vsicurl/..." starts at "/" too). */
static sg_err scene_path(const sg_job *job, const char *text, char *path)
{
    char expanded[SG_PATH_MAX], root[SG_PATH_MAX];
    sg_err err = sg_expand_path(text, expanded);
    if (err != SG_OK)
        return err;
    if (job->data.root[0] == '\0' || expanded[0] == '/')
        return sg_path_format(path, "%s", expanded);
    err = sg_expand_path(job->data.root, root);
    return err == SG_OK ? sg_path_format(path, "%s/%s", root, expanded) : err;
}

static sg_err add_scene(sg_job_scenes *scenes, const sg_job_scene *scene)
{
    sg_err err =
        sg_grow(&scenes->item, &scenes->capacity, scenes->count + 1, sizeof(scenes->item[0]));
    if (err == SG_OK)
        scenes->item[scenes->count++] = *scene;
    return err;
}

static sg_err list_named(const sg_job *job, sg_job_scenes *scenes)
{
    const sg_job_scene *named = job->data.scenes.item;
    sg_err err = SG_OK;
    for (size_t i = 0; err == SG_OK && i < job->data.scenes.count; i++) {
        sg_job_scene scene = {.split = named[i].split};
        err = scene_path(job, named[i].image, scene.image);
        if (err == SG_OK)
            err = scene_path(job, named[i].label, scene.label);
        if (err == SG_OK)
            err = add_scene(scenes, &scene);
    }
    return err;
}

/* Replace {name} in a template by value; the template may hold it several times. */
static sg_err fill_in(char *text, const char *name, const char *value)
{
    char key[SG_JOB_NAME_MAX + 2], result[SG_PATH_MAX];
    snprintf(key, sizeof(key), "{%s}", name);
    for (char *at = strstr(text, key); at != NULL; at = strstr(text, key)) {
        sg_err err =
            sg_path_format(result, "%.*s%s%s", (int)(at - text), text, value, at + strlen(key));
        if (err != SG_OK)
            return err;
        memcpy(text, result, strlen(result) + 1);
        if (strstr(value, key) != NULL)
            break;
    }
    return SG_OK;
}

/* The label of an image by data.SPLIT.labels, which is expanded already. */
static sg_err label_path(const char *labels, const char *image, char *path)
{
    char stem[SG_PATH_MAX];
    sg_err err = sg_path_stem(stem, image);
    if (err != SG_OK)
        return err;
    if (labels[0] == '\0') /* of a test scene that is only mapped */
        return sg_path_format(path, "%s", "");
    if (sg_is_folder(labels))
        return sg_path_format(path, "%s/%s", labels, sg_path_base(image));
    err = sg_path_format(path, "%s", labels);
    return err == SG_OK ? fill_in(path, "stem", stem) : err;
}

static sg_err list_pattern(const sg_job *job, const char *pattern, const char *labels,
                           sg_split split, sg_job_scenes *scenes)
{
    char path[SG_PATH_MAX];
    glob_t found = {0};
    sg_err err = scene_path(job, pattern, path);
    if (err != SG_OK)
        return err;
    int status = glob(path, 0, NULL, &found);
    if (status != 0 || found.gl_pathc == 0) {
        char key[32];
        snprintf(key, sizeof(key), "data.%s.images", sg_split_name(split));
        err = sg_yaml_fail(job->yaml, key, "no file matches %s", path);
    }
    for (size_t i = 0; err == SG_OK && i < found.gl_pathc; i++) {
        sg_job_scene scene = {.split = split};
        err = sg_path_format(scene.image, "%s", found.gl_pathv[i]);
        if (err == SG_OK)
            err = label_path(labels, scene.image, scene.label);
        if (err == SG_OK)
            err = add_scene(scenes, &scene);
    }
    globfree(&found);
    return err;
}

static sg_err list_files(const sg_job *job, sg_split split, sg_job_scenes *scenes)
{
    const sg_job_files *files = &job->data.files[split];
    char labels[SG_PATH_MAX], key[32];
    snprintf(key, sizeof(key), "data.%s", sg_split_name(split));
    if (files->images.count == 0)
        return SG_OK;
    if (files->labels[0] == '\0' && split != SG_SPLIT_TEST)
        return sg_yaml_fail(job->yaml, key, "images without labels; name their folder or file");
    sg_err err = scene_path(job, files->labels, labels);
    if (files->labels[0] == '\0')
        labels[0] = '\0';
    for (size_t i = 0; err == SG_OK && i < files->images.count; i++)
        err = list_pattern(job, files->images.item[i], labels, split, scenes);
    return err;
}

enum { COLUMNS_MAX = 64 };

/* Cut a line of CSV at its commas, in place (quotes around a value are taken off). */
static int cut_line(char *line, char **column)
{
    int count = 0;
    for (char *at = line; at != NULL && count < COLUMNS_MAX;) {
        char *next = NULL;
        if (*at == '"') {
            char *end = strchr(++at, '"');
            if (end != NULL)
                *end++ = '\0';
            next = end != NULL ? strchr(end, ',') : NULL;
        } else {
            next = strchr(at, ',');
        }
        if (next != NULL)
            *next++ = '\0';
        column[count++] = at;
        at = next;
    }
    return count;
}

static sg_err parse_split(const char *text, sg_split *split)
{
    for (int i = 0; i < SG_SPLITS; i++) {
        if (strcmp(text, sg_split_name(i)) == 0) {
            *split = i;
            return SG_OK;
        }
    }
    return SG_EUSAGE;
}

typedef struct {
    const char *path;
    char *name[COLUMNS_MAX];
    int count, split;
} csv_header;

static sg_err list_row(const sg_job *job, const csv_header *header, int line, char *text,
                       sg_job_scenes *scenes)
{
    char *value[COLUMNS_MAX], image[SG_PATH_MAX], label[SG_PATH_MAX];
    sg_job_scene scene = {.split = SG_SPLIT_TRAIN};
    int count = cut_line(text, value);
    if (count != header->count)
        return sg_fail(SG_EUSAGE, "%s:%d: %d values under %d columns", header->path, line, count,
                       header->count);
    if (parse_split(value[header->split], &scene.split) != SG_OK)
        return sg_fail(SG_EUSAGE, "%s:%d: '%s' is no split; allowed: train, val, test",
                       header->path, line, value[header->split]);
    memcpy(image, job->data.csv.images, sizeof(image));
    memcpy(label, job->data.csv.labels, sizeof(label));
    sg_err err = SG_OK;
    for (int i = 0; err == SG_OK && i < count; i++) {
        err = fill_in(image, header->name[i], value[i]);
        if (err == SG_OK)
            err = fill_in(label, header->name[i], value[i]);
    }
    if (err == SG_OK && strchr(image, '{') != NULL)
        err = sg_yaml_fail(job->yaml, "data.csv.images", "%s has no column for %s", header->path,
                           strchr(image, '{'));
    if (err == SG_OK && strchr(label, '{') != NULL)
        err = sg_yaml_fail(job->yaml, "data.csv.labels", "%s has no column for %s", header->path,
                           strchr(label, '{'));
    if (err == SG_OK)
        err = scene_path(job, image, scene.image);
    if (err == SG_OK)
        err = scene_path(job, label, scene.label);
    return err == SG_OK ? add_scene(scenes, &scene) : err;
}

static sg_err read_header(const sg_job *job, char *line, csv_header *header)
{
    header->count = cut_line(line, header->name);
    header->split = -1;
    for (int i = 0; i < header->count; i++) {
        if (strcmp(header->name[i], job->data.csv.split) == 0)
            header->split = i;
    }
    if (header->split < 0)
        return sg_yaml_fail(job->yaml, "data.csv.split", "%s has no column '%s'", header->path,
                            job->data.csv.split);
    return SG_OK;
}

static sg_err list_csv(const sg_job *job, sg_job_scenes *scenes)
{
    char path[SG_PATH_MAX];
    char *text = NULL;
    csv_header header = {.path = path};
    if (job->data.csv.file[0] == '\0')
        return SG_OK;
    sg_err err = scene_path(job, job->data.csv.file, path);
    if (err == SG_OK)
        err = sg_file_read_text(path, &text);
    if (err != SG_OK)
        return err;
    char *rest = text;
    for (int line = 1; err == SG_OK && rest != NULL; line++) {
        char *row = strsep(&rest, "\n");
        row[strcspn(row, "\r")] = '\0';
        if (row[0] == '\0')
            continue;
        err = header.count == 0 ? read_header(job, row, &header)
                                : list_row(job, &header, line, row, scenes);
    }
    sg_free(text);
    return err;
}

static size_t count_split(const sg_job_scenes *scenes, sg_split split)
{
    size_t count = 0;
    for (size_t i = 0; i < scenes->count; i++)
        count += scenes->item[i].split == split;
    return count;
}

/* Make a seeded choice of the training scenes validation scenes. */
static sg_err carve_validation(const sg_job *job, sg_job_scenes *scenes)
{
    size_t train = count_split(scenes, SG_SPLIT_TRAIN);
    if (job->data.val_share == 0)
        return SG_OK;
    if (count_split(scenes, SG_SPLIT_VAL) > 0)
        return sg_yaml_fail(job->yaml, "data.val_share",
                            "validation scenes are named already; keep one of both");
    if (train < 2)
        return sg_yaml_fail(job->yaml, "data.val_share",
                            "%zu training scene cannot be shared; use data.blocks", train);
    size_t wanted = (size_t)(job->data.val_share * (double)train + 0.5);
    wanted = wanted < 1 ? 1 : wanted > train - 1 ? train - 1 : wanted;
    for (size_t i = 0; i < wanted; i++) {
        uint64_t chosen = sg_permute(job->seed, SG_STREAM_SPLIT, 0, i, train);
        for (size_t k = 0, seen = 0; k < scenes->count; k++) {
            /* Those chosen before still count, as the permutation is of the first list. */
            bool candidate =
                scenes->item[k].split == SG_SPLIT_TRAIN || scenes->item[k].split == SG_SPLIT_VAL;
            if (candidate && seen++ == chosen)
                scenes->item[k].split = SG_SPLIT_VAL;
        }
    }
    return SG_OK;
}

static sg_err check_twice(const sg_job_scenes *scenes)
{
    for (size_t i = 0; i < scenes->count; i++) {
        for (size_t k = i + 1; k < scenes->count; k++) {
            if (strcmp(scenes->item[i].image, scenes->item[k].image) == 0)
                return sg_fail(SG_EUSAGE, "%s is named twice (%s and %s); name each scene once",
                               scenes->item[i].image, sg_split_name(scenes->item[i].split),
                               sg_split_name(scenes->item[k].split));
        }
    }
    return SG_OK;
}

bool sg_job_names_scenes(const sg_job *job)
{
    bool named = job->data.scenes.count > 0 || job->data.csv.file[0] != '\0';
    for (int split = 0; split < SG_SPLITS; split++)
        named = named || job->data.files[split].images.count > 0;
    return named;
}

sg_err sg_job_list_scenes(const sg_job *job, sg_job_scenes *scenes)
{
    *scenes = (sg_job_scenes){0};
    sg_err err = list_named(job, scenes);
    for (int split = 0; err == SG_OK && split < SG_SPLITS; split++)
        err = list_files(job, split, scenes);
    if (err == SG_OK)
        err = list_csv(job, scenes);
    if (err == SG_OK && scenes->count == 0)
        err = sg_yaml_fail(job->yaml, "data",
                           "no scenes; name them under data.scenes, data.train or data.csv");
    if (err == SG_OK)
        err = check_twice(scenes);
    if (err == SG_OK)
        err = carve_validation(job, scenes);
    if (err != SG_OK)
        sg_job_scenes_clear(scenes);
    return err;
}
