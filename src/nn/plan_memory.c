/*
 * Placement: a region goes to the lowest gap between the regions that are placed already and live
 * at one of its steps. Tried in two orders, by size and by time, and the smaller arena is kept: by
 * size is nearly always best (Pisarchyk and Lee, "Efficient memory management for deep neural net
 * inference", 2020), by time wins where lifetimes nest.
 */
#include "nn/plan_memory.h"

#include <stdlib.h>
#include <string.h>
#include "base/size.h"
#include "nn/beside.h"

typedef struct {
    sg_region *region;
    size_t count;
    size_t capacity;
} region_list;

static sg_err add(region_list *list, const size_t *offset, size_t bytes, int32_t first,
                  int32_t last)
{
    sg_err err = sg_size_add(bytes, SG_ARENA_ALIGN - 1, &bytes);
    if (!err)
        err = sg_grow(&list->region, &list->capacity, list->count + 1, sizeof *list->region);
    if (err)
        return err;
    bytes -= bytes % SG_ARENA_ALIGN;
    list->region[list->count] = (sg_region){.offset = (size_t *)offset,
                                            .bytes = bytes,
                                            .first = first,
                                            .last = last,
                                            .number = list->count};
    list->count++;
    return SG_OK;
}

/* A guest lies in its host's ranges. */
static sg_err add_tensor(region_list *list, const sg_plan *plan, int32_t t)
{
    size_t bytes;
    const sg_plan_tensor *tensor = &plan->tensor[t];
    const sg_beside_life life = sg_beside_life_of(plan, t);
    if (tensor->host >= 0)
        return SG_OK;
    sg_err err = sg_shape_bytes(tensor->shape, tensor->type, &bytes);
    if (!err)
        err = add(list, &tensor->value, bytes, life.first, life.last);
    if (!err && life.again_first >= 0)
        err = add(list, &tensor->again, bytes, life.again_first, life.again_last);
    if (err || life.grad_first < 0)
        return err;
    err = sg_shape_bytes(tensor->shape, plan->type, &bytes);
    return err ? err : add(list, &tensor->gradient, bytes, life.grad_first, life.grad_last);
}

/* The step that adds the temporary gradient of (node, slot), made at step `from`. */
static int32_t accumulate_step(const sg_plan *plan, int32_t from, int32_t node, int32_t slot)
{
    for (int32_t s = from + 1; s < plan->steps; s++) {
        const sg_step *step = &plan->step[s];
        if (step->kind == SG_STEP_ACCUMULATE && step->node == node && step->slot == slot)
            return s;
    }
    return plan->steps - 1;
}

static sg_err add_temporaries(region_list *list, const sg_plan *plan, int32_t step)
{
    int32_t node = plan->step[step].node;
    const sg_plan_node *at = &plan->node[node];
    const sg_node *info = &plan->graph->node[node];
    sg_err err = SG_OK;
    for (int32_t i = 0; !err && i < info->inputs; i++) {
        if (at->write[i] != SG_GRAD_TEMPORARY)
            continue;
        size_t bytes;
        err = sg_shape_bytes(plan->tensor[info->input[i]].shape, plan->type, &bytes);
        if (!err)
            err = add(list, &at->temporary[i], bytes, step, accumulate_step(plan, step, node, i));
    }
    return err;
}

/* Saved bytes live from the forward step (nodes run in order: step n is node n) to the backward
 * step, if there is one; where the node runs forward twice and saves anew, from the second time. */
static sg_err add_saved_of(region_list *list, const sg_plan *plan, int32_t n, int32_t backward)
{
    const sg_plan_node *at = &plan->node[n];
    bool anew = at->again >= 0 && !sg_op_definition(plan->graph->node[n].op)->saved_once;
    int32_t first = anew ? at->again : n, last = backward > first ? backward : first;
    if (!anew)
        return add(list, &at->saved, at->saved_bytes, first, last);
    sg_err err = add(list, &at->saved, at->saved_bytes, n, n);
    return err ? err : add(list, &at->saved_again, at->saved_bytes, first, last);
}

