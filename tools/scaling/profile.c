#include "profile.h"

enum { DEPTH = 4 };

void profile_evenly(profile *p, int parts)
{
    *p = (profile){.parts = parts};
    for (int i = 0; i < parts; i++) {
        p->time[i] = p->values[i] = 1.0 / parts;
        p->norm[i] = true;
    }
}

/* A convolution of level `level`, its scale and shift counted to it: in front of those before. */
static void add(profile *p, int level, double inputs, double outputs, double taps, bool norm)
{
    double pixels = 1.0 / (double)(1 << 2 * level), flops = 2 * taps * inputs * outputs * pixels;
    p->time[p->parts] = flops;
    p->values[p->parts] = taps * inputs * outputs + (norm ? 2 * outputs : outputs);
    p->norm[p->parts] = norm;
    p->flops += flops;
    p->parameters += p->values[p->parts];
    p->parts++;
}

/* Two 3x3 convolutions; backwards the second comes first. */
static void add_stage(profile *p, int level, double inputs, double outputs)
{
    add(p, level, outputs, outputs, 9, true);
    add(p, level, inputs, outputs, 9, true);
}

void profile_of_unet(profile *p, int width, int bands, int classes)
{
    double all = 0;
    *p = (profile){0};
    add(p, 0, width, classes, 1, false);
    for (int level = 0; level < DEPTH; level++) {
        double channels = (double)(width << level);
        add_stage(p, level, 2 * channels, channels);
        /* 2x2 transposed: each pixel of this level has one tap of it */
        add(p, level, 2 * channels, channels, 1, false);
        p->values[p->parts - 1] += 3 * 2 * channels * channels;
        p->parameters += 3 * 2 * channels * channels;
    }
    for (int level = DEPTH; level >= 0; level--)
        add_stage(p, level, level > 0 ? (double)(width << (level - 1)) : bands,
                  (double)(width << level));
    p->time[p->parts - 1] /= 2; /* the input has no gradient */
    for (int i = 0; i < p->parts; i++)
        all += p->time[i];
    for (int i = 0; i < p->parts; i++) {
        p->time[i] /= all;
        p->values[i] /= p->parameters;
    }
}
