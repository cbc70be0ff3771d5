#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* The log sink: the one mutable global besides the thread's error text. */
static struct {
    pthread_mutex_t lock;
    int rank, ranks;
    sg_log_level level;
    bool live; /* a line that is redrawn in place stands on the terminal */
} sink = {.lock = PTHREAD_MUTEX_INITIALIZER, .ranks = 1, .level = SG_LOG_NORMAL};

void sg_log_setup(int rank, int ranks, sg_log_level level)
{
    pthread_mutex_lock(&sink.lock);
    sink.rank = rank;
    sink.ranks = ranks;
    sink.level = level;
    pthread_mutex_unlock(&sink.lock);
}

int sg_log_rank(void)
{
    pthread_mutex_lock(&sink.lock);
    int rank = sink.rank;
    pthread_mutex_unlock(&sink.lock);
    return rank;
}

sg_log_level sg_log_get_level(void)
{
    pthread_mutex_lock(&sink.lock);
    sg_log_level level = sink.level;
    pthread_mutex_unlock(&sink.lock);
    return level;
}

void sg_log_live(const char *line)
{
    pthread_mutex_lock(&sink.lock);
    if (line) {
        fprintf(stderr, "\r%s\033[K", line);
        fflush(stderr);
    } else if (sink.live) {
        fputc('\n', stderr);
    }
    sink.live = line != NULL;
    pthread_mutex_unlock(&sink.lock);
}

/* One write per line, so that the lines of ranks and threads do not mix. Called with the lock. */
static void put_line(const char *prefix, bool name_rank, const char *format, va_list args)
{
    char line[2304];
    size_t room = sizeof line - 2; /* for the line end */
    int length = snprintf(line, room, "%s%s", sink.live ? "\r\033[K" : "", prefix);
    if (name_rank && sink.ranks > 1) {
        length += snprintf(line + length, room - (size_t)length, "rank %d: ", sink.rank);
    }
    vsnprintf(line + length, room - (size_t)length, format, args);
    sink.live = false; /* drawn again by its next update */
    strcat(line, "\n");
    fputs(line, stderr);
}

/* On rank 0 only. */
static void root_line(sg_log_level least, const char *prefix, const char *format, va_list args)
{
    pthread_mutex_lock(&sink.lock);
    if (sink.rank == 0 && sink.level >= least) {
        put_line(prefix, false, format, args);
    }
    pthread_mutex_unlock(&sink.lock);
}

static void rank_line(sg_log_level least, const char *prefix, bool name_rank, const char *format,
                      va_list args)
{
    pthread_mutex_lock(&sink.lock);
    if (sink.level >= least) {
        put_line(prefix, name_rank, format, args);
    }
    pthread_mutex_unlock(&sink.lock);
}

void sg_info(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    root_line(SG_LOG_NORMAL, "", format, args);
    va_end(args);
}

void sg_verbose(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    root_line(SG_LOG_VERBOSE, "", format, args);
    va_end(args);
}

void sg_warn(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    root_line(SG_LOG_QUIET, "warning: ", format, args);
    va_end(args);
}

void sg_info_rank(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    rank_line(SG_LOG_NORMAL, "", true, format, args);
    va_end(args);
}

void sg_error(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    rank_line(SG_LOG_QUIET, "segtiles: ", true, format, args);
    va_end(args);
}

void sg_error_shared(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    rank_line(SG_LOG_QUIET, "segtiles: ", false, format, args);
    va_end(args);
}
