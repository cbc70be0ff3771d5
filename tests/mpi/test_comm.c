/* Ranks: sums, agreement, the shared counter. Any number of ranks. */
#include "support/mpi_tests.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/size.h"

static int64_t triangle(int64_t n)
{
    return n * (n + 1) / 2;
}

static void sums_and_maxima_are_over_all_ranks(void **state)
{
    sg_comm *comm = *state;
    int64_t rank = sg_comm_rank(comm), ranks = sg_comm_ranks(comm);
    int64_t i64[3] = {rank, 1, INT64_C(1) << 40};
    double f64[2] = {0.5 * (double)rank, -(double)rank};
    float f32[2] = {(float)rank, 0.25f};
    int64_t most_i[2] = {rank, -rank};
    double most_f[1] = {-1e300 * (double)(rank + 1) / (double)ranks};
    sg_comm_sum_i64(comm, i64, 3);
    sg_comm_sum_f64(comm, f64, 2);
    sg_comm_sum_f32(comm, f32, 2);
    sg_comm_max_i64(comm, most_i, 2);
    sg_comm_max_f64(comm, most_f, 1);
    assert_int_equal(i64[0], triangle(ranks - 1));
    assert_int_equal(i64[1], ranks);
    assert_true(i64[2] == ranks << 40);
    assert_true(f64[0] == 0.5 * (double)triangle(ranks - 1));
    assert_true(f64[1] == -(double)triangle(ranks - 1));
    assert_true(f32[0] == (float)triangle(ranks - 1));
    assert_true(f32[1] == 0.25f * (float)ranks);
    assert_int_equal(most_i[0], ranks - 1);
    assert_int_equal(most_i[1], 0);
    assert_true(most_f[0] == -1e300 / (double)ranks);
    sg_comm_sum_i64(comm, NULL, 0);
}

/* Odd and even ranks; then those of a node, which are all here. */
static void parts_are_communicators_of_their_own(void **state)
{
    sg_comm *comm = *state, *part = NULL;
    int rank = sg_comm_rank(comm), ranks = sg_comm_ranks(comm);
    assert_int_equal(sg_comm_split(comm, rank % 2, &part), SG_OK);
    assert_int_equal(sg_comm_rank(part), rank / 2);
    assert_int_equal(sg_comm_ranks(part), (ranks + 1 - rank % 2) / 2);
    int64_t sum = rank, wanted = 0;
    for (int r = rank % 2; r < ranks; r += 2)
        wanted += r;
    sg_comm_sum_i64(part, &sum, 1);
    assert_int_equal(sum, wanted);
    sg_comm_close(part);
    assert_int_equal(sg_comm_split(comm, SG_COMM_NODE, &part), SG_OK);
    assert_int_equal(sg_comm_ranks(part), ranks);
    sg_comm_close(part);
    sg_comm_barrier(comm); /* which is still open */
}

/* With few elements to a call, what is too long for one goes in several. */
static void long_vectors_go_in_pieces(void **state)
{
    sg_comm *comm = *state;
    size_t whole = sg_comm_limit_piece(comm, 3);
    int rank = sg_comm_rank(comm), ranks = sg_comm_ranks(comm);
    int64_t values[10];
    char bytes[10], all[40];
    assert_true(ranks <= 4);
    for (int i = 0; i < 10; i++) {
        values[i] = 100 * i + rank;
        bytes[i] = (char)(10 * rank + i);
    }
    sg_comm_sum_i64(comm, values, 10);
    sg_comm_all_gather(comm, bytes, 10, all);
    sg_comm_broadcast(comm, bytes, 10, ranks - 1);
    sg_comm_limit_piece(comm, whole);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(values[i], 100 * i * ranks + triangle(ranks - 1));
        assert_int_equal(bytes[i], 10 * (ranks - 1) + i);
    }
    for (int i = 0; i < 10 * ranks; i++) {
        assert_int_equal(all[i], i);
    }
}

static void gathering_keeps_the_order_of_ranks(void **state)
{
    sg_comm *comm = *state;
    int ranks = sg_comm_ranks(comm);
    int32_t mine[2] = {sg_comm_rank(comm), -sg_comm_rank(comm)};
    int32_t *all = NULL;
    assert_int_equal(sg_calloc((size_t)ranks, sizeof mine, &all), SG_OK);
    sg_comm_all_gather(comm, mine, sizeof mine, all);
    for (int r = 0; r < ranks; r++) {
        assert_int_equal(all[2 * r], r);
        assert_int_equal(all[2 * r + 1], -r);
    }
    sg_free(all);
}

static void every_rank_has_a_place_and_threads(void **state)
{
    sg_comm *comm = *state;
    assert_in_range(sg_comm_local_rank(comm), 0, sg_comm_local_ranks(comm) - 1);
    assert_in_range(sg_comm_local_ranks(comm), 1, sg_comm_ranks(comm));
    assert_true(sg_comm_threads(comm) >= 1);
}

