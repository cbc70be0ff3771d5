#include "train/exchange.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/size.h"
#include "comm/nccl.h"

/* Elements of buckets; they begin where kernels like to: at multiples of ALIGNMENT. */
enum { BUCKET_DEFAULT = 1 << 20, BUCKET_LEAST = 1 << 16, BUCKET_MOST = 1 << 22, ALIGNMENT = 16 };
enum { POLL_NS = 20000 };
/* What a bucket's latency may cost at most, of all its time, where buckets are measured. */
static const double LATENCY_SHARE = 1.0 / 8;

typedef enum { ALONE, HOST, PINNED, DEVICE_MPI, NCCL } sg_way;
static const char *const way_names[] = {"nothing is summed", "MPI", "MPI, through pinned memory",
                                        "MPI, from the device's memory", "NCCL"};

struct sg_exchange {
    sg_comm *comm; /* borrowed, as the next three */
    sg_backend *backend;
    sg_weights *weights;
    const sg_lane_calls *lanes;
    sg_exchange_options options;
    sg_way way;
    size_t count;    /* trainable elements with padding */
    float *sum;      /* [count] of the backend: what is summed and applied */
    bool owns_sum;   /* or it is weights->gradient */
    float *pinned;   /* [count] PINNED */
    float *instead;  /* [bucket] DEVICE_MPI: on the host, where a bucket cannot be had */
    sg_lane *lane;   /* owned, NULL: a host, or one rank */
    sg_sums *sums;   /* owned, NULL with one rank */
    sg_nccl *nccl;   /* owned or NULL */
    int64_t *ticket; /* [buckets] of its sum */
    bool *travels;   /* [buckets] in the lane since this step */
    int32_t buckets, micro;
    size_t ready;    /* elements of weights->gradient that are final */
    size_t taken;    /* of them: in `sum` */
    int32_t started; /* buckets whose sums over ranks were started */
    double exposed;  /* seconds of sums after backward passes */
    double hidden;   /* of all sums so far, at the end of the last backward pass */
};

static size_t bucket_start(const sg_exchange *x, int32_t b)
{
    return (size_t)b * x->options.bucket_elements;
}

static size_t bucket_count(const sg_exchange *x, int32_t b)
{
    size_t rest = x->count - bucket_start(x, b);
    return rest < x->options.bucket_elements ? rest : x->options.bucket_elements;
}

static bool is_last(const sg_exchange *x)
{
    return x->micro == x->options.accumulate - 1;
}

/* ---- making ---- */

/* What SEGTILES_SUMS asks for: a way, or ALONE for the best that is possible. */
static sg_err asked_way(sg_way *way)
{
    const char *wish = getenv("SEGTILES_SUMS");
    *way = ALONE;
    if (!wish || !wish[0] || strcmp(wish, "auto") == 0)
        return SG_OK;
    *way = strcmp(wish, "host") == 0   ? PINNED
           : strcmp(wish, "mpi") == 0  ? DEVICE_MPI
           : strcmp(wish, "nccl") == 0 ? NCCL
                                       : ALONE;
    return *way != ALONE
               ? SG_OK
               : sg_fail(SG_EUSAGE, "SEGTILES_SUMS is \"%s\"; there are auto, host, mpi and nccl",
                         wish);
}

static sg_err try_nccl(sg_exchange *x)
{
    sg_lane_place place;
    x->lanes->place(x->lane, &place);
    return sg_nccl_create(&x->nccl, x->comm, place.stream, place.device);
}

/* Whether MPI takes this device's memory, on all ranks. */
static bool mpi_takes(sg_exchange *x)
{
    sg_lane_place place;
    x->lanes->place(x->lane, &place);
    int64_t refuses = !place.stream || !sg_comm_takes_device_memory();
    sg_comm_max_i64(x->comm, &refuses, 1);
    return !refuses;
}

