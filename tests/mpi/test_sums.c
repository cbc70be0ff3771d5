/*
 * Sums under way: right, with the same bits everywhere, in the order that comm/reduce.h tells. Up
 * to four ranks, in all layouts over pretended nodes.
 */
#include "support/mpi_tests.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/size.h"

static int64_t triangle(int64_t n)
{
    return n * (n + 1) / 2;
}

enum { SUMS = 7, LONGEST = 1 << 18 };

static void fill(float *values, size_t count, int which, int rank)
{
    for (size_t i = 0; i < count; i++) {
        values[i] = (float)((i % 97) + (size_t)which * 100 + (size_t)rank * 1000);
    }
}

static void check_sum(const float *values, size_t count, int which, int64_t ranks)
{
    for (size_t i = 0; i < count; i++) {
        double one = (double)(i % 97) + 100.0 * which;
        float expected = (float)(one * (double)ranks + 1000.0 * (double)triangle(ranks - 1));
        if (values[i] != expected) {
            fail_msg("sum %d, element %zu: %g instead of %g", which, i, (double)values[i],
                     (double)expected);
        }
    }
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

/* More sums than there is room for at once, of many lengths, while other collectives go on. */
static void check_sums_under_way(sg_comm *comm, bool idle)
{
    int rank = sg_comm_rank(comm), ranks = sg_comm_ranks(comm);
    sg_sums *sums = NULL;
    float *values[SUMS] = {NULL};
    size_t count[SUMS];
    const sg_sums_options options = {.most_at_once = 3, .idle = idle};
    assert_int_equal(sg_sums_create(&sums, comm, &options), SG_OK);
    sg_sum_wait_all(sums); /* nothing to wait for */
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < SUMS; i++) {
            count[i] = (size_t)LONGEST >> (2 * i);
            assert_int_equal(sg_malloc(count[i], sizeof(float), &values[i]), SG_OK);
            fill(values[i], count[i], i, rank);
            sg_sum_start(sums, values[i], count[i]);
            compute(rank == i % ranks ? 2e-3 : 0); /* ranks fall out of step */
            int64_t one = 1;
            sg_comm_sum_i64(comm, &one, 1);
            assert_int_equal(one, ranks);
        }
        sg_sum_wait_all(sums);
        for (int i = 0; i < SUMS; i++) {
            check_sum(values[i], count[i], i, ranks);
            sg_free(values[i]);
        }
    }
    sg_sums_close(sums);
}

static void sums_under_way_are_right(void **state)
{
    check_sums_under_way(*state, false);
    check_sums_under_way(*state, true);
}

static void a_long_sum_goes_in_pieces(void **state)
{
    sg_comm *comm = *state;
    size_t whole = sg_comm_limit_piece(comm, 7);
    float values[100];
    sg_sums *sums = NULL;
    assert_int_equal(sg_sums_create(&sums, comm, &(sg_sums_options){.most_at_once = 2}), SG_OK);
    sg_comm_limit_piece(comm, whole);
    fill(values, 100, 0, sg_comm_rank(comm));
    sg_sum_start(sums, values, 100);
    sg_sum_wait_all(sums);
    check_sum(values, 100, 0, sg_comm_ranks(comm));
    sg_sums_close(sums);
}

/* All ranks end with the same bits, or their weights would drift apart. */
static void sums_have_the_same_bits_everywhere(void **state)
{
    sg_comm *comm = *state;
    enum { N = 50000 };
    sg_sums *sums = NULL;
    float *values = NULL, *first = NULL;
    assert_int_equal(sg_malloc(N, sizeof(float), &values), SG_OK);
    assert_int_equal(sg_malloc(N, sizeof(float), &first), SG_OK);
    assert_int_equal(sg_sums_create(&sums, comm, &(sg_sums_options){.most_at_once = 1}), SG_OK);
    for (int i = 0; i < N; i++) {
        values[i] = sinf((float)(i + 7 * sg_comm_rank(comm))) * powf(10, (float)(i % 11 - 5));
    }
    sg_sum_start(sums, values, N);
    sg_sum_wait_all(sums);
    memcpy(first, values, N * sizeof(float));
    sg_comm_broadcast(comm, first, N * sizeof(float), 0);
    assert_memory_equal(first, values, N * sizeof(float));
    sg_sums_close(sums);
    sg_free(values);
    sg_free(first);
}

