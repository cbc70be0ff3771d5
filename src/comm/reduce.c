#include "comm/reduction.h"

#include "base/size.h"

static void send(sg_reduction *r, const float *values, size_t count, int rank)
{
    sg_reduction_send(r, values, count, MPI_FLOAT, rank);
}

static void receive(sg_reduction *r, float *values, size_t count, int rank)
{
    sg_reduction_receive(r, values, count, MPI_FLOAT, rank);
}

/* ---- within a node ---- */

/* Each slice to the rank that adds it up. */
static void begin_giving(sg_reduction *r)
{
    const sg_layout *l = r->layout;
    size_t mine = sg_has_slice(r) ? sg_slice_count(r, l->local) : 0;
    float *room = r->other;
    for (int m = 0; sg_has_slice(r) && m < l->locals; m++, room += mine)
        if (m != l->local)
            receive(r, room, mine, l->member[m]);
    for (int s = 0; s < l->slices; s++)
        if (s != l->local)
            send(r, r->values + sg_slice_start(r, s), sg_slice_count(r, s), l->member[s]);
}

/* In the order of ranks, my own part at its place: the sum grows where the first part lies. */
static void end_giving(sg_reduction *r)
{
    const sg_layout *l = r->layout;
    if (!sg_has_slice(r) || l->locals == 1)
        return;
    size_t n = sg_slice_count(r, l->local);
    float *mine = r->values + sg_slice_start(r, l->local);
    float *sum = l->local == 0 ? mine : r->other;
    for (int m = 1; m < l->locals; m++) {
        const float *part = m == l->local ? mine : r->other + (size_t)m * n;
        for (size_t i = 0; i < n; i++)
            sum[i] += part[i];
    }
    for (size_t i = 0; sum != mine && i < n; i++)
        mine[i] = sum[i];
}

static void begin_returning(sg_reduction *r)
{
    const sg_layout *l = r->layout;
    for (int s = 0; s < l->slices; s++)
        if (s != l->local)
            receive(r, r->values + sg_slice_start(r, s), sg_slice_count(r, s), l->member[s]);
    for (int m = 0; sg_has_slice(r) && m < l->locals; m++)
        if (m != l->local)
            send(r, r->values + sg_slice_start(r, l->local), sg_slice_count(r, l->local),
                 l->member[m]);
}

/* ---- over nodes ---- */

/* The largest power of 2 among the nodes. */
static int whole(const sg_reduction *r)
{
    int h = 1;
    while (2 * h <= r->layout->nodes)
        h *= 2;
    return h;
}

static bool is_beyond(const sg_reduction *r)
{
    return r->layout->node >= whole(r);
}

/* The node that is folded into this one, or -1. */
static int folded(const sg_reduction *r)
{
    int node = r->layout->node + whole(r);
    return node < r->layout->nodes ? node : -1;
}

static void begin_folding(sg_reduction *r)
{
    const sg_layout *l = r->layout;
    r->from = sg_slice_start(r, l->local);
    r->to = sg_slice_start(r, l->local + 1);
    r->mask = whole(r);
    if (is_beyond(r))
        send(r, r->values + r->from, r->to - r->from, l->column[l->node - whole(r)]);
    else if (folded(r) >= 0)
        receive(r, r->other, r->to - r->from, l->column[folded(r)]);
}

static void add_other(sg_reduction *r)
{
    float *sum = r->values + r->from;
    for (size_t i = 0; i < r->to - r->from; i++)
        sum[i] += r->other[i];
}

static size_t middle(const sg_reduction *r)
{
    return r->from + (r->to - r->from) / 2;
}

/* Half of what I have to the partner, whose part of the other half comes. */
static void begin_halving(sg_reduction *r)
{
    size_t from = r->from, half = middle(r), to = r->to;
    int partner = r->layout->column[r->layout->node ^ r->mask];
    bool lower = !(r->layout->node & r->mask);
    r->from = lower ? from : half;
    r->to = lower ? half : to;
    receive(r, r->other, r->to - r->from, partner);
    send(r, r->values + (lower ? half : from), lower ? to - half : half - from, partner);
}

/* What was halved with this mask: found again from the whole slice. */
static void bounds_before(const sg_reduction *r, size_t *from, size_t *to)
{
    *from = sg_slice_start(r, r->layout->local);
    *to = sg_slice_start(r, r->layout->local + 1);
    for (int mask = whole(r) / 2; mask > r->mask; mask /= 2) {
        size_t half = *from + (*to - *from) / 2;
        *(r->layout->node & mask ? from : to) = half;
    }
}

