#include "base/yaml_read.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/size.h"

sg_err sg_yaml_wrong(const sg_yaml_place *place, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    const sg_yaml_node *node = place->node;
    if ((node && node->command) || !*place->file) {
        return sg_fail(SG_EUSAGE, "command line: %s: %s", place->key, text);
    }
    if (!node || node->line == 0) {
        return sg_fail(SG_EUSAGE, "%s: %s: %s", place->file, place->key, text);
    }
    return sg_fail(SG_EUSAGE, "%s:%d: %s: %s", place->file, node->line, place->key, text);
}

const char *sg_yaml_kind_name(sg_yaml_kind kind)
{
    static const char *const names[] = {[SG_YAML_STRING] = "a text",
                                        [SG_YAML_INT] = "an integer",
                                        [SG_YAML_FLOAT] = "a number",
                                        [SG_YAML_BOOL] = "true or false",
                                        [SG_YAML_ENUM] = "a word",
                                        [SG_YAML_STRINGS] = "a list of texts",
                                        [SG_YAML_INTS] = "a list of integers",
                                        [SG_YAML_FLOATS] = "a list of numbers",
                                        [SG_YAML_MAPS] = "a list of maps",
                                        [SG_YAML_PAIRS] = "a map"};
    return names[kind];
}

static bool has_range(const sg_yaml_field *field)
{
    return field->min != 0 || field->max != 0;
}

/* "; allowed: 1 to 6", "; allowed: at least 1", or nothing. */
static const char *range_text(const sg_yaml_field *field, char out[128])
{
    out[0] = '\0';
    if (!has_range(field)) {
        return out;
    }
    if (isinf(field->max)) {
        snprintf(out, 128, "; allowed: at least %.15g", field->min);
    } else if (isinf(field->min)) {
        snprintf(out, 128, "; allowed: at most %.15g", field->max);
    } else {
        snprintf(out, 128, "; allowed: %.15g to %.15g", field->min, field->max);
    }
    size_t length = strlen(out);
    if (field->kind == SG_YAML_INT && field->allowed) {
        snprintf(out + length, 128 - length, ", or %.32s", field->allowed);
    }
    return out;
}

static bool in_range(const sg_yaml_field *field, double value)
{
    return !has_range(field) || (value >= field->min && value <= field->max);
}

sg_err sg_yaml_check_count(const sg_yaml_place *place, const sg_yaml_field *field, size_t count)
{
    char range[128];
    if (in_range(field, (double)count)) {
        return SG_OK;
    }
    return sg_yaml_wrong(place, "has %zu %s%s", count,
                         field->kind == SG_YAML_STRING ? "bytes" : "items",
                         range_text(field, range));
}

/* "nothing" stands for a key without value. */
static bool is_nothing(const sg_yaml_node *node)
{
    return node->shape == SG_YAML_SCALAR && !node->quoted &&
           (node->text[0] == '\0' || strcmp(node->text, "~") == 0 ||
            strcasecmp(node->text, "null") == 0);
}

sg_err sg_yaml_wrong_kind(const sg_yaml_place *place, const sg_yaml_field *field)
{
    char range[128];
    const sg_yaml_node *node = place->node;
    const char *wanted = sg_yaml_kind_name(field->kind);
    range_text(field, range);
    if (is_nothing(node)) {
        return sg_yaml_wrong(place, "has no value, but %s is needed%s", wanted, range);
    }
    if (node->shape == SG_YAML_SCALAR) {
        return sg_yaml_wrong(place, "'%.200s' is not %s%s%s", node->text, wanted,
                             node->quoted ? " (a value in quotes is a text)" : "", range);
    }
    return sg_yaml_wrong(place, "is a %s, but %s is needed%s",
                         node->shape == SG_YAML_MAP ? "map" : "list", wanted, range);
}

/* A scalar that stands for a number or a word of the language. */
static bool is_plain(const sg_yaml_node *node)
{
    return node->shape == SG_YAML_SCALAR && !node->quoted && !is_nothing(node);
}

static bool parse_int(const sg_yaml_node *node, int64_t *value)
{
    char *end = NULL;
    if (!is_plain(node)) {
        return false;
    }
    errno = 0;
    *value = strtoll(node->text, &end, 10);
    return errno == 0 && *end == '\0';
}

static bool parse_float(const sg_yaml_node *node, double *value)
{
    char *end = NULL;
    if (!is_plain(node)) {
        return false;
    }
    *value = strtod(node->text, &end);
    return *end == '\0' && isfinite(*value);
}

