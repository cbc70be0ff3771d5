/*
 * The commands of `segtiles`. Each parses its own arguments (argv[0] is the command's name), runs
 * on all ranks and returns SG_OK or an error whose text is set on the ranks where it was detected;
 * main prints it once and turns it into the exit status. [collective]
 */
#ifndef SG_JOBS_COMMAND_H
#define SG_JOBS_COMMAND_H

#include "comm/comm.h"
#include "nn/backend.h"

sg_err sg_command_train(sg_comm *comm, int argc, char **argv);
sg_err sg_command_tile(sg_comm *comm, int argc, char **argv);
sg_err sg_command_predict(sg_comm *comm, int argc, char **argv);
sg_err sg_command_evaluate(sg_comm *comm, int argc, char **argv);
sg_err sg_command_report(sg_comm *comm, int argc, char **argv);
sg_err sg_command_info(sg_comm *comm, int argc, char **argv);
sg_err sg_command_bench(sg_comm *comm, int argc, char **argv);
sg_err sg_command_export(sg_comm *comm, int argc, char **argv);

/*
 * Open the device a command computes on: device "auto" (a GPU where this build and node have one,
 * else the processors), "cpu", "cuda" (SG_EUNSUPPORTED where there is none) or "reference";
 * precision "auto" (bf16 where the device offers it, else f32), "f32", "bf16" or, on a GPU, "tf32"
 * (f32 whose convolutions may round their factors to tf32); SG_EUNSUPPORTED where the device does
 * not offer it. threads 0: fair share of the node. [local]
 */
typedef struct {
    char device[16];
    char precision[8];
    int32_t threads;
} sg_device_options;

sg_err sg_device_open(const sg_device_options *options, const sg_comm *comm, sg_backend **backend,
                      sg_dtype *type);

/* Which model predict and evaluate use: wish when not NULL, else $SEGTILES_MODEL, else ./model.h5,
 * else best.h5 (or last.h5) of the newest folder under ./runs. path: SG_PATH_MAX bytes. SG_EUSAGE
 * says where was looked. [local] */
sg_err sg_find_model(const char *wish, char *path);

#endif
