#include "data/series.h"

#include <errno.h>
#include <json-c/json.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "base/text.h"

enum { DEPTH_MOST = 8 };

typedef struct {
    sg_series_set *set;
    double x;    /* of the row at hand */
    size_t next; /* where the next name is looked for first: rows are alike */
} row_reader;

static sg_err add_series(sg_series_set *set, const char *name)
{
    sg_err err = sg_grow(&set->item, &set->room, set->count + 1, sizeof *set->item);
    if (err)
        return err;
    sg_series *series = &set->item[set->count];
    memset(series, 0, sizeof *series);
    err = sg_malloc(strlen(name) + 1, 1, &series->name);
    if (err)
        return err;
    strcpy(series->name, name);
    set->count++;
    return SG_OK;
}

/* The series of this name, made when it is new; NULL when there are too many. */
static sg_err find_or_add(row_reader *reader, const char *name, sg_series **found)
{
    sg_series_set *set = reader->set;
    *found = NULL;
    for (size_t i = 0; i < set->count; i++) {
        size_t at = (reader->next + i) % set->count;
        if (strcmp(set->item[at].name, name) == 0) {
            *found = &set->item[at];
            reader->next = at + 1;
            return SG_OK;
        }
    }
    if (set->count == SG_SERIES_MAX)
        return SG_OK;
    sg_err err = add_series(set, name);
    if (!err)
        *found = &set->item[set->count - 1];
    return err;
}

static sg_err add_point(row_reader *reader, const char *name, double y)
{
    sg_series *series;
    sg_err err = find_or_add(reader, name, &series);
    if (err || !series)
        return err;
    err = sg_grow(&series->x, &series->room_x, series->count + 1, sizeof(double));
    if (!err)
        err = sg_grow(&series->y, &series->room_y, series->count + 1, sizeof(double));
    if (err)
        return err;
    series->x[series->count] = reader->x;
    series->y[series->count++] = y;
    return SG_OK;
}

/* One more step of a JSON pointer: "~" and "/" in it are "~0" and "~1" (RFC 6901). */
static sg_err append_name(sg_text *path, const char *name)
{
    sg_err err = sg_text_add(path, "/");
    for (; !err && *name; name++) {
        err = *name == '~'   ? sg_text_add(path, "~0")
              : *name == '/' ? sg_text_add(path, "~1")
                             : sg_text_add(path, "%c", *name);
    }
    return err;
}

static void cut(sg_text *path, size_t length)
{
    path->length = length;
    if (path->data)
        path->data[length] = '\0';
}

static sg_err add_value(row_reader *reader, sg_text *path, json_object *value, int depth);

static sg_err add_members(row_reader *reader, sg_text *path, json_object *object, int depth)
{
    const size_t length = path->length;
    json_object_object_foreach(object, name, value)
    {
        sg_err err = append_name(path, name);
        if (!err)
            err = add_value(reader, path, value, depth + 1);
        if (err)
            return err;
        cut(path, length);
    }
    return SG_OK;
}

static sg_err add_elements(row_reader *reader, sg_text *path, json_object *array, int depth)
{
    const size_t length = path->length, count = json_object_array_length(array);
    for (size_t i = 0; i < count; i++) {
        sg_err err = sg_text_add(path, "/%zu", i);
        if (!err)
            err = add_value(reader, path, json_object_array_get_idx(array, i), depth + 1);
        if (err)
            return err;
        cut(path, length);
    }
    return SG_OK;
}

static sg_err add_value(row_reader *reader, sg_text *path, json_object *value, int depth)
{
    if (depth > DEPTH_MOST)
        return SG_OK;
    switch (json_object_get_type(value)) {
    case json_type_object:
        return add_members(reader, path, value, depth);
    case json_type_array:
        return add_elements(reader, path, value, depth);
    case json_type_int:
    case json_type_double:
        return add_point(reader, path->data, json_object_get_double(value));
    case json_type_null:
        return add_point(reader, path->data, NAN);
    default:
        return SG_OK;
    }
}

static bool find_x(json_object *row, const char *name, double *x)
{
    json_object *value = NULL;
    if (!json_object_is_type(row, json_type_object) ||
        !json_object_object_get_ex(row, name, &value) ||
        !(json_object_is_type(value, json_type_int) ||
          json_object_is_type(value, json_type_double)))
        return false;
    *x = json_object_get_double(value);
    return isfinite(*x);
}

static sg_err add_row(row_reader *reader, json_object *row, const char *x)
{
    sg_text path = {0};
    sg_err err = SG_OK;
    if (!find_x(row, x, &reader->x)) {
        reader->set->damaged++;
        return SG_OK;
    }
    reader->set->rows++;
    reader->next = 0;
    err = add_members(reader, &path, row, 0);
    sg_text_clear(&path);
    return err;
}

static sg_err read_rows(row_reader *reader, FILE *file, const char *x)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    sg_err err = SG_OK;
    while (!err && (length = getline(&line, &room, file)) > 0) {
        if (line[length - 1] != '\n')
            break;
        json_object *row = json_tokener_parse(line);
        err = add_row(reader, row, x);
        json_object_put(row);
    }
    free(line);
    return err;
}

sg_err sg_series_read(sg_series_set *set, const char *path, const char *x)
{
    row_reader reader = {.set = set};
    memset(set, 0, sizeof *set);
    FILE *file = fopen(path, "r");
    if (!file && errno == ENOENT)
        return SG_OK;
    if (!file)
        return sg_fail(SG_EINPUT, "%s: cannot be read: %s", path, strerror(errno));
    sg_err err = read_rows(&reader, file, x);
    if (!err && ferror(file))
        err = sg_fail(SG_EINPUT, "%s: cannot be read: %s", path, strerror(errno));
    fclose(file);
    if (err)
        sg_series_clear(set);
    return err;
}

void sg_series_clear(sg_series_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        sg_free(set->item[i].name);
        sg_free(set->item[i].x);
        sg_free(set->item[i].y);
    }
    sg_free(set->item);
    memset(set, 0, sizeof *set);
}

const sg_series *sg_series_find(const sg_series_set *set, const char *name)
{
    for (size_t i = 0; i < set->count; i++)
        if (strcmp(set->item[i].name, name) == 0)
            return &set->item[i];
    return NULL;
}
