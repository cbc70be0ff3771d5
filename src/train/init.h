/*
 * Weights to start from: what a file holds of a network's parameters takes the place of their
 * random initial values. A file is a checkpoint, of the same or of another arrangement, or
 * safetensors with the names of torchvision or timm (ResNet, VGG-16). [local]
 *
 * A parameter is taken when name and shape fit. Two layers are adapted where they do not:
 * - the first, to the number of bands, as sg_init_bands says. If n bands of the network stand for
 *   the file's k channels, weights are multiplied by k / n: where all bands show the same picture
 *   (they mostly do) the layer's results keep their size, which the layers behind it rely on.
 * - the last ones, to the classes, by their names, where the file is a checkpoint: a new class
 * keeps its random weights.
 */
#ifndef SG_TRAIN_INIT_H
#define SG_TRAIN_INIT_H

#include "data/spec.h"
#include "nn/params.h"

typedef enum {
    SG_INIT_BANDS_AUTO,   /* as they are where the numbers are equal, else mean */
    SG_INIT_BANDS_MATCH,  /* each band is told which channel of the file it is */
    SG_INIT_BANDS_MEAN,   /* each band gets the mean over the file's channels */
    SG_INIT_BANDS_FIRST,  /* the first bands get the channels in their order, others the mean */
    SG_INIT_BANDS_CYCLIC, /* channels 1 2 3 1 2 3 ...: near-infrared taken for red; for comparison
                           */
    SG_INIT_BANDS_NONE    /* the first layer stays random unless the numbers are equal */
} sg_init_bands;

typedef struct {
    const char *path; /* what ends in .safetensors is that, all else a checkpoint */
    sg_init_bands bands;
    char *const *role; /* MATCH: per band "red", "green", "blue" (channels 1, 2, 3), a channel's
                          number, "mean" or "none" (weights of 0) */
    size_t roles;
} sg_init_options;

/* Parameters taken as they are, adapted, left at their initial values; the file's own that were
 * not used. */
typedef struct {
    int32_t loaded, adapted, kept, unused;
} sg_init_report;

/*
 * params hold initial values. What was done is logged: counts, and names where the log is verbose.
 * SG_EINPUT: the file is damaged, is of another encoder (naming the tensor), or nothing of it fits;
 * SG_EUSAGE: roles that do not fit the bands or the file. params may have been changed in part
 * then.
 */
sg_err sg_init_params(const sg_init_options *options, const sg_graph *graph, const sg_spec *spec,
                      sg_params *params, sg_init_report *report);

#endif