/* What f prints to stderr on this rank, into text. */
static void capture(char text[512], sg_err (*f)(sg_comm *, sg_err), sg_comm *comm, sg_err mine,
                    sg_err *result)
{
    FILE *file = tmpfile();
    int kept = dup(STDERR_FILENO);
    assert_non_null(file);
    fflush(stderr);
    dup2(fileno(file), STDERR_FILENO);
    *result = f(comm, mine);
    fflush(stderr);
    dup2(kept, STDERR_FILENO);
    close(kept);
    rewind(file);
    text[fread(text, 1, 511, file)] = '\0';
    fclose(file);
}

static void nobody_fails_when_nobody_failed(void **state)
{
    char text[512];
    sg_err err = SG_EINTERNAL;
    capture(text, sg_comm_agree, *state, SG_OK, &err);
    assert_int_equal(err, SG_OK);
    assert_string_equal(text, "");
}

/* Rank `bad` fails: it keeps its code, the others hear of it, it prints once and only once. */
static void one_rank_fails(sg_comm *comm, int bad)
{
    char text[512], expected[128];
    int ranks = sg_comm_ranks(comm);
    bool mine = sg_comm_rank(comm) == bad;
    sg_err err = mine ? sg_fail(SG_EINPUT, "tile %d: is damaged", bad) : SG_OK;
    sg_err agreed = SG_OK;
    capture(text, sg_comm_agree, comm, err, &agreed);
    assert_int_equal(agreed, mine ? SG_EINPUT : SG_EPEER);
    if (ranks == 1) {
        snprintf(expected, sizeof expected, "segtiles: tile %d: is damaged\n", bad);
    } else {
        snprintf(expected, sizeof expected, "segtiles: rank %d: tile %d: is damaged\n", bad, bad);
    }
    assert_string_equal(text, mine ? expected : "");
    capture(text, sg_comm_agree, comm, agreed, &agreed); /* the phase around it */
    assert_int_equal(agreed, mine ? SG_EINPUT : SG_EPEER);
    assert_string_equal(text, "");
}

/* Ranks that only know that another failed do not make it a failure of all. */
static void who_failed_is_named_though_all_know(void **state)
{
    sg_comm *comm = *state;
    int last = sg_comm_ranks(comm) - 1;
    char text[512], expected[64] = "";
    bool mine = sg_comm_rank(comm) == last;
    sg_err agreed = SG_OK;
    sg_err err = mine ? sg_fail(SG_EINPUT, "no space") : SG_EPEER;
    capture(text, sg_comm_agree, comm, err, &agreed);
    assert_int_equal(agreed, err);
    if (mine) {
        snprintf(expected, sizeof expected, "segtiles: rank %d: no space\n", last);
    }
    if (mine && last == 0) { /* one rank has no number */
        strcpy(expected, "segtiles: no space\n");
    }
    assert_string_equal(text, expected);
}

static void a_failure_on_any_rank_is_everyones(void **state)
{
    for (int bad = 0; bad < sg_comm_ranks(*state); bad++) {
        one_rank_fails(*state, bad);
    }
}

static void when_all_fail_the_lowest_rank_speaks_for_all(void **state)
{
    sg_comm *comm = *state;
    char text[512];
    sg_err agreed = SG_OK;
    capture(text, sg_comm_agree, comm, sg_fail(SG_EUSAGE, "no such job"), &agreed);
    assert_int_equal(agreed, SG_EUSAGE);
    assert_string_equal(text, sg_comm_rank(comm) == 0 ? "segtiles: no such job\n" : "");
    assert_true(sg_error_printed());
}

static volatile double sink;

static void compute(double seconds)
{
    double end = sg_now() + seconds;
    while (sg_now() < end) {
        for (int i = 0; i < 1000; i++) {
            sink += 1e-3 * i;
        }
    }
}

enum { TAKEN = 400 };

static void the_counter_hands_out_each_number_once(void **state)
{
    sg_comm *comm = *state;
    int ranks = sg_comm_ranks(comm);
    sg_counter *counter = NULL;
    int64_t seen[TAKEN] = {0}, value = 0, previous = -1;
    assert_int_equal(sg_counter_create(&counter, comm), SG_OK);
    for (;;) {
        assert_int_equal(sg_counter_next(counter, &value), SG_OK);
        if (value >= TAKEN) {
            break;
        }
        assert_true(value > previous);
        previous = value;
        seen[value]++;
        if (value % 50 == 0) {
            compute(1e-3);
        }
    }
    assert_true(value < TAKEN + ranks);
    sg_counter_close(counter);
    sg_comm_sum_i64(comm, seen, TAKEN);
    for (int i = 0; i < TAKEN; i++) {
        assert_int_equal(seen[i], 1);
    }
}

