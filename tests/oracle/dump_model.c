/*
 * dump_model MODEL.h5 N HEIGHT WIDTH FILE: the network of a checkpoint, folded as for prediction,
 * on the processors in f32 over fixed pseudo-random numbers. Written for other programs that
 * compute the same: "input" and "logits", both (n, h, w, c).
 */
#include <stdlib.h>
#include "base/rng.h"
#include "base/size.h"
#include "cpu/cpu.h"
#include "nn/fuse.h"
#include "oracle/records.h"
#include "train/checkpoint.h"

typedef struct {
    sg_checkpoint checkpoint;
    sg_graph *graph;
    sg_params *params;
    sg_backend *backend;
    sg_weights *weights;
    sg_exec *exec;
    float *input, *logits;
} session;

static sg_err open_session(session *s, const char *path, sg_shape *shape)
{
    sg_err err = sg_checkpoint_load(&s->checkpoint, path, false);
    if (!err)
        err = sg_graph_fold(s->checkpoint.graph, s->checkpoint.params, &s->graph, &s->params);
    if (!err)
        err = sg_cpu_open(&s->backend, 2);
    if (!err)
        err = sg_weights_create(s->backend, s->params, false, &s->weights);
    if (err)
        return err;
    shape->c = sg_graph_input_channels(s->graph);
    return sg_exec_create(s->backend, s->graph, s->weights, *shape, SG_F32, SG_PLAN_INFERENCE,
                          &s->exec);
}

static sg_err run(session *s, sg_shape shape, sg_shape *out)
{
    sg_run run = {.loss_scale = 1};
    int32_t last = s->graph->node[s->graph->nodes - 1].output;
    *out = sg_exec_plan(s->exec)->tensor[last].shape;
    sg_err err = sg_malloc(sg_shape_count(shape), sizeof(float), &s->input);
    if (!err)
        err = sg_malloc(sg_shape_count(*out), sizeof(float), &s->logits);
    for (size_t i = 0; !err && i < sg_shape_count(shape); i++)
        s->input[i] = 4 * sg_uniform(sg_random(6, SG_STREAM_SCENE, i, 0).v[0]) - 2;
    if (!err)
        err = sg_exec_forward(s->exec, s->input, NULL, &run);
    return err ? err : sg_exec_read_value(s->exec, last, s->logits);
}

static sg_err dump(FILE *file, session *s, char **argv)
{
    sg_shape out, shape = {atoi(argv[2]), atoi(argv[3]), atoi(argv[4]), 0};
    sg_err err = open_session(s, argv[1], &shape);
    if (!err)
        err = run(s, shape, &out);
    if (!err)
        err = record_tensor(file, "input", shape, s->input);
    return err ? err : record_tensor(file, "logits", out, s->logits);
}

static void close_session(session *s)
{
    sg_exec_close(s->exec);
    sg_weights_close(s->weights);
    sg_backend_close(s->backend);
    sg_params_close(s->params);
    sg_graph_close(s->graph);
    sg_checkpoint_close(&s->checkpoint);
    sg_free(s->input);
    sg_free(s->logits);
}

int main(int argc, char **argv)
{
    session s = {0};
    if (argc != 6) {
        fprintf(stderr, "usage: dump_model MODEL.h5 N HEIGHT WIDTH FILE\n");
        return 2;
    }
    FILE *file = fopen(argv[5], "wb");
    sg_err err = file ? SG_OK : sg_fail(SG_EOUTPUT, "%s cannot be written", argv[5]);
    if (!err)
        err = dump(file, &s, argv);
    if (file && fclose(file) != 0 && !err)
        err = sg_fail(SG_EOUTPUT, "%s cannot be written", argv[5]);
    close_session(&s);
    if (err)
        fprintf(stderr, "dump_model: %s\n", sg_error_text());
    return sg_exit_status(err);
}
