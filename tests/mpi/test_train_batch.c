/*
 * train.batch: auto: the same number on all ranks, which is the most crops that fit for the rank
 * with the least free memory; it goes into the job's text, and a resumed run keeps its own.
 */
#include "support/mpi_tests.h"

#include <string.h>
#include "cpu/cpu.h"
#include "jobs/job_loss.h"
#include "jobs/train.h"
#include "nn/fuse.h"

static const char text[] = "name: x\n"
                           "data:\n"
                           "  train: {images: 'img/*.tif', labels: lab}\n"
                           "  classes: [{name: a}, {name: b}]\n"
                           "model: {width: 4, depth: 2}\n"
                           "train: {tile: 64, batch: auto, accumulate: 2}\n";

static size_t free_bytes; /* what this rank's device says */

static size_t say_free(sg_backend *backend)
{
    return free_bytes;
}

static void expect_ok(sg_err err)
{
    if (err)
        fail_msg("%s", sg_error_text());
}

static void open_run(sg_train_run *run, sg_comm *comm)
{
    const sg_yaml_source source = {"x.yaml", text, NULL, 0};
    *run = (sg_train_run){.comm = comm, .spec.bands = 3, .type = SG_F32};
    expect_ok(sg_job_load(&run->job, &source));
    assert_int_equal(run->job.train.batch, 0);
    sg_model_options options = sg_job_model_options(&run->job, 3, 2);
    expect_ok(sg_model_build(&options, &run->graph));
    expect_ok(sg_job_loss(&run->job, &run->loss));
    expect_ok(sg_cpu_open(&run->backend, 1));
    run->backend->available = say_free;
}

static void close_run(sg_train_run *run)
{
    sg_backend_close(run->backend);
    sg_graph_close(run->graph);
    sg_text_clear(&run->job_text);
    sg_job_clear(&run->job);
}

/* Bytes of a plan for so many crops at once. */
static double plan_bytes(const sg_train_run *run, int64_t crops)
{
    sg_graph *with_loss, *fused;
    sg_plan *plan;
    expect_ok(sg_graph_with_loss(run->graph, &with_loss));
    expect_ok(sg_graph_fuse(with_loss, &fused));
    expect_ok(sg_plan_create(fused, (sg_shape){crops, 64, 64, 3}, SG_F32, SG_PLAN_TRAINING, &plan));
    double bytes = (double)plan->arena_bytes;
    sg_plan_close(plan);
    sg_graph_close(fused);
    sg_graph_close(with_loss);
    return bytes;
}

/* Enough for so many, and not for one more: an eighth stays free, weights come four times. */
static size_t enough_for(const sg_train_run *run, int64_t crops)
{
    double once = 4 * sizeof(float) * (double)sg_graph_trainable_count(run->graph);
    return (size_t)((plan_bytes(run, crops) + once + 64) / 0.875);
}

static void the_least_of_all_ranks_counts(void **state)
{
    sg_comm *comm = *state;
    sg_train_run run;
    int ranks = sg_comm_ranks(comm), last = sg_comm_rank(comm) == ranks - 1;
    open_run(&run, comm);
    free_bytes = enough_for(&run, last ? 5 : 9);
    expect_ok(sg_train_batch(&run));
    assert_int_equal(run.job.train.batch, 5 * 2 * ranks);
    char line[32];
    snprintf(line, sizeof line, "batch: %d", 5 * 2 * ranks);
    assert_non_null(strstr(run.job_text.data, line));
    expect_ok(sg_train_batch(&run)); /* a number stays */
    assert_int_equal(run.job.train.batch, 5 * 2 * ranks);
    close_run(&run);
}

static void a_resumed_run_keeps_its_batch(void **state)
{
    sg_train_run run;
    open_run(&run, *state);
    run.checkpoint.graph = run.graph;
    run.checkpoint.position.batch = 24;
    free_bytes = 1;
    expect_ok(sg_train_batch(&run));
    assert_int_equal(run.job.train.batch, 24);
    assert_non_null(strstr(run.job_text.data, "batch: 24"));
    close_run(&run);
}

static void what_cannot_be_is_refused_by_all(void **state)
{
    sg_comm *comm = *state;
    sg_train_run run;
    open_run(&run, comm);
    free_bytes = sg_comm_rank(comm) == 0 ? 1 << 10 : 1 << 30; /* not one crop on rank 0 */
    assert_int_not_equal(sg_train_batch(&run), SG_OK);
    run.backend->available = NULL;
    assert_int_not_equal(sg_train_batch(&run), SG_OK);
    close_run(&run);
}

int main(void)
{
    struct CMUnitTest tests[] = {
        cmocka_unit_test(the_least_of_all_ranks_counts),
        cmocka_unit_test(a_resumed_run_keeps_its_batch),
        cmocka_unit_test(what_cannot_be_is_refused_by_all),
    };
    return SG_RUN_MPI_TESTS(tests);
}
