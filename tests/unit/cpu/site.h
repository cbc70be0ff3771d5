/* One operator of the CPU backend, run on numbers made by a formula. For tests of src/cpu. */
#ifndef SG_TEST_CPU_SITE_H
#define SG_TEST_CPU_SITE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "base/rng.h"
#include "base/size.h"
#include "cpu/cpu.h"

static inline void expect_ok(sg_err err)
{
    if (err)
        fail_msg("%s", sg_error_text());
}

/* Numbers in [-1, 1), a function of seed and index. */
static inline float *make_numbers(size_t count, uint64_t seed)
{
    float *numbers = NULL;
    expect_ok(sg_malloc(count, sizeof *numbers, &numbers));
    for (size_t i = 0; i < count; i++)
        numbers[i] = 2 * sg_uniform(sg_random(seed, SG_STREAM_SCENE, i, 7).v[0]) - 1;
    return numbers;
}

static inline float *make_zeros(size_t count)
{
    float *numbers = NULL;
    expect_ok(sg_calloc(count, sizeof *numbers, &numbers));
    return numbers;
}

static inline float as_type(float number, sg_dtype type)
{
    return type == SG_BF16 ? sg_bf16_to_f32(sg_f32_to_bf16(number)) : number;
}

/* tensor[first, first + count) = numbers, in the tensor's type */
static inline void store_numbers(const float *numbers, sg_dtype type, void *tensor, size_t first,
                                 size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (type == SG_BF16)
            ((uint16_t *)tensor)[first + i] = sg_f32_to_bf16(numbers[i]);
        else
            ((float *)tensor)[first + i] = numbers[i];
    }
}

static inline float number_at(const void *tensor, sg_dtype type, size_t at)
{
    return type == SG_BF16 ? sg_bf16_to_f32(((const uint16_t *)tensor)[at])
                           : ((const float *)tensor)[at];
}

static inline bool offers_bf16(void)
{
    sg_backend *backend = NULL;
    expect_ok(sg_cpu_open(&backend, 1));
    bool offers = backend->supports(backend, SG_BF16);
    sg_backend_close(backend);
    return offers;
}

static inline sg_window_attr make_window(int32_t kernel, int32_t stride, int32_t dilation,
                                         int32_t pad, int32_t out_channels)
{
    return (sg_window_attr){
        kernel, kernel,       stride, stride, dilation, dilation, {pad, pad, pad, pad},
        1,      out_channels, 0,      0,      0,        1};
}

/* A convolution's site, f32. */
static inline sg_site conv_site(const sg_node *node, sg_shape in, sg_shape out, int32_t training)
{
    const sg_window_attr *w = &node->attr.window;
    sg_site site = {.node = node, .inputs = 1, .in = {in}, .out = out, .training = training};
    site.write[0] = training ? SG_GRAD_STORE : SG_GRAD_NONE;
    site.param_count[0] = (int64_t)w->kernel_h * w->kernel_w * in.c / w->groups * out.c;
    site.param_count[1] = out.c;
    return site;
}

/* prepare, refresh, forward, backward where asked for, release. */
static inline void run_site(sg_backend *backend, const sg_site *site, const sg_io *io)
{
    const sg_kernel_def *def = backend->kernel[site->node->op];
    void *kernel = NULL;
    expect_ok(def->prepare(backend, site, &kernel));
    if (def->refresh)
        expect_ok(def->refresh(kernel, site, io));
    expect_ok(def->forward(kernel, site, io));
    if (site->training)
        expect_ok(def->backward(kernel, site, io));
    def->release(kernel);
}

#endif
