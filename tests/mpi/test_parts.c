/* Spools of several ranks and runs: what any rank has written, every rank reads. */
#include "support/mpi_tests.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include "support/shared_folder.h"
#include "tiles/parts.h"

/* More than are merged at once. */
enum { RECORDS = 20000, LONGEST = 64 };

/* What a record holds: as long as its number says, 0 bytes among them. */
static size_t content(int64_t record, int version, char text[LONGEST])
{
    memset(text, 'a' + version, LONGEST);
    snprintf(text, LONGEST, "%lld", (long long)record);
    return (size_t)(record * 7 % LONGEST);
}

static void check_record(sg_parts *parts, int64_t record, int version)
{
    char want[LONGEST], got[LONGEST];
    size_t bytes = content(record, version, want);
    assert_int_equal(sg_parts_bytes(parts, record), bytes);
    assert_int_equal(sg_parts_read(parts, record, got), SG_OK);
    assert_memory_equal(got, want, bytes);
}

static sg_parts *open_parts(sg_comm *comm, const char *folder, bool restart)
{
    char output[300];
    sg_parts *parts = NULL;
    snprintf(output, sizeof output, "%s/out", folder);
    const sg_parts_options options = {
        .output = output, .journal = "a test\n", .records = RECORDS, .restart = restart};
    assert_int_equal(sg_parts_open(&parts, comm, &options), SG_OK);
    return parts;
}

/* All records of this rank's turn that are not there yet and that step picks. */
static void add_records(sg_comm *comm, sg_parts *parts, int step)
{
    char text[LONGEST];
    for (int64_t i = sg_comm_rank(comm); i < RECORDS; i += sg_comm_ranks(comm)) {
        size_t bytes = content(i, 0, text);
        if (i % step == 0 && !sg_parts_has(parts, i))
            assert_int_equal(sg_parts_add(parts, i, text, bytes), SG_OK);
    }
}

static void close_parts(sg_comm *comm, sg_parts *parts)
{
    sg_comm_barrier(comm); /* all have read */
    if (sg_comm_rank(comm) == 0)
        sg_parts_remove(parts);
    sg_parts_close(parts);
    sg_comm_barrier(comm);
}

static void remove_folder(sg_comm *comm, const char *folder)
{
    sg_comm_barrier(comm);
    if (sg_comm_rank(comm) == 0) {
        assert_int_equal(entries(folder), 0);
        assert_int_equal(remove(folder), 0);
    }
}

/* How many ranks say that a record is near, for each. */
static void check_near(sg_comm *comm, const sg_parts *parts)
{
    static int64_t near[RECORDS];
    for (int64_t i = 0; i < RECORDS; i++)
        near[i] = sg_parts_is_near(parts, i);
    sg_comm_sum_i64(comm, near, RECORDS);
    for (int64_t i = 0; i < RECORDS; i++)
        assert_int_equal(near[i], 1);
}

static void every_rank_reads_what_any_has_written(void **state)
{
    sg_comm *comm = *state;
    char folder[256], none[LONGEST];
    shared_folder(comm, folder);
    sg_parts *parts = open_parts(comm, folder, false);
    add_records(comm, parts, 7);
    assert_int_equal(sg_parts_finish(parts, SG_OK), SG_OK);
    for (int64_t i = 0; i < RECORDS; i++) {
        if (i % 7 == 0) {
            check_record(parts, i, 0);
        } else if (i < 20) {
            assert_int_equal(sg_parts_bytes(parts, i), -1);
            assert_int_equal(sg_parts_read(parts, i, none), SG_EINTERNAL);
        }
    }
    check_near(comm, parts);
    close_parts(comm, parts);
    remove_folder(comm, folder);
}

/* Three runs that failed, each with its share of the records, the third with none. */
static void earlier_runs_count(void **state)
{
    sg_comm *comm = *state;
    char folder[256];
    shared_folder(comm, folder);
    for (int step = 5; step > 2; step--) {
        sg_parts *parts = open_parts(comm, folder, false);
        if (step > 3)
            add_records(comm, parts, step);
        bool fails = sg_comm_rank(comm) == step % sg_comm_ranks(comm);
        sg_err mine = fails ? sg_fail(SG_EINTERNAL, "this failure is wanted") : SG_OK;
        assert_int_equal(sg_parts_finish(parts, mine), fails ? SG_EINTERNAL : SG_EPEER);
        sg_parts_close(parts);
        sg_comm_barrier(comm);
    }
    sg_parts *parts = open_parts(comm, folder, false);
    for (int64_t i = 0; i < RECORDS; i++)
        assert_int_equal(sg_parts_has(parts, i), i % 5 == 0 || i % 4 == 0);
    add_records(comm, parts, 1);
    assert_int_equal(sg_parts_finish(parts, SG_OK), SG_OK);
    for (int64_t i = 0; i < RECORDS; i++)
        check_record(parts, i, 0);
    check_near(comm, parts);
    close_parts(comm, parts);
    remove_folder(comm, folder);
}

