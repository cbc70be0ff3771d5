#include "train/init.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/size.h"
#include "train/init_bands.h"
#include "train/init_source.h"

typedef struct {
    const sg_init_options *options;
    const sg_graph *graph;
    const sg_spec *spec;
    sg_params *params;
    sg_init_source source;
    uint8_t *class_layer; /* per node */
    sg_init_report *report;
    int32_t encoder, encoder_missing; /* its parameters, and those that the file lacks */
} job;

/* ---- which layers know of bands or classes ---- */

static bool is_first(const sg_graph *graph, const sg_param_info *info)
{
    const sg_node *node = &graph->node[info->node];
    const sg_tensor_info *input = &graph->tensor[node->input[0]];
    return info->kind == SG_PARAM_WEIGHT && graph->node[input->maker].op == SG_OP_input &&
           node->attr.window.groups == 1;
}

/* The convolutions that make a network's classes: from the output back, transposed ones pass
 * classes on and are followed further. */
static void mark_class_layers(const sg_graph *graph, uint8_t *mark)
{
    uint8_t reached[SG_MAX_NODES] = {0};
    reached[graph->nodes - 1] = 1;
    for (int32_t n = graph->nodes - 1; n >= 0; n--) {
        const sg_node *node = &graph->node[n];
        mark[n] = reached[n] && (node->op == SG_OP_conv || node->op == SG_OP_conv_transpose);
        for (int32_t i = 0; reached[n] && node->op != SG_OP_conv && i < node->inputs; i++)
            reached[graph->tensor[node->input[i]].maker] = 1;
    }
}

/* ---- what was done ---- */

static void shape_text(char text[64], int32_t dims, const int64_t *dim)
{
    int length = 0;
    text[0] = '\0';
    for (int32_t d = 0; d < dims && d < 4 && length < 64; d++)
        length +=
            snprintf(text + length, 64 - (size_t)length, "%s%" PRId64, d ? " x " : "", dim[d]);
}

static void tell_kept(job *j, const sg_param_info *info, const char *why)
{
    j->report->kept++;
    sg_verbose("  %-40s initial: %s", info->name, why);
}

static void tell_taken(job *j, const sg_param_info *info, const sg_init_item *item, const char *how)
{
    *(how ? &j->report->adapted : &j->report->loaded) += 1;
    sg_verbose("  %-40s %s%s%s", info->name, item->name, how ? ", " : "", how ? how : "");
}

/* ---- one parameter ---- */

static bool same_shape(const sg_param_info *info, const sg_init_item *item)
{
    bool same = info->dims == item->dims;
    for (int32_t d = 0; same && d < info->dims; d++)
        same = info->dim[d] == item->dim[d];
    return same;
}

/* Convolution weights that differ in their inputs alone. */
static bool same_but_inputs(const sg_param_info *info, const sg_init_item *item)
{
    return info->dims == 4 && item->dims == 4 && info->dim[0] == item->dim[0] &&
           info->dim[1] == item->dim[1] && info->dim[2] == item->dim[2];
}

static sg_err read_all(job *j, const sg_init_item *item, float **values)
{
    sg_err err = sg_malloc(sg_init_item_count(item), sizeof **values, values);
    return err ? err : sg_init_source_read(&j->source, item, *values);
}

static sg_err take(job *j, int32_t id, const sg_init_item *item)
{
    sg_err err = sg_init_source_read(&j->source, item, sg_params_values(j->params, id));
    if (!err)
        tell_taken(j, &j->graph->param[id], item, NULL);
    return err;
}

