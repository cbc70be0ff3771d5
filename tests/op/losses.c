#include "op/whole.h"

#include <math.h>
#include <stdio.h>
#include "base/size.h"
#include "op/session.h"

enum { STEPS = 50, BANDS = 4, CLASSES = 3, BATCH = 2, SIDE = 32 };

/*
 * How far losses may be from the reference's. Two right implementations differ by roundings, and
 * training makes more of a difference with every step, in deep networks by orders of magnitude. How
 * much, the reference shows itself: trained once more from weights that are SHAKE away (2^-19, what
 * random roundings of f32 make of a sum of a thousand terms), its losses move so far. Those of a
 * backend, which is a little off in every step, may be MOST times as far; FLOOR, a hundred
 * roundings, is for the first steps, before a ReLU or a pooling choice goes the other way.
 */
static const double SHAKE = 1.9e-6, MOST = 10, FLOOR = 6e-6;

typedef struct {
    const char *network;
    float rate; /* of plain descent: Adam's first steps blow up rounding by themselves */
} losses_case;

static const losses_case cases[] = {
    {"unet,width=8,depth=2", 1e-2f},
    {"deeplabv3+,encoder=resnet18,width=16", 2e-3f},
};

static sg_err train(sg_backend *backend, const losses_case *c, double shake, double *loss)
{
    static float input[BATCH * SIDE * SIDE * BANDS];
    static uint8_t labels[BATCH * SIDE * SIDE];
    sg_model_options model = sg_model_defaults();
    sg_err err = sg_model_parse(c->network, &model);
    model.bands = BANDS;
    model.classes = CLASSES;
    const op_session_options options = {.model = &model,
                                        .input = {BATCH, SIDE, SIDE, BANDS},
                                        .type = SG_F32,
                                        .rate = c->rate,
                                        .sgd = true,
                                        .shake = shake};
    op_session s = {0};
    op_make_batch(options.input, CLASSES, input, labels);
    if (!err)
        err = op_session_open(&s, backend, &options);
    for (int32_t i = 0; !err && i < STEPS; i++)
        err = op_session_step(&s, input, labels, i, &loss[i]);
    op_session_close(&s);
    return err;
}

static sg_err compare(const losses_case *c, const double *wanted, const double *shaken,
                      const double *got)
{
    double moved = 0, worst = 0;
    int at = -1;
    for (int i = 0; i < STEPS; i++) {
        double apart = fabs(got[i] - wanted[i]) / wanted[i];
        moved = fmax(moved, fabs(shaken[i] - wanted[i]) / wanted[i]);
        worst = fmax(worst, apart);
        if (at < 0 && !(apart <= MOST * moved + FLOOR)) /* NaN, too */
            at = i;
    }
    printf("%s: loss %.6f, after %d steps %.6f; largest difference %.2g of it, the shaken "
           "reference's %.2g\n",
           c->network, wanted[0], STEPS, wanted[STEPS - 1], worst, moved);
    if (!(wanted[STEPS - 1] < wanted[0]))
        return sg_fail(SG_EINTERNAL, "%s: the reference does not learn", c->network);
    if (at >= 0)
        return sg_fail(SG_EINTERNAL,
                       "%s: the loss of step %d is %.9g, the reference has %.9g and, shaken, %.9g",
                       c->network, at, got[at], wanted[at], shaken[at]);
    return SG_OK;
}

sg_err op_compare_losses(sg_backend *backend)
{
    double wanted[STEPS], shaken[STEPS], got[STEPS];
    sg_backend *reference = NULL;
    sg_err err = sg_reference_open(&reference);
    for (size_t i = 0; !err && i < sizeof cases / sizeof *cases; i++) {
        err = train(backend, &cases[i], 0, got);
        if (!err)
            err = train(reference, &cases[i], 0, wanted);
        if (!err)
            err = train(reference, &cases[i], SHAKE, shaken);
        if (!err)
            err = compare(&cases[i], wanted, shaken, got);
    }
    sg_backend_close(reference);
    return err;
}