/* In two rounds: what was read of a spool before, does not hide what came later. */
static void what_is_derived_takes_the_place(void **state)
{
    sg_comm *comm = *state;
    char folder[256], text[LONGEST];
    int rank = sg_comm_rank(comm), ranks = sg_comm_ranks(comm);
    shared_folder(comm, folder);
    sg_parts *parts = open_parts(comm, folder, false);
    add_records(comm, parts, 2); /* the others are derived only */
    assert_int_equal(sg_parts_finish(parts, SG_OK), SG_OK);
    for (int round = 1; round <= 2; round++) {
        for (int64_t i = (rank + round) % ranks; i < RECORDS; i += ranks)
            if (i % 3 == round)
                assert_int_equal(sg_parts_derive(parts, i, text, content(i, round, text)), SG_OK);
        assert_int_equal(sg_parts_share(parts, SG_OK), SG_OK);
        for (int64_t i = 0; i < RECORDS; i++)
            if (i % 3 > 0 && i % 3 <= round)
                check_record(parts, i, (int)(i % 3));
            else if (i % 2 == 0)
                check_record(parts, i, 0);
            else
                assert_int_equal(sg_parts_bytes(parts, i), -1);
        check_near(comm, parts);
    }
    close_parts(comm, parts);
    remove_folder(comm, folder);
}

/* It is told, and what is derived is made anew in the next run. */
static void a_failure_in_deriving_fails_all(void **state)
{
    sg_comm *comm = *state;
    char folder[256];
    int ranks = sg_comm_ranks(comm);
    shared_folder(comm, folder);
    for (int failing = 0; failing < ranks; failing++) {
        sg_parts *parts = open_parts(comm, folder, false);
        bool fails = sg_comm_rank(comm) == failing;
        add_records(comm, parts, 1);
        assert_int_equal(sg_parts_finish(parts, SG_OK), SG_OK);
        assert_int_equal(sg_parts_derive(parts, sg_comm_rank(comm), "new", 3), SG_OK);
        sg_err mine = fails ? sg_fail(SG_EOUTPUT, "this failure is wanted") : SG_OK;
        assert_int_equal(sg_parts_share(parts, mine), fails ? SG_EOUTPUT : SG_EPEER);
        sg_parts_close(parts);
        sg_comm_barrier(comm);
    }
    sg_parts *parts = open_parts(comm, folder, false);
    assert_int_equal(sg_parts_finish(parts, SG_OK), SG_OK);
    for (int64_t i = 0; i < RECORDS; i++)
        check_record(parts, i, 0);
    close_parts(comm, parts);
    remove_folder(comm, folder);
}

/* More spools than files may be open: each rank of each run leaves one. */
static void few_files_are_enough(void **state)
{
    enum { LEAST = 40, FILES = 72 };
    sg_comm *comm = *state;
    int ranks = sg_comm_ranks(comm), spools = 0;
    char folder[256], text[LONGEST];
    const struct rlimit tight = {FILES, FILES};
    shared_folder(comm, folder);
    for (; spools < LEAST; spools += ranks) {
        sg_parts *parts = open_parts(comm, folder, false);
        assert_int_equal(sg_parts_add(parts, spools + sg_comm_rank(comm), "a", 1), SG_OK);
        assert_true(sg_parts_finish(parts, sg_fail(SG_ESTOPPED, "wanted")) != SG_OK);
        sg_parts_close(parts);
        sg_comm_barrier(comm);
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0); /* of this process, for good */
    sg_parts *parts = open_parts(comm, folder, false);
    assert_int_equal(sg_parts_finish(parts, SG_OK), SG_OK);
    for (int i = 0; i < 3 * spools; i++) {
        assert_int_equal(sg_parts_read(parts, i % spools, text), SG_OK);
        assert_int_equal(text[0], 'a');
    }
    close_parts(comm, parts);
    remove_folder(comm, folder);
}

int main(void)
{
    struct CMUnitTest tests[] = {
        cmocka_unit_test(every_rank_reads_what_any_has_written),
        cmocka_unit_test(earlier_runs_count),
        cmocka_unit_test(what_is_derived_takes_the_place),
        cmocka_unit_test(a_failure_in_deriving_fails_all),
        cmocka_unit_test(few_files_are_enough),
    };
    return SG_RUN_MPI_TESTS(tests);
}
