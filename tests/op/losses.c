#include "op/whole.h"

#include <math.h>
#include <stdio.h>
#include "base/size.h"
#include "op/session.h"

enum { STEPS = 50, BANDS = 4, CLASSES = 3, BATCH = 2, SIDE = 32 };

typedef struct {
    const char *network;
    /*
     * Plain descent: Adam's first steps move every weight by the rate, however small its gradient,
     * so that rounding would decide where training goes. Every step adds some roundings of f32 to
     * the weights, which later steps carry on: `bound` of the loss is 1e3 roundings (2^-24) for a
     * network of ten layers, and four times that for one of sixty.
     */
    double bound;
    float rate;
} losses_case;

static const losses_case cases[] = {
    {"unet,width=8,depth=2", 6e-5, 1e-2f},
    {"deeplabv3+,encoder=resnet18,width=16", 2.4e-4, 2e-3f},
};

static sg_err train(sg_backend *backend, const losses_case *c, double *loss)
{
    static float input[BATCH * SIDE * SIDE * BANDS];
    static uint8_t labels[BATCH * SIDE * SIDE];
    sg_model_options model = sg_model_defaults();
    sg_err err = sg_model_parse(c->network, &model);
    model.bands = BANDS;
    model.classes = CLASSES;
    const op_session_options options = {
        .model = &model, .input = {BATCH, SIDE, SIDE, BANDS}, .type = SG_F32, .rate = c->rate, .sgd = true};
    op_session s = {0};
    op_make_batch(options.input, CLASSES, input, labels);
    if (!err)
        err = op_session_open(&s, backend, &options);
    for (int32_t i = 0; !err && i < STEPS; i++)
        err = op_session_step(&s, input, labels, i, &loss[i]);
    op_session_close(&s);
    return err;
}

static sg_err compare(const losses_case *c, const double *wanted, const double *got)
{
    double worst = 0;
    int at = 0;
    for (int i = 0; i < STEPS; i++) {
        double apart = fabs(got[i] - wanted[i]) / wanted[i];
        if (!(apart <= worst)) { /* NaN, too */
            worst = apart;
            at = i;
        }
    }
    printf("%s: loss %.6f, after %d steps %.6f; largest difference %.2g of it, at step %d\n",
           c->network, wanted[0], STEPS, wanted[STEPS - 1], worst, at);
    if (!(wanted[STEPS - 1] < wanted[0]))
        return sg_fail(SG_EINTERNAL, "%s: the reference does not learn", c->network);
    if (!(worst <= c->bound))
        return sg_fail(SG_EINTERNAL, "%s: the loss of step %d is %.9g, the reference has %.9g",
                       c->network, at, got[at], wanted[at]);
    return SG_OK;
}

sg_err op_compare_losses(sg_backend *backend)
{
    double wanted[STEPS], got[STEPS];
    sg_backend *reference = NULL;
    sg_err err = sg_reference_open(&reference);
    for (size_t i = 0; !err && i < sizeof cases / sizeof *cases; i++) {
        err = train(reference, &cases[i], wanted);
        if (!err)
            err = train(backend, &cases[i], got);
        if (!err)
            err = compare(&cases[i], wanted, got);
    }
    sg_backend_close(reference);
    return err;
}
