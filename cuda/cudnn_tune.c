/* Timing the best few engines for a convolution, and remembering which one was fastest. */
#include "cuda/cudnn_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "base/size.h"
#include "base/text.h"
#include "cuda/tune_kernels.h"

enum { TRIED = 4, ROUNDS = 3, REPEATS = 4 };

sg_err sg_cudnn_tune_wish(sg_tune *tune)
{
    static const char *const word[] = {
        [SG_TUNE_OFF] = "off", [SG_TUNE_SAME] = "same", [SG_TUNE_FREE] = "free"};
    const char *wish = getenv("SEGTILES_TUNE");
    *tune = SG_TUNE_SAME;
    if (!wish || !*wish)
        return SG_OK;
    for (int i = 0; i < 3; i++)
        if (strcmp(wish, word[i]) == 0) {
            *tune = (sg_tune)i;
            return SG_OK;
        }
    return sg_fail(SG_EUSAGE, "SEGTILES_TUNE is \"%s\"; there are off, same and free", wish);
}

/* ---- names ---- */

/* In prediction bits always count. */
static bool wants_same(const sg_cudnn *cudnn, const sg_conv_request *r)
{
    return r->steady || cudnn->tune != SG_TUNE_FREE;
}

sg_err sg_cudnn_key(const sg_cudnn *cudnn, const sg_conv_request *r, sg_text *key)
{
    const sg_conv_geometry *g = &r->geometry;
    const int64_t numbers[] = {g->big.n,
                               g->big.h,
                               g->big.w,
                               g->big.c,
                               g->small.h,
                               g->small.w,
                               g->small.c,
                               g->kernel_h,
                               g->kernel_w,
                               g->stride_h,
                               g->stride_w,
                               g->dilation_h,
                               g->dilation_w,
                               g->pad_h,
                               g->pad_w,
                               g->groups,
                               r->target,
                               r->type,
                               r->tf32,
                               r->result_type,
                               r->bias,
                               r->relu,
                               wants_same(cudnn, r),
                               r->added};
    sg_err err = sg_text_add(key, "%s;", cudnn->chip);
    for (size_t i = 0; !err && i < sizeof numbers / sizeof *numbers; i++)
        err = sg_text_add(key, " %" PRId64, numbers[i]);
    return err;
}

bool sg_cudnn_name(cudnnBackendDescriptor_t config, char *name)
{
    cudnnBackendDescriptor_t knob[CUDNN_KNOB_TYPE_COUNTS] = {0};
    int64_t engine = 0, knobs = 0, count = 0, value = 0;
    int made = sg_cudnn_make_knobs(knob);
    bool known = sg_cudnn_engine_of(config, &engine) &&
                 !sg_cudnn_get_part(config, CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, made, &knobs, knob);
    int length = snprintf(name, SG_PLAN_CHOICE_MAX, "%" PRId64, engine);
    for (int64_t i = 0; known && i < knobs && i < made; i++) {
        cudnnBackendKnobType_t type = CUDNN_KNOB_TYPE_COUNTS;
        known = !cudnnBackendGetAttribute(knob[i], CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE,
                                          CUDNN_TYPE_KNOB_TYPE, 1, &count, &type) &&
                !cudnnBackendGetAttribute(knob[i], CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE,
                                          CUDNN_TYPE_INT64, 1, &count, &value);
        length += snprintf(name + length, (size_t)(SG_PLAN_CHOICE_MAX - length), " %d=%" PRId64,
                           (int)type, value);
        known = known && length < SG_PLAN_CHOICE_MAX;
    }
    for (int i = 0; i < CUDNN_KNOB_TYPE_COUNTS; i++)
        sg_cudnn_destroy(knob[i]);
    return known;
}

static int find_named(const sg_cudnn_proposals *found, const char *wanted)
{
    char name[SG_PLAN_CHOICE_MAX];
    for (int i = 0; i < found->count; i++)
        if (sg_cudnn_name(found->config[i], name) && strcmp(name, wanted) == 0)
            return i;
    return -1;
}

