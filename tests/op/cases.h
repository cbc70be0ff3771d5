/*
 * The one table of operator cases. Every test of operators runs over it, on every backend; a new
 * operator or backend adds rows or an entry in backends.c, no test code.
 */
#ifndef SG_TEST_OP_CASES_H
#define SG_TEST_OP_CASES_H

#include "nn/graph.h"

typedef enum {
    OP_VALUES_PLAIN,    /* uniform in [-1, 1] */
    OP_VALUES_DISTINCT, /* no two closer than OP_DISTINCT_GAP within a channel */
    OP_VALUES_TIES,     /* -1, 0 or 1: many equal values */
    OP_VALUES_OFFSET    /* 1000 +- 30: a mean that cancels */
} op_values;

#define OP_DISTINCT_GAP .0625f

typedef enum {
    OP_LABELS_NONE,
    OP_LABELS_MIXED,    /* classes, and some pixels ignored */
    OP_LABELS_IGNORED,  /* every pixel ignored */
    OP_LABELS_WEIGHTED, /* mixed, with class weights */
    OP_LABELS_BORDER,   /* mixed, with class weights and weights of borders */
    OP_LABELS_SPARSE    /* mixed, only of the first and last class */
} op_labels;

typedef struct {
    const char *name; /* unique, begins with the operator's name */
    sg_op op;
    int32_t act;     /* sg_act */
    int32_t out_f32; /* the output is f32 in bf16 runs too */
    sg_attr attr;
    int32_t inputs;
    sg_shape in[SG_MAX_INPUTS];
    op_values values;
    op_labels labels;
} op_case;

extern const op_case op_cases[];
extern const size_t op_case_count;

#endif