static sg_err choose_way(sg_exchange *x)
{
    sg_way wish;
    sg_err err = sg_comm_agree(x->comm, asked_way(&wish));
    x->way = PINNED;
    if (err || wish == PINNED || x->options.narrow) /* only the host makes bf16 of what it sends */
        return err;
    if (wish != DEVICE_MPI) {
        err = try_nccl(x);
        if (err == SG_OK)
            x->way = NCCL;
        if (err == SG_OK || wish == NCCL)
            return sg_comm_agree(x->comm, err);
        if (err != SG_EPEER)
            sg_verbose("gradients are not summed by NCCL: %s", sg_error_text());
    }
    if (mpi_takes(x))
        x->way = DEVICE_MPI;
    else if (wish == DEVICE_MPI)
        return sg_comm_agree(x->comm, sg_fail(SG_EUNSUPPORTED,
                                              "SEGTILES_SUMS=mpi, but this MPI library does not "
                                              "take a GPU's memory"));
    return SG_OK;
}

static sg_err make_local(sg_exchange *x)
{
    size_t bucket = x->options.bucket_elements, bytes = x->count * sizeof(float);
    void *memory = NULL;
    sg_err err = SG_OK;
    x->sum = x->weights->gradient;
    if (x->options.accumulate > 1) {
        err = x->backend->alloc(x->backend, bytes, &memory);
        x->owns_sum = err == SG_OK;
        x->sum = memory;
    }
    if (bucket == 0 || bucket > BUCKET_LEAST)
        bucket = BUCKET_LEAST;
    int64_t most = sg_div_up((int64_t)x->count, (int64_t)bucket) + 1;
    if (!err)
        err = sg_calloc((size_t)most, sizeof *x->ticket, &x->ticket);
    if (!err)
        err = sg_calloc((size_t)most, sizeof *x->travels, &x->travels);
    if (!err && x->way != ALONE && x->way != HOST)
        err = x->lanes->open(x->backend, (int32_t)most, &x->lane);
    return err;
}

/* Where there are several nodes so large that latency is a small share of a sum's time. Only where
 * sums are ours: others may add up in an order that depends on sizes. [collective] */
