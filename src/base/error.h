/*
 * Errors. A fallible function returns sg_err: SG_OK or a negative code. Results go through
 * pointers. Who detects the error writes the message with sg_fail; who passes it on says nothing.
 * The text is kept per thread and is valid until the thread's next sg_fail.
 *
 * All functions are [local].
 */
#ifndef SG_BASE_ERROR_H
#define SG_BASE_ERROR_H

#include <stdbool.h>
#include <stddef.h>

typedef int sg_err;

enum {
    SG_OK = 0,
    SG_EUSAGE = -1,       /* wrong use: command line, job file; exit code 2 */
    SG_EINPUT = -2,       /* an input file is missing, damaged or unsuited */
    SG_EOUTPUT = -3,      /* an output cannot be written */
    SG_ENOMEM = -4,       /* memory, or a size that overflows */
    SG_EUNSUPPORTED = -5, /* a valid request that this build or device cannot serve */
    SG_ESTOPPED = -6,     /* stopped by a signal after saving; exit code 75 */
    SG_EPEER = -7,        /* another rank failed and has said why; say nothing more */
    SG_EINTERNAL = -8     /* a library call failed that should not have */
};

/* Write the thread's error text (one line, impersonal, naming value and file) and return code. */
sg_err sg_fail(sg_err code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The text of the thread's last error, "" when there was none. Borrowed. */
const char *sg_error_text(void);

/* An error is printed once, however many hands it passes through: whoever prints the thread's text
 * marks it, and a mark lasts until the next sg_fail. */
bool sg_error_printed(void);
void sg_error_mark_printed(void);

/* Prefix the thread's error text with "CONTEXT: " (for a file and line known only further up). */
sg_err sg_fail_in(sg_err code, const char *context);

/* The exit status that an error code asks for: 0, 1, 2 or 75. */
int sg_exit_status(sg_err code);

/* Our own bugs: prints file, line and condition to stderr and aborts. Never for input. */
#define SG_ASSERT(cond) ((cond) ? (void)0 : sg_assert_failed(#cond, __FILE__, __LINE__))
void sg_assert_failed(const char *condition, const char *file, int line) __attribute__((noreturn));

#endif
