/*
 * The writer's thread. Between two updates the optimizer's state and the trainable weights do not
 * change, so where they lie in the host's memory the thread copies them while the next step runs
 * forward and backward. The running statistics of batch norm do change there, and a device's memory
 * is the training thread's: these are copied at once.
 */
#include "train/saver.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/size.h"

typedef enum { IDLE, COPYING, WRITING } saver_state;

struct sg_saver {
    const trainer *tr;         /* borrowed */
    sg_params *weights, *mean; /* copies, owned; mean: of the averaged weights, or NULL */
    float *m, *v;              /* copies, owned */
    sg_mining_state mining;    /* copy, owned; no cells where errors are not mined */
    sg_position position;      /* of the copy, as the next three */
    double miou;
    int64_t averaged;
    bool best;
    bool keeps; /* last.h5 is whole: it becomes previous.h5 */
    pthread_t thread;
    bool running;
    pthread_mutex_t lock; /* for what follows */
    pthread_cond_t changed;
    saver_state state;
    bool ending;
    sg_err failed;
    char failure[512];
    double stopped; /* seconds that training stood still for the save at hand */
    sg_saver_report report;
};

static size_t trainable_bytes(const sg_saver *s)
{
    return s->tr->params->layout->trainable_count * sizeof(float);
}

static size_t state_bytes(const sg_saver *s)
{
    return s->tr->params->layout->state_count * sizeof(float);
}

static bool on_host(const sg_saver *s)
{
    return s->tr->t->backend->host_memory != 0;
}

/* ---- copying ---- */

static sg_err copy(const sg_saver *s, float *to, const float *from, size_t bytes)
{
    sg_backend *backend = s->tr->t->backend;
    if (!on_host(s))
        return backend->download(backend, to, from, bytes);
    memcpy(to, from, bytes);
    return SG_OK;
}

/* What a step changes before its update. */
static sg_err copy_state(sg_saver *s)
{
    sg_err err = copy(s, s->weights->state, s->tr->weights->state, state_bytes(s));
    if (!err && s->mean)
        err = copy(s, s->mean->state, s->tr->average.weights->state, state_bytes(s));
    return err;
}

/* What only an update changes. */
static sg_err copy_trainable(sg_saver *s)
{
    const sg_weights *w = s->tr->weights;
    const size_t bytes = trainable_bytes(s);
    sg_err err = copy(s, s->weights->trainable, w->trainable, bytes);
    if (!err)
        err = copy(s, s->m, w->m, bytes);
    if (!err)
        err = copy(s, s->v, w->v, bytes);
    if (!err && s->mean)
        err = copy(s, s->mean->trainable, s->tr->average.weights->trainable, bytes);
    return err;
}

/* ---- writing, in the thread ---- */

static sg_err write_file(sg_saver *s, const sg_checkpoint *c, const char *name, bool keeps)
{
    char path[SG_PATH_MAX], former[SG_PATH_MAX];
    struct stat info;
    sg_err err = sg_path_format(path, "%s/%s", s->tr->t->folder, name);
    if (!err)
        err = sg_path_format(former, "%s/previous.h5", s->tr->t->folder);
    if (!err)
        err = sg_checkpoint_replace(c, path, keeps ? former : NULL);
    if (!err && stat(path, &info) == 0)
        s->report.bytes += (double)info.st_size;
    return err;
}

/* best.h5 first: should the run end between the two, the step is done again and finds it again. */
static sg_err write_files(sg_saver *s)
{
    const sg_training *t = s->tr->t;
    const bool averages = s->averaged > 0;
    const double start = sg_now();
    sg_checkpoint c = {
        .graph = (sg_graph *)t->graph, /* only read */
        .params = averages ? s->mean : s->weights,
        .spec = *t->spec,
        .position = s->position,
        .job = (char *)t->job_text,
        .scores_miou = s->miou,
    };
    sg_err err = s->best ? write_file(s, &c, "best.h5", false) : SG_OK;
    if (averages) {
        c.raw = s->weights;
        c.averaged = s->averaged;
    }
    c.m = s->m;
    c.v = s->v;
    c.mining = s->mining;
    if (!err)
        err = write_file(s, &c, "last.h5", s->keeps);
    if (err)
        return err;
    s->keeps = true;
    s->report.saves++;
    s->report.seconds += sg_now() - start;
    return SG_OK;
}

