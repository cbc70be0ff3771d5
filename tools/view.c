/*
 * view: a scene, the truth and a mask side by side in one PNG, the truth in the mask's colours.
 * Large scenes are thinned to the picture's size.
 */
#include "tools/png.h"
#include "jobs/options.h"
#include "base/size.h"
#include "data/category.h"
#include "data/label.h"
#include "data/stats.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { GAP = 8, PANELS = 3 }; /* GAP: pixels between panels */

typedef struct {
    const char *out, *bands, *attribute, *layer;
    int32_t size;
    char **item; /* scene, truth, mask */
} arguments;

typedef struct {
    const arguments *wish;
    sg_raster *scene, *mask;
    sg_label *truth;
    sg_class_table classes;
    int32_t band[3];
    int64_t width, height;  /* of the scene */
    int64_t w, h;           /* of a panel */
    int64_t panels;         /* 2 without truth */
    float *row;             /* (width, 3) */
    uint8_t *valid, *label; /* (width) */
    float *thinned;         /* (h, w, 3) of the scene */
    uint8_t *has;           /* (h, w) */
    uint8_t *picture;       /* (h, panels * (w + GAP) - GAP, 3) */
} view;

static sg_err parse_arguments(int argc, char **argv, arguments *wish, bool *help)
{
    const sg_option table[] = {
        {'o', "out", SG_OPTION_TEXT, &wish->out, "FILE", NULL, 0, 0, "the picture (view.png)"},
        {'b', "bands", SG_OPTION_TEXT, &wish->bands, "R,G,B", NULL, 0, 0,
         "bands to show (3,2,1, or 1,1,1 where there are fewer)"},
        {'s', "size", SG_OPTION_INT, &wish->size, "N", NULL, 16, 16384,
         "most pixels of a panel's side (800)"},
        {0, "attribute", SG_OPTION_TEXT, &wish->attribute, "NAME", NULL, 0, 0,
         "field of a vector truth that tells the class"},
        {0, "layer", SG_OPTION_TEXT, &wish->layer, "NAME", NULL, 0, 0, "layer of a vector truth"},
        {0}};
    const sg_usage usage = {.program = "view",
                            .synopsis = "[options] SCENE TRUTH MASK",
                            .about =
                                "Draws a scene, its labels (\"-\" for none) and a mask side by "
                                "side.",
                            .least = 3,
                            .most = 3,
                            .missing = "a file",
                            .option = table};
    sg_arguments rest;
    sg_err err = sg_options_parse(&usage, NULL, argc, argv, &rest);
    *help = rest.help;
    wish->item = rest.item;
    return err;
}

static sg_err choose_bands(view *v)
{
    sg_raster *scene = NULL;
    char end;
    int bands[3] = {3, 2, 1};
    if (v->wish->bands != NULL &&
        sscanf(v->wish->bands, "%d,%d,%d%c", &bands[0], &bands[1], &bands[2], &end) != 3)
        return sg_fail(SG_EUSAGE, "--bands %s: expected three numbers, like 4,3,2", v->wish->bands);
    sg_err err = sg_raster_open(&scene, v->wish->item[0], NULL, 0);
    if (err != SG_OK)
        return err;
    bool few = v->wish->bands == NULL && sg_raster_get_info(scene)->bands < 3;
    for (int i = 0; i < 3; i++)
        v->band[i] = few ? 1 : bands[i];
    sg_raster_close(scene);
    return SG_OK;
}

static sg_err open_truth(view *v)
{
    sg_label_options options = {.ignore = -1};
    if (strcmp(v->wish->item[1], "-") == 0)
        return SG_OK;
    if (v->wish->layer != NULL)
        snprintf(options.layer, sizeof(options.layer), "%s", v->wish->layer);
    if (v->wish->attribute != NULL)
        snprintf(options.attribute, sizeof(options.attribute), "%s", v->wish->attribute);
    return sg_label_open(&v->truth, v->wish->item[1], v->scene, &v->classes, &options);
}

static sg_err open_files(view *v)
{
    const int32_t first = 1;
    sg_err err = choose_bands(v);
    if (err == SG_OK)
        err = sg_raster_open(&v->scene, v->wish->item[0], v->band, 3);
    if (err == SG_OK)
        err = sg_raster_open(&v->mask, v->wish->item[2], &first, 1);
    if (err == SG_OK)
        err = sg_raster_classes(v->mask, &v->classes);
    if (err != SG_OK)
        return err;
    const sg_raster_info *scene = sg_raster_get_info(v->scene), *mask = sg_raster_get_info(v->mask);
    v->width = scene->width;
    v->height = scene->height;
    if (v->classes.count == 0)
        return sg_fail(SG_EINPUT, "%s does not name its classes", mask->path);
    if (mask->width != v->width || mask->height != v->height)
        return sg_fail(SG_EINPUT, "%s is %lld x %lld pixels, %s %lld x %lld", mask->path,
                       (long long)mask->width, (long long)mask->height, scene->path,
                       (long long)v->width, (long long)v->height);
    return open_truth(v);
}

