/* Pixels with data are numbered in rows; classes go through the lattices four at a time. */
#include "tiles/crf.h"

#include <math.h>
#include <string.h>
#include "base/size.h"
#include "data/classes.h"
#include "tiles/pipeline.h"

enum { LANES = SG_LATTICE_LANES, KERNELS = 2, LEAST_WINDOW = 256, MARGIN_UNIT = 32 };
static const float LEAST_PROBABILITY = 1e-5f;

typedef struct {
    sg_lattice *lattice; /* NULL: its weight is 0 */
    float weight;
    double place, bands; /* deviations; bands 0: they do not count */
    float *scale;        /* [most] one over the root of a pixel's sum */
} kernel;

struct sg_crf {
    sg_crf_options options;
    int32_t bands, classes, groups; /* groups of LANES classes */
    size_t most, count;             /* pixels */
    kernel kernel[KERNELS];
    int32_t *pixel; /* [most] its number in the field */
    float *feature; /* (most, dims of the larger lattice) */
    float *cost;    /* (groups, count, LANES) -log of the network's probability */
    float *belief;  /* (groups, count, LANES) */
    float *drawn;   /* (groups, count, LANES) weighted sums over all pixels */
    float *values;  /* (count, LANES) */
};

sg_crf_options sg_crf_defaults(void)
{
    return (sg_crf_options){.iterations = 5, .w1 = 4, .alpha = 30, .beta = .2, .w2 = 1, .gamma = 2};
}

int64_t sg_crf_margin(const sg_crf_options *options)
{
    double reach =
        fmax(options->w1 > 0 ? 2 * options->alpha : 0, options->w2 > 0 ? 2 * options->gamma : 0);
    return sg_round_up((int64_t)ceil(reach), MARGIN_UNIT);
}

/* At least four margins: what is computed and not kept is a bounded share. */
int64_t sg_crf_window(const sg_crf_options *options)
{
    int64_t window = LEAST_WINDOW;
    while (window < 4 * sg_crf_margin(options))
        window *= 2;
    return window;
}

static int32_t dims_of(const sg_crf_options *options, int32_t bands)
{
    return options->w1 > 0 ? bands + 2 : 2;
}

double sg_crf_bytes(const sg_crf_options *options, int32_t bands, int32_t classes, size_t most)
{
    double groups = (double)sg_div_up(classes, LANES);
    double pixel = sizeof(int32_t) + sizeof(float) * ((3 * groups + 1) * LANES);
    double bytes = 0;
    pixel += sizeof(float) * (dims_of(options, bands) + KERNELS);
    if (options->w1 > 0)
        bytes += sg_lattice_bytes(bands + 2, most);
    if (options->w2 > 0)
        bytes += sg_lattice_bytes(2, most);
    return bytes + (double)most * pixel;
}

static sg_err make_kernel(sg_crf *crf, kernel *k, double weight, double place, double bands)
{
    *k = (kernel){.weight = (float)weight, .place = place, .bands = bands};
    if (weight <= 0)
        return SG_OK;
    sg_err err = sg_lattice_create(&k->lattice, bands > 0 ? crf->bands + 2 : 2, crf->most);
    return err == SG_OK ? sg_malloc(crf->most, sizeof *k->scale, &k->scale) : err;
}

static sg_err allocate(sg_crf *crf)
{
    const sg_crf_options *o = &crf->options;
    size_t values;
    sg_err err = sg_size_mul3(crf->most, (size_t)crf->groups, LANES, &values);
    if (err == SG_OK)
        err = make_kernel(crf, &crf->kernel[0], o->w1, o->alpha, o->beta);
    if (err == SG_OK)
        err = make_kernel(crf, &crf->kernel[1], o->w2, o->gamma, 0);
    if (err == SG_OK)
        err = sg_malloc(crf->most, sizeof *crf->pixel, &crf->pixel);
    if (err == SG_OK)
        err = sg_malloc(crf->most, (size_t)dims_of(o, crf->bands) * sizeof *crf->feature,
                        &crf->feature);
    if (err == SG_OK)
        err = sg_malloc(values, sizeof *crf->cost, &crf->cost);
    if (err == SG_OK)
        err = sg_malloc(values, sizeof *crf->belief, &crf->belief);
    if (err == SG_OK)
        err = sg_malloc(values, sizeof *crf->drawn, &crf->drawn);
    if (err == SG_OK)
        err = sg_malloc(crf->most * LANES, sizeof *crf->values, &crf->values);
    return err;
}