/* ---- timing ---- */

/* A convolution being tried, with memory of its own. */
typedef struct {
    sg_cudnn_plan plan;         /* of the proposal that is being tried */
    void *a, *b, *bias, *added; /* operands */
    void *first, *result;       /* of the first proposal that built; of this one */
    uint32_t *differs;          /* on the device */
    cudaEvent_t begin, end;
    bool same; /* only those with the first one's bits count */
    bool any;  /* there is a first one */
    float best_ms;
} trial;

static sg_err open_trial(trial *t, sg_cudnn *cudnn, const sg_conv_request *r)
{
    sg_cuda *cuda = cudnn->cuda;
    size_t count[3]; /* of a, b, the result */
    for (int i = 0; i < 3; i++)
        count[i] = sg_shape_count(sg_cudnn_operand(r, SG_CUDNN_A + i));
    size_t operand = sg_dtype_size(r->type), result = sg_dtype_size(r->result_type);
    t->plan = (sg_cudnn_plan){.cudnn = cudnn, .request = *r};
    sg_err err = sg_cuda_alloc(cuda, count[0] * operand, &t->a);
    if (!err)
        err = sg_cuda_alloc(cuda, count[1] * operand, &t->b);
    if (!err)
        err = sg_cuda_alloc(cuda, count[2] * result, &t->first);
    if (!err)
        err = sg_cuda_alloc(cuda, count[2] * result, &t->result);
    if (!err)
        err = sg_cuda_alloc(cuda, sizeof *t->differs, (void **)&t->differs);
    if (!err && r->bias)
        err = sg_cuda_alloc(cuda, (size_t)r->geometry.small.c * sizeof(float), &t->bias);
    if (!err && r->added)
        err = sg_cuda_alloc(cuda, count[2] * operand, &t->added);
    if (!err && r->added)
        err = sg_tune_fill(cuda, t->added, r->type, count[2], 4);
    if (!err)
        err = sg_tune_fill(cuda, t->a, r->type, count[0], 1);
    if (!err)
        err = sg_tune_fill(cuda, t->b, r->type, count[1], 2);
    if (!err && r->bias)
        err = sg_tune_fill(cuda, t->bias, SG_F32, (size_t)r->geometry.small.c, 3);
    if (!err)
        err = sg_cuda_check(cudaEventCreate(&t->begin), "an event cannot be made");
    return err ? err : sg_cuda_check(cudaEventCreate(&t->end), "an event cannot be made");
}

static void close_trial(trial *t)
{
    void *const memory[] = {t->a, t->b, t->bias, t->added, t->first, t->result, t->differs};
    for (size_t i = 0; i < sizeof memory / sizeof *memory; i++)
        sg_cuda_free(t->plan.cudnn->cuda, memory[i]);
    if (t->begin)
        cudaEventDestroy(t->begin);
    if (t->end)
        cudaEventDestroy(t->end);
}

/* The fastest of a few rounds, milliseconds; the first run, which loads what it needs, is apart. */
static sg_err time_plan(trial *t, void *result, void *workspace, float *ms)
{
    cudaStream_t stream = t->plan.cudnn->cuda->stream;
    const sg_conv_tensors tensors = {t->a, t->b, t->bias, t->added, result, workspace};
    sg_err err = sg_cudnn_plan_run(&t->plan, &tensors);
    for (int round = 0; !err && round < ROUNDS; round++) {
        float took = 0;
        err = sg_cuda_check(cudaEventRecord(t->begin, stream), "a clock cannot be started");
        for (int i = 0; !err && i < REPEATS; i++)
            err = sg_cudnn_plan_run(&t->plan, &tensors);
        if (!err)
            err = sg_cuda_check(cudaEventRecord(t->end, stream), "a clock cannot be stopped");
        if (!err)
            err = sg_cuda_check(cudaEventSynchronize(t->end), "a convolution failed");
        if (!err)
            err = sg_cuda_check(cudaEventElapsedTime(&took, t->begin, t->end),
                                "a clock cannot be read");
        *ms = round == 0 || took < *ms ? took : *ms;
    }
    return err;
}

