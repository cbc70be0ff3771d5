/*
 * An executor: one plan on one backend with its arena and parameters. After sg_exec_create nothing
 * is allocated. [local], except that a run whose hooks are collective is [collective].
 */
#ifndef SG_NN_EXEC_H
#define SG_NN_EXEC_H

#include "nn/backend.h"

/*
 * Device copies of a network's numbers, shared by the executors of one network (different tile
 * sizes, training and validation). gradient and m, v exist only when made for training.
 * On a host backend trainable and state are the very buffers of sg_params (borrowed, not copied).
 */
typedef struct {
    sg_backend *backend; /* borrowed */
    sg_params *host;     /* borrowed */
    float *trainable, *state;
    float *gradient; /* [trainable_count] */
    float *m, *v;
    uint64_t version; /* raised by sg_weights_changed; executors refresh their kernels lazily */
} sg_weights;

sg_err sg_weights_create(sg_backend *backend, sg_params *params, bool training,
                         sg_weights **weights);
void sg_weights_close(sg_weights *weights);
void sg_weights_changed(sg_weights *weights);
sg_err sg_weights_to_host(sg_weights *weights); /* device -> params (no-op on host backends) */
/* params -> device where that is other memory, and sg_weights_changed: after loading. */
sg_err sg_weights_to_device(sg_weights *weights);

typedef struct sg_exec sg_exec;

/* Makes the plan for `input`. The graph must outlive the executor. SG_ENOMEM names the bytes
 * wanted. */
sg_err sg_exec_create(sg_backend *backend, const sg_graph *graph, sg_weights *weights,
                      sg_shape input, sg_dtype type, sg_plan_mode mode, sg_exec **exec);
void sg_exec_close(sg_exec *exec);
const sg_plan *sg_exec_plan(const sg_exec *exec);

/* f32 [n][h][w][c] on the host; copied to the device before it returns. */
sg_err sg_exec_forward(sg_exec *exec, const float *input, const uint8_t *labels, sg_run *run);
/* The same of images as they were read, at most as many as the input has; results of the others are
 * of no use. Where the backend has no `load` they are plain (sg_raw_is_plain). */
sg_err sg_exec_forward_images(sg_exec *exec, const sg_raw_image *image, int32_t n,
                              const uint8_t *labels, sg_run *run);
/* The next pass is of these images and labels: they stay as they are until then, and may travel to
 * the device while it computes. NULL: it is not. */
void sg_exec_send(sg_exec *exec, const sg_raw_image *image, int32_t n, const uint8_t *labels);

/* Called as parameter gradients become final: elements [0, ready) of weights->gradient are final,
 * or will be when the device has done what it was given. */
typedef void (*sg_ready_fn)(void *user, size_t ready);
/* Call it only when another multiple of so many elements has become final, and at the end; 0, as at
 * first: whenever some have. */
void sg_exec_tell_every(sg_exec *exec, size_t elements);
/* Training plans, after sg_exec_forward. Gradients overwrite weights->gradient. */
sg_err sg_exec_backward(sg_exec *exec, sg_run *run, sg_ready_fn ready, void *user);

/* The network's output (logits) classified; see sg_backend.classify. n*h*w results; for a training
 * plan the loss node's input. */
sg_err sg_exec_classify(sg_exec *exec, uint8_t *classes, float *probabilities);
/* In two, so that the device goes on with other passes meanwhile: results are taken in the order in
 * which they were begun, and so many may be begun and not yet taken as sg_exec_in_flight says. */
sg_err sg_exec_classify_begin(sg_exec *exec, bool probabilities, uint64_t *ticket);
sg_err sg_exec_classify_end(sg_exec *exec, uint64_t ticket, uint8_t *classes, float *probabilities);
int32_t sg_exec_in_flight(const sg_exec *exec);

/* A tensor's value or gradient on the host as f32, for tests and tools. SG_EUSAGE when it does not
 * exist yet or the plan has put something else in its place since. */
sg_err sg_exec_read_value(sg_exec *exec, int32_t tensor, float *out);
sg_err sg_exec_read_gradient(sg_exec *exec, int32_t tensor, float *out);

#endif
