/* Making a training run: network, weights, optimizer state, sampler, loader, files. */
#include "train/trainer.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/size.h"
#include "nn/fuse.h"
#include "train/saver.h"
#include "train/trainer_save.h"

enum { BATCHES_AHEAD = 3, MINING_LEAST = 10, MINING_MOST = 200 }; /* steps between refreshes */

static sg_err check_options(const trainer *tr)
{
    const sg_training *t = tr->t;
    int64_t parts = (int64_t)tr->ranks * t->step.accumulate;
    if (t->batch < 1 || t->tile < 1 || t->steps < 0 || t->steps_per_epoch < 1)
        return sg_fail(SG_EUSAGE, "batch %d, tile %d, steps %lld: must be above 0", t->batch,
                       t->tile, (long long)t->steps);
    if (t->batch % parts != 0)
        return sg_fail(SG_EUSAGE,
                       "a batch of %d cannot be shared out evenly: %d ranks times %d accumulated "
                       "parts; use a multiple of %lld",
                       t->batch, tr->ranks, t->step.accumulate, (long long)parts);
    return SG_OK;
}

static void copy_params(sg_params *to, const sg_params *from)
{
    memcpy(to->trainable, from->trainable, to->layout->trainable_count * sizeof(float));
    memcpy(to->state, from->state, to->layout->state_count * sizeof(float));
}

static sg_err make_weights(trainer *tr)
{
    const sg_training *t = tr->t;
    sg_err err = sg_params_create(t->graph, &tr->params);
    if (!err && t->resume)
        err = sg_trainer_check_resume(tr);
    if (err)
        return err;
    if (t->resume) {
        copy_params(tr->params, t->resume->raw ? t->resume->raw : t->resume->params);
    } else if (t->initial) {
        copy_params(tr->params, t->initial);
    } else {
        err = sg_params_init(t->graph, tr->params, t->seed);
    }
    if (!err)
        err = sg_weights_create(t->backend, tr->params, true, &tr->weights);
    if (!err)
        err = sg_average_open(&tr->average, t->backend, t->graph, t->average);
    return !err && t->resume ? sg_trainer_restore(tr) : err;
}

static sg_err make_class_weight(trainer *tr)
{
    sg_backend *backend = tr->t->backend;
    size_t bytes = (size_t)tr->t->spec->classes.count * sizeof(float);
    sg_err err;
    if (!tr->t->class_weight)
        return SG_OK;
    err = backend->alloc(backend, bytes, (void **)&tr->class_weight);
    return err ? err : backend->upload(backend, tr->class_weight, tr->t->class_weight, bytes);
}

static sg_err make_local(trainer *tr)
{
    sg_err err = check_options(tr);
    if (!err)
        err = sg_sampler_make(&tr->sampler, tr->t);
    if (!err)
        err = make_weights(tr);
    if (!err)
        err = sg_graph_with_losses(tr->t->graph, tr->t->loss->term, tr->t->loss->terms,
                                   tr->t->loss->aux_weight, &tr->with_loss);
    if (!err)
        err = sg_graph_fuse(tr->with_loss, &tr->fused);
    if (!err)
        err = make_class_weight(tr);
    if (!err)
        err = sg_confusion_create(&tr->confusion, tr->t->spec->classes.count);
    return err;
}

/* Sample g = step * batch + j: a micro-batch takes batch / accumulate of them in a row, and of
 * these each rank a part in a row. So the distance of a rank's micro-batches is constant, and what
 * is in a step is the same for any number of ranks. */
static sg_err open_loader(trainer *tr)
{
    const sg_training *t = tr->t;
    uint64_t batch = (uint64_t)t->batch;
    sg_loader_options options = {
        .batch = tr->micro_batch,
        .w = t->tile,
        .h = t->tile,
        .threads = t->loader_threads,
        .ahead = BATCHES_AHEAD,
        .raw = t->backend->load != NULL,
        .first =
            (uint64_t)tr->position.step * batch + (uint64_t)tr->rank * (uint64_t)tr->micro_batch,
        .end = (uint64_t)t->steps * batch,
        .stride = batch / (uint64_t)t->step.accumulate,
        .margin = {t->margin.top, t->margin.bottom, t->margin.left, t->margin.right},
    };
    sg_sampler_feed(&tr->sampler.sampler, &options);
    return sg_loader_open(&tr->loader, t->scenes, &options);
}

static void let_change(void *user)
{
    sg_saver_let_change(((trainer *)user)->saver);
}

/* While the device computes, the next batch goes to it, where it is read already. */
static void send_next(void *user)
{
    trainer *tr = user;
    const sg_batch *next = tr->loader ? sg_loader_peek(tr->loader) : NULL;
    if (next)
        sg_stepper_send(tr->stepper, next->image, next->labels);
}

static void on_wait(void *user, bool waits)
{
    trainer *tr = user;
    sg_watchdog_note(tr->watchdog, waits ? "waiting for sums of other ranks" : "computing",
                     tr->position.step);
}

