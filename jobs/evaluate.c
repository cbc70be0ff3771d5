/* segtiles evaluate: how well a mask, or a network, agrees with labels. */
#include "jobs/evaluate.h"
#include "jobs/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static sg_err parse_arguments(sg_comm *comm, int argc, char **argv, sg_evaluate_options *options,
                              bool *help)
{
    const sg_option table[] = {
        {'m', "model", SG_OPTION_TEXT, &options->model, "FILE", NULL, 0, 0,
         "checkpoint to evaluate on a job (else as for predict)"},
        {0, "split", SG_OPTION_TEXT, &options->split, "NAME", NULL, 0, 0,
         "which scenes of the job: train, val or test (test)"},
        {0, "classes", SG_OPTION_TEXT, &options->classes, "LIST", NULL, 0, 0,
         "values and names, \"1=forest,2=other\" (else the mask's own)"},
        {0, "map", SG_OPTION_TEXT, &options->map, "LIST", NULL, 0, 0,
         "values or names in the truth that stand for a class: \"10=forest,20=2\""},
        {0, "ignore", SG_OPTION_INT, &options->ignore, "VALUE", NULL, 0, 0,
         "value in the truth that counts as no label"},
        {0, "layer", SG_OPTION_TEXT, &options->layer, "NAME", NULL, 0, 0,
         "layer of a vector truth (the first)"},
        {0, "attribute", SG_OPTION_TEXT, &options->attribute, "NAME", NULL, 0, 0,
         "field of a vector truth that holds the class's value or name"},
        {0, "all-touched", SG_OPTION_FLAG, &options->all_touched, NULL, NULL, 0, 0,
         "burn every pixel that a polygon touches"},
        {0, "tta", SG_OPTION_FLAG, &options->augment, NULL, NULL, 0, 0,
         "map a job's scenes with the mean over eight flips and rotations (8 times the work)"},
        {0, "crf", SG_OPTION_MAYBE, &options->crf, "KEY=VALUE,...", NULL, 0, 0,
         "map a job's scenes with a CRF behind the network, as predict does"},
        {0, "json", SG_OPTION_FLAG, &options->json, NULL, NULL, 0, 0, "print one JSON object"},
        SG_DEVICE_OPTION_ROWS(&options->device),
        {0}};
    const sg_usage usage = {
        .synopsis = "evaluate [options] MASK TRUTH | evaluate [options] JOB.yaml [key=value ...]",
        .about = "Compares a mask with labels (a raster or a vector layer, warped to the mask's "
                 "grid), or maps\nthe labelled scenes of a job and compares. Every labelled pixel "
                 "counts once.",
        .least = 1,
        .most = -1,
        .missing = "a mask or a job",
        .option = table};
    sg_arguments arguments;
    sg_err err = sg_options_parse(&usage, comm, argc, argv, &arguments);
    *help = arguments.help;
    options->count = arguments.count;
    options->item = arguments.item;
    return err;
}

/* Add one "VALUE=NAME" of length bytes. */
static sg_err parse_class(const char *text, size_t length, sg_class_table *classes)
{
    char *end = NULL;
    long value = strtol(text, &end, 10);
    const char *name = end + 1;
    if (end == text || *end != '=' || name >= text + length || value < 0 || value > 255)
        return sg_fail(SG_EUSAGE, "--classes: \"%.*s\" is no VALUE=NAME", (int)length, text);
    if (classes->count == SG_CLASSES_MAX)
        return sg_fail(SG_EUSAGE, "--classes: more than %d classes", SG_CLASSES_MAX);
    sg_class *class = &classes->item[classes->count++];
    class->value = (int32_t)value;
    snprintf(class->name, sizeof(class->name), "%.*s", (int)(text + length - name), name);
    return SG_OK;
}

sg_err sg_classes_parse(const char *text, sg_class_table *classes)
{
    memset(classes, 0, sizeof(*classes));
    while (*text != '\0') {
        size_t length = strcspn(text, ",");
        sg_err err = parse_class(text, length, classes);
        if (err != SG_OK)
            return err;
        text += length + (text[length] == ',');
    }
    return sg_classes_complete(classes);
}

static sg_err show_json(const sg_evaluation *evaluation, sg_text *text)
{
    sg_err err = sg_text_add(text, "{\"evaluated\": ");
    if (err == SG_OK)
        err = sg_text_add_json(text, evaluation->what);
    if (err == SG_OK)
        err = sg_text_add(text,
                          ", \"unmapped\": %lld, \"scores\": ", (long long)evaluation->unmapped);
    if (err == SG_OK)
        err = sg_scores_json(&evaluation->confusion, &evaluation->classes, text);
    return err == SG_OK ? sg_text_add(text, "}\n") : err;
}

static sg_err show_table(const sg_evaluation *evaluation, sg_text *text)
{
    sg_err err = sg_scores_table(&evaluation->confusion, &evaluation->classes, text);
    if (err == SG_OK && evaluation->unmapped > 0)
        err = sg_text_add(text, "%lld labelled pixels have no prediction and are left out\n",
                          (long long)evaluation->unmapped);
    return err;
}

static sg_err show(const sg_evaluate_options *options, const sg_evaluation *evaluation)
{
    sg_text text = {0};
    sg_err err = options->json ? show_json(evaluation, &text) : show_table(evaluation, &text);
    if (err == SG_OK) {
        fputs(text.data, stdout);
        if (fflush(stdout) != 0)
            err = sg_fail(SG_EOUTPUT, "standard output cannot be written");
    }
    sg_text_clear(&text);
    return err;
}

static bool is_job(const char *name)
{
    const char *ending = strrchr(name, '.');
    return ending != NULL && (strcmp(ending, ".yaml") == 0 || strcmp(ending, ".yml") == 0);
}

static sg_err check_arguments(const sg_evaluate_options *options)
{
    if (is_job(options->item[0]))
        return SG_OK;
    if (options->model != NULL)
        return sg_fail(SG_EUSAGE, "%s: with -m, evaluate wants a job file (.yaml)",
                       options->item[0]);
    if (options->augment)
        return sg_fail(SG_EUSAGE, "%s: with --tta, evaluate wants a job file (.yaml)",
                       options->item[0]);
    if (options->crf)
        return sg_fail(SG_EUSAGE, "%s: with --crf, evaluate wants a job file (.yaml)",
                       options->item[0]);
    if (options->count != 2)
        return sg_fail(SG_EUSAGE, "evaluate wants a mask and the truth, or a job file (.yaml)");
    return SG_OK;
}

sg_err sg_command_evaluate(sg_comm *comm, int argc, char **argv)
{
    sg_evaluate_options options = {.ignore = -1, .device = {.device = "auto", .precision = "auto"}};
    sg_evaluation evaluation = {0};
    bool help = false;
    sg_err err = parse_arguments(comm, argc, argv, &options, &help);
    if (err == SG_OK && help)
        return SG_OK;
    if (err == SG_OK)
        err = check_arguments(&options);
    err = sg_comm_agree(comm, err);
    if (err != SG_OK)
        return err;
    err = is_job(options.item[0]) ? sg_evaluate_job(&options, comm, &evaluation)
                                  : sg_evaluate_mask(&options, comm, &evaluation);
    if (err == SG_OK && sg_comm_rank(comm) == 0)
        err = show(&options, &evaluation);
    sg_confusion_close(&evaluation.confusion);
    return err;
}