/* ---- the order of sums, against plain loops ---- */

enum { TERMS = 5000, ROUNDS = 3, MOST_RANKS = 4 };

static float term(int rank, int i, int round)
{
    return sinf((float)(i + 7 * rank + 31 * round)) * powf(10, (float)(i % 11 - 5));
}

/* Element i of each node, its ranks one after the other; how many nodes there are. */
static int node_parts(float *part, int ranks, int per_node, int i, int round)
{
    int nodes = (ranks + per_node - 1) / per_node;
    for (int r = 0; r < ranks; r++) {
        float *sum = &part[r / per_node];
        *sum = r % per_node == 0 ? term(r, i, round) : *sum + term(r, i, round);
    }
    return nodes;
}

/* The order that comm/reduce.h tells. */
static float expected_sum(int ranks, int per_node, int i, int round)
{
    float part[MOST_RANKS];
    int nodes = node_parts(part, ranks, per_node, i, round), h = 1;
    while (2 * h <= nodes) {
        h *= 2;
    }
    for (int n = h; n < nodes; n++) {
        part[n - h] += part[n];
    }
    for (int mask = h / 2; mask > 0; mask /= 2) {
        for (int n = 0; n < mask; n++) {
            part[n] += part[n + mask];
        }
    }
    return part[0];
}

static sg_sums *open_sums(sg_comm *comm, size_t longest, const float *narrow)
{
    sg_sums *sums = NULL;
    const sg_sums_options options = {
        .most_at_once = 3, .longest = longest, .narrow = narrow, .narrow_count = TERMS};
    assert_int_equal(sg_sums_create(&sums, comm, &options), SG_OK);
    return sums;
}

/* Any layout, any length of pieces: the very bits of the plain loop. */
static void sums_have_the_bits_of_a_plain_loop(void **state)
{
    sg_comm *comm = *state;
    static float values[TERMS];
    const size_t lengths[] = {0, 1000, 37};
    int rank = sg_comm_rank(comm), ranks = sg_comm_ranks(comm);
    assert_true(ranks <= MOST_RANKS);
    for (int per_node = 1; per_node <= ranks; per_node++) {
        sg_comm_pretend_nodes(comm, per_node);
        for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++) {
            sg_sums *sums = open_sums(comm, lengths[k], NULL);
            for (int i = 0; i < TERMS; i++) {
                values[i] = term(rank, i, 0);
            }
            sg_sum_start(sums, values, 3); /* bounds anywhere */
            sg_sum_start(sums, values + 3, TERMS - 3);
            sg_sum_wait_all(sums);
            for (int i = 0; i < TERMS; i++) {
                float wanted = expected_sum(ranks, per_node, i, 0);
                if (memcmp(&wanted, &values[i], sizeof wanted) != 0) {
                    fail_msg("%d ranks a node, element %d: %.9g instead of %.9g", per_node, i,
                             (double)values[i], (double)wanted);
                }
            }
            sg_sums_close(sums);
        }
    }
    sg_comm_pretend_nodes(comm, ranks);
}

static float to_bf16(float value)
{
    double scaled;
    int exponent;
    if (value == 0) {
        return value;
    }
    scaled = frexp((double)value, &exponent); /* 8 bits, to nearest even */
    return (float)ldexp(nearbyint(ldexp(scaled, 8)), exponent - 8);
}

