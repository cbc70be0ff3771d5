/*
 * What the lattice and the conditional random field make of numbers that a script has made: f32
 * from standard input to standard output.
 *
 * dump_crf lattice DIMS COUNT: (COUNT, DIMS) features and (COUNT, 4) values to (COUNT, 4)
 * dump_crf field W H BANDS CLASSES ITERATIONS W1 ALPHA BETA W2 GAMMA: (H, W) 1: has data,
 *   (H, W, BANDS), (H, W, CLASSES) to (H, W) classes, -1: no data, and (H, W, CLASSES)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "data/classes.h"
#include "tiles/crf.h"

/* What is not there is a failure: the script looks at the exit status. */
static float *take(size_t count)
{
    float *values = malloc(count * sizeof *values + 1);
    if (!values || fread(values, sizeof *values, count, stdin) != count)
        exit(1);
    return values;
}

static void give(const float *values, size_t count)
{
    if (fwrite(values, sizeof *values, count, stdout) != count)
        exit(1);
}

static int lattice(char **word)
{
    int32_t dims = atoi(word[0]);
    size_t count = (size_t)atol(word[1]);
    float *features = take(count * (size_t)dims), *values = take(count * SG_LATTICE_LANES);
    sg_lattice *made = NULL;
    if (sg_lattice_create(&made, dims, count) != SG_OK)
        return 1;
    sg_lattice_build(made, features, count);
    sg_lattice_filter(made, values, values);
    fprintf(stderr, "%zu points\n", sg_lattice_points(made));
    give(values, count * SG_LATTICE_LANES);
    sg_lattice_close(made);
    free(features);
    free(values);
    return 0;
}

static int field(char **word)
{
    int64_t w = atoi(word[0]), h = atoi(word[1]);
    int32_t bands = atoi(word[2]), classes = atoi(word[3]);
    size_t pixels = (size_t)(w * h), values = pixels * (size_t)classes;
    const sg_crf_options options = {.iterations = atoi(word[4]),
                                    .w1 = atof(word[5]),
                                    .alpha = atof(word[6]),
                                    .beta = atof(word[7]),
                                    .w2 = atof(word[8]),
                                    .gamma = atof(word[9])};
    float *has_data = take(pixels), *pixel = take(pixels * (size_t)bands), *given = take(values);
    uint8_t *known = malloc(pixels), *class = malloc(pixels);
    float *found = malloc(values * sizeof *found);
    sg_crf *crf = NULL;
    if (!known || !class || !found ||
        sg_crf_create(&crf, &options, bands, classes, pixels) != SG_OK)
        return 1;
    for (size_t i = 0; i < pixels; i++)
        known[i] = has_data[i] > 0 ? 0 : SG_NO_CLASS;
    sg_crf_run(crf, &(sg_crf_field){w, h, w, known, pixel, given},
               &(sg_crf_result){{0, 0, w, h}, w, class, found});
    for (size_t i = 0; i < pixels; i++)
        has_data[i] = class[i] == SG_NO_CLASS ? -1 : class[i];
    give(has_data, pixels);
    give(found, values);
    sg_crf_close(crf);
    free(has_data);
    free(pixel);
    free(given);
    free(known);
    free(class);
    free(found);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "lattice") == 0)
        return lattice(argv + 2);
    if (argc == 12 && strcmp(argv[1], "field") == 0)
        return field(argv + 2);
    return 2;
}
