/*
 * Between the table walk (yaml.c) and the conversion of single values (yaml_value.c). Private to
 * base. All [local].
 */
#ifndef SG_BASE_YAML_READ_H
#define SG_BASE_YAML_READ_H

#include "base/yaml.h"
#include "base/yaml_tree.h"

enum { SG_YAML_KEY_MAX = 256 };

/* Where a value stands, for messages. */
typedef struct {
    const char *file;         /* "" when there is none */
    const sg_yaml_node *node; /* gives the line; NULL: none */
    const char *key;          /* in full: "scenes[2].bands" */
} sg_yaml_place;

/* SG_EUSAGE "FILE:LINE: KEY: ...". */
sg_err sg_yaml_wrong(const sg_yaml_place *place, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* "an integer", "a list of maps": what a field wants. */
const char *sg_yaml_kind_name(sg_yaml_kind kind);
/* Convert a node for any kind but SG_YAML_MAPS into the member at value. */
sg_err sg_yaml_value_read(const sg_yaml_place *place, const sg_yaml_field *field, void *value);
/* Is the number of items, or bytes, allowed? */
sg_err sg_yaml_check_count(const sg_yaml_place *place, const sg_yaml_field *field, size_t count);
/* "expected X, found Y" for a node of the wrong shape. */
sg_err sg_yaml_wrong_kind(const sg_yaml_place *place, const sg_yaml_field *field);

#endif
