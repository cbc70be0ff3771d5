/*
 * What the losses share, in all backends: checks of their attributes, what a run reports, and the
 * arithmetic that is not of one pixel alone. May include: base, nn. All [local] but
 * sg_region_finish, which is [collective] where the run's reduce_loss is.
 *
 * Terms are sums over valid pixels, those whose label is not SG_IGNORE_LABEL. W is the sum of their
 * class weights; dividing the sum of all parts of a step by its W gives the mean. A loss that is
 * one number for a region (all pixels of a batch, or of a sample) counts as that number at each of
 * the region's pixels: it is multiplied by the region's W. So parts and ranks add up as for
 * cross-entropy.
 */
#ifndef SG_NN_OP_LOSS_H
#define SG_NN_OP_LOSS_H

#include "nn/op/op_common.h"

/* make and shape of all losses; the attributes are checked. */
sg_err sg_loss_make(sg_graph *graph, sg_node *node, const int32_t *in_channels, int32_t *channels);
sg_err sg_loss_shape(const sg_node *node, const sg_shape *in, sg_shape *out);
double sg_loss_flops(const sg_node *node, const sg_shape *in, sg_shape out);

/* SG_EINPUT: a label is neither a class nor SG_IGNORE_LABEL. */
sg_err sg_loss_bad_label(int32_t label, int64_t classes);
/* Put a node's sums into the run. Returns what the node's output is. */
float sg_loss_report(const sg_node *node, sg_run *run, double loss, double weight);

/*
 * Focal loss of one pixel and class weight 1, (1 - p)^gamma * -log p, and the factor of (softmax -
 * onehot) in its gradient (Lin et al., "Focal loss for dense object detection", 2017, for softmax).
 * p: the share of the label's class; rest: 1 - p, computed as the sum of the other shares.
 */
double sg_focal_loss(double gamma, double p, double rest);
double sg_focal_slope(double gamma, double p, double rest);

/*
 * Region losses. Sums over valid pixels of each class c, and W, as one array for sums over ranks:
 * [0, C) overlap, shares where c is the label; [C, 2C) shares; [2C, 3C) pixels labelled c; [3C] W.
 */
static inline size_t sg_region_sums(int64_t classes)
{
    return 3 * (size_t)classes + 1;
}

/*
 * Sums over ranks where the run says so, then the loss of all pixels,
 *
 *     mean over classes with labels of 1 - (TP + s) / (TP + alpha FP + beta FN + s)
 *
 * (Salehi et al., "Tversky loss function for image segmentation", 2017; alpha = beta = 1/2 is the
 * soft Dice of Milletari et al., "V-Net", 2016, without its squares; alpha = beta = 1 soft
 * Jaccard). Classes that no valid pixel of the batch has are left out, as there is nothing of them
 * to overlap. coefficient[k] and coefficient[C + k]: the gradient of W * loss with respect to the
 * share of class k is the first where k is the label plus the second everywhere. Returns the loss
 * times this rank's part of W, which goes to *weight.
 */
double sg_region_finish(const sg_site *site, sg_run *run, double *sums, float *coefficient,
                        double *weight);

/*
 * Lovasz-softmax of one sample (Berman et al., "The Lovasz-softmax loss", 2018, per image, over
 * the classes that it has). Of pixels' logits (pixels, classes), row by row: the gradient of W *
 * loss with respect to the logits is written to gradient, 0 at ignored pixels; returns W * loss.
 * Shares and errors are f32, in the order of the classes, equal errors in that of the pixels, sums
 * f64: every backend runs this very code. All labels are classes or to be ignored.
 */
typedef struct {
    uint64_t *key[2]; /* [pixels] each */
    float *share;     /* [pixels * classes] */
} sg_lovasz_work;

double sg_lovasz_sample(const void *logits, sg_dtype type, size_t first, const uint8_t *labels,
                        int64_t pixels, int64_t classes, double weight, const sg_lovasz_work *work,
                        float *gradient);
/* The sum of class weights of valid pixels; *bad: a label that is no class, or -1. */
double sg_loss_weight(const uint8_t *labels, int64_t pixels, int64_t classes,
                      const float *class_weight, int32_t *bad);

#endif
