#include "op/calls.h"

#include <math.h>
#include <string.h>
#include "base/rng.h"
#include "base/size.h"

enum { COUNT = 1003, LARGE = 5 << 20 /* elements: 20 MiB */, CLASSES = 7, PIXELS = 143 };

static float draw(uint32_t array, size_t i)
{
    return 2 * sg_uniform(sg_random(17, SG_STREAM_SCENE, i, array).v[0]) - 1;
}

static void fill(float *values, uint32_t array)
{
    for (size_t i = 0; i < COUNT; i++)
        values[i] = draw(array, i);
}

/* Device memory with these bytes. */
static sg_err put(sg_backend *backend, const void *from, size_t bytes, void **memory)
{
    sg_err err = backend->alloc(backend, bytes, memory);
    return err ? err : backend->upload(backend, *memory, from, bytes);
}

static void drop(sg_backend *backend, void *memory)
{
    if (memory)
        backend->free(backend, memory);
}

/* Numbers equal but for some roundings of f32. */
static sg_err expect_near(const char *what, const float *got, const float *wanted, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!(fabsf(got[i] - wanted[i]) <= 1e-6f * (1 + fabsf(wanted[i]))))
            return sg_fail(SG_EINTERNAL, "%s: element %zu is %.9g, the reference has %.9g", what, i,
                           (double)got[i], (double)wanted[i]);
    return SG_OK;
}

/* ---- copies ---- */

static sg_err compare_copies(sg_backend *backend)
{
    float *from = NULL, *to = NULL;
    void *memory = NULL;
    sg_err err = sg_malloc(LARGE, sizeof *from, &from);
    if (!err)
        err = sg_calloc(LARGE, sizeof *to, &to);
    for (size_t i = 0; !err && i < LARGE; i++)
        from[i] = (float)i;
    if (!err)
        err = put(backend, from, LARGE * sizeof *from, &memory);
    if (!err)
        err = backend->download(backend, to, memory, LARGE * sizeof *to);
    if (!err && memcmp(from, to, LARGE * sizeof *to))
        err = sg_fail(SG_EINTERNAL, "what comes down is not what went up");
    drop(backend, memory);
    sg_free(from);
    sg_free(to);
    return err;
}

/* ---- optimizers and the running mean ---- */

/* Three tensors of one buffer: of several pieces, without decay, and frozen or slowed down; gaps
 * between them, and pieces as short as one element. */
enum { PIECES = 5 };

typedef struct {
    float p[COUNT], m[COUNT], v[COUNT], gradient[COUNT];
    sg_update_piece piece[PIECES];
} numbers;

static void cut_pieces(sg_update_piece *piece, float last_rate)
{
    const uint32_t third = COUNT / 3;
    const sg_update_piece cut[PIECES] = {
        {0, third / 2, 0, 3, 1, 1},
        {third / 2, 1, 0, 3, 1, 1},
        {third / 2 + 1, third - third / 2 - 5, 0, 3, 1, 1},
        {third, third - 1, 3, 1, 1, 0},
        {2 * third, COUNT - 2 * third, 4, 1, last_rate, 1},
    };
    memcpy(piece, cut, sizeof cut);
}

static sg_err run_rule(sg_backend *backend, sg_update update, numbers *n)
{
    void *p = NULL, *m = NULL, *v = NULL, *gradient = NULL, *piece = NULL, *norms = NULL;
    sg_err err = put(backend, n->p, sizeof n->p, &p);
    if (!err)
        err = put(backend, n->m, sizeof n->m, &m);
    if (!err)
        err = put(backend, n->v, sizeof n->v, &v);
    if (!err)
        err = put(backend, n->gradient, sizeof n->gradient, &gradient);
    if (!err)
        err = put(backend, n->piece, sizeof n->piece, &piece);
    if (!err)
        err = backend->alloc(backend, 2 * PIECES * sizeof(double), &norms);
    bool two = update.rule == SG_SGD || update.rule == SG_LARS;
    const sg_update_arrays arrays = {p, gradient, m, two ? NULL : v, piece, PIECES, norms};
    for (update.step = 1; !err && update.step <= 3; update.step++)
        err = backend->update(backend, &update, &arrays);
    if (!err)
        err = backend->average(backend, COUNT, m, p, .25f);
    if (!err)
        err = backend->download(backend, n->p, p, sizeof n->p);
    if (!err)
        err = backend->download(backend, n->m, m, sizeof n->m);
    void *all[] = {p, m, v, gradient, piece, norms};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        drop(backend, all[i]);
    return err;
}

