/* The network of a report: what `info` tells of its checkpoint, and its layers. */
#include "jobs/report.h"

#include <stdio.h>

#include "base/markup.h"
#include "base/size.h"
#include "jobs/report_table.h"
#include "nn/plan.h"
#include "nn/reach.h"

enum { TILE = 512 };

typedef struct {
    const sg_graph *graph;
    sg_network_reach reach;
    sg_plan *plan; /* of one tile, before fusion: a step a layer; owned */
    int64_t side;
} network;

static sg_err gather(network *n, const sg_graph *graph)
{
    n->graph = graph;
    sg_err err = sg_graph_reach(graph, &n->reach);
    if (err != SG_OK)
        return err;
    n->side = sg_round_up(TILE, n->reach.stride);
    sg_shape shape = {1, n->side, n->side, sg_graph_input_channels(graph)};
    return sg_plan_create(graph, shape, SG_F32, SG_PLAN_INFERENCE, &n->plan);
}

static sg_err add_fact(sg_text *html, const char *name)
{
    return sg_text_add(html, "<dt>%s</dt><dd>", name);
}

static sg_err add_model(const sg_report *report, sg_text *html)
{
    const sg_job_model *model = &report->job.model;
    sg_err err = add_fact(html, "network");
    if (err == SG_OK)
        err = sg_text_add_html(html, model->net);
    if (err == SG_OK && model->encoder[0] != '\0') {
        err = sg_text_add(html, " on ");
        if (err == SG_OK)
            err = sg_text_add_html(html, model->encoder);
    }
    return err == SG_OK ? sg_text_add(html, "</dd>") : err;
}

static sg_err add_facts(const sg_report *report, const network *n, sg_text *html)
{
    const sg_spec *spec = &report->checkpoint.spec;
    const double pixels = (double)n->side * (double)n->side;
    sg_err err = sg_text_add(html, "<dl class=\"facts\">");
    if (err == SG_OK)
        err = add_model(report, html);
    if (err == SG_OK)
        err = sg_text_add(html,
                          "<dt>identity</dt><dd><code>%s</code></dd><dt>parameters</dt><dd>%zu</dd>"
                          "<dt>operations</dt><dd>%.4g kFLOP a pixel</dd><dt>stride</dt><dd>%lld "
                          "pixels</dd><dt>reach</dt><dd>",
                          report->checkpoint.identity, sg_graph_trainable_count(n->graph),
                          1e-3 * n->plan->flops / pixels, (long long)n->reach.stride);
    if (err == SG_OK)
        err = n->reach.unbounded
                  ? sg_text_add(html, "the whole input</dd>")
                  : sg_text_add(html, "%lld pixels, halo %lld: tiles are exact</dd>",
                                (long long)n->reach.radius, (long long)n->reach.halo);
    if (err == SG_OK)
        err = add_fact(html, "bands");
    for (int32_t b = 0; err == SG_OK && b < spec->bands; b++)
        err = sg_text_add(html, "%s%d", b > 0 ? ", " : "", spec->band[b]);
    if (err == SG_OK && spec->gsd > 0)
        err = sg_text_add(html, "</dd><dt>pixel</dt><dd>%.4g m", spec->gsd);
    return err == SG_OK ? sg_text_add(html, "</dd></dl>\n") : err;
}

static sg_err add_layer(const network *n, const sg_node *node, sg_text *html)
{
    sg_shape shape = n->plan->tensor[node->output].shape;
    sg_err err = sg_text_add(html, "<tr><th scope=\"row\">");
    if (err == SG_OK)
        err = sg_text_add_html(html, node->name);
    return err == SG_OK
               ? sg_text_add(html,
                             "</th><td>%s</td><td class=\"n\">%lld &times; %lld &times; "
                             "%lld</td><td class=\"n\">%lld</td></tr>\n",
                             sg_op_name(node->op), (long long)shape.h, (long long)shape.w,
                             (long long)shape.c, (long long)sg_node_trainable_count(n->graph, node))
               : err;
}

static sg_err add_layers(const network *n, sg_text *html)
{
    static const char *const column[] = {
        "layer", "operator", "height &times; width &times; channels", "parameters", NULL};
    sg_err err =
        sg_text_add(html, "<details><summary>%d layers, for a tile of %lld &times; %lld</summary>",
                    n->graph->nodes, (long long)n->side, (long long)n->side);
    if (err == SG_OK)
        err = sg_report_begin_table("layers", "Layers", column, 2, html);
    for (int32_t i = 0; err == SG_OK && i < n->graph->nodes; i++)
        err = add_layer(n, &n->graph->node[i], html);
    if (err == SG_OK)
        err = sg_report_end_table(html);
    return err == SG_OK ? sg_text_add(html, "</details>\n") : err;
}

sg_err sg_report_add_network(const sg_report *report, sg_text *html)
{
    network n = {0};
    sg_err err = gather(&n, report->checkpoint.graph);
    if (err == SG_OK)
        err = add_facts(report, &n, html);
    if (err == SG_OK)
        err = add_layers(&n, html);
    sg_plan_close(n.plan);
    return err;
}
