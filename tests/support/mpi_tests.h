/*
 * cmocka under mpirun. Each test gets the communicator as *state, all ranks run all tests, rank 0
 * prints. A rank whose assertion failed has left the test's collectives, in which the others would
 * wait for ever: it ends the whole run at once.
 */
#ifndef SG_TESTS_MPI_TESTS_H
#define SG_TESTS_MPI_TESTS_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#include "base/log.h"
#include "comm/comm.h"

static inline int sg_run_mpi_tests(struct CMUnitTest *tests, size_t count)
{
    sg_comm *comm = NULL;
    int64_t failed = 0;
    if (sg_comm_start(&comm, NULL, NULL)) {
        fprintf(stderr, "%s\n", sg_error_text());
        return 1;
    }
    sg_log_setup(sg_comm_rank(comm), sg_comm_ranks(comm), SG_LOG_NORMAL);
    if (sg_comm_rank(comm) > 0 && !freopen("/dev/null", "w", stdout)) {
        failed++;
    }
    for (size_t i = 0; i < count; i++) {
        tests[i].initial_state = comm;
        if (_cmocka_run_group_tests(tests[i].name, &tests[i], 1, NULL, NULL)) {
            fprintf(stderr, "rank %d: %s failed\n", sg_comm_rank(comm), tests[i].name);
            sg_comm_abort(comm, 1);
        }
    }
    sg_comm_sum_i64(comm, &failed, 1);
    sg_comm_close(comm);
    return failed ? 1 : 0;
}

#define SG_RUN_MPI_TESTS(tests) sg_run_mpi_tests(tests, sizeof(tests) / sizeof *(tests))

#endif