static sg_err take_bands(job *j, int32_t id, const sg_init_item *item)
{
    const sg_param_info *info = &j->graph->param[id];
    const sg_init_options *o = j->options;
    int32_t channels = (int32_t)item->dim[3];
    float *from = NULL, *mix = NULL;
    if (channels == info->dim[3] && o->bands != SG_INIT_BANDS_MATCH)
        return take(j, id, item);
    if (o->bands == SG_INIT_BANDS_NONE) {
        tell_kept(j, info, "its bands are others");
        return SG_OK;
    }
    sg_err err = sg_init_bands_mix(o, (int32_t)info->dim[3], channels, &mix);
    if (!err)
        err = read_all(j, item, &from);
    if (!err) {
        size_t rows = info->count / (size_t)info->dim[3];
        sg_init_bands_apply(mix, rows, channels, from, (int32_t)info->dim[3],
                            sg_params_values(j->params, id));
        tell_taken(j, info, item, "adapted to the bands");
    }
    sg_free(from);
    sg_free(mix);
    return err;
}

/* The file's class of the same name, for each class. False: all are the same and in place. */
static bool map_classes(const job *j, int32_t map[SG_CLASSES_MAX])
{
    const sg_class_table *ours = &j->spec->classes, *theirs = &j->source.checkpoint.spec.classes;
    bool differ = ours->count != theirs->count;
    for (int32_t c = 0; c < ours->count; c++) {
        map[c] = sg_classes_find(theirs, ours->item[c].name);
        differ = differ || map[c] != c;
    }
    return differ;
}

/* A dimension that counts classes is told by its length in both; others are equal. */
static bool fits_classes(const job *j, const sg_param_info *info, const sg_init_item *item,
                         bool counts[4])
{
    int64_t ours = j->spec->classes.count, theirs = j->source.checkpoint.spec.classes.count;
    bool transposed = item->transposed;
    if (info->dims != item->dims)
        return false;
    for (int32_t d = 0; d < info->dims; d++) {
        counts[d] =
            (d == 0 || (transposed && d == 3)) && info->dim[d] == ours && item->dim[d] == theirs;
        if (!counts[d] && info->dim[d] != item->dim[d])
            return false;
    }
    return counts[0];
}

static void copy_classes(const sg_param_info *info, const sg_init_item *item, const bool counts[4],
                         const int32_t *map, const float *from, float *to)
{
    size_t inputs = info->dims == 4 ? (size_t)info->dim[3] : 1;
    size_t pixels = info->count / (size_t)info->dim[0] / inputs;
    size_t from_inputs = info->dims == 4 ? (size_t)item->dim[3] : 1;
    for (size_t o = 0; o < (size_t)info->dim[0]; o++) {
        for (size_t p = 0; map[o] >= 0 && p < pixels; p++) {
            float *row = to + (o * pixels + p) * inputs;
            const float *source = from + ((size_t)map[o] * pixels + p) * from_inputs;
            for (size_t i = 0; i < inputs; i++)
                if (!counts[3])
                    row[i] = source[i];
                else if (map[i] >= 0)
                    row[i] = source[map[i]];
        }
    }
}

/* Layers of classes in a checkpoint: what the two share, by name. */
static sg_err take_classes(job *j, int32_t id, const sg_init_item *item, const int32_t *map)
{
    const sg_param_info *info = &j->graph->param[id];
    bool counts[4] = {false};
    float *from = NULL;
    char how[64];
    int32_t shared = 0;
    for (int32_t c = 0; c < j->spec->classes.count; c++)
        shared += map[c] >= 0;
    if (!fits_classes(j, info, item, counts) || shared == 0) {
        tell_kept(j, info, "its classes are others");
        return SG_OK;
    }
    sg_err err = read_all(j, item, &from);
    if (!err) {
        copy_classes(info, item, counts, map, from, sg_params_values(j->params, id));
        snprintf(how, sizeof how, "%d of %d classes", (int)shared, (int)j->spec->classes.count);
        tell_taken(j, info, item, how);
    }
    sg_free(from);
    return err;
}

/* An encoder of the same names and other shapes is another network: part of it would be worse than
 * nothing of it. Within our own checkpoints it is for the user to know. */
