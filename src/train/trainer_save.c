/* A run's checkpoints: last.h5 to go on from, best.h5 (without optimizer state) to predict with. */
#include "train/trainer_save.h"

#include <math.h>
#include <string.h>

#include "base/log.h"
#include "base/size.h"

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
    if (p->ranks != tr->ranks || p->batch != tr->t->batch || p->seed != tr->t->seed)
        sg_warn("resuming with %d ranks, batch %d, seed %llu; the run had %lld, %lld, %llu: losses "
                "will not be those of an uninterrupted run",
                tr->ranks, tr->t->batch, (unsigned long long)tr->t->seed, (long long)p->ranks,
                (long long)p->batch, (unsigned long long)p->seed);
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

/* A host copy of one part of the optimizer state; *copy is made once. */
static sg_err to_host(trainer *tr, float *state, float **copy, float **values)
{
    sg_backend *backend = tr->t->backend;
    size_t count = tr->params->layout->trainable_count;
    sg_err err = SG_OK;
    *values = state;
    if (backend->host_memory)
        return SG_OK;
    if (!*copy)
        err = sg_malloc(count, sizeof(float), copy);
    *values = *copy;
    return err ? err : backend->download(backend, *copy, state, count * sizeof(float));
}

static sg_err write_file(const sg_checkpoint *checkpoint, const char *folder, const char *name)
{
    char path[SG_PATH_MAX];
    sg_err err = sg_path_format(path, "%s/%s", folder, name);
    return err ? err : sg_checkpoint_save(checkpoint, path);
}

/* best.h5 first: should the run end between the two, the step is done again and finds it again. */
static sg_err write_files(trainer *tr, bool best)
{
    const sg_training *t = tr->t;
    const bool averages = tr->average.steps > 0;
    sg_checkpoint c = {
        .graph = (sg_graph *)t->graph, /* only read */
        .params = averages ? tr->average.params : tr->params,
        .spec = *t->spec,
        .position = tr->position,
        .job = (char *)t->job_text,
        .scores_miou = tr->miou,
    };
    sg_err err = sg_weights_to_host(averages ? tr->average.weights : tr->weights);
    if (!err && best)
        err = write_file(&c, t->folder, "best.h5");
    if (averages) {
        c.raw = tr->params;
        c.averaged = tr->average.steps;
    }
    if (tr->sampler.sampler.mining)
        c.mining = tr->sampler.sampler.mining->saved;
    if (!err && averages)
        err = sg_weights_to_host(tr->weights);
    if (!err)
        err = to_host(tr, tr->weights->m, &tr->m, &c.m);
    if (!err)
        err = to_host(tr, tr->weights->v, &tr->v, &c.v);
    return err ? err : write_file(&c, t->folder, "last.h5");
}

sg_err sg_trainer_save(trainer *tr, bool best, sg_err mine)
{
    if (tr->sampler.sampler.mining)
        sg_mining_gather(tr->sampler.sampler.mining, tr->t->comm);
    if (!mine && tr->rank == 0)
        mine = write_files(tr, best);
    return sg_comm_agree(tr->t->comm, mine);
}
