/*
 * Runs one case on one backend, between guard bytes and with poisoned outputs. Independent of the
 * test framework: the oracle tools use it too. All [local].
 */
#ifndef SG_TEST_OP_HARNESS_H
#define SG_TEST_OP_HARNESS_H

#include "nn/backend.h"
#include "op/cases.h"

/* A case with numbers: f32 on the host, NHWC. */
typedef struct {
    const op_case *row; /* borrowed */
    int rounded;        /* as it was made */
    sg_graph *graph;    /* holds the parameters' shapes */
    sg_node node;
    sg_shape in[SG_MAX_INPUTS], out;
    float *value[SG_MAX_INPUTS]; /* of the inputs */
    float *prior[SG_MAX_INPUTS]; /* what lies in the inputs' gradients before SG_GRAD_ADD */
    float *grad_out;
    float *param[SG_MAX_PARAMS]; /* running statistics included */
    uint8_t *labels;             /* [n][h][w], loss only */
    float *class_weight;         /* [classes] or NULL */
    float *border;               /* [n][h][w] or NULL */
    float loss_scale;
} op_problem;

/* With rounded 1, every number that a bf16 run would round is a bf16 number already. */
sg_err op_problem_create(const op_case *row, int rounded, op_problem *problem);
void op_problem_close(op_problem *problem); /* {0} is fine */

size_t op_param_count(const op_problem *problem, int32_t i); /* elements */
bool op_param_is_state(const op_problem *problem, int32_t i);

typedef struct {
    sg_dtype type;
    int32_t training;     /* 0: forward pass of a prediction */
    int32_t forward_only; /* of a training run, once and without checks: for many evaluations */
    sg_grad_write write;  /* of all inputs: SG_GRAD_STORE, SG_GRAD_ADD, SG_GRAD_TEMPORARY, _NONE */
    sg_run run;           /* class_weight and loss_scale are filled in */
    int32_t gaps; /* pixels lie apart where the kernel says it can do with that, and it may not
                     write between them */
} op_options;

/* Everything that comes out, as f32 on the host. What does not exist is NULL. */
typedef struct {
    float *out;
    float *grad_in[SG_MAX_INPUTS];
    float *param_grad[SG_MAX_PARAMS];
    float *state[SG_MAX_PARAMS];
    double loss_sum, weight_sum;
} op_result;

/*
 * prepare, refresh, forward, backward, release. The run is made twice on one kernel and must give
 * the same bits. Before the backward pass, tensors that the operator does not say it needs are
 * poisoned. SG_EUNSUPPORTED when the backend refuses the case; SG_EINTERNAL when it wrote where it
 * may not.
 */
sg_err op_run(sg_backend *backend, const op_problem *problem, const op_options *options,
              op_result *result);
void op_result_close(op_result *result); /* {0} is fine */
/* Whether all that came out has the same bits. */
bool op_same_bits(const op_problem *problem, const op_result *a, const op_result *b);

/* The backends that this build has: "reference", "cpu", "cuda"; the first op_backend_count() of
 * them run here (no GPU: "cuda" does not, and it is said once). *backend is the caller's. */
extern const char *const op_backend_names[];
size_t op_backend_count(void);
sg_err op_backend_open(const char *name, sg_backend **backend);

#endif
