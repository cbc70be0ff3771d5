#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/size.h"

sg_err sg_text_add(sg_text *text, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    sg_err err = length < 0
                     ? sg_fail(SG_EINTERNAL, "a text cannot be formatted: %s", format)
                     : sg_grow(&text->data, &text->capacity, text->length + (size_t)length + 1, 1);
    if (!err) {
        vsnprintf(text->data + text->length, (size_t)length + 1, format, again);
        text->length += (size_t)length;
    }
    va_end(again);
    return err;
}

/* Bytes of the UTF-8 sequence at s, 0 when it is not one (too long forms are let pass). */
static int utf8_length(const unsigned char *s)
{
    int length = s[0] < 0x80 ? 1 : s[0] < 0xC2 ? 0 : s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : 4;
    if (s[0] > 0xF4) {
        return 0;
    }
    for (int i = 1; i < length; i++) {
        if ((s[i] & 0xC0) != 0x80) { /* stops at the terminating NUL too */
            return 0;
        }
    }
    return length;
}

/* Add one character of a JSON string and say how many bytes it took. */
static sg_err add_character(sg_text *text, const unsigned char *s, int *taken)
{
    int length = utf8_length(s);
    *taken = length ? length : 1;
    if (length == 0) { /* names from old files may be in any encoding; JSON is UTF-8 */
        return sg_text_add(text, "\\ufffd");
    }
    if (s[0] == '"' || s[0] == '\\') {
        return sg_text_add(text, "\\%c", s[0]);
    }
    if (s[0] < ' ') {
        return sg_text_add(text, "\\u%04x", s[0]);
    }
    return sg_text_add(text, "%.*s", length, (const char *)s);
}

sg_err sg_text_add_json(sg_text *text, const char *value)
{
    sg_err err = sg_text_add(text, "\"");
    int taken = 0;
    for (const unsigned char *s = (const unsigned char *)value; *s && !err; s += taken) {
        err = add_character(text, s, &taken);
    }
    return err ? err : sg_text_add(text, "\"");
}

enum { WORD_MAX = 64 };

/* Levenshtein's distance between a and the first b_length bytes of b, both below WORD_MAX. */
static size_t edits(const char *a, const char *b, size_t b_length)
{
    size_t row[WORD_MAX]; /* distances of a[0 .. i] to b[0 .. j] */
    for (size_t j = 0; j <= b_length; j++) {
        row[j] = j;
    }
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            best = row[j] + 1 < best ? row[j] + 1 : best;
            row[j] = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
        }
    }
    return row[b_length];
}

const char *sg_text_nearest(const char *text, const char *words, char *word)
{
    size_t length = strlen(text);
    size_t fewest = 1 + (length < 4 ? 1 : length / 3 + 1); /* more edits make another word */
    const char *found = NULL;
    if (length >= WORD_MAX) {
        return NULL;
    }
    for (words += strspn(words, " "); *words; words += strspn(words, " ")) {
        size_t end = strcspn(words, " ");
        size_t distance = end < WORD_MAX ? edits(text, words, end) : fewest;
        if (distance < fewest) {
            fewest = distance;
            memcpy(word, words, end);
            word[end] = '\0';
            found = word;
        }
        words += end;
    }
    return found;
}

bool sg_text_has_word(const char *words, const char *word)
{
    size_t length = strlen(word), n;
    for (const char *w = words + strspn(words, " "); *w; w += n, w += strspn(w, " ")) {
        n = strcspn(w, " ");
        if (n == length && strncmp(w, word, n) == 0)
            return true;
    }
    return false;
}

void sg_text_clear(sg_text *text)
{
    sg_free(text->data);
    memset(text, 0, sizeof *text);
}
