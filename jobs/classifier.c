#include "jobs/classifier.h"

#include <string.h>

/* What the executor makes of the batch's unused tiles is not looked at. */
static sg_err begin(sg_classifier *classifier, sg_exec *exec, int32_t n, const sg_raw_image *image,
                    bool probabilities)
{
    sg_classifier_pass *pass = &classifier->pass[classifier->begun++ % SG_IN_FLIGHT_MOST];
    pass->exec = exec;
    sg_err err = sg_exec_forward_images(exec, image, n, NULL, NULL);
    return err == SG_OK ? sg_exec_classify_begin(exec, probabilities, &pass->ticket) : err;
}

static sg_err end(sg_classifier *classifier, uint8_t *classes, float *probabilities)
{
    sg_classifier_pass *pass = &classifier->pass[classifier->ended++ % SG_IN_FLIGHT_MOST];
    return sg_exec_classify_end(pass->exec, pass->ticket, classes, probabilities);
}

static sg_err begin_turned(void *user, bool transposed, int32_t n, const sg_raw_image *image)
{
    sg_classifier *c = user;
    return begin(c, transposed && c->transposed ? c->transposed : c->exec, n, image, true);
}

static sg_err end_turned(void *user, uint8_t *classes, float *probabilities)
{
    return end(user, classes, probabilities);
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
                                        .raw = classifier->raw,
                                        .in_flight = classifier->in_flight,
                                        .begin = begin_turned,
                                        .end = end_turned,
                                        .user = classifier};
    sg_err err = SG_OK;
    if (grid->tile_w != grid->tile_h)
        err = sg_network_exec(network, plan->batch, grid->tile_w, grid->tile_h,
                              &classifier->transposed);
    return err == SG_OK ? sg_augment_create(&classifier->augment, &options) : err;
}

sg_err sg_classifier_open(sg_classifier *classifier, const sg_network *network,
                          const sg_predict_plan *plan, bool probabilities)
{
    const sg_grid *grid = &plan->grid;
    memset(classifier, 0, sizeof *classifier);
    classifier->probabilities = probabilities;
    classifier->raw = network->backend->load != NULL && plan->crf.iterations == 0;
    sg_err err =
        sg_network_exec(network, plan->batch, grid->tile_h, grid->tile_w, &classifier->exec);
    if (err != SG_OK)
        return err;
    classifier->in_flight = sg_exec_in_flight(classifier->exec);
    if (!plan->augment)
        return SG_OK;
    err = open_augment(classifier, network, plan);
    classifier->in_flight = 1; /* the turns of one batch already are in flight together */
    return err;
}

sg_err sg_classifier_begin(sg_classifier *classifier, int32_t n, const sg_raw_image *image)
{
    classifier->n = n;
    classifier->image = image;
    return classifier->augment
               ? SG_OK
               : begin(classifier, classifier->exec, n, image, classifier->probabilities);
}

sg_err sg_classifier_end(sg_classifier *classifier, uint8_t *classes, float *probabilities)
{
    SG_ASSERT((probabilities != NULL) == (classifier->probabilities != 0));
    return classifier->augment ? sg_augment_classify(classifier->augment, classifier->n,
                                                     classifier->image, classes, probabilities)
                               : end(classifier, classes, probabilities);
}

void sg_classifier_close(sg_classifier *classifier)
{
    sg_augment_close(classifier->augment);
    sg_exec_close(classifier->transposed);
    sg_exec_close(classifier->exec);
    memset(classifier, 0, sizeof *classifier);
}