/* Error feedback with plain loops: of each node, and of the sum. */
static float expected_narrow(int ranks, int per_node, int i, int round, float *error, float *kept)
{
    float part[MOST_RANKS], sum = 0;
    int nodes = node_parts(part, ranks, per_node, i, round);
    for (int n = 0; n < nodes; n++) {
        float whole = part[n] + error[n];
        float given = to_bf16(whole);
        error[n] = whole - given;
        sum = n == 0 ? given : sum + given;
    }
    float whole = sum + *kept;
    *kept = whole - to_bf16(whole);
    return to_bf16(whole);
}

static void narrow_sums_bring_in_later_what_rounding_took(void **state)
{
    sg_comm *comm = *state;
    static float values[TERMS], error[TERMS][MOST_RANKS], kept[TERMS];
    int rank = sg_comm_rank(comm), ranks = sg_comm_ranks(comm);
    for (int per_node = 1; per_node <= ranks; per_node++) {
        sg_comm_pretend_nodes(comm, per_node);
        sg_sums *sums = open_sums(comm, 700, values);
        int alone = per_node == ranks ? 1 : per_node; /* with one node: between its ranks */
        memset(error, 0, sizeof error);
        memset(kept, 0, sizeof kept);
        for (int round = 0; round < ROUNDS; round++) {
            for (int i = 0; i < TERMS; i++) {
                values[i] = term(rank, i, round);
            }
            sg_sum_start(sums, values, TERMS);
            sg_sum_wait_all(sums);
            for (int i = 0; i < TERMS; i++) {
                float wanted = expected_narrow(ranks, alone, i, round, error[i], &kept[i]);
                if (values[i] != wanted) {
                    fail_msg("%d ranks a node, round %d, element %d: %.9g instead of %.9g",
                             per_node, round, i, (double)values[i], (double)wanted);
                }
            }
        }
        sg_sums_close(sums);
    }
    sg_comm_pretend_nodes(comm, ranks);
}

/* Values that come late hold back no other rank for ever; those that never come are zeros. */
static sg_err arrives(void *user, int32_t which, bool *passed)
{
    int *asked = user;
    *passed = ++*asked > 20;
    return which == 1 && *passed ? SG_EINTERNAL : SG_OK;
}

static void values_may_arrive_later_or_never(void **state)
{
    sg_comm *comm = *state;
    float late[10], never[10];
    int asked[2] = {0}, last = sg_comm_ranks(comm) - 1;
    sg_sums *sums = open_sums(comm, 0, NULL);
    fill(late, 10, 1, sg_comm_rank(comm));
    fill(never, 10, 2, sg_comm_rank(comm));
    sg_sum_start_after(sums, late, 10, &(sg_arrival){arrives, &asked[0], 0});
    int64_t number = sg_sum_start_after(
        sums, never, 10, &(sg_arrival){arrives, &asked[1], sg_comm_rank(comm) == last});
    sg_sum_wait(sums, number);
    check_sum(late, 10, 1, sg_comm_ranks(comm));
    for (int i = 0; i < 10; i++) {
        double one = i + 200.0;
        assert_true(never[i] == (float)(one * last + 1000.0 * (double)triangle(last - 1)));
    }
    assert_true(asked[0] > 20);
    sg_sums_close(sums);
}

static void what_a_sum_takes_is_measured(void **state)
{
    double latency = -1, per_element = -1;
    assert_int_equal(sg_sums_measure(*state, &latency, &per_element), SG_OK);
    assert_true(latency > 0 && latency < 10);
    assert_true(per_element > 0 && per_element < 1e-3);
}

int main(void)
{
    struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_under_way_are_right),
        cmocka_unit_test(a_long_sum_goes_in_pieces),
        cmocka_unit_test(sums_have_the_same_bits_everywhere),
        cmocka_unit_test(sums_have_the_bits_of_a_plain_loop),
        cmocka_unit_test(narrow_sums_bring_in_later_what_rounding_took),
        cmocka_unit_test(values_may_arrive_later_or_never),
        cmocka_unit_test(what_a_sum_takes_is_measured),
    };
    return SG_RUN_MPI_TESTS(tests);
}
