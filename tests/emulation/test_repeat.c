/*
 * Forward passes that are recorded and repeated on the emulated GPU give what a pass that was never
 * recorded gives: with other inputs, other weights, scratch memory that has moved, and where
 * nothing can be recorded.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/rng.h"
#include "cuda/cuda.h"
#include "cuda_runtime_api.h"
#include "model/model.h"
#include "nn/exec.h"
#include "nn/fuse.h"

enum { SIDE = 32, BANDS = 4, CLASSES = 3, PASSES = 5 };
enum { PIXELS = SIDE * SIDE, LARGE = 3 };

typedef struct {
    sg_backend *backend;
    sg_graph *plain, *folded;
    sg_params *params, *folded_params;
    sg_weights *weights;
} session;

static void must(sg_err err)
{
    if (err)
        fail_msg("%s", sg_error_text());
}

static session open_session(sg_backend *backend)
{
    session s = {.backend = backend};
    sg_model_options options = sg_model_defaults();
    options.bands = BANDS;
    options.classes = CLASSES;
    options.width = 8;
    options.depth = 2;
    must(sg_model_build(&options, &s.plain));
    must(sg_params_create(s.plain, &s.params));
    must(sg_params_init(s.plain, s.params, 3));
    must(sg_graph_fold(s.plain, s.params, &s.folded, &s.folded_params));
    must(sg_weights_create(backend, s.folded_params, false, &s.weights));
    return s;
}

static void close_session(session *s)
{
    sg_weights_close(s->weights);
    sg_params_close(s->folded_params);
    sg_params_close(s->params);
    sg_graph_close(s->folded);
    sg_graph_close(s->plain);
}

static sg_exec *open_exec(const session *s, int64_t n, int64_t side)
{
    sg_exec *exec = NULL;
    must(sg_exec_create(s->backend, s->folded, s->weights, (sg_shape){n, side, side, BANDS}, SG_F32,
                        SG_PLAN_INFERENCE, &exec));
    return exec;
}

/* The probabilities of input number `pass`. */
static void classify(sg_exec *exec, uint64_t pass, float *probabilities)
{
    static float input[PIXELS * BANDS];
    static uint8_t classes[PIXELS];
    for (size_t i = 0; i < PIXELS * BANDS; i++)
        input[i] = 2 * sg_uniform(sg_random(pass, SG_STREAM_SCENE, i, 0).v[0]) - 1;
    must(sg_exec_forward(exec, input, NULL, NULL));
    must(sg_exec_classify(exec, classes, probabilities));
}

/* The same by an executor whose first and only pass it is, which is never recorded. */
static void expect_plain(const session *s, uint64_t pass, const float *got)
{
    static float wanted[PIXELS * CLASSES];
    sg_exec *exec = open_exec(s, 1, SIDE);
    classify(exec, pass, wanted);
    sg_exec_close(exec);
    assert_memory_equal(wanted, got, sizeof wanted);
}

/* Passes over inputs of their own; before one of them the weights change, before another memory
 * moves. */
static void compare_passes(sg_backend *backend)
{
    static float got[PIXELS * CLASSES];
    session s = open_session(backend);
    sg_exec *exec = open_exec(&s, 1, SIDE), *large = NULL;
    for (uint64_t pass = 0; pass < PASSES; pass++) {
        if (pass == 3) {
            s.folded_params->trainable[0] += 1;
            must(sg_weights_to_device(s.weights));
        }
        if (pass == 4)
            large = open_exec(&s, LARGE, 2 * SIDE);
        classify(exec, pass, got);
        expect_plain(&s, pass, got);
    }
    sg_exec_close(large);
    sg_exec_close(exec);
    close_session(&s);
}

static sg_backend *open_backend(void)
{
    const sg_cuda_options options = {0};
    sg_backend *backend = NULL;
    must(sg_cuda_open(&backend, &options));
    return backend;
}

static void recorded_passes_give_what_plain_ones_give(void **state)
{
    sg_backend *backend = open_backend();
    int before = sg_emulated_graph_launches();
    compare_passes(backend);
    /* all passes but the first, and the second refresh of the weights */
    assert_int_equal(sg_emulated_graph_launches() - before, PASSES);
    sg_backend_close(backend);
}

static void what_cannot_be_recorded_runs_plainly(void **state)
{
    sg_backend *backend = open_backend();
    int before = sg_emulated_graph_launches();
    setenv("SEGTILES_EMULATED_CAPTURE", "no", 1);
    compare_passes(backend);
    unsetenv("SEGTILES_EMULATED_CAPTURE");
    assert_int_equal(sg_emulated_graph_launches(), before);
    sg_backend_close(backend);
}

/* ---- work that is not to be recorded ---- */

typedef struct {
    sg_backend *backend;
    void *memory;
    uint8_t bytes[4];
    int calls;
} copying;

static sg_err copy_up(void *context)
{
    copying *c = context;
    c->calls++;
    return c->backend->upload(c->backend, c->memory, c->bytes, sizeof c->bytes);
}

static void a_copy_from_the_host_is_not_recorded(void **state)
{
    copying c = {.backend = open_backend()};
    void *recording = NULL;
    uint8_t back[4];
    must(c.backend->alloc(c.backend, sizeof back, &c.memory));
    for (int i = 0; i < 4; i++) {
        c.bytes[0] = (uint8_t)i;
        must(c.backend->repeat(c.backend, &recording, copy_up, &c, NULL));
        must(c.backend->download(c.backend, back, c.memory, sizeof back));
        assert_int_equal(back[0], i);
    }
    assert_int_equal(c.calls, 5); /* one in vain */
    c.backend->forget(c.backend, recording);
    c.backend->forget(c.backend, NULL);
    c.backend->free(c.backend, c.memory);
    sg_backend_close(c.backend);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recorded_passes_give_what_plain_ones_give),
        cmocka_unit_test(what_cannot_be_recorded_runs_plainly),
        cmocka_unit_test(a_copy_from_the_host_is_not_recorded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
