#include "op/compare.h"

#include <math.h>
#include "op/tolerance.h"

/* Both runs of a comparison, and the bounds. */
typedef struct {
    sg_backend *backend, *reference; /* backend: borrowed */
    op_problem problem;
    sg_dtype type;
    op_result wanted, magnitude, got;
} comparison;

static const sg_run run_facts = {.seed = 3, .step = 12, .first_sample = 40};

static sg_err expect_near(const comparison *c, op_quantity quantity, const char *what, int k,
                          const float *got, const float *wanted, const float *magnitude,
                          const float *prior, size_t count)
{
    if ((got == NULL) != (wanted == NULL))
        return sg_fail(SG_EINTERNAL, "%s %d is there on one side only", what, k);
    for (size_t i = 0; got && i < count; i++) {
        double before = prior ? prior[i] : 0, value = before + wanted[i];
        double bound =
            op_tolerance(&c->problem, quantity, c->type, value, magnitude[i] + fabs(before));
        if (!(fabs(got[i] - value) <= bound))
            return sg_fail(SG_EINTERNAL,
                           "%s %d, element %zu of %zu: %.9g, the reference has %.9g, bound %.3g",
                           what, k, i, count, (double)got[i], value, bound);
    }
    return SG_OK;
}

static sg_err expect_same_params(const comparison *c, int32_t k)
{
    const op_result *got = &c->got, *wanted = &c->wanted, *m = &c->magnitude;
    size_t count = op_param_count(&c->problem, k);
    sg_err err = expect_near(c, OP_PARAM_GRAD, "gradient of parameter", k, got->param_grad[k],
                             wanted->param_grad[k], m->param_grad[k], NULL, count);
    return err ? err
               : expect_near(c, OP_STATE, "running statistic", k, got->state[k], wanted->state[k],
                             m->state[k], NULL, count);
}

static sg_err expect_same_loss(const comparison *c)
{
    const op_problem *p = &c->problem;
    const op_result *got = &c->got, *wanted = &c->wanted;
    double bound = op_tolerance(p, OP_OUT, SG_F32, wanted->loss_sum, c->magnitude.out[0]);
    if (fabs(got->weight_sum - wanted->weight_sum) <= 1e-6 * wanted->weight_sum &&
        fabs(got->loss_sum - wanted->loss_sum) <= bound)
        return SG_OK;
    return sg_fail(SG_EINTERNAL, "loss %.9g of weight %.9g, the reference has %.9g and %.9g",
                   got->loss_sum, got->weight_sum, wanted->loss_sum, wanted->weight_sum);
}

static sg_err expect_same_results(const comparison *c, sg_grad_write write)
{
    const op_problem *p = &c->problem;
    const op_result *got = &c->got, *wanted = &c->wanted, *m = &c->magnitude;
    sg_err err = expect_near(c, OP_OUT, "output", 0, got->out, wanted->out, m->out, NULL,
                             sg_shape_count(p->out));
    for (int32_t k = 0; !err && k < p->row->inputs; k++)
        err = expect_near(c, OP_GRAD_IN, "gradient of input", k, got->grad_in[k],
                          wanted->grad_in[k], m->grad_in[k],
                          write == SG_GRAD_ADD ? p->prior[k] : NULL, sg_shape_count(p->in[k]));
    for (int32_t k = 0; !err && k < p->node.params; k++)
        err = expect_same_params(c, k);
    return err || !p->labels ? err : expect_same_loss(c);
}

static void close_results(comparison *c)
{
    op_result_close(&c->wanted);
    op_result_close(&c->magnitude);
    op_result_close(&c->got);
}

static sg_err compare(comparison *c, int training, sg_grad_write write)
{
    op_options options = {.type = SG_F32, .training = training, .run = run_facts};
    options.write = write == SG_GRAD_NONE ? SG_GRAD_NONE : SG_GRAD_STORE;
    sg_err err = op_run(c->reference, &c->problem, &options, &c->wanted);
    if (!err)
        err = op_magnitudes(&c->problem, &options, &c->magnitude);
    options.type = c->type;
    options.write = write;
    if (!err)
        err = op_run(c->backend, &c->problem, &options, &c->got);
    if (!err)
        err = expect_same_results(c, write);
    close_results(c);
    return err;
}

/* Pixels with gaps between them change no bit. */
static sg_err compare_gaps(comparison *c, int training, sg_grad_write write)
{
    op_options options = {.type = c->type, .training = training, .write = write, .run = run_facts};
    sg_err err = op_run(c->backend, &c->problem, &options, &c->wanted);
    options.gaps = 1;
    if (!err)
        err = op_run(c->backend, &c->problem, &options, &c->got);
    if (!err && !op_same_bits(&c->problem, &c->wanted, &c->got))
        err = sg_fail(SG_EINTERNAL, "with gaps between pixels there are other bits");
    close_results(c);
    return err;
}

static bool can_add(const op_case *row)
{
    uint32_t all = (1u << row->inputs) - 1;
    return row->inputs > 0 && (sg_op_definition(row->op)->adds_gradient & all) == all;
}

static sg_err compare_all(comparison *c)
{
    sg_err err = compare(c, 1, SG_GRAD_STORE);
    if (!err)
        err = compare(c, 1, SG_GRAD_TEMPORARY);
    if (!err)
        err = compare(c, 1, SG_GRAD_NONE);
    if (!err)
        err = compare(c, 0, SG_GRAD_NONE);
    if (!err && can_add(c->problem.row))
        err = compare(c, 1, SG_GRAD_ADD);
    if (err || !c->backend->kernel[c->problem.row->op]->can)
        return err;
    err = compare_gaps(c, 0, SG_GRAD_NONE);
    if (!err)
        err = compare_gaps(c, 1, can_add(c->problem.row) ? SG_GRAD_ADD : SG_GRAD_STORE);
    return err;
}

sg_err op_compare(sg_backend *backend, sg_dtype type, const op_case *row, bool *ran)
{
    comparison c = {.backend = backend, .type = type};
    *ran = false;
    if (!backend->supports(backend, type))
        return type == SG_BF16 ? SG_OK : sg_fail(SG_EUNSUPPORTED, "%s has no f32", backend->name);
    sg_err err = sg_reference_open(&c.reference);
    if (!err)
        err = op_problem_create(row, type == SG_BF16, &c.problem);
    if (!err)
        err = compare_all(&c);
    op_problem_close(&c.problem);
    sg_backend_close(c.reference);
    *ran = err == SG_OK;
    return err == SG_EUNSUPPORTED && type == SG_BF16 ? SG_OK : err;
}
