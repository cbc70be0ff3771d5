/*
 * The data-parallel step.
 *
 * Numbers. A rank's gradient is that of loss_scale * (sum over its pixels of weight * loss), with
 * the constant loss_scale = 1 / pixels of the whole step on all ranks, which keeps magnitudes those
 * of a mean. When all sums are in, dividing by loss_scale * (sum of weights) makes it the gradient
 * of the weighted mean over all valid pixels of all ranks, however unevenly they are spread.
 *
 * Collectives of one step, in this order on every rank, whatever fails: the sums of each forward
 * and backward pass, of batch norm (sync_norm) and of losses of regions; gradient buckets in buffer
 * order and the running statistics (their own communicator); the small sum of doubles.
 */
#include "train/step.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/size.h"
#include "nn/update_pieces.h"
#include "train/pass_sums.h"

/* The small sum: loss, weight, failures, stops, then the terms of the loss, then what is carried:
 * each rank's numbers in a place of its own, where the others add zeros. */
enum { TERMS = 4, SMALL = TERMS + SG_MAX_TERMS };

struct sg_stepper {
    sg_comm *comm; /* borrowed, as the next three */
    sg_backend *backend;
    sg_weights *weights;
    sg_exec *exec;         /* owned */
    sg_exchange *exchange; /* owned */
    sg_comm *norm; /* of the ranks that share batch norm's: comm, a part of it (owned), or NULL */
    sg_step_options options;
    sg_shape input;
    int32_t ranks;
    float *state; /* [state_count] on the host */
    sg_update_pieces pieces;
    float *no_pixels;                  /* a failed rank's batch: zeros */
    sg_raw_image *no_image;            /* the same as images, [n] */
    uint8_t *no_labels;                /* and labels to ignore */
    int32_t micro;                     /* micro-batches of this step done */
    sg_pass_sums within;               /* of batch norm, of losses of regions */
    uint8_t *classes;                  /* borrowed: what each micro-batch was taken for, or NULL */
    void (*before_update)(void *user); /* or NULL */
    void *before_user;
    void (*on_wait)(void *user, bool waits); /* or NULL */
    void *wait_user;
    void (*meanwhile)(void *user); /* or NULL */
    void *meanwhile_user;
    double *small;       /* SMALL + ranks * carried */
    const double *carry; /* borrowed, or NULL */
    size_t carried;      /* numbers of a rank */
    double loss, weight; /* of this rank in this step */
    double term[SG_MAX_TERMS];
    int32_t sums_regions; /* the loss is one of all ranks' pixels */
    int32_t stop;
    sg_err failed;
    char failure[512];
    double compute_s, wait_s;
};

static int host(const sg_stepper *s)
{
    return s->backend->host_memory;
}

static void note_failure(sg_stepper *s, sg_err err)
{
    if (s->failed)
        return;
    s->failed = err;
    snprintf(s->failure, sizeof s->failure, "%s", sg_error_text());
}

/* ---- making ---- */

static sg_err make_buffers(sg_stepper *s)
{
    size_t labels, pixels, states = s->weights->host->layout->state_count;
    sg_err err = sg_size_mul3((size_t)s->input.n, (size_t)s->input.h, (size_t)s->input.w, &labels);
    if (!err)
        err = sg_size_mul(labels, (size_t)s->input.c, &pixels);
    if (!err)
        err = sg_calloc(pixels, sizeof(float), &s->no_pixels);
    if (!err)
        err = sg_calloc((size_t)s->input.n, sizeof *s->no_image, &s->no_image);
    if (!err)
        err = sg_malloc(labels, 1, &s->no_labels);
    if (err)
        return err;
    sg_raw_plain(s->no_image, (int32_t)s->input.n, s->no_pixels, pixels / (size_t)s->input.n);
    memset(s->no_labels, SG_IGNORE_LABEL, labels);
    if (host(s))
        s->state = s->weights->state;
    else
        err = sg_calloc(states > 0 ? states : 1, sizeof(float), &s->state);
    return err;
}

static sg_err make_local(sg_stepper *s, const sg_graph *graph, sg_dtype type)
{
    sg_plan_mode mode = s->options.recompute ? SG_PLAN_RECOMPUTE : SG_PLAN_TRAINING;
    sg_err err = sg_exec_create(s->backend, graph, s->weights, s->input, type, mode, &s->exec);
    s->sums_regions = sg_graph_sums_regions(graph);
    if (!err) /* a node sums at most twice each way */
        err = sg_pass_sums_open(&s->within, 4 * graph->nodes + 4);
    if (!err)
        err = sg_calloc(SMALL, sizeof *s->small, &s->small);
    if (!err)
        err = make_buffers(s);
    return err ? err
               : sg_update_pieces_open(&s->pieces, s->backend, graph, s->weights->host->layout,
                                       s->options.rate);
}

