/* Tables of a report: classes, confusion matrix, balance over splits, calibration. */
#include "jobs/report.h"

#include <math.h>
#include <string.h>

#include "base/markup.h"
#include "jobs/report_chart.h"
#include "jobs/report_table.h"

enum { COUNTS_MOST = 12, TIPS_MOST = 64 }; /* classes up to which cells show counts, have tips */

/* A cell with a share of 0 .. 1, with a bar behind it. */
static sg_err add_share(double share, sg_text *html)
{
    if (!isfinite(share))
        return sg_text_add(html, "<td class=\"n\" title=\"undefined\">&ndash;</td>");
    return sg_text_add(html, "<td class=\"n bar\" style=\"--v:%.4f\">%.4f</td>", share, share);
}

/* The count below a share. */
static sg_err add_small(int64_t count, sg_text *html)
{
    sg_err err = sg_text_add(html, "<small>");
    if (err == SG_OK)
        err = sg_report_add_count(count, html);
    return err == SG_OK ? sg_text_add(html, "</small>") : err;
}

static int64_t truth_of(const sg_confusion *confusion, int32_t k)
{
    int64_t sum = 0;
    for (int32_t j = 0; j < confusion->classes; j++)
        sum += confusion->count[k * confusion->classes + j];
    return sum;
}

/* Of many classes, those that no pixel has, in truth or prediction, are left out of tables. */
static bool is_left_out(const sg_confusion *confusion, int32_t k)
{
    int64_t found = 0;
    for (int32_t i = 0; i < confusion->classes; i++)
        found += confusion->count[i * confusion->classes + k];
    return confusion->classes > COUNTS_MOST && found == 0 && truth_of(confusion, k) == 0;
}

static sg_err add_left_out(const sg_confusion *confusion, sg_text *html)
{
    int32_t left_out = 0;
    for (int32_t k = 0; k < confusion->classes; k++)
        left_out += is_left_out(confusion, k);
    return left_out == 0
               ? SG_OK
               : sg_text_add(html,
                             "<p class=\"note\">%d of %d classes are in no pixel of truth or "
                             "prediction; they are left out here.</p>\n",
                             left_out, confusion->classes);
}

sg_err sg_report_add_classes(const sg_report *report, sg_text *html)
{
    const sg_confusion *confusion = &report->evaluation.confusion;
    const sg_class_table *classes = &report->evaluation.classes;
    sg_scores s;
    sg_confusion_scores(confusion, &s);
    static const char *const column[] = {"class", "IoU",    "precision", "recall",
                                         "F1",    "pixels", NULL};
    sg_err err = sg_report_begin_table("scores", "Scores of each class", column, 1, html);
    for (int32_t k = 0; err == SG_OK && k < confusion->classes; k++) {
        if (is_left_out(confusion, k))
            continue;
        const double share[] = {s.iou[k], s.precision[k], s.recall[k], s.f1[k]};
        err = sg_report_begin_row(&classes->item[k], html);
        for (int i = 0; err == SG_OK && i < 4; i++)
            err = add_share(share[i], html);
        if (err == SG_OK)
            err = sg_text_add(html, "<td class=\"n\" data-n=\"%lld\">",
                              (long long)truth_of(confusion, k));
        if (err == SG_OK)
            err = sg_report_add_count(truth_of(confusion, k), html);
        if (err == SG_OK)
            err = sg_text_add(html, "</td></tr>\n");
    }
    if (err == SG_OK)
        err = sg_report_end_table(html);
    return err == SG_OK ? add_left_out(confusion, html) : err;
}

/* ---- confusion matrix ---- */