sg_err sg_crf_create(sg_crf **out, const sg_crf_options *options, int32_t bands, int32_t classes,
                     size_t most)
{
    sg_crf *crf = NULL;
    SG_ASSERT(options->iterations > 0 && bands > 0 && classes > 0);
    sg_err err = sg_calloc(1, sizeof *crf, &crf);
    if (err == SG_OK) {
        *crf = (sg_crf){.options = *options,
                        .bands = bands,
                        .classes = classes,
                        .groups = (int32_t)sg_div_up(classes, LANES),
                        .most = most};
        err = allocate(crf);
    }
    if (err != SG_OK) {
        sg_crf_close(crf);
        crf = NULL;
    }
    *out = crf;
    return err;
}

void sg_crf_close(sg_crf *crf)
{
    if (!crf)
        return;
    for (int i = 0; i < KERNELS; i++) {
        sg_lattice_close(crf->kernel[i].lattice);
        sg_free(crf->kernel[i].scale);
    }
    sg_free(crf->pixel);
    sg_free(crf->feature);
    sg_free(crf->cost);
    sg_free(crf->belief);
    sg_free(crf->drawn);
    sg_free(crf->values);
    sg_free(crf);
}

/* ---- what is given ---- */

static void gather(sg_crf *crf, const sg_crf_field *field)
{
    SG_ASSERT(field->w * field->h <= (int64_t)crf->most);
    crf->count = 0;
    for (int64_t y = 0; y < field->h; y++)
        for (int64_t x = 0; x < field->w; x++)
            if (field->known[y * field->row + x] != SG_NO_CLASS)
                crf->pixel[crf->count++] = (int32_t)(y * field->w + x);
}

static int64_t place_of(const sg_crf_field *field, int32_t pixel)
{
    return pixel / field->w * field->row + pixel % field->w;
}

static void take_costs(sg_crf *crf, const sg_crf_field *field)
{
    size_t classes = (size_t)crf->classes;
    for (size_t i = 0; i < crf->count; i++) {
        const float *p = field->probabilities + (size_t)place_of(field, crf->pixel[i]) * classes;
        for (size_t c = 0; c < (size_t)crf->groups * LANES; c++) {
            size_t at = (c / LANES * crf->count + i) * LANES + c % LANES;
            crf->cost[at] = c < classes ? -logf(fmaxf(p[c], LEAST_PROBABILITY)) : INFINITY;
        }
    }
}

static void take_features(const sg_crf *crf, const kernel *k, const sg_crf_field *field)
{
    size_t bands = k->bands > 0 ? (size_t)crf->bands : 0;
    for (size_t i = 0; i < crf->count; i++) {
        const float *from = field->bands + (size_t)place_of(field, crf->pixel[i]) * bands;
        float *to = crf->feature + i * (bands + 2);
        for (size_t b = 0; b < bands; b++)
            to[b] = (float)((double)from[b] / k->bands);
        to[bands] = (float)((double)(crf->pixel[i] % field->w) / k->place);
        to[bands + 1] = (float)((double)(crf->pixel[i] / field->w) / k->place);
    }
}

/* The kernel's sum at each pixel is its filter of ones. */
static void measure(sg_crf *crf, kernel *k)
{
    for (size_t i = 0; i < crf->count * LANES; i++)
        crf->values[i] = 1;
    sg_lattice_filter(k->lattice, crf->values, crf->values);
    for (size_t i = 0; i < crf->count; i++)
        k->scale[i] = 1 / sqrtf(crf->values[i * LANES]);
}

static void prepare(sg_crf *crf, const sg_crf_field *field)
{
    take_costs(crf, field);
    for (int i = 0; i < KERNELS; i++) {
        kernel *k = &crf->kernel[i];
        if (!k->lattice)
            continue;
        take_features(crf, k, field);
        sg_lattice_build(k->lattice, crf->feature, crf->count);
        measure(crf, k);
    }
}

/* ---- mean field ---- */

