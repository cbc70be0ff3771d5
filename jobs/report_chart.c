#include "jobs/report_chart.h"

#include <math.h>
#include <stdio.h>
#include "base/markup.h"
#include "base/size.h"

/* In units of the picture, which the page scales. */
enum { WIDTH = 460, HEIGHT = 230, LEFT = 52, RIGHT = 12, TOP = 10, BOTTOM = 38 };
enum { BINS = 240, MARKS_MOST = 60, TICKS = 5 };

typedef struct {
    const sg_chart *chart;
    sg_text *html;
    double x0, x1, y0, y1; /* what the axes span */
    double step_x, step_y; /* between ticks */
} plot;

static double across(const plot *p, double x)
{
    return LEFT + (x - p->x0) / (p->x1 - p->x0) * (WIDTH - LEFT - RIGHT);
}

static double down(const plot *p, double y)
{
    return HEIGHT - BOTTOM - (y - p->y0) / (p->y1 - p->y0) * (HEIGHT - TOP - BOTTOM);
}

/* 1, 2 or 5 times a power of ten, so that about TICKS of it make the span. */
static double nice_step(double span)
{
    double raw = span / TICKS, power = pow(10, floor(log10(raw))), times = raw / power;
    return power * (times < 1.5 ? 1 : times < 3.5 ? 2 : times < 7.5 ? 5 : 10);
}

/* What all lines span; false when there is no number. */
static bool find_span(plot *p)
{
    bool any = false;
    for (int32_t l = 0; l < p->chart->lines; l++) {
        const sg_chart_line *line = &p->chart->line[l];
        for (size_t i = 0; i < line->count; i++) {
            if (!isfinite(line->y[i]))
                continue;
            p->x0 = any ? fmin(p->x0, line->x[i]) : line->x[i];
            p->x1 = any ? fmax(p->x1, line->x[i]) : line->x[i];
            p->y0 = any ? fmin(p->y0, line->y[i]) : line->y[i];
            p->y1 = any ? fmax(p->y1, line->y[i]) : line->y[i];
            any = true;
        }
    }
    return any;
}

/* Widen to whole ticks; no axis is without length. */
static void round_span(plot *p)
{
    if (isfinite(p->chart->least))
        p->y0 = p->chart->least;
    if (isfinite(p->chart->most))
        p->y1 = p->chart->most;
    if (p->x1 <= p->x0)
        p->x1 = p->x0 + fmax(1, fabs(p->x0) * 1e-6);
    if (p->y1 <= p->y0)
        p->y1 = p->y0 + fmax(fabs(p->y0) * 0.1, 1e-12);
    p->step_x = nice_step(p->x1 - p->x0);
    p->step_y = nice_step(p->y1 - p->y0);
    if (!isfinite(p->chart->least))
        p->y0 = floor(p->y0 / p->step_y) * p->step_y;
    if (!isfinite(p->chart->most))
        p->y1 = ceil(p->y1 / p->step_y) * p->step_y;
}

static const double slack = 1e-9; /* of a tick's place, in steps */

/* Zero without what sums of steps leave of it. */
static double clean(double tick, double step)
{
    return fabs(tick) < slack * step ? 0 : tick;
}

static sg_err add_axes(const plot *p)
{
    sg_err err = SG_OK;
    for (double y = ceil(p->y0 / p->step_y - slack) * p->step_y;
         err == SG_OK && y <= p->y1 + slack * p->step_y; y += p->step_y)
        err = sg_text_add(p->html,
                          "<path class=\"grid\" d=\"M%d %.1fH%d\"/><text x=\"%d\" y=\"%.1f\" "
                          "text-anchor=\"end\">%.4g</text>",
                          LEFT, down(p, y), WIDTH - RIGHT, LEFT - 6, down(p, y) + 4,
                          clean(y, p->step_y));
    for (double x = ceil(p->x0 / p->step_x - slack) * p->step_x;
         err == SG_OK && x <= p->x1 + slack * p->step_x; x += p->step_x)
        err = sg_text_add(p->html, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%.6g</text>",
                          across(p, x), HEIGHT - BOTTOM + 16, clean(x, p->step_x));
    if (err == SG_OK)
        err = sg_text_add(p->html,
                          "<path class=\"axis\" d=\"M%d %dH%d\"/><text x=\"%d\" y=\"%d\" "
                          "text-anchor=\"end\" class=\"unit\">",
                          LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT, WIDTH - RIGHT, HEIGHT - 6);
    if (err == SG_OK)
        err = sg_text_add_html(p->html, p->chart->x_label);
    return err == SG_OK ? sg_text_add(p->html, "</text>") : err;
}

