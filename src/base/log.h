/*
 * Log lines for people, to stderr. sg_info and sg_warn print on rank 0 only; sg_info_rank and
 * sg_error print on the calling rank, prefixed with it when there is more than one.
 * Machine-readable metrics go to their own files, never through here. All [local].
 */
#ifndef SG_BASE_LOG_H
#define SG_BASE_LOG_H

typedef enum { SG_LOG_QUIET, SG_LOG_NORMAL, SG_LOG_VERBOSE } sg_log_level;

/* Say once who this process is. Before it: rank 0 of 1, SG_LOG_NORMAL. */
void sg_log_setup(int rank, int ranks, sg_log_level level);

/* Who this process is, and what it prints. */
int sg_log_rank(void);
sg_log_level sg_log_get_level(void);

/*
 * A line that is redrawn in place on a terminal, whoever the rank (see progress.h). Log lines wipe
 * it and stand in its place. NULL leaves it as it is and goes on below it.
 */
void sg_log_live(const char *line);

void sg_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void sg_verbose(const char *format, ...) __attribute__((format(printf, 1, 2)));
void sg_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void sg_info_rank(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* An error that all ranks have met, printed by one of them: without its number. */
void sg_error_shared(const char *format, ...) __attribute__((format(printf, 1, 2)));
void sg_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
