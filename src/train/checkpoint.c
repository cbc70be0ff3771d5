/*
 * Checkpoints. The file's items (h5dump or h5py show them):
 *   format, version                    number of this layout; the program that wrote it
 *   graph                              the network, one node a line
 *   weights/NAME                       f32 in the parameter's own shape
 *   optimizer/m/NAME, optimizer/v/NAME likewise, trainable parameters only
 *   raw/NAME, raw_steps                where weights are a mean over so many steps: the last ones
 *   spec/..., classes/...              what the network expects and what its output means
 *   position/..., scores/miou, job     where training stood
 *   mining/...                         errors by cell, where crops are taken by them
 *   identity                           hash over graph and weights, checked when read
 */
#include "train/checkpoint.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/size.h"
#include "base/text.h"
#include "data/store.h"
#include "train/checkpoint_spec.h"

enum { FORMAT = 1, ITEM_MAX = SG_NAME_MAX + 64 };

sg_err sg_checkpoint_identify(const sg_graph *graph, const sg_params *params, char identity[17])
{
    sg_text text = {0};
    uint64_t hash = SG_HASH_START;
    sg_err err = sg_graph_write(graph, &text);
    if (!err) {
        hash = sg_hash(hash, text.data, text.length);
        for (int32_t i = 0; i < graph->param_count; i++)
            hash =
                sg_hash(hash, sg_params_values(params, i), graph->param[i].count * sizeof(float));
        snprintf(identity, 17, "%016" PRIx64, hash);
    }
    sg_text_clear(&text);
    return err;
}

/* Where parameter id lies in a flat buffer of the trainable layout, e.g. optimizer state. */
static float *trainable_at(const sg_params *params, float *buffer, int32_t id)
{
    return buffer + params->layout->offset[id];
}

static void item_name(char name[ITEM_MAX], const char *folder, const sg_param_info *info)
{
    snprintf(name, ITEM_MAX, "%s/%s", folder, info->name);
}

/* Every parameter of `params`, or from a buffer of its trainable layout. */
static sg_err put_params(sg_store_file *store, const char *folder, const sg_graph *graph,
                         const sg_params *params, float *buffer)
{
    char name[ITEM_MAX];
    sg_err err = SG_OK;
    for (int32_t i = 0; !err && i < graph->param_count; i++) {
        const sg_param_info *info = &graph->param[i];
        if (buffer && !sg_param_is_trainable(info))
            continue;
        item_name(name, folder, info);
        err = sg_store_put(store, name, SG_STORE_F32, info->dims, info->dim,
                           buffer ? trainable_at(params, buffer, i) : sg_params_values(params, i));
    }
    return err;
}

static sg_err check_shape(sg_store_file *store, const char *path, const char *name,
                          const sg_param_info *info)
{
    int64_t dim[4];
    sg_err err = sg_store_shape(store, name, dim);
    for (int32_t d = 0; !err && d < 4; d++)
        if (dim[d] != (d < info->dims ? info->dim[d] : 1))
            err = sg_fail(SG_EINPUT, "%s: item '%s' does not have the shape that its network wants",
                          path, name);
    return err;
}

/* An open file, and its name for messages. */
typedef struct {
    sg_store_file *store;
    const char *path;
} source;

/* Before memory is asked for: a graph may claim any sizes, a file holds what it holds. */
static sg_err check_weights(source from, const sg_graph *graph)
{
    char name[ITEM_MAX];
    sg_err err = SG_OK;
    for (int32_t i = 0; !err && i < graph->param_count; i++) {
        item_name(name, "weights", &graph->param[i]);
        err = check_shape(from.store, from.path, name, &graph->param[i]);
    }
    return err;
}

