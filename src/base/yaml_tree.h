/*
 * A YAML document as a tree that remembers where each value stands: what yaml.h reads from and
 * writes through. One document, no anchors, no tags, no key twice. Private to base. All [local].
 */
#ifndef SG_BASE_YAML_TREE_H
#define SG_BASE_YAML_TREE_H

#include <stdbool.h>
#include "base/text.h"

typedef enum { SG_YAML_SCALAR, SG_YAML_LIST, SG_YAML_MAP } sg_yaml_shape;

typedef struct sg_yaml_node sg_yaml_node;
struct sg_yaml_node {
    sg_yaml_shape shape;
    bool quoted;         /* a scalar in quotes: a text, whatever it looks like */
    bool command;        /* came from the command line */
    int line;            /* in the file, 1 ..; 0 when it has none */
    char *key;           /* in a map; owned */
    char *text;          /* of a scalar; owned */
    sg_yaml_node *child; /* of a map or list, in order; owned */
    sg_yaml_node *last;  /* child */
    sg_yaml_node *next;
};

sg_err sg_yaml_node_create(sg_yaml_node **node, sg_yaml_shape shape, const char *text);
void sg_yaml_node_free(sg_yaml_node *node); /* with its children and followers; NULL is fine */
/* Add child at the end; taken over in any case. key NULL in a list. */
sg_err sg_yaml_node_add(sg_yaml_node *parent, const char *key, sg_yaml_node *child);
size_t sg_yaml_node_count(const sg_yaml_node *node);

/* Parse text; an empty one gives an empty map. name: the file, or "command line". */
sg_err sg_yaml_tree_parse(sg_yaml_node **node, const char *name, const char *text, bool command);
/* Make or replace the value at "a.b.c"; value is taken over in any case. SG_EUSAGE when a key on
 * the way holds something else than a map. */
sg_err sg_yaml_tree_put(sg_yaml_node *root, const char *path, sg_yaml_node *value);
/* The node at "a.b" or "a[2].b", NULL when there is none. Borrowed. */
const sg_yaml_node *sg_yaml_tree_find(const sg_yaml_node *root, const char *path);
/* Add the tree in block style, ending with a line end. */
sg_err sg_yaml_tree_write(const sg_yaml_node *root, sg_text *text);

#endif
