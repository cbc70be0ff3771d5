#include "jobs/network.h"

#include <inttypes.h>
#include <string.h>
#include "base/log.h"
#include "base/size.h"

/* What prediction asks of a network beside its being readable. */
static sg_err check_network(const sg_network *network)
{
    const sg_network_reach *reach = &network->reach;
    const sg_spec *spec = &network->checkpoint.spec;
    if (reach->output_step != 1)
        return sg_fail(SG_EUNSUPPORTED,
                       "%s: this network's output has one value for %" PRId64 " pixels of a side; "
                       "predict maps only networks of full resolution",
                       network->path, reach->output_step);
    if (sg_graph_input_channels(network->graph) != spec->bands ||
        sg_graph_output_channels(network->graph) != spec->classes.count)
        return sg_fail(SG_EINPUT, "%s: its network does not fit its table of bands and classes",
                       network->path);
    return SG_OK;
}

/* The network as its backend likes it best. */
static sg_err fold(sg_network *network)
{
    const sg_checkpoint *checkpoint = &network->checkpoint;
    const sg_abilities abilities = sg_backend_abilities(network->backend);
    return sg_graph_fold_for(&abilities, checkpoint->graph, checkpoint->params, &network->graph,
                             &network->params);
}

static sg_err load(sg_network *network, const sg_comm *comm, const sg_device_options *device)
{
    sg_checkpoint *checkpoint = &network->checkpoint;
    sg_err err = sg_checkpoint_load(checkpoint, network->path, false);
    if (err == SG_OK)
        err = sg_device_open(device, comm, &network->backend, &network->type);
    if (err == SG_OK)
        err = fold(network);
    if (err == SG_OK)
        err = sg_graph_reach(network->graph, &network->reach);
    if (err == SG_OK)
        err = check_network(network);
    if (err == SG_OK)
        err = sg_backend_covers(network->backend, network->graph, false);
    if (err == SG_OK)
        err = sg_weights_create(network->backend, network->params, false, &network->weights);
    return err;
}

/* One rank of each node tries; all take the same answer. */
static sg_err find_exact(sg_network *network, sg_comm *comm)
{
    int32_t exact = 1;
    sg_err err = SG_OK;
    if (sg_comm_local_rank(comm) == 0)
        err = sg_network_try_exact(network, &exact);
    err = sg_comm_agree(comm, err);
    if (err != SG_OK)
        return err;
    int64_t inexact = !exact;
    sg_comm_max_i64(comm, &inexact, 1);
    network->exact = !inexact;
    return SG_OK;
}

sg_err sg_network_open(sg_network *network, sg_comm *comm, const char *path,
                       const sg_device_options *device)
{
    memset(network, 0, sizeof *network);
    sg_err err = sg_path_format(network->path, "%s", path);
    if (err == SG_OK)
        err = load(network, comm, device);
    err = sg_comm_agree(comm, err);
    if (err == SG_OK)
        err = find_exact(network, comm);
    if (err != SG_OK)
        return err;
    sg_verbose("%s: model %s, %s on %s (%s)", network->path, network->checkpoint.identity,
               sg_dtype_name(network->type), network->backend->name, network->backend->device);
    sg_verbose("stride %" PRId64 ", reach %" PRId64 ", halo %" PRId64 " pixels",
               network->reach.stride, network->reach.radius, network->reach.halo);
    return SG_OK;
}

void sg_network_close(sg_network *network)
{
    sg_weights_close(network->weights);
    sg_backend_close(network->backend);
    sg_params_close(network->params);
    sg_graph_close(network->graph);
    sg_checkpoint_close(&network->checkpoint);
    memset(network, 0, sizeof *network);
}

sg_err sg_network_exec(const sg_network *network, int64_t n, int64_t h, int64_t w, sg_exec **exec)
{
    sg_shape input = {n, h, w, network->checkpoint.spec.bands};
    return sg_exec_create(network->backend, network->graph, network->weights, input, network->type,
                          SG_PLAN_INFERENCE, exec);
}

sg_err sg_network_bytes_per_pixel(const sg_network *network, double *bytes)
{
    int64_t side = sg_max64(sg_round_up(1024, network->reach.stride),
                            network->reach.stride + 2 * network->reach.halo);
    sg_shape input = {1, side, side, network->checkpoint.spec.bands};
    sg_plan *plan = NULL;
    sg_err err = sg_plan_create(network->graph, input, network->type, SG_PLAN_INFERENCE, &plan);
    if (err == SG_OK)
        *bytes = (double)plan->arena_bytes / (double)(side * side);
    sg_plan_close(plan);
    return err;
}
