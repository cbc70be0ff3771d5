/* --crf=key=value,...: the conditional random field as it is typed, and as files tell of it. */
#include "jobs/predict.h"

#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define KEYS "iterations w1 alpha beta w2 gamma"

enum { MOST_ITERATIONS = 100 };

typedef struct {
    const char *name;
    size_t offset; /* of a double in sg_crf_options */
    double least, most;
} number;

/* Deviations below a fraction of a pixel, or of a band's noise, draw nothing together. */
static const number numbers[] = {
    {"w1", offsetof(sg_crf_options, w1), 0, 1000},
    {"alpha", offsetof(sg_crf_options, alpha), .25, SG_CRF_REACH_MOST},
    {"beta", offsetof(sg_crf_options, beta), 1e-6, 1e12},
    {"w2", offsetof(sg_crf_options, w2), 0, 1000},
    {"gamma", offsetof(sg_crf_options, gamma), .25, SG_CRF_REACH_MOST},
};

static sg_err read_number(const char *key, const char *text, double least, double most,
                          double *value)
{
    char *end = NULL;
    *value = strtod(text, &end);
    if (end == text || *end || !(*value >= least && *value <= most))
        return sg_fail(SG_EUSAGE, "--crf: %s=%s: expected a number from %.6g to %.6g", key, text,
                       least, most);
    return SG_OK;
}

static sg_err read_iterations(const char *text, int32_t *iterations)
{
    double value;
    sg_err err = read_number("iterations", text, 1, MOST_ITERATIONS, &value);
    if (err == SG_OK && value != floor(value))
        err = sg_fail(SG_EUSAGE, "--crf: iterations=%s: expected a whole number", text);
    if (err == SG_OK)
        *iterations = (int32_t)value;
    return err;
}

static sg_err read_key(const char *key, const char *value, sg_crf_options *crf)
{
    char near[64];
    if (strcmp(key, "iterations") == 0)
        return read_iterations(value, &crf->iterations);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        const number *n = &numbers[i];
        if (strcmp(key, n->name) == 0)
            return read_number(key, value, n->least, n->most, (double *)((char *)crf + n->offset));
    }
    const char *known = sg_text_nearest(key, KEYS, near);
    return sg_fail(SG_EUSAGE, "--crf: unknown key %s; %s%s%sthere are: " KEYS, key,
                   known ? "did you mean " : "", known ? known : "", known ? "? " : "");
}

sg_err sg_predict_crf_parse(const char *text, sg_crf_options *crf)
{
    char copy[256], *rest = copy, *item;
    *crf = (sg_crf_options){0};
    if (!text)
        return SG_OK;
    *crf = sg_crf_defaults();
    if (strlen(text) >= sizeof copy)
        return sg_fail(SG_EUSAGE, "--crf=%.20s...: is too long", text);
    strcpy(copy, text);
    sg_err err = SG_OK;
    while (err == SG_OK && *text && (item = strsep(&rest, ","))) {
        char *value = strchr(item, '=');
        if (!value)
            return sg_fail(SG_EUSAGE, "--crf=%s: expected key=value,... with the keys: " KEYS,
                           text);
        *value++ = '\0';
        err = read_key(item, value, crf);
    }
    if (err == SG_OK && crf->w1 == 0 && crf->w2 == 0)
        err = sg_fail(SG_EUSAGE, "--crf=%s: with w1=0 and w2=0 nothing is left to do", text);
    return err;
}

sg_err sg_predict_crf_tell(const sg_crf_options *crf, const char *before, const char *after,
                           sg_text *text)
{
    if (crf->iterations == 0)
        return SG_OK;
    return sg_text_add(text,
                       "%siterations=%d,w1=%.15g,alpha=%.15g,beta=%.15g,w2=%.15g,gamma=%.15g in "
                       "windows of %" PRId64 " + 2 x %" PRId64 " pixels%s",
                       before, (int)crf->iterations, crf->w1, crf->alpha, crf->beta, crf->w2,
                       crf->gamma, sg_crf_window(crf), sg_crf_margin(crf), after);
}
