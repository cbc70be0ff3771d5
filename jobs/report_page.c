/* The page of a report: head, key numbers, sections. */
#include "jobs/report.h"

#include <math.h>
#include <string.h>

#include "base/markup.h"
#include "jobs/report_style.h"
#include "jobs/report_table.h"

typedef struct {
    const char *id, *title;
    bool evaluated; /* only where the network was run over scenes */
    sg_err (*add)(const sg_report *report, sg_text *html);
} section;

static const char *scenes_name(sg_split split)
{
    return split == SG_SPLIT_TRAIN ? "training" : split == SG_SPLIT_VAL ? "validation" : "test";
}

static bool is_evaluated(const sg_report *report)
{
    return report->evaluation.confusion.count != NULL;
}

/* ---- tiles ---- */

static sg_err add_legend(const sg_report *report, sg_text *html)
{
    const sg_class_table *classes = &report->classes;
    sg_err err = sg_text_add(html, "<p class=\"key\">");
    for (int32_t k = 0; err == SG_OK && k < classes->count; k++) {
        err = sg_text_add(html, "<span>");
        if (err == SG_OK)
            err = sg_report_add_class(&classes->item[k], html);
        if (err == SG_OK)
            err = sg_text_add(html, "</span> ");
    }
    return err == SG_OK
               ? sg_text_add(html, "<br><span><i style=\"background:#c3d0da\"></i>right</span> "
                                   "<span><i style=\"background:#d7301f\"></i>wrong</span> "
                                   "<span>chequered: no label, or no data</span></p>\n")
               : err;
}

static sg_err add_figures(const sg_report *report, sg_tile_kind kind, const char *title,
                          sg_text *html)
{
    const sg_text *figures = &report->figures[kind];
    int64_t left = (report->tiles_seen < report->options->tiles ? report->tiles_seen
                                                                : report->options->tiles) -
                   report->shown[kind];
    sg_err err = sg_text_add(html, "<h3>%s</h3>\n<div class=\"tiles\">\n%s</div>\n", title,
                             figures->data != NULL ? figures->data : "");
    if (err == SG_OK && left > 0)
        err = sg_text_add(html, "<p class=\"note\">%lld more left out, to keep the page small.</p>",
                          (long long)left);
    return err;
}

static sg_err add_tiles(const sg_report *report, sg_text *html)
{
    sg_err err = sg_text_add(html,
                             "<p>%lld tiles of %d &times; %d pixels of the %s scenes hold labels. "
                             "Tiles with fewer than %d labelled pixels come last.</p>",
                             (long long)report->tiles_seen, SG_TILE_SIDE, SG_TILE_SIDE,
                             scenes_name(report->split), SG_TILES_LABELLED);
    if (err != SG_OK || report->options->tiles == 0)
        return err;
    err = add_legend(report, html);
    if (err == SG_OK)
        err = add_figures(report, SG_TILES_SAMPLE, "By chance", html);
    return err == SG_OK ? add_figures(report, SG_TILES_WORST, "The worst by accuracy", html) : err;
}

/* ---- other sections ---- */

static sg_err add_job(const sg_report *report, sg_text *html)
{
    sg_err err = sg_text_add(html, "<pre><code>");
    if (err == SG_OK)
        err = sg_text_add_html(html, report->job_text);
    return err == SG_OK ? sg_text_add(html, "</code></pre>\n") : err;
}

static sg_err add_network(const sg_report *report, sg_text *html)
{
    return report->checkpoint.graph != NULL
               ? sg_report_add_network(report, html)
               : sg_text_add(html, "<p class=\"note\">There is no checkpoint yet.</p>\n");
}

static const section sections[] = {
    {"curves", "Training", false, sg_report_add_curves},
    {"classes", "Classes", true, sg_report_add_classes},
    {"matrix", "Confusion matrix", true, sg_report_add_confusion},
    {"shares", "Class balance", true, sg_report_add_balance},
    {"sureness", "Calibration", true, sg_report_add_calibration},
    {"tiles", "Tiles", true, add_tiles},
    {"speed", "Speed", false, sg_report_add_speed},
    {"network", "Network", false, add_network},
    {"job", "Job", false, add_job},
};
enum { SECTIONS = sizeof sections / sizeof *sections };

static sg_err add_section(const sg_report *report, const section *s, sg_text *html)
{
    if (s->evaluated && !is_evaluated(report))
        return SG_OK;
    sg_err err = sg_text_add(html, "<section id=\"%s\">\n<h2>%s</h2>\n", s->id, s->title);
    if (err == SG_OK)
        err = s->add(report, html);
    return err == SG_OK ? sg_text_add(html, "</section>\n") : err;
}

/* ---- head ---- */

static sg_err add_head(const sg_report *report, sg_text *html)
{
    sg_err err = sg_text_add(html, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta "
                                   "charset=\"utf-8\">\n<meta name=\"viewport\" "
                                   "content=\"width=device-width, initial-scale=1\">\n<title>");
    if (err == SG_OK)
        err = sg_text_add_html(html, report->job.name);
    return err == SG_OK ? sg_text_add(html,
                                      " &ndash; segtiles report</title>\n<style>\n%s</style>\n"
                                      "</head>\n<body>\n",
                                      sg_report_style)
                        : err;
}

