#include "base/markup.h"

#include <string.h>

#include "base/size.h"

static const char *reference(unsigned char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

/* Bytes of the character at s when HTML may hold it as it is, else 0. */
static int plain_length(const unsigned char *s)
{
    static const unsigned char least[] = {0, 0, 0, 0xa0, 0x90}; /* second bytes after E0 and F0 */
    int length = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    if (s[0] > 0xf4 || s[0] == 0x7f || (s[0] < ' ' && s[0] != '\n' && s[0] != '\t'))
        return 0;
    for (int i = 1; i < length; i++)
        if ((s[i] & 0xc0) != 0x80) /* stops at the terminating NUL too */
            return 0;
    bool too_long = (s[0] == 0xe0 || s[0] == 0xf0) && s[1] < least[length];
    bool surrogate = s[0] == 0xed && s[1] >= 0xa0, beyond = s[0] == 0xf4 && s[1] >= 0x90;
    bool control = s[0] == 0xc2 && s[1] < 0xa0; /* U+0080 to U+009F */
    return too_long || surrogate || beyond || control ? 0 : length;
}

sg_err sg_text_add_html(sg_text *text, const char *value)
{
    sg_err err = SG_OK;
    int length;
    for (const unsigned char *s = (const unsigned char *)value; !err && *s; s += length) {
        const char *name = reference(*s);
        length = plain_length(s);
        if (name)
            err = sg_text_add(text, "%s", name);
        else if (length == 0)
            err = sg_text_add(text, "\xef\xbf\xbd");
        else
            err = sg_text_add(text, "%.*s", length, (const char *)s);
        if (length == 0)
            length = 1;
    }
    return err;
}

sg_err sg_text_add_base64(sg_text *text, const uint8_t *data, size_t bytes)
{
    static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t length = (bytes + 2) / 3 * 4;
    sg_err err = sg_grow(&text->data, &text->capacity, text->length + length + 1, 1);
    if (err)
        return err;
    char *out = text->data + text->length;
    for (size_t i = 0; i < bytes; i += 3) {
        size_t left = bytes - i;
        uint32_t three = (uint32_t)data[i] << 16;
        three |= left > 1 ? (uint32_t)data[i + 1] << 8 : 0;
        three |= left > 2 ? (uint32_t)data[i + 2] : 0;
        *out++ = digit[three >> 18];
        *out++ = digit[three >> 12 & 63];
        *out++ = left > 1 ? digit[three >> 6 & 63] : '=';
        *out++ = left > 2 ? digit[three & 63] : '=';
    }
    *out = '\0';
    text->length += length;
    return SG_OK;
}
