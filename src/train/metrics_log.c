/*
 * Metrics files. Losses are printed with 17 digits: two runs are equal where their rows are. A
 * number that is not known is an empty field, and null in JSON.
 */
#include "train/metrics_log.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

static sg_err not_written(const char *path)
{
    return sg_fail(SG_EOUTPUT, "%s: cannot be written: %s", path, strerror(errno));
}

/* The step of a row, or -1: the header, or half a row. */
static int64_t row_step(const char *line)
{
    long long step = -1;
    if (!strchr(line, '\n'))
        return -1;
    if (sscanf(line, "{\"step\": %lld", &step) != 1 && sscanf(line, "%lld,", &step) != 1)
        return -1;
    return step;
}

static int copy_rows(FILE *from, FILE *to, int64_t kept)
{
    char *line = NULL;
    size_t room = 0;
    int ok = 1;
    while (ok && getline(&line, &room, from) > 0) {
        int64_t step = row_step(line);
        if (step >= 0 && step <= kept)
            ok = fputs(line, to) >= 0;
    }
    free(line);
    return ok && !ferror(from);
}

/* The rows of the run so far; NULL where there are none. */
static sg_err open_old(FILE **old, const char *path)
{
    *old = fopen(path, "r");
    if (*old || errno == ENOENT)
        return SG_OK;
    return sg_fail(SG_EINPUT, "%s: cannot be read: %s", path, strerror(errno));
}

/* Begin a file: `first` line, then the rows to be kept. It stands under its name only when whole.
 */
static sg_err begin(FILE **file, const char *path, const char *first, bool resume, int64_t kept)
{
    char temporary[SG_PATH_MAX];
    FILE *old = NULL, *new = NULL;
    int ok;
    sg_err err = sg_file_temporary(path, temporary);
    if (!err && resume)
        err = open_old(&old, path);
    if (!err) {
        new = fopen(temporary, "w");
        ok = new &&fputs(first, new) >= 0 && (!old || copy_rows(old, new, kept));
        if (new)
            ok = fclose(new) == 0 && ok;
        err = ok ? sg_file_commit(temporary, path) : not_written(path);
        if (err)
            sg_file_discard(temporary);
    }
    if (old)
        fclose(old);
    if (err)
        return err;
    *file = fopen(path, "a");
    return *file ? SG_OK : not_written(path);
}

/* A CSV field in quotes, with quotes in it doubled. */
static sg_err add_quoted(sg_text *text, const char *prefix, const char *name)
{
    sg_err err = sg_text_add(text, ",\"%s", prefix);
    for (; !err && *name; name++)
        err = sg_text_add(text, "%s%c", *name == '"' ? "\"" : "", *name);
    return err ? err : sg_text_add(text, "\"");
}

/* Terms with fields of their own: none where the loss is one term. */
static int32_t terms_of(const sg_metrics_log *log)
{
    return log->loss && log->loss->columns > 1 ? log->loss->columns : 0;
}

static sg_err make_header(const sg_metrics_log *log, sg_text *text)
{
    const sg_class_table *classes = log->classes;
    sg_err err = sg_text_add(text, "step,epoch,lr,loss,grad_norm,mpx_per_s,val_miou,val_mean_f1,"
                                   "val_accuracy,val_kappa");
    for (int32_t k = 0; !err && k < classes->count; k++)
        err = add_quoted(text, "val_iou_", classes->item[k].name);
    for (int32_t k = 0; !err && k < terms_of(log); k++)
        err = add_quoted(text, "loss_", log->loss->name[k]);
    return err ? err : sg_text_add(text, "\n");
}

sg_err sg_metrics_log_open(sg_metrics_log *log, const char *folder, const sg_class_table *classes,
                           const sg_loss *loss, bool resume, int64_t kept)
{
    char path[SG_PATH_MAX];
    sg_text header = {0};
    sg_err err;
    memset(log, 0, sizeof *log);
    log->classes = classes;
    log->loss = loss;
    log->folder = folder;
    err = make_header(log, &header);
    if (!err)
        err = sg_path_format(path, "%s/metrics.csv", folder);
    if (!err)
        err = begin(&log->csv, path, header.data, resume, kept);
    if (!err)
        err = sg_path_format(path, "%s/metrics.jsonl", folder);
    if (!err)
        err = begin(&log->json, path, "", resume, kept);
    sg_text_clear(&header);
    if (err)
        sg_metrics_log_close(log);
    return err;
}

static sg_err add_field(sg_text *text, double value, int digits)
{
    if (!isfinite(value))
        return sg_text_add(text, ",");
    return sg_text_add(text, ",%.*g", digits, value);
}

