/*
 * The ranges of a plan's arena: what lives when, and where it is put. For plan.c, exec.c and tests.
 * Pure integers, all [local].
 */
#ifndef SG_NN_PLAN_MEMORY_H
#define SG_NN_PLAN_MEMORY_H

#include "nn/plan.h"

/* A range of the arena that must be intact from step `first` to step `last`, both included. */
typedef struct {
    size_t *offset; /* where its place is written; in the plan */
    size_t bytes;   /* > 0, a multiple of SG_ARENA_ALIGN */
    int32_t first, last;
    size_t number; /* place in the list, which breaks ties */
} sg_region;

/* All ranges of a plan whose schedule and lifetimes are set; *regions with sg_free. */
sg_err sg_plan_regions(const sg_plan *plan, sg_region **regions, size_t *count);

/* Give every region an offset such that no two that live at one step overlap. */
sg_err sg_plan_place(sg_region *regions, size_t count, size_t *arena_bytes);

#endif
