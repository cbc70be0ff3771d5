/*
 * The optimizer: nn/update.h's rules, a block for each piece of the parameters, so that one launch
 * steps the whole network (two where LARS or LAMB sum over tensors first).
 *
 * Element by element in f32, in the order of nn/update.c. Norms in f64: a thread's elements in
 * order, then the threads of a block by halving; then, by every block anew, the pieces of its
 * tensor in order. No atomics: the same bits with every run. The gradient's norm is summed in the
 * same way, its pieces by the host.
 */
#include <math.h>
#include "cuda/launch.cuh"

struct update_args {
    sg_update u;
    double mean_divisor;   /* 1 - beta1^step */
    float root_correction; /* 1 / sqrt(1 - beta2^step) */
    sg_update_arrays arrays;
};

/* One block's piece. */
struct update_work {
    float *param, *m, *v;
    const float *gradient;
    float rate, decay, step_size, adapt;
};

static __device__ update_work work_on(const update_args &a, const sg_update_piece &piece)
{
    const sg_update_arrays &s = a.arrays;
    update_work w = {s.param + piece.offset, s.m + piece.offset, s.v ? s.v + piece.offset : NULL,
                     s.gradient + piece.offset};
    w.rate = a.u.rate * piece.rate;
    w.decay = a.u.decay * piece.decay;
    w.step_size = (float)((double)w.rate / a.mean_divisor);
    w.adapt = 1;
    return w;
}

static __device__ double sum_norms(const update_args &a, const sg_update_piece &piece, int which)
{
    double sum = 0;
    for (uint32_t i = piece.first; i < piece.first + piece.pieces; i++)
        sum += a.arrays.norms[2 * (size_t)i + which];
    return sqrt(sum);
}

/* As sg_update_adapt. */
static __device__ float adapt(const update_args &a, const sg_update_piece &piece)
{
    if (a.u.rule < SG_LARS || piece.decay == 0)
        return 1;
    double p = sum_norms(a, piece, 0), g = sum_norms(a, piece, 1);
    if (p == 0 || g == 0)
        return 1;
    return (float)(a.u.rule == SG_LARS ? (double)a.u.trust * p / (g + (double)a.u.decay * p)
                                       : p / g);
}

static __device__ float lamb_r(const update_args &a, const update_work &w, uint32_t i)
{
    float spread = sqrtf(w.v[i]) * a.root_correction + a.u.epsilon;
    return (float)(1 / a.mean_divisor) * (w.m[i] / spread) + w.decay * w.param[i];
}

static __device__ void step_sgd(const sg_update &u, const update_work &w, uint32_t i)
{
    float p = w.param[i], before = u.step <= 1 ? 0 : w.m[i];
    float g = w.adapt * (w.gradient[i] * u.gradient_scale + w.decay * p);
    float m = u.momentum * before + g;
    float of_g = u.nesterov ? 1 : 0, of_m = u.nesterov ? u.momentum : 1;
    w.m[i] = m;
    w.param[i] = p - w.rate * (of_g * g + of_m * m);
}

static __device__ void step_adam(const update_args &a, const update_work &w, uint32_t i)
{
    const sg_update &u = a.u;
    float p = w.param[i];
    float inside = u.rule == SG_ADAM ? w.decay : 0;
    float shrink = u.rule == SG_ADAM ? 0 : w.rate * w.decay;
    float g = w.gradient[i] * u.gradient_scale + inside * p;
    float mean = u.beta1 * w.m[i] + (1 - u.beta1) * g;
    float square = u.beta2 * w.v[i] + (1 - u.beta2) * (g * g);
    w.m[i] = mean;
    w.v[i] = square;
    w.param[i] =
        p - shrink * p - w.step_size * (mean / (sqrtf(square) * a.root_correction + u.epsilon));
}

__global__ void step_pieces(update_args a)
{
    const sg_update_piece piece = a.arrays.piece[blockIdx.x];
    update_work w = work_on(a, piece);
    if (piece.rate == 0)
        return;
    w.adapt = adapt(a, piece);
    for (uint32_t i = threadIdx.x; i < piece.count; i += blockDim.x) {
        if (a.u.rule == SG_SGD || a.u.rule == SG_LARS)
            step_sgd(a.u, w, i);
        else if (a.u.rule == SG_LAMB)
            w.param[i] -= w.rate * w.adapt * lamb_r(a, w, i);
        else
            step_adam(a, w, i);
    }
}

