/* train.batch: auto. */
#include "jobs/train.h"

#include "base/log.h"
#include "base/size.h"
#include "nn/fit.h"
#include "nn/fuse.h"

/* Bytes for values, gradients and what operators keep: what is free without the numbers that a
 * network has once, weights, gradients and two of the optimizer, and an eighth for what kernels
 * work in. 0: the device does not say. */
static double bytes_for_plan(const sg_train_run *run)
{
    sg_backend *backend = run->backend;
    double once = 4 * sizeof(float) * (double)sg_graph_trainable_count(run->graph);
    return backend->available ? 0.875 * (double)backend->available(backend) - once : 0;
}

/* Crops at once that fit for this rank. */
static sg_err fitting(const sg_train_run *run, int64_t most, double bytes, int64_t *crops)
{
    const sg_job_train *train = &run->job.train;
    const sg_abilities abilities = sg_backend_abilities(run->backend);
    sg_graph *with_loss = NULL, *fused = NULL;
    sg_err err = sg_graph_with_losses(run->graph, run->loss.term, run->loss.terms,
                                      run->loss.aux_weight, &with_loss);
    if (err == SG_OK)
        err = sg_graph_fuse(with_loss, &fused);
    const sg_plan_request request = {fused,
                                     {1, train->tile, train->tile, run->spec.bands},
                                     run->type,
                                     train->recompute ? SG_PLAN_RECOMPUTE : SG_PLAN_TRAINING,
                                     &abilities};
    if (err == SG_OK)
        *crops = bytes > 0 ? sg_fitting_batch(&request, (size_t)bytes, most) : 0;
    sg_graph_close(fused);
    sg_graph_close(with_loss);
    return err;
}

/* The same number on all ranks. [collective] */
static sg_err choose(sg_train_run *run)
{
    sg_job_train *train = &run->job.train;
    const int64_t parts = (int64_t)sg_comm_ranks(run->comm) * train->accumulate;
    double bytes = bytes_for_plan(run);
    int64_t least = 0;
    sg_err err = fitting(run, sg_max64(1, SG_TRAIN_BATCH_MOST / parts), bytes, &least);
    least = -least;
    sg_comm_max_i64(run->comm, &least, 1);
    err = sg_comm_agree(run->comm, err);
    if (err == SG_OK && !run->backend->available)
        err = sg_yaml_fail(run->job.yaml, "train.batch",
                           "auto is for a device with memory of its own, which \"%s\" has not; "
                           "give a number",
                           run->backend->name);
    if (err == SG_OK && least == 0)
        err = sg_yaml_fail(run->job.yaml, "train.batch",
                           "not one crop of %d x %d fits into the %.0f MiB that are free; use a "
                           "smaller train.tile%s",
                           train->tile, train->tile, bytes > 0 ? bytes / (1 << 20) : 0.0,
                           train->recompute ? "" : " or train.recompute: true");
    if (err != SG_OK)
        return err;
    train->batch = (int32_t)(-least * parts);
    sg_info("batch: %d crops a step, %lld at once on each of %d rank%s: what fits", train->batch,
            (long long)-least, sg_comm_ranks(run->comm), sg_comm_ranks(run->comm) > 1 ? "s" : "");
    return SG_OK;
}

sg_err sg_train_batch(sg_train_run *run)
{
    if (run->job.train.batch > 0)
        return SG_OK;
    sg_err err = SG_OK;
    if (run->checkpoint.graph != NULL)
        run->job.train.batch = (int32_t)run->checkpoint.position.batch;
    else
        err = choose(run);
    if (err == SG_OK) {
        sg_text_clear(&run->job_text);
        err = sg_job_write(&run->job, &run->job_text);
    }
    return sg_comm_agree(run->comm, err);
}
