/*
 * Training on the emulated GPU, where passes are recorded and repeated, gives the bytes that passes
 * without recordings give: with dropout, falling momenta, sections between which the caller is
 * told, parts of a step, values computed twice, weights of pixels, and batches sent ahead.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/rng.h"
#include "cuda/cuda.h"
#include "cuda_runtime_api.h"
#include "op/session.h"

enum { STEPS = 5, BANDS = 4, CLASSES = 3, BATCH = 2, SIDE = 16 };
enum { PIXELS = BATCH * SIDE * SIDE };

typedef struct {
    sg_dtype type;
    bool recompute, sends;
    size_t every;     /* elements; 0: nobody is told */
    int32_t parts;    /* of a step */
    float scale_from; /* the loss's scale from step 3 on, over the one before */
} variant;

/* What a training leaves. */
typedef struct {
    double loss[STEPS];
    float *numbers; /* gradient, weights, statistics */
    size_t count;
    int launches; /* of graphs */
    size_t told;  /* calls in all */
} outcome;

static void must(sg_err err)
{
    if (err)
        fail_msg("%s", sg_error_text());
}

typedef struct {
    size_t calls, last;
} teller;

static void tell(void *user, size_t ready)
{
    teller *t = user;
    t->calls++;
    assert_true(ready > t->last);
    t->last = ready;
}

typedef struct {
    uint8_t values[PIXELS * BANDS], labels[PIXELS];
    sg_raw_image image[BATCH];
} batch;

static void make_batch(batch *b, int step)
{
    static const float shift[BANDS] = {90, 100, 120, 130}, scale[BANDS] = {.01f, .02f, .03f, .01f};
    for (size_t i = 0; i < sizeof b->values; i++)
        b->values[i] = (uint8_t)(sg_random(4, SG_STREAM_SCENE, i / BANDS, (uint32_t)step).v[0] >>
                                 (8 * (i % BANDS)));
    for (size_t i = 0; i < PIXELS; i++)
        b->labels[i] = (uint8_t)(b->values[i * BANDS] % CLASSES);
    for (int32_t k = 0; k < BATCH; k++)
        b->image[k] = (sg_raw_image){.type = SG_RAW_U8,
                                     .turn = (step + k) % 8,
                                     .values = b->values + k * SIDE * SIDE * BANDS,
                                     .shift = shift,
                                     .scale = scale};
}

static void run_part(op_session *s, const variant *v, int step, int32_t part, const batch *b,
                     const batch *next, const float *class_weight, outcome *out)
{
    sg_run run = {.seed = 2,
                  .step = (uint64_t)step,
                  .first_sample = (uint64_t)(part * BATCH),
                  .class_weight = class_weight,
                  .loss_scale = (step >= 3 ? v->scale_from : 1) / PIXELS};
    teller t = {0};
    must(sg_exec_forward_images(s->exec, b->image, BATCH, b->labels, &run));
    if (v->sends && next)
        sg_exec_send(s->exec, next->image, BATCH, next->labels);
    must(sg_exec_backward(s->exec, &run, v->every > 0 ? tell : NULL, &t));
    assert_int_equal(t.last, v->every > 0 ? s->params->layout->trainable_count : 0);
    out->told += t.calls;
    out->loss[step] += run.loss_sum / run.weight_sum;
}

static void update(op_session *s, int step)
{
    const sg_update rule = {.rule = SG_ADAMW,
                            .rate = 1e-2f,
                            .decay = 1e-2f,
                            .beta1 = .9f,
                            .beta2 = .999f,
                            .epsilon = 1e-8f,
                            .gradient_scale = 1,
                            .step = step + 1};
    sg_weights *w = s->weights;
    must(sg_update_step(&s->pieces, &rule, w->trainable, w->gradient, w->m, w->v));
    sg_weights_changed(w);
}

static void take_numbers(const op_session *s, sg_backend *backend, outcome *out)
{
    const sg_param_layout *layout = s->params->layout;
    size_t n = layout->trainable_count, states = layout->state_count;
    out->count = 2 * n + states;
    out->numbers = malloc(out->count * sizeof *out->numbers);
    must(backend->download(backend, out->numbers, s->weights->gradient, n * sizeof(float)));
    must(backend->download(backend, out->numbers + n, s->weights->trainable, n * sizeof(float)));
    must(backend->download(backend, out->numbers + 2 * n, s->weights->state,
                           states * sizeof(float)));
}

