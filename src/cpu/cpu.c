/* The backend's table, memory and the calls that are not operators. */
#include "cpu/cpu.h"

#include <stdio.h>
#include <string.h>
#include "base/size.h"
#include "cpu/direct.h"
#include "cpu/rows.h"

enum { BLOCK = 16 * SG_ROW };

static sg_cpu *cpu_of(sg_backend *backend)
{
    return (sg_cpu *)backend;
}

static bool supports(const sg_backend *backend, sg_dtype type)
{
    const sg_cpu *cpu = (const sg_cpu *)backend;
    return type == SG_F32 || (type == SG_BF16 && cpu->bf16);
}

static sg_err allocate(sg_backend *backend, size_t bytes, void **memory)
{
    return sg_malloc(bytes, 1, memory);
}

static void release(sg_backend *backend, void *memory)
{
    sg_free(memory);
}

static sg_err copy(sg_backend *backend, void *to, const void *from, size_t bytes)
{
    memcpy(to, from, bytes);
    return SG_OK;
}

typedef struct {
    void *to;
    const void *from;
    sg_dtype type;
} transfer;

static void load_rows(void *context, int64_t begin, int64_t end)
{
    const transfer *t = context;
    sg_row_store(t->to, t->type, (size_t)begin, (size_t)(end - begin),
                 (const float *)t->from + begin);
}

static sg_err load_input(sg_backend *backend, void *device, sg_dtype type, const float *host,
                         size_t count)
{
    transfer t = {device, host, type};
    sg_cpu_for(cpu_of(backend), (int64_t)count, BLOCK, load_rows, &t);
    return SG_OK;
}

static void accumulate_rows(void *context, int64_t begin, int64_t end)
{
    const transfer *t = context;
    float part[SG_ROW];
    for (size_t i = (size_t)begin; i < (size_t)end; i += SG_ROW) {
        size_t count = (size_t)sg_min64(SG_ROW, end - (int64_t)i);
        sg_row_put(t->to, t->type, SG_GRAD_ADD, i, count,
                   sg_row_load(t->from, t->type, i, count, part));
    }
}

static sg_err accumulate(sg_backend *backend, void *sum, const void *part, sg_dtype type,
                         size_t count)
{
    transfer t = {sum, part, type};
    sg_cpu_for(cpu_of(backend), (int64_t)count, BLOCK, accumulate_rows, &t);
    return SG_OK;
}

typedef struct {
    const sg_update *update;
    const sg_update_arrays *arrays;
} update_job;

static void sum_pieces(void *context, int64_t begin, int64_t end)
{
    const update_job *j = context;
    sg_update_sum(j->update, j->arrays, begin, end);
}

static void update_pieces(void *context, int64_t begin, int64_t end)
{
    const update_job *j = context;
    sg_update_apply(j->update, j->arrays, begin, end);
}

static sg_err update(sg_backend *backend, const sg_update *rule, const sg_update_arrays *arrays)
{
    update_job j = {rule, arrays};
    if (sg_update_sums(rule))
        sg_cpu_for(cpu_of(backend), arrays->pieces, 1, sum_pieces, &j);
    sg_cpu_for(cpu_of(backend), arrays->pieces, 1, update_pieces, &j);
    return SG_OK;
}

typedef struct {
    float *mean;
    const float *value;
    float share;
} average_job;

static void average_range(void *context, int64_t begin, int64_t end)
{
    const average_job *j = context;
    sg_average_apply((size_t)(end - begin), j->mean + begin, j->value + begin, j->share);
}

static sg_err average(sg_backend *backend, size_t count, float *mean, const float *value,
                      float share)
{
    average_job j = {mean, value, share};
    sg_cpu_for(cpu_of(backend), (int64_t)count, BLOCK, average_range, &j);
    return SG_OK;
}

static void squares_of_pieces(void *context, int64_t begin, int64_t end)
{
    sg_update_squares(context, begin, end);
}

static sg_err squares(sg_backend *backend, const sg_update_arrays *arrays, double *sum)
{
    sg_update_arrays job = *arrays;
    sg_cpu_for(cpu_of(backend), arrays->pieces, 1, squares_of_pieces, &job);
    *sum = 0;
    for (int32_t i = 0; i < arrays->pieces; i++)
        *sum += arrays->norms[i];
    return SG_OK;
}

static sg_err synchronize(sg_backend *backend)
{
    return SG_OK;
}

static void close_cpu(sg_backend *backend)
{
    sg_cpu *cpu = cpu_of(backend);
    sg_onednn_close(cpu->onednn);
    sg_free(cpu->scratch);
    sg_free(cpu);
}

static const sg_backend table = {
    .name = "cpu",
    .kernel =
        {
#define SG_OPERATOR(id, name) [SG_OP_##id] = &sg_cpu_##id,
#include "nn/ops.def"
#undef SG_OPERATOR
        },
    .host_memory = 1,
    .supports = supports,
    .alloc = allocate,
    .free = release,
    .upload = copy,
    .download = copy,
    .load_input = load_input,
    .accumulate = accumulate,
    .classify = sg_cpu_classify,
    .update = update,
    .average = average,
    .squares = squares,
    .synchronize = synchronize,
    .close = close_cpu,
};

static const char *vector_units(const sg_cpu *cpu)
{
#ifdef __x86_64__
    return cpu->wide && cpu->bf16           ? "AVX-512 bf16"
           : cpu->wide                      ? "AVX-512"
           : __builtin_cpu_supports("avx2") ? "AVX2"
                                            : "SSE";
#else
    return "no vector units known";
#endif
}

static bool is_wide(void)
{
#ifdef __x86_64__
    return sg_onednn_is_wide();
#else
    return true; /* our own kernels are for AVX2 alone */
#endif
}

static void describe(sg_cpu *cpu)
{
    char version[32];
    sg_onednn_version(version, sizeof version);
    snprintf(cpu->base.kind, sizeof cpu->base.kind, "%s, %s", vector_units(cpu), version);
    snprintf(cpu->base.device, sizeof cpu->base.device, "%d thread%s, %s", cpu->threads,
             cpu->threads == 1 ? "" : "s", cpu->base.kind);
}

sg_err sg_cpu_open(sg_backend **backend, int threads)
{
    sg_cpu *cpu = NULL;
    *backend = NULL;
    if (threads < 1)
        return sg_fail(SG_EUSAGE, "%d threads to compute with, must be at least 1", threads);
    sg_err err = sg_calloc(1, sizeof *cpu, &cpu);
    if (err)
        return err;
    cpu->base = table;
    cpu->threads = threads;
    cpu->wide = is_wide();
    err = sg_onednn_open(&cpu->onednn, threads);
    if (err) {
        close_cpu(&cpu->base);
        return err;
    }
    cpu->bf16 = sg_onednn_supports_bf16(cpu->onednn);
    describe(cpu);
    *backend = &cpu->base;
    return SG_OK;
}
