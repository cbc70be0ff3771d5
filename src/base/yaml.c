#include "base/yaml_read.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/size.h"

struct sg_yaml {
    char file[SG_PATH_MAX];
    sg_yaml_node *root;
};

/* One map being read: which document, and the key that leads to it ("" or "scenes[2]."). */
typedef struct {
    const char *file;
    const char *prefix;
    const sg_yaml_node *map;
} level;

static sg_err fill(const level *at, const sg_yaml_field *fields, void *out);

static void *member(const sg_yaml_field *field, void *out)
{
    return (char *)out + field->offset;
}

/* Does path begin with the length bytes of head, and what follows: '\0' it is head, '.' it lies
 * below, anything else: another key. */
static char after(const char *path, const char *head, size_t length)
{
    bool begins = strncmp(path, head, length) == 0;
    return begins && (path[length] == '\0' || path[length] == '.') ? path[length] : '?';
}

static bool has_key(const sg_yaml_field *fields, const char *path, char follower)
{
    for (const sg_yaml_field *f = fields; f->path; f++) {
        if (after(f->path, path, strlen(path)) == follower) {
            return true;
        }
    }
    return false;
}

/* The keys that may stand in the map at path ("" or "model."), joined by spaces, each once. */
static sg_err known_keys(const sg_yaml_field *fields, const char *path, sg_text *keys)
{
    size_t length = strlen(path), previous_length = 0;
    const char *previous = "";
    sg_err err = sg_text_add(keys, "%s", "");
    for (const sg_yaml_field *f = fields; f->path && !err; f++) {
        if (strncmp(f->path, path, length) != 0) {
            continue;
        }
        const char *key = f->path + length;
        size_t key_length = strcspn(key, ".");
        if (key_length != previous_length || strncmp(key, previous, key_length) != 0) {
            err = sg_text_add(keys, "%s%.*s", keys->length ? " " : "", (int)key_length, key);
        }
        previous = key;
        previous_length = key_length;
    }
    return err;
}

static sg_err unknown_key(const sg_yaml_place *place, const sg_yaml_field *fields, const char *path,
                          const char *key)
{
    sg_text keys = {0};
    char word[64];
    sg_err err = known_keys(fields, path, &keys);
    if (!err) {
        const char *near = sg_text_nearest(key, keys.data, word);
        err = sg_yaml_wrong(place, "unknown key; %s%s%skeys here: %.600s",
                            near ? "did you mean " : "", near ? near : "", near ? "? " : "",
                            keys.data);
    }
    sg_text_clear(&keys);
    return err;
}

/* Every key of map must be a field, or a map on the way to one. path: keys above, "" or "model.".
 */
static sg_err check_keys(const level *at, const sg_yaml_node *map, const sg_yaml_field *fields,
                         const char *path)
{
    for (const sg_yaml_node *c = map->child; c; c = c->next) {
        char full[SG_YAML_KEY_MAX], shown[2 * SG_YAML_KEY_MAX];
        snprintf(full, sizeof full - 1, "%s%s", path, c->key);
        snprintf(shown, sizeof shown, "%s%s", at->prefix, full);
        sg_yaml_place place = {at->file, c, shown};
        sg_err err = SG_OK;
        if (strchr(c->key, '.')) { /* only the table joins keys by dots */
            err = unknown_key(&place, fields, path, c->key);
        } else if (has_key(fields, full, '\0')) {
            continue;
        } else if (!has_key(fields, full, '.')) {
            err = unknown_key(&place, fields, path, c->key);
        } else if (c->shape != SG_YAML_MAP) {
            err = sg_yaml_wrong_kind(&place, &(sg_yaml_field){.kind = SG_YAML_PAIRS});
        } else {
            strcat(full, ".");
            err = check_keys(at, c, fields, full);
        }
        if (err) {
            return err;
        }
    }
    return SG_OK;
}

static sg_err read_map_item(const sg_yaml_place *place, const sg_yaml_field *field, void *item);

/* A word for a whole map: read as if {allowed: word} stood there. */
static sg_err read_word_item(const sg_yaml_place *place, const sg_yaml_field *field, void *item)
{
    sg_yaml_node *map = NULL, *word = NULL;
    sg_err err = sg_yaml_node_create(&map, SG_YAML_MAP, NULL);
    if (!err)
        err = sg_yaml_node_create(&word, SG_YAML_SCALAR, place->node->text);
    if (!err) {
        map->line = word->line = place->node->line;
        map->command = word->command = place->node->command;
        word->quoted = place->node->quoted;
        err = sg_yaml_node_add(map, field->allowed, word);
    }
    if (!err)
        err = read_map_item(&(sg_yaml_place){place->file, map, place->key}, field, item);
    sg_yaml_node_free(map);
    return err;
}

static bool is_word(const sg_yaml_node *node, const sg_yaml_field *field)
{
    return node->shape == SG_YAML_SCALAR && field->allowed && node->text && *node->text;
}