static sg_err get_params(source from, const char *folder, const sg_graph *graph, sg_params *params,
                         float *buffer)
{
    char name[ITEM_MAX];
    sg_err err = SG_OK;
    for (int32_t i = 0; !err && i < graph->param_count; i++) {
        const sg_param_info *info = &graph->param[i];
        if (buffer && !sg_param_is_trainable(info))
            continue;
        item_name(name, folder, info);
        err = check_shape(from.store, from.path, name, info);
        if (!err)
            err = sg_store_get(from.store, name, SG_STORE_F32, info->count,
                               buffer ? trainable_at(params, buffer, i)
                                      : sg_params_values(params, i));
    }
    return err;
}

typedef struct {
    const char *name;
    int64_t *value;
} position_item;

enum { POSITION_ITEMS = 7 };

/* seed is stored as its 64 bits. */
static void position_items(sg_position *p, position_item item[POSITION_ITEMS])
{
    const position_item all[POSITION_ITEMS] = {
        {"position/step", &p->step},           {"position/epoch", &p->epoch},
        {"position/sample", &p->sample},       {"position/ranks", &p->ranks},
        {"position/batch", &p->batch},         {"position/seed", (int64_t *)&p->seed},
        {"position/best_step", &p->best_step},
    };
    memcpy(item, all, sizeof all);
}

static sg_err put_position(sg_store_file *store, const sg_checkpoint *c)
{
    sg_position position = c->position;
    position_item item[POSITION_ITEMS];
    sg_err err = SG_OK;
    position_items(&position, item);
    for (int i = 0; !err && i < POSITION_ITEMS; i++)
        err = sg_store_put_i64(store, item[i].name, *item[i].value);
    if (!err)
        err = sg_store_put_f64(store, "position/best", position.best);
    return err ? err : sg_store_put_f64(store, "scores/miou", c->scores_miou);
}

static sg_err get_position(sg_store_file *store, const char *path, sg_checkpoint *c)
{
    sg_position *p = &c->position;
    position_item item[POSITION_ITEMS];
    sg_err err = SG_OK;
    position_items(p, item);
    for (int i = 0; !err && i < POSITION_ITEMS; i++)
        err = sg_store_get_i64(store, item[i].name, item[i].value);
    if (!err)
        err = sg_store_get_f64(store, "position/best", &p->best);
    if (!err)
        err = sg_store_get_f64(store, "scores/miou", &c->scores_miou);
    if (!err && (p->step < 0 || p->epoch < 0 || p->sample < 0 || p->ranks < 1 || p->batch < 1))
        err = sg_fail(SG_EINPUT, "%s: the position in training is impossible (step %lld)", path,
                      (long long)p->step);
    return err;
}

static sg_err put_graph(sg_store_file *store, const sg_graph *graph)
{
    sg_text text = {0};
    sg_err err = sg_graph_write(graph, &text);
    if (!err)
        err = sg_store_put_text(store, "graph", text.data);
    sg_text_clear(&text);
    return err;
}

static sg_err get_graph(sg_store_file *store, const char *path, sg_graph **graph)
{
    char *text = NULL;
    sg_err err = sg_store_get_text(store, "graph", &text);
    if (!err) {
        err = sg_graph_read(text, graph);
        if (err)
            err = sg_fail_in(SG_EINPUT, path);
    }
    sg_free(text);
    return err;
}

static sg_err put_raw(sg_store_file *store, const sg_checkpoint *c)
{
    sg_err err = sg_store_put_i64(store, "raw_steps", c->averaged);
    return err ? err : put_params(store, "raw", c->graph, c->raw, NULL);
}

typedef struct {
    const char *name;
    sg_store_type type;
    void *values;
} mining_item;

enum { MINING_ITEMS = 4, CELLS_MOST = 1 << 26 };

static void mining_items(const sg_mining_state *state, mining_item item[MINING_ITEMS])
{
    const mining_item all[MINING_ITEMS] = {
        {"mining/wrong", SG_STORE_F64, state->wrong},
        {"mining/seen", SG_STORE_F64, state->seen},
        {"mining/new_wrong", SG_STORE_I64, state->new_wrong},
        {"mining/new_seen", SG_STORE_I64, state->new_seen},
    };
    memcpy(item, all, sizeof all);
}

