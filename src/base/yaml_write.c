#include "base/yaml_read.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static sg_err build_map(const sg_yaml_field *fields, const void *values, sg_yaml_node **map);

static sg_err scalar(sg_yaml_node **node, const char *text, bool quoted)
{
    sg_err err = sg_yaml_node_create(node, SG_YAML_SCALAR, text);
    if (!err) {
        (*node)->quoted = quoted;
    }
    return err;
}

/* The shortest decimal that reads back to the same value. */
static sg_err number(sg_yaml_node **node, double value, bool single)
{
    char text[64];
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        double back = strtod(text, NULL);
        if (single ? (float)back == (float)value : back == value) {
            break;
        }
    }
    return scalar(node, text, false);
}

static sg_err integer(sg_yaml_node **node, int64_t value)
{
    char text[32];
    snprintf(text, sizeof text, "%" PRId64, value);
    return scalar(node, text, false);
}

static int64_t load_int(const void *value, size_t size)
{
    int64_t wide = 0;
    int32_t narrow = 0;
    bool truth = false;
    if (size == sizeof wide) {
        memcpy(&wide, value, size);
        return wide;
    }
    memcpy(size == sizeof truth ? (void *)&truth : (void *)&narrow, value, size);
    return size == sizeof truth ? truth : narrow;
}

static double load_float(const void *value, size_t size)
{
    double wide = 0;
    float narrow = 0;
    memcpy(size == sizeof wide ? (void *)&wide : (void *)&narrow, value, size);
    return size == sizeof wide ? wide : (double)narrow;
}

static sg_err word(sg_yaml_node **node, const char *allowed, int64_t index)
{
    char text[64];
    for (; index > 0 && *allowed; index--) {
        size_t end = strcspn(allowed, "|");
        allowed += end + (allowed[end] == '|');
    }
    snprintf(text, sizeof text, "%.*s", (int)strcspn(allowed, "|"), allowed);
    return scalar(node, text, false);
}

static sg_err build_item(const sg_yaml_field *field, const void *list, size_t i,
                         sg_yaml_node **node)
{
    if (field->kind == SG_YAML_STRINGS) {
        return scalar(node, ((const sg_yaml_strings *)list)->item[i], true);
    }
    if (field->kind == SG_YAML_INTS) {
        return integer(node, ((const sg_yaml_ints *)list)->item[i]);
    }
    if (field->kind == SG_YAML_FLOATS) {
        return number(node, ((const sg_yaml_floats *)list)->item[i], false);
    }
    if (field->kind == SG_YAML_PAIRS) {
        return scalar(node, ((const sg_yaml_pairs *)list)->item[i].value, true);
    }
    const sg_yaml_maps *maps = list;
    return build_map(field->item, (const char *)maps->item + i * field->item_size, node);
}

static sg_err build_list(const sg_yaml_field *field, const void *value, sg_yaml_node **node)
{
    bool pairs = field->kind == SG_YAML_PAIRS;
    size_t count = ((const sg_yaml_maps *)value)->count; /* all lists have the same two members */
    sg_err err = sg_yaml_node_create(node, pairs ? SG_YAML_MAP : SG_YAML_LIST, NULL);
    for (size_t i = 0; i < count && !err; i++) {
        sg_yaml_node *item = NULL;
        err = build_item(field, value, i, &item);
        if (!err) {
            const char *key = pairs ? ((const sg_yaml_pairs *)value)->item[i].key : NULL;
            err = sg_yaml_node_add(*node, key, item);
        } else {
            sg_yaml_node_free(item);
        }
    }
    return err;
}

static sg_err build_value(const sg_yaml_field *field, const void *value, sg_yaml_node **node)
{
    switch (field->kind) {
    case SG_YAML_STRING:
        return scalar(node, value, true);
    case SG_YAML_INT:
        if (field->allowed && load_int(value, field->size) == 0)
            return scalar(node, field->allowed, false);
        return integer(node, load_int(value, field->size));
    case SG_YAML_FLOAT:
        return number(node, load_float(value, field->size), field->size == sizeof(float));
    case SG_YAML_BOOL:
        return scalar(node, load_int(value, field->size) ? "true" : "false", false);
    case SG_YAML_ENUM:
        return word(node, field->allowed, load_int(value, field->size));
    default:
        return build_list(field, value, node);
    }
}