static sg_err choose_bucket(sg_exchange *x)
{
    size_t bucket = x->options.bucket_elements;
    sg_err err = SG_OK;
    if (bucket == 0)
        bucket = BUCKET_DEFAULT;
    if (x->options.bucket_elements == 0 && sg_comm_nodes(x->comm) > 1 &&
        (x->way == HOST || x->way == PINNED)) {
        double latency, per_element;
        err = sg_comm_agree(x->comm, sg_sums_measure(x->comm, &latency, &per_element));
        if (err)
            return err;
        double wanted = latency / per_element * (1 / LATENCY_SHARE - 1);
        bucket = wanted < BUCKET_LEAST  ? BUCKET_LEAST
                 : wanted > BUCKET_MOST ? BUCKET_MOST
                                        : (size_t)wanted;
        sg_verbose("a sum over all ranks takes %.3g ms and %.3g ms for each million elements: "
                   "gradients go in buckets of %zu",
                   1e3 * latency, 1e9 * per_element, bucket);
    }
    x->options.bucket_elements = (bucket + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    x->buckets = (int32_t)sg_div_up((int64_t)x->count, (int64_t)x->options.bucket_elements);
    return err;
}

static sg_err make_host_memory(sg_exchange *x)
{
    void *memory = NULL;
    if (x->way == DEVICE_MPI)
        return sg_calloc(x->options.bucket_elements, sizeof(float), &x->instead);
    if (x->way != PINNED)
        return SG_OK;
    sg_err err = x->lanes->host_alloc(x->lane, x->count * sizeof(float), &memory);
    x->pinned = memory;
    return err;
}

/* [collective] */
static sg_err make_sums(sg_exchange *x)
{
    const sg_sums_options options = {
        .most_at_once = (int)x->buckets + 1,
        .longest = x->options.bucket_elements,
        .idle = x->way != HOST,
        .narrow = x->options.narrow ? (x->way == HOST ? x->sum : x->pinned) : NULL,
        .narrow_count = x->count};
    return sg_comm_agree(x->comm, sg_sums_create(&x->sums, x->comm, &options));
}

static sg_err make(sg_exchange *x)
{
    sg_err err = sg_comm_agree(x->comm, make_local(x));
    if (err || x->way == ALONE)
        return err;
    if (x->way != HOST)
        err = choose_way(x);
    if (!err)
        err = choose_bucket(x);
    if (!err)
        err = sg_comm_agree(x->comm, make_host_memory(x));
    return err ? err : make_sums(x);
}

sg_err sg_exchange_open(sg_exchange **exchange, sg_comm *comm, sg_backend *backend,
                        sg_weights *weights, const sg_exchange_options *options)
{
    sg_exchange *x = NULL;
    *exchange = NULL;
    sg_err err = sg_comm_agree(comm, sg_calloc(1, sizeof *x, &x));
    if (err) {
        sg_free(x);
        return err;
    }
    x->comm = comm;
    x->backend = backend;
    x->weights = weights;
    x->lanes = sg_lanes_of(backend);
    x->options = *options;
    x->count = weights->host->layout->trainable_count;
    x->way = sg_comm_ranks(comm) == 1 ? ALONE : backend->host_memory ? HOST : PINNED;
    err = make(x);
    if (err)
        sg_exchange_close(x);
    else
        *exchange = x;
    return err;
}

void sg_exchange_close(sg_exchange *x)
{
    if (!x)
        return;
    sg_sums_close(x->sums);
    sg_nccl_close(x->nccl); /* before its stream */
    if (x->pinned)
        x->lanes->host_free(x->lane, x->pinned);
    x->lanes->close(x->lane);
    if (x->owns_sum)
        x->backend->free(x->backend, x->sum);
    sg_free(x->instead);
    sg_free(x->ticket);
    sg_free(x->travels);
    sg_free(x);
}

/* ---- one micro-batch ---- */

/* Put elements up to `end` of this micro-batch's gradient into the sum. */
static sg_err take(sg_exchange *x, size_t end)
{
    sg_backend *backend = x->backend;
    size_t from = x->taken, n = end - from;
    if (end <= from)
        return SG_OK;
    x->taken = end;
    if (!x->owns_sum)
        return SG_OK;
    const float *part = x->weights->gradient + from;
    return x->micro == 0 ? backend->average(backend, n, x->sum + from, part, 1)
                         : backend->accumulate(backend, x->sum + from, part, SG_F32, n);
}

/* Of the lane's marks, one to a bucket. Asked by the progress thread. */
static sg_err bucket_passed(void *user, int32_t b, bool *passed)
{
    const sg_exchange *x = user;
    return x->lanes->passed(x->lane, b, passed);
}

/* What a bucket's sum needs of the lane. */
static sg_err send_bucket(sg_exchange *x, int32_t b)
{
    size_t from = bucket_start(x, b), n = bucket_count(x, b);
    sg_err err = x->lanes->follow(x->lane);
    if (!err && x->way == PINNED)
        err = x->lanes->down(x->lane, x->pinned + from, x->sum + from, n * sizeof(float));
    if (!err && x->way == NCCL)
        err = sg_nccl_sum(x->nccl, x->sum + from, n);
    if (!err)
        err = x->lanes->mark(x->lane, b);
    x->travels[b] = err == SG_OK;
    return err;
}

/* Start a bucket's sum, whatever becomes of this rank's part in it. */
static sg_err start_bucket(sg_exchange *x, int32_t b, bool failed)
{
    size_t from = bucket_start(x, b), n = bucket_count(x, b);
    const sg_arrival arrival = {bucket_passed, x, b};
    sg_err err = SG_OK;
    x->travels[b] = false;
    if (x->way != HOST && (!failed || x->way == NCCL))
        err = send_bucket(x, b);
    if (x->way == HOST || x->way == PINNED) {
        float *values = x->way == HOST ? x->sum : x->pinned;
        if (failed || err)
            memset(values + from, 0, n * sizeof(float));
        x->ticket[b] =
            sg_sum_start_after(x->sums, values + from, n, x->travels[b] ? &arrival : NULL);
    } else if (x->way == DEVICE_MPI) {
        x->ticket[b] = sg_sum_start_on_device(x->sums, x->sum + from, n,
                                              x->travels[b] ? &arrival : NULL, x->instead);
    } else if (err) {
        sg_nccl_give_up(x->nccl);
    }
    return err;
}

/* Start the sums of all buckets that are final. */
static sg_err start_buckets(sg_exchange *x, bool failed)
{
    sg_err err = SG_OK;
    for (; x->started < x->buckets; x->started++) {
        size_t end = bucket_start(x, x->started) + bucket_count(x, x->started);
        if (end > x->ready)
            return err;
        if (!err && !failed)
            err = take(x, end);
        sg_err mine = start_bucket(x, x->started, failed || err);
        if (!err && !failed)
            err = mine;
    }
    return err;
}

void sg_exchange_begin(sg_exchange *x, int32_t micro)
{
    x->micro = micro;
    x->ready = x->taken = 0;
    x->started = 0;
}

sg_err sg_exchange_ready(sg_exchange *x, size_t ready)
{
    x->ready = ready;
    if (x->way == ALONE || !is_last(x))
        return SG_OK; /* all at once, at the end */
    return start_buckets(x, false);
}

sg_err sg_exchange_finish(sg_exchange *x, bool failed)
{
    sg_err err = SG_OK;
    x->ready = x->count;
    x->hidden = x->sums ? sg_sums_under_way(x->sums) : 0;
    if (x->way != ALONE && is_last(x))
        err = start_buckets(x, failed);
    return err || failed ? err : take(x, x->count);
}

/* ---- the end of a step ---- */

/* Until bucket b is through the lane. */
static sg_err wait_for_bucket(sg_exchange *x, int32_t b)
{
    bool passed = false;
    sg_err err = SG_OK;
    while (!err && !passed) {
        err = x->lanes->passed(x->lane, b, &passed);
        if (!err && !passed && x->nccl)
            err = sg_nccl_check(x->nccl);
        if (!err && !passed)
            nanosleep(&(struct timespec){.tv_nsec = POLL_NS}, NULL);
    }
    return err;
}

sg_err sg_exchange_given(sg_exchange *x)
{
    sg_err err = SG_OK;
    if (x->way != PINNED && x->way != DEVICE_MPI)
        return SG_OK;
    for (int32_t b = 0; !err && b < x->buckets; b++)
        if (x->travels[b])
            err = wait_for_bucket(x, b);
    return err;
}

/* Sums that have ended go up while others are under way. */
static sg_err bring_up(sg_exchange *x)
{
    sg_err err = SG_OK;
    for (int32_t b = 0; b < x->buckets; b++) {
        size_t from = bucket_start(x, b), n = bucket_count(x, b);
        sg_sum_wait(x->sums, x->ticket[b]);
        if (!err)
            err = x->lanes->up(x->lane, x->sum + from, x->pinned + from, n * sizeof(float));
    }
    return err ? err : x->lanes->lead(x->lane);
}

static sg_err wait_for_nccl(sg_exchange *x)
{
    sg_err err = sg_nccl_check(x->nccl);
    for (int32_t b = 0; !err && b < x->buckets; b++)
        err = x->travels[b] ? wait_for_bucket(x, b) : SG_OK;
    if (err)
        sg_nccl_give_up(x->nccl); /* the others wait for this rank */
    return err;
}

sg_err sg_exchange_sums(sg_exchange *x, const float **gradient)
{
    double start = sg_now();
    sg_err err = SG_OK;
    *gradient = x->sum;
    if (x->way == PINNED)
        err = bring_up(x);
    else if (x->way == NCCL)
        err = wait_for_nccl(x);
    if (x->sums) {
        sg_sum_wait_all(x->sums);
        x->exposed += x->way == NCCL ? sg_now() - start : sg_sums_under_way(x->sums) - x->hidden;
    }
    return err;
}

sg_sums *sg_exchange_host_sums(sg_exchange *x)
{
    return x->sums;
}

size_t sg_exchange_bucket(const sg_exchange *x)
{
    return x->options.bucket_elements;
}

void sg_exchange_get_report(const sg_exchange *x, sg_exchange_report *report)
{
    bool known = x->sums && x->way != NCCL;
    *report = (sg_exchange_report){.way = way_names[x->way],
                                   .fixed_order = x->way != DEVICE_MPI && x->way != NCCL,
                                   .summing = known ? sg_sums_under_way(x->sums) : 0,
                                   .exposed = x->exposed};
}
