/* Confusion matrices and what is computed from them. */
#include "train/metrics.h"

#include <math.h>
#include <string.h>

#include "base/size.h"

sg_err sg_confusion_create(sg_confusion *confusion, int32_t classes)
{
    SG_ASSERT(classes >= 1 && classes <= SG_CLASSES_MAX);
    confusion->classes = classes;
    confusion->count = NULL;
    return sg_calloc((size_t)classes * (size_t)classes, sizeof(int64_t), &confusion->count);
}

void sg_confusion_clear(sg_confusion *confusion)
{
    size_t n = (size_t)confusion->classes;
    memset(confusion->count, 0, n * n * sizeof(int64_t));
}

void sg_confusion_close(sg_confusion *confusion)
{
    sg_free(confusion->count);
    confusion->count = NULL;
    confusion->classes = 0;
}

void sg_confusion_add(sg_confusion *confusion, const uint8_t *truth, const uint8_t *prediction,
                      size_t count)
{
    const int32_t classes = confusion->classes;
    for (size_t i = 0; i < count; i++) {
        if (truth[i] == SG_NO_CLASS || prediction[i] == SG_NO_CLASS)
            continue;
        SG_ASSERT(truth[i] < classes && prediction[i] < classes);
        confusion->count[truth[i] * classes + prediction[i]]++;
    }
}

void sg_confusion_sum(sg_confusion *confusion, sg_comm *comm)
{
    size_t n = (size_t)confusion->classes;
    sg_comm_sum_i64(comm, confusion->count, n * n);
}

static double ratio(double part, double whole)
{
    return whole > 0 ? part / whole : NAN;
}

/* Pixels of class k in truth and in prediction. */
static void class_totals(const sg_confusion *confusion, int32_t k, int64_t *truth,
                         int64_t *prediction)
{
    const int32_t n = confusion->classes;
    *truth = *prediction = 0;
    for (int32_t j = 0; j < n; j++) {
        *truth += confusion->count[k * n + j];
        *prediction += confusion->count[j * n + k];
    }
}

void sg_confusion_scores(const sg_confusion *confusion, sg_scores *scores)
{
    const int32_t n = confusion->classes;
    double chance = 0, miou = 0, f1 = 0;
    int64_t right = 0, truth, prediction;
    int32_t present = 0;
    memset(scores, 0, sizeof *scores);
    for (int32_t i = 0; i < n * n; i++)
        scores->pixels += confusion->count[i];
    for (int32_t k = 0; k < n; k++) {
        double hit = (double)confusion->count[k * n + k];
        class_totals(confusion, k, &truth, &prediction);
        right += confusion->count[k * n + k];
        chance += (double)truth * (double)prediction;
        scores->iou[k] = ratio(hit, (double)(truth + prediction) - hit);
        scores->precision[k] = ratio(hit, (double)prediction);
        scores->recall[k] = ratio(hit, (double)truth);
        scores->f1[k] = ratio(2 * hit, (double)(truth + prediction));
        if (truth + prediction > 0) {
            miou += scores->iou[k];
            f1 += scores->f1[k];
            present++;
        }
    }
    scores->miou = ratio(miou, present);
    scores->mean_f1 = ratio(f1, present);
    scores->accuracy = ratio((double)right, (double)scores->pixels);
    chance = ratio(chance, (double)scores->pixels * (double)scores->pixels);
    scores->kappa = ratio(scores->accuracy - chance, 1 - chance);
}

sg_err sg_scores_table(const sg_confusion *confusion, const sg_class_table *classes, sg_text *text)
{
    sg_scores s;
    int64_t truth, prediction;
    sg_err err;
    sg_confusion_scores(confusion, &s);
    err = sg_text_add(text, "%-24s %8s %8s %8s %8s %14s\n", "class", "IoU", "prec.", "recall", "F1",
                      "pixels");
    for (int32_t k = 0; !err && k < confusion->classes; k++) {
        class_totals(confusion, k, &truth, &prediction);
        err = sg_text_add(text, "%-24s %8.4f %8.4f %8.4f %8.4f %14lld\n", classes->item[k].name,
                          s.iou[k], s.precision[k], s.recall[k], s.f1[k], (long long)truth);
    }
    if (!err)
        err = sg_text_add(text, "mIoU %.4f  mean F1 %.4f  accuracy %.4f  kappa %.4f  pixels %lld\n",
                          s.miou, s.mean_f1, s.accuracy, s.kappa, (long long)s.pixels);
    return err;
}

/* JSON has no NaN: null. */
static sg_err add_number(sg_text *text, const char *key, double value)
{
    if (!isfinite(value))
        return sg_text_add(text, "\"%s\": null", key);
    return sg_text_add(text, "\"%s\": %.9g", key, value);
}

static sg_err add_numbers(sg_text *text, const char *const *key, const double *value, int count)
{
    sg_err err = SG_OK;
    for (int i = 0; !err && i < count; i++) {
        err = i > 0 ? sg_text_add(text, ", ") : SG_OK;
        if (!err)
            err = add_number(text, key[i], value[i]);
    }
    return err;
}

static sg_err add_class(sg_text *text, const sg_scores *s, const sg_class_table *classes, int32_t k)
{
    static const char *const key[] = {"iou", "precision", "recall", "f1"};
    const double value[] = {s->iou[k], s->precision[k], s->recall[k], s->f1[k]};
    sg_err err = sg_text_add(text, "%s{\"name\": ", k > 0 ? ", " : "");
    if (!err)
        err = sg_text_add_json(text, classes->item[k].name);
    if (!err)
        err = sg_text_add(text, ", \"value\": %d, ", (int)classes->item[k].value);
    if (!err)
        err = add_numbers(text, key, value, 4);
    return err ? err : sg_text_add(text, "}");
}

static sg_err add_matrix(sg_text *text, const sg_confusion *confusion)
{
    const int32_t n = confusion->classes;
    sg_err err = SG_OK;
    for (int32_t i = 0; !err && i < n; i++) {
        err = sg_text_add(text, "%s[", i > 0 ? ", " : "");
        for (int32_t j = 0; !err && j < n; j++)
            err = sg_text_add(text, "%s%lld", j > 0 ? ", " : "",
                              (long long)confusion->count[i * n + j]);
        if (!err)
            err = sg_text_add(text, "]");
    }
    return err;
}

sg_err sg_scores_json(const sg_confusion *confusion, const sg_class_table *classes, sg_text *text)
{
    static const char *const key[] = {"miou", "mean_f1", "accuracy", "kappa"};
    sg_scores s;
    sg_err err;
    sg_confusion_scores(confusion, &s);
    const double value[] = {s.miou, s.mean_f1, s.accuracy, s.kappa};
    err = sg_text_add(text, "{");
    if (!err)
        err = add_numbers(text, key, value, 4);
    if (!err)
        err = sg_text_add(text, ", \"pixels\": %lld, \"classes\": [", (long long)s.pixels);
    for (int32_t k = 0; !err && k < confusion->classes; k++)
        err = add_class(text, &s, classes, k);
    if (!err)
        err = sg_text_add(text, "], \"confusion\": [");
    if (!err)
        err = add_matrix(text, confusion);
    return err ? err : sg_text_add(text, "]}");
}
