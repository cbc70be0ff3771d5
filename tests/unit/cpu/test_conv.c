/*
 * Convolutions of the CPU backend beyond the operator tests: what exact tiling and resuming rest
 * on, and weight gradients over more pixels than one chunk holds.
 */
#include "cpu/direct.h"
#include "site.h"

#include <math.h>

/* ---- a pixel's result does not depend on the tile around it ---- */

typedef struct {
    const char *name;
    sg_op op;
    sg_window_attr window;
    int32_t in_channels, act;
} tile_case;

/* Tiles of the same scene: where they begin and how large they are. */
typedef struct {
    int64_t y, x, h, w;
} rectangle;

enum { SCENE = 60, REACH = 8 };

static sg_shape output_of(const tile_case *c, int64_t n, int64_t h, int64_t w)
{
    const sg_window_attr *a = &c->window;
    if (c->op == SG_OP_conv_transpose)
        return (sg_shape){n, h * a->stride_h, w * a->stride_w, a->out_channels};
    return (sg_shape){
        n,
        (h + a->pad.top + a->pad.bottom - a->dilation_h * (a->kernel_h - 1) - 1) / a->stride_h + 1,
        (w + a->pad.left + a->pad.right - a->dilation_w * (a->kernel_w - 1) - 1) / a->stride_w + 1,
        a->out_channels};
}

/* What all runs of a case share. */
typedef struct {
    const tile_case *c;
    const float *scene; /* (SCENE, SCENE, in_channels) */
    sg_dtype type;
} trial;

static void cut(const trial *t, rectangle r, void *tile, int64_t sample)
{
    int64_t c = t->c->in_channels;
    for (int64_t y = 0; y < r.h; y++)
        store_numbers(t->scene + ((r.y + y) * SCENE + r.x) * c, t->type, tile,
                      (size_t)((sample * r.h + y) * r.w * c), (size_t)(r.w * c));
}

/* The output for a tile, repeated n times in a batch. */
static char *run_tile(const trial *t, rectangle r, int64_t n, int threads, sg_shape *out)
{
    const tile_case *c = t->c;
    sg_backend *backend = NULL;
    sg_node node = {.op = c->op, .act = c->act, .attr = {.window = c->window}, .params = 2};
    sg_shape in = {n, r.h, r.w, c->in_channels};
    node.attr.window.bias = 1;
    *out = output_of(c, n, r.h, r.w);
    sg_site site = conv_site(&node, in, *out, 0);
    site.in_type[0] = site.out_type = t->type;
    void *tile = make_zeros(sg_shape_count(in)), *result = make_zeros(sg_shape_count(*out));
    float *weight = make_numbers((size_t)site.param_count[0], 2), *bias = make_numbers(1024, 3);
    for (int64_t i = 0; i < n; i++)
        cut(t, r, tile, i);
    expect_ok(sg_cpu_open(&backend, threads));
    sg_io io = {.in = {tile}, .out = result, .param = {weight, bias}};
    run_site(backend, &site, &io);
    sg_backend_close(backend);
    sg_free(tile);
    sg_free(weight);
    sg_free(bias);
    return result;
}

/* Output positions per input position, as a fraction. */
static int64_t scaled(const tile_case *c, int64_t position)
{
    int64_t stride = c->window.stride_h;
    return c->op == SG_OP_conv_transpose ? position * stride : position / stride;
}

/* All pixels of the tile whose windows lie inside it have the bits of the whole scene. */
static void expect_same_core(const trial *t, const char *whole, sg_shape whole_shape,
                             const char *part, sg_shape shape, rectangle r)
{
    const tile_case *c = t->c;
    int64_t edge = scaled(c, REACH), oy = scaled(c, r.y), ox = scaled(c, r.x);
    size_t pixel = (size_t)shape.c * sg_dtype_size(t->type);
    for (int64_t n = 0; n < shape.n; n++)
        for (int64_t y = edge; y < shape.h - edge; y++)
            for (int64_t x = edge; x < shape.w - edge; x++) {
                const char *got = part + (size_t)((n * shape.h + y) * shape.w + x) * pixel;
                const char *wanted = whole + (size_t)((oy + y) * whole_shape.w + ox + x) * pixel;
                if (memcmp(got, wanted, pixel))
                    fail_msg("%s, %s: pixel %d, %d of a tile at %d, %d differs", c->name,
                             sg_dtype_name(t->type), (int)y, (int)x, (int)r.y, (int)r.x);
            }
}

