/* The eight flips and rotations of a square, as walks through the input with two strides. */
#include "data/loader.h"

#include <string.h>

#include "base/error.h"

/* out(y, x) = in[start + y * down + x * across], in pixels. */
typedef struct {
    int64_t start, down, across;
} walk;

static walk turn_walk(int64_t size, int32_t turn)
{
    int64_t down = turn & 4 ? 1 : size, across = turn & 4 ? size : 1;
    walk w = {0, down, across};
    if (turn & 2) {
        w.start += (size - 1) * down;
        w.down = -down;
    }
    if (turn & 1) {
        w.start += (size - 1) * across;
        w.across = -across;
    }
    return w;
}

/* With channels known to the compiler the copy of a pixel becomes one or two moves. */
static inline void walk_f32(const float *in, float *out, int64_t size, walk w, size_t channels)
{
    for (int64_t y = 0; y < size; y++) {
        const float *from = in + (w.start + y * w.down) * (int64_t)channels;
        for (int64_t x = 0; x < size; x++) {
            memcpy(out, from, channels * sizeof(float));
            out += channels;
            from += w.across * (int64_t)channels;
        }
    }
}

void sg_turn_f32(const float *in, float *out, int64_t size, int32_t channels, int32_t turn)
{
    walk w = turn_walk(size, turn);
    SG_ASSERT(turn >= 0 && turn < 8 && channels > 0);
    if (channels == 1)
        walk_f32(in, out, size, w, 1);
    else if (channels == 3)
        walk_f32(in, out, size, w, 3);
    else if (channels == 4)
        walk_f32(in, out, size, w, 4);
    else
        walk_f32(in, out, size, w, (size_t)channels);
}

void sg_turn_u8(const uint8_t *in, uint8_t *out, int64_t size, int32_t turn)
{
    walk w = turn_walk(size, turn);
    SG_ASSERT(turn >= 0 && turn < 8);
    for (int64_t y = 0; y < size; y++) {
        const uint8_t *from = in + w.start + y * w.down;
        for (int64_t x = 0; x < size; x++)
            *out++ = from[x * w.across];
    }
}