static void fill_numbers(numbers *n)
{
    memset(n, 0, sizeof *n);
    fill(n->p, 1);
    fill(n->gradient, 2);
    for (size_t i = 0; i < COUNT; i++)
        n->m[i] = NAN; /* SGD's first step does not read it */
}

static sg_err compare_rule(sg_backend *backend, sg_backend *reference, const sg_update *update,
                           float last_rate)
{
    numbers got, wanted;
    fill_numbers(&got);
    cut_pieces(got.piece, last_rate);
    if (update->rule != SG_SGD && update->rule != SG_LARS)
        memset(got.m, 0, sizeof got.m);
    wanted = got;
    sg_err err = run_rule(backend, *update, &got);
    if (!err)
        err = run_rule(reference, *update, &wanted);
    if (!err)
        err = expect_near("update", got.p, wanted.p, COUNT);
    /* What SGD has not touched is no number in either: the mean of those is left out. */
    for (size_t i = 0; i < COUNT; i++)
        if (isnan(wanted.m[i]) && isnan(got.m[i]))
            wanted.m[i] = got.m[i] = 0;
    return err ? err : expect_near("average", got.m, wanted.m, COUNT);
}

static sg_err compare_rules(sg_backend *backend, sg_backend *reference)
{
    const sg_update plain = {.rate = .01f,
                             .decay = .1f,
                             .momentum = .9f,
                             .trust = .02f,
                             .beta1 = .9f,
                             .beta2 = .999f,
                             .epsilon = 1e-8f,
                             .gradient_scale = .5f};
    sg_err err = SG_OK;
    for (int rule = SG_SGD; !err && rule <= SG_LAMB; rule++)
        for (int32_t variant = 0; !err && variant < 2; variant++) {
            sg_update update = plain;
            update.rule = (sg_update_rule)rule;
            update.nesterov = variant;
            err = compare_rule(backend, reference, &update, variant ? 0 : .25f);
        }
    return err;
}

/* Of all but what is frozen, against a plain loop: both sum exact squares in f64, in other orders.
 */
static sg_err compare_squares(sg_backend *backend)
{
    numbers n;
    void *gradient = NULL, *piece = NULL, *norms = NULL;
    double got = 0, wanted = 0;
    fill_numbers(&n);
    cut_pieces(n.piece, 0);
    for (int k = 0; k < PIECES; k++)
        for (uint32_t i = 0; n.piece[k].rate != 0 && i < n.piece[k].count; i++)
            wanted += pow((double)n.gradient[n.piece[k].offset + i], 2);
    sg_err err = put(backend, n.gradient, sizeof n.gradient, &gradient);
    if (!err)
        err = put(backend, n.piece, sizeof n.piece, &piece);
    if (!err)
        err = backend->alloc(backend, 2 * PIECES * sizeof(double), &norms);
    const sg_update_arrays arrays = {
        .gradient = gradient, .piece = piece, .pieces = PIECES, .norms = norms};
    if (!err)
        err = backend->squares(backend, &arrays, &got);
    if (!err && !(fabs(got - wanted) <= 1e-13 * COUNT * wanted))
        err = sg_fail(SG_EINTERNAL, "squares: %.17g, should be %.17g", got, wanted);
    drop(backend, gradient);
    drop(backend, piece);
    drop(backend, norms);
    return err;
}

/* ---- lanes ---- */

/* Up and down beside the backend's own work, which comes before the one and after the other. */
static sg_err go_round(sg_backend *backend, const sg_lane_calls *calls, sg_lane *lane, float *host)
{
    void *a = NULL, *b = NULL;
    bool passed = false;
    float back[COUNT];
    sg_err err = put(backend, host, COUNT * sizeof *host, &a);
    if (!err)
        err = put(backend, host, COUNT * sizeof *host, &b);
    if (!err)
        err = backend->accumulate(backend, a, b, SG_F32, COUNT);
    if (!err)
        err = calls->follow(lane);
    if (!err)
        err = calls->down(lane, host, a, COUNT * sizeof *host);
    if (!err)
        err = calls->mark(lane, 1);
    while (!err && !passed)
        err = calls->passed(lane, 1, &passed);
    for (size_t i = 0; !err && i < COUNT; i++)
        if (host[i] != 2 * draw(6, i))
            err = sg_fail(SG_EINTERNAL, "a lane brought element %zu down too early", i);
    if (!err)
        err = calls->up(lane, b, host, COUNT * sizeof *host);
    if (!err)
        err = calls->lead(lane);
    if (!err)
        err = backend->accumulate(backend, a, b, SG_F32, COUNT);
    if (!err)
        err = backend->download(backend, back, a, sizeof back);
    for (size_t i = 0; !err && i < COUNT; i++)
        if (back[i] != 4 * draw(6, i))
            err = sg_fail(SG_EINTERNAL, "a lane brought element %zu up too late", i);
    drop(backend, a);
    drop(backend, b);
    return err;
}