static void try_tiles(const trial *t)
{
    const rectangle tiles[] = {{0, 0, 36, 44}, {16, 8, 44, 52}, {24, 20, 33, 37}, {4, 32, 20, 20}};
    const rectangle all = {0, 0, SCENE, SCENE};
    sg_shape whole_shape, shape;
    char *whole = run_tile(t, all, 1, 2, &whole_shape);
    for (int i = 0; i < (int)(sizeof tiles / sizeof *tiles); i++) {
        char *part = run_tile(t, tiles[i], 1 + i % 3, 1 + i, &shape);
        expect_same_core(t, whole, whole_shape, part, shape, tiles[i]);
        sg_free(part);
    }
    sg_free(whole);
}

static void pixel_does_not_depend_on_tile_batch_or_threads(void **state)
{
    const tile_case cases[] = {
        {"3x3, 3 to 16", SG_OP_conv, make_window(3, 1, 1, 1, 16), 3, SG_ACT_RELU},
        {"3x3, 16 to 16", SG_OP_conv, make_window(3, 1, 1, 1, 16), 16, SG_ACT_RELU},
        {"3x3, 40 to 24", SG_OP_conv, make_window(3, 1, 1, 1, 24), 40, SG_ACT_NONE},
        {"3x3, 64 to 64", SG_OP_conv, make_window(3, 1, 1, 1, 64), 64, SG_ACT_RELU},
        {"3x3, dilation 3", SG_OP_conv, make_window(3, 1, 3, 3, 16), 8, SG_ACT_SILU},
        {"5x5, stride 2", SG_OP_conv, make_window(5, 2, 1, 2, 8), 6, SG_ACT_LEAKY},
        {"1x1 to 2", SG_OP_conv, make_window(1, 1, 1, 0, 2), 16, SG_ACT_NONE},
        {"1x1 to 7", SG_OP_conv, make_window(1, 1, 1, 0, 7), 32, SG_ACT_NONE},
        {"transposed 2x2", SG_OP_conv_transpose, make_window(2, 2, 1, 0, 16), 32, SG_ACT_NONE},
        {"transposed 2x2, 256", SG_OP_conv_transpose, make_window(2, 2, 1, 0, 128), 256,
         SG_ACT_NONE},
        {"transposed 4x4", SG_OP_conv_transpose, make_window(4, 2, 1, 1, 8), 8, SG_ACT_NONE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        float *scene = make_numbers((size_t)(SCENE * SCENE * cases[i].in_channels), 1);
        trial f32 = {&cases[i], scene, SG_F32}, bf16 = {&cases[i], scene, SG_BF16};
        try_tiles(&f32);
        if (offers_bf16())
            try_tiles(&bf16);
        sg_free(scene);
    }
}

/* ---- transposed convolutions without overlap, in several pieces ---- */

static void expect_number(const sg_window_attr *w, sg_shape in, sg_dtype type, const float *from,
                          const float *weight, const float *bias, sg_shape out, int64_t at,
                          float got)
{
    int64_t o = at % out.c, x = at / out.c % out.w, row = at / out.c / out.w; /* over all samples */
    int64_t tap = row % w->kernel_h * w->kernel_w + x % w->kernel_w;
    const float *pixel = from + ((row / w->kernel_h) * in.w + x / w->kernel_w) * in.c;
    const float *taps = weight + (o * w->kernel_h * w->kernel_w + tap) * in.c;
    double sum = (double)bias[o], magnitude = fabs(sum);
    for (int64_t i = 0; i < in.c; i++) {
        double product = (double)as_type(pixel[i], type) * (double)as_type(taps[i], type);
        sum += product;
        magnitude += fabs(product);
    }
    /* One rounding a term in f32, and that of the result to bf16. */
    double bound = (double)(in.c + 1) / (1 << 24) * magnitude;
    bound += type == SG_BF16 ? fabs(sum) / (1 << 8) : 0;
    if (!(fabs((double)got - sum) <= bound))
        fail_msg("%s, element %d: %g, wanted %g", sg_dtype_name(type), (int)at, (double)got, sum);
}

static void expect_spread(sg_window_attr window, sg_shape in, sg_dtype type)
{
    sg_backend *backend = NULL;
    sg_node node = {.op = SG_OP_conv_transpose, .attr = {.window = window}, .params = 2};
    node.attr.window.bias = 1;
    sg_shape out = {in.n, in.h * window.kernel_h, in.w * window.kernel_w, window.out_channels};
    sg_site site = conv_site(&node, in, out, 0);
    site.in_type[0] = site.out_type = type;
    float *numbers = make_numbers(sg_shape_count(in), 21), *bias = make_numbers(1024, 23);
    float *weight = make_numbers((size_t)site.param_count[0], 22);
    void *tensor = make_zeros(sg_shape_count(in)), *result = make_zeros(sg_shape_count(out));
    store_numbers(numbers, type, tensor, 0, sg_shape_count(in));
    expect_ok(sg_cpu_open(&backend, 2));
    sg_io io = {.in = {tensor}, .out = result, .param = {weight, bias}};
    run_site(backend, &site, &io);
    sg_backend_close(backend);
    for (uint32_t s = 0; s < 2000; s++) {
        sg_random4 random = sg_random(5, SG_STREAM_SCENE, s, 0);
        int64_t at = sg_below(random.v[0], (uint32_t)sg_shape_count(out));
        if (s < 64) /* the last pixels */
            at = (int64_t)sg_shape_count(out) - 1 - s;
        expect_number(&node.attr.window, in, type, numbers, weight, bias, out, at,
                      number_at(result, type, (size_t)at));
    }
    sg_free(numbers);
    sg_free(weight);
    sg_free(bias);
    sg_free(tensor);
    sg_free(result);
}

static void transposed_convolution_puts_blocks_in_place(void **state)
{
    sg_window_attr rows = make_window(3, 3, 1, 0, 24);
    rows.kernel_w = rows.stride_w = 2;
    for (sg_dtype type = SG_F32; type <= (offers_bf16() ? SG_BF16 : SG_F32); type++) {
        expect_spread(make_window(2, 2, 1, 0, 64), (sg_shape){2, 70, 91, 32}, type);
        expect_spread(rows, (sg_shape){3, 41, 67, 16}, type);
        expect_spread(make_window(2, 2, 1, 0, 16), (sg_shape){1, 1, 1, 32}, type);
    }
}

/* ---- weight gradients ---- */

typedef struct {
    sg_shape in, out;
    sg_window_attr window;
} gradient_case;

static double exact_gradient(const gradient_case *c, const float *in, const float *grad_out,
                             int64_t o, int64_t kh, int64_t kw, int64_t i, double *magnitude)
{
    const sg_window_attr *w = &c->window;
    double sum = 0;
    *magnitude = 0;
    for (int64_t p = 0; p < c->out.n * c->out.h * c->out.w; p++) {
        int64_t n = p / (c->out.h * c->out.w);
        int64_t y = p / c->out.w % c->out.h * w->stride_h - w->pad.top + kh * w->dilation_h;
        int64_t x = p % c->out.w * w->stride_w - w->pad.left + kw * w->dilation_w;
        if (y < 0 || y >= c->in.h || x < 0 || x >= c->in.w)
            continue;
        double product = (double)in[((n * c->in.h + y) * c->in.w + x) * c->in.c + i] *
                         grad_out[p * c->out.c + o];
        sum += product;
        *magnitude += fabs(product);
    }
    return sum;
}

static void run_gradient(const gradient_case *c, sg_dtype type, int threads, const float *in,
                         const float *grad_out, float *gradient, float *bias_gradient)
{
    sg_backend *backend = NULL;
    sg_node node = {.op = SG_OP_conv, .attr = {.window = c->window}, .params = 2};
    node.attr.window.bias = 1;
    sg_site site = conv_site(&node, c->in, c->out, 1);
    site.write[0] = SG_GRAD_NONE;
    site.in_type[0] = site.out_type = site.grad_type = type;
    void *in_tensor = make_zeros(sg_shape_count(c->in));
    void *up_tensor = make_zeros(sg_shape_count(c->out)), *out = make_zeros(sg_shape_count(c->out));
    store_numbers(in, type, in_tensor, 0, sg_shape_count(c->in));
    store_numbers(grad_out, type, up_tensor, 0, sg_shape_count(c->out));
    float *weight = make_numbers((size_t)site.param_count[0], 2), *bias = make_numbers(1024, 3);
    expect_ok(sg_cpu_open(&backend, threads));
    sg_io io = {.in = {in_tensor},
                .out = out,
                .grad_out = up_tensor,
                .param = {weight, bias},
                .param_grad = {gradient, bias_gradient}};
    run_site(backend, &site, &io);
    sg_backend_close(backend);
    sg_free(in_tensor);
    sg_free(up_tensor);
    sg_free(out);
    sg_free(weight);
    sg_free(bias);
}

static bool uses_our_kernels(void)
{
    sg_backend *backend = NULL;
    expect_ok(sg_cpu_open(&backend, 1));
    bool ours = sg_direct_available() && !((sg_cpu *)backend)->wide;
    sg_backend_close(backend);
    return ours;
}

/* f32 sums of fewer than 2^12 terms, then sums of those: far below 2^12 rounding errors. */
static const double gradient_bound = 4096.0 / (1 << 24);

static void round_numbers(float *numbers, size_t count, sg_dtype type)
{
    for (size_t i = 0; i < count; i++)
        numbers[i] = as_type(numbers[i], type);
}

static void expect_gradient(const gradient_case *c, sg_dtype type, bool ours)
{
    const sg_window_attr *w = &c->window;
    size_t count = (size_t)(w->kernel_h * w->kernel_w * c->in.c * c->out.c);
    float *in = make_numbers(sg_shape_count(c->in), 11);
    float *grad_out = make_numbers(sg_shape_count(c->out), 12);
    float *one = make_zeros(count), *two = make_zeros(count);
    float *bias_one = make_zeros(256), *bias_two = make_zeros(256);
    round_numbers(in, sg_shape_count(c->in), type);
    round_numbers(grad_out, sg_shape_count(c->out), type);
    run_gradient(c, type, 3, in, grad_out, one, bias_one);
    run_gradient(c, type, ours ? 1 : 3, in, grad_out, two, bias_two);
    assert_memory_equal(one, two, count * sizeof *one);
    assert_memory_equal(bias_one, bias_two, (size_t)c->out.c * sizeof *one);
    for (uint32_t s = 0; s < 40; s++) {
        size_t at = sg_below(sg_random(4, SG_STREAM_SCENE, s, 0).v[0], (uint32_t)count);
        int64_t i = (int64_t)at % c->in.c, tap = (int64_t)at / c->in.c;
        int64_t kw = tap % w->kernel_w, kh = tap / w->kernel_w % w->kernel_h;
        int64_t o = tap / w->kernel_w / w->kernel_h;
        double magnitude;
        double wanted = exact_gradient(c, in, grad_out, o, kh, kw, i, &magnitude);
        if (!(fabs(one[at] - wanted) <= gradient_bound * magnitude))
            fail_msg("%s, %d to %d channels, weight %zu: %g, wanted %g", sg_dtype_name(type),
                     (int)c->in.c, (int)c->out.c, at, (double)one[at], wanted);
    }
    sg_free(in);
    sg_free(grad_out);
    sg_free(one);
    sg_free(two);
    sg_free(bias_one);
    sg_free(bias_two);
}

static void weight_gradients_are_right_and_the_same_again(void **state)
{
    const gradient_case cases[] = {
        {{2, 160, 130, 16}, {2, 160, 130, 20}, make_window(3, 1, 1, 1, 20)},
        {{3, 97, 101, 19}, {3, 49, 51, 9}, make_window(5, 2, 1, 2, 9)},
        {{5, 9, 300, 3}, {5, 9, 300, 64}, make_window(3, 1, 2, 2, 64)},
        {{40, 4, 4, 130}, {40, 4, 4, 70}, make_window(3, 1, 1, 1, 70)},
        {{4, 256, 256, 16}, {4, 256, 256, 16}, make_window(3, 1, 1, 1, 16)},
        {{4, 256, 256, 3}, {4, 256, 256, 16}, make_window(3, 1, 1, 1, 16)},
        {{4, 128, 128, 32}, {4, 128, 128, 32}, make_window(3, 1, 1, 1, 32)},
        {{4, 256, 256, 16}, {4, 256, 256, 2}, make_window(1, 1, 1, 0, 2)},
    };
    bool ours = uses_our_kernels(); /* their sums do not depend on threads; oneDNN's do */
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        expect_gradient(&cases[k], SG_F32, ours);
        if (offers_bf16())
            expect_gradient(&cases[k], SG_BF16, false);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pixel_does_not_depend_on_tile_batch_or_threads),
        cmocka_unit_test(transposed_convolution_puts_blocks_in_place),
        cmocka_unit_test(weight_gradients_are_right_and_the_same_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
