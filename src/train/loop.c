/*
 * The training loop. What is collective in a step, and in which order, is in step.c; between steps:
 * validation, then saving, each agreed on by all ranks. An error of one rank alone (its batch could
 * not be read, its file not written) is carried into the next of these, so that all ranks end
 * together.
 */
#include "train/loop.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/size.h"
#include "train/saver.h"
#include "train/trainer.h"

/* Count what was wrong in each crop of a batch that was classified. */
static void learn_errors(trainer *tr, const sg_batch *batch)
{
    const size_t pixels = (size_t)tr->t->tile * (size_t)tr->t->tile;
    for (int32_t i = 0; i < batch->n; i++) {
        const uint8_t *truth = batch->labels + (size_t)i * pixels;
        const uint8_t *taken = tr->classes + (size_t)i * pixels;
        int64_t wrong = 0, seen = 0;
        for (size_t k = 0; k < pixels; k++) {
            seen += truth[k] != SG_NO_CLASS;
            wrong += truth[k] != SG_NO_CLASS && truth[k] != taken[k];
        }
        sg_sampler_learn(&tr->sampler.sampler, batch->first + (uint64_t)i, wrong, seen);
    }
}

/* Steps after which errors are gathered in any case, for saves that only rank 0 knows to be due;
 * and after which the times of each rank are written, beside validations. */
enum { GATHER_EVERY = 16, TELL_RANKS_EVERY = 100 };

/* One micro-batch: `mine` is this rank's error so far. */
static sg_err run_part(trainer *tr, int32_t part, sg_err mine, sg_update *update,
                       sg_step_result *result)
{
    const sg_training *t = tr->t;
    sg_watchdog_note(tr->watchdog, "waiting for a batch to be read", tr->position.step);
    sg_batch *batch = sg_loader_next(tr->loader);
    sg_watchdog_note(tr->watchdog, "computing", tr->position.step);
    const int32_t share = t->batch / t->step.accumulate;
    sg_run run = {
        .seed = t->seed,
        .step = (uint64_t)tr->position.step,
        .first_sample = (uint64_t)(part * share + tr->rank * tr->micro_batch),
        .class_weight = tr->class_weight,
        .border = tr->border.weight,
    };
    SG_ASSERT(batch);
    if (!mine && batch->error)
        mine = sg_fail(batch->error, "%s", batch->message);
    if (!mine)
        sg_border_find(&tr->border, batch->labels);
    if (t->stop && *t->stop)
        sg_stepper_ask_stop(tr->stepper);
    mine = sg_stepper_run(tr->stepper, mine, batch->image, batch->labels, &run, update, result);
    if (!mine && tr->classes)
        learn_errors(tr, batch);
    sg_loader_return(tr->loader, batch);
    return mine;
}

static sg_rank_times times_so_far(const trainer *tr)
{
    sg_rank_times times;
    sg_stepper_times(tr->stepper, &times.compute, &times.wait);
    times.read = tr->waited + (tr->loader ? sg_loader_waited(tr->loader) : 0);
    return times;
}

/* After a step: with it came every rank's times of the step before, with the next one go those of
 * this one. */
static void note_times(trainer *tr)
{
    const sg_rank_times now = times_so_far(tr), *before = &tr->so_far;
    if (tr->position.step - tr->first_step > 1)
        sg_step_times_note(&tr->times, tr->carried, tr->position.step - 1);
    tr->mine = (sg_rank_times){now.read - before->read, now.compute - before->compute,
                               now.wait - before->wait};
    tr->so_far = now;
}

static sg_err not_finite(const trainer *tr)
{
    return sg_fail(SG_EINPUT,
                   "loss is not finite at step %lld; lower the learning rate or clip gradients "
                   "(the last checkpoint in %s is intact)",
                   (long long)tr->position.step + 1, tr->t->folder);
}

/* All parts of one step. *pending: an error of this rank alone; else errors are everybody's. */
static sg_err run_step(trainer *tr, sg_err *pending, sg_step_result *result)
{
    const sg_training *t = tr->t;
    sg_update update = t->update;
    sg_err err = *pending;
    update.rate = (float)sg_schedule_rate(&t->schedule, tr->position.step);
    update.momentum =
        (float)sg_schedule_momentum(&t->schedule, tr->position.step, (double)update.momentum);
    update.beta1 =
        (float)sg_schedule_momentum(&t->schedule, tr->position.step, (double)update.beta1);
    update.step = tr->position.step + 1;
    for (int32_t part = 0; part < t->step.accumulate; part++)
        err = run_part(tr, part, err, &update, result);
    if (result->failures > 0)
        return sg_comm_agree(t->comm, err);
    if (!result->finite)
        return sg_comm_agree(t->comm, not_finite(tr));
    *pending = err;
    tr->position.step++;
    tr->position.epoch = tr->position.step / t->steps_per_epoch;
    tr->position.sample = tr->position.step % t->steps_per_epoch * t->batch;
    tr->miou = NAN;
    tr->loss = result->loss;
    note_times(tr);
    if (tr->average.decay > 0 && !*pending)
        *pending = sg_average_add(&tr->average, tr->weights);
    return SG_OK;
}