static sg_err compare_lanes(sg_backend *backend)
{
    const sg_lane_calls *calls = sg_lanes_of(backend);
    sg_lane *lane = NULL;
    void *host = NULL;
    sg_err err = calls->open(backend, 2, &lane);
    if (!err)
        err = calls->host_alloc(lane, COUNT * sizeof(float), &host);
    for (int round = 0; !err && round < 3; round++) {
        for (size_t i = 0; i < COUNT; i++)
            ((float *)host)[i] = draw(6, i);
        err = go_round(backend, calls, lane, host);
    }
    if (host)
        calls->host_free(lane, host);
    calls->close(lane);
    return err;
}

/* ---- accumulate ---- */

static sg_err add_up(sg_backend *backend, sg_dtype type, const void *a, const void *b, void *sum)
{
    void *to = NULL, *part = NULL;
    size_t bytes = COUNT * sg_dtype_size(type);
    sg_err err = put(backend, a, bytes, &to);
    if (!err)
        err = put(backend, b, bytes, &part);
    if (!err)
        err = backend->accumulate(backend, to, part, type, COUNT);
    if (!err)
        err = backend->download(backend, sum, to, bytes);
    drop(backend, to);
    drop(backend, part);
    return err;
}

static sg_err compare_sums(sg_backend *backend, sg_backend *reference, sg_dtype type)
{
    float a[COUNT], b[COUNT], got[COUNT], wanted[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        sg_store(a, type, i, draw(3, i));
        sg_store(b, type, i, draw(4, i));
    }
    sg_err err = add_up(backend, type, a, b, got);
    if (!err)
        err = add_up(reference, type, a, b, wanted);
    if (!err && memcmp(got, wanted, COUNT * sg_dtype_size(type)))
        err = sg_fail(SG_EINTERNAL, "accumulate in %s has other bits", sg_dtype_name(type));
    return err;
}

/* ---- classify ---- */

static sg_err classify(sg_backend *backend, const float *logits, uint8_t *classes,
                       float *probabilities)
{
    void *memory = NULL;
    sg_err err = put(backend, logits, PIXELS * CLASSES * sizeof *logits, &memory);
    if (!err)
        err = backend->classify(backend, memory, SG_F32, PIXELS, CLASSES, classes, probabilities);
    drop(backend, memory);
    return err;
}

/* Ties take the lowest class; NaN is never the largest. */
static sg_err compare_classes(sg_backend *backend, sg_backend *reference)
{
    float logits[PIXELS * CLASSES], share[2][PIXELS * CLASSES];
    uint8_t classes[3][PIXELS];
    for (size_t i = 0; i < PIXELS * CLASSES; i++)
        logits[i] = (float)(int)(4 * draw(5, i));
    sg_err err = classify(backend, logits, classes[0], share[0]);
    if (!err)
        err = classify(reference, logits, classes[1], share[1]);
    if (!err)
        err = expect_near("probabilities", share[0], share[1], PIXELS * CLASSES);
    if (!err && memcmp(classes[0], classes[1], PIXELS))
        return sg_fail(SG_EINTERNAL, "classify takes other classes");
    for (size_t i = 0; i < PIXELS * CLASSES; i += 3)
        logits[i] = NAN;
    if (!err)
        err = classify(backend, logits, classes[0], NULL);
    if (!err)
        err = classify(reference, logits, classes[1], NULL);
    if (!err && memcmp(classes[0], classes[1], PIXELS))
        err = sg_fail(SG_EINTERNAL, "classify takes other classes where there is NaN");
    return err;
}

sg_err op_compare_calls(sg_backend *backend)
{
    sg_backend *reference = NULL;
    sg_err err = sg_reference_open(&reference);
    if (!err)
        err = compare_copies(backend);
    if (!err)
        err = compare_rules(backend, reference);
    if (!err)
        err = compare_squares(backend);
    if (!err)
        err = compare_lanes(backend);
    for (sg_dtype type = SG_F32; !err && type <= SG_BF16; type++)
        if (backend->supports(backend, type))
            err = compare_sums(backend, reference, type);
    if (!err)
        err = compare_classes(backend, reference);
    sg_backend_close(reference);
    return err;
}
