/* A run's checkpoints: last.h5 and previous.h5 to go on from, best.h5 (without optimizer state) to
 * predict with. */
#include "train/trainer_save.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "train/saver.h"

void sg_trainer_begin_position(trainer *tr)
{
    const sg_training *t = tr->t;
    tr->miou = NAN;
    tr->best.miou = NAN;
    if (t->resume) {
        tr->position = t->resume->position;
        tr->miou = t->resume->scores_miou;
        if (tr->position.best >= 0)
            tr->best.miou = tr->position.best;
    } else {
        tr->position.best = -1;
        tr->position.best_step = -1;
    }
    tr->position.ranks = tr->ranks;
    tr->position.batch = t->batch;
    tr->position.seed = t->seed;
    tr->first_step = tr->position.step;
}

static sg_err same_network(const sg_graph *a, const sg_graph *b, bool *same)
{
    sg_text one = {0}, two = {0};
    sg_err err = sg_graph_write(a, &one);
    if (!err)
        err = sg_graph_write(b, &two);
    if (!err)
        *same = strcmp(one.data, two.data) == 0;
    sg_text_clear(&one);
    sg_text_clear(&two);
    return err;
}

sg_err sg_trainer_check_resume(const trainer *tr)
{
    const sg_checkpoint *from = tr->t->resume;
    const sg_position *p = &from->position;
    bool same = false;
    sg_err err = same_network(from->graph, tr->t->graph, &same);
    if (err)
        return err;
    if (!same)
        return sg_fail(SG_EUSAGE, "the checkpoint holds another network than the job asks for; "
                                  "start a new run");
    if (p->step > tr->t->steps)
        return sg_fail(SG_EUSAGE, "the checkpoint stands at step %lld, the job ends at %lld",
                       (long long)p->step, (long long)tr->t->steps);
    if (!from->m || !from->v)
        return sg_fail(SG_EUSAGE, "the checkpoint holds no optimizer state: training cannot go on");
    if (p->batch != tr->t->batch || p->seed != tr->t->seed)
        sg_warn("resuming with batch %d, seed %llu; the run had %lld, %llu: other samples follow "
                "than in an uninterrupted run",
                tr->t->batch, (unsigned long long)tr->t->seed, (long long)p->batch,
                (unsigned long long)p->seed);
    else if (p->ranks != tr->ranks)
        sg_info("resuming on %d ranks what ran on %lld: samples and rates of every step stay, "
                "losses differ by rounding%s",
                tr->ranks, (long long)p->ranks,
                tr->t->step.sync_norm == SG_SYNC_ALL
                    ? ""
                    : " and by batch norm's statistics, which not all ranks share");
    return SG_OK;
}

sg_err sg_trainer_restore(trainer *tr)
{
    const sg_checkpoint *from = tr->t->resume;
    sg_backend *backend = tr->t->backend;
    size_t bytes = tr->params->layout->trainable_count * sizeof(float);
    sg_err err = backend->upload(backend, tr->weights->m, from->m, bytes);
    if (!err)
        err = backend->upload(backend, tr->weights->v, from->v, bytes);
    if (!err && from->raw && tr->average.decay > 0)
        err = sg_average_restore(&tr->average, from->params, from->averaged);
    return err;
}

void sg_trainer_gather(trainer *tr)
{
    sg_mining *mining = tr->sampler.sampler.mining;
    if (!mining || tr->gathered == tr->position.step)
        return;
    sg_mining_gather(mining, tr->t->comm);
    tr->gathered = tr->position.step;
}

sg_err sg_trainer_save(trainer *tr, bool best)
{
    bool stale = tr->sampler.sampler.mining && tr->gathered != tr->position.step;
    if (tr->rank != 0)
        return SG_OK;
    tr->owes_save = stale || (!best && sg_saver_busy(tr->saver));
    if (tr->owes_save)
        return SG_OK;
    tr->saved_at = sg_now();
    return sg_saver_start(tr->saver, best);
}

sg_err sg_trainer_save_now(trainer *tr, bool best, sg_err mine)
{
    sg_watchdog_note(tr->watchdog, tr->rank == 0 ? "saving" : "waiting until rank 0 has saved",
                     tr->position.step);
    sg_trainer_gather(tr);
    if (!mine)
        mine = sg_saver_finish(tr->saver); /* the one before */
    if (!mine)
        mine = sg_saver_start(tr->saver, best);
    if (!mine)
        mine = sg_saver_finish(tr->saver);
    return sg_comm_agree(tr->t->comm, mine);
}
