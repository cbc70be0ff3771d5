/*
 * What the GPU backend's files share: the opened backend, its scratch memory, checks of results,
 * and the table of kernels. For C and for .cu files. May include: base, nn. [local]
 *
 * One call runs at a time on a backend and all work but the copies of batches is in one stream, so
 * all kernels share one scratch buffer: they reserve what they need in prepare and fetch the
 * pointer anew in every call.
 */
#ifndef SG_CUDA_DEVICE_H
#define SG_CUDA_DEVICE_H

#include <cuda_runtime_api.h>

#ifdef __cplusplus
extern "C" { /* the headers of the other modules are C, and say nothing of it */
#endif

#include "base/rng.h"
#include "base/size.h"
#include "cuda/cuda.h"
#include "nn/op/op_common.h"

typedef struct sg_cudnn sg_cudnn;
typedef struct sg_staging sg_staging;
typedef struct sg_slots sg_slots;

/* What differs between passes that are otherwise the same: a copy on the GPU, from which recorded
 * kernels read it. */
typedef struct {
    uint64_t seed, step, first_sample;
} sg_cuda_run;

typedef struct sg_cuda {
    sg_backend base; /* first, so that a pointer to it is a pointer to this */
    int device;      /* CUDA's number of the GPU */
    int sharers;     /* ranks of this node that compute on it, this one included */
    int tf32;
    int recording;       /* launches are kept, not run: nothing may be copied or waited for */
    cudaStream_t stream; /* owned, all work */
    sg_cudnn *cudnn;     /* owned */
    sg_staging *staging; /* owned: pinned memory between the host and the GPU */
    sg_slots *images;    /* owned: batches on their way up */
    sg_slots *results;   /* owned: classes on their way down */
    sg_cuda_run *run;    /* owned, device memory */
    sg_cuda_run run_now; /* what it holds, or will when the stream has come there ... */
    int run_known;       /* ... if this is 1 */
    void *scratch;       /* owned, device memory, aligned to 256 bytes */
    size_t scratch_bytes;
} sg_cuda;

static inline sg_cuda *sg_cuda_of(sg_backend *backend)
{
    return (sg_cuda *)backend;
}

/* SG_OK, or SG_ENOMEM or SG_EINTERNAL with a text that says what could not be done; where the GPU
 * can no longer be used by this process: which, of which node, and what to do. */
sg_err sg_cuda_check(cudaError_t result, const char *what);
/* SG_OK, or that the GPU is lost, where another library's error may come of that. */
sg_err sg_cuda_alive(void);
/* Make this thread's calls go to the backend's GPU. */
sg_err sg_cuda_use(const sg_cuda *cuda);

/* Device memory; SG_ENOMEM names the bytes wanted and free. NULL is fine to free. */
sg_err sg_cuda_alloc(sg_cuda *cuda, size_t bytes, void **memory);
void sg_cuda_free(sg_cuda *cuda, void *memory);
/* Make scratch hold at least `bytes`. For prepare and load_input only: it may move. */
sg_err sg_cuda_reserve(sg_cuda *cuda, size_t bytes);
/* Pieces of scratch: `bytes` rounded up so that the next piece is aligned too. */
static inline size_t sg_cuda_piece(size_t bytes)
{
    return (bytes + 255) / 256 * 256;
}

/* Copies in the stream. The host's memory may change as soon as an upload returns; a download has
 * arrived when it returns. */
sg_err sg_cuda_upload(sg_cuda *cuda, void *device, const void *host, size_t bytes);
sg_err sg_cuda_download(sg_cuda *cuda, void *host, const void *device, size_t bytes);
sg_err sg_staging_open(sg_staging **staging);
void sg_staging_close(sg_staging *staging);

/* For operators without state: the kernel is the backend itself. */
sg_err sg_cuda_prepare_plain(sg_backend *backend, const sg_site *site, void **kernel);
void sg_cuda_release_plain(void *kernel);

/* Conversions and the backend's calls that compute: see sg_backend. */
sg_err sg_cuda_convert(sg_cuda *cuda, void *to, sg_dtype to_type, const void *from,
                       sg_dtype from_type, size_t count);
sg_err sg_cuda_load_input(sg_backend *backend, void *device, sg_dtype type, const float *host,
                          size_t count);
sg_err sg_cuda_accumulate(sg_backend *backend, void *sum, const void *part, sg_dtype type,
                          size_t count);
sg_err sg_cuda_accumulate_pitched(sg_backend *backend, const sg_pitched_sum *sum);
sg_err sg_cuda_send(sg_backend *backend, const sg_images *images, uint64_t *sent);
sg_err sg_cuda_load(sg_backend *backend, const sg_images *images, uint64_t sent,
                    const sg_images_target *target);
sg_err sg_cuda_classify(sg_backend *backend, const void *logits, sg_dtype type, size_t pixels,
                        int64_t c, uint8_t *classes, float *probabilities);
sg_err sg_cuda_classify_begin(sg_backend *backend, const sg_logits *logits, bool probabilities,
                              uint64_t *ticket);
sg_err sg_cuda_classify_end(sg_backend *backend, uint64_t ticket, uint8_t *classes,
                            float *probabilities);
/* Its kernel alone: results on the GPU. */
sg_err sg_cuda_classify_into(sg_cuda *cuda, const sg_logits *logits, uint8_t *classes,
                             float *probabilities);
sg_err sg_cuda_update(sg_backend *backend, const sg_update *update, const sg_update_arrays *arrays);
sg_err sg_cuda_average(sg_backend *backend, size_t count, float *mean, const float *value,
                       float share);
sg_err sg_cuda_squares(sg_backend *backend, const sg_update_arrays *arrays, double *sum);

extern const sg_lane_calls sg_cuda_lanes; /* lane.c */

/* See sg_backend: repeat.c. */
sg_err sg_cuda_repeat(sg_backend *backend, void **recording, sg_err (*work)(void *), void *context,
                      const sg_run *run);
void sg_cuda_forget(sg_backend *backend, void *recording);

/* The kernels, one file per family of operators. */
#define SG_OPERATOR(id, name) extern const sg_kernel_def sg_cuda_##id;
#include "nn/ops.def"
#undef SG_OPERATOR

#ifdef __cplusplus
}
#endif

#endif