/* *map may be made in part after an error; the caller frees it. */
static sg_err build_map(const sg_yaml_field *fields, const void *values, sg_yaml_node **map)
{
    sg_err err = sg_yaml_node_create(map, SG_YAML_MAP, NULL);
    for (const sg_yaml_field *f = fields; f->path && !err; f++) {
        sg_yaml_node *node = NULL;
        err = build_value(f, (const char *)values + f->offset, &node);
        if (err) {
            sg_yaml_node_free(node);
        } else {
            err = sg_yaml_tree_put(*map, f->path, node);
        }
    }
    return err;
}

/* Can text stand without quotes and mean itself? */
static bool is_simple(const char *text)
{
    static const char *const words[] = {"null", "true", "false", "yes", "no",
                                        "on",   "off",  "y",     "n"};
    if (!isalnum((unsigned char)*text) && !strchr("/_.", *text)) {
        return false;
    }
    for (const char *p = text; *p; p++) {
        if (!isalnum((unsigned char)*p) && !strchr("/_.+-", *p)) {
            return false;
        }
    }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcasecmp(text, words[i]) == 0) {
            return false;
        }
    }
    char *end = NULL;
    strtod(text, &end);
    return *text != '\0' && *end != '\0'; /* what looks like a number would be read as one */
}

static sg_err write_text(const char *value, sg_text *text)
{
    return is_simple(value) ? sg_text_add(text, "%s", value) : sg_text_add_json(text, value);
}

static sg_err write_scalar(const sg_yaml_node *node, sg_text *text)
{
    return node->quoted ? write_text(node->text, text) : sg_text_add(text, "%s", node->text);
}

static sg_err write_flow_list(const sg_yaml_node *list, sg_text *text)
{
    sg_err err = sg_text_add(text, "[");
    for (const sg_yaml_node *c = list->child; c && !err; c = c->next) {
        err = write_scalar(c, text);
        if (!err && c->next) {
            err = sg_text_add(text, ", ");
        }
    }
    return err ? err : sg_text_add(text, "]\n");
}

static sg_err write_map(const sg_yaml_node *map, int indent, bool first_indented, sg_text *text);

static sg_err write_list(const sg_yaml_node *list, int indent, sg_text *text)
{
    if (!list->child || list->child->shape == SG_YAML_SCALAR) {
        sg_err err = sg_text_add(text, " ");
        return err ? err : write_flow_list(list, text);
    }
    sg_err err = sg_text_add(text, "\n");
    for (const sg_yaml_node *c = list->child; c && !err; c = c->next) {
        err = sg_text_add(text, "%*s- ", indent, "");
        if (!err) {
            err = write_map(c, indent + 2, true, text);
        }
    }
    return err;
}

/* What follows "key:". */
static sg_err write_value(const sg_yaml_node *node, int indent, sg_text *text)
{
    if (node->shape == SG_YAML_LIST) {
        return write_list(node, indent + 2, text);
    }
    if (node->shape == SG_YAML_MAP) {
        sg_err err = sg_text_add(text, node->child ? "\n" : " {}\n");
        return err ? err : write_map(node, indent + 2, false, text);
    }
    sg_err err = sg_text_add(text, " ");
    if (!err) {
        err = write_scalar(node, text);
    }
    return err ? err : sg_text_add(text, "\n");
}

static sg_err write_map(const sg_yaml_node *map, int indent, bool first_indented, sg_text *text)
{
    sg_err err = SG_OK;
    for (const sg_yaml_node *c = map->child; c && !err; c = c->next) {
        err = sg_text_add(text, "%*s", c == map->child && first_indented ? 0 : indent, "");
        if (!err) {
            err = write_text(c->key, text);
        }
        if (!err) {
            err = sg_text_add(text, ":");
        }
        if (!err) {
            err = write_value(c, indent, text);
        }
    }
    return err;
}

sg_err sg_yaml_tree_write(const sg_yaml_node *root, sg_text *text)
{
    return root->child ? write_map(root, 0, false, text) : sg_text_add(text, "{}\n");
}

sg_err sg_yaml_write(const sg_yaml_field *fields, const void *values, sg_text *text)
{
    sg_yaml_node *root = NULL;
    sg_err err = build_map(fields, values, &root);
    if (!err) {
        err = sg_yaml_tree_write(root, text);
    }
    sg_yaml_node_free(root);
    return err;
}