static sg_err out_of_range(const sg_yaml_place *place, const sg_yaml_field *field)
{
    char range[128];
    return sg_yaml_wrong(place, "%s is out of range%s", place->node->text,
                         range_text(field, range));
}

static sg_err read_string(const sg_yaml_place *place, const sg_yaml_field *field, void *value)
{
    const sg_yaml_node *node = place->node;
    /* "key=": shells take quotes away, so this is how a text is emptied. */
    bool emptied = node->command && node->shape == SG_YAML_SCALAR && node->text[0] == '\0';
    if (!emptied && (node->shape != SG_YAML_SCALAR || is_nothing(node))) {
        return sg_yaml_wrong_kind(place, field);
    }
    size_t length = strlen(node->text);
    if (length >= field->size) {
        return sg_yaml_wrong(place, "has %zu bytes; at most %zu are allowed", length,
                             field->size - 1);
    }
    memcpy(value, node->text, length + 1);
    return sg_yaml_check_count(place, field, length);
}

static sg_err read_int(const sg_yaml_place *place, const sg_yaml_field *field, void *value)
{
    int64_t wide = 0;
    bool word =
        field->allowed && is_plain(place->node) && strcmp(place->node->text, field->allowed) == 0;
    if (!word && !parse_int(place->node, &wide)) {
        return sg_yaml_wrong_kind(place, field);
    }
    int32_t narrow = (int32_t)wide;
    if (!word && !in_range(field, (double)wide)) {
        return out_of_range(place, field);
    }
    if (field->size == sizeof narrow && narrow != wide) {
        return sg_yaml_wrong(place, "%s does not fit into 32 bits", place->node->text);
    }
    SG_ASSERT(field->size == sizeof narrow || field->size == sizeof wide);
    memcpy(value, field->size == sizeof narrow ? (void *)&narrow : (void *)&wide, field->size);
    return SG_OK;
}

static sg_err read_float(const sg_yaml_place *place, const sg_yaml_field *field, void *value)
{
    double wide = 0;
    if (!parse_float(place->node, &wide)) {
        return sg_yaml_wrong_kind(place, field);
    }
    float narrow = (float)wide;
    if (!in_range(field, wide) || (field->size == sizeof narrow && !isfinite(narrow))) {
        return out_of_range(place, field);
    }
    SG_ASSERT(field->size == sizeof narrow || field->size == sizeof wide);
    memcpy(value, field->size == sizeof narrow ? (void *)&narrow : (void *)&wide, field->size);
    return SG_OK;
}

static sg_err read_bool(const sg_yaml_place *place, const sg_yaml_field *field, void *value)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on"};
    for (int i = 0; i < 6; i++) {
        if (is_plain(place->node) && strcasecmp(place->node->text, words[i]) == 0) {
            int32_t wide = i % 2;
            bool narrow = i % 2;
            SG_ASSERT(field->size == sizeof narrow || field->size == sizeof wide);
            memcpy(value, field->size == sizeof narrow ? (void *)&narrow : (void *)&wide,
                   field->size);
            return SG_OK;
        }
    }
    return sg_yaml_wrong_kind(place, field);
}

static sg_err unknown_word(const sg_yaml_place *place, const char *allowed)
{
    char list[512], *p = list;
    for (const char *a = allowed; *a && p < list + sizeof list - 3; a++) {
        *p++ = *a == '|' ? ',' : *a;
        if (*a == '|') {
            *p++ = ' ';
        }
    }
    *p = '\0';
    return sg_yaml_wrong(place, "'%.200s' is unknown; allowed: %s", place->node->text, list);
}

static sg_err read_enum(const sg_yaml_place *place, const sg_yaml_field *field, void *value)
{
    const sg_yaml_node *node = place->node;
    if (node->shape != SG_YAML_SCALAR || is_nothing(node)) {
        return sg_yaml_wrong_kind(place, field);
    }
    size_t length = strlen(node->text);
    const char *word = field->allowed;
    for (int32_t index = 0; word; index++) {
        size_t end = strcspn(word, "|");
        if (end == length && strncmp(word, node->text, end) == 0) {
            SG_ASSERT(field->size == sizeof index);
            memcpy(value, &index, sizeof index);
            return SG_OK;
        }
        word = word[end] ? word + end + 1 : NULL;
    }
    return unknown_word(place, field->allowed);
}

