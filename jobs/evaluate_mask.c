/*
 * A mask against labels, window by window; ranks take windows in turn. The truth may hold other
 * values or names than the mask: label classes are read as they are and then mapped to the mask's.
 */
#include "jobs/evaluate.h"

#include "base/size.h"
#include "data/category.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WINDOW = 1024 }; /* pixels */

typedef struct {
    const sg_evaluate_options *options;
    sg_evaluation *out;
    sg_raster *mask;
    sg_label *truth;
    sg_class_table truth_classes;     /* what the truth may hold */
    uint8_t class_of_truth[256];      /* index in truth_classes -> class */
    uint8_t class_of_value[256];      /* the mask's value -> class */
    float *pixels;                    /* (WINDOW, WINDOW) */
    uint8_t *valid, *labels, *mapped; /* (WINDOW, WINDOW) */
} comparison;

static sg_err open_mask(comparison *c)
{
    const int32_t first = 1;
    sg_err err = sg_raster_open(&c->mask, c->options->item[0], &first, 1);
    if (err != SG_OK)
        return err;
    if (c->options->classes != NULL)
        return sg_classes_parse(c->options->classes, &c->out->classes);
    err = sg_raster_classes(c->mask, &c->out->classes);
    if (err == SG_OK && c->out->classes.count == 0)
        err =
            sg_fail(SG_EUSAGE, "%s does not name its classes; give --classes \"1=forest,2=other\"",
                    c->options->item[0]);
    return err;
}

/* A class by its name or its value. */
static int32_t find_class(const sg_class_table *classes, const char *text)
{
    char *end = NULL;
    int32_t found = sg_classes_find(classes, text);
    long value = strtol(text, &end, 10);
    for (int32_t i = 0; found < 0 && end != text && *end == '\0' && i < classes->count; i++) {
        if (classes->item[i].value == value)
            found = i;
    }
    return found;
}

/* A value that no entry of the truth's table has, -1 when all are taken. */
static int32_t free_value(const sg_class_table *classes)
{
    bool used[256] = {false};
    for (int32_t i = 0; i < classes->count; i++)
        used[classes->item[i].value] = true;
    for (int32_t value = 255; value >= 0; value--) {
        if (!used[value])
            return value;
    }
    return -1;
}

/* Let FROM in the truth stand for class index `to`: an entry of that value or name is turned over
 * to it, or a new one made. */
static sg_err map_one(comparison *c, const char *from, int32_t to)
{
    sg_class_table *truth = &c->truth_classes;
    char *end = NULL;
    long number = strtol(from, &end, 10);
    bool is_number = end != from && *end == '\0';
    int32_t index = find_class(truth, from);
    if (index < 0) {
        int32_t value = is_number ? (int32_t)number : free_value(truth);
        if (value < 0 || value > 255 || truth->count == SG_CLASSES_MAX)
            return sg_fail(SG_EUSAGE, "--map: %s cannot be mapped; values lie within 0 .. 255",
                           from);
        index = truth->count++;
        truth->item[index] = (sg_class){.value = value};
        snprintf(truth->item[index].name, SG_CLASS_NAME_MAX, "%s%.*s", is_number ? "value " : "",
                 SG_CLASS_NAME_MAX - 8, from);
    }
    c->class_of_truth[index] = (uint8_t)to;
    return SG_OK;
}

static sg_err parse_map(comparison *c)
{
    const char *text = c->options->map;
    while (text != NULL && *text != '\0') {
        char pair[2 * SG_CLASS_NAME_MAX]; /* two names */
        size_t length = strcspn(text, ",");
        snprintf(pair, sizeof(pair), "%.*s", (int)length, text);
        char *to = strrchr(pair, '=');
        if (to == NULL || to == pair)
            return sg_fail(SG_EUSAGE, "--map: \"%s\" is no FROM=CLASS", pair);
        *to++ = '\0';
        int32_t class = find_class(&c->out->classes, to);
        if (class < 0)
            return sg_fail(SG_EUSAGE, "--map: %s has no class \"%s\"", c->options->item[0], to);
        sg_err err = map_one(c, pair, class);
        if (err != SG_OK)
            return err;
        text += length + (text[length] == ',');
    }
    return SG_OK;
}