static sg_err put_mining(sg_store_file *store, const sg_mining_state *state)
{
    const int64_t cells = (int64_t)state->cells;
    mining_item item[MINING_ITEMS];
    sg_err err = SG_OK;
    mining_items(state, item);
    for (int i = 0; !err && i < MINING_ITEMS; i++)
        err = sg_store_put(store, item[i].name, item[i].type, 1, &cells, item[i].values);
    return err;
}

/* The numbers are used as chances: none may be negative, or no number at all. */
static sg_err get_mining(sg_store_file *store, const char *path, sg_mining_state *state)
{
    int64_t dim[4];
    mining_item item[MINING_ITEMS];
    sg_err err = sg_store_shape(store, "mining/wrong", dim);
    if (!err && (dim[0] < 1 || dim[0] > CELLS_MOST || dim[1] * dim[2] * dim[3] != 1))
        err = sg_fail(SG_EINPUT, "%s: counts errors in an impossible number of cells", path);
    if (!err)
        err = sg_mining_state_create(state, (size_t)dim[0]);
    if (err)
        return err;
    mining_items(state, item);
    for (int i = 0; !err && i < MINING_ITEMS; i++)
        err = sg_store_get(store, item[i].name, item[i].type, state->cells, item[i].values);
    for (size_t i = 0; !err && i < state->cells; i++)
        if (!(state->wrong[i] >= 0 && state->wrong[i] <= state->seen[i] && state->seen[i] < 1e18) ||
            state->new_wrong[i] < 0 || state->new_wrong[i] > state->new_seen[i])
            err = sg_fail(SG_EINPUT, "%s: the errors counted in cell %zu are impossible", path, i);
    return err;
}

static sg_err put_all(sg_store_file *store, const sg_checkpoint *c)
{
    char identity[17];
    sg_err err = sg_checkpoint_identify(c->graph, c->params, identity);
    if (!err)
        err = sg_store_put_i64(store, "format", FORMAT);
    if (!err)
        err = sg_store_put_text(store, "version", "segtiles " SEGTILES_VERSION);
    if (!err)
        err = sg_store_put_text(store, "identity", identity);
    if (!err)
        err = put_graph(store, c->graph);
    if (!err)
        err = sg_spec_put(store, &c->spec);
    if (!err)
        err = put_position(store, c);
    if (!err && c->job)
        err = sg_store_put_text(store, "job", c->job);
    if (!err)
        err = put_params(store, "weights", c->graph, c->params, NULL);
    if (!err && c->m)
        err = put_params(store, "optimizer/m", c->graph, c->params, c->m);
    if (!err && c->v)
        err = put_params(store, "optimizer/v", c->graph, c->params, c->v);
    if (!err && c->mining.cells > 0)
        err = put_mining(store, &c->mining);
    return !err && c->raw ? put_raw(store, c) : err;
}

sg_err sg_checkpoint_save(const sg_checkpoint *checkpoint, const char *path)
{
    return sg_checkpoint_replace(checkpoint, path, NULL);
}

sg_err sg_checkpoint_replace(const sg_checkpoint *checkpoint, const char *path, const char *former)
{
    sg_store_file *store = NULL;
    sg_err err = sg_store_create(&store, path);
    if (err)
        return err;
    err = put_all(store, checkpoint);
    if (!err)
        return sg_store_replace(store, former);
    sg_store_close(store);
    return err;
}

static sg_err get_format(sg_store_file *store, const char *path)
{
    int64_t format = 0;
    sg_err err;
    if (!sg_store_has(store, "format") || !sg_store_has(store, "weights"))
        return sg_fail(SG_EINPUT, "%s: not a segtiles checkpoint", path);
    err = sg_store_get_i64(store, "format", &format);
    if (!err && format != FORMAT)
        err = sg_fail(SG_EINPUT, "%s: checkpoint format %lld, this program reads format %d", path,
                      (long long)format, FORMAT);
    return err;
}

