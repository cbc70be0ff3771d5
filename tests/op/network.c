#include "op/network.h"

#include <math.h>
#include <string.h>
#include "base/size.h"
#include "nn/fuse.h"
#include "op/session.h"

enum { STEPS = 6, BANDS = 4, CLASSES = 5, BATCH = 3, HEIGHT = 24, WIDTH = 32 };
enum { PIXELS = HEIGHT * WIDTH, ALL_PIXELS = BATCH * PIXELS };

/* A batch: noise, and labels that follow from it. */
typedef struct {
    float input[ALL_PIXELS * BANDS];
    uint8_t labels[ALL_PIXELS];
} batch;

static void make_batch(batch *b)
{
    op_make_batch((sg_shape){BATCH, HEIGHT, WIDTH, BANDS}, CLASSES, b->input, b->labels);
}

static sg_model_options small_unet(void)
{
    sg_model_options options = sg_model_defaults();
    options.bands = BANDS;
    options.classes = CLASSES;
    options.width = 8;
    options.depth = 2;
    options.dropout = .1f;
    return options;
}

/* ---- training ---- */

static sg_err train(sg_backend *backend, sg_dtype type, const batch *b, double *loss)
{
    const sg_model_options model = small_unet();
    const op_session_options options = {
        .model = &model, .input = {BATCH, HEIGHT, WIDTH, BANDS}, .type = type, .rate = 3e-3f};
    op_session s;
    sg_err err = op_session_open(&s, backend, &options);
    for (int32_t i = 0; !err && i < STEPS; i++)
        err = op_session_step(&s, b->input, b->labels, i, &loss[i]);
    op_session_close(&s);
    return err;
}

static sg_err compare_losses(sg_backend *backend, sg_dtype type, const batch *b)
{
    /* Adam's first steps move every weight by the rate, however small its gradient, so rounding
     * grows with the steps: some 1e3 roundings of f32, and in bf16 some of the activations'. */
    const double bound = type == SG_F32 ? 2e-4 : 4e-2;
    double wanted[STEPS], got[STEPS];
    sg_backend *reference = NULL;
    sg_err err = sg_reference_open(&reference);
    if (!err)
        err = train(reference, SG_F32, b, wanted);
    if (!err)
        err = train(backend, type, b, got);
    sg_backend_close(reference);
    if (!err && !(wanted[STEPS - 1] < .95 * wanted[0]))
        return sg_fail(SG_EINTERNAL, "the reference does not learn: loss %g, then %g", wanted[0],
                       wanted[STEPS - 1]);
    for (int i = 0; !err && i < STEPS; i++)
        if (!(fabs(got[i] - wanted[i]) <= bound * wanted[i]))
            err = sg_fail(SG_EINTERNAL, "loss of step %d in %s: %.9g, the reference has %.9g", i,
                          sg_dtype_name(type), got[i], wanted[i]);
    return err;
}

sg_err op_compare_training(sg_backend *backend, sg_dtype type)
{
    batch *b = NULL;
    sg_err err = sg_malloc(1, sizeof *b, &b);
    if (err)
        return err;
    make_batch(b);
    err = compare_losses(backend, type, b);
    sg_free(b);
    return err;
}

static sg_err train_without_recordings(sg_backend *backend, sg_dtype type, const batch *b,
                                       double *loss)
{
    sg_backend kept = *backend;
    backend->repeat = NULL;
    sg_err err = train(backend, type, b, loss);
    backend->repeat = kept.repeat;
    return err;
}

sg_err op_compare_recordings(sg_backend *backend, sg_dtype type)
{
    double recorded[STEPS], plain[STEPS];
    batch *b = NULL;
    if (!backend->repeat)
        return SG_OK;
    sg_err err = sg_malloc(1, sizeof *b, &b);
    if (!err) {
        make_batch(b);
        err = train(backend, type, b, recorded);
    }
    if (!err)
        err = train_without_recordings(backend, type, b, plain);
    for (int i = 0; !err && i < STEPS; i++)
        if (memcmp(&recorded[i], &plain[i], sizeof plain[i]))
            err = sg_fail(SG_EINTERNAL, "loss of step %d in %s: %.17g recorded, %.17g plainly", i,
                          sg_dtype_name(type), recorded[i], plain[i]);
    sg_free(b);
    return err;
}

