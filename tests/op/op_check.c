/*
 * op_check BACKEND [WORD]: the cases of one backend against the reference, or those whose name
 * holds WORD, in f32 and bf16; for machines without the test framework. WORD may also be network,
 * losses (50 of a U-Net and a DeepLab) or tiles (bits do not depend on tile or batch). Prints what
 * fails and how many passed. Exit status 1 when one failed, 77 when the backend is not here.
 */
#include <stdio.h>
#include <string.h>
#include "op/calls.h"
#include "op/compare.h"
#include "op/images.h"
#include "op/network.h"
#include "op/whole.h"

typedef struct {
    int passed, refused, failed;
} counts;

static void check(sg_backend *backend, sg_dtype type, const op_case *row, counts *n)
{
    bool ran;
    sg_err err = op_compare(backend, type, row, &ran);
    if (err)
        printf("FAILED  %s, %s: %s\n", sg_dtype_name(type), row->name, sg_error_text());
    else if (!ran)
        printf("refused %s, %s\n", sg_dtype_name(type), row->name);
    n->failed += err != SG_OK;
    n->refused += !err && !ran;
    n->passed += !err && ran;
    fflush(stdout);
}

static void note(const char *what, sg_err err, counts *n)
{
    if (err)
        printf("FAILED  %s: %s\n", what, sg_error_text());
    n->failed += err != SG_OK;
    n->passed += err == SG_OK;
    fflush(stdout);
}

static void check_network(sg_backend *backend, counts *n)
{
    note("calls that are no operators", op_compare_calls(backend), n);
    note("images of every kind", op_compare_images(backend), n);
    note("results in flight", op_compare_results(backend), n);
    note("network: training in f32", op_compare_training(backend, SG_F32), n);
    if (backend->supports(backend, SG_BF16))
        note("network: training in bf16", op_compare_training(backend, SG_BF16), n);
    for (sg_dtype type = SG_F32; type <= SG_BF16; type++)
        if (backend->supports(backend, type))
            note("network: recorded training", op_compare_recordings(backend, type), n);
    note("network: prediction", op_compare_prediction(backend), n);
    note("network: side by side in f32", op_compare_beside(backend, SG_F32), n);
    if (backend->supports(backend, SG_BF16))
        note("network: side by side in bf16", op_compare_beside(backend, SG_BF16), n);
}

int main(int argc, char **argv)
{
    sg_backend *backend = NULL;
    counts n = {0};
    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: op_check BACKEND [WORD]\n");
        return 2;
    }
    sg_err err = op_backend_open(argv[1], &backend);
    if (err) {
        fprintf(stderr, "op_check: %s\n", sg_error_text());
        return err == SG_EUNSUPPORTED ? 77 : sg_exit_status(err);
    }
    printf("%s: %s\n", backend->name, backend->device);
    for (size_t i = 0; i < op_case_count; i++)
        for (sg_dtype type = SG_F32; type <= SG_BF16; type++)
            if (argc < 3 || strstr(op_cases[i].name, argv[2]))
                check(backend, type, &op_cases[i], &n);
    if (argc < 3 || strcmp(argv[2], "network") == 0)
        check_network(backend, &n);
    if (argc == 3 && strcmp(argv[2], "losses") == 0)
        note("losses of 50 steps", op_compare_losses(backend), &n);
    if (argc == 3 && strcmp(argv[2], "tiles") == 0)
        note("tiles and batches", op_compare_tiles(backend), &n);
    sg_backend_close(backend);
    printf("%d passed, %d refused, %d failed\n", n.passed, n.refused, n.failed);
    return n.failed > 0 || n.passed == 0;
}
