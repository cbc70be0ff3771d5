/*
 * A backend: one table of kernels per operator, plus memory. Three exist: reference (plain C in
 * nn/op, the oracle), cpu (oneDNN), cuda. nn calls them only through this table. May include: base,
 * nn.
 *
 * Life of a kernel: prepare (allocates, chooses an implementation; never again) -> refresh whenever
 * the parameters changed -> forward / backward any number of times, no allocation -> release.
 * All functions are [local]; where a hook in sg_run is collective, its field says so.
 */
#ifndef SG_NN_BACKEND_H
#define SG_NN_BACKEND_H

#include "nn/images.h"
#include "nn/lane.h"
#include "nn/params.h"
#include "nn/update.h"

typedef struct sg_backend sg_backend;

/* Where one node runs in one plan; constant. */
typedef struct {
    const sg_node *node;
    int32_t inputs;
    sg_shape in[SG_MAX_INPUTS], out;
    sg_dtype in_type[SG_MAX_INPUTS], out_type;
    sg_dtype grad_type;                 /* of all gradients of tensors */
    int32_t training;                   /* a backward pass will follow */
    sg_grad_write write[SG_MAX_INPUTS]; /* NONE, STORE, ADD, TEMPORARY (= STORE elsewhere) */
    size_t saved_bytes;
    int64_t param_count[SG_MAX_PARAMS]; /* elements */
    /* Elements from one pixel to the next, of values and of gradients: c, and more, in multiples of
     * SG_BESIDE_CHANNELS, only for a kernel that can do with gaps (sg_kernel_def.can); of an
     * input's gradient only where it is added to. out: of grad_out, too. */
    int64_t in_pitch[SG_MAX_INPUTS], grad_pitch[SG_MAX_INPUTS], out_pitch;
    uint32_t in_place; /* bit i: input i lies in the output already, and its gradient there */
} sg_site;

/* What a run knows beyond the tensors. Owned by the executor's caller. */
typedef struct sg_run {
    uint64_t seed, step;   /* dropout masks are a function of (seed, step, first_sample, element) */
    uint64_t first_sample; /* global index of the batch's first sample in this step */
    float loss_scale;      /* factor on the gradient of the summed loss, e.g. 1 / pixels */
    const float *class_weight; /* [classes] or NULL for all 1; device-visible */
    const float *border;       /* [n][h][w] on the host: what a loss with attr.border adds to the
                                  class weight of a pixel; NULL: 0 */
    /* Sum `count` doubles in place over ranks, or NULL when statistics stay local. [collective] */
    void (*reduce)(void *user, double *values, size_t count);
    /* The same for losses of regions: NULL when they are those of this rank's pixels. [collective]
     */
    void (*reduce_loss)(void *user, double *values, size_t count);
    void *reduce_user;
    /* Out, when the backward pass has returned; where the device is the host, after the forward
     * pass already. */
    double loss_sum;   /* sum over valid pixels of class weight * loss, of all terms; each loss node
                          adds its own */
    double weight_sum; /* sum over valid pixels of class weight */
    double term_sum[SG_MAX_TERMS]; /* of each term alone, without its weight in the sum */
} sg_run;

/* Pointers of one call: device memory of the backend. */
typedef struct {
    const void *in[SG_MAX_INPUTS]; /* NHWC values */
    void *out;
    const void *grad_out;
    void *grad_in[SG_MAX_INPUTS]; /* NULL where write is SG_GRAD_NONE */
    const float *param[SG_MAX_PARAMS];
    float *param_grad[SG_MAX_PARAMS]; /* overwritten, not added to; NULL for state */
    float *state[SG_MAX_PARAMS]; /* writable running statistics, where the parameter is state */
    void *saved;
    /* 1: a second forward pass over the same input, for a backward pass that wants its values: it
     * must give the same bits and leave running statistics alone. */
    int32_t again;
    const uint8_t *labels; /* [n][h][w] class or SG_IGNORE_LABEL; loss nodes only */
    const float *border;   /* [n][h][w] or NULL; loss nodes only */
    sg_run *run;
} sg_io;

typedef struct {
    /* Make a kernel for this site, or SG_EUNSUPPORTED. *kernel may stay NULL. */
    sg_err (*prepare)(sg_backend *backend, const sg_site *site, void **kernel);
    /* Parameters changed: reorder, cast. May be NULL. */
    sg_err (*refresh)(void *kernel, const sg_site *site, const sg_io *io);
    sg_err (*forward)(void *kernel, const sg_site *site, const sg_io *io);
    sg_err (*backward)(void *kernel, const sg_site *site,
                       const sg_io *io); /* NULL: inference only */
    void (*release)(void *kernel);
    uint32_t can; /* SG_PITCHED_ and SG_ADDS_ bits: see plan.h */
    /* Put what the forward pass has left on the device for the run into it, and fail as the forward
     * pass should have: called once, later, and waits. NULL: there is no such thing. */
    sg_err (*report)(void *kernel, const sg_site *site, const sg_io *io);
} sg_kernel_def;

