#include "train/init_bands.h"

#include <stdlib.h>
#include <string.h>

#include "base/size.h"

enum { MEAN = -1, NOTHING = -2 };

static sg_err channel_of(const sg_init_options *o, const char *role, int32_t channels,
                         int32_t *channel)
{
    static const char *const names[] = {"red", "green", "blue"};
    char *end = NULL;
    long number = strtol(role, &end, 10);
    if (strcmp(role, "mean") == 0 || strcmp(role, "none") == 0) {
        *channel = role[0] == 'm' ? MEAN : NOTHING;
        return SG_OK;
    }
    if (end == role || *end != '\0')
        number = 0;
    for (long i = 0; i < 3; i++)
        if (strcmp(role, names[i]) == 0)
            number = i + 1;
    if (number < 1)
        return sg_fail(
            SG_EUSAGE,
            "model.init_roles: '%s' is no role; there are: red, green, blue, a channel's "
            "number, mean, none",
            role);
    if (number > channels)
        return sg_fail(SG_EUSAGE, "model.init_roles: '%s' is channel %ld; %s has %d", role, number,
                       o->path, (int)channels);
    *channel = (int32_t)number - 1;
    return SG_OK;
}

static sg_err choose_channel(const sg_init_options *o, int32_t band, int32_t channels,
                             int32_t *channel)
{
    switch (o->bands) {
    case SG_INIT_BANDS_MATCH:
        return channel_of(o, o->role[band], channels, channel);
    case SG_INIT_BANDS_FIRST:
        *channel = band < channels ? band : MEAN;
        return SG_OK;
    case SG_INIT_BANDS_CYCLIC:
        *channel = band % channels;
        return SG_OK;
    default:
        *channel = MEAN;
        return SG_OK;
    }
}

sg_err sg_init_bands_mix(const sg_init_options *o, int32_t bands, int32_t channels, float **mix)
{
    int32_t used = 0;
    *mix = NULL;
    if (o->bands == SG_INIT_BANDS_MATCH && o->roles != (size_t)bands)
        return sg_fail(SG_EUSAGE, "model.init_roles: %zu roles for %d bands; say one for each",
                       o->roles, (int)bands);
    sg_err err = sg_calloc((size_t)bands * (size_t)channels, sizeof **mix, mix);
    for (int32_t b = 0; !err && b < bands; b++) {
        int32_t channel = NOTHING;
        err = choose_channel(o, b, channels, &channel);
        used += channel != NOTHING;
        for (int32_t c = 0; !err && c < channels; c++)
            (*mix)[b * channels + c] = channel == c ? 1 : channel == MEAN ? 1 / (float)channels : 0;
    }
    if (!err && used == 0)
        err = sg_fail(SG_EUSAGE, "model.init_roles: no band has a role");
    for (int32_t i = 0; !err && i < bands * channels; i++)
        (*mix)[i] *= (float)channels / (float)used;
    if (err) {
        sg_free(*mix);
        *mix = NULL;
    }
    return err;
}

void sg_init_bands_apply(const float *mix, size_t rows, int32_t channels, const float *from,
                         int32_t bands, float *to)
{
    for (size_t r = 0; r < rows; r++) {
        for (int32_t b = 0; b < bands; b++) {
            double sum = 0;
            for (int32_t c = 0; c < channels; c++)
                sum +=
                    (double)mix[b * channels + c] * (double)from[r * (size_t)channels + (size_t)c];
            to[r * (size_t)bands + (size_t)b] = (float)sum;
        }
    }
}
