/* The eight flips and rotations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "data/loader.h"

static void every_turn_of_a_small_square(void **state)
{
    const uint8_t in[4] = {1, 2, 3, 4};
    const uint8_t expected[8][4] = {{1, 2, 3, 4}, {2, 1, 4, 3}, {3, 4, 1, 2}, {4, 3, 2, 1},
                                    {1, 3, 2, 4}, {3, 1, 4, 2}, {2, 4, 1, 3}, {4, 2, 3, 1}};
    for (int32_t turn = 0; turn < 8; turn++) {
        uint8_t out[4] = {0};
        sg_turn_u8(in, out, 2, turn);
        assert_memory_equal(out, expected[turn], 4);
    }
}

static void pixels_and_labels_turn_alike(void **state)
{
    enum { SIZE = 19 };
    const int32_t channel_counts[] = {1, 2, 3, 4, 8, 13};
    uint8_t labels[SIZE * SIZE], turned[SIZE * SIZE];
    for (int i = 0; i < SIZE * SIZE; i++)
        labels[i] = (uint8_t)(i * 31 % 251);
    for (int k = 0; k < 6; k++) {
        int32_t channels = channel_counts[k];
        float *in = malloc(sizeof(float) * SIZE * SIZE * (size_t)channels);
        float *out = malloc(sizeof(float) * SIZE * SIZE * (size_t)channels);
        for (int i = 0; i < SIZE * SIZE * channels; i++)
            in[i] = (float)(labels[i / channels] * 100 + i % channels);
        for (int32_t turn = 0; turn < 8; turn++) {
            sg_turn_f32(in, out, SIZE, channels, turn);
            sg_turn_u8(labels, turned, SIZE, turn);
            for (int i = 0; i < SIZE * SIZE * channels; i++)
                assert_true(out[i] == (float)(turned[i / channels] * 100 + i % channels));
        }
        free(in);
        free(out);
    }
}

static void the_eight_turns_differ_and_keep_every_pixel(void **state)
{
    enum { SIZE = 5 };
    uint8_t in[SIZE * SIZE], out[8][SIZE * SIZE];
    for (int i = 0; i < SIZE * SIZE; i++)
        in[i] = (uint8_t)i;
    for (int32_t a = 0; a < 8; a++) {
        int seen[SIZE * SIZE] = {0};
        sg_turn_u8(in, out[a], SIZE, a);
        for (int i = 0; i < SIZE * SIZE; i++)
            seen[out[a][i]]++;
        for (int i = 0; i < SIZE * SIZE; i++)
            assert_int_equal(seen[i], 1);
        for (int32_t b = 0; b < a; b++)
            assert_memory_not_equal(out[a], out[b], SIZE * SIZE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_turn_of_a_small_square),
        cmocka_unit_test(pixels_and_labels_turn_alike),
        cmocka_unit_test(the_eight_turns_differ_and_keep_every_pixel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