/* The ranks that share batch-norm statistics with this one. [collective] */
static sg_err make_norm(sg_stepper *s)
{
    int32_t group = s->options.sync_norm;
    if (s->ranks == 1 || group == SG_SYNC_NONE)
        return SG_OK;
    if (group == SG_SYNC_ALL || group >= s->ranks) {
        s->norm = s->comm;
        return SG_OK;
    }
    if (group != SG_SYNC_NODE && s->ranks % group != 0)
        return sg_fail(
            SG_EUSAGE,
            "batch norm over groups of %d ranks: %d ranks cannot be shared out into them",
            (int)group, (int)s->ranks);
    int colour = group == SG_SYNC_NODE ? SG_COMM_NODE : sg_comm_rank(s->comm) / group;
    return sg_comm_split(s->comm, colour, &s->norm);
}

sg_err sg_stepper_create(sg_stepper **stepper, sg_comm *comm, sg_backend *backend,
                         sg_weights *weights, const sg_graph *training_graph, sg_shape input,
                         sg_dtype type, const sg_step_options *options)
{
    sg_stepper *s = NULL;
    sg_err err = sg_calloc(1, sizeof *s, &s);
    *stepper = NULL;
    if (!err) {
        s->comm = comm;
        s->backend = backend;
        s->weights = weights;
        s->options = *options;
        s->input = input;
        s->ranks = sg_comm_ranks(comm);
        SG_ASSERT(s->options.accumulate >= 1);
        err = make_local(s, training_graph, type);
    }
    err = sg_comm_agree(comm, err);
    if (!err)
        err = sg_comm_agree(comm, make_norm(s));
    if (!err) {
        const sg_exchange_options how = {.accumulate = options->accumulate,
                                         .bucket_elements = options->bucket_elements,
                                         .narrow = options->narrow};
        err = sg_exchange_open(&s->exchange, comm, backend, weights, &how);
    }
    if (!err && !host(s)) /* so that what lies between is one piece of work */
        sg_exec_tell_every(s->exec, sg_exchange_bucket(s->exchange));
    if (err)
        sg_stepper_close(s);
    else
        *stepper = s;
    return err;
}

void sg_stepper_close(sg_stepper *s)
{
    if (!s)
        return;
    sg_exchange_close(s->exchange);
    if (s->state != s->weights->state)
        sg_free(s->state);
    sg_update_pieces_close(&s->pieces);
    sg_free(s->small);
    sg_free(s->no_pixels);
    sg_free(s->no_image);
    sg_free(s->no_labels);
    if (s->norm != s->comm)
        sg_comm_close(s->norm);
    sg_pass_sums_close(&s->within);
    sg_exec_close(s->exec);
    sg_free(s);
}

/* ---- sums within a pass: of batch norm, of losses of regions ---- */

static void tell_wait(const sg_stepper *s, bool waits)
{
    if (s->on_wait)
        s->on_wait(s->wait_user, waits);
}

static void sum_within(sg_stepper *s, sg_comm *comm, double *values, size_t count)
{
    double start = sg_now();
    tell_wait(s, true);
    sg_pass_sums_add(&s->within, comm, values, count);
    tell_wait(s, false);
    s->wait_s += sg_now() - start;
}

/* The executor's hooks. */
static void reduce_norm(void *user, double *values, size_t count)
{
    sg_stepper *s = user;
    sum_within(s, s->norm, values, count);
}

static void reduce_loss(void *user, double *values, size_t count)
{
    sg_stepper *s = user;
    sum_within(s, s->comm, values, count);
}

/* The pass failed here: the others must not wait for what this rank would have added. */
static void give_up_pass(sg_stepper *s)
{
    bool sums = s->ranks > 1 && (s->norm || s->sums_regions);
    if (!sg_pass_sums_give_up(&s->within) && sums) {
        sg_error("%s", s->failure);
        sg_comm_abort(s->comm, 1);
    }
}

/* ---- gradients ---- */

static int is_last(const sg_stepper *s)
{
    return s->micro == s->options.accumulate - 1;
}

