#include "train/average.h"

#include <math.h>
#include <string.h>

sg_err sg_average_open(sg_average *average, sg_backend *backend, const sg_graph *graph,
                       double decay)
{
    *average = (sg_average){.decay = decay};
    if (decay == 0)
        return SG_OK;
    sg_err err = sg_params_create(graph, &average->params);
    return err ? err : sg_weights_create(backend, average->params, false, &average->weights);
}

void sg_average_close(sg_average *average)
{
    sg_weights_close(average->weights);
    sg_params_close(average->params);
    memset(average, 0, sizeof *average);
}

sg_err sg_average_restore(sg_average *average, const sg_params *mean, int64_t steps)
{
    const sg_param_layout *layout = average->params->layout;
    memcpy(average->params->trainable, mean->trainable, layout->trainable_count * sizeof(float));
    memcpy(average->params->state, mean->state, layout->state_count * sizeof(float));
    average->steps = steps;
    return sg_weights_to_device(average->weights);
}

/* What the last of so many steps counts in their mean. */
static double share_of_last(double decay, int64_t steps)
{
    return (1 - decay) / (1 - pow(decay, (double)steps));
}

sg_err sg_average_add(sg_average *average, const sg_weights *weights)
{
    sg_backend *backend = weights->backend;
    const sg_param_layout *layout = average->params->layout;
    float share = (float)share_of_last(average->decay, ++average->steps);
    sg_err err = backend->average(backend, layout->trainable_count, average->weights->trainable,
                                  weights->trainable, share);
    if (!err)
        err = backend->average(backend, layout->state_count, average->weights->state,
                               weights->state, share);
    sg_weights_changed(average->weights);
    return err;
}
