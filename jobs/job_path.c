/* Paths of job files: variables, ~ and the pieces of names. */
#include "jobs/job.h"

#include <stdlib.h>
#include <string.h>

/* Append n bytes to the path at *length. */
static sg_err append(char *path, size_t *length, const char *text, size_t n)
{
    if (*length + n >= SG_PATH_MAX)
        return sg_fail(SG_EUSAGE, "a path is longer than %d bytes: %.80s...", SG_PATH_MAX - 1,
                       path);
    memcpy(path + *length, text, n);
    *length += n;
    path[*length] = '\0';
    return SG_OK;
}

static size_t name_length(const char *text)
{
    return strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");
}

/* *text stands behind a '$'; it moves on behind the variable. */
static sg_err append_variable(char *path, size_t *length, const char **text)
{
    bool braces = **text == '{';
    const char *name = *text + braces;
    size_t n = name_length(name);
    const char *rest = name + n, *fallback = NULL;
    size_t fallback_length = 0;
    if (braces) {
        if (strncmp(rest, ":-", 2) == 0) {
            fallback = rest + 2;
            fallback_length = strcspn(fallback, "}");
            rest = fallback + fallback_length;
        }
        if (n == 0 || *rest != '}')
            return sg_fail(SG_EUSAGE, "\"$%s\": expected $NAME, ${NAME} or ${NAME:-else}", *text);
        rest++;
    }
    *text = rest;
    char key[256];
    if (n == 0 || n >= sizeof(key))
        return append(path, length, "$", 1);
    memcpy(key, name, n);
    key[n] = '\0';
    const char *value = getenv(key);
    if (value != NULL && (value[0] != '\0' || fallback == NULL))
        return append(path, length, value, strlen(value));
    if (fallback != NULL)
        return append(path, length, fallback, fallback_length);
    return sg_fail(SG_EUSAGE, "the variable $%s of the job file is not set; export %s=...", key,
                   key);
}

sg_err sg_expand_path(const char *text, char *path)
{
    size_t length = 0;
    sg_err err = SG_OK;
    path[0] = '\0';
    if (text[0] == '~' && (text[1] == '/' || text[1] == '\0') && getenv("HOME") != NULL) {
        err = append(path, &length, getenv("HOME"), strlen(getenv("HOME")));
        text++;
    }
    while (err == SG_OK && *text != '\0') {
        size_t plain = strcspn(text, "$");
        err = append(path, &length, text, plain);
        text += plain;
        if (err == SG_OK && *text == '$') {
            text++;
            err = append_variable(path, &length, &text);
        }
    }
    return err;
}