static sg_err make_room(view *v)
{
    double most = (double)sg_max64(v->width, v->height);
    double scale = most > v->wish->size ? v->wish->size / most : 1;
    v->w = sg_max64(1, llround((double)v->width * scale));
    v->h = sg_max64(1, llround((double)v->height * scale));
    v->panels = v->truth != NULL ? PANELS : PANELS - 1;
    size_t panel = (size_t)(v->w * v->h), across = (size_t)(v->panels * (v->w + GAP) - GAP);
    sg_err err = sg_malloc((size_t)v->width, 3 * sizeof(float), &v->row);
    if (err == SG_OK)
        err = sg_malloc((size_t)v->width, 1, &v->valid);
    if (err == SG_OK)
        err = sg_malloc((size_t)v->width, 1, &v->label);
    if (err == SG_OK)
        err = sg_malloc(panel, 3 * sizeof(float), &v->thinned);
    if (err == SG_OK)
        err = sg_malloc(panel, 1, &v->has);
    if (err == SG_OK)
        err = sg_malloc(across * (size_t)v->h, 3, &v->picture);
    if (err == SG_OK)
        memset(v->picture, 255, across * (size_t)v->h * 3);
    return err;
}

static uint8_t *pixel_at(const view *v, int64_t panel, int64_t x, int64_t y)
{
    int64_t across = v->panels * (v->w + GAP) - GAP;
    return v->picture + 3 * (y * across + panel * (v->w + GAP) + x);
}

/* The scene's column or row that a panel's shows. */
static int64_t shown(int64_t i, int64_t panel, int64_t scene)
{
    return (2 * i + 1) * scene / (2 * panel);
}

static void put_class(const view *v, int64_t panel, int64_t x, int64_t y, int32_t class)
{
    uint8_t *pixel = pixel_at(v, panel, x, y);
    memset(pixel, 0, 3);
    if (class >= 0 && class < v->classes.count)
        memcpy(pixel, v->classes.item[class].colour, 3);
}

static int32_t class_of(const sg_class_table *classes, float value)
{
    for (int32_t i = 0; i < classes->count; i++) {
        if ((float)classes->item[i].value == value)
            return i;
    }
    return -1;
}

static sg_err draw_row(view *v, int64_t y)
{
    sg_window row = {0, shown(y, v->h, v->height), v->width, 1};
    sg_err err = sg_raster_read(v->scene, row, v->row, v->valid);
    for (int64_t x = 0; err == SG_OK && x < v->w; x++) {
        int64_t at = shown(x, v->w, v->width);
        memcpy(v->thinned + 3 * (y * v->w + x), v->row + 3 * at, 3 * sizeof(float));
        v->has[y * v->w + x] = v->valid[at];
    }
    if (err == SG_OK && v->truth != NULL)
        err = sg_label_read(v->truth, row, v->label);
    for (int64_t x = 0; err == SG_OK && v->truth != NULL && x < v->w; x++)
        put_class(v, 1, x, y, v->label[shown(x, v->w, v->width)]);
    if (err == SG_OK)
        err = sg_raster_read(v->mask, row, v->row, v->valid);
    for (int64_t x = 0; err == SG_OK && x < v->w; x++) {
        int64_t at = shown(x, v->w, v->width);
        put_class(v, v->panels - 1, x, y, v->valid[at] ? class_of(&v->classes, v->row[at]) : -1);
    }
    return err;
}

/* The scene's panel: two deviations around each band's mean. */
static void draw_scene(const view *v)
{
    int64_t count = v->w * v->h;
    for (int c = 0; c < 3; c++) {
        double sum = 0, squares = 0, n = 0;
        for (int64_t i = 0; i < count; i++) {
            double value = v->thinned[3 * i + c];
            sum += v->has[i] * value;
            squares += v->has[i] * value * value;
            n += v->has[i];
        }
        double mean = n > 0 ? sum / n : 0, variance = n > 0 ? squares / n - mean * mean : 0;
        double low = mean - 2 * sqrt(fmax(variance, 0)), span = 4 * sqrt(fmax(variance, 0));
        for (int64_t i = 0; i < count; i++) {
            double level = span > 0 ? (v->thinned[3 * i + c] - low) / span : 0.5;
            uint8_t *pixel = pixel_at(v, 0, i % v->w, i / v->w);
            pixel[c] = v->has[i] ? (uint8_t)(255 * fmin(fmax(level, 0), 1)) : 0;
        }
    }
}

static void close_view(view *v)
{
    sg_label_close(v->truth);
    sg_raster_close(v->mask);
    sg_raster_close(v->scene);
    sg_free(v->row);
    sg_free(v->valid);
    sg_free(v->label);
    sg_free(v->thinned);
    sg_free(v->has);
    sg_free(v->picture);
}

int main(int argc, char **argv)
{
    bool help = false;
    arguments wish = {.out = "view.png", .size = 800};
    view v = {.wish = &wish};
    sg_gdal_start((size_t)256 << 20);
    sg_err err = parse_arguments(argc, argv, &wish, &help);
    if (err == SG_OK && help)
        return 0;
    if (err == SG_OK)
        err = open_files(&v);
    if (err == SG_OK)
        err = make_room(&v);
    for (int64_t y = 0; err == SG_OK && y < v.h; y++)
        err = draw_row(&v, y);
    if (err == SG_OK) {
        draw_scene(&v);
        err =
            png_write(wish.out, v.picture, (uint32_t)(v.panels * (v.w + GAP) - GAP), (uint32_t)v.h);
    }
    close_view(&v);
    if (err != SG_OK)
        fprintf(stderr, "view: %s\n", sg_error_text());
    return sg_exit_status(err);
}