/* Each once and in rising order, whoever is faster; what is of no use comes one by one. */
static void many_numbers_come_several_at_once(void **state)
{
    sg_comm *comm = *state;
    int ranks = sg_comm_ranks(comm);
    sg_counter *counter = NULL;
    int64_t seen[64 * 64] = {0}, value = 0, previous = -1, all = 64 * (int64_t)ranks;
    assert_true(ranks <= 64);
    assert_int_equal(sg_counter_create_for(&counter, comm, all), SG_OK);
    for (; value < all; previous = value) {
        assert_int_equal(sg_counter_next(counter, &value), SG_OK);
        assert_true(value > previous);
        if (value < all)
            seen[value]++;
    }
    assert_true(value < all + ranks);
    sg_counter_close(counter);
    sg_comm_sum_i64(comm, seen, (size_t)all);
    for (int64_t i = 0; i < all; i++)
        assert_int_equal(seen[i], 1);
}

/* In turns, so that it is known how many are left: a quarter of what is left for each rank, at most
 * four, at least one. */
static void an_answer_brings_less_when_less_is_left(void **state)
{
    sg_comm *comm = *state;
    int ranks = sg_comm_ranks(comm), rank = sg_comm_rank(comm);
    int64_t value = -1, next = 0, all = 20 * ranks;
    sg_counter *counter = NULL;
    assert_int_equal(sg_counter_create_for(&counter, comm, all), SG_OK);
    for (int turn = 0; next < all; turn++) {
        int64_t share = (all - next) / (4 * ranks);
        share = share < 1 ? 1 : share > SG_COUNTER_SHARE ? SG_COUNTER_SHARE : share;
        for (int64_t i = 0; i < share && turn % ranks == rank; i++) {
            assert_int_equal(sg_counter_next(counter, &value), SG_OK);
            assert_int_equal(value, next + i);
        }
        next += share;
        sg_comm_barrier(comm);
    }
    sg_counter_close(counter);
}

/* Rank 0 computes and enters no MPI: the others are served all the same. */
static void the_counter_answers_while_rank_0_computes(void **state)
{
    sg_comm *comm = *state;
    sg_counter *counter = NULL;
    assert_int_equal(sg_counter_create(&counter, comm), SG_OK);
    sg_comm_barrier(comm);
    double start = sg_now();
    int64_t value = 0;
    if (sg_comm_rank(comm) == 0) {
        compute(2.0);
    } else {
        assert_int_equal(sg_counter_next(counter, &value), SG_OK);
        assert_true(sg_now() - start < 1.5);
    }
    sg_counter_close(counter);
}

static void *take_ten(void *user)
{
    int64_t value = 0;
    for (int i = 0; i < 10; i++) {
        if (sg_counter_next(user, &value)) {
            return user;
        }
    }
    return NULL;
}

static void threads_of_a_rank_share_the_counter(void **state)
{
    sg_comm *comm = *state;
    pthread_t thread[3];
    void *failed = NULL;
    int64_t value = 0;
    sg_counter *counter = NULL;
    assert_int_equal(sg_counter_create(&counter, comm), SG_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pthread_create(&thread[i], NULL, take_ten, counter), 0);
    }
    for (int i = 0; i < 3; i++) {
        pthread_join(thread[i], &failed);
        assert_null(failed);
    }
    sg_comm_barrier(comm);
    assert_int_equal(sg_counter_next(counter, &value), SG_OK);
    assert_in_range(value, 30 * sg_comm_ranks(comm), 31 * sg_comm_ranks(comm) - 1);
    sg_counter_close(counter);
}

int main(void)
{
    struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_and_maxima_are_over_all_ranks),
        cmocka_unit_test(parts_are_communicators_of_their_own),
        cmocka_unit_test(long_vectors_go_in_pieces),
        cmocka_unit_test(gathering_keeps_the_order_of_ranks),
        cmocka_unit_test(every_rank_has_a_place_and_threads),
        cmocka_unit_test(nobody_fails_when_nobody_failed),
        cmocka_unit_test(a_failure_on_any_rank_is_everyones),
        cmocka_unit_test(who_failed_is_named_though_all_know),
        cmocka_unit_test(when_all_fail_the_lowest_rank_speaks_for_all),
        cmocka_unit_test(the_counter_hands_out_each_number_once),
        cmocka_unit_test(many_numbers_come_several_at_once),
        cmocka_unit_test(an_answer_brings_less_when_less_is_left),
        cmocka_unit_test(the_counter_answers_while_rank_0_computes),
        cmocka_unit_test(threads_of_a_rank_share_the_counter),
    };
    return SG_RUN_MPI_TESTS(tests);
}