/* belief = softmax(drawn - cost), over all groups of one pixel. */
static void believe_pixel(sg_crf *crf, size_t i, bool drawn)
{
    size_t lanes = crf->count * LANES;
    float most = -INFINITY, sum = 0;
    for (int32_t g = 0; g < crf->groups; g++)
        for (size_t at = (size_t)g * lanes + i * LANES, end = at + LANES; at < end; at++) {
            float value = (drawn ? crf->drawn[at] : 0) - crf->cost[at];
            crf->belief[at] = value;
            most = fmaxf(most, value);
        }
    for (int32_t g = 0; g < crf->groups; g++)
        for (size_t at = (size_t)g * lanes + i * LANES, end = at + LANES; at < end; at++)
            sum += crf->belief[at] = expf(crf->belief[at] - most);
    for (int32_t g = 0; g < crf->groups; g++)
        for (size_t at = (size_t)g * lanes + i * LANES, end = at + LANES; at < end; at++)
            crf->belief[at] /= sum;
}

static void believe(sg_crf *crf, bool drawn)
{
    for (size_t i = 0; i < crf->count; i++)
        believe_pixel(crf, i, drawn);
}

/* Add what one kernel makes of a group's beliefs. */
static void draw(sg_crf *crf, const kernel *k, int32_t group)
{
    const float *belief = crf->belief + (size_t)group * crf->count * LANES;
    float *drawn = crf->drawn + (size_t)group * crf->count * LANES;
    for (size_t i = 0; i < crf->count; i++)
        for (size_t c = i * LANES; c < (i + 1) * LANES; c++)
            crf->values[c] = k->scale[i] * belief[c];
    sg_lattice_filter(k->lattice, crf->values, crf->values);
    for (size_t i = 0; i < crf->count; i++)
        for (size_t c = i * LANES; c < (i + 1) * LANES; c++)
            drawn[c] += k->weight * k->scale[i] * crf->values[c];
}

static void iterate(sg_crf *crf)
{
    memset(crf->drawn, 0, crf->count * (size_t)crf->groups * LANES * sizeof *crf->drawn);
    for (int32_t g = 0; g < crf->groups; g++)
        for (int i = 0; i < KERNELS; i++)
            if (crf->kernel[i].lattice)
                draw(crf, &crf->kernel[i], g);
    believe(crf, true);
}

/* ---- what is kept ---- */

static void blank(const sg_crf *crf, const sg_crf_result *to)
{
    size_t classes = (size_t)crf->classes;
    for (int64_t y = 0; y < to->core.h; y++) {
        float *p = to->probabilities + (size_t)(y * to->row) * classes;
        memset(to->classes + y * to->row, SG_NO_CLASS, (size_t)to->core.w);
        for (size_t i = 0; i < (size_t)to->core.w * classes; i++)
            p[i] = SG_NO_PROBABILITY;
    }
}

static void keep_pixel(const sg_crf *crf, size_t i, uint8_t *class, float *probability)
{
    int32_t best = 0;
    for (int32_t c = 0; c < crf->classes; c++) {
        probability[c] =
            crf->belief[((size_t)(c / LANES) * crf->count + i) * LANES + (size_t)(c % LANES)];
        if (probability[c] > probability[best])
            best = c;
    }
    *class = (uint8_t)best;
}

static void keep(const sg_crf *crf, const sg_crf_field *field, const sg_crf_result *to)
{
    blank(crf, to);
    for (size_t i = 0; i < crf->count; i++) {
        sg_window pixel = {crf->pixel[i] % field->w, crf->pixel[i] / field->w, 1, 1};
        if (!sg_window_contains(to->core, pixel))
            continue;
        int64_t at = (pixel.y - to->core.y) * to->row + pixel.x - to->core.x;
        keep_pixel(crf, i, to->classes + at, to->probabilities + (size_t)at * (size_t)crf->classes);
    }
}

static bool core_has_data(const sg_crf_field *field, sg_window core)
{
    for (int64_t y = core.y; y < core.y + core.h; y++)
        for (int64_t x = core.x; x < core.x + core.w; x++)
            if (field->known[y * field->row + x] != SG_NO_CLASS)
                return true;
    return false;
}

void sg_crf_run(sg_crf *crf, const sg_crf_field *field, const sg_crf_result *result)
{
    if (!core_has_data(field, result->core)) {
        blank(crf, result);
        return;
    }
    gather(crf, field);
    prepare(crf, field);
    believe(crf, false);
    for (int32_t i = 0; i < crf->options.iterations; i++)
        iterate(crf);
    keep(crf, field, result);
}
