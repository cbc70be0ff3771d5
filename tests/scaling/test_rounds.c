/* An all-reduce's rounds: what one rank sends another receives in the same round, every rank hears
 * of every other, and the bytes are those of the books. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "rounds.h"

enum { RANKS_MOST = 40, ROUNDS_MOST = 2 * RANKS_MOST };

static void near(double found, double expected, double difference)
{
    assert_true(fabs(found - expected) <= difference);
}

static reduction of(algorithm how, int rank, int ranks, int locals)
{
    return (reduction){
        .how = how, .rank = rank, .ranks = ranks, .locals = locals, .bytes = 1e6, .stands_for = 1};
}

static const message *from_in(const one_round *round, int rank)
{
    for (int i = 0; i < round->receives; i++)
        if (round->received[i].rank == rank)
            return &round->received[i];
    return NULL;
}

/* All ranks' rounds side by side; heard[r]: whose terms r's values may hold, as bits. */
static double run_all(algorithm how, int ranks, int locals, double *most_sent)
{
    uint64_t heard[RANKS_MOST], next[RANKS_MOST];
    double sent[RANKS_MOST] = {0}, summed = 0;
    bool any = true;
    for (int r = 0; r < ranks; r++)
        heard[r] = UINT64_C(1) << r;
    for (int number = 0; any; number++) {
        one_round round[RANKS_MOST];
        int sends = 0, receives = 0;
        any = false;
        for (int r = 0; r < ranks; r++) {
            reduction mine = of(how, r, ranks, locals);
            any |= find_round(&mine, number, &round[r]);
            receives += round[r].receives;
            summed += round[r].summed;
        }
        memcpy(next, heard, sizeof next);
        for (int r = 0; r < ranks; r++)
            for (int i = 0; i < round[r].sends; i++, sends++) {
                const message *out = &round[r].sent[i];
                assert_true(out->rank >= 0 && out->rank < ranks && out->rank != r);
                const message *in = from_in(&round[out->rank], r);
                assert_non_null(in);
                near(in->bytes, out->bytes, 1e-6);
                next[out->rank] |= heard[r];
                sent[r] += out->bytes;
            }
        assert_int_equal(sends, receives);
        memcpy(heard, next, sizeof heard);
        assert_true(number < ROUNDS_MOST);
    }
    *most_sent = 0;
    for (int r = 0; r < ranks; r++) {
        assert_true(heard[r] == (UINT64_C(1) << ranks) - 1);
        *most_sent = fmax(*most_sent, sent[r]);
    }
    return summed;
}

/* Whatever the way, ranks - 1 additions of the vector are done in all. */
static void every_rank_gets_every_term(void **state)
{
    (void)state;
    double most;
    for (int how = 0; how < ALGORITHMS; how++)
        for (int ranks = 2; ranks <= RANKS_MOST; ranks++)
            for (int locals = 1; locals <= (how == NODES ? 4 : 1); locals++)
                if (ranks % locals == 0)
                    near(run_all((algorithm)how, ranks, locals, &most), (ranks - 1) * 1e6, 1);
}

/* Thakur, Rabenseifner and Gropp, 2005: 2 (p - 1) / p of the vector, and log p vectors. */
static void bytes_are_those_of_the_books(void **state)
{
    (void)state;
    double most;
    for (int ranks = 2; ranks <= 32; ranks *= 2) {
        const double least = 2e6 * (ranks - 1) / ranks;
        run_all(HALVING, ranks, 1, &most);
        near(most, least, 1);
        run_all(RING, ranks, 1, &most);
        near(most, least, 1);
        run_all(BINOMIAL, ranks, 1, &most);
        near(most, log2(ranks) * 1e6, 1); /* the root's, on the way down */
    }
    for (int ranks = 8; ranks <= 32; ranks *= 2) {
        run_all(NODES, ranks, 4, &most);
        near(most, 2e6 * 3 / 4 + 2e6 / 4 * (1 - 4.0 / ranks), 1);
    }
}

/* One rank in the place of a node's four sends over the network what the four send together. */
static void a_folded_node_sends_what_its_ranks_send(void **state)
{
    (void)state;
    reduction folded = of(NODES, 3, 8, 1), whole = of(NODES, 12, 32, 4);
    folded.stands_for = 4;
    folded.local_rate = 1e9;
    folded.local_latency = 0;
    one_round a, b;
    assert_true(find_round(&folded, 0, &a) && find_round(&whole, 0, &b));
    near(a.seconds, 4 * 3 * 250e3 / 1e9, 1e-12);
    near(a.summed, b.summed, 1e-6);
    for (int number = 1; number <= 6; number++) {
        assert_true(find_round(&folded, number, &a) && find_round(&whole, number, &b));
        near(a.sent[0].bytes, 4 * b.sent[0].bytes, 1e-6);
        near(a.summed, b.summed, 1e-6);
        assert_int_equal(a.sent[0].rank, b.sent[0].rank / 4);
    }
    assert_true(find_round(&folded, 7, &a) && a.sends == 0 && a.seconds > 0);
    assert_false(find_round(&folded, 8, &a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_rank_gets_every_term),
        cmocka_unit_test(bytes_are_those_of_the_books),
        cmocka_unit_test(a_folded_node_sends_what_its_ranks_send),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
