/*
 * segtiles: maps of land cover from large rasters. This file finds the command, lets it run on all
 * ranks, and makes one exit status and one message of what they return.
 */
#include "jobs/command.h"
#include "jobs/options.h"
#include "base/log.h"
#include "data/raster.h"

#include <stdio.h>
#include <string.h>

typedef struct {
    const char *name;
    sg_err (*run)(sg_comm *comm, int argc, char **argv);
    size_t cache_mib; /* of GDAL's block cache; training comes back to the same blocks again */
    const char *summary;
} command;

static const command commands[] = {
    {"train", sg_command_train, 256, "train a network by a job file"},
    {"tile", sg_command_tile, 256, "write the scenes of a job into a tile store"},
    {"predict", sg_command_predict, 32, "map a scene with a trained network"},
    {"evaluate", sg_command_evaluate, 64, "compare a mask, or a network, with labels"},
    {"report", sg_command_report, 64, "write a page about a training run"},
    {"info", sg_command_info, 64, "tell about a scene, a checkpoint, a tile store or a mask"},
    {"export", sg_command_export, 64, "write a network for PyTorch, ONNX Runtime or Deepness"},
    {"bench", sg_command_bench, 64, "measure the speed of this machine"},
};
enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

static void print_usage(FILE *out)
{
    fputs("usage: segtiles COMMAND [options] ...\n"
          "       mpirun -n RANKS segtiles COMMAND [options] ...\n\ncommands:\n",
          out);
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].summary);
    fputs("\n`segtiles COMMAND --help` tells what a command takes; `segtiles --version` the "
          "version.\n"
          "Exit status: 0 done; 1 failed; 2 wrong use; 75 stopped by a signal after saving, run "
          "again to go on.\n",
          out);
}

static const command *find_command(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}

static sg_err unknown_command(const char *name)
{
    char word[64];
    const char *near =
        sg_nearest_word(name, "train tile predict evaluate report info export bench", word);
    if (near != NULL)
        return sg_fail(SG_EUSAGE, "unknown command \"%s\"; did you mean \"%s\"?", name, near);
    return sg_fail(SG_EUSAGE, "unknown command \"%s\"; `segtiles --help` lists the commands", name);
}

/* Take --quiet and --verbose (-q, -v) out of argv, wherever they stand before "--". */
static sg_log_level take_log_level(int *argc, char **argv)
{
    sg_log_level level = SG_LOG_NORMAL;
    bool open = true;
    int kept = 1;
    for (int i = 1; i < *argc; i++) {
        if (open && (strcmp(argv[i], "--quiet") == 0 || strcmp(argv[i], "-q") == 0)) {
            level = SG_LOG_QUIET;
        } else if (open && (strcmp(argv[i], "--verbose") == 0 || strcmp(argv[i], "-v") == 0)) {
            level = SG_LOG_VERBOSE;
        } else {
            open = open && strcmp(argv[i], "--") != 0;
            argv[kept++] = argv[i];
        }
    }
    argv[kept] = NULL;
    *argc = kept;
    return level;
}

static sg_err run_command(sg_comm *comm, int argc, char **argv)
{
    bool first = sg_comm_rank(comm) == 0;
    if (argc < 2) {
        if (first)
            print_usage(stderr);
        return sg_fail(SG_EUSAGE, "a command is missing");
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        if (first)
            print_usage(stdout);
        return SG_OK;
    }
    if (strcmp(name, "--version") == 0) {
        if (first)
            printf("segtiles %s\n", SEGTILES_VERSION);
        return SG_OK;
    }
    const command *found = find_command(name);
    if (found == NULL)
        return unknown_command(name);
    sg_gdal_start(found->cache_mib << 20);
    return found->run(comm, argc - 1, argv + 1);
}

/*
 * All ranks end with the same status. A rank that only knows that another failed takes that one's;
 * where they differ, wrong use and failures come before "stopped".
 */
static int agree_status(sg_comm *comm, sg_err err)
{
    int64_t failed[3] = {0, 0, 0}; /* seen anywhere: 1, 2, 75 */
    int status = err == SG_EPEER ? 0 : sg_exit_status(err);
    failed[0] = status == 1;
    failed[1] = status == 2;
    failed[2] = status == 75;
    sg_comm_max_i64(comm, failed, 3);
    if (failed[1])
        return 2;
    if (failed[0])
        return 1;
    return failed[2] ? 75 : err == SG_OK ? 0 : 1;
}

int main(int argc, char **argv)
{
    sg_comm *comm = NULL;
    sg_err err = sg_comm_start(&comm, &argc, &argv);
    if (err != SG_OK) {
        fprintf(stderr, "segtiles: %s\n", sg_error_text());
        return sg_exit_status(err);
    }
    sg_log_level level = take_log_level(&argc, argv);
    sg_log_setup(sg_comm_rank(comm), sg_comm_ranks(comm), level);
    err = run_command(comm, argc, argv);
    sg_comm_agree(comm, err);
    int status = agree_status(comm, err);
    sg_comm_close(comm);
    return status;
}
