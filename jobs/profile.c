#include "jobs/profile.h"

#include "base/clock.h"
#include "base/size.h"

typedef struct {
    sg_backend base; /* first */
    sg_backend *inner;
    sg_profile *profile;
    sg_kernel_def timed[SG_OP_COUNT]; /* of the inner backend's kernels, which they stand for */
} profiler;

/* Stands for the inner backend's kernel of one node. */
typedef struct {
    const sg_kernel_def *def;
    void *kernel;
    sg_backend *inner;
    sg_profile *profile;
} timed_kernel;

static profiler *of(sg_backend *backend)
{
    return (profiler *)backend;
}

static sg_err note(sg_profile_entry *entry, sg_backend *inner, double start, sg_err err)
{
    if (!err)
        err = inner->synchronize(inner);
    entry->seconds += sg_now() - start;
    entry->calls++;
    return err;
}

static sg_err prepare(sg_backend *backend, const sg_site *site, void **kernel)
{
    profiler *p = of(backend);
    timed_kernel *t = NULL;
    sg_err err = sg_calloc(1, sizeof *t, &t);
    if (err)
        return err;
    *t = (timed_kernel){p->inner->kernel[site->node->op], NULL, p->inner, p->profile};
    err = t->def->prepare ? t->def->prepare(p->inner, site, &t->kernel) : SG_OK;
    if (err)
        sg_free(t);
    else
        *kernel = t;
    return err;
}

static sg_err refresh(void *kernel, const sg_site *site, const sg_io *io)
{
    timed_kernel *t = kernel;
    double start = sg_now();
    sg_err err = t->def->refresh ? t->def->refresh(t->kernel, site, io) : SG_OK;
    return note(&t->profile->refresh[site->node->op], t->inner, start, err);
}

static sg_err forward(void *kernel, const sg_site *site, const sg_io *io)
{
    timed_kernel *t = kernel;
    double start = sg_now();
    return note(&t->profile->forward[site->node->op], t->inner, start,
                t->def->forward(t->kernel, site, io));
}

static sg_err backward(void *kernel, const sg_site *site, const sg_io *io)
{
    timed_kernel *t = kernel;
    double start = sg_now();
    return note(&t->profile->backward[site->node->op], t->inner, start,
                t->def->backward(t->kernel, site, io));
}

static void release(void *kernel)
{
    timed_kernel *t = kernel;
    if (t && t->def->release && t->kernel)
        t->def->release(t->kernel);
    sg_free(t);
}

/* It waits for what went before, which was waited for already. */
static sg_err report(void *kernel, const sg_site *site, const sg_io *io)
{
    timed_kernel *t = kernel;
    return t->def->report ? t->def->report(t->kernel, site, io) : SG_OK;
}

static sg_kernel_def timed_of(const sg_kernel_def *inner)
{
    return (sg_kernel_def){.prepare = prepare,
                           .refresh = refresh,
                           .forward = forward,
                           .backward = inner->backward ? backward : NULL,
                           .release = release,
                           .report = inner->backward ? report : NULL,
                           .can = inner->can};
}

static bool supports(const sg_backend *backend, sg_dtype type)
{
    const sg_backend *inner = ((const profiler *)backend)->inner;
    return inner->supports(inner, type);
}

static sg_err allocate(sg_backend *backend, size_t bytes, void **memory)
{
    return of(backend)->inner->alloc(of(backend)->inner, bytes, memory);
}

static void drop(sg_backend *backend, void *memory)
{
    of(backend)->inner->free(of(backend)->inner, memory);
}

static sg_err upload(sg_backend *backend, void *device, const void *host, size_t bytes)
{
    return of(backend)->inner->upload(of(backend)->inner, device, host, bytes);
}

static sg_err download(sg_backend *backend, void *host, const void *device, size_t bytes)
{
    return of(backend)->inner->download(of(backend)->inner, host, device, bytes);
}

static sg_err load_input(sg_backend *backend, void *device, sg_dtype type, const float *host,
                         size_t count)
{
    sg_backend *inner = of(backend)->inner;
    double start = sg_now();
    return note(&of(backend)->profile->load_input, inner, start,
                inner->load_input(inner, device, type, host, count));
}

static sg_err load(sg_backend *backend, const sg_images *images, uint64_t sent,
                   const sg_images_target *target)
{
    sg_backend *inner = of(backend)->inner;
    double start = sg_now();
    return note(&of(backend)->profile->load_input, inner, start,
                inner->load(inner, images, sent, target));
}

static sg_err accumulate(sg_backend *backend, void *sum, const void *part, sg_dtype type,
                         size_t count)
{
    sg_backend *inner = of(backend)->inner;
    double start = sg_now();
    return note(&of(backend)->profile->accumulate, inner, start,
                inner->accumulate(inner, sum, part, type, count));
}

static sg_err accumulate_pitched(sg_backend *backend, const sg_pitched_sum *sum)
{
    sg_backend *inner = of(backend)->inner;
    double start = sg_now();
    return note(&of(backend)->profile->accumulate, inner, start,
                inner->accumulate_pitched(inner, sum));
}

static sg_err classify(sg_backend *backend, const void *logits, sg_dtype type, size_t pixels,
                       int64_t c, uint8_t *classes, float *probabilities)
{
    sg_backend *inner = of(backend)->inner;
    double start = sg_now();
    return note(&of(backend)->profile->classify, inner, start,
                inner->classify(inner, logits, type, pixels, c, classes, probabilities));
}

static sg_err update(sg_backend *backend, const sg_update *rule, const sg_update_arrays *arrays)
{
    sg_backend *inner = of(backend)->inner;
    double start = sg_now();
    return note(&of(backend)->profile->update, inner, start, inner->update(inner, rule, arrays));
}

static sg_err synchronize(sg_backend *backend)
{
    return of(backend)->inner->synchronize(of(backend)->inner);
}

static void close_profiler(sg_backend *backend)
{
    sg_free(backend);
}

sg_err sg_profile_open(sg_backend *inner, sg_profile *profile, sg_backend **backend)
{
    profiler *p = NULL;
    *backend = NULL;
    sg_err err = sg_calloc(1, sizeof *p, &p);
    if (err)
        return err;
    p->base = *inner; /* name, device, host_memory */
    p->inner = inner;
    p->profile = profile;
    for (int op = 0; op < SG_OP_COUNT; op++) {
        const sg_kernel_def *def = inner->kernel[op];
        p->base.kernel[op] = def ? &p->timed[op] : NULL;
        if (def)
            p->timed[op] = timed_of(def);
    }
    p->base.supports = supports;
    p->base.alloc = allocate;
    p->base.free = drop;
    p->base.available = NULL;
    p->base.upload = upload;
    p->base.download = download;
    p->base.load_input = load_input;
    p->base.load = inner->load ? load : NULL;
    p->base.send = NULL; /* nothing goes on beside what is timed */
    p->base.classify_begin = NULL;
    p->base.classify_end = NULL;
    p->base.accumulate = accumulate;
    p->base.accumulate_pitched = accumulate_pitched;
    p->base.classify = classify;
    p->base.update = update;
    p->base.repeat = NULL; /* each operator is timed by itself */
    p->base.forget = NULL;
    p->base.synchronize = synchronize;
    p->base.close = close_profiler;
    *backend = &p->base;
    return SG_OK;
}
