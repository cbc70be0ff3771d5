/*
 * Job files: YAML read into a struct by a table of fields, with everything that is wrong told by
 * file, line and key. Built with the whole program only. All [local].
 *
 * A field says where a key lies in the file ("optimizer.rate": key rate of the map optimizer),
 * where its value goes, what is allowed and what it is when not given. Unknown keys, keys given
 * twice, wrong types and values out of range are SG_EUSAGE:
 *
 *     jobs/x.yaml:12: model.depth: 9 is out of range; allowed: 1 to 6
 *     jobs/x.yaml:7: modle: unknown key; did you mean model? (keys here: model, optimizer, scenes)
 *     command line: optimizer.kind: 'adma' is unknown; allowed: sgd, adam, adamw
 *
 * Why libyaml's events and not libcyaml's schema loader, which stands on them: an override has to
 * be merged before the types are checked; a message should name what is allowed and the nearest
 * key; and libcyaml 1.3 has neither defaults nor ranges for numbers.
 *
 * Example:
 *
 *     typedef struct {
 *         char image[SG_PATH_MAX];
 *         sg_yaml_ints bands;
 *     } scene;
 *     typedef struct {
 *         char folder[SG_PATH_MAX];
 *         int32_t depth;
 *         double rate;
 *         sg_rule rule;        // an enum: the index in .allowed
 *         sg_yaml_maps scenes; // .item is scene *
 *     } job;
 *     static const sg_yaml_field scene_fields[] = {
 *         {"image", SG_YAML_STRING, SG_YAML_AT(scene, image), .min = 1, .max = INFINITY},
 *         {"bands", SG_YAML_INTS, SG_YAML_AT(scene, bands), .fallback = "[]"},
 *         {0}};
 *     static const sg_yaml_field job_fields[] = {
 *         {"folder", SG_YAML_STRING, SG_YAML_AT(job, folder), .fallback = "runs/x"},
 *         {"model.depth", SG_YAML_INT, SG_YAML_AT(job, depth), .min = 1, .max = 6,
 *          .fallback = "4"},
 *         {"optimizer.rate", SG_YAML_FLOAT, SG_YAML_AT(job, rate), .min = 0, .max = 10,
 *          .fallback = "1e-3"},
 *         {"optimizer.kind", SG_YAML_ENUM, SG_YAML_AT(job, rule), .allowed = "sgd|adam|adamw",
 *          .fallback = "adamw"},
 *         {"scenes", SG_YAML_MAPS, SG_YAML_AT(job, scenes), .min = 1, .max = INFINITY,
 *          .item = scene_fields, .item_size = sizeof(scene)}, // no fallback: must be given
 *         {0}};
 *
 *     job j;
 *     sg_yaml *yaml = NULL;
 *     const char *overrides[] = {"model.depth=3", "scenes=[{image: a.tif}]"};
 *     err = sg_yaml_load(&yaml, &(sg_yaml_source){"x.yaml", NULL, overrides, 2}, job_fields, &j);
 *     if (!err && too_deep(&j))
 *         err = sg_yaml_fail(yaml, "model.depth", "%d levels need tiles of %d", j.depth, 64);
 *     ...
 *     sg_yaml_clear(job_fields, &j);
 *     sg_yaml_close(yaml);
 */
#ifndef SG_BASE_YAML_H
#define SG_BASE_YAML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/text.h"

typedef enum {
    SG_YAML_STRING = 1, /* char[size]; min, max: bytes */
    SG_YAML_INT,        /* int32_t, int64_t or uint64_t (from 0 to the largest int64_t); with
                           allowed, that word stands for 0, which is in no range then */
    SG_YAML_FLOAT,      /* float or double; finite */
    SG_YAML_BOOL,       /* bool or int32_t; true, false, yes, no, on, off */
    SG_YAML_ENUM,       /* an enum or int32_t: index of the value in allowed */
    SG_YAML_STRINGS,    /* sg_yaml_strings; min, max: how many, for all lists; a value alone is a
                           list of one */
    SG_YAML_INTS,       /* sg_yaml_ints */
    SG_YAML_FLOATS,     /* sg_yaml_floats */
    SG_YAML_MAPS,       /* sg_yaml_maps: a list of maps with the keys of item; with allowed, a word
                           stands for the map {allowed: word} */
    SG_YAML_PAIRS       /* sg_yaml_pairs: a map with keys of the user's own choice */
} sg_yaml_kind;

/* Values of variable length; owned, freed by sg_yaml_clear. Empty: item may be NULL. */
typedef struct {
    char **item;
    size_t count;
} sg_yaml_strings;
typedef struct {
    int64_t *item;
    size_t count;
} sg_yaml_ints;
typedef struct {
    double *item;
    size_t count;
} sg_yaml_floats;
typedef struct {
    void *item; /* count structs of item_size bytes */
    size_t count;
} sg_yaml_maps;
typedef struct {
    char *key, *value;
} sg_yaml_pair;
typedef struct {
    sg_yaml_pair *item; /* in the order of the file */
    size_t count;
} sg_yaml_pairs;

typedef struct sg_yaml_field sg_yaml_field;
struct sg_yaml_field {
    const char *path; /* keys joined by dots; NULL ends the table */
    sg_yaml_kind kind;
    size_t offset, size;  /* of the member: SG_YAML_AT */
    double min, max;      /* of the value or its length, inclusive; both 0: any; INFINITY: open */
    const char *fallback; /* what it is when not given, as YAML; NULL: it must be given */
    const char *allowed;  /* SG_YAML_ENUM: "sgd|adam|adamw"; SG_YAML_MAPS: a key of item, or NULL;
                             SG_YAML_INT: a word, or NULL */
    const sg_yaml_field *item; /* SG_YAML_MAPS: fields of one map */
    size_t item_size;          /* SG_YAML_MAPS: of one struct */
    bool alone; /* its value may stand in the place of the map it is in: "a: no" is "a: {b: no}" */
};

/* Offset and size of a member, of nested structs too: SG_YAML_AT(job, model.depth). */
#define SG_YAML_AT(type, member) offsetof(type, member), sizeof(((type *)0)->member)

typedef struct {
    const char *path; /* of the file; NULL or "": no file, only what follows */
    const char *text; /* its text when known already (path then only names it), or NULL */
    const char *const *overrides; /* "key.sub=value", value as YAML; the last one wins */
    size_t count;                 /* of overrides */
} sg_yaml_source;

/* What was read: remembers files and lines, for later messages. */
typedef struct sg_yaml sg_yaml;

/* Fill the struct at out. When this fails nothing is owned by out, and *yaml is NULL. */
sg_err sg_yaml_load(sg_yaml **yaml, const sg_yaml_source *source, const sg_yaml_field *fields,
                    void *out);
/* Free the lists in out and zero out's fields. */
void sg_yaml_clear(const sg_yaml_field *fields, void *out);
void sg_yaml_close(sg_yaml *yaml); /* NULL is fine */

/* Was the key given in the file or on the command line? key: "model.depth", "scenes[2].bands". */
bool sg_yaml_given(const sg_yaml *yaml, const char *key);
/* SG_EUSAGE "FILE:LINE: KEY: ..." for a mistake that only the caller can see. */
sg_err sg_yaml_fail(const sg_yaml *yaml, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Add the struct as YAML that sg_yaml_load reads back to the same values, defaults written out. */
sg_err sg_yaml_write(const sg_yaml_field *fields, const void *values, sg_text *text);

#endif
