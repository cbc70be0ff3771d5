#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 2048 };

static _Thread_local char error_text[TEXT_MAX];
static _Thread_local bool error_printed;

/* An error is one line: file names and library messages may bring line ends along. */
static void one_line(char *text)
{
    for (char *p = text; *p; p++) {
        if ((unsigned char)*p < ' ') {
            *p = ' ';
        }
    }
}

sg_err sg_fail(sg_err code, const char *format, ...)
{
    /* The arguments may name the text that is being replaced, so it is built aside. */
    char text[TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    one_line(text);
    memcpy(error_text, text, sizeof text);
    error_printed = false;
    return code;
}

const char *sg_error_text(void)
{
    return error_text;
}

bool sg_error_printed(void)
{
    return error_printed;
}

void sg_error_mark_printed(void)
{
    error_printed = true;
}

sg_err sg_fail_in(sg_err code, const char *context)
{
    return sg_fail(code, "%s: %s", context, error_text);
}

int sg_exit_status(sg_err code)
{
    if (code == SG_OK) {
        return 0;
    }
    if (code == SG_EUSAGE) {
        return 2;
    }
    return code == SG_ESTOPPED ? 75 : 1;
}

void sg_assert_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "segtiles: bug: %s:%d: %s\n", file, line, condition);
    abort();
}
