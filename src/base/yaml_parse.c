#include <yaml.h>

#include "base/yaml_tree.h"

#include <string.h>

/* Deeper than any job file; keeps a hostile one from exhausting the stack. */
enum { DEPTH_MAX = 32 };

typedef struct {
    yaml_parser_t parser;
    const char *name; /* the file, or "command line" */
    bool command;
    int depth;
} reader;

static sg_err parse_value(reader *r, const yaml_event_t *event, sg_yaml_node **node);

static sg_err fail_at(const reader *r, yaml_mark_t mark, const char *what, const char *cure)
{
    if (r->command) {
        return sg_fail(SG_EUSAGE, "%s: %s%s", r->name, what, cure);
    }
    return sg_fail(SG_EUSAGE, "%s:%zu: %s%s", r->name, mark.line + 1, what, cure);
}

static sg_err next_event(reader *r, yaml_event_t *event)
{
    if (yaml_parser_parse(&r->parser, event)) {
        return SG_OK;
    }
    if (r->parser.error == YAML_MEMORY_ERROR) {
        return sg_fail(SG_ENOMEM, "%s: no memory to read it", r->name);
    }
    return fail_at(r, r->parser.problem_mark,
                   r->parser.problem ? r->parser.problem : "cannot be read",
                   " (this is not YAML: indent with spaces, not tabs; text with ': ' or ' #' needs "
                   "quotes)");
}

static sg_err parse_scalar(reader *r, const yaml_event_t *event, sg_yaml_node **node)
{
    const char *text = (const char *)event->data.scalar.value;
    if (strlen(text) != event->data.scalar.length) {
        return fail_at(r, event->start_mark, "a text holds a byte of zero", "");
    }
    sg_err err = sg_yaml_node_create(node, SG_YAML_SCALAR, text);
    if (!err) {
        (*node)->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    }
    return err;
}

static sg_err parse_list(reader *r, sg_yaml_node *list)
{
    for (;;) {
        yaml_event_t event;
        sg_yaml_node *item = NULL;
        sg_err err = next_event(r, &event);
        if (err) {
            return err;
        }
        bool end = event.type == YAML_SEQUENCE_END_EVENT;
        if (!end) {
            err = parse_value(r, &event, &item);
        }
        yaml_event_delete(&event);
        if (end || err) {
            return err;
        }
        err = sg_yaml_node_add(list, NULL, item);
        if (err) {
            return err;
        }
    }
}

static sg_err check_key(const reader *r, const yaml_event_t *event, const sg_yaml_node *map)
{
    char text[256];
    if (event->type != YAML_SCALAR_EVENT) {
        return fail_at(r, event->start_mark, "a key must be a plain word", "");
    }
    const char *key = (const char *)event->data.scalar.value;
    for (const sg_yaml_node *c = map->child; c; c = c->next) {
        if (strcmp(c->key, key) == 0) {
            snprintf(text, sizeof text, "%.200s: is given twice", key);
            return fail_at(r, event->start_mark, text, "; remove one of them");
        }
    }
    return SG_OK;
}

/* One key with its value; *end at the end of the map. */
static sg_err parse_pair(reader *r, sg_yaml_node *map, bool *end)
{
    yaml_event_t key, value;
    sg_yaml_node *node = NULL;
    sg_err err = next_event(r, &key);
    if (err) {
        return err;
    }
    *end = key.type == YAML_MAPPING_END_EVENT;
    if (!*end) {
        err = check_key(r, &key, map);
    }
    if (!*end && !err) {
        err = next_event(r, &value);
        if (!err) {
            err = parse_value(r, &value, &node);
            yaml_event_delete(&value);
        }
        if (!err) {
            err = sg_yaml_node_add(map, (const char *)key.data.scalar.value, node);
        }
    }
    yaml_event_delete(&key);
    return err;
}

static sg_err parse_map(reader *r, sg_yaml_node *map)
{
    bool end = false;
    sg_err err = SG_OK;
    while (!end && !err) {
        err = parse_pair(r, map, &end);
    }
    return err;
}

static sg_err parse_collection(reader *r, const yaml_event_t *event, sg_yaml_node **node)
{
    bool list = event->type == YAML_SEQUENCE_START_EVENT;
    if (r->depth >= DEPTH_MAX) {
        return fail_at(r, event->start_mark, "lists and maps are nested too deeply", "");
    }
    sg_err err = sg_yaml_node_create(node, list ? SG_YAML_LIST : SG_YAML_MAP, NULL);
    if (err) {
        return err;
    }
    r->depth++;
    err = list ? parse_list(r, *node) : parse_map(r, *node);
    r->depth--;
    return err;
}

/* The value that begins with event. *node is NULL after an error. */
static sg_err parse_value(reader *r, const yaml_event_t *event, sg_yaml_node **node)
{
    sg_err err;
    *node = NULL;
    if (event->type == YAML_SCALAR_EVENT) {
        err = parse_scalar(r, event, node);
    } else if (event->type == YAML_SEQUENCE_START_EVENT ||
               event->type == YAML_MAPPING_START_EVENT) {
        err = parse_collection(r, event, node);
    } else {
        err = fail_at(r, event->start_mark, "references (*name) are not read",
                      "; write the value out");
    }
    if (err) {
        sg_yaml_node_free(*node);
        *node = NULL;
        return err;
    }
    (*node)->line = r->command ? 0 : (int)event->start_mark.line + 1;
    (*node)->command = r->command;
    return SG_OK;
}

/* Stream and document: skip their starts, allow one document. */
static sg_err parse_stream(reader *r, sg_yaml_node **root)
{
    for (;;) {
        yaml_event_t event;
        sg_err err = next_event(r, &event);
        if (err) {
            return err;
        }
        yaml_event_type_t type = event.type;
        if (type == YAML_SCALAR_EVENT || type == YAML_SEQUENCE_START_EVENT ||
            type == YAML_MAPPING_START_EVENT || type == YAML_ALIAS_EVENT) {
            err = *root ? fail_at(r, event.start_mark, "a second document (---) begins here",
                                  "; only one is read")
                        : parse_value(r, &event, root);
        }
        yaml_event_delete(&event);
        if (err || type == YAML_STREAM_END_EVENT) {
            return err;
        }
    }
}

sg_err sg_yaml_tree_parse(sg_yaml_node **node, const char *name, const char *text, bool command)
{
    reader r = {.name = name, .command = command};
    *node = NULL;
    if (!yaml_parser_initialize(&r.parser)) {
        return sg_fail(SG_ENOMEM, "%s: no memory to read it", name);
    }
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, strlen(text));
    sg_err err = parse_stream(&r, node);
    yaml_parser_delete(&r.parser);
    if (!err && !*node) {
        err = sg_yaml_node_create(node, SG_YAML_MAP, NULL);
    }
    if (err) {
        sg_yaml_node_free(*node);
        *node = NULL;
    }
    return err;
}
