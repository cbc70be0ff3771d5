/*
 * What a training minimises: a weighted sum of terms, each a loss of the logits (nn/op/loss.h), and
 * the weights of borders that some of them use. [local]
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
    sg_border_options border;
} sg_loss;

#endif
