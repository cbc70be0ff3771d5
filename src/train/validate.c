/* Validation: the confusion matrix of a split. */
#include "nn/fuse.h"
#include "nn/reach.h"
#include "train/cover.h"
#include "train/loop.h"

#include <string.h>

#include "base/size.h"

enum { TILE_WANTED = 512, BATCH_MOST = 8 };

typedef struct {
    sg_cover cover;
    sg_graph *graph; /* folded; owned, as all below */
    sg_params *params;
    sg_weights *weights;
    sg_exec *exec;
    sg_loader *loader;
    uint8_t *prediction; /* (batch, side, side) */
    sg_gallery *gallery; /* borrowed, or NULL */
    int64_t beside;      /* pixels around the cover's tiles: the network has no result there */
    int32_t batch;
    int64_t stopped; /* 1 when this rank was told to stop */
} validator;

/* Of what the network sees. */
static int64_t side_of(const validator *v)
{
    return v->cover.tile + 2 * v->beside;
}

static void sample_of(void *user, uint64_t index, sg_sample *sample)
{
    const validator *v = user;
    sg_cover_sample(&v->cover, index, sample);
    sample->window.x -= v->beside;
    sample->window.y -= v->beside;
    sample->window.w = sample->window.h = side_of(v);
}

/* One tile size for all regions, so that one plan serves them: large, so that little is context
 * only, but not beyond the largest region. */
static sg_err make_cover(validator *v, const sg_training *t, sg_split split)
{
    sg_network_reach reach;
    int64_t tile, margin;
    sg_err err = sg_graph_reach(t->graph, &reach);
    if (err)
        return err;
    tile = sg_min64(sg_cover_longest(t->regions, split), TILE_WANTED);
    v->beside = reach.widest_margin;
    tile = sg_round_up(sg_max64(tile, t->tile - 2 * v->beside) + 2 * v->beside, reach.stride);
    tile -= 2 * v->beside;
    margin = reach.unbounded ? tile / 8 : sg_min64(reach.halo - v->beside, tile / 8);
    err = sg_cover_make(&v->cover, t->regions, split, tile, margin, reach.stride);
    v->batch = (int32_t)sg_max64(1, sg_min64((int64_t)t->batch * t->tile * t->tile /
                                                 sg_comm_ranks(t->comm) / (side_of(v) * side_of(v)),
                                             BATCH_MOST));
    return err;
}

static sg_err make_network(validator *v, const sg_training *t, sg_weights *weights)
{
    sg_shape input = {v->batch, side_of(v), side_of(v), t->spec->bands};
    const sg_abilities abilities = sg_backend_abilities(t->backend);
    sg_err err = sg_weights_to_host(weights);
    if (!err)
        err = sg_graph_fold_for(&abilities, t->graph, weights->host, &v->graph, &v->params);
    if (!err)
        err = sg_weights_create(t->backend, v->params, false, &v->weights);
    if (!err)
        err = sg_exec_create(t->backend, v->graph, v->weights, input, t->type, SG_PLAN_INFERENCE,
                             &v->exec);
    if (!err)
        err = sg_malloc((size_t)v->batch * (size_t)side_of(v), (size_t)side_of(v), &v->prediction);
    return err;
}

static sg_err open_loader(validator *v, const sg_training *t)
{
    uint64_t n = (uint64_t)v->batch;
    const sg_loader_options options = {
        .batch = v->batch,
        .w = (int32_t)side_of(v),
        .h = (int32_t)side_of(v),
        .threads = t->loader_threads,
        .ahead = 2,
        .raw = t->backend->load != NULL,
        .first = n * (uint64_t)sg_comm_rank(t->comm),
        .end = v->cover.tiles,
        .stride = n * (uint64_t)sg_comm_ranks(t->comm),
        .sample = sample_of,
        .user = v,
    };
    return sg_loader_open(&v->loader, t->scenes, &options);
}

/* The end of a batch that is not full is what was there before: computed, but not counted. */
static sg_err count_batch(validator *v, const sg_training *t, const sg_batch *batch,
                          sg_confusion *confusion)
{
    size_t pixels = (size_t)batch->n * (size_t)(side_of(v) * side_of(v));
    const sg_batch *next;
    uint64_t ticket;
    sg_err err;
    if (batch->error)
        return sg_fail(batch->error, "%s", batch->message);
    err = sg_exec_forward_images(v->exec, batch->image, batch->n, NULL, NULL);
    if (!err)
        err = sg_exec_classify_begin(v->exec, false, &ticket);
    if (!err && (next = sg_loader_peek(v->loader)))
        sg_exec_send(v->exec, next->image, next->n, NULL);
    if (!err)
        err = sg_exec_classify_end(v->exec, ticket, v->prediction, NULL);
    if (!err)
        sg_confusion_add(confusion, batch->labels, v->prediction, pixels);
    if (err || !v->gallery)
        return err;
    const sg_looked looked = {&v->cover, t->spec, v->beside, v->prediction};
    return sg_gallery_look(v->gallery, &looked, batch);
}

static sg_err count_share(validator *v, const sg_training *t, sg_weights *weights, sg_split split,
                          sg_confusion *confusion)
{
    sg_err err = make_cover(v, t, split);
    if (!err && v->gallery)
        sg_gallery_begin(v->gallery, &v->cover);
    if (!err && v->cover.tiles == 0)
        return SG_OK;
    if (!err)
        err = make_network(v, t, weights);
    if (!err)
        err = open_loader(v, t);
    while (!err) {
        sg_batch *batch = sg_loader_next(v->loader);
        if (!batch)
            break;
        v->stopped = t->stop && *t->stop;
        if (v->stopped)
            break;
        err = count_batch(v, t, batch, confusion);
        sg_loader_return(v->loader, batch);
    }
    return err;
}

/* What only all ranks know. [collective] */
static sg_err end_together(validator *v, sg_comm *comm)
{
    sg_comm_sum_i64(comm, &v->stopped, 1);
    if (v->stopped > 0)
        return sg_fail(SG_ESTOPPED, "stopped by a signal while validating");
    return v->gallery ? sg_gallery_share(v->gallery, comm, &v->cover, v->batch) : SG_OK;
}

sg_err sg_validate(const sg_training *training, sg_weights *weights, sg_split split,
                   sg_confusion *confusion, sg_gallery *gallery)
{
    validator v = {.gallery = gallery};
    sg_err err;
    sg_confusion_clear(confusion);
    err = count_share(&v, training, weights, split, confusion);
    sg_loader_close(v.loader);
    sg_exec_close(v.exec);
    sg_weights_close(v.weights);
    sg_params_close(v.params);
    sg_graph_close(v.graph);
    sg_free(v.prediction);
    err = sg_comm_agree(training->comm, err);
    if (!err)
        err = end_together(&v, training->comm);
    sg_cover_clear(&v.cover);
    if (!err)
        sg_confusion_sum(confusion, training->comm);
    return err;
}
