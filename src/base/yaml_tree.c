#include "base/yaml_tree.h"

#include <stdlib.h>
#include <string.h>

#include "base/size.h"

static sg_err copy_text(char **out, const char *text, size_t length)
{
    sg_err err = sg_calloc(length + 1, 1, out);
    if (!err) {
        memcpy(*out, text, length);
    }
    return err;
}

sg_err sg_yaml_node_create(sg_yaml_node **node, sg_yaml_shape shape, const char *text)
{
    sg_err err = sg_calloc(1, sizeof **node, node);
    if (err) {
        return err;
    }
    (*node)->shape = shape;
    if (text) {
        err = copy_text(&(*node)->text, text, strlen(text));
    }
    if (err) {
        sg_yaml_node_free(*node);
        *node = NULL;
    }
    return err;
}

void sg_yaml_node_free(sg_yaml_node *node)
{
    while (node) {
        sg_yaml_node *next = node->next;
        sg_yaml_node_free(node->child);
        sg_free(node->key);
        sg_free(node->text);
        sg_free(node);
        node = next;
    }
}

sg_err sg_yaml_node_add(sg_yaml_node *parent, const char *key, sg_yaml_node *child)
{
    if (key && !child->key) {
        sg_err err = copy_text(&child->key, key, strlen(key));
        if (err) {
            sg_yaml_node_free(child);
            return err;
        }
    }
    if (parent->last) {
        parent->last->next = child;
    } else {
        parent->child = child;
    }
    parent->last = child;
    return SG_OK;
}

size_t sg_yaml_node_count(const sg_yaml_node *node)
{
    size_t count = 0;
    for (const sg_yaml_node *c = node->child; c; c = c->next) {
        count++;
    }
    return count;
}

static sg_yaml_node *find_child(const sg_yaml_node *map, const char *key, size_t length)
{
    for (sg_yaml_node *c = map->child; c; c = c->next) {
        if (strncmp(c->key, key, length) == 0 && c->key[length] == '\0') {
            return c;
        }
    }
    return NULL;
}

/* Put value into the place of old: the same key, the same follower. */
static void replace(sg_yaml_node *old, sg_yaml_node *value)
{
    sg_yaml_node former = *old;
    *old = *value;
    old->key = former.key;
    old->next = former.next;
    former.key = NULL;
    former.next = NULL;
    *value = former;
    sg_yaml_node_free(value);
}

/* The map at a key of parent, made when there is none. */
static sg_err enter_map(sg_yaml_node *parent, const char *key, size_t length, bool command,
                        sg_yaml_node **map)
{
    *map = find_child(parent, key, length);
    if (*map) {
        return (*map)->shape == SG_YAML_MAP
                   ? SG_OK
                   : sg_fail(SG_EUSAGE, "%.*s holds a value, so nothing can be set below it",
                             (int)length, key);
    }
    sg_yaml_node *made = NULL;
    sg_err err = sg_yaml_node_create(&made, SG_YAML_MAP, NULL);
    if (!err) {
        made->command = command;
        err = copy_text(&made->key, key, length);
    }
    if (err) {
        sg_yaml_node_free(made);
        return err;
    }
    *map = made;
    return sg_yaml_node_add(parent, NULL, made);
}

sg_err sg_yaml_tree_put(sg_yaml_node *root, const char *path, sg_yaml_node *value)
{
    sg_yaml_node *map = root;
    const char *dot = NULL;
    while ((dot = strchr(path, '.')) != NULL) {
        sg_err err = enter_map(map, path, (size_t)(dot - path), value->command, &map);
        if (err) {
            sg_yaml_node_free(value);
            return err;
        }
        path = dot + 1;
    }
    sg_yaml_node *old = find_child(map, path, strlen(path));
    if (!old) {
        return sg_yaml_node_add(map, path, value);
    }
    replace(old, value);
    return SG_OK;
}

/* Go down by "[n]". */
static const sg_yaml_node *enter_list(const sg_yaml_node *node, const char **path)
{
    char *end = NULL;
    unsigned long index = strtoul(*path + 1, &end, 10);
    if (*end != ']' || node->shape != SG_YAML_LIST) {
        return NULL;
    }
    *path = end + 1;
    const sg_yaml_node *c = node->child;
    while (c && index > 0) {
        c = c->next;
        index--;
    }
    return c;
}

const sg_yaml_node *sg_yaml_tree_find(const sg_yaml_node *root, const char *path)
{
    const sg_yaml_node *node = root;
    while (node && *path) {
        if (*path == '[') {
            node = enter_list(node, &path);
            continue;
        }
        path += *path == '.';
        size_t length = strcspn(path, ".[");
        node = node->shape == SG_YAML_MAP ? find_child(node, path, length) : NULL;
        path += length;
    }
    return node;
}
