#include "train/init_source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"

/* What may stand before an encoder's names: nothing in torchvision's and timm's files, the others
 * where a whole network was saved. */
static const char *const prefixes[] = {"",       "encoder.",        "backbone.",       "module.",
                                       "model.", "module.encoder.", "module.backbone."};

/* Fully connected layers that FCN made convolutions of, in torchvision and timm. */
static const struct {
    const char *ours, *theirs;
} aliases[] = {{"fc6.", "classifier.0."},
               {"fc6.", "pre_logits.fc1."},
               {"fc7.", "classifier.3."},
               {"fc7.", "pre_logits.fc2."}};

static bool ends_in(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

static const sg_safetensor *find(const sg_safetensors *file, const char *prefix, const char *name)
{
    char whole[3 * SG_TORCH_NAME_MAX];
    snprintf(whole, sizeof whole, "%s%s", prefix, name);
    return sg_safetensors_find(file, whole);
}

/* ---- VGG without batch norm ---- */

/* Layers are numbered: a convolution, its norm and its ReLU count one each in our networks. So the
 * number falls by the convolutions before it. */
static void renumber(const sg_graph *graph, const sg_param_info *info, char name[SG_TORCH_NAME_MAX])
{
    static const char stem[] = "features.";
    char *end = NULL, rest[41];
    if (strncmp(name, stem, sizeof stem - 1) != 0 || graph->node[info->node].op != SG_OP_conv)
        return;
    long number = strtol(name + sizeof stem - 1, &end, 10);
    for (int32_t n = 0; n < info->node; n++)
        number -= graph->node[n].op == SG_OP_conv &&
                  strncmp(graph->node[n].name, "encoder.features.", 17) == 0;
    snprintf(rest, sizeof rest, "%.40s", end);
    snprintf(name, SG_TORCH_NAME_MAX, "%s%ld%s", stem, number, rest);
}

static bool lacks_norms(const sg_init_source *s)
{
    const sg_safetensor *second = find(s->file, s->prefix, "features.2.weight");
    return second && second->dims == 4 && !find(s->file, s->prefix, "features.1.weight");
}

/* ---- safetensors ---- */

/* The prefix under which most of an encoder's parameters are found. */
static const char *choose_prefix(const sg_safetensors *file, const sg_graph *graph)
{
    const char *best = prefixes[0];
    int32_t most = 0;
    for (size_t p = 0; p < sizeof prefixes / sizeof *prefixes; p++) {
        int32_t found = 0;
        for (int32_t i = 0; i < graph->param_count; i++) {
            char name[SG_TORCH_NAME_MAX];
            sg_torch_name(&graph->param[i], name);
            found += sg_torch_is_encoder(&graph->param[i]) && find(file, prefixes[p], name);
        }
        if (found > most) {
            most = found;
            best = prefixes[p];
        }
    }
    return best;
}

static const sg_safetensor *find_alias(const sg_init_source *s, const char *name)
{
    const sg_safetensor *tensor = NULL;
    for (size_t i = 0; !tensor && i < sizeof aliases / sizeof *aliases; i++) {
        char theirs[2 * SG_TORCH_NAME_MAX];
        size_t length = strlen(aliases[i].ours);
        if (strncmp(name, aliases[i].ours, length) != 0)
            continue;
        snprintf(theirs, sizeof theirs, "%s%s", aliases[i].theirs, name + length);
        tensor = find(s->file, s->prefix, theirs);
    }
    return tensor;
}

static const sg_safetensor *find_tensor(const sg_init_source *s, const sg_graph *graph,
                                        const sg_param_info *info)
{
    char name[SG_TORCH_NAME_MAX];
    sg_torch_name(info, name);
    if (!sg_torch_is_encoder(info)) {
        const sg_safetensor *tensor = find(s->file, "", name);
        return tensor ? tensor : find_alias(s, name);
    }
    if (s->without_norms && info->kind != SG_PARAM_WEIGHT && info->kind != SG_PARAM_BIAS)
        return NULL; /* what bears a norm's name there is another convolution */
    if (s->without_norms)
        renumber(graph, info, name);
    return find(s->file, s->prefix, name);
}

/* Lengths in our order. A fully connected layer over h x w x in values is that convolution. */
static void set_shape(const sg_param_info *info, const sg_safetensor *tensor, sg_init_item *item)
{
    const int64_t *t = tensor->dim, *want = info->dim;
    item->dims = tensor->dims;
    if (tensor->dims == 4) {
        const int64_t ours[4] = {t[item->transposed ? 1 : 0], t[2], t[3],
                                 t[item->transposed ? 0 : 1]};
        memcpy(item->dim, ours, sizeof ours);
    } else if (tensor->dims == 2 && info->dims == 4 && t[1] == want[1] * want[2] * want[3]) {
        const int64_t ours[4] = {t[0], want[1], want[2], want[3]};
        memcpy(item->dim, ours, sizeof ours);
        item->dims = 4;
    } else {
        for (int32_t d = 0; d < 4 && d < tensor->dims; d++)
            item->dim[d] = t[d];
    }
}

/* ---- both ---- */

static bool is_pickle(const char *path)
{
    return ends_in(path, ".pth") || ends_in(path, ".pt") || ends_in(path, ".bin");
}

sg_err sg_init_source_open(sg_init_source *s, const char *path, const sg_graph *graph)
{
    memset(s, 0, sizeof *s);
    s->path = path;
    if (is_pickle(path))
        return sg_fail(SG_EINPUT,
                       "%s: PyTorch's own files are programs that are not run here; write its "
                       "state_dict with Python's safetensors.torch.save_file",
                       path);
    bool tensors = ends_in(path, ".safetensors");
    sg_err err = tensors ? sg_safetensors_open(&s->file, path)
                         : sg_checkpoint_load(&s->checkpoint, path, false);
    if (err)
        return err;
    if (tensors) {
        s->count = sg_safetensors_count(s->file);
        s->prefix = choose_prefix(s->file, graph);
        s->without_norms = lacks_norms(s);
    } else {
        s->count = (size_t)s->checkpoint.graph->param_count;
    }
    return sg_calloc(s->count + 1, sizeof *s->used, &s->used);
}

void sg_init_source_close(sg_init_source *s)
{
    sg_checkpoint_close(&s->checkpoint);
    sg_safetensors_close(s->file);
    sg_free(s->used);
    memset(s, 0, sizeof *s);
}

static bool find_in_checkpoint(const sg_graph *from, const char *name, sg_init_item *item)
{
    for (int32_t i = 0; i < from->param_count; i++) {
        const sg_param_info *info = &from->param[i];
        if (strcmp(info->name, name) != 0)
            continue;
        item->index = (size_t)i;
        item->dims = info->dims;
        for (int32_t d = 0; d < info->dims; d++)
            item->dim[d] = info->dim[d];
        snprintf(item->name, sizeof item->name, "%s", name);
        return true;
    }
    return false;
}

bool sg_init_source_find(const sg_init_source *s, const sg_graph *graph, int32_t id,
                         sg_init_item *item)
{
    const sg_param_info *info = &graph->param[id];
    *item = (sg_init_item){.transposed = sg_torch_is_transposed(graph, info), .dim = {1, 1, 1, 1}};
    if (!s->file)
        return find_in_checkpoint(s->checkpoint.graph, info->name, item);
    item->tensor = find_tensor(s, graph, info);
    if (!item->tensor)
        return false;
    item->index = (size_t)(item->tensor - sg_safetensors_at(s->file, 0));
    snprintf(item->name, sizeof item->name, "%s", item->tensor->name);
    set_shape(info, item->tensor, item);
    return true;
}

size_t sg_init_item_count(const sg_init_item *item)
{
    size_t count = 1;
    for (int32_t d = 0; d < item->dims && d < 4; d++)
        count *= (size_t)item->dim[d];
    return count;
}

static sg_err read_tensor(const sg_init_source *s, const sg_init_item *item, float *values)
{
    float *torch = NULL;
    if (item->dims != 4)
        return sg_safetensors_read(s->file, item->tensor, values);
    sg_err err = sg_malloc(item->tensor->count, sizeof *torch, &torch);
    if (!err)
        err = sg_safetensors_read(s->file, item->tensor, torch);
    if (!err)
        sg_torch_from(item->transposed, item->dim, torch, values);
    sg_free(torch);
    return err;
}

sg_err sg_init_source_read(sg_init_source *s, const sg_init_item *item, float *values)
{
    s->used[item->index] = true;
    if (s->file)
        return read_tensor(s, item, values);
    memcpy(values, sg_params_values(s->checkpoint.params, (int32_t)item->index),
           sg_init_item_count(item) * sizeof *values);
    return SG_OK;
}

const char *sg_init_source_name(const sg_init_source *s, size_t index)
{
    return s->file ? sg_safetensors_at(s->file, index)->name
                   : s->checkpoint.graph->param[index].name;
}

bool sg_init_source_is_counter(const sg_init_source *s, size_t index)
{
    return s->file && sg_safetensors_at(s->file, index)->type == SG_TENSOR_OTHER;
}