/* A line in at most BINS pieces of the x axis: mean, least and most of each. */
typedef struct {
    double x, mean, least, most;
    int64_t count; /* 0: a gap */
} bin;

static size_t thin(const plot *p, const sg_chart_line *line, bin *bins)
{
    bool each = line->count <= BINS;
    size_t used = 0;
    int64_t last = -1;
    for (size_t i = 0; i < line->count; i++) {
        int64_t place =
            each ? (int64_t)i : (int64_t)((line->x[i] - p->x0) / (p->x1 - p->x0) * (BINS - 1));
        if (!each && place < 0)
            continue;
        if (place != last && used < BINS)
            bins[used++] = (bin){.least = INFINITY, .most = -INFINITY};
        last = place;
        bin *b = &bins[used - 1];
        if (!isfinite(line->y[i]))
            continue;
        b->count++;
        b->x += (line->x[i] - b->x) / (double)b->count;
        b->mean += (line->y[i] - b->mean) / (double)b->count;
        b->least = fmin(b->least, line->y[i]);
        b->most = fmax(b->most, line->y[i]);
    }
    return used;
}

/* The range of bins first .. end - 1, none of them a gap. */
static sg_err add_range(const plot *p, const bin *bins, size_t first, size_t end)
{
    sg_err err = sg_text_add(p->html, "<path class=\"range\" d=\"M");
    for (size_t i = first; err == SG_OK && i < end; i++)
        err = sg_text_add(p->html, "%.1f %.1f ", across(p, bins[i].x), down(p, bins[i].most));
    for (size_t i = end; err == SG_OK && i-- > first;)
        err = sg_text_add(p->html, "%.1f %.1f ", across(p, bins[i].x), down(p, bins[i].least));
    return err == SG_OK ? sg_text_add(p->html, "z\"/>") : err;
}

static sg_err add_ranges(const plot *p, const bin *bins, size_t count)
{
    sg_err err = SG_OK;
    for (size_t first = 0, end; err == SG_OK && first < count; first = end + 1) {
        for (end = first; end < count && bins[end].count > 0;)
            end++;
        if (end > first)
            err = add_range(p, bins, first, end);
    }
    return err;
}

/* A point between gaps is drawn as a line to itself, which round ends make a dot. */
static sg_err add_path(const plot *p, const bin *bins, size_t count)
{
    sg_err err = sg_text_add(p->html, "<path class=\"line\" d=\"");
    bool down_yet = false;
    for (size_t i = 0; err == SG_OK && i < count; i++) {
        bool alone = !down_yet && (i + 1 == count || bins[i + 1].count == 0);
        if (bins[i].count == 0) {
            down_yet = false;
            continue;
        }
        err = sg_text_add(p->html, "%c%.1f %.1f%s", down_yet ? 'L' : 'M', across(p, bins[i].x),
                          down(p, bins[i].mean), alone ? "h0" : "");
        down_yet = true;
    }
    return err == SG_OK ? sg_text_add(p->html, "\"/>") : err;
}

static sg_err add_marks(const plot *p, const sg_chart_line *line)
{
    sg_err err = SG_OK;
    for (size_t i = 0; err == SG_OK && i < line->count; i++) {
        if (!isfinite(line->y[i]))
            continue;
        err = sg_text_add(p->html, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2.5\"><title>",
                          across(p, line->x[i]), down(p, line->y[i]));
        if (err == SG_OK)
            err = sg_text_add_html(p->html, line->name);
        if (err == SG_OK)
            err = sg_text_add(p->html, " %.4g at %.6g</title></circle>", line->y[i], line->x[i]);
    }
    return err;
}

