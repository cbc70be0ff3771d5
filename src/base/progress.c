#include "base/progress.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

/* Seconds between two lines: a terminal is redrawn often, a log file should stay short. */
static const double TERMINAL_PAUSE = 0.2, PLAIN_PAUSE = 15.0;
enum { BAR = 24 };

void sg_progress_start(sg_progress *progress, const char *what, int64_t total)
{
    const char *term = getenv("TERM");
    progress->what = what;
    progress->total = total;
    progress->found = 0;
    progress->start = sg_now();
    progress->last = -INFINITY;
    progress->terminal = isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0;
}

/* "3:07" or "2:05:09"; "?" before anything is known. */
static void format_seconds(char out[32], double seconds)
{
    if (!(seconds >= 0 && seconds < 1e8)) {
        snprintf(out, 32, "?");
        return;
    }
    long s = lround(seconds);
    if (s >= 3600) {
        snprintf(out, 32, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    } else {
        snprintf(out, 32, "%ld:%02ld", s / 60, s % 60);
    }
}

/* "[#####-----] ", on a terminal. */
static void format_bar(char out[BAR + 4], double share)
{
    int full = (int)(share * BAR);
    out[0] = '[';
    for (int i = 0; i < BAR; i++)
        out[1 + i] = i < full ? '#' : '-';
    memcpy(out + 1 + BAR, "] ", 3);
}

static void format_line(const sg_progress *progress, int64_t done, const char *extra, double now,
                        char line[512])
{
    char left[32], bar[BAR + 4] = "";
    double spent = now - progress->start, total = (double)(progress->total - progress->found);
    double all = progress->total > 0 ? (double)done / (double)progress->total : 0;
    double share = total > 0 ? (double)(done - progress->found) / total : 0;
    format_seconds(left, share > 0 ? spent * (1 - share) / share : -1);
    if (progress->terminal)
        format_bar(bar, all);
    snprintf(line, 512, "%s %s%lld/%lld (%.0f %%)  %s%s%s left", progress->what, bar,
             (long long)done, (long long)progress->total, floor(100 * all), extra ? extra : "",
             extra && *extra ? "  " : "", left);
}

void sg_progress_show(sg_progress *progress, int64_t done, const char *extra)
{
    double now = sg_now();
    double pause = progress->terminal ? TERMINAL_PAUSE : PLAIN_PAUSE;
    if (sg_log_rank() != 0 || sg_log_get_level() < SG_LOG_NORMAL ||
        (done < progress->total && now - progress->last < pause)) {
        return;
    }
    char line[512];
    progress->last = now;
    format_line(progress, done, extra, now, line);
    if (progress->terminal) {
        sg_log_live(line);
    } else {
        sg_info("%s", line);
    }
}

void sg_progress_end(sg_progress *progress)
{
    if (progress->terminal && sg_log_rank() == 0) {
        sg_log_live(NULL);
    }
}
