#include "jobs/classifier.h"

#include <string.h>

/* What the executor makes of the batch's unused tiles is not looked at. */
static sg_err forward(sg_exec *exec, const float *pixels, uint8_t *classes, float *probabilities)
{
    sg_run pass = {0};
    sg_err err = sg_exec_forward(exec, pixels, NULL, &pass);
    return err == SG_OK ? sg_exec_classify(exec, classes, probabilities) : err;
}

static sg_err classify_turned(void *user, bool transposed, int32_t n, const float *pixels,
                              uint8_t *classes, float *probabilities)
{
    const sg_classifier *classifier = user;
    (void)n;
    return forward(transposed && classifier->transposed ? classifier->transposed : classifier->exec,
                   pixels, classes, probabilities);
}

static sg_err open_augment(sg_classifier *classifier, const sg_network *network,
                           const sg_predict_plan *plan)
{
    const sg_grid *grid = &plan->grid;
    const sg_augment_options options = {.tile_h = grid->tile_h,
                                        .tile_w = grid->tile_w,
                                        .batch = plan->batch,
                                        .bands = network->checkpoint.spec.bands,
                                        .classes = network->checkpoint.spec.classes.count,
                                        .network = classify_turned,
                                        .user = classifier};
    sg_err err = SG_OK;
    if (grid->tile_w != grid->tile_h)
        err = sg_network_exec(network, plan->batch, grid->tile_w, grid->tile_h,
                              &classifier->transposed);
    return err == SG_OK ? sg_augment_create(&classifier->augment, &options) : err;
}

sg_err sg_classifier_open(sg_classifier *classifier, const sg_network *network,
                          const sg_predict_plan *plan)
{
    const sg_grid *grid = &plan->grid;
    memset(classifier, 0, sizeof *classifier);
    sg_err err =
        sg_network_exec(network, plan->batch, grid->tile_h, grid->tile_w, &classifier->exec);
    return err == SG_OK && plan->augment ? open_augment(classifier, network, plan) : err;
}

sg_err sg_classifier_run(sg_classifier *classifier, int32_t n, const float *pixels,
                         uint8_t *classes, float *probabilities)
{
    if (classifier->augment)
        return sg_augment_classify(classifier->augment, n, pixels, classes, probabilities);
    return forward(classifier->exec, pixels, classes, probabilities);
}

void sg_classifier_close(sg_classifier *classifier)
{
    sg_augment_close(classifier->augment);
    sg_exec_close(classifier->transposed);
    sg_exec_close(classifier->exec);
    memset(classifier, 0, sizeof *classifier);
}
