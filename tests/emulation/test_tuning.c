/* The kernels that trying an engine needs, on the emulated GPU. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "cuda/tune_kernels.h"

enum { COUNT = 3000 };

typedef struct {
    sg_backend *backend;
    sg_cuda *cuda;
    void *a, *b, *differs;
} session;

static void must(sg_err err)
{
    if (err)
        fail_msg("%s", sg_error_text());
}

static session open_session(void)
{
    const sg_cuda_options options = {0};
    session s = {0};
    must(sg_cuda_open(&s.backend, &options));
    s.cuda = sg_cuda_of(s.backend);
    must(sg_cuda_alloc(s.cuda, COUNT * sizeof(float), &s.a));
    must(sg_cuda_alloc(s.cuda, COUNT * sizeof(float), &s.b));
    must(sg_cuda_alloc(s.cuda, sizeof(uint32_t), &s.differs));
    return s;
}

static void close_session(session *s)
{
    sg_cuda_free(s->cuda, s->a);
    sg_cuda_free(s->cuda, s->b);
    sg_cuda_free(s->cuda, s->differs);
    sg_backend_close(s->backend);
}

static void operands_are_even_noise(void **state)
{
    session s = open_session();
    for (sg_dtype type = SG_F32; type <= SG_BF16; type++) {
        static uint8_t values[COUNT * sizeof(float)];
        double sum = 0, square = 0;
        must(sg_tune_fill(s.cuda, s.a, type, COUNT, 1));
        must(sg_cuda_download(s.cuda, values, s.a, COUNT * sg_dtype_size(type)));
        for (size_t i = 0; i < COUNT; i++) {
            double value = (double)sg_load(values, type, i);
            assert_true(value >= -1 && value <= 1); /* bf16 may round up to 1 */
            sum += value;
            square += value * value;
        }
        /* of uniform numbers: mean 0, mean square 1/3; five deviations */
        assert_true(fabs(sum / COUNT) < 5 * sqrt(1. / 3 / COUNT));
        assert_true(fabs(square / COUNT - 1. / 3) < 5 * sqrt(4. / 45 / COUNT));
    }
    close_session(&s);
}

static uint32_t differs(session *s, sg_dtype type, size_t count)
{
    uint32_t word = 0;
    must(sg_cuda_upload(s->cuda, s->differs, &word, sizeof word));
    must(sg_tune_differ(s->cuda, s->a, s->b, type, count, s->differs));
    must(sg_cuda_download(s->cuda, &word, s->differs, sizeof word));
    return word;
}

static void one_bit_is_a_difference(void **state)
{
    session s = open_session();
    for (sg_dtype type = SG_F32; type <= SG_BF16; type++)
        for (size_t at = 0; at < COUNT; at += 997) {
            size_t byte = at * sg_dtype_size(type);
            must(sg_tune_fill(s.cuda, s.a, type, COUNT, 7));
            must(sg_tune_fill(s.cuda, s.b, type, COUNT, 7));
            assert_int_equal(differs(&s, type, COUNT), 0);
            cudaStreamSynchronize(s.cuda->stream);
            ((uint8_t *)s.b)[byte] ^= 1; /* the emulated memory is ours */
            assert_int_equal(differs(&s, type, COUNT), 1);
            assert_int_equal(differs(&s, type, at), 0); /* not looked at */
        }
    must(sg_tune_fill(s.cuda, s.b, SG_F32, COUNT, 8));
    assert_int_equal(differs(&s, SG_F32, COUNT), 1);
    memset(s.a, 0xff, COUNT * sizeof(float)); /* NaN is the same as itself */
    memset(s.b, 0xff, COUNT * sizeof(float));
    assert_int_equal(differs(&s, SG_F32, COUNT), 0);
    close_session(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operands_are_even_noise),
        cmocka_unit_test(one_bit_is_a_difference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