/* sum += part, where the pixels of sum lie `pitch` elements apart and those of part have no gaps.
 */
typedef struct {
    void *sum;
    const void *part;
    sg_dtype type; /* of both */
    size_t pixels;
    int64_t channels, pitch;
} sg_pitched_sum;

/* Scores of pixels on the device. */
typedef struct {
    const void *values; /* (pixels, classes) */
    sg_dtype type;
    size_t pixels;
    int64_t classes;
} sg_logits;

struct sg_backend {
    const char *name;                         /* "reference", "cpu", "cuda" */
    char device[128];                         /* "2 threads, AVX2, oneDNN 2.6.3" */
    char kind[96];                            /* "AVX2, oneDNN 2.6.3": what the bits depend on */
    const sg_kernel_def *kernel[SG_OP_COUNT]; /* NULL: missing */
    int32_t host_memory;                      /* 1: device memory is ordinary memory */
    bool (*supports)(const sg_backend *, sg_dtype);
    sg_err (*alloc)(sg_backend *, size_t bytes, void **memory); /* 64-byte aligned */
    void (*free)(sg_backend *, void *memory);
    size_t (*available)(sg_backend *); /* bytes that alloc can still give; NULL: not known */
    sg_err (*upload)(sg_backend *, void *device, const void *host, size_t bytes);
    sg_err (*download)(sg_backend *, void *host, const void *device, size_t bytes);
    /* f32 NHWC on the host to the input tensor's type on the device. */
    sg_err (*load_input)(sg_backend *, void *device, sg_dtype type, const float *host,
                         size_t count);
    /* Images into the input tensor, normalised, turned and rounded, and their labels; the host's
     * memory may change as soon as it returns. sent: what send gave for the same images, or 0.
     * NULL: not offered, only load_input. */
    sg_err (*load)(sg_backend *, const sg_images *, uint64_t sent, const sg_images_target *);
    /* Begin to bring images to the device, beside what it computes; until they are loaded they stay
     * as they are. May be NULL. */
    sg_err (*send)(sg_backend *, const sg_images *, uint64_t *sent);
    /* sum += part, both of `type`. */
    sg_err (*accumulate)(sg_backend *, void *sum, const void *part, sg_dtype type, size_t count);
    /* The same into a tensor with gaps; NULL where no kernel can do with them. */
    sg_err (*accumulate_pitched)(sg_backend *, const sg_pitched_sum *);
    /* Per pixel over c classes: argmax into classes (lowest index on ties), and where not NULL the
     * softmax probabilities (f32, [pixels][c]). Logits are on the device, results on the host. */
    sg_err (*classify)(sg_backend *, const void *logits, sg_dtype type, size_t pixels, int64_t c,
                       uint8_t *classes, float *probabilities);
    /* The same in two: begun, and collected in the same order, at most two at a time; or NULL. */
    sg_err (*classify_begin)(sg_backend *, const sg_logits *, bool probabilities, uint64_t *ticket);
    sg_err (*classify_end)(sg_backend *, uint64_t ticket, uint8_t *classes, float *probabilities);
    sg_err (*update)(sg_backend *, const sg_update *, const sg_update_arrays *);
    sg_err (*average)(sg_backend *, size_t count, float *mean, const float *value,
                      float share); /* sg_average_apply */
    /* The sum of the squares of arrays->gradient, of what is stepped: sg_update_squares. */
    sg_err (*squares)(sg_backend *, const sg_update_arrays *, double *sum);
    /* Do work(context), which gives the same calls with the same pointers each time and neither
     * copies from or to the host nor waits; or what it did before, as kept in *recording (NULL at
     * first, to be forgotten at last). Of what kernels read of a run, its seed, step and first
     * sample may differ; run may be NULL. Both NULL: not offered. */
    sg_err (*repeat)(sg_backend *, void **recording, sg_err (*work)(void *), void *context,
                     const sg_run *run);
    void (*forget)(sg_backend *, void *recording); /* NULL is fine */
    const sg_lane_calls *lanes;                    /* NULL: none of its own */
    sg_err (*synchronize)(sg_backend *);
    void (*close)(sg_backend *);
};

/* Plain C, one thread, any type; the oracle. */
sg_err sg_reference_open(sg_backend **backend);
void sg_backend_close(sg_backend *backend); /* NULL is fine */
/* What plans for this backend may count on. */
sg_abilities sg_backend_abilities(const sg_backend *backend);
/* SG_EUNSUPPORTED naming all operators of the graph that the backend lacks. */
sg_err sg_backend_covers(const sg_backend *backend, const sg_graph *graph, bool training);

/* The reference kernels, sg_reference_ID in op/ID.c; other backends may borrow one for a site. */
#define SG_OPERATOR(id, name) extern const sg_kernel_def sg_reference_##id;
#include "nn/ops.def"
#undef SG_OPERATOR

#endif
