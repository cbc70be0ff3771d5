/*
 * segtiles bench, between its files: bench.c reads the command line, bench_network.c times a
 * network against its convolutions, bench_predict.c a prediction against its network, bench_load.c
 * the reading of crops.
 */
#ifndef SG_JOBS_BENCH_H
#define SG_JOBS_BENCH_H

#include "jobs/command.h"
#include "model/model.h"

enum { SG_BENCH_REPEATS = 1000 }; /* at most */

typedef struct {
    bool train;
    const char *net;        /* as sg_model_parse reads it, or NULL */
    sg_model_options model; /* net, train */
    const char *batch_text; /* of the command line, or NULL */
    int32_t size, profile, recompute;
    int32_t batch; /* 0: as many as fit */
    int32_t repeats;
    const char *checkpoint, *scene; /* predict; checkpoint may be NULL: see sg_find_model */
    const char *job;                /* load, with key=value ... */
    char **overrides;
    int override_count;
    sg_device_options device;
} sg_bench_options;

/* Print the speed of a forward pass, or of a training step. [collective] */
sg_err sg_bench_network(const sg_bench_options *options, sg_comm *comm);
/* Print how long it takes from the scene to its mask, and the network alone for the same tiles.
 * [collective] */
sg_err sg_bench_predict(const sg_bench_options *options, sg_comm *comm);
/* Print how fast the crops of a job's training are read, from its scenes and its tile store.
 * [collective] */
sg_err sg_bench_load(const sg_bench_options *options, sg_comm *comm);

#endif