static sg_err add_matrix_head(const sg_report *report, sg_text *html)
{
    const sg_class_table *classes = &report->evaluation.classes;
    sg_err err = sg_text_add(html, "<thead><tr><th scope=\"col\">truth &darr; &nbsp; predicted "
                                   "&rarr;</th>");
    for (int32_t k = 0; err == SG_OK && k < classes->count; k++) {
        if (is_left_out(&report->evaluation.confusion, k))
            continue;
        err = sg_text_add(html, "<th scope=\"col\"%s><span>",
                          classes->count > 4 ? " class=\"up\"" : "");
        if (err == SG_OK)
            err = sg_report_add_class(&classes->item[k], html);
        if (err == SG_OK)
            err = sg_text_add(html, "</span></th>");
    }
    return err == SG_OK ? sg_text_add(html, "</tr></thead><tbody>\n") : err;
}

/* Shown: the row's percentage, and the count where there is room for it. */
static sg_err add_cell(int64_t count, int64_t row, bool right, int32_t classes, sg_text *html)
{
    double share = row > 0 ? (double)count / (double)row : 0;
    sg_err err;
    if (count == 0)
        return sg_text_add(html, classes <= TIPS_MOST ? "<td data-n=\"0\">%s</td>" : "<td>%s</td>",
                           classes <= COUNTS_MOST ? "0" : "");
    err = sg_text_add(html, "<td class=\"%s\" style=\"--v:%.3f\"", right ? "ok" : "no", share);
    if (err == SG_OK && classes <= TIPS_MOST)
        err = sg_text_add(html, " data-n=\"%lld\" title=\"%lld pixels\"", (long long)count,
                          (long long)count);
    if (err == SG_OK)
        err = sg_text_add(html, ">%.*f%s", classes <= COUNTS_MOST ? 1 : 0, 100 * share,
                          classes <= COUNTS_MOST ? "&nbsp;%" : "");
    if (err == SG_OK && classes <= COUNTS_MOST)
        err = add_small(count, html);
    return err == SG_OK ? sg_text_add(html, "</td>") : err;
}

sg_err sg_report_add_confusion(const sg_report *report, sg_text *html)
{
    const sg_confusion *confusion = &report->evaluation.confusion;
    const int32_t n = confusion->classes;
    sg_err err = sg_text_add(html,
                             "<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
                             "aria-label=\"Confusion matrix\"><table id=\"confusion\" "
                             "class=\"matrix%s\">",
                             n > COUNTS_MOST ? " many" : "");
    if (err == SG_OK)
        err = add_matrix_head(report, html);
    for (int32_t i = 0; err == SG_OK && i < n; i++) {
        int64_t row = truth_of(confusion, i);
        if (is_left_out(confusion, i))
            continue;
        err = sg_report_begin_row(&report->evaluation.classes.item[i], html);
        for (int32_t j = 0; err == SG_OK && j < n; j++)
            if (!is_left_out(confusion, j))
                err = add_cell(confusion->count[i * n + j], row, i == j, n, html);
        if (err == SG_OK)
            err = sg_text_add(html, "</tr>\n");
    }
    return err == SG_OK ? sg_report_end_table(html) : err;
}

/* ---- balance ---- */

static int64_t labelled(const sg_report *report, int split)
{
    int64_t sum = 0;
    for (int32_t k = 0; k < report->classes.count; k++)
        sum += report->pixels[split][k];
    return sum;
}

static sg_err add_amount(int64_t count, int64_t whole, bool bar, sg_text *html)
{
    double share = whole > 0 ? (double)count / (double)whole : 0;
    sg_err err =
        sg_text_add(html, "<td class=\"n%s\" style=\"--v:%.4f\" data-n=\"%lld\">%.2f&nbsp;%%",
                    bar ? " bar" : "", bar ? share : 0, (long long)count, 100 * share);
    if (err == SG_OK)
        err = add_small(count, html);
    return err == SG_OK ? sg_text_add(html, "</td>") : err;
}

/* One row over the splits that there are; k: a class, or -1 for pixels without a label. */
static sg_err add_balance_row(const sg_report *report, int32_t k, sg_text *html)
{
    sg_err err = k >= 0 ? sg_report_begin_row(&report->classes.item[k], html)
                        : sg_text_add(html, "<tr class=\"sum\"><th scope=\"row\">without label, "
                                            "of all pixels</th>");
    for (int split = 0; err == SG_OK && split < SG_SPLITS; split++) {
        int64_t known = labelled(report, split), unknown = report->unlabelled[split];
        if (!(report->splits >> split & 1))
            continue;
        err = k >= 0 ? add_amount(report->pixels[split][k], known, true, html)
                     : add_amount(unknown, known + unknown, false, html);
    }
    return err == SG_OK ? sg_text_add(html, "</tr>\n") : err;
}

