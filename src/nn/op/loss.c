#include "nn/op/loss.h"

#include <math.h>

static sg_err check_real(const sg_node *node, const char *what, float value, double least,
                         double most)
{
    if (value >= least && value <= most)
        return SG_OK;
    return sg_fail(SG_EUSAGE, "%s: %s is %g, must be in %g .. %g", node->name, what, (double)value,
                   least, most);
}

static sg_err check_pixel_loss(const sg_node *node)
{
    const sg_loss_attr *a = &node->attr.loss;
    sg_err err = check_real(node, "label smoothing", a->smoothing, 0, 0.999);
    if (!err)
        err = check_real(node, "gamma of focal loss", a->gamma, 0, 10);
    if (!err && a->smoothing > 0 && (a->gamma > 0 || a->border))
        err =
            sg_fail(SG_EUSAGE, "%s: smoothed labels go with plain cross-entropy only", node->name);
    return err;
}

static sg_err check_region(const sg_node *node)
{
    const sg_loss_attr *a = &node->attr.loss;
    sg_err err = check_real(node, "alpha", a->alpha, 0, 10);
    if (!err)
        err = check_real(node, "beta", a->beta, 0, 10);
    if (!err && a->alpha + a->beta <= 0)
        err = sg_fail(SG_EUSAGE, "%s: alpha and beta are both 0: no error costs anything",
                      node->name);
    return err ? err : check_real(node, "smooth", a->smooth, 0, 1e9);
}

sg_err sg_loss_make(sg_graph *graph, sg_node *node, const int32_t *in_channels, int32_t *channels)
{
    const sg_loss_attr *a = &node->attr.loss;
    sg_err err = sg_op_check_range(node, "number of classes", in_channels[0], 1, SG_MAX_CLASSES);
    if (!err)
        err = sg_op_check_range(node, "place of the term", a->term, 0, SG_MAX_TERMS - 1);
    if (!err && !(a->weight > 0 && a->weight <= 1e6f))
        err = sg_fail(SG_EUSAGE, "%s: a weight of %g, must be above 0 and at most 1e6", node->name,
                      (double)a->weight);
    if (!err && node->op == SG_OP_softmax_loss)
        err = check_pixel_loss(node);
    if (!err && node->op == SG_OP_region_loss)
        err = check_region(node);
    if (err)
        return err;
    *channels = 1;
    node->out_f32 = 1;
    return sg_op_check_no_act(node);
}

sg_err sg_loss_shape(const sg_node *node, const sg_shape *in, sg_shape *out)
{
    *out = (sg_shape){1, 1, 1, 1};
    return SG_OK;
}

double sg_loss_flops(const sg_node *node, const sg_shape *in, sg_shape out)
{
    return 4 * (double)sg_shape_count(in[0]);
}

sg_err sg_loss_bad_label(int32_t label, int64_t classes)
{
    return sg_fail(SG_EINPUT, "label %d in the training data, but the network has %d classes",
                   (int)label, (int)classes);
}

float sg_loss_report(const sg_node *node, sg_run *run, double loss, double weight)
{
    const sg_loss_attr *a = &node->attr.loss;
    run->term_sum[a->term] += loss;
    run->loss_sum += a->weight * loss;
    run->weight_sum = weight;
    return (float)(a->weight * loss);
}

double sg_loss_weight(const uint8_t *labels, int64_t pixels, int64_t classes,
                      const float *class_weight, int32_t *bad)
{
    double sum = 0;
    *bad = -1;
    for (int64_t i = 0; i < pixels; i++) {
        if (labels[i] == SG_IGNORE_LABEL)
            continue;
        if (labels[i] >= classes)
            *bad = labels[i];
        else
            sum += class_weight ? class_weight[labels[i]] : 1;
    }
    return sum;
}

/* -log p, exact where p is nearly 1. */
static double surprise(double p, double rest)
{
    return rest < 0.5 ? -log1p(-rest) : -log(p);
}

/* A share of 0 has no logarithm: the smallest number stands for it. */
static double share_of(double p)
{
    return fmax(p, 0x1p-1022);
}

double sg_focal_loss(double gamma, double p, double rest)
{
    return pow(rest, gamma) * surprise(share_of(p), rest);
}

double sg_focal_slope(double gamma, double p, double rest)
{
    if (rest <= 0)
        return 0;
    return pow(rest, gamma) + gamma * p * pow(rest, gamma - 1) * surprise(share_of(p), rest);
}

/* ---- regions ---- */

typedef struct {
    double above, below; /* of the fraction */
} fraction;

static fraction fraction_of(const sg_loss_attr *a, const double *sums, size_t classes, size_t c)
{
    double overlap = sums[c], shares = sums[classes + c], pixels = sums[2 * classes + c];
    double wrong = fmax(0, shares - overlap), missed = fmax(0, pixels - overlap);
    return (fraction){overlap + a->smooth,
                      overlap + a->alpha * wrong + a->beta * missed + a->smooth};
}

double sg_region_finish(const sg_site *site, sg_run *run, double *sums, float *coefficient,
                        double *weight)
{
    const sg_loss_attr *a = &site->node->attr.loss;
    size_t classes = (size_t)site->in[0].c;
    double loss = 0, present = 0;
    *weight = sums[3 * classes];
    if (run->reduce_loss)
        run->reduce_loss(run->reduce_user, sums, sg_region_sums(site->in[0].c));
    for (size_t c = 0; c < classes; c++)
        present += sums[2 * classes + c] > 0;
    for (size_t c = 0; c < classes; c++) {
        fraction f = fraction_of(a, sums, classes, c);
        coefficient[c] = coefficient[classes + c] = 0;
        if (sums[2 * classes + c] <= 0)
            continue;
        loss += 1 / present; /* an empty fraction is 0: nothing was found */
        if (f.below <= 0)
            continue;
        /* d above / d share is 1 where c is the label; d below: 1 - alpha - beta there, and alpha
         * everywhere */
        double factor = -sums[3 * classes] / present / (f.below * f.below);
        loss -= f.above / f.below / present;
        coefficient[c] = (float)(factor * (f.below - f.above * (1 - a->alpha - a->beta)));
        coefficient[classes + c] = (float)(-factor * f.above * a->alpha);
    }
    return *weight * loss;
}