/* LAMB's m and v take the gradient here. */
static __device__ float second_term(const update_args &a, const update_work &w, uint32_t i)
{
    float g = w.gradient[i] * a.u.gradient_scale;
    if (a.u.rule == SG_LARS)
        return g;
    w.m[i] = a.u.beta1 * w.m[i] + (1 - a.u.beta1) * g;
    w.v[i] = a.u.beta2 * w.v[i] + (1 - a.u.beta2) * (g * g);
    return lamb_r(a, w, i);
}

__global__ void sum_pieces(update_args a)
{
    __shared__ double p[SG_THREADS], r[SG_THREADS];
    const sg_update_piece piece = a.arrays.piece[blockIdx.x];
    update_work w = work_on(a, piece);
    uint32_t t = threadIdx.x;
    p[t] = r[t] = 0;
    for (uint32_t i = t; piece.rate != 0 && i < piece.count; i += blockDim.x) {
        double before = w.param[i], second = second_term(a, w, i);
        p[t] += before * before;
        r[t] += second * second;
    }
    for (uint32_t half = SG_THREADS / 2; half > 0; half /= 2) {
        __syncthreads();
        if (t < half) {
            p[t] += p[t + half];
            r[t] += r[t + half];
        }
    }
    if (t == 0) {
        a.arrays.norms[2 * (size_t)blockIdx.x] = p[0];
        a.arrays.norms[2 * (size_t)blockIdx.x + 1] = r[0];
    }
}

sg_err sg_cuda_update(sg_backend *backend, const sg_update *update, const sg_update_arrays *arrays)
{
    sg_cuda *cuda = sg_cuda_of(backend);
    double step = (double)update->step;
    update_args a = {*update, 1 - pow((double)update->beta1, step),
                     (float)(1 / sqrt(1 - pow((double)update->beta2, step))), *arrays};
    dim3 blocks((uint32_t)arrays->pieces), threads(SG_THREADS);
    sg_err err = SG_OK;
    if (arrays->pieces == 0)
        return SG_OK;
    if (sg_update_sums(update))
        err = sg_launch(cuda, sum_pieces, blocks, threads, a);
    return err ? err : sg_launch(cuda, step_pieces, blocks, threads, a);
}

/* ---- the gradient's norm ---- */

struct squares_args {
    sg_update_arrays arrays;
};

__global__ void square_pieces(squares_args a)
{
    __shared__ double sum[SG_THREADS];
    const sg_update_piece piece = a.arrays.piece[blockIdx.x];
    uint32_t t = threadIdx.x;
    sum[t] = 0;
    for (uint32_t i = t; piece.rate != 0 && i < piece.count; i += blockDim.x) {
        double g = a.arrays.gradient[piece.offset + i];
        sum[t] += g * g;
    }
    for (uint32_t half = SG_THREADS / 2; half > 0; half /= 2) {
        __syncthreads();
        if (t < half)
            sum[t] += sum[t + half];
    }
    if (t == 0)
        a.arrays.norms[blockIdx.x] = sum[0];
}

sg_err sg_cuda_squares(sg_backend *backend, const sg_update_arrays *arrays, double *sum)
{
    sg_cuda *cuda = sg_cuda_of(backend);
    size_t pieces = (size_t)arrays->pieces;
    double *part = NULL;
    squares_args a = {*arrays};
    *sum = 0;
    sg_err err = sg_malloc(pieces > 0 ? pieces : 1, sizeof *part, (void **)&part);
    if (!err && pieces > 0)
        err = sg_launch(cuda, square_pieces, dim3((uint32_t)pieces), dim3(SG_THREADS), a);
    if (!err)
        err = sg_cuda_download(cuda, part, arrays->norms, pieces * sizeof *part);
    for (size_t i = 0; !err && i < pieces; i++)
        *sum += part[i];
    sg_free(part);
    return err;
}
