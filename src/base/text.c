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

void sg_text_clear(sg_text *text)
{
    sg_free(text->data);
    memset(text, 0, sizeof *text);
}