static sg_err copy_string(const char *text, char **out)
{
    size_t bytes = strlen(text) + 1;
    sg_err err = sg_malloc(bytes, 1, out);
    if (!err) {
        memcpy(*out, text, bytes);
    }
    return err;
}

/* One item of a list, by the list's kind, at item. */
static sg_err read_item(const sg_yaml_place *place, sg_yaml_kind kind, void *item)
{
    if (kind == SG_YAML_STRINGS) {
        sg_yaml_field field = {.kind = SG_YAML_STRING};
        bool text = place->node->shape == SG_YAML_SCALAR && !is_nothing(place->node);
        return text ? copy_string(place->node->text, item) : sg_yaml_wrong_kind(place, &field);
    }
    if (kind == SG_YAML_INTS) {
        return read_int(place, &(sg_yaml_field){.kind = SG_YAML_INT, .size = sizeof(int64_t)},
                        item);
    }
    return read_float(place, &(sg_yaml_field){.kind = SG_YAML_FLOAT, .size = sizeof(double)}, item);
}

static sg_err read_list(const sg_yaml_place *place, const sg_yaml_field *field, void *value)
{
    const sg_yaml_node *node = place->node;
    size_t item_size = field->kind == SG_YAML_STRINGS ? sizeof(char *) : sizeof(int64_t);
    sg_yaml_maps list = {0}; /* all lists have the same two members */
    bool alone = node->shape == SG_YAML_SCALAR && !is_nothing(node); /* a list of one */
    if (node->shape != SG_YAML_LIST && !alone) {
        return sg_yaml_wrong_kind(place, field);
    }
    size_t count = alone ? 1 : sg_yaml_node_count(node);
    sg_err err = sg_yaml_check_count(place, field, count);
    if (!err) {
        err = sg_calloc(count, item_size, &list.item);
    }
    if (alone && !err) {
        err = read_item(place, field->kind, list.item);
        list.count = 1;
    }
    for (const sg_yaml_node *c = node->child; c && !err; c = c->next) {
        char key[SG_YAML_KEY_MAX];
        snprintf(key, sizeof key, "%s[%zu]", place->key, list.count);
        err = read_item(&(sg_yaml_place){place->file, c, key}, field->kind,
                        (char *)list.item + item_size * list.count);
        list.count++;
    }
    SG_ASSERT(field->size == sizeof list);
    memcpy(value, &list, sizeof list); /* also after an error: the caller clears */
    return err;
}

static sg_err read_pair(const sg_yaml_place *place, const sg_yaml_node *node, sg_yaml_pair *pair)
{
    char key[SG_YAML_KEY_MAX];
    snprintf(key, sizeof key, "%s.%s", place->key, node->key);
    sg_yaml_place here = {place->file, node, key};
    sg_err err = read_item(&here, SG_YAML_STRINGS, &pair->value);
    return err ? err : copy_string(node->key, &pair->key);
}

static sg_err read_pairs(const sg_yaml_place *place, const sg_yaml_field *field, void *value)
{
    const sg_yaml_node *node = place->node;
    sg_yaml_pairs pairs = {0};
    if (node->shape != SG_YAML_MAP) {
        return sg_yaml_wrong_kind(place, field);
    }
    size_t count = sg_yaml_node_count(node);
    sg_err err = sg_yaml_check_count(place, field, count);
    if (!err) {
        err = sg_calloc(count, sizeof *pairs.item, &pairs.item);
    }
    for (const sg_yaml_node *c = node->child; c && !err; c = c->next) {
        err = read_pair(place, c, &pairs.item[pairs.count]);
        pairs.count++;
    }
    SG_ASSERT(field->size == sizeof pairs);
    memcpy(value, &pairs, sizeof pairs);
    return err;
}

sg_err sg_yaml_value_read(const sg_yaml_place *place, const sg_yaml_field *field, void *value)
{
    static sg_err (*const readers[])(const sg_yaml_place *, const sg_yaml_field *, void *) = {
        [SG_YAML_STRING] = read_string, [SG_YAML_INT] = read_int,     [SG_YAML_FLOAT] = read_float,
        [SG_YAML_BOOL] = read_bool,     [SG_YAML_ENUM] = read_enum,   [SG_YAML_STRINGS] = read_list,
        [SG_YAML_INTS] = read_list,     [SG_YAML_FLOATS] = read_list, [SG_YAML_PAIRS] = read_pairs};
    return readers[field->kind](place, field, value);
}
