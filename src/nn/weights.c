#include "nn/exec.h"

#include <string.h>
#include "base/size.h"

/* Device memory for count floats, all zero; through the host, once. */
static sg_err alloc_zero(sg_backend *backend, size_t count, float **memory)
{
    void *device = NULL;
    float *zeros = NULL;
    size_t bytes;
    sg_err err = sg_size_mul(count, sizeof(float), &bytes);
    if (!err)
        err = backend->alloc(backend, bytes, &device);
    *memory = device;
    if (!err)
        err = sg_calloc(count, sizeof(float), &zeros);
    if (!err)
        err = backend->upload(backend, device, zeros, bytes);
    sg_free(zeros);
    return err;
}

static sg_err make_copies(sg_weights *weights)
{
    const sg_param_layout *layout = weights->host->layout;
    if (weights->backend->host_memory) {
        weights->trainable = weights->host->trainable;
        weights->state = weights->host->state;
        return SG_OK;
    }
    sg_err err = alloc_zero(weights->backend, layout->trainable_count, &weights->trainable);
    if (!err)
        err = alloc_zero(weights->backend, layout->state_count, &weights->state);
    return err ? err : sg_weights_to_device(weights);
}

static sg_err make_training(sg_weights *weights)
{
    size_t count = weights->host->layout->trainable_count;
    sg_err err = alloc_zero(weights->backend, count, &weights->gradient);
    if (!err)
        err = alloc_zero(weights->backend, count, &weights->m);
    if (!err)
        err = alloc_zero(weights->backend, count, &weights->v);
    return err;
}

sg_err sg_weights_create(sg_backend *backend, sg_params *params, bool training,
                         sg_weights **weights)
{
    *weights = NULL;
    sg_weights *made = NULL;
    sg_err err = sg_calloc(1, sizeof *made, &made);
    if (err)
        return err;
    made->backend = backend;
    made->host = params;
    made->version = 1;
    err = make_copies(made);
    if (!err && training)
        err = make_training(made);
    if (err)
        sg_weights_close(made);
    else
        *weights = made;
    return err;
}

static void free_device(sg_weights *weights, float *memory)
{
    if (memory)
        weights->backend->free(weights->backend, memory);
}

void sg_weights_close(sg_weights *weights)
{
    if (!weights)
        return;
    if (!weights->backend->host_memory) {
        free_device(weights, weights->trainable);
        free_device(weights, weights->state);
    }
    free_device(weights, weights->gradient);
    free_device(weights, weights->m);
    free_device(weights, weights->v);
    sg_free(weights);
}

void sg_weights_changed(sg_weights *weights)
{
    weights->version++;
}

sg_err sg_weights_to_host(sg_weights *weights)
{
    if (weights->backend->host_memory)
        return SG_OK;
    sg_backend *backend = weights->backend;
    const sg_param_layout *layout = weights->host->layout;
    sg_err err = backend->download(backend, weights->host->trainable, weights->trainable,
                                   layout->trainable_count * sizeof(float));
    if (!err)
        err = backend->download(backend, weights->host->state, weights->state,
                                layout->state_count * sizeof(float));
    return err;
}

sg_err sg_weights_to_device(sg_weights *weights)
{
    sg_weights_changed(weights);
    if (weights->backend->host_memory)
        return SG_OK;
    sg_backend *backend = weights->backend;
    const sg_param_layout *layout = weights->host->layout;
    sg_err err = backend->upload(backend, weights->trainable, weights->host->trainable,
                                 layout->trainable_count * sizeof(float));
    if (!err)
        err = backend->upload(backend, weights->state, weights->host->state,
                              layout->state_count * sizeof(float));
    return err;
}
