/* Curves of a report: what metrics.jsonl holds. */
#include "jobs/report.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/markup.h"
#include "base/size.h"
#include "jobs/report_chart.h"
#include "jobs/report_table.h"

enum { IOU_LINES = 12, NAME_MOST = 2 * SG_CLASS_NAME_MAX + 16, COLOUR = 8 };

/* One series alone. */
static sg_err add_single(const sg_report *report, const char *name, const char *title, double least,
                         sg_text *html)
{
    const sg_series *series = sg_series_find(&report->series, name);
    sg_chart_line line = {.name = title, .colour = "var(--a)", .marks = true};
    const sg_chart chart = {
        .title = title, .x_label = "step", .line = &line, .lines = 1, .least = least, .most = NAN};
    if (series != NULL) {
        line.x = series->x;
        line.y = series->y;
        line.count = series->count;
    }
    return sg_chart_add(&chart, html);
}

/* "/val_iou/NAME" with "~" and "/" of the name escaped, as in series.h. */
static void name_series(const char *class_name, char name[NAME_MOST])
{
    size_t n = (size_t)snprintf(name, NAME_MOST, "/val_iou/");
    for (const char *c = class_name; *c && n + 3 < NAME_MOST; c++) {
        if (*c == '~' || *c == '/') {
            name[n++] = '~';
            name[n++] = *c == '~' ? '0' : '1';
        } else {
            name[n++] = *c;
        }
    }
    name[n] = '\0';
}

/* mIoU, and behind it the IoU of each class while there are few. */
static sg_err add_miou(const sg_report *report, sg_text *html)
{
    sg_chart_line line[IOU_LINES + 1];
    char colour[IOU_LINES][COLOUR], name[NAME_MOST];
    int32_t lines = 0;
    const sg_class_table *classes = &report->classes;
    for (int32_t k = 0; classes->count <= IOU_LINES && k < classes->count; k++) {
        const uint8_t *c = classes->item[k].colour;
        name_series(classes->item[k].name, name);
        const sg_series *series = sg_series_find(&report->series, name);
        if (series == NULL)
            continue;
        snprintf(colour[k], COLOUR, "#%02x%02x%02x", c[0], c[1], c[2]);
        line[lines++] = (sg_chart_line){classes->item[k].name, colour[k], series->x, series->y,
                                        series->count,         true};
    }
    const sg_series *mean = sg_series_find(&report->series, "/val_miou");
    if (mean != NULL)
        line[lines++] = (sg_chart_line){"mIoU", "var(--ink)", mean->x, mean->y, mean->count, true};
    const sg_chart chart = {.title = "IoU on validation regions",
                            .x_label = "step",
                            .line = line,
                            .lines = lines,
                            .least = 0,
                            .most = 1};
    return sg_chart_add(&chart, html);
}

static int64_t count_missing(const sg_series *series)
{
    int64_t missing = 0;
    for (size_t i = 0; series != NULL && i < series->count; i++)
        missing += !isfinite(series->y[i]);
    return missing;
}

static sg_err add_notes(const sg_report *report, sg_text *html)
{
    int64_t missing = count_missing(sg_series_find(&report->series, "/loss"));
    sg_err err = SG_OK;
    if (report->series.rows == 0)
        err = sg_text_add(html, "<p class=\"note\">metrics.jsonl holds no step yet.</p>\n");
    if (err == SG_OK && missing > 0)
        err = sg_text_add(html,
                          "<p class=\"note warn\">The loss is no number in %lld row%s: gaps in the "
                          "curve.</p>\n",
                          (long long)missing, missing == 1 ? "" : "s");
    if (err == SG_OK && report->series.damaged > 0)
        err = sg_text_add(html,
                          "<p class=\"note warn\">%lld row%s of metrics.jsonl cannot be read and "
                          "%s left out.</p>\n",
                          (long long)report->series.damaged, report->series.damaged == 1 ? "" : "s",
                          report->series.damaged == 1 ? "is" : "are");
    return err;
}

sg_err sg_report_add_curves(const sg_report *report, sg_text *html)
{
    sg_err err = add_notes(report, html);
    if (err == SG_OK)
        err = sg_text_add(html, "<div class=\"plots\">\n");
    if (err == SG_OK)
        err = add_single(report, "/loss", "Training loss", NAN, html);
    if (err == SG_OK && sg_series_find(&report->series, "/val_miou") != NULL)
        err = add_miou(report, html);
    if (err == SG_OK)
        err = add_single(report, "/lr", "Learning rate", 0, html);
    if (err == SG_OK)
        err = add_single(report, "/grad_norm", "Norm of the gradient", 0, html);
    return err == SG_OK ? sg_text_add(html, "</div>\n") : err;
}

/* ---- speed ---- */

static double mean_of(const sg_series *series)
{
    double sum = 0;
    int64_t count = 0;
    for (size_t i = 0; series != NULL && i < series->count; i++) {
        if (isfinite(series->y[i])) {
            sum += series->y[i];
            count++;
        }
    }
    return count > 0 ? sum / (double)count : NAN;
}

