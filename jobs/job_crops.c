/* train.crops, balance, mining, scene_weights: where training crops lie. */
#include "jobs/job.h"

#include <stdlib.h>
#include <string.h>

/* The classes that there are in training share what mining leaves. */
static void share_equally(int32_t classes, const int64_t *pixels, sg_crop_rules *rules)
{
    int32_t present = 0;
    for (int32_t c = 0; c < classes; c++)
        present += pixels[c] > 0;
    for (int32_t c = 0; c < classes; c++)
        rules->share[c] = pixels[c] > 0 ? (1 - rules->mining) / present : 0;
}

static sg_err find_class(const sg_job *job, const char *key, const char *name, int32_t *class)
{
    const sg_job_class *item = job->data.classes.item;
    for (size_t i = 0; i < job->data.classes.count; i++) {
        if (strcmp(item[i].name, name) == 0) {
            *class = (int32_t)i;
            return SG_OK;
        }
    }
    return sg_yaml_fail(job->yaml, key, "'%s' is no class of data.classes", name);
}

static sg_err read_shares(const sg_job *job, sg_crop_rules *rules)
{
    const sg_yaml_pairs *balance = &job->train.balance;
    double sum = rules->mining;
    for (size_t i = 0; i < balance->count; i++) {
        const char *text = balance->item[i].value;
        char *end = NULL;
        int32_t class = 0;
        double share = strtod(text, &end);
        if (end == text || *end != '\0' || !(share >= 0 && share <= 1))
            return sg_yaml_fail(job->yaml, "train.balance",
                                "'%s' is no share of class '%s'; shares are numbers from 0 to 1",
                                text, balance->item[i].key);
        sg_err err = find_class(job, "train.balance", balance->item[i].key, &class);
        if (err != SG_OK)
            return err;
        rules->share[class] = share;
        sum += share;
    }
    if (sum > 1 + 1e-9)
        return sg_yaml_fail(job->yaml, "train.balance",
                            "the shares, with train.mining, sum to %g; at most 1 is there", sum);
    return SG_OK;
}

/* Classes with less than half of an equal share of the labelled pixels. */
static sg_err find_rare(const sg_job *job, const int64_t *pixels, sg_crop_rules *rules)
{
    const int32_t classes = (int32_t)job->data.classes.count;
    int64_t total = 0, present = 0, rare = 0;
    for (int32_t c = 0; c < classes; c++) {
        total += pixels[c];
        present += pixels[c] > 0;
    }
    for (int32_t c = 0; c < classes; c++) {
        rules->paste[c] = pixels[c] > 0 && 2 * pixels[c] * present < total;
        rare += rules->paste[c];
    }
    return rare > 0 ? SG_OK
                    : sg_yaml_fail(job->yaml, "train.augment.paste",
                                   "no class has less than half of an equal share of the labelled "
                                   "pixels; name those to be pasted in paste_classes");
}

static sg_err choose_pasted(const sg_job *job, const int64_t *pixels, sg_crop_rules *rules)
{
    const sg_yaml_strings *named = &job->train.augment.paste_classes;
    for (size_t i = 0; i < named->count; i++) {
        int32_t class = 0;
        sg_err err = find_class(job, "train.augment.paste_classes", named->item[i], &class);
        if (err != SG_OK)
            return err;
        if (job->train.augment.paste > 0)
            rules->paste[class] = 1;
    }
    if (named->count > 0 || job->train.augment.paste == 0 || pixels == NULL)
        return SG_OK;
    return find_rare(job, pixels, rules);
}

sg_err sg_job_crop_rules(const sg_job *job, const int64_t *pixels, sg_crop_rules *rules)
{
    const sg_job_train *train = &job->train;
    *rules = (sg_crop_rules){.grid = train->crops == SG_CROPS_GRID,
                             .equal_scenes = train->scene_weights == 1,
                             .mining = train->mining};
    if (rules->grid && (train->balance.count > 0 || train->mining > 0 || rules->equal_scenes))
        return sg_yaml_fail(job->yaml, "train.crops",
                            "a grid's tiles come once an epoch each: balance, mining and "
                            "scene_weights do not go with it");
    sg_err err = choose_pasted(job, pixels, rules);
    if (err != SG_OK)
        return err;
    if (train->crops == SG_CROPS_BALANCED && train->balance.count == 0) {
        if (pixels != NULL)
            share_equally((int32_t)job->data.classes.count, pixels, rules);
        return SG_OK;
    }
    return read_shares(job, rules);
}
