/*
 * Tensors that lie side by side: the inputs of a concatenation as the channels of its output from
 * the start, so that nothing is copied. In NHWC the output's pixels hold the inputs' channels next
 * to one another, so an input is a tensor whose pixels have gaps between them: a guest of the
 * output, its host. For plan.c and plan_memory.c. Pure integers, all [local].
 *
 * A tensor becomes a guest where who makes it and all who read it can do with gaps (sg_abilities),
 * where its channels fill words of SG_BESIDE_CHANNELS, and where it lives as its host does: of the
 * same type, computed a second time when the host is, and, in training, with a gradient that the
 * host's is the first part of. Value and gradient go together. A guest has no guests.
 */
#ifndef SG_NN_BESIDE_H
#define SG_NN_BESIDE_H

#include "nn/plan.h"

enum { SG_BESIDE_CHANNELS = 8 }; /* 16 bytes of bf16, what the widest accesses want */

/* Set host, channel and pitch of all tensors, and in_place of all nodes; the schedule is there. */
void sg_beside_choose(sg_plan *plan, const sg_abilities *abilities);

/* Steps over which a tensor's memory must stay, its guests' included; -1 as in sg_plan_tensor. */
typedef struct {
    int32_t first, last, again_first, again_last, grad_first, grad_last;
} sg_beside_life;
sg_beside_life sg_beside_life_of(const sg_plan *plan, int32_t tensor);

/* Give guests their offsets, once their hosts have theirs. */
void sg_beside_settle(const sg_plan *plan);

/* Every guest lies where its host has these channels, and lives while it does. */
sg_err sg_beside_check(const sg_plan *plan);

#endif