static sg_err open_truth(comparison *c)
{
    const sg_evaluate_options *options = c->options;
    sg_label_options label = {.ignore = options->ignore, .all_touched = options->all_touched};
    snprintf(label.layer, sizeof(label.layer), "%s", options->layer != NULL ? options->layer : "");
    snprintf(label.attribute, sizeof(label.attribute), "%s",
             options->attribute != NULL ? options->attribute : "");
    return sg_label_open(&c->truth, options->item[1], c->mask, &c->truth_classes, &label);
}

static sg_err prepare(comparison *c)
{
    size_t pixels = (size_t)WINDOW * WINDOW;
    sg_err err = open_mask(c);
    if (err != SG_OK)
        return err;
    const sg_class_table *classes = &c->out->classes;
    c->truth_classes = *classes;
    memset(c->class_of_value, SG_NO_CLASS, sizeof(c->class_of_value));
    memset(c->class_of_truth, SG_NO_CLASS, sizeof(c->class_of_truth));
    for (int32_t i = 0; i < classes->count; i++) {
        c->class_of_value[classes->item[i].value] = (uint8_t)i;
        c->class_of_truth[i] = (uint8_t)i;
    }
    err = parse_map(c);
    if (err == SG_OK)
        err = open_truth(c);
    if (err == SG_OK)
        err = sg_confusion_create(&c->out->confusion, classes->count);
    if (err == SG_OK)
        err = sg_malloc(pixels, sizeof(float), &c->pixels);
    if (err == SG_OK)
        err = sg_malloc(pixels, 1, &c->valid);
    if (err == SG_OK)
        err = sg_malloc(pixels, 1, &c->labels);
    return err == SG_OK ? sg_malloc(pixels, 1, &c->mapped) : err;
}

static sg_err compare_window(comparison *c, sg_window window)
{
    size_t count = (size_t)(window.w * window.h);
    sg_err err = sg_raster_read(c->mask, window, c->pixels, c->valid);
    if (err == SG_OK)
        err = sg_label_read(c->truth, window, c->labels);
    if (err != SG_OK)
        return err;
    for (size_t i = 0; i < count; i++) {
        float value = c->pixels[i];
        bool is_value = c->valid[i] && value >= 0 && value <= 255;
        c->mapped[i] = is_value ? c->class_of_value[(int)value] : SG_NO_CLASS;
        c->labels[i] = c->class_of_truth[c->labels[i]];
        c->out->unmapped += c->labels[i] != SG_NO_CLASS && c->mapped[i] == SG_NO_CLASS;
    }
    sg_confusion_add(&c->out->confusion, c->labels, c->mapped, count);
    return SG_OK;
}

static sg_err compare_all(comparison *c, int rank, int ranks)
{
    const sg_raster_info *info = sg_raster_get_info(c->mask);
    sg_window scene = {0, 0, info->width, info->height};
    sg_err err = SG_OK;
    int64_t turn = 0;
    for (int64_t y = 0; y < info->height; y += WINDOW) {
        for (int64_t x = 0; err == SG_OK && x < info->width; x += WINDOW) {
            sg_window window = {x, y, WINDOW, WINDOW};
            if (turn++ % ranks == rank)
                err = compare_window(c, sg_window_intersect(window, scene));
        }
    }
    return err;
}

sg_err sg_evaluate_mask(const sg_evaluate_options *options, sg_comm *comm,
                        sg_evaluation *evaluation)
{
    comparison c = {.options = options, .out = evaluation};
    sg_err err = prepare(&c);
    if (err == SG_OK)
        err = compare_all(&c, sg_comm_rank(comm), sg_comm_ranks(comm));
    err = sg_comm_agree(comm, err);
    if (err == SG_OK) {
        sg_confusion_sum(&evaluation->confusion, comm);
        sg_comm_sum_i64(comm, &evaluation->unmapped, 1);
        snprintf(evaluation->what, sizeof(evaluation->what), "%s", options->item[0]);
    }
    sg_label_close(c.truth);
    sg_raster_close(c.mask);
    sg_free(c.pixels);
    sg_free(c.valid);
    sg_free(c.labels);
    sg_free(c.mapped);
    return err;
}