/* At the last step, and every `every` steps, or at the end of each epoch when that is 0. */
static bool is_due(const trainer *tr, int64_t every)
{
    int64_t step = tr->position.step;
    return step == tr->t->steps || step % (every > 0 ? every : tr->t->steps_per_epoch) == 0;
}

static bool validation_is_due(const trainer *tr)
{
    return is_due(tr, tr->t->validate_every);
}

static bool step_is_saved(const trainer *tr)
{
    return tr->t->save_every > 0 ? is_due(tr, tr->t->save_every) : validation_is_due(tr);
}

/* On rank 0 also when the last one is long ago, or was put off. */
static bool saving_is_due(const trainer *tr)
{
    const double pause = tr->t->save_seconds;
    return step_is_saved(tr) || tr->owes_save || (pause > 0 && sg_now() - tr->saved_at >= pause);
}

static bool is_last(const trainer *tr)
{
    return tr->position.step == tr->t->steps;
}

/* Has the last better validation been too long ago? A function of the position alone, so that a run
 * that has ended stays ended. */
static bool has_lost_patience(const trainer *tr)
{
    const sg_training *t = tr->t;
    int64_t every = t->validate_every > 0 ? t->validate_every : t->steps_per_epoch;
    int64_t best = sg_max64(0, tr->position.best_step);
    return t->patience > 0 && tr->validates && tr->position.step - best >= t->patience * every;
}

/* Scores of the validation regions; *best when they are better than any before. [collective] */
static sg_err validate(trainer *tr, sg_scores *scores, bool *best)
{
    sg_position *p = &tr->position;
    sg_watchdog_note(tr->watchdog, "validating", p->step);
    sg_weights *weights = tr->average.steps > 0 ? tr->average.weights : tr->weights;
    sg_err err = sg_validate(tr->t, weights, SG_SPLIT_VAL, &tr->confusion,
                             tr->t->tensorboard ? &tr->gallery : NULL);
    if (err)
        return err;
    sg_confusion_scores(&tr->confusion, scores);
    tr->miou = scores->miou;
    *best = scores->miou > p->best;
    if (*best) {
        p->best = scores->miou;
        p->best_step = p->step;
        tr->best = *scores;
    }
    sg_info("step %lld: validation mIoU %.4f, accuracy %.4f%s", (long long)p->step, scores->miou,
            scores->accuracy, *best ? " (best so far)" : "");
    return SG_OK;
}

static sg_err log_row(trainer *tr, const sg_step_result *result, double seconds,
                      const sg_scores *scores)
{
    const sg_training *t = tr->t;
    const int64_t step = tr->position.step;
    double pixels = (double)t->batch * t->tile * t->tile;
    const sg_metrics_row row = {
        .step = step,
        .epoch = (step - 1) / t->steps_per_epoch + 1,
        .rate = result ? sg_schedule_rate(&t->schedule, step - 1) : NAN,
        .loss = result ? result->loss : NAN,
        .norm = result ? result->norm : NAN,
        .term = result ? result->term : NULL,
        .megapixels_per_s = result ? pixels / seconds / 1e6 : NAN,
        .validation = scores,
        .times = result ? &tr->times : NULL,
        .tells_ranks = scores || is_last(tr) || step % TELL_RANKS_EVERY == 0,
    };
    sg_err err = tr->rank == 0 ? sg_metrics_log_add(&tr->log, &row) : SG_OK;
    if (err || tr->rank != 0 || !t->tensorboard)
        return err;
    err = sg_tensorboard_add(&tr->board, &row);
    return !err && scores ? sg_tensorboard_show(&tr->board, step, &tr->gallery) : err;
}

static void show_progress(trainer *tr, double seconds)
{
    const sg_training *t = tr->t;
    char text[64];
    double pixels = (double)t->batch * t->tile * t->tile;
    snprintf(text, sizeof text, "loss %.4f  %.3g Mpx/s", tr->loss, pixels / seconds / 1e6);
    sg_progress_show(&tr->progress, tr->position.step, text);
}

static sg_err save_and_stop(trainer *tr, sg_err pending)
{
    sg_err err = sg_trainer_save_now(tr, false, pending);
    return err ? err
               : sg_fail(SG_ESTOPPED,
                         "stopped by a signal at step %lld of %lld; saved to %s/last.h5, run again "
                         "with --resume to go on",
                         (long long)tr->position.step, (long long)tr->t->steps, tr->t->folder);
}

/* What follows a step: validation, a row of metrics, saving. A stop is not kept waiting for the
 * validation: it is done when the run is resumed. */