static void begin_doubling(sg_reduction *r)
{
    size_t from, to;
    int partner = r->layout->column[r->layout->node ^ r->mask];
    bounds_before(r, &from, &to);
    size_t half = from + (to - from) / 2;
    bool lower = !(r->layout->node & r->mask);
    receive(r, r->values + (lower ? half : from), lower ? to - half : half - from, partner);
    send(r, r->values + r->from, r->to - r->from, partner);
    r->from = from;
    r->to = to;
}

static void begin_unfolding(sg_reduction *r)
{
    const sg_layout *l = r->layout;
    size_t from = sg_slice_start(r, l->local), count = sg_slice_count(r, l->local);
    if (is_beyond(r))
        receive(r, r->values + from, count, l->column[l->node - whole(r)]);
    else if (folded(r) >= 0)
        send(r, r->values + from, count, l->column[folded(r)]);
}

/* ---- one after the other ---- */

static sg_stage enter(sg_reduction *r, sg_stage next, void (*begin)(sg_reduction *))
{
    r->requests = 0;
    begin(r);
    return next;
}

static sg_stage halve_on(sg_reduction *r)
{
    r->mask /= 2;
    if (r->mask >= 1)
        return enter(r, HALVING, begin_halving);
    r->mask = 1;
    return whole(r) > 1 ? enter(r, DOUBLING, begin_doubling) : enter(r, UNFOLDING, begin_unfolding);
}

static sg_stage next_stage(sg_reduction *r)
{
    switch (r->stage) {
    case GIVING:
        end_giving(r);
        if (!sg_has_slice(r))
            return enter(r, RETURNING, begin_returning);
        return r->error ? enter(r, SPREADING, sg_begin_spreading)
                        : enter(r, FOLDING, begin_folding);
    case SPREADING:
        sg_end_spreading(r);
        return enter(r, GATHERING, sg_begin_gathering);
    case GATHERING:
        sg_end_gathering(r);
        return enter(r, RETURNING, begin_returning);
    case FOLDING:
        if (is_beyond(r))
            return enter(r, UNFOLDING, begin_unfolding);
        if (folded(r) >= 0)
            add_other(r);
        return halve_on(r);
    case HALVING:
        add_other(r);
        return halve_on(r);
    case DOUBLING:
        r->mask *= 2;
        return r->mask < whole(r) ? enter(r, DOUBLING, begin_doubling)
                                  : enter(r, UNFOLDING, begin_unfolding);
    case UNFOLDING:
        return enter(r, RETURNING, begin_returning);
    default:
        return NOTHING;
    }
}

void sg_reduction_begin(sg_reduction *r, const sg_terms *terms, int64_t number)
{
    SG_ASSERT(r->stage == NOTHING && terms->count <= r->longest);
    r->values = terms->values;
    r->count = terms->count;
    r->error = terms->error;
    r->kept = terms->kept;
    r->tag = (int)(number % TAGS);
    r->stage = enter(r, GIVING, begin_giving);
}

bool sg_reduction_moves(sg_reduction *r)
{
    int over = 1;
    while (r->stage != NOTHING) {
        MPI_Testall(r->requests, r->request, &over, MPI_STATUSES_IGNORE);
        if (!over)
            return true;
        r->stage = next_stage(r);
    }
    return false;
}

sg_err sg_reduction_create(sg_reduction **reduction, const sg_layout *layout, size_t longest)
{
    sg_reduction *r = NULL;
    *reduction = NULL;
    sg_err err = sg_calloc(1, sizeof *r, &r);
    if (err)
        return err;
    r->layout = layout;
    r->longest = longest;
    /* For the parts of all ranks of a node, or those of all nodes and what is given, in bf16. */
    size_t slice = longest / (size_t)layout->slices + 1, nodes = (size_t)layout->nodes;
    size_t most = nodes > (size_t)layout->locals ? nodes : (size_t)layout->locals;
    err = sg_calloc(slice * (size_t)layout->locals + nodes, sizeof(float), &r->other);
    if (!err)
        err = sg_calloc(2 * most + 2, sizeof *r->request, &r->request);
    if (err)
        sg_reduction_close(r);
    else
        *reduction = r;
    return err;
}

void sg_reduction_close(sg_reduction *r)
{
    if (!r)
        return;
    sg_free(r->other);
    sg_free(r->request);
    sg_free(r);
}