static sg_err make_csv(const sg_metrics_log *log, const sg_metrics_row *row, sg_text *text)
{
    const sg_scores *val = row->validation;
    const double value[] = {val ? val->miou : NAN, val ? val->mean_f1 : NAN,
                            val ? val->accuracy : NAN, val ? val->kappa : NAN};
    sg_err err = sg_text_add(text, "%lld,%lld", (long long)row->step, (long long)row->epoch);
    if (!err)
        err = add_field(text, row->rate, 9);
    if (!err)
        err = add_field(text, row->loss, 17);
    if (!err)
        err = add_field(text, row->norm, 9);
    if (!err)
        err = add_field(text, row->megapixels_per_s, 4);
    for (int i = 0; !err && i < 4; i++)
        err = add_field(text, value[i], 6);
    for (int32_t k = 0; !err && k < log->classes->count; k++)
        err = add_field(text, val ? val->iou[k] : NAN, 6);
    for (int32_t k = 0; !err && k < terms_of(log); k++)
        err = add_field(text, row->term ? row->term[k] : NAN, 17);
    return err ? err : sg_text_add(text, "\n");
}

static sg_err add_member(sg_text *text, const char *name, double value, int digits)
{
    if (!isfinite(value))
        return sg_text_add(text, ", \"%s\": null", name);
    return sg_text_add(text, ", \"%s\": %.*g", name, digits, value);
}

static sg_err add_validation(const sg_metrics_log *log, const sg_scores *val, sg_text *text)
{
    sg_err err = add_member(text, "val_miou", val->miou, 6);
    if (!err)
        err = add_member(text, "val_mean_f1", val->mean_f1, 6);
    if (!err)
        err = add_member(text, "val_accuracy", val->accuracy, 6);
    if (!err)
        err = add_member(text, "val_kappa", val->kappa, 6);
    if (!err)
        err = sg_text_add(text, ", \"val_iou\": {");
    for (int32_t k = 0; !err && k < log->classes->count; k++) {
        err = k > 0 ? sg_text_add(text, ", ") : SG_OK;
        if (!err)
            err = sg_text_add_json(text, log->classes->item[k].name);
        if (!err)
            err = isfinite(val->iou[k]) ? sg_text_add(text, ": %.6g", val->iou[k])
                                        : sg_text_add(text, ": null");
    }
    return err ? err : sg_text_add(text, "}");
}

static sg_err add_terms(const sg_metrics_log *log, const sg_metrics_row *row, sg_text *text)
{
    char name[SG_TERM_NAME_MAX + 8];
    sg_err err = SG_OK;
    for (int32_t k = 0; !err && k < terms_of(log); k++) {
        snprintf(name, sizeof name, "loss_%s", log->loss->name[k]);
        err = add_member(text, name, row->term ? row->term[k] : NAN, 17);
    }
    return err;
}

static sg_err make_json(const sg_metrics_log *log, const sg_metrics_row *row, sg_text *text)
{
    sg_err err = sg_text_add(text, "{\"step\": %lld, \"epoch\": %lld", (long long)row->step,
                             (long long)row->epoch);
    if (!err)
        err = add_member(text, "lr", row->rate, 9);
    if (!err)
        err = add_member(text, "loss", row->loss, 17);
    if (!err)
        err = add_member(text, "grad_norm", row->norm, 9);
    if (!err)
        err = add_member(text, "mpx_per_s", row->megapixels_per_s, 4);
    if (!err && terms_of(log) > 0)
        err = add_terms(log, row, text);
    if (!err && row->validation)
        err = add_validation(log, row->validation, text);
    if (!err && row->times)
        err = sg_step_times_add(row->times, text);
    if (!err && row->times && row->tells_ranks)
        err = sg_step_times_add_ranks(row->times, text);
    return err ? err : sg_text_add(text, "}\n");
}

static sg_err put_line(const sg_metrics_log *log, FILE *file, const char *name, const char *line)
{
    if (fputs(line, file) >= 0 && fflush(file) == 0)
        return SG_OK;
    return sg_fail(SG_EOUTPUT, "%s/%s: cannot be written: %s", log->folder, name, strerror(errno));
}

sg_err sg_metrics_log_add(sg_metrics_log *log, const sg_metrics_row *row)
{
    sg_text csv = {0}, json = {0};
    sg_err err = make_csv(log, row, &csv);
    if (!err)
        err = make_json(log, row, &json);
    if (!err)
        err = put_line(log, log->csv, "metrics.csv", csv.data);
    if (!err)
        err = put_line(log, log->json, "metrics.jsonl", json.data);
    sg_text_clear(&csv);
    sg_text_clear(&json);
    return err;
}

void sg_metrics_log_close(sg_metrics_log *log)
{
    if (log->csv)
        fclose(log->csv);
    if (log->json)
        fclose(log->json);
    log->csv = log->json = NULL;
}