static void enter(sg_saver *s, saver_state state)
{
    pthread_mutex_lock(&s->lock);
    s->state = state;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

static void note_failure(sg_saver *s, sg_err err)
{
    pthread_mutex_lock(&s->lock);
    s->failed = err;
    snprintf(s->failure, sizeof s->failure, "%s", sg_error_text());
    pthread_mutex_unlock(&s->lock);
}

/* Until there is something to save; false: there will be no more. */
static bool wait_for_work(sg_saver *s)
{
    pthread_mutex_lock(&s->lock);
    while (s->state == IDLE && !s->ending)
        pthread_cond_wait(&s->changed, &s->lock);
    bool work = s->state != IDLE;
    pthread_mutex_unlock(&s->lock);
    return work;
}

static void *run(void *user)
{
    sg_saver *s = user;
    while (wait_for_work(s)) {
        sg_err err = on_host(s) ? copy_trainable(s) : SG_OK;
        enter(s, WRITING);
        if (!err)
            err = write_files(s);
        if (err)
            note_failure(s, err);
        enter(s, IDLE);
    }
    return NULL;
}

/* ---- making ---- */

static sg_err make_copies(sg_saver *s)
{
    const trainer *tr = s->tr;
    const size_t count = tr->params->layout->trainable_count;
    sg_err err = sg_params_create(tr->t->graph, &s->weights);
    if (!err && tr->average.decay > 0)
        err = sg_params_create(tr->t->graph, &s->mean);
    if (!err && tr->sampler.sampler.mining)
        err = sg_mining_state_create(&s->mining, tr->sampler.sampler.mining->state.cells);
    if (!err)
        err = sg_calloc(count, sizeof(float), &s->m);
    return err ? err : sg_calloc(count, sizeof(float), &s->v);
}

sg_err sg_saver_open(sg_saver **saver, const trainer *tr)
{
    sg_saver *s = NULL;
    sg_err err = sg_calloc(1, sizeof *s, &s);
    *saver = NULL;
    if (err)
        return err;
    s->tr = tr;
    s->keeps = !tr->t->resume_is_former;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    err = make_copies(s);
    if (!err && pthread_create(&s->thread, NULL, run, s) != 0)
        err = sg_fail(SG_ENOMEM, "the thread that writes checkpoints cannot be started; raise the "
                                 "limit on processes (ulimit -u)");
    s->running = !err;
    if (err)
        sg_saver_close(s);
    else
        *saver = s;
    return err;
}

void sg_saver_close(sg_saver *s)
{
    if (!s)
        return;
    if (s->running) {
        pthread_mutex_lock(&s->lock);
        s->ending = true;
        pthread_cond_broadcast(&s->changed);
        pthread_mutex_unlock(&s->lock);
        pthread_join(s->thread, NULL);
    }
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    sg_params_close(s->weights);
    sg_params_close(s->mean);
    sg_mining_state_close(&s->mining);
    sg_free(s->m);
    sg_free(s->v);
    sg_free(s);
}

/* ---- the training thread's side ---- */

/* Wait until the thread has done with this state. */
static void wait_past(sg_saver *s, saver_state state)
{
    const double start = sg_now();
    pthread_mutex_lock(&s->lock);
    while (s->state != IDLE && s->state <= state)
        pthread_cond_wait(&s->changed, &s->lock);
    pthread_mutex_unlock(&s->lock);
    s->stopped += sg_now() - start;
}

static void count_stop(sg_saver *s)
{
    s->report.stopped += s->stopped;
    s->report.longest = s->stopped > s->report.longest ? s->stopped : s->report.longest;
    s->stopped = 0;
}

bool sg_saver_busy(sg_saver *s)
{
    if (!s)
        return false;
    pthread_mutex_lock(&s->lock);
    bool busy = s->state != IDLE;
    pthread_mutex_unlock(&s->lock);
    return busy;
}

sg_err sg_saver_failure(sg_saver *s)
{
    if (!s)
        return SG_OK;
    pthread_mutex_lock(&s->lock);
    sg_err failed = s->failed;
    s->failed = SG_OK;
    pthread_mutex_unlock(&s->lock);
    return failed ? sg_fail(failed, "%s", s->failure) : SG_OK;
}

sg_err sg_saver_start(sg_saver *s, bool best)
{
    if (!s)
        return SG_OK;
    count_stop(s);
    wait_past(s, WRITING);
    sg_err err = sg_saver_failure(s);
    const double start = sg_now();
    s->position = s->tr->position;
    s->miou = s->tr->miou;
    s->averaged = s->tr->average.steps;
    s->best = best;
    if (s->mining.cells > 0)
        sg_mining_state_copy(&s->mining, &s->tr->sampler.sampler.mining->saved);
    if (!err)
        err = copy_state(s);
    if (!err && !on_host(s))
        err = copy_trainable(s);
    s->stopped += sg_now() - start;
    if (!err)
        enter(s, COPYING);
    return err;
}

void sg_saver_let_change(sg_saver *s)
{
    if (s)
        wait_past(s, COPYING);
}

/* Called where a run ends: that is no stop. */
sg_err sg_saver_finish(sg_saver *s)
{
    if (!s)
        return SG_OK;
    count_stop(s);
    wait_past(s, WRITING);
    s->stopped = 0;
    return sg_saver_failure(s);
}

void sg_saver_get_report(const sg_saver *s, sg_saver_report *report)
{
    if (s)
        *report = s->report;
    else
        memset(report, 0, sizeof *report);
}