static outcome train(const variant *v)
{
    static batch batches[STEPS];
    const sg_cuda_options options = {0};
    const float weight[CLASSES] = {1, 2, .5f};
    sg_model_options model = sg_model_defaults();
    sg_backend *backend = NULL;
    op_session s;
    outcome out = {.launches = sg_emulated_graph_launches()};
    void *class_weight = NULL;
    must(sg_model_parse("unet,width=8,depth=2,dropout=0.3", &model));
    model.bands = BANDS;
    model.classes = CLASSES;
    const op_session_options session = {.model = &model,
                                        .input = {BATCH, SIDE, SIDE, BANDS},
                                        .type = v->type,
                                        .recompute = v->recompute};
    must(sg_cuda_open(&backend, &options));
    must(op_session_open(&s, backend, &session));
    sg_exec_tell_every(s.exec, v->every);
    must(backend->alloc(backend, sizeof weight, &class_weight));
    must(backend->upload(backend, class_weight, weight, sizeof weight));
    for (int step = 0; step < STEPS; step++)
        make_batch(&batches[step], step);
    for (int step = 0; step < STEPS; step++) {
        const batch *next = step + 1 < STEPS ? &batches[step + 1] : NULL;
        for (int32_t part = 0; part < v->parts; part++)
            run_part(&s, v, step, part, &batches[step], part + 1 < v->parts ? NULL : next,
                     class_weight, &out);
        update(&s, step);
    }
    take_numbers(&s, backend, &out);
    op_session_close(&s);
    backend->free(backend, class_weight);
    sg_backend_close(backend);
    out.launches = sg_emulated_graph_launches() - out.launches;
    return out;
}

/* The same without recordings, and without anything sent ahead. */
static outcome train_plainly(const variant *v)
{
    variant plain = *v;
    plain.sends = false;
    setenv("SEGTILES_EMULATED_CAPTURE", "no", 1);
    outcome out = train(&plain);
    unsetenv("SEGTILES_EMULATED_CAPTURE");
    assert_int_equal(out.launches, 0);
    return out;
}

static void expect_same(const variant *v, int least_launches)
{
    outcome got = train(v), wanted = train_plainly(v);
    assert_true(got.launches >= least_launches);
    assert_int_equal(got.told, wanted.told);
    assert_memory_equal(got.loss, wanted.loss, sizeof got.loss);
    assert_int_equal(got.count, wanted.count);
    assert_memory_equal(got.numbers, wanted.numbers, got.count * sizeof(float));
    assert_true(got.loss[STEPS - 1] < got.loss[0]);
    free(got.numbers);
    free(wanted.numbers);
}

/* All steps but the first: weights, forward, backward. */
static void recorded_steps_give_what_plain_ones_give(void **state)
{
    for (sg_dtype type = SG_F32; type <= SG_BF16; type++) {
        const variant v = {.type = type, .parts = 1, .scale_from = 1, .sends = true};
        expect_same(&v, 3 * (STEPS - 1));
    }
}

static void sections_and_parts_are_recorded_too(void **state)
{
    const variant sections = {.parts = 1, .scale_from = 1, .every = 1000, .sends = true};
    const variant fine = {.parts = 2, .scale_from = 1, .every = 1};
    expect_same(&sections, 5 * (STEPS - 1));
    expect_same(&fine, 10 * (STEPS - 1));
}

static void values_computed_twice_are_recorded_too(void **state)
{
    const variant v = {.recompute = true, .parts = 1, .scale_from = 1, .sends = true};
    expect_same(&v, 3 * (STEPS - 1));
}

/* The scale stands in the recordings. */
static void another_scale_is_recorded_anew(void **state)
{
    const variant v = {.parts = 1, .scale_from = 2, .sends = true};
    expect_same(&v, 2 * (STEPS - 2));
}

static void a_label_that_is_no_class_is_told_when_the_pass_has_ended(void **state)
{
    const sg_cuda_options options = {0};
    sg_model_options model = sg_model_defaults();
    sg_backend *backend = NULL;
    op_session s;
    static batch b;
    must(sg_model_parse("unet,width=8,depth=1", &model));
    model.bands = BANDS;
    model.classes = CLASSES;
    const op_session_options session = {.model = &model, .input = {BATCH, SIDE, SIDE, BANDS}};
    must(sg_cuda_open(&backend, &options));
    must(op_session_open(&s, backend, &session));
    for (int step = 0; step < 4; step++) {
        sg_run run = {.step = (uint64_t)step, .loss_scale = 1};
        make_batch(&b, step);
        b.labels[77] = step % 2 ? 9 : 0;
        must(sg_exec_forward_images(s.exec, b.image, BATCH, b.labels, &run));
        assert_int_equal(sg_exec_backward(s.exec, &run, NULL, NULL), step % 2 ? SG_EINPUT : SG_OK);
        if (step % 2)
            assert_non_null(strstr(sg_error_text(), "9"));
    }
    op_session_close(&s);
    sg_backend_close(backend);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recorded_steps_give_what_plain_ones_give),
        cmocka_unit_test(sections_and_parts_are_recorded_too),
        cmocka_unit_test(values_computed_twice_are_recorded_too),
        cmocka_unit_test(another_scale_is_recorded_anew),
        cmocka_unit_test(a_label_that_is_no_class_is_told_when_the_pass_has_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
