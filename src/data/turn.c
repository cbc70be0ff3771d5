/* The eight flips and rotations, as walks through the input with two strides. */
#include "data/turn.h"

#include <string.h>

#include "base/error.h"
#include "base/walk.h"

/* With channels known to the compiler the copy of a pixel becomes one or two moves. */
static inline void walk_f32(const float *in, float *out, int64_t rows, int64_t columns, sg_walk w,
                            size_t channels)
{
    for (int64_t y = 0; y < rows; y++) {
        const float *from = in + (w.start + y * w.down) * (int64_t)channels;
        for (int64_t x = 0; x < columns; x++) {
            memcpy(out, from, channels * sizeof(float));
            out += channels;
            from += w.across * (int64_t)channels;
        }
    }
}

void sg_turn_rectangle(const float *in, float *out, int64_t h, int64_t w, int32_t channels,
                       int32_t turn)
{
    sg_walk from = sg_walk_of(h, w, turn);
    int64_t rows = sg_turn_transposes(turn) ? w : h, columns = sg_turn_transposes(turn) ? h : w;
    SG_ASSERT(turn >= 0 && turn < SG_TURNS && channels > 0);
    if (channels == 1)
        walk_f32(in, out, rows, columns, from, 1);
    else if (channels == 3)
        walk_f32(in, out, rows, columns, from, 3);
    else if (channels == 4)
        walk_f32(in, out, rows, columns, from, 4);
    else
        walk_f32(in, out, rows, columns, from, (size_t)channels);
}

void sg_turn_add_back(const float *turned, float *sum, int64_t h, int64_t w, int32_t channels,
                      int32_t turn)
{
    sg_walk to = sg_walk_of(h, w, turn);
    int64_t rows = sg_turn_transposes(turn) ? w : h, columns = sg_turn_transposes(turn) ? h : w;
    SG_ASSERT(turn >= 0 && turn < SG_TURNS && channels > 0);
    for (int64_t y = 0; y < rows; y++)
        for (int64_t x = 0; x < columns; x++) {
            float *pixel = sum + (to.start + y * to.down + x * to.across) * channels;
            for (int32_t c = 0; c < channels; c++)
                pixel[c] += *turned++;
        }
}

void sg_turn_f32(const float *in, float *out, int64_t size, int32_t channels, int32_t turn)
{
    sg_turn_rectangle(in, out, size, size, channels, turn);
}

void sg_turn_u8(const uint8_t *in, uint8_t *out, int64_t size, int32_t turn)
{
    sg_walk w = sg_walk_of(size, size, turn);
    SG_ASSERT(turn >= 0 && turn < SG_TURNS);
    for (int64_t y = 0; y < size; y++) {
        const uint8_t *from = in + w.start + y * w.down;
        for (int64_t x = 0; x < size; x++)
            *out++ = from[x * w.across];
    }
}
