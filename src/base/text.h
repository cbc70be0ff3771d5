/*
 * A growing text, for messages, JSON and serialised graphs. [local]
 */
#ifndef SG_BASE_TEXT_H
#define SG_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include "base/error.h"

typedef struct {
    char *data; /* owned, NUL-terminated, NULL while empty */
    size_t length, capacity;
} sg_text;

sg_err sg_text_add(sg_text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Add value as a JSON string with quotes and escapes. */
sg_err sg_text_add_json(sg_text *text, const char *value);
/* Is it one of the words of a space-separated list? */
bool sg_text_has_word(const char *words, const char *word);
/* The word of a space-separated list that is nearest to text (fewest edits), NULL when none is near
 * enough to be meant. word: 64 bytes that receive it. */
const char *sg_text_nearest(const char *text, const char *words, char *word);
void sg_text_clear(sg_text *text); /* frees */

#endif
