/* What the executor's files share: making (exec.c), input and output (exec_images.c), running
 * (exec_run.c). Not for other modules. [local] */
#ifndef SG_NN_EXEC_PRIVATE_H
#define SG_NN_EXEC_PRIVATE_H

#include "nn/exec.h"

/* Steps of the backward pass that are done in one go: steps [cut[k], cut[k + 1]) of the plan. */
typedef struct {
    int32_t count;    /* sections; 0: not cut yet */
    int32_t *cut;     /* [steps + 1] */
    size_t *ready;    /* per section: what is told after it */
    void **recording; /* per section, the backend's; or NULL */
    bool told;        /* cut for a caller who is told */
} sg_exec_sections;

/* What a recorded pass keeps of a run: where it differs, the pass is recorded anew. */
typedef struct {
    const float *class_weight, *border;
    float loss_scale;
    const void *reduce, *reduce_loss;
} sg_exec_fixed;

struct sg_exec {
    sg_backend *backend;
    const sg_graph *graph;
    sg_weights *weights;
    sg_plan *plan;
    uint8_t *arena;      /* device */
    uint8_t *labels;     /* device; where device memory is not the host's */
    float *border;       /* likewise, where a loss reads it */
    sg_site *site;       /* per node */
    sg_io *io;           /* per node */
    sg_io *back;         /* per node, of the backward pass: io where nothing is computed twice */
    void **kernel;       /* per node */
    size_t *ready;       /* per node: gradient elements that are final after its backward step */
    sg_raw_image *image; /* [n of the input], for input that is given as plain numbers */
    const sg_raw_image *sent; /* the next pass is of these, or NULL: see sg_exec_send */
    uint64_t sent_ticket;
    int32_t prepared; /* kernels of nodes [0, prepared) exist */
    uint64_t version; /* of the weights that the kernels have seen */
    void *refreshing; /* the backend's recording of a refresh, or NULL */
    void *recording;  /* and of a forward pass */
    sg_exec_sections sections;
    sg_exec_fixed fixed; /* of the recordings */
    size_t tell_every;   /* elements, see sg_exec_tell_every */
    int32_t steps_done;  /* of the current run: what can be read */
};

static inline const sg_kernel_def *sg_exec_kernel(const sg_exec *exec, int32_t node)
{
    return exec->backend->kernel[exec->graph->node[node].op];
}

static inline void *sg_exec_at(const sg_exec *exec, size_t offset)
{
    return offset == SG_NOWHERE ? NULL : exec->arena + offset;
}

/* Bring a batch and its run to the kernels. exec_images.c */
sg_err sg_exec_load(sg_exec *exec, const sg_raw_image *image, int32_t n, const uint8_t *labels,
                    sg_run *run);
/* Everything that was recorded. exec_run.c */
void sg_exec_forget(sg_exec *exec);

#endif
