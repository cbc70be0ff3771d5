#include "rounds.h"

const char *const algorithm_names[ALGORITHMS] = {"binomial", "halving", "ring", "nodes"};

static void send(one_round *round, int rank, double bytes)
{
    round->sent[round->sends++] = (message){rank, bytes};
}

static void receive(one_round *round, int rank, double bytes)
{
    round->received[round->receives++] = (message){rank, bytes};
}

/* The smallest n with 2^n >= ranks. */
static int levels_of(int ranks)
{
    int levels = 0;
    while (1 << levels < ranks)
        levels++;
    return levels;
}

static bool binomial(const reduction *r, int number, one_round *round)
{
    int levels = levels_of(r->ranks);
    if (number >= 2 * levels)
        return false;
    bool up = number < levels;
    int mask = up ? 1 << number : 1 << (2 * levels - 1 - number);
    if (r->rank % mask != 0)
        return true;
    bool child = r->rank & mask;
    int other = child ? r->rank - mask : r->rank + mask;
    if (other >= r->ranks)
        return true;
    if (child == up) {
        send(round, other, r->bytes);
    } else {
        receive(round, other, r->bytes);
        round->summed = up ? r->bytes : 0;
    }
    return true;
}

/* Ranks [whole, ranks) give all they have to [0, ranks - whole), and get it back in the end. */
static void fold(const reduction *r, int whole, bool back, one_round *round)
{
    bool beyond = r->rank >= whole;
    int other = beyond ? r->rank - whole : r->rank + whole;
    if (other >= r->ranks)
        return;
    if (beyond != back) {
        send(round, other, r->bytes);
    } else {
        receive(round, other, r->bytes);
        round->summed = back ? 0 : r->bytes;
    }
}

static bool halving(const reduction *r, int number, one_round *round)
{
    int levels = levels_of(r->ranks);
    if (1 << levels > r->ranks)
        levels--;
    int whole = 1 << levels, folds = whole < r->ranks;
    if (number >= 2 * levels + 2 * folds)
        return false;
    if (folds && (number == 0 || number == 2 * levels + 1)) {
        fold(r, whole, number > 0, round);
        return true;
    }
    if (r->rank >= whole)
        return true;
    int step = number - folds;
    bool halves = step < levels;
    int distance = halves ? step : 2 * levels - 1 - step;
    double bytes = r->bytes / (double)(2 << distance);
    int other = r->rank ^ (whole >> (distance + 1));
    send(round, other, bytes);
    receive(round, other, bytes);
    round->summed = halves ? bytes : 0;
    return true;
}

static bool ring(const reduction *r, int number, one_round *round)
{
    if (number >= 2 * (r->ranks - 1))
        return false;
    double bytes = r->bytes / r->ranks;
    send(round, (r->rank + 1) % r->ranks, bytes);
    receive(round, (r->rank + r->ranks - 1) % r->ranks, bytes);
    round->summed = number < r->ranks - 1 ? bytes : 0;
    return true;
}

/* A slice to each rank of the node that adds it up, or back from there. */
static void within(const reduction *r, bool back, one_round *round)
{
    int locals = r->stands_for > 1 ? r->stands_for : r->locals,
        first = r->rank - r->rank % r->locals;
    double slice = r->bytes / locals;
    round->summed = back ? 0 : (locals - 1) * slice;
    if (r->stands_for > 1) {
        round->seconds = locals * (locals - 1) * slice / r->local_rate + r->local_latency;
        return;
    }
    for (int i = first; i < first + locals; i++)
        if (i != r->rank) {
            send(round, i, slice);
            receive(round, i, slice);
        }
}

static bool nodes(const reduction *r, int number, one_round *round)
{
    bool split = r->locals > 1 || r->stands_for > 1;
    if (split && number == 0) {
        within(r, false, round);
        return true;
    }
    reduction over = *r;
    over.rank = r->rank / r->locals;
    over.ranks = r->ranks / r->locals;
    over.bytes = r->bytes / r->locals;
    if (halving(&over, number - split, round)) {
        for (int i = 0; i < round->sends; i++)
            round->sent[i].rank = round->sent[i].rank * r->locals + r->rank % r->locals;
        for (int i = 0; i < round->receives; i++)
            round->received[i].rank = round->received[i].rank * r->locals + r->rank % r->locals;
        round->summed /= r->stands_for; /* each of them adds up its own slice */
        return true;
    }
    if (split && (number == 1 || halving(&over, number - 2, round))) {
        *round = (one_round){0};
        within(r, true, round);
        return true;
    }
    return false;
}

bool find_round(const reduction *r, int number, one_round *round)
{
    *round = (one_round){0};
    switch (r->how) {
    case BINOMIAL:
        return binomial(r, number, round);
    case HALVING:
        return halving(r, number, round);
    case RING:
        return ring(r, number, round);
    default:
        return nodes(r, number, round);
    }
}
