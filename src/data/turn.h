/*
 * The eight flips and rotations, numbered as in base/walk.h: bit 4 transposes first, then 2 turns
 * upside down, 1 mirrors left and right; 0 leaves it as it is. [local]
 */
#ifndef SG_DATA_TURN_H
#define SG_DATA_TURN_H

#include <stdbool.h>
#include <stdint.h>

enum { SG_TURNS = 8 };

/* Turn a square (size, size, channels) image of f32 or of bytes; see sg_sample.turn. */
void sg_turn_f32(const float *in, float *out, int64_t size, int32_t channels, int32_t turn);
void sg_turn_u8(const uint8_t *in, uint8_t *out, int64_t size, int32_t turn);

/* Does the turn swap height and width? */
static inline bool sg_turn_transposes(int32_t turn)
{
    return (turn & 4) != 0;
}

/* Turn an (h, w, channels) image into out, (w, h, channels) where the turn transposes. */
void sg_turn_rectangle(const float *in, float *out, int64_t h, int64_t w, int32_t channels,
                       int32_t turn);
/* Turn it back: add what sg_turn_rectangle would have made, turned, to sum, (h, w, channels). */
void sg_turn_add_back(const float *turned, float *sum, int64_t h, int64_t w, int32_t channels,
                      int32_t turn);

#endif
