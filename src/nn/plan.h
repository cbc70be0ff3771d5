/*
 * A plan: arithmetic over a graph for one input shape. It says in which order nodes run, where each
 * tensor lies in one arena, which gradient is stored and which added to, and after which step each
 * parameter's gradient is final. Pure integers: no memory, no backend. All [local].
 */
#ifndef SG_NN_PLAN_H
#define SG_NN_PLAN_H

#include "nn/op.h"

enum { SG_ARENA_ALIGN = 64 };
#define SG_NOWHERE SIZE_MAX

/* RECOMPUTE: training in less memory. Values are dropped after their forward use and computed again
 * for the backward pass, as many as make the arena smallest; all results are the same bits. */
typedef enum { SG_PLAN_INFERENCE, SG_PLAN_TRAINING, SG_PLAN_RECOMPUTE } sg_plan_mode;

static inline bool sg_plan_trains(sg_plan_mode mode)
{
    return mode != SG_PLAN_INFERENCE;
}

typedef enum { SG_STEP_FORWARD, SG_STEP_BACKWARD, SG_STEP_ACCUMULATE, SG_STEP_AGAIN } sg_step_kind;

/*
 * One step of the schedule. FORWARD and BACKWARD run a node; AGAIN runs it forward a second time,
 * among the backward steps. ACCUMULATE adds the temporary gradient
 * of input `slot` of the node (made by the backward step just before it) to that tensor's gradient;
 * it exists where an operator cannot add by itself (sg_op_def.adds_gradient).
 */
typedef struct {
    sg_step_kind kind;
    int32_t node;
    int32_t slot;
} sg_step;

/* How a backward step writes the gradient of one input. */
typedef enum { SG_GRAD_NONE, SG_GRAD_STORE, SG_GRAD_ADD, SG_GRAD_TEMPORARY } sg_grad_write;

/* What an operator's kernels can do with a tensor whose pixels have gaps between them: write it as
 * their output, and read its gradient; read it as an input, and write its gradient. One that joins
 * its inputs says with the latter that it leaves alone what lies in its output already. */
enum { SG_PITCHED_OUT = 1, SG_PITCHED_IN = 2 };
/* A convolution that adds a second input, of its output's shape, before its activation does so in
 * the same pass: worth putting an add into it. */
enum { SG_ADDS_INPUT = 4 };

/* What a backend can do, per operator: such bits. */
typedef struct {
    uint8_t can[SG_OP_COUNT];
} sg_abilities;

typedef struct {
    sg_shape shape;
    sg_dtype type;       /* of the value; a gradient always has the plan's type */
    int32_t host;        /* the tensor among whose channels it lies, in value and gradient, or -1:
                            see beside.h */
    int64_t channel;     /* there its first one; else 0 */
    int64_t pitch;       /* elements from one pixel to the next: c, or the host's c */
    size_t value;        /* offset in the arena, bytes */
    size_t gradient;     /* offset or SG_NOWHERE */
    int32_t first, last; /* steps between which the value must be intact */
    size_t again;        /* where a value that is computed twice lies then, or SG_NOWHERE */
    int32_t again_first, again_last; /* its steps; -1 */
    int32_t grad_first, grad_last;
} sg_plan_tensor;

typedef struct {
    size_t saved;       /* offset in the arena of the operator's saved bytes, or SG_NOWHERE */
    size_t saved_bytes; /* 0 when none */
    size_t saved_again; /* offset of those of a second forward pass, or SG_NOWHERE: the same */
    int32_t part;       /* of the network, which is computed again as a whole */
    int32_t again;      /* step of the second forward pass, or -1 */
    uint32_t in_place;  /* bit i: input i lies in the output already, with its gradient */
    sg_grad_write write[SG_MAX_INPUTS];
    size_t temporary[SG_MAX_INPUTS]; /* offset, where write is SG_GRAD_TEMPORARY */
} sg_plan_node;

typedef struct {
    const sg_graph *graph; /* borrowed; must outlive the plan */
    sg_plan_mode mode;
    sg_dtype type;
    sg_plan_tensor *tensor; /* one per tensor of the graph */
    sg_plan_node *node;     /* one per node */
    sg_step *step;
    int32_t steps, forward_steps; /* forward steps come first */
    size_t arena_bytes;
    double flops;       /* of one forward pass */
    double again_flops; /* of what is computed twice */
} sg_plan;

/* input: n, h, w of the network's input (c is checked). SG_EUSAGE when the network cannot take that
 * size, naming the node; SG_ENOMEM when sizes overflow. */
sg_err sg_plan_create(const sg_graph *graph, sg_shape input, sg_dtype type, sg_plan_mode mode,
                      sg_plan **plan);
/* The same for a backend that can do more than any can. */
typedef struct {
    const sg_graph *graph;
    sg_shape input;
    sg_dtype type;
    sg_plan_mode mode;
    const sg_abilities *abilities; /* NULL: none */
} sg_plan_request;
sg_err sg_plan_make(const sg_plan_request *request, sg_plan **plan);
void sg_plan_close(sg_plan *plan);
/* No two values that are alive at once overlap; every offset is aligned and inside the arena;
 * every gradient is stored before it is added to or read. For tests and debug builds. */
sg_err sg_plan_check(const sg_plan *plan);

/*
 * Where parameters lie in flat f32 buffers. Trainable ones come in the order in which the backward
 * pass finishes them, so that a prefix of the gradient buffer is final while the rest is being
 * computed; each starts at a multiple of 16 elements. State (running mean and variance) has a
 * buffer of its own.
 */
typedef struct {
    size_t *offset; /* per parameter id, in elements, into `trainable` or `state` */
    int32_t *order; /* trainable parameter ids in buffer order */
    int32_t order_count;
    size_t trainable_count, state_count; /* elements, with padding */
} sg_param_layout;

sg_err sg_param_layout_create(const sg_graph *graph, sg_param_layout **layout);
void sg_param_layout_close(sg_param_layout *layout);

#endif