/* How far the run is: "step 300 of 2000". */
static sg_err add_progress(const sg_report *report, sg_text *html)
{
    double step = sg_report_last(report, "/step");
    long long done = isfinite(step) ? (long long)step : 0, all = (long long)report->job.train.steps;
    if (all == 0)
        return sg_text_add(html, "%lld step%s done.", done, done == 1 ? "" : "s");
    if (done >= all)
        return sg_text_add(html, "All %lld steps done.", all);
    return sg_text_add(html, "%lld of %lld steps done: going on, or stopped.", done, all);
}

static sg_err add_lead(const sg_report *report, sg_text *html)
{
    sg_err err = sg_text_add(html, "<p class=\"lead\">");
    if (err == SG_OK)
        err = sg_text_add_html(html, report->folder);
    if (err == SG_OK)
        err = sg_text_add(html, ". ");
    if (err == SG_OK)
        err = add_progress(report, html);
    if (err == SG_OK && report->checkpoint.graph != NULL)
        err = sg_text_add(html, " %s %s, from step %lld.",
                          is_evaluated(report) ? "Numbers are of" : "There is",
                          sg_path_base(report->model), (long long)report->checkpoint.position.step);
    return err == SG_OK ? sg_text_add(html, "</p>\n") : err;
}

static sg_err add_notes(const sg_report *report, sg_text *html)
{
    sg_err err = SG_OK;
    if (report->substituted)
        err = sg_text_add(html, "<p class=\"note warn\" id=\"substituted\">The job has no "
                                "validation scenes. All numbers and tiles are of the training "
                                "scenes, which the network has seen: expect less on others.</p>\n");
    else if (is_evaluated(report))
        err = sg_text_add(html, "<p class=\"note\">Numbers and tiles are of the %s scenes.%s</p>\n",
                          scenes_name(report->split),
                          report->split == SG_SPLIT_TRAIN
                              ? " The network has seen them: expect less on others."
                              : "");
    else
        err = sg_text_add(html, "<p class=\"note\">No scene was read for this page: it shows what "
                                "the training has written.</p>\n");
    if (err == SG_OK && report->evaluation.unmapped > 0)
        err = sg_text_add(html,
                          "<p class=\"note\">%lld labelled pixels lie where scenes have no data; "
                          "they are left out.</p>\n",
                          (long long)report->evaluation.unmapped);
    return err;
}

static sg_err add_card(const char *name, double value, sg_text *html)
{
    sg_err err = sg_text_add(html, "<li><span>%s</span><b>", name);
    if (err == SG_OK)
        err = isfinite(value) ? sg_text_add(html, "%.4f", value) : sg_text_add(html, "&ndash;");
    return err == SG_OK ? sg_text_add(html, "</b></li>") : err;
}

static sg_err add_cards(const sg_report *report, sg_text *html)
{
    sg_scores s;
    if (!is_evaluated(report))
        return SG_OK;
    sg_confusion_scores(&report->evaluation.confusion, &s);
    const char *const name[] = {"mIoU", "mean F1", "accuracy", "kappa", "calibration error"};
    const double value[] = {s.miou, s.mean_f1, s.accuracy, s.kappa,
                            sg_calibration_error(&report->calibration)};
    sg_err err = sg_text_add(html, "<ul class=\"cards\">");
    for (int i = 0; err == SG_OK && i < 5; i++)
        err = add_card(name[i], value[i], html);
    if (err == SG_OK)
        err = sg_text_add(html, "<li><span>pixels</span><b>");
    if (err == SG_OK)
        err = sg_report_add_count(s.pixels, html);
    return err == SG_OK ? sg_text_add(html, "</b></li></ul>\n") : err;
}

static sg_err add_header(const sg_report *report, sg_text *html)
{
    sg_err err = sg_text_add(html, "<header>\n<h1>");
    if (err == SG_OK)
        err = sg_text_add_html(html, report->job.name);
    if (err == SG_OK)
        err = sg_text_add(html, "</h1>\n");
    if (err == SG_OK)
        err = add_lead(report, html);
    if (err == SG_OK)
        err = add_notes(report, html);
    if (err == SG_OK)
        err = add_cards(report, html);
    if (err == SG_OK)
        err = sg_text_add(html, "<nav aria-label=\"Sections\">");
    for (int i = 0; err == SG_OK && i < SECTIONS; i++)
        if (!sections[i].evaluated || is_evaluated(report))
            err = sg_text_add(html, "<a href=\"#%s\">%s</a> ", sections[i].id, sections[i].title);
    return err == SG_OK ? sg_text_add(html, "</nav>\n</header>\n<main>\n") : err;
}

sg_err sg_report_page(const sg_report *report, sg_text *html)
{
    sg_err err = add_head(report, html);
    if (err == SG_OK)
        err = add_header(report, html);
    for (int i = 0; err == SG_OK && i < SECTIONS; i++)
        err = add_section(report, &sections[i], html);
    return err == SG_OK ? sg_text_add(html,
                                      "</main>\n<footer>segtiles %s</footer>\n</body>\n"
                                      "</html>\n",
                                      SEGTILES_VERSION)
                        : err;
}