static sg_err add_saved(region_list *list, const sg_plan *plan, const int32_t *backward_step)
{
    sg_err err = SG_OK;
    for (int32_t n = 0; !err && n < plan->graph->nodes; n++) {
        if (plan->node[n].saved_bytes > 0)
            err = add_saved_of(list, plan, n, backward_step[n]);
    }
    return err;
}

static sg_err list_regions(const sg_plan *plan, int32_t *backward_step, region_list *list)
{
    for (int32_t n = 0; n < plan->graph->nodes; n++)
        backward_step[n] = -1;
    sg_err err = SG_OK;
    for (int32_t s = 0; !err && s < plan->steps; s++) {
        if (plan->step[s].kind != SG_STEP_BACKWARD)
            continue;
        backward_step[plan->step[s].node] = s;
        err = add_temporaries(list, plan, s);
    }
    for (int32_t t = 0; !err && t < plan->graph->tensors; t++)
        err = add_tensor(list, plan, t);
    return err ? err : add_saved(list, plan, backward_step);
}

sg_err sg_plan_regions(const sg_plan *plan, sg_region **regions, size_t *count)
{
    *regions = NULL;
    *count = 0;
    region_list list = {0};
    int32_t *backward_step = NULL;
    sg_err err = sg_malloc((size_t)plan->graph->nodes, sizeof *backward_step, &backward_step);
    if (!err)
        err = list_regions(plan, backward_step, &list);
    sg_free(backward_step);
    if (err) {
        sg_free(list.region);
        return err;
    }
    *regions = list.region;
    *count = list.count;
    return SG_OK;
}

static int by_size(const void *left, const void *right)
{
    const sg_region *a = left, *b = right;
    if (a->bytes != b->bytes)
        return a->bytes < b->bytes ? 1 : -1;
    return a->number < b->number ? -1 : a->number > b->number;
}

static int by_time(const void *left, const void *right)
{
    const sg_region *a = left, *b = right;
    if (a->first != b->first)
        return a->first < b->first ? -1 : 1;
    return by_size(left, right);
}

/* Lowest gap of region i among those placed; placed[0 .. i) is in order of offset. */
static sg_err place_one(const sg_region *region, const sg_region **placed, size_t count)
{
    size_t offset = 0;
    for (size_t k = 0; k < count; k++) {
        const sg_region *other = placed[k];
        bool together = other->first <= region->last && region->first <= other->last;
        if (!together)
            continue;
        if (*other->offset >= offset && *other->offset - offset >= region->bytes)
            break;
        if (*other->offset + other->bytes > offset)
            offset = *other->offset + other->bytes;
    }
    *region->offset = offset;
    size_t end;
    return sg_size_add(offset, region->bytes, &end);
}

static sg_err place_in_order(const sg_region *regions, size_t count, const sg_region **placed,
                             size_t *arena_bytes)
{
    *arena_bytes = 0;
    for (size_t i = 0; i < count; i++) {
        const sg_region *region = &regions[i];
        sg_err err = place_one(region, placed, i);
        if (err)
            return err;
        size_t k = i;
        for (; k > 0 && *placed[k - 1]->offset > *region->offset; k--)
            placed[k] = placed[k - 1];
        placed[k] = region;
        if (*region->offset + region->bytes > *arena_bytes)
            *arena_bytes = *region->offset + region->bytes;
    }
    return SG_OK;
}

sg_err sg_plan_place(sg_region *regions, size_t count, size_t *arena_bytes)
{
    const sg_region **placed = NULL;
    sg_err err = sg_malloc(count, sizeof *placed, &placed);
    if (err)
        return err;
    size_t by_time_bytes = 0;
    qsort(regions, count, sizeof *regions, by_time);
    err = place_in_order(regions, count, placed, &by_time_bytes);
    if (!err) {
        qsort(regions, count, sizeof *regions, by_size);
        err = place_in_order(regions, count, placed, arena_bytes);
    }
    if (!err && by_time_bytes < *arena_bytes) {
        qsort(regions, count, sizeof *regions, by_time);
        err = place_in_order(regions, count, placed, arena_bytes);
    }
    sg_free(placed);
    return err;
}
