/*
 * Convolutions of the CPU backend beyond the operator tests: what exact tiling and resuming rest
 * on, and weight gradients over more pixels than one chunk holds.
 */
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

static void cut(const float *scene, int64_t c, rectangle r, float *tile)
{
    for (int64_t y = 0; y < r.h; y++)
        memcpy(tile + y * r.w * c, scene + ((r.y + y) * SCENE + r.x) * c,
               (size_t)(r.w * c) * sizeof *tile);
}

/* The output for a tile, repeated n times in a batch. */
static float *run_tile(const tile_case *c, const float *scene, rectangle r, int64_t n, int threads,
                       sg_shape *out)
{
    sg_backend *backend = NULL;
    sg_node node = {.op = c->op, .act = c->act, .attr = {.window = c->window}, .params = 2};
    sg_shape in = {n, r.h, r.w, c->in_channels};
    node.attr.window.bias = 1;
    *out = output_of(c, n, r.h, r.w);
    sg_site site = conv_site(&node, in, *out, 0);
    float *tile = make_zeros(sg_shape_count(in)), *result = make_zeros(sg_shape_count(*out));
    float *weight = make_numbers((size_t)site.param_count[0], 2), *bias = make_numbers(1024, 3);
    for (int64_t i = 0; i < n; i++)
        cut(scene, in.c, r, tile + i * r.h * r.w * in.c);
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
static void expect_same_core(const tile_case *c, const float *whole, sg_shape whole_shape,
                             const float *part, sg_shape shape, rectangle r)
{
    int64_t edge = scaled(c, REACH), oy = scaled(c, r.y), ox = scaled(c, r.x), channels = shape.c;
    for (int64_t n = 0; n < shape.n; n++)
        for (int64_t y = edge; y < shape.h - edge; y++)
            for (int64_t x = edge; x < shape.w - edge; x++) {
                const float *got = part + ((n * shape.h + y) * shape.w + x) * channels;
                const float *wanted = whole + ((oy + y) * whole_shape.w + ox + x) * channels;
                if (memcmp(got, wanted, (size_t)channels * sizeof *got))
                    fail_msg("%s: pixel %d, %d of a tile at %d, %d differs", c->name, (int)y,
                             (int)x, (int)r.y, (int)r.x);
            }
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
        {"transposed 4x4", SG_OP_conv_transpose, make_window(4, 2, 1, 1, 8), 8, SG_ACT_NONE},
    };
    const rectangle tiles[] = {{0, 0, 36, 44}, {16, 8, 44, 52}, {24, 20, 33, 37}, {4, 32, 20, 20}};
    const rectangle all = {0, 0, SCENE, SCENE};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        float *scene = make_numbers((size_t)(SCENE * SCENE * cases[i].in_channels), 1);
        sg_shape whole_shape, shape;
        float *whole = run_tile(&cases[i], scene, all, 1, 2, &whole_shape);
        for (size_t t = 0; t < sizeof tiles / sizeof *tiles; t++) {
            float *part =
                run_tile(&cases[i], scene, tiles[t], 1 + (int64_t)t % 3, 1 + (int)t, &shape);
            expect_same_core(&cases[i], whole, whole_shape, part, shape, tiles[t]);
            sg_free(part);
        }
        sg_free(whole);
        sg_free(scene);
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

static void run_gradient(const gradient_case *c, int threads, const float *in,
                         const float *grad_out, float *gradient, float *bias_gradient)
{
    sg_backend *backend = NULL;
    sg_node node = {.op = SG_OP_conv, .attr = {.window = c->window}, .params = 2};
    node.attr.window.bias = 1;
    sg_site site = conv_site(&node, c->in, c->out, 1);
    site.write[0] = SG_GRAD_NONE;
    float *out = make_zeros(sg_shape_count(c->out));
    float *weight = make_numbers((size_t)site.param_count[0], 2), *bias = make_numbers(1024, 3);
    expect_ok(sg_cpu_open(&backend, threads));
    sg_io io = {.in = {in},
                .out = out,
                .grad_out = grad_out,
                .param = {weight, bias},
                .param_grad = {gradient, bias_gradient}};
    run_site(backend, &site, &io);
    sg_backend_close(backend);
    sg_free(out);
    sg_free(weight);
    sg_free(bias);
}

/* f32 sums of fewer than 2^12 terms, then sums of those: far below 2^12 rounding errors. */
static const double gradient_bound = 4096.0 / (1 << 24);

static void weight_gradients_over_many_chunks(void **state)
{
    const gradient_case cases[] = {
        {{2, 160, 130, 16}, {2, 160, 130, 20}, make_window(3, 1, 1, 1, 20)},
        {{3, 97, 101, 19}, {3, 49, 51, 9}, make_window(5, 2, 1, 2, 9)},
        {{5, 9, 300, 3}, {5, 9, 300, 64}, make_window(3, 1, 2, 2, 64)},
        {{40, 4, 4, 130}, {40, 4, 4, 70}, make_window(3, 1, 1, 1, 70)},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        const gradient_case *c = &cases[k];
        const sg_window_attr *w = &c->window;
        size_t count = (size_t)(w->kernel_h * w->kernel_w * c->in.c * c->out.c);
        float *in = make_numbers(sg_shape_count(c->in), 11);
        float *grad_out = make_numbers(sg_shape_count(c->out), 12);
        float *one = make_zeros(count), *two = make_zeros(count);
        float *bias_one = make_zeros(256), *bias_two = make_zeros(256);
        run_gradient(c, 1, in, grad_out, one, bias_one);
        run_gradient(c, 3, in, grad_out, two, bias_two);
        assert_memory_equal(one, two, count * sizeof *one);
        assert_memory_equal(bias_one, bias_two, (size_t)c->out.c * sizeof *one);
        for (uint32_t s = 0; s < 40; s++) {
            size_t at =
                sg_below(sg_random(4, SG_STREAM_SCENE, s, (uint32_t)k).v[0], (uint32_t)count);
            int64_t i = (int64_t)at % c->in.c, tap = (int64_t)at / c->in.c;
            int64_t kw = tap % w->kernel_w, kh = tap / w->kernel_w % w->kernel_h;
            int64_t o = tap / w->kernel_w / w->kernel_h;
            double magnitude;
            double wanted = exact_gradient(c, in, grad_out, o, kh, kw, i, &magnitude);
            if (!(fabs(one[at] - wanted) <= gradient_bound * magnitude))
                fail_msg("case %zu, weight %zu: %g, wanted %g", k, at, (double)one[at], wanted);
        }
        sg_free(in);
        sg_free(grad_out);
        sg_free(one);
        sg_free(two);
        sg_free(bias_one);
        sg_free(bias_two);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pixel_does_not_depend_on_tile_batch_or_threads),
        cmocka_unit_test(weight_gradients_over_many_chunks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