static sg_err compare(const trial *t, bool *same)
{
    const sg_conv_request *r = &t->plan.request;
    sg_cuda *cuda = t->plan.cudnn->cuda;
    uint32_t differs = 0;
    sg_err err = sg_cuda_upload(cuda, t->differs, &differs, sizeof differs);
    if (!err)
        err = sg_tune_differ(cuda, t->first, t->result, r->result_type,
                             sg_shape_count(sg_cudnn_operand(r, SG_CUDNN_RESULT)), t->differs);
    if (!err)
        err = sg_cuda_download(cuda, &differs, t->differs, sizeof differs);
    *same = differs == 0;
    return err;
}

/* Try one proposal: better says whether it is the best so far. One that fails is passed over. */
static void try_one(trial *t, bool *better)
{
    void *workspace = NULL, *result = t->any ? t->result : t->first;
    float ms = 0;
    bool same = true;
    *better = false;
    sg_err err = sg_cuda_alloc(t->plan.cudnn->cuda, t->plan.workspace_bytes, &workspace);
    if (!err)
        err = time_plan(t, result, workspace, &ms);
    if (!err && t->any && t->same)
        err = compare(t, &same);
    if (!err && same) {
        *better = !t->any || ms < t->best_ms;
        t->best_ms = *better ? ms : t->best_ms;
    }
    t->any = t->any || !err;
    cudaStreamSynchronize(t->plan.cudnn->cuda->stream); /* before the workspace goes */
    sg_cuda_free(t->plan.cudnn->cuda, workspace);
}

/* The number of the fastest proposal; -1 when none could be timed. */
static int fastest(trial *t, const sg_cudnn_proposals *found)
{
    int best = -1, tried = 0;
    for (int i = 0; i < found->count && tried < TRIED; i++) {
        bool better;
        if (!sg_cudnn_build(&t->plan, found->config[i]))
            continue;
        try_one(t, &better);
        best = better ? i : best;
        /* the first that builds must run: the others are held against it */
        tried = t->any ? tried + 1 : TRIED;
        sg_cudnn_destroy(t->plan.pack);
        sg_cudnn_destroy(t->plan.plan);
        t->plan.pack = t->plan.plan = NULL;
    }
    return best;
}

static int measure(sg_cudnn *cudnn, const sg_conv_request *r, const sg_cudnn_proposals *found)
{
    trial t = {.same = wants_same(cudnn, r)};
    if (!cudnn->cuda)
        return -1;
    int best = open_trial(&t, cudnn, r) == SG_OK ? fastest(&t, found) : -1;
    if (best < 0)
        sg_verbose("a convolution of %d to %d channels is not timed: %s", (int)r->geometry.big.c,
                   (int)r->geometry.small.c, sg_error_text());
    close_trial(&t);
    return best;
}

/* Up to now the order said what is best; the others keep theirs. */
static void move_to_front(sg_cudnn_proposals *found, int at)
{
    cudnnBackendDescriptor_t best = found->config[at];
    memmove(found->config + 1, found->config, (size_t)at * sizeof *found->config);
    found->config[0] = best;
}

void sg_cudnn_prefer(sg_cudnn *cudnn, const sg_conv_request *r, sg_cudnn_proposals *found)
{
    char choice[SG_PLAN_CHOICE_MAX];
    sg_text key = {0};
    int best = -1;
    if (!cudnn->cache || found->count < 2 || sg_cudnn_key(cudnn, r, &key)) {
        sg_text_clear(&key);
        return;
    }
    if (sg_plan_cache_find(cudnn->cache, key.data, choice))
        best = find_named(found, choice);
    if (best < 0) {
        best = measure(cudnn, r, found);
        if (best >= 0 && sg_cudnn_name(found->config[best], choice))
            sg_plan_cache_keep(cudnn->cache, key.data, choice);
    }
    if (best > 0)
        move_to_front(found, best);
    sg_text_clear(&key);
}
