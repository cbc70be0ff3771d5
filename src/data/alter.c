/*
 * What is drawn for a sample, and the tones of its pixels. Each kind of change has counters of its
 * own, so that none depends on which others are asked for.
 */
#include "data/alter.h"

#include <math.h>

#include "base/rng.h"

typedef enum {
    ROTATE,
    SCALE,
    GAMMA,
    CONTRAST,
    BRIGHTNESS,
    BLUR,
    NOISE,
    DROPOUT,
    CUT_MIX,
    PASTE,
    KINDS = 16
} kind;

static const double GAMMA_REACH = 3; /* deviations */

/* Words of a kind for all bands (-1) or one. Word 0 is the chance, the others are the amounts. */
static sg_random4 words(sg_draw draw, kind what, int32_t band)
{
    return sg_random(draw.seed, SG_STREAM_ALTER, draw.index, (uint32_t)((band + 1) * KINDS + what));
}

/* A word as a number in [-1, 1). */
static double both_ways(uint32_t word)
{
    return 2 * (double)sg_uniform(word) - 1;
}

static bool happens_by(double chance, sg_draw draw, kind what)
{
    return (double)sg_uniform(words(draw, what, -1).v[0]) < chance;
}

static bool happens(const sg_alterations *a, sg_draw draw, kind what)
{
    return happens_by(a->chance, draw, what);
}

bool sg_alter_cuts(const sg_alterations *a, sg_draw draw)
{
    return happens_by(a->cut_mix, draw, CUT_MIX);
}

bool sg_alter_pastes(const sg_alterations *a, sg_draw draw)
{
    return happens_by(a->paste, draw, PASTE);
}

static bool scales(const sg_alterations *a)
{
    return a->least != 1 || a->most != 1;
}

static bool changes_values(const sg_alterations *a)
{
    return a->brightness > 0 || a->contrast > 0 || a->gamma > 0 || a->blur > 0 || a->noise > 0 ||
           a->band_dropout > 0;
}

bool sg_alter_any(const sg_alterations *a)
{
    return (a->chance > 0 && (a->rotate > 0 || scales(a) || changes_values(a))) ||
           a->band_dropout > 0 || a->cut_mix > 0 || a->paste > 0;
}

/* The middle closest to the given one from where `half` pixels either way lie within; or, where
 * there is none, that leave nothing of it out. */
static double shifted(double middle, double half, int64_t start, int64_t length)
{
    double a = (double)start + half + .5, b = (double)(start + length) - half - .5;
    return fmin(fmax(middle, fmin(a, b)), fmax(a, b));
}

bool sg_alter_place(const sg_alterations *a, sg_draw draw, sg_window window, sg_window within,
                    sg_placement *p)
{
    double angle = 0, size = 1, half[2];
    if (a->rotate > 0 && happens(a, draw, ROTATE))
        angle = a->rotate * both_ways(words(draw, ROTATE, -1).v[1]) * (acos(-1) / 180);
    if (scales(a) && happens(a, draw, SCALE))
        size = a->least * pow(a->most / a->least, (double)sg_uniform(words(draw, SCALE, -1).v[1]));
    if (angle == 0 && size == 1)
        return false;
    p->along = cos(angle) / size;
    p->aside = sin(angle) / size;
    sg_placement_half(p, window.w, window.h, half);
    p->x = shifted((double)window.x + .5 * (double)window.w, half[0], within.x, within.w);
    p->y = shifted((double)window.y + .5 * (double)window.h, half[1], within.y, within.h);
    return true;
}

/* In [-1, 1): partly alike in all bands, partly the band's own; 0 where it does not happen. */
static double drawn_for_band(const sg_alterations *a, sg_draw draw, kind what, int32_t band)
{
    if (!happens(a, draw, what))
        return 0;
    return (1 - a->per_band) * both_ways(words(draw, what, -1).v[1]) +
           a->per_band * both_ways(words(draw, what, band).v[1]);
}

static inline float bend(float value, float exponent)
{
    const float reach = (float)GAMMA_REACH;
    if (!(value > -reach && value < reach))
        return value;
    return 2 * reach * powf((value + reach) / (2 * reach), exponent) - reach;
}

static void alter_tones(const sg_alterations *a, sg_draw draw, const sg_image *image)
{
    const size_t count = (size_t)(image->w * image->h), bands = (size_t)image->bands;
    for (int32_t b = 0; b < image->bands; b++) {
        double power = a->gamma * drawn_for_band(a, draw, GAMMA, b);
        float gain = (float)(1 + a->contrast * drawn_for_band(a, draw, CONTRAST, b));
        float offset = (float)(a->brightness * drawn_for_band(a, draw, BRIGHTNESS, b));
        float exponent = (float)exp(power);
        float *value = image->pixels + b;
        for (size_t i = 0; i < count; i++, value += bands) {
            if (!image->valid[i])
                continue;
            float tone = power != 0 ? bend(*value, exponent) : *value;
            *value = gain * tone + offset;
        }
    }
}

/* Four values from two calls, so that a word is used once. */
static void add_noise(sg_draw draw, float deviation, const sg_image *image)
{
    const size_t bands = (size_t)image->bands, count = (size_t)(image->w * image->h) * bands;
    for (size_t i = 0; i < count; i += 4) {
        sg_random4 r = sg_random(draw.seed, SG_STREAM_NOISE, draw.index, (uint32_t)(i / 4));
        float normal[4];
        sg_normal2(r.v[0], r.v[1], normal);
        sg_normal2(r.v[2], r.v[3], normal + 2);
        for (size_t k = i; k < count && k < i + 4; k++)
            if (image->valid[k / bands])
                image->pixels[k] += deviation * normal[k - i];
    }
}

/* The band that is last in the draw stays in any case. */
static void drop_bands(const sg_alterations *a, sg_draw draw, const sg_image *image)
{
    const size_t count = (size_t)(image->w * image->h), bands = (size_t)image->bands;
    int32_t kept = (int32_t)sg_below(words(draw, DROPOUT, -1).v[1], (uint32_t)image->bands);
    for (int32_t b = 0; b < image->bands; b++) {
        if (b == kept || !((double)sg_uniform(words(draw, DROPOUT, b).v[0]) < a->band_dropout))
            continue;
        for (size_t i = 0; i < count; i++)
            image->pixels[i * bands + (size_t)b] = 0;
    }
}

sg_err sg_alter_values(const sg_alterations *a, sg_draw draw, sg_image image, sg_blur_room *room)
{
    sg_err err = SG_OK;
    if (a->gamma > 0 || a->contrast > 0 || a->brightness > 0)
        alter_tones(a, draw, &image);
    if (a->blur > 0 && happens(a, draw, BLUR)) {
        double sigma = a->blur * (double)sg_uniform(words(draw, BLUR, -1).v[1]);
        err = sg_blur(&image, sigma, room);
    }
    if (a->noise > 0 && happens(a, draw, NOISE))
        add_noise(draw, (float)(a->noise * (double)sg_uniform(words(draw, NOISE, -1).v[1])),
                  &image);
    if (a->band_dropout > 0)
        drop_bands(a, draw, &image);
    return err;
}