static sg_err read_map_item(const sg_yaml_place *place, const sg_yaml_field *field, void *item)
{
    char prefix[SG_YAML_KEY_MAX + 2];
    if (is_word(place->node, field)) {
        return read_word_item(place, field, item);
    }
    if (place->node->shape != SG_YAML_MAP) {
        return sg_yaml_wrong_kind(place, &(sg_yaml_field){.kind = SG_YAML_PAIRS});
    }
    snprintf(prefix, sizeof prefix, "%s.", place->key);
    return fill(&(level){place->file, prefix, place->node}, field->item, item);
}

static sg_err read_maps(const sg_yaml_place *place, const sg_yaml_field *field, void *value)
{
    sg_yaml_maps list = {0};
    bool alone = is_word(place->node, field); /* a list of one */
    if (place->node->shape != SG_YAML_LIST && !alone) {
        return sg_yaml_wrong_kind(place, field);
    }
    size_t count = alone ? 1 : sg_yaml_node_count(place->node);
    sg_err err = sg_yaml_check_count(place, field, count);
    if (!err) {
        err = sg_calloc(count, field->item_size, &list.item);
    }
    if (alone && !err) {
        err = read_map_item(place, field, list.item);
        list.count = 1;
    }
    for (const sg_yaml_node *c = place->node->child; c && !err; c = c->next) {
        char key[SG_YAML_KEY_MAX];
        snprintf(key, sizeof key, "%s[%zu]", place->key, list.count);
        err = read_map_item(&(sg_yaml_place){place->file, c, key}, field,
                            (char *)list.item + field->item_size * list.count);
        list.count++;
    }
    SG_ASSERT(field->size == sizeof list);
    memcpy(value, &list, sizeof list); /* also after an error: the caller clears */
    return err;
}

static sg_err read_field(const sg_yaml_place *place, const sg_yaml_field *field, void *out)
{
    return field->kind == SG_YAML_MAPS ? read_maps(place, field, member(field, out))
                                       : sg_yaml_value_read(place, field, member(field, out));
}

static sg_err read_fallback(const level *at, const sg_yaml_field *field, const char *key, void *out)
{
    sg_yaml_node *node = NULL;
    sg_err err;
    if (!field->fallback) {
        const sg_yaml_node *item = *at->prefix ? at->map : NULL; /* the file itself has no line */
        return sg_yaml_wrong(&(sg_yaml_place){at->file, item, key}, "is missing; %s is needed%s%s",
                             sg_yaml_kind_name(field->kind), field->allowed ? ": " : "",
                             field->allowed ? field->allowed : "");
    }
    if (field->kind == SG_YAML_STRING) {
        err = sg_yaml_node_create(&node, SG_YAML_SCALAR, field->fallback);
    } else {
        err = sg_yaml_tree_parse(&node, "default", field->fallback, false);
    }
    if (!err) {
        node->quoted |= field->kind == SG_YAML_STRING;
        err = read_field(&(sg_yaml_place){"default", node, key}, field, out);
    }
    sg_yaml_node_free(node);
    return err;
}

/* Check and read one map with all its fields. */
static sg_err fill(const level *at, const sg_yaml_field *fields, void *out)
{
    sg_err err = check_keys(at, at->map, fields, "");
    for (const sg_yaml_field *f = fields; f->path && !err; f++) {
        char key[SG_YAML_KEY_MAX];
        snprintf(key, sizeof key, "%s%s", at->prefix, f->path);
        const sg_yaml_node *node = sg_yaml_tree_find(at->map, f->path);
        err = node ? read_field(&(sg_yaml_place){at->file, node, key}, f, out)
                   : read_fallback(at, f, key, out);
    }
    return err;
}

static sg_err read_document(sg_yaml *yaml, const sg_yaml_source *source)
{
    char *text = NULL;
    bool named = source->path && *source->path;
    const char *name = named ? source->path : source->text ? "job" : "";
    sg_err err = sg_path_format(yaml->file, "%s", name);
    if (!err && !source->text && named) {
        err = sg_file_read_text(source->path, &text);
    }
    if (err) {
        return err;
    }
    const char *content = source->text ? source->text : text ? text : "";
    err = sg_yaml_tree_parse(&yaml->root, name, content, false);
    sg_free(text);
    if (!err && yaml->root->shape != SG_YAML_MAP) {
        return sg_fail(SG_EUSAGE, "%s:%d: does not begin with a key and a colon", name,
                       yaml->root->line);
    }
    return err;
}

/* A value in the place of the map that holds the field becomes such a map. */
static sg_err spread_value(sg_yaml *yaml, const sg_yaml_field *field)
{
    char path[SG_YAML_KEY_MAX];
    sg_yaml_node *map = NULL, *value = NULL;
    const char *dot = strrchr(field->path, '.');
    snprintf(path, sizeof path, "%.*s", (int)(dot - field->path), field->path);
    const sg_yaml_node *node = sg_yaml_tree_find(yaml->root, path);
    if (!node || node->shape != SG_YAML_SCALAR) {
        return SG_OK;
    }
    sg_err err = sg_yaml_node_create(&map, SG_YAML_MAP, NULL);
    if (!err) {
        err = sg_yaml_node_create(&value, SG_YAML_SCALAR, node->text);
    }
    if (err) {
        sg_yaml_node_free(map);
        return err;
    }
    map->line = value->line = node->line;
    map->command = value->command = node->command;
    value->quoted = node->quoted;
    err = sg_yaml_node_add(map, dot + 1, value);
    if (err) {
        sg_yaml_node_free(map);
        return err;
    }
    return sg_yaml_tree_put(yaml->root, path, map);
}