/* Numbers of single ranks are "/ranks/N/WHAT", or "/WHAT_by_rank/N". N, or -1; *what: WHAT. */
static int rank_of(const char *name, char what[64])
{
    int rank = -1, end = 0;
    if (sscanf(name, "/ranks/%d/%63s%n", &rank, what, &end) == 2 && name[end] == '\0')
        return rank;
    if (sscanf(name, "/%63[^/]/%d%n", what, &rank, &end) == 2 && name[end] == '\0') {
        char *by = strstr(what, "_by_rank");
        if (by != NULL && by[strlen("_by_rank")] == '\0') {
            *by = '\0';
            return rank;
        }
    }
    return -1;
}

static sg_err add_rank_rows(const sg_report *report, int64_t *rows, sg_text *html)
{
    static const char *const column[] = {"rank", "what", "mean", "last", NULL};
    char what[64];
    sg_err err = SG_OK;
    for (size_t i = 0; err == SG_OK && i < report->series.count; i++) {
        const sg_series *series = &report->series.item[i];
        int rank = rank_of(series->name, what);
        if (rank < 0)
            continue;
        if ((*rows)++ == 0)
            err = sg_report_begin_table("ranks", "Ranks", column, 2, html);
        if (err == SG_OK)
            err = sg_text_add(html, "<tr><th scope=\"row\">%d</th><td>", rank);
        if (err == SG_OK)
            err = sg_text_add_html(html, what);
        if (err == SG_OK)
            err =
                sg_text_add(html, "</td><td class=\"n\">%.4g</td><td class=\"n\">%.4g</td></tr>\n",
                            mean_of(series), sg_report_last(report, series->name));
    }
    return err == SG_OK && *rows > 0 ? sg_report_end_table(html) : err;
}

/* Where the time of a step went, on the mean over ranks. */
static sg_err add_times(const sg_report *report, sg_text *html)
{
    static const struct {
        const char *name, *title, *colour;
    } part[] = {{"/times/compute/mean", "computing", "var(--a)"},
                {"/times/read/mean", "waiting for batches", "rgb(var(--no))"},
                {"/times/wait/mean", "waiting for other ranks", "var(--faint)"},
                {"/times/communicate", "communicating", "var(--ink)"}};
    enum { PARTS = sizeof part / sizeof part[0] };
    sg_chart_line line[PARTS];
    int32_t lines = 0;
    for (int i = 0; i < PARTS; i++) {
        const sg_series *series = sg_series_find(&report->series, part[i].name);
        if (series != NULL)
            line[lines++] = (sg_chart_line){part[i].title, part[i].colour, series->x,
                                            series->y,     series->count,  false};
    }
    const sg_chart chart = {.title = "A step's time, ms, mean over ranks",
                            .x_label = "step",
                            .line = line,
                            .lines = lines,
                            .least = 0,
                            .most = NAN};
    return lines > 0 ? sg_chart_add(&chart, html) : SG_OK;
}

/* The rank that held up the others most often. */
static sg_err add_slowest(const sg_report *report, sg_text *html)
{
    enum { RANKS_MOST = 4096 };
    const sg_series *series = sg_series_find(&report->series, "/times/slowest");
    int64_t *times = NULL;
    int most = 0;
    if (series == NULL || series->count == 0)
        return SG_OK;
    sg_err err = sg_calloc(RANKS_MOST, sizeof *times, &times);
    for (size_t i = 0; err == SG_OK && i < series->count; i++)
        if (series->y[i] >= 0 && series->y[i] < RANKS_MOST)
            times[(int)series->y[i]]++;
    for (int r = 0; err == SG_OK && r < RANKS_MOST; r++)
        most = times[r] > times[most] ? r : most;
    if (err == SG_OK)
        err = sg_text_add(html, "<p>Rank %d was the slowest in %.0f %% of the steps.</p>\n", most,
                          100.0 * (double)times[most] / (double)series->count);
    sg_free(times);
    return err;
}

sg_err sg_report_add_speed(const sg_report *report, sg_text *html)
{
    const int64_t ranks = report->model[0] != '\0' ? report->checkpoint.position.ranks : 0;
    double mean = mean_of(sg_series_find(&report->series, "/mpx_per_s"));
    int64_t rows = 0;
    sg_err err = SG_OK;
    if (isfinite(mean))
        err = sg_text_add(html, "<p><b>%.3g Mpx/s</b> on the mean over steps", mean);
    if (err == SG_OK && isfinite(mean) && ranks > 0)
        err = sg_text_add(html, ", by %lld rank%s: %.3g Mpx/s a rank", (long long)ranks,
                          ranks == 1 ? "" : "s", mean / (double)ranks);
    if (err == SG_OK && isfinite(mean))
        err = sg_text_add(html, ".</p>\n");
    if (err == SG_OK)
        err = add_slowest(report, html);
    if (err == SG_OK)
        err = sg_text_add(html, "<div class=\"plots\">\n");
    if (err == SG_OK)
        err = add_single(report, "/mpx_per_s", "Megapixels a second, all ranks", 0, html);
    if (err == SG_OK)
        err = add_times(report, html);
    if (err == SG_OK)
        err = add_rank_rows(report, &rows, html);
    return err == SG_OK ? sg_text_add(html, "</div>\n") : err;
}
