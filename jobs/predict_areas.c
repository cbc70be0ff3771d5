/* The area of each class: counted in the finished mask, so it is that of what the user has. */
#include "jobs/predict_products.h"

#include <inttypes.h>
#include <string.h>
#include "data/ground.h"
#include "data/rows.h"

typedef struct {
    int64_t pixels[256];
    double area[256]; /* m2, sums over rows */
} tally;

/* Runs of one value, so that slanted rasters are served too. */
static void count_row(tally *t, const sg_ground *ground, const uint8_t *values, int64_t width)
{
    for (int64_t x = 0, end; x < width; x = end) {
        for (end = x + 1; end < width && values[end] == values[x];)
            end++;
        t->pixels[values[x]] += end - x;
        t->area[values[x]] += sg_ground_run(ground, x, end - x);
    }
}

static sg_err count(const char *mask, sg_ground *ground, tally *t)
{
    sg_rows *rows = NULL;
    const void *row = NULL;
    sg_err err = sg_rows_open(&rows, mask, false);
    for (int64_t y = 0; err == SG_OK; y++) {
        err = sg_rows_next(rows, &row);
        if (err != SG_OK || !row)
            break;
        sg_ground_set_row(ground, y);
        count_row(t, ground, row, sg_rows_width(rows));
    }
    sg_rows_close(rows);
    return err;
}

/* RFC 4180: in quotes where a comma, a quote or a line's end stands in it. */
static sg_err add_name(sg_text *text, const char *name)
{
    if (!strpbrk(name, ",\"\r\n"))
        return sg_text_add(text, "%s", name);
    sg_err err = sg_text_add(text, "\"");
    for (; err == SG_OK && *name; name++)
        err = sg_text_add(text, *name == '"' ? "\"%c" : "%c", *name);
    return err == SG_OK ? sg_text_add(text, "\"") : err;
}

static sg_err add_class(sg_text *text, const sg_class *class, const tally *t,
                        const sg_ground *ground, int64_t all)
{
    int64_t pixels = t->pixels[class->value];
    double area = sg_ground_total(ground, pixels, t->area[class->value]);
    sg_err err = sg_text_add(text, "%d,", class->value);
    if (err == SG_OK)
        err = add_name(text, class->name);
    if (err == SG_OK)
        err = sg_text_add(text, ",%" PRId64 ",%.9f,", pixels,
                          all > 0 ? (double)pixels / (double)all : 0);
    if (err == SG_OK)
        err = ground->known ? sg_text_add(text, "%.3f,%.6f\n", area, area / 1e4)
                            : sg_text_add(text, ",\n");
    return err;
}

sg_err sg_areas_write(const char *path, const char *mask, const sg_class_table *classes,
                      const sg_georef *georef)
{
    tally t = {0};
    sg_ground ground;
    sg_text text = {0};
    int64_t all = 0;
    sg_ground_make(&ground, georef);
    sg_err err = count(mask, &ground, &t);
    for (int32_t i = 0; i < classes->count; i++)
        all += t.pixels[classes->item[i].value];
    if (err == SG_OK)
        err = sg_text_add(&text, "value,name,pixels,share,area_m2,area_ha\n");
    for (int32_t i = 0; err == SG_OK && i < classes->count; i++)
        err = add_class(&text, &classes->item[i], &t, &ground, all);
    if (err == SG_OK)
        err = sg_file_write_text(path, text.data);
    sg_text_clear(&text);
    return err;
}