static sg_err get_optimizer(sg_store_file *store, const char *path, sg_checkpoint *c)
{
    size_t count = c->params->layout->trainable_count;
    sg_err err;
    if (!sg_store_has(store, "optimizer/m") || !sg_store_has(store, "optimizer/v"))
        return sg_fail(SG_EINPUT, "%s: holds no optimizer state: training cannot go on from it",
                       path);
    err = sg_calloc(count, sizeof(float), &c->m);
    if (!err)
        err = sg_calloc(count, sizeof(float), &c->v);
    if (!err)
        err = get_params((source){store, path}, "optimizer/m", c->graph, c->params, c->m);
    return err ? err : get_params((source){store, path}, "optimizer/v", c->graph, c->params, c->v);
}

static sg_err get_raw(sg_store_file *store, const char *path, sg_checkpoint *c)
{
    sg_err err = sg_store_get_i64(store, "raw_steps", &c->averaged);
    if (!err && c->averaged < 1)
        err = sg_fail(SG_EINPUT, "%s: a mean over %lld steps is impossible", path,
                      (long long)c->averaged);
    if (!err)
        err = sg_params_create(c->graph, &c->raw);
    return err ? err : get_params((source){store, path}, "raw", c->graph, c->raw, NULL);
}

static sg_err check_identity(sg_store_file *store, const char *path, sg_checkpoint *c)
{
    char *stored = NULL;
    sg_err err = sg_store_get_text(store, "identity", &stored);
    if (!err)
        err = sg_checkpoint_identify(c->graph, c->params, c->identity);
    if (!err && strcmp(stored, c->identity) != 0)
        err = sg_fail(SG_EINPUT, "%s: weights and network are not those that were saved together",
                      path);
    sg_free(stored);
    return err;
}

static sg_err get_all(sg_store_file *store, const char *path, bool with_optimizer, sg_checkpoint *c)
{
    sg_err err = get_format(store, path);
    if (!err)
        err = get_graph(store, path, &c->graph);
    if (!err)
        err = sg_spec_get(store, path, &c->spec, sg_graph_input_channels(c->graph),
                          sg_graph_output_channels(c->graph));
    if (!err)
        err = get_position(store, path, c);
    if (!err && sg_store_has(store, "job"))
        err = sg_store_get_text(store, "job", &c->job);
    if (!err)
        err = check_weights((source){store, path}, c->graph);
    if (!err)
        err = sg_params_create(c->graph, &c->params);
    if (!err)
        err = get_params((source){store, path}, "weights", c->graph, c->params, NULL);
    if (!err && with_optimizer)
        err = get_optimizer(store, path, c);
    if (!err && with_optimizer && sg_store_has(store, "raw"))
        err = get_raw(store, path, c);
    if (!err && with_optimizer && sg_store_has(store, "mining"))
        err = get_mining(store, path, &c->mining);
    return err ? err : check_identity(store, path, c);
}

sg_err sg_checkpoint_load(sg_checkpoint *checkpoint, const char *path, bool with_optimizer)
{
    sg_store_file *store = NULL;
    sg_err err;
    memset(checkpoint, 0, sizeof *checkpoint);
    err = sg_store_open(&store, path);
    if (err)
        return err;
    err = get_all(store, path, with_optimizer, checkpoint);
    sg_store_close(store);
    if (err)
        sg_checkpoint_close(checkpoint);
    return err;
}

void sg_checkpoint_close(sg_checkpoint *checkpoint)
{
    if (!checkpoint)
        return;
    sg_graph_close(checkpoint->graph);
    sg_params_close(checkpoint->params);
    sg_params_close(checkpoint->raw);
    sg_free(checkpoint->job);
    sg_free(checkpoint->m);
    sg_free(checkpoint->v);
    sg_mining_state_close(&checkpoint->mining);
    memset(checkpoint, 0, sizeof *checkpoint);
}