static void on_ready(void *user, size_t ready)
{
    sg_stepper *s = user;
    sg_err err;
    if (ready == s->weights->host->layout->trainable_count && s->meanwhile)
        s->meanwhile(s->meanwhile_user);
    err = sg_exchange_ready(s->exchange, ready);
    if (err)
        note_failure(s, err);
}

static void finish_gradient(sg_stepper *s)
{
    sg_err err = sg_exchange_finish(s->exchange, s->failed != SG_OK);
    sg_err given = is_last(s) ? sg_exchange_given(s->exchange) : SG_OK;
    if (err || given)
        note_failure(s, err ? err : given);
}

/* ---- running statistics ---- */

static sg_err move_state(sg_stepper *s, int to_host)
{
    size_t bytes = s->weights->host->layout->state_count * sizeof(float);
    if (host(s))
        return SG_OK;
    return to_host ? s->backend->download(s->backend, s->state, s->weights->state, bytes)
                   : s->backend->upload(s->backend, s->weights->state, s->state, bytes);
}

/* Where not all ranks share them, ranks have running statistics of their own; averaging them with
 * every step (they are few) keeps the ranks equal, so that a checkpoint made anywhere holds what
 * every rank has. */
static int averages_state(const sg_stepper *s)
{
    return s->ranks > 1 && s->norm != s->comm && s->weights->host->layout->state_count > 0;
}

static void start_state(sg_stepper *s)
{
    if (!averages_state(s))
        return;
    sg_err err = move_state(s, 1);
    if (err)
        note_failure(s, err);
    sg_sum_start(sg_exchange_host_sums(s->exchange), s->state,
                 s->weights->host->layout->state_count);
}

static sg_err finish_state(sg_stepper *s)
{
    if (!averages_state(s))
        return SG_OK;
    for (size_t i = 0; i < s->weights->host->layout->state_count; i++)
        s->state[i] /= (float)s->ranks;
    return move_state(s, 0);
}

/* ---- one micro-batch ---- */

static double step_pixels(const sg_stepper *s)
{
    return (double)s->input.n * (double)s->input.h * (double)s->input.w * s->ranks *
           s->options.accumulate;
}

static void compute(sg_stepper *s, const sg_raw_image *image, const uint8_t *labels, sg_run *run)
{
    sg_err err;
    run->loss_scale = (float)(1.0 / step_pixels(s));
    run->reduce = s->norm ? reduce_norm : NULL;
    run->reduce_loss = s->ranks > 1 ? reduce_loss : NULL;
    run->reduce_user = s;
    run->loss_sum = run->weight_sum = 0;
    sg_pass_sums_begin(&s->within);
    sg_exchange_begin(s->exchange, s->micro);
    err = sg_exec_forward_images(s->exec, image, (int32_t)s->input.n, labels, run);
    if (!err && s->classes) /* the backward pass may put something else in the logits' place */
        err = sg_exec_classify(s->exec, s->classes, NULL);
    if (!err)
        err = sg_exec_backward(s->exec, run, on_ready, s);
    if (err) {
        note_failure(s, err);
        give_up_pass(s);
    } else {
        err = sg_pass_sums_end(&s->within);
        if (err)
            note_failure(s, err);
        s->loss += run->loss_sum;
        s->weight += run->weight_sum;
        for (int k = 0; k < SG_MAX_TERMS; k++)
            s->term[k] += run->term_sum[k];
    }
    finish_gradient(s);
}

static sg_err apply(sg_stepper *s, const float *gradient, sg_update *update, double scale)
{
    sg_weights *w = s->weights;
    update->gradient_scale = (float)scale;
    if (s->before_update)
        s->before_update(s->before_user);
    sg_err err = sg_update_step(&s->pieces, update, w->trainable, gradient, w->m, w->v);
    sg_weights_changed(w);
    return err;
}

/* All sums are in: make the mean gradient and let the optimizer step. */
static sg_err finish_step(sg_stepper *s, const float *gradient, sg_update *update,
                          sg_step_result *result)
{
    const double *small = s->small;
    const double clip = s->options.clip_norm;
    double scale, squares;
    sg_err err = finish_state(s);
    result->finite = isfinite(small[0]) && isfinite(small[1]);
    result->loss = small[1] > 0 || !result->finite ? small[0] / small[1] : 0;
    for (int k = 0; k < SG_MAX_TERMS && small[1] > 0; k++)
        result->term[k] = small[TERMS + k] / small[1];
    if (err || !result->finite || small[1] <= 0)
        return err;
    err = sg_update_norm(&s->pieces, gradient, &squares);
    if (err)
        return err;
    scale = step_pixels(s) / small[1];
    result->norm = scale * sqrt(squares);
    result->finite = isfinite(result->norm);
    if (!result->finite)
        return SG_OK;
    if (clip > 0 && result->norm > clip)
        scale *= clip / (result->norm + 1e-6);
    return apply(s, gradient, update, scale);
}

