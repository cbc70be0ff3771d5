/*
 * What a training minimises: a weighted sum of terms, each a loss of the logits (nn/op/loss.h),
 * those of auxiliary heads included, and the weights of borders that some of them use. [local]
 */
#ifndef SG_TRAIN_LOSS_H
#define SG_TRAIN_LOSS_H

#include "nn/graph.h"
#include "train/border.h"

enum { SG_TERM_NAME_MAX = 16 };

typedef struct {
    sg_loss_term term[SG_MAX_TERMS];
    char name[SG_MAX_TERMS][SG_TERM_NAME_MAX]; /* "dice", unique: names columns of metrics */
    int32_t terms;                             /* at least 1 */
    int32_t columns;  /* terms with a name: all, and "aux", what auxiliary heads add */
    float aux_weight; /* of auxiliary heads; 0: the network has none */
    sg_border_options border;
} sg_loss;

#endif
