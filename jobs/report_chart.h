/*
 * Line charts as SVG inside HTML: no script, colours by the page's style. Long lines are thinned to
 * their means, with the range of what they stand for behind them. [local]
 */
#ifndef SG_JOBS_REPORT_CHART_H
#define SG_JOBS_REPORT_CHART_H

#include <stdbool.h>
#include <stdint.h>
#include "base/text.h"

typedef struct {
    const char *name;    /* in the key and in tips; not escaped */
    const char *colour;  /* as CSS has it: "#1b7837", "var(--a)" */
    const double *x, *y; /* [count], x ascending; y NaN: a gap */
    size_t count;
    bool marks; /* a mark with a tip on every point, while there are few */
} sg_chart_line;

typedef struct {
    const char *title, *x_label;
    const sg_chart_line *line;
    int32_t lines;
    double least, most; /* of y; NaN: from the data */
} sg_chart;

/* Add a <figure>. A chart without a number says so. */
sg_err sg_chart_add(const sg_chart *chart, sg_text *html);

#endif