static sg_err open_files(trainer *tr)
{
    const sg_training *t = tr->t;
    if (tr->rank != 0)
        return SG_OK;
    sg_err err = sg_make_folders(t->folder);
    if (!err)
        err = sg_metrics_log_open(&tr->log, t->folder, &t->spec->classes, t->loss,
                                  t->resume != NULL, tr->position.step);
    if (!err && t->tensorboard)
        err = sg_tensorboard_open(&tr->board, t->folder, &t->spec->classes, t->resume != NULL,
                                  tr->position.step);
    return err ? err : sg_saver_open(&tr->saver, tr);
}

/* Where crops are taken by errors: see them, and go on with those of the checkpoint. */
static sg_err watch_errors(trainer *tr)
{
    const sg_training *t = tr->t;
    sg_mining *mining = tr->sampler.sampler.mining;
    size_t pixels = (size_t)tr->micro_batch * (size_t)t->tile * (size_t)t->tile;
    if (!mining)
        return SG_OK;
    sg_err err = sg_malloc(pixels, 1, &tr->classes);
    if (!err)
        sg_stepper_watch(tr->stepper, tr->classes);
    if (!err && t->resume && t->resume->mining.cells > 0)
        err = sg_mining_restore(mining, &t->resume->mining, tr->rank == 0);
    return err;
}

/* Every rank tells all others how long its last step took. */
static sg_err share_times(trainer *tr)
{
    double pixels = (double)tr->t->batch / tr->ranks * tr->t->tile * tr->t->tile;
    sg_err err = sg_step_times_open(&tr->times, tr->ranks, pixels);
    return err ? err
               : sg_stepper_carry(tr->stepper, (const double *)&tr->mine, SG_RANK_TIMES,
                                  &tr->carried);
}

sg_err sg_trainer_open(trainer *tr, const sg_training *t)
{
    sg_shape input;
    sg_err err;
    memset(tr, 0, sizeof *tr);
    tr->t = t;
    tr->rank = sg_comm_rank(t->comm);
    tr->ranks = sg_comm_ranks(t->comm);
    tr->start = tr->saved_at = sg_now();
    tr->validates = sg_cover_longest(t->regions, SG_SPLIT_VAL) > 0;
    sg_trainer_begin_position(tr);
    err = sg_comm_agree(t->comm, make_local(tr));
    if (err)
        return err;
    tr->micro_batch = t->batch / tr->ranks / t->step.accumulate;
    err = sg_border_open(&tr->border, &t->loss->border, tr->micro_batch, t->tile, t->tile);
    err = sg_comm_agree(t->comm, err);
    if (err)
        return err;
    input = (sg_shape){tr->micro_batch, t->tile, t->tile, t->spec->bands};
    err = sg_stepper_create(&tr->stepper, t->comm, t->backend, tr->weights, tr->fused, input,
                            t->type, &t->step);
    if (err)
        return err;
    sg_stepper_before_update(tr->stepper, let_change, tr);
    sg_stepper_on_wait(tr->stepper, on_wait, tr);
    sg_stepper_meanwhile(tr->stepper, send_next, tr);
    err = share_times(tr);
    if (!err)
        err = open_files(tr);
    if (!err)
        err = watch_errors(tr);
    if (!err)
        err = sg_watchdog_start(&tr->watchdog, t->comm, t->stall_seconds, t->stall_ends);
    return sg_comm_agree(t->comm, err ? err : open_loader(tr));
}

/* Neither too few crops to tell, nor too late to matter. */
static int64_t mining_interval(const sg_training *t)
{
    return sg_min64(sg_max64(t->steps_per_epoch, MINING_LEAST), MINING_MOST);
}

/* The loader has made crops of the next steps already: it begins anew. */
sg_err sg_trainer_mine(trainer *tr)
{
    sg_mining *mining = tr->sampler.sampler.mining;
    if (!mining || tr->position.step % mining_interval(tr->t) != 0)
        return SG_OK;
    tr->waited += sg_loader_waited(tr->loader);
    sg_stepper_send(tr->stepper, NULL, NULL);
    sg_loader_close(tr->loader);
    tr->loader = NULL;
    sg_mining_refresh(mining, tr->t->comm);
    return sg_comm_agree(tr->t->comm, open_loader(tr));
}

void sg_trainer_close(trainer *tr)
{
    sg_watchdog_stop(tr->watchdog);
    sg_saver_close(tr->saver); /* before the rest: it writes what the others own */
    sg_loader_close(tr->loader);
    sg_free(tr->classes);
    sg_step_times_close(&tr->times);
    sg_stepper_close(tr->stepper);
    if (tr->class_weight)
        tr->t->backend->free(tr->t->backend, tr->class_weight);
    sg_border_close(&tr->border);
    sg_average_close(&tr->average);
    sg_weights_close(tr->weights);
    sg_params_close(tr->params);
    sg_graph_close(tr->fused);
    sg_graph_close(tr->with_loss);
    sg_sampler_clear(&tr->sampler);
    sg_confusion_close(&tr->confusion);
    sg_metrics_log_close(&tr->log);
    sg_tensorboard_close(&tr->board);
    sg_gallery_clear(&tr->gallery);
}