static sg_err other_shape(job *j, const sg_param_info *info, const sg_init_item *item)
{
    char wanted[64], held[64];
    shape_text(wanted, info->dims, info->dim);
    shape_text(held, item->dims, item->dim);
    if (j->source.file && sg_torch_is_encoder(info))
        return sg_fail(SG_EINPUT,
                       "%s: tensor '%s' is %s where this network wants %s (out, height, width, "
                       "in): the file is of another network; choose model.encoder to suit it",
                       j->source.path, item->name, held, wanted);
    tell_kept(j, info, "of another shape");
    return SG_OK;
}

static sg_err init_param(job *j, int32_t id, const int32_t *map, bool other_classes)
{
    const sg_param_info *info = &j->graph->param[id];
    sg_init_item item;
    bool found = sg_init_source_find(&j->source, j->graph, id, &item);
    j->encoder += sg_torch_is_encoder(info);
    if (!found) {
        j->encoder_missing += sg_torch_is_encoder(info);
        tell_kept(j, info, "not in the file");
        return SG_OK;
    }
    if (is_first(j->graph, info) && same_but_inputs(info, &item))
        return take_bands(j, id, &item);
    if (!j->source.file && other_classes && j->class_layer[info->node])
        return take_classes(j, id, &item, map);
    if (same_shape(info, &item))
        return take(j, id, &item);
    if (j->class_layer[info->node]) {
        tell_kept(j, info, "its classes are others");
        return SG_OK;
    }
    return other_shape(j, info, &item);
}

/* ---- the whole ---- */

static void tell_unused(job *j)
{
    for (size_t i = 0; i < j->source.count; i++) {
        if (j->source.used[i] || sg_init_source_is_counter(&j->source, i))
            continue;
        j->report->unused++;
        sg_verbose("  %-40s left out", sg_init_source_name(&j->source, i));
    }
}

static sg_err tell(job *j)
{
    const sg_init_report *r = j->report;
    if (r->loaded + r->adapted == 0)
        return sg_fail(SG_EINPUT,
                       "%s: none of its %zu tensors is one of this network (the first is '%s'); "
                       "choose model.net and model.encoder to suit it",
                       j->source.path, j->source.count,
                       j->source.count > 0 ? sg_init_source_name(&j->source, 0) : "");
    sg_info("%s: %d parameters loaded, %d adapted, %d left at their initial values; %d of the file "
            "left out%s",
            j->source.path, (int)r->loaded, (int)r->adapted, (int)r->kept, (int)r->unused,
            sg_log_get_level() == SG_LOG_VERBOSE ? "" : " (-v names them)");
    if (j->source.without_norms)
        sg_info("%s: has no batch norms; those of the network begin as if they were not there",
                j->source.path);
    else if (j->encoder_missing > 0 && j->source.file)
        sg_warn("%s lacks %d of the encoder's %d parameters: is it of another network?",
                j->source.path, (int)j->encoder_missing, (int)j->encoder);
    if (j->options->bands == SG_INIT_BANDS_CYCLIC && r->adapted > 0)
        sg_warn("model.init_bands: cyclic gives bands the weights of others at hand, whatever "
                "they show; mean or match mostly do better");
    return SG_OK;
}

static sg_err init_all(job *j)
{
    int32_t map[SG_CLASSES_MAX];
    bool other_classes = map_classes(j, map);
    sg_verbose("%s:", j->source.path);
    sg_err err = SG_OK;
    for (int32_t id = 0; !err && id < j->graph->param_count; id++)
        err = init_param(j, id, map, other_classes);
    if (err)
        return err;
    tell_unused(j);
    return tell(j);
}

sg_err sg_init_params(const sg_init_options *options, const sg_graph *graph, const sg_spec *spec,
                      sg_params *params, sg_init_report *report)
{
    job j = {.options = options, .graph = graph, .spec = spec, .params = params, .report = report};
    *report = (sg_init_report){0};
    sg_err err = sg_calloc((size_t)graph->nodes, 1, &j.class_layer);
    if (!err) {
        mark_class_layers(graph, j.class_layer);
        err = sg_init_source_open(&j.source, options->path, graph);
    }
    if (!err)
        err = init_all(&j);
    sg_init_source_close(&j.source);
    sg_free(j.class_layer);
    return err;
}