static sg_err add_line(const plot *p, const sg_chart_line *line)
{
    bin *bins = NULL;
    sg_err err = sg_calloc(BINS, sizeof *bins, &bins);
    if (err == SG_OK)
        err = sg_text_add(p->html, "<g style=\"--c:%s\"><title>", line->colour);
    if (err == SG_OK)
        err = sg_text_add_html(p->html, line->name);
    if (err == SG_OK)
        err = sg_text_add(p->html, "</title>");
    if (err == SG_OK) {
        size_t used = thin(p, line, bins);
        if (line->count > BINS)
            err = add_ranges(p, bins, used);
        if (err == SG_OK)
            err = add_path(p, bins, used);
    }
    if (err == SG_OK && line->marks && line->count <= MARKS_MOST)
        err = add_marks(p, line);
    sg_free(bins);
    return err == SG_OK ? sg_text_add(p->html, "</g>") : err;
}

/* What one who cannot see the picture is told: the first and the last number of each line. */
static sg_err add_label(const plot *p)
{
    enum { TOLD = 8 };
    sg_err err = sg_text_add_html(p->html, p->chart->title);
    for (int32_t l = 0; err == SG_OK && l < p->chart->lines && l < TOLD; l++) {
        const sg_chart_line *line = &p->chart->line[l];
        size_t first = 0, last = line->count;
        while (first < last && !isfinite(line->y[first]))
            first++;
        while (last > first && !isfinite(line->y[last - 1]))
            last--;
        if (first == last)
            continue;
        err = sg_text_add(p->html, "; ");
        if (err == SG_OK)
            err = sg_text_add_html(p->html, line->name);
        if (err == SG_OK)
            err = sg_text_add(p->html, " from %.4g to %.4g", line->y[first], line->y[last - 1]);
    }
    return err;
}

static sg_err add_key(const plot *p)
{
    sg_err err = sg_text_add(p->html, "<div class=\"key\">");
    for (int32_t l = 0; err == SG_OK && l < p->chart->lines; l++) {
        err =
            sg_text_add(p->html, "<span><i style=\"background:%s\"></i>", p->chart->line[l].colour);
        if (err == SG_OK)
            err = sg_text_add_html(p->html, p->chart->line[l].name);
        if (err == SG_OK)
            err = sg_text_add(p->html, "</span> ");
    }
    return err == SG_OK ? sg_text_add(p->html, "</div>") : err;
}

static sg_err add_svg(plot *p)
{
    sg_err err;
    round_span(p);
    err = sg_text_add(p->html,
                      "<svg class=\"chart\" viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"",
                      WIDTH, HEIGHT);
    if (err == SG_OK)
        err = add_label(p);
    if (err == SG_OK)
        err = sg_text_add(p->html, "\">");
    if (err == SG_OK)
        err = add_axes(p);
    for (int32_t l = 0; err == SG_OK && l < p->chart->lines; l++)
        err = add_line(p, &p->chart->line[l]);
    if (err == SG_OK)
        err = sg_text_add(p->html, "</svg>");
    return err == SG_OK && p->chart->lines > 1 ? add_key(p) : err;
}

sg_err sg_chart_add(const sg_chart *chart, sg_text *html)
{
    plot p = {.chart = chart, .html = html};
    bool any = find_span(&p);
    sg_err err = sg_text_add(html, "<figure class=\"plot\"><figcaption>");
    if (err == SG_OK)
        err = sg_text_add_html(html, chart->title);
    if (err == SG_OK)
        err = sg_text_add(html, "</figcaption>");
    if (err == SG_OK)
        err = any ? add_svg(&p) : sg_text_add(html, "<p class=\"none\">no numbers yet</p>");
    return err == SG_OK ? sg_text_add(html, "</figure>\n") : err;
}
