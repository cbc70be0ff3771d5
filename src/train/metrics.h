/*
 * Metrics from an integer confusion matrix. Every labelled pixel counts once; matrices are summed
 * over ranks as integers, so the result is exact. All [local] but sg_confusion_sum.
 */
#ifndef SG_TRAIN_METRICS_H
#define SG_TRAIN_METRICS_H

#include <stdint.h>
#include "base/text.h"
#include "comm/comm.h"
#include "data/classes.h"

typedef struct {
    int32_t classes;
    int64_t *count; /* [truth][prediction], owned */
} sg_confusion;

sg_err sg_confusion_create(sg_confusion *confusion, int32_t classes);
void sg_confusion_clear(sg_confusion *confusion); /* to zero */
void sg_confusion_close(sg_confusion *confusion);
/* Pixels whose truth or prediction is SG_NO_CLASS are left out. */
void sg_confusion_add(sg_confusion *confusion, const uint8_t *truth, const uint8_t *prediction,
                      size_t count);
void sg_confusion_sum(sg_confusion *confusion, sg_comm *comm); /* over ranks [collective] */

/*
 * IoU = tp / (tp + fp + fn), precision = tp / (tp + fp), recall = tp / (tp + fn), F1 their harmonic
 * mean; NaN where the denominator is 0. mIoU is the mean over classes present in truth or
 * prediction. Kappa: Cohen 1960.
 */
typedef struct {
    double iou[SG_CLASSES_MAX], precision[SG_CLASSES_MAX], recall[SG_CLASSES_MAX],
        f1[SG_CLASSES_MAX];
    double miou, mean_f1, accuracy, kappa;
    int64_t pixels;
} sg_scores;

void sg_confusion_scores(const sg_confusion *confusion, sg_scores *scores);
/* A table for people, and one JSON object (with the confusion matrix). */
sg_err sg_scores_table(const sg_confusion *confusion, const sg_class_table *classes, sg_text *text);
sg_err sg_scores_json(const sg_confusion *confusion, const sg_class_table *classes, sg_text *text);

#endif
