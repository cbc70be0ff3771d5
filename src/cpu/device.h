/*
 * What the CPU backend's operators share: the opened backend with its threads, oneDNN and scratch
 * memory, and parallel loops. May include: base, nn. [local]
 *
 * One call runs at a time on a backend, so all kernels share one scratch buffer: they reserve what
 * they need in prepare and fetch the pointer anew in every call.
 */
#ifndef SG_CPU_DEVICE_H
#define SG_CPU_DEVICE_H

#include "cpu/onednn.h"
#include "nn/backend.h"

typedef struct sg_cpu {
    sg_backend base;   /* first, so that a pointer to it is a pointer to this */
    int threads;       /* at least 1 */
    bool wide;         /* AVX-512, where oneDNN's NHWC kernels are faster than our own */
    bool bf16;         /* oneDNN convolves in bf16 */
    sg_onednn *onednn; /* owned */
    void *scratch;     /* owned, aligned to 64 bytes */
    size_t scratch_bytes;
} sg_cpu;

/* Make scratch hold at least `bytes`. For prepare only: it may move. */
sg_err sg_cpu_reserve(sg_cpu *cpu, size_t bytes);

/* Work on items [begin, end). */
typedef void (*sg_cpu_body)(void *context, int64_t begin, int64_t end);

/*
 * Run body over [0, items) in blocks of `grain` on all threads. Which thread takes which block is
 * not fixed; blocks are the same for any number of threads, so a body whose blocks are independent
 * gives the same bits for any number.
 */
void sg_cpu_for(const sg_cpu *cpu, int64_t items, int64_t grain, sg_cpu_body body, void *context);

/* For operators without state: the kernel is the backend itself. */
sg_err sg_cpu_prepare_plain(sg_backend *backend, const sg_site *site, void **kernel);
void sg_cpu_release_plain(void *kernel);

/* The kernels, one file per operator. */
#define SG_OPERATOR(id, name) extern const sg_kernel_def sg_cpu_##id;
#include "nn/ops.def"
#undef SG_OPERATOR

/* The backend's entry for results: see sg_backend.classify. */
sg_err sg_cpu_classify(sg_backend *backend, const void *logits, sg_dtype type, size_t pixels,
                       int64_t c, uint8_t *classes, float *probabilities);

#endif