/* ---- prediction ---- */

typedef struct {
    batch batch;
    uint8_t classes[2][ALL_PIXELS];               /* of the backend, of the reference */
    float probabilities[2][ALL_PIXELS * CLASSES]; /* likewise */
    float alone[PIXELS * CLASSES];
} predictions;

/* The first `samples` of the batch, through the folded network. */
static sg_err predict(sg_backend *backend, const sg_graph *graph, sg_params *params,
                      const float *input, int64_t samples, uint8_t *classes, float *probabilities)
{
    sg_weights *weights = NULL;
    sg_exec *exec = NULL;
    sg_err err = sg_weights_create(backend, params, false, &weights);
    if (!err)
        err = sg_exec_create(backend, graph, weights, (sg_shape){samples, HEIGHT, WIDTH, BANDS},
                             SG_F32, SG_PLAN_INFERENCE, &exec);
    if (!err)
        err = sg_exec_forward(exec, input, NULL, NULL);
    if (!err)
        err = sg_exec_classify(exec, classes, probabilities);
    sg_exec_close(exec);
    sg_weights_close(weights);
    return err;
}

static sg_err compare_predictions(const predictions *p)
{
    const double bound = 1e-4; /* some hundred roundings of f32, times the logits' size */
    for (size_t i = 0; i < ALL_PIXELS; i++) {
        const float *wanted = &p->probabilities[1][i * CLASSES];
        double difference = 0;
        for (size_t c = 0; c < CLASSES; c++)
            difference = fmax(difference, fabsf(wanted[c] - p->probabilities[0][i * CLASSES + c]));
        bool tie = wanted[p->classes[1][i]] - wanted[p->classes[0][i]] < bound;
        if (!(difference <= bound) || !tie)
            return sg_fail(SG_EINTERNAL,
                           "pixel %zu is of class %d, the reference says %d; probabilities differ "
                           "by %.3g",
                           i, (int)p->classes[0][i], (int)p->classes[1][i], difference);
    }
    if (memcmp(p->alone, p->probabilities[0], sizeof p->alone))
        return sg_fail(SG_EINTERNAL, "a sample alone has other bits than in a batch");
    return SG_OK;
}

static sg_err predict_all(sg_backend *backend, const sg_graph *graph, sg_params *params,
                          predictions *p)
{
    const float *input = p->batch.input;
    sg_backend *reference = NULL;
    sg_err err = predict(backend, graph, params, input, 1, p->classes[0], p->alone);
    if (!err)
        err = predict(backend, graph, params, input, BATCH, p->classes[0], p->probabilities[0]);
    if (!err)
        err = sg_reference_open(&reference);
    if (!err)
        err = predict(reference, graph, params, input, BATCH, p->classes[1], p->probabilities[1]);
    sg_backend_close(reference);
    return err ? err : compare_predictions(p);
}

sg_err op_compare_prediction(sg_backend *backend)
{
    sg_graph *plain = NULL, *folded = NULL;
    sg_params *params = NULL, *folded_params = NULL;
    predictions *p = NULL;
    sg_err err = sg_malloc(1, sizeof *p, &p);
    const sg_model_options model = small_unet();
    if (!err)
        err = sg_model_build(&model, &plain);
    if (!err)
        err = sg_params_create(plain, &params);
    if (!err)
        err = sg_params_init(plain, params, 9);
    if (!err)
        err = sg_graph_fold(plain, params, &folded, &folded_params);
    if (!err) {
        make_batch(&p->batch);
        err = predict_all(backend, folded, folded_params, p);
    }
    sg_params_close(folded_params);
    sg_graph_close(folded);
    sg_params_close(params);
    sg_graph_close(plain);
    sg_free(p);
    return err;
}
