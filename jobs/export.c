/* segtiles export: a trained network for other programs. */
#include "jobs/export.h"
#include "base/log.h"
#include "base/size.h"
#include "data/safetensors.h"
#include "jobs/command.h"
#include "jobs/options.h"
#include "nn/prune.h"
#include "nn/torch.h"

#include <string.h>

static sg_err parse_arguments(sg_comm *comm, int argc, char **argv, sg_export_options *options,
                              sg_arguments *arguments)
{
    const sg_option table[] = {
        {0, "safetensors", SG_OPTION_TEXT, &options->safetensors, "FILE", NULL, 0, 0,
         "weights under PyTorch's names; an encoder's are torchvision's"},
        {0, "onnx", SG_OPTION_TEXT, &options->onnx, "FILE", NULL, 0, 0,
         "the network for ONNX Runtime and the QGIS plugin Deepness"},
        {0, "tile", SG_OPTION_LONG, &options->tile, "N", NULL, 0, 1 << 16,
         "ONNX: takes tiles of N x N pixels only, as Deepness wants (any size)"},
        {0, "raw", SG_OPTION_FLAG, &options->raw, NULL, NULL, 0, 0,
         "ONNX: takes pixels as scenes hold them; normalising them is part of the network"},
        {0, "logits", SG_OPTION_FLAG, &options->logits, NULL, NULL, 0, 0,
         "ONNX: gives logits instead of probabilities"},
        {0}};
    const sg_usage usage = {.synopsis = "export [options] MODEL",
                            .about =
                                "Writes a trained network (a checkpoint, .h5) for other programs.",
                            .least = 1,
                            .most = 1,
                            .missing = "a checkpoint",
                            .option = table};
    sg_err err = sg_options_parse(&usage, comm, argc, argv, arguments);
    if (err != SG_OK || arguments->help)
        return err;
    if (options->safetensors == NULL && options->onnx == NULL)
        return sg_fail(SG_EUSAGE, "export: what is to be written? --safetensors FILE, --onnx FILE");
    if (options->onnx == NULL && (options->tile > 0 || options->raw || options->logits))
        return sg_fail(SG_EUSAGE, "--tile, --raw and --logits are about an ONNX file; --onnx FILE");
    if (options->onnx != NULL && options->safetensors != NULL &&
        strcmp(options->onnx, options->safetensors) == 0)
        return sg_fail(SG_EUSAGE, "--onnx and --safetensors name the same file, %s", options->onnx);
    return SG_OK;
}

/* ---- weights ---- */

/* The parameters that are written; auxiliary heads are for training alone. */
typedef struct {
    const sg_checkpoint *checkpoint;
    size_t count;
    int32_t *id; /* [count], owned, as all below */
    sg_safetensor *tensor;
    char (*name)[SG_TORCH_NAME_MAX];
} listing;

static void list_tensor(listing *list, int32_t id)
{
    const sg_graph *graph = list->checkpoint->graph;
    const sg_param_info *info = &graph->param[id];
    sg_safetensor *tensor = &list->tensor[list->count];
    list->id[list->count] = id;
    sg_torch_name(info, list->name[list->count]);
    *tensor = (sg_safetensor){.name = list->name[list->count++], .dims = info->dims};
    if (info->dims == 4)
        sg_torch_shape(sg_torch_is_transposed(graph, info), info->dim, tensor->dim);
    for (int32_t d = 0; info->dims < 4 && d < info->dims; d++)
        tensor->dim[d] = info->dim[d];
}

static sg_err list_tensors(listing *list)
{
    const sg_graph *graph = list->checkpoint->graph;
    size_t most = (size_t)graph->param_count;
    bool *needed = NULL;
    sg_err err = sg_calloc((size_t)graph->nodes, sizeof *needed, &needed);
    if (err == SG_OK)
        err = sg_calloc(most, sizeof *list->id, &list->id);
    if (err == SG_OK)
        err = sg_calloc(most, sizeof *list->tensor, &list->tensor);
    if (err == SG_OK)
        err = sg_calloc(most, sizeof *list->name, &list->name);
    if (err == SG_OK)
        sg_graph_find_needed(graph, needed);
    for (int32_t id = 0; err == SG_OK && id < graph->param_count; id++)
        if (needed[graph->param[id].node])
            list_tensor(list, id);
    sg_free(needed);
    return err;
}

static sg_err put_values(sg_safetensors_writer *writer, const listing *list)
{
    const sg_checkpoint *checkpoint = list->checkpoint;
    sg_err err = SG_OK;
    for (size_t i = 0; err == SG_OK && i < list->count; i++) {
        const sg_param_info *info = &checkpoint->graph->param[list->id[i]];
        const float *ours = sg_params_values(checkpoint->params, list->id[i]);
        float *torch = NULL;
        if (info->dims < 4) {
            err = sg_safetensors_put(writer, ours, info->count);
            continue;
        }
        err = sg_malloc(info->count, sizeof *torch, &torch);
        if (err == SG_OK) {
            sg_torch_to(sg_torch_is_transposed(checkpoint->graph, info), info->dim, ours, torch);
            err = sg_safetensors_put(writer, torch, info->count);
        }
        sg_free(torch);
    }
    return err;
}

sg_err sg_export_safetensors(const sg_checkpoint *checkpoint, const char *path)
{
    listing list = {.checkpoint = checkpoint};
    sg_safetensors_writer *writer = NULL;
    sg_err err = list_tensors(&list);
    if (err == SG_OK)
        err = sg_safetensors_create(&writer, path, list.tensor, list.count);
    if (err == SG_OK) {
        err = put_values(writer, &list);
        if (err == SG_OK)
            err = sg_safetensors_commit(writer);
        else
            sg_safetensors_drop(writer);
    }
    if (err == SG_OK)
        sg_info("%s: %zu tensors", path, list.count);
    sg_free(list.id);
    sg_free(list.name);
    sg_free(list.tensor);
    return err;
}

/* ---- the command ---- */

static sg_err export_model(const char *path, const sg_export_options *options)
{
    sg_checkpoint checkpoint = {0};
    sg_err err = sg_checkpoint_load(&checkpoint, path, false);
    if (err == SG_OK && options->safetensors != NULL)
        err = sg_export_safetensors(&checkpoint, options->safetensors);
    if (err == SG_OK && options->onnx != NULL)
        err = sg_export_onnx(&checkpoint, options);
    sg_checkpoint_close(&checkpoint);
    return err;
}

sg_err sg_command_export(sg_comm *comm, int argc, char **argv)
{
    sg_export_options options = {0};
    sg_arguments arguments;
    sg_err err = parse_arguments(comm, argc, argv, &options, &arguments);
    if (err != SG_OK || arguments.help)
        return err;
    return sg_comm_rank(comm) == 0 ? export_model(arguments.item[0], &options) : SG_OK;
}