sg_err sg_report_add_balance(const sg_report *report, sg_text *html)
{
    static const char *const name[SG_SPLITS] = {"training", "validation", "test"};
    const char *column[SG_SPLITS + 2] = {"class"};
    int columns = 1;
    for (int split = 0; split < SG_SPLITS; split++)
        if (report->splits >> split & 1)
            column[columns++] = name[split];
    sg_err err = sg_report_begin_table("balance", "Share of each class", column, 1, html);
    for (int32_t k = 0; err == SG_OK && k < report->classes.count; k++)
        err = add_balance_row(report, k, html);
    if (err == SG_OK)
        err = add_balance_row(report, -1, html);
    return err == SG_OK ? sg_report_end_table(html) : err;
}

/* ---- calibration ---- */

static sg_err add_diagram(const sg_calibration *c, sg_text *html)
{
    static const double corner[] = {0, 1};
    double x[SG_CALIBRATION_BINS], y[SG_CALIBRATION_BINS];
    size_t count = 0;
    for (int bin = 0; bin < SG_CALIBRATION_BINS; bin++) {
        if (c->count[bin] == 0)
            continue;
        x[count] = sg_calibration_confidence(c, bin);
        y[count++] = sg_calibration_accuracy(c, bin);
    }
    const sg_chart_line line[] = {{"as it should be", "var(--faint)", corner, corner, 2, false},
                                  {"accuracy", "var(--a)", x, y, count, true}};
    const sg_chart chart = {.title = "Accuracy over the probability of the class chosen",
                            .x_label = "probability",
                            .line = line,
                            .lines = 2,
                            .least = 0,
                            .most = 1};
    return sg_chart_add(&chart, html);
}

static sg_err add_bins(const sg_calibration *c, sg_text *html)
{
    int64_t pixels = 0;
    for (int bin = 0; bin < SG_CALIBRATION_BINS; bin++)
        pixels += c->count[bin];
    static const char *const column[] = {"probability", "mean", "accuracy", "share of pixels",
                                         NULL};
    sg_err err = sg_report_begin_table("calibration", "Calibration", column, 1, html);
    for (int bin = 0; err == SG_OK && bin < SG_CALIBRATION_BINS; bin++) {
        if (c->count[bin] == 0)
            continue;
        double share = (double)c->count[bin] / (double)pixels;
        err = sg_text_add(html,
                          "<tr><th scope=\"row\">%.3f &ndash; %.3f</th><td class=\"n\">%.4f</td>"
                          "<td class=\"n\">%.4f</td><td class=\"n bar\" style=\"--v:%.4f\" "
                          "data-n=\"%lld\">%.2f&nbsp;%%</td></tr>\n",
                          (double)bin / SG_CALIBRATION_BINS, (bin + 1.0) / SG_CALIBRATION_BINS,
                          sg_calibration_confidence(c, bin), sg_calibration_accuracy(c, bin), share,
                          (long long)c->count[bin], 100 * share);
    }
    return err == SG_OK ? sg_report_end_table(html) : err;
}

sg_err sg_report_add_calibration(const sg_report *report, sg_text *html)
{
    const sg_calibration *c = &report->calibration;
    sg_err err = sg_text_add(html,
                             "<p>Expected calibration error <b id=\"ece\">%.4f</b>: by so much, on "
                             "the mean over pixels, the probability of the class chosen differs "
                             "from how often it is right.</p><div class=\"plots\">",
                             sg_calibration_error(c));
    if (err == SG_OK)
        err = add_diagram(c, html);
    if (err == SG_OK)
        err = add_bins(c, html);
    return err == SG_OK ? sg_text_add(html, "</div>\n") : err;
}