static sg_err follow_up(trainer *tr, const sg_step_result *result, double seconds, bool stop,
                        sg_err *pending)
{
    sg_scores scores;
    bool best = false, validated = tr->validates && validation_is_due(tr) && !stop;
    sg_err err = validated ? validate(tr, &scores, &best) : SG_OK;
    if (err && err != SG_ESTOPPED)
        return err;
    if (err == SG_ESTOPPED) {
        stop = true;
        validated = false;
    }
    if (!*pending && (result || validated))
        *pending = log_row(tr, result, seconds, validated ? &scores : NULL);
    if (!*pending)
        *pending = sg_saver_failure(tr->saver);
    if (stop)
        return save_and_stop(tr, *pending);
    bool over = validated && has_lost_patience(tr);
    if (over)
        sg_info("no better validation since step %lld: training ends",
                (long long)tr->position.best_step);
    if (over || is_last(tr))
        return sg_trainer_save_now(tr, best, *pending);
    if (validated || step_is_saved(tr) || tr->position.step % GATHER_EVERY == 0)
        sg_trainer_gather(tr); /* the same on all ranks */
    if (!*pending && (best || saving_is_due(tr)))
        *pending = sg_trainer_save(tr, best);
    return SG_OK;
}

/* A run that was stopped right after a step whose validation was due comes back to it. */
static bool owes_validation(const trainer *tr)
{
    return tr->t->resume && tr->validates && isnan(tr->miou) && tr->position.step > 0 &&
           validation_is_due(tr);
}

static sg_err run_steps(trainer *tr)
{
    sg_step_result result;
    sg_err pending = SG_OK, err = SG_OK;
    if (owes_validation(tr))
        err = follow_up(tr, NULL, NAN, false, &pending);
    while (!err && tr->position.step < tr->t->steps && !has_lost_patience(tr)) {
        double start = sg_now(), seconds;
        bool stop;
        err = run_step(tr, &pending, &result);
        seconds = sg_now() - start;
        tr->step_seconds += seconds;
        if (!err)
            err = sg_trainer_mine(tr);
        if (err)
            break;
        show_progress(tr, seconds);
        stop = result.stops > 0 && (tr->position.step < tr->t->steps || tr->validates);
        err = follow_up(tr, &result, seconds, stop, &pending);
    }
    if (!err && !pending)
        pending = sg_saver_finish(tr->saver);
    return err ? err : sg_comm_agree(tr->t->comm, pending);
}

static void report_saves(const trainer *tr, sg_training_report *report)
{
    sg_saver_report saves;
    sg_saver_get_report(tr->saver, &saves);
    if (saves.saves == 0)
        return;
    report->saves = saves.saves;
    report->save_megabytes = saves.bytes / (double)saves.saves / 1e6;
    report->save_megabytes_per_s = saves.bytes / saves.seconds / 1e6;
    report->save_stop = saves.longest;
}

static void report_on(const trainer *tr, sg_training_report *report)
{
    const sg_training *t = tr->t;
    int64_t done = tr->position.step - tr->first_step;
    report->steps = tr->position.step;
    report->loss = tr->loss;
    report->seconds = sg_now() - tr->start;
    if (tr->step_seconds > 0)
        report->megapixels_per_s =
            (double)done * t->batch * t->tile * t->tile / tr->step_seconds / 1e6;
    report->best = tr->best;
    report->best_step = tr->position.best_step;
    report_saves(tr, report);
}

static void report_waits(const trainer *tr, sg_rank_times *times)
{
    *times = times_so_far(tr);
    sg_verbose("steps took %.1f s: computing %.1f, waiting for sums %.1f, for batches %.1f",
               tr->step_seconds, times->compute, times->wait, times->read);
}

/* How long sums of gradients were under way, and what the backward pass hid of it. [collective] */
static void report_sums(const trainer *tr)
{
    sg_exchange_report sums;
    sg_stepper_sums(tr->stepper, &sums);
    const double ms = 1e3 / tr->ranks / (double)sg_max64(1, tr->position.step - tr->first_step);
    double seconds[2] = {sums.summing, sums.exposed};
    sg_comm_sum_f64(tr->t->comm, seconds, 2);
    if (seconds[0] > 0)
        sg_info("sums of gradients (%s): %.3g ms a step, %.0f %% of it hidden under the backward "
                "pass",
                sums.way, ms * seconds[0], 100 * fmax(0, 1 - seconds[1] / seconds[0]));
    else
        sg_info("sums of gradients (%s): waited for during %.3g ms a step", sums.way,
                ms * seconds[1]);
}

sg_err sg_train(const sg_training *training, sg_training_report *report)
{
    trainer tr;
    sg_rank_times times;
    sg_err err;
    memset(report, 0, sizeof *report);
    err = sg_trainer_open(&tr, training);
    if (!err) {
        sg_progress_start(&tr.progress, "train", training->steps);
        err = run_steps(&tr);
        sg_progress_end(&tr.progress);
        report_waits(&tr, &times);
        if (!err)
            report_on(&tr, report);
        if (!err && tr.ranks > 1)
            err = sg_times_tell(training->comm, &times, tr.position.step - tr.first_step);
        if (!err && tr.ranks > 1)
            report_sums(&tr);
    }
    sg_trainer_close(&tr);
    return err;
}
