/* Deflate and CRC-32. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "data/compress.h"

enum { BYTES = 100000 };

static uint8_t *make_bytes(void)
{
    uint8_t *bytes = malloc(BYTES);
    for (int i = 0; i < BYTES; i++)
        bytes[i] = (uint8_t)(i % 4093 * (i % 4093) / 999 % 7);
    return bytes;
}

static void what_is_deflated_comes_back_at_every_level(void **state)
{
    uint8_t *in = make_bytes(), *back = malloc(BYTES);
    size_t bound = sg_deflate_bound(BYTES);
    uint8_t *out = malloc(bound);
    for (int level = 1; level <= 9; level++) {
        size_t length = bound;
        assert_int_equal(sg_deflate(in, BYTES, level, out, &length), SG_OK);
        assert_true(length < BYTES);
        memset(back, 0, BYTES);
        assert_int_equal(sg_inflate(out, length, back, BYTES), SG_OK);
        assert_memory_equal(in, back, BYTES);
    }
    free(in);
    free(back);
    free(out);
}

static void damaged_or_short_data_is_refused(void **state)
{
    uint8_t *in = make_bytes(), *back = malloc(BYTES + 1);
    size_t length = sg_deflate_bound(BYTES);
    uint8_t *out = malloc(length);
    assert_int_equal(sg_deflate(in, BYTES, 6, out, &length), SG_OK);
    assert_int_equal(sg_inflate(out, length / 2, back, BYTES), SG_EINPUT);
    assert_int_equal(sg_inflate(out, length, back, BYTES + 1), SG_EINPUT);
    assert_int_equal(sg_inflate(out, length, back, BYTES - 1), SG_EINPUT);
    out[length / 2] ^= 0x10;
    assert_int_equal(sg_inflate(out, length, back, BYTES), SG_EINPUT);
    free(in);
    free(back);
    free(out);
}

static void too_small_a_buffer_is_an_error(void **state)
{
    uint8_t *in = make_bytes(), out[16];
    size_t length = sizeof(out);
    assert_int_equal(sg_deflate(in, BYTES, 6, out, &length), SG_EINTERNAL);
    free(in);
}

static void crc_is_the_usual_one_and_goes_on(void **state)
{
    assert_int_equal(sg_crc32(0, "123456789", 9), 0xcbf43926u);
    assert_int_equal(sg_crc32(sg_crc32(0, "1234", 4), "56789", 5), 0xcbf43926u);
    assert_int_equal(sg_crc32(0, "", 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_deflated_comes_back_at_every_level),
        cmocka_unit_test(damaged_or_short_data_is_refused),
        cmocka_unit_test(too_small_a_buffer_is_an_error),
        cmocka_unit_test(crc_is_the_usual_one_and_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