static sg_err complete(sg_stepper *s, sg_update *update, sg_step_result *result)
{
    const size_t carried = s->carried * (size_t)s->ranks;
    double *small = s->small, start = sg_now();
    const float *gradient;
    sg_err failed, summed;
    tell_wait(s, true);
    start_state(s);
    small[0] = s->failed ? 0 : s->loss;
    small[1] = s->failed ? 0 : s->weight;
    small[2] = s->failed != SG_OK;
    small[3] = s->stop;
    for (int k = 0; k < SG_MAX_TERMS; k++)
        small[TERMS + k] = s->failed ? 0 : s->term[k];
    memset(small + SMALL, 0, carried * sizeof *small);
    for (size_t k = 0; k < s->carried; k++)
        small[SMALL + (size_t)sg_comm_rank(s->comm) * s->carried + k] = s->carry[k];
    if (s->ranks > 1)
        sg_comm_sum_f64(s->comm, small, SMALL + carried);
    summed = sg_exchange_sums(s->exchange, &gradient);
    s->wait_s += sg_now() - start;
    failed = s->failed;
    s->failed = SG_OK;
    s->micro = 0;
    s->loss = s->weight = 0;
    memset(s->term, 0, sizeof s->term);
    result->complete = 1;
    result->failures = (int64_t)small[2];
    result->stops = (int64_t)small[3];
    if (result->failures > 0)
        return failed ? sg_fail(failed, "%s", s->failure) : SG_EPEER;
    if (summed)
        return summed;
    start = sg_now();
    failed = finish_step(s, gradient, update, result);
    s->compute_s += sg_now() - start;
    return failed;
}

sg_err sg_stepper_run(sg_stepper *s, sg_err mine, const sg_raw_image *image, const uint8_t *labels,
                      sg_run *run, sg_update *update, sg_step_result *result)
{
    double start = sg_now(), waited = s->wait_s;
    memset(result, 0, sizeof *result);
    if (mine)
        note_failure(s, mine);
    compute(s, mine ? s->no_image : image, mine ? s->no_labels : labels, run);
    s->compute_s += sg_now() - start - (s->wait_s - waited);
    if (is_last(s))
        return complete(s, update, result);
    s->micro++;
    return SG_OK;
}

void sg_stepper_send(sg_stepper *s, const sg_raw_image *image, const uint8_t *labels)
{
    sg_exec_send(s->exec, image, (int32_t)s->input.n, labels);
}

void sg_stepper_meanwhile(sg_stepper *s, void (*work)(void *user), void *user)
{
    s->meanwhile = work;
    s->meanwhile_user = user;
}

void sg_stepper_ask_stop(sg_stepper *s)
{
    s->stop = 1;
}

void sg_stepper_watch(sg_stepper *s, uint8_t *classes)
{
    s->classes = classes;
}

void sg_stepper_before_update(sg_stepper *s, void (*wait)(void *user), void *user)
{
    s->before_update = wait;
    s->before_user = user;
}

void sg_stepper_on_wait(sg_stepper *s, void (*tell)(void *user, bool waits), void *user)
{
    s->on_wait = tell;
    s->wait_user = user;
}

sg_err sg_stepper_carry(sg_stepper *s, const double *mine, size_t count, const double **all)
{
    size_t room = SMALL;
    sg_err err = sg_grow(&s->small, &room, SMALL + count * (size_t)s->ranks, sizeof *s->small);
    if (err)
        return err;
    s->carry = mine;
    s->carried = count;
    *all = s->small + SMALL;
    return SG_OK;
}

sg_exec *sg_stepper_exec(sg_stepper *s)
{
    return s->exec;
}

void sg_stepper_times(const sg_stepper *s, double *compute_s, double *wait_s)
{
    *compute_s = s->compute_s;
    *wait_s = s->wait_s;
}

void sg_stepper_sums(const sg_stepper *s, sg_exchange_report *report)
{
    sg_exchange_get_report(s->exchange, report);
}