static sg_err spread_values(sg_yaml *yaml, const sg_yaml_field *fields)
{
    sg_err err = SG_OK;
    for (const sg_yaml_field *f = fields; f->path && !err; f++) {
        if (f->alone) {
            err = spread_value(yaml, f);
        }
    }
    return err;
}

/* Text and words are taken as they stand; everything else is YAML. */
static sg_err parse_override(const sg_yaml_field *fields, const char *key, const char *value,
                             sg_yaml_node **node)
{
    bool raw = *value == '\0';
    for (const sg_yaml_field *f = fields; f->path; f++) {
        if (strcmp(f->path, key) == 0) {
            raw |= f->kind == SG_YAML_STRING || f->kind == SG_YAML_ENUM;
        }
    }
    if (!raw) {
        char name[SG_YAML_KEY_MAX + 16];
        snprintf(name, sizeof name, "command line: %s", key);
        return sg_yaml_tree_parse(node, name, value, true);
    }
    sg_err err = sg_yaml_node_create(node, SG_YAML_SCALAR, value);
    if (!err) {
        (*node)->quoted = *value != '\0';
        (*node)->command = true;
    }
    return err;
}

static sg_err apply_override(sg_yaml *yaml, const sg_yaml_field *fields, const char *override)
{
    char key[SG_YAML_KEY_MAX];
    sg_yaml_node *node = NULL;
    const char *equals = strchr(override, '=');
    size_t length = equals ? (size_t)(equals - override) : 0;
    if (length == 0 || length >= sizeof key || strspn(override, ".") || strstr(override, "..") ||
        equals[-1] == '.') {
        return sg_fail(SG_EUSAGE, "command line: '%.200s' is not of the form key=value", override);
    }
    snprintf(key, sizeof key, "%.*s", (int)length, override);
    sg_err err = parse_override(fields, key, equals + 1, &node);
    if (err) {
        return err;
    }
    err = sg_yaml_tree_put(yaml->root, key, node);
    if (!err) {
        err = spread_values(yaml, fields);
    }
    return err == SG_EUSAGE ? sg_fail_in(err, "command line") : err;
}

sg_err sg_yaml_load(sg_yaml **yaml, const sg_yaml_source *source, const sg_yaml_field *fields,
                    void *out)
{
    *yaml = NULL;
    for (const sg_yaml_field *f = fields; f->path; f++) {
        memset(member(f, out), 0, f->size);
    }
    sg_yaml *y = NULL;
    sg_err err = sg_calloc(1, sizeof *y, &y);
    if (err) {
        return err;
    }
    err = read_document(y, source);
    if (!err) {
        err = spread_values(y, fields);
    }
    for (size_t i = 0; i < source->count && !err; i++) {
        err = apply_override(y, fields, source->overrides[i]);
    }
    if (!err) {
        err = fill(&(level){y->file, "", y->root}, fields, out);
    }
    if (err) {
        sg_yaml_clear(fields, out);
        sg_yaml_close(y);
        return err;
    }
    *yaml = y;
    return SG_OK;
}

/* Free what the items of a list own. */
static void clear_items(const sg_yaml_field *field, void *value)
{
    sg_yaml_maps *list = value;
    for (size_t i = 0; i < list->count; i++) {
        if (field->kind == SG_YAML_MAPS) {
            sg_yaml_clear(field->item, (char *)list->item + i * field->item_size);
        } else if (field->kind == SG_YAML_STRINGS) {
            sg_free(((char **)list->item)[i]);
        } else if (field->kind == SG_YAML_PAIRS) {
            sg_free(((sg_yaml_pair *)list->item)[i].key);
            sg_free(((sg_yaml_pair *)list->item)[i].value);
        }
    }
    sg_free(list->item);
}

void sg_yaml_clear(const sg_yaml_field *fields, void *out)
{
    for (const sg_yaml_field *f = fields; f->path; f++) {
        if (f->kind >= SG_YAML_STRINGS) {
            clear_items(f, member(f, out));
        }
        memset(member(f, out), 0, f->size);
    }
}

void sg_yaml_close(sg_yaml *yaml)
{
    if (!yaml) {
        return;
    }
    sg_yaml_node_free(yaml->root);
    sg_free(yaml);
}

bool sg_yaml_given(const sg_yaml *yaml, const char *key)
{
    return sg_yaml_tree_find(yaml->root, key) != NULL;
}

sg_err sg_yaml_fail(const sg_yaml *yaml, const char *key, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    sg_yaml_place place = {yaml->file, sg_yaml_tree_find(yaml->root, key), key};
    return sg_yaml_wrong(&place, "%s", text);
}
