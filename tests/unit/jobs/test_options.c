/* Command lines by table: values, mistakes, help. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "jobs/options.h"

typedef struct {
    int32_t force, batch;
    int64_t steps;
    double rate;
    const char *model, *resume;
    char device[16];
    sg_option_reals box;
} values;

enum { ARGUMENTS_MAX = 16 };

/* Parse words after the command's name; the last one is NULL. */
static sg_err parse(values *v, sg_arguments *arguments, const char *const *words)
{
    static char copies[ARGUMENTS_MAX][64];
    static char *argv[ARGUMENTS_MAX + 1];
    const sg_option table[] = {
        {.letter = 'm',
         .name = "model",
         .kind = SG_OPTION_TEXT,
         .target = &v->model,
         .value = "FILE",
         .help = "checkpoint"},
        {.name = "resume",
         .kind = SG_OPTION_MAYBE,
         .target = &v->resume,
         .value = "FOLDER",
         .help = "go on"},
        {.letter = 'f',
         .name = "force",
         .kind = SG_OPTION_FLAG,
         .target = &v->force,
         .help = "whatever"},
        {.name = "batch",
         .kind = SG_OPTION_INT,
         .target = &v->batch,
         .value = "N",
         .least = 1,
         .most = 64,
         .help = "samples"},
        {.name = "steps",
         .kind = SG_OPTION_LONG,
         .target = &v->steps,
         .value = "N",
         .help = "steps"},
        {.name = "te",
         .kind = SG_OPTION_REALS,
         .target = &v->box,
         .value = "XMIN YMIN XMAX YMAX",
         .help = "box"},
        {.name = "rate", .kind = SG_OPTION_REAL, .target = &v->rate, .value = "R", .help = "rate"},
        {.name = "device",
         .kind = SG_OPTION_CHOICE,
         .target = v->device,
         .value = "NAME",
         .choices = "auto cpu reference",
         .help = "what computes"},
        {0}};
    const sg_usage usage = {.synopsis = "try [options] FILE ...",
                            .about = "Tries.",
                            .least = 1,
                            .most = 2,
                            .missing = "a file",
                            .option = table};
    int argc = 1;
    argv[0] = strcpy(copies[0], "try");
    for (; words[argc - 1] != NULL; argc++)
        argv[argc] = strcpy(copies[argc], words[argc - 1]);
    return sg_options_parse(&usage, NULL, argc, argv, arguments);
}

#define PARSE(v, arguments, ...) parse(v, arguments, (const char *const[]){__VA_ARGS__, NULL})

static void reads_every_kind(void **state)
{
    values v = {0};
    sg_arguments a;
    (void)state;
    assert_int_equal(PARSE(&v, &a, "-m", "x.h5", "one", "--batch=8", "--steps", "5000000000", "-f",
                           "--rate", "1e-3", "--device", "cpu", "two"),
                     SG_OK);
    assert_string_equal(v.model, "x.h5");
    assert_int_equal(v.batch, 8);
    assert_int_equal(v.steps, 5000000000);
    assert_int_equal(v.force, 1);
    assert_true(v.rate == 1e-3);
    assert_string_equal(v.device, "cpu");
    assert_int_equal(a.count, 2);
    assert_string_equal(a.item[0], "one");
    assert_string_equal(a.item[1], "two");
    assert_false(a.help);
}

/* As GDAL has them, and in one word. */
static void numbers_may_be_words_or_one_word(void **state)
{
    static const char *const ways[][8] = {{"-te", "-1", "2.5", "3e2", "4", "one"},
                                          {"one", "--te", "-1", "2.5", "3e2", "4"},
                                          {"--te=-1,2.5,3e2,4", "one"},
                                          {"-te=-1 2.5 3e2 4", "one"},
                                          {"-te", "-1,2.5", "300,4", "one"},
                                          {"--te", "-1, 2.5, 3e2, 4", "one"}};
    static const double want[] = {-1, 2.5, 300, 4};
    (void)state;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        values v = {.box.wanted = 4};
        sg_arguments a;
        assert_int_equal(parse(&v, &a, ways[i]), SG_OK);
        assert_int_equal(v.box.count, 4);
        assert_memory_equal(v.box.value, want, sizeof want);
        assert_int_equal(a.count, 1);
    }
}

static void numbers_that_are_missing_or_none_are_refused(void **state)
{
    static const char *const ways[][8] = {
        {"one", "-te", "1", "2", "3"},      {"-te", "1", "2", "3", "one"}, {"one", "-te"},
        {"--te=1,2,3,4,5", "one"},          {"--te=1,2,,4", "one"},        {"--te=", "1", "one"},
        {"-te", "1", "2", "3x", "4", "one"}};
    (void)state;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        values v = {.box.wanted = 4};
        sg_arguments a;
        assert_int_equal(parse(&v, &a, ways[i]), SG_EUSAGE);
        assert_non_null(strstr(sg_error_text(), "te"));
    }
}

static void short_options_may_hold_their_value(void **state)
{
    values v = {0};
    sg_arguments a;
    (void)state;
    assert_int_equal(PARSE(&v, &a, "-mx.h5", "one"), SG_OK);
    assert_string_equal(v.model, "x.h5");
    assert_int_equal(PARSE(&v, &a, "--model=a=b", "one"), SG_OK);
    assert_string_equal(v.model, "a=b");
}

static void a_value_may_be_left_out_where_the_table_says_so(void **state)
{
    values v = {0};
    sg_arguments a;
    (void)state;
    assert_int_equal(PARSE(&v, &a, "--resume", "one"), SG_OK);
    assert_string_equal(v.resume, "");
    assert_int_equal(a.count, 1);
    assert_int_equal(PARSE(&v, &a, "--resume=runs/a-1", "one"), SG_OK);
    assert_string_equal(v.resume, "runs/a-1");
}

static void two_dashes_end_the_options(void **state)
{
    values v = {0};
    sg_arguments a;
    (void)state;
    assert_int_equal(PARSE(&v, &a, "--", "--force", "-m"), SG_OK);
    assert_int_equal(v.force, 0);
    assert_int_equal(a.count, 2);
    assert_string_equal(a.item[0], "--force");
}

static void refused(const char *words, sg_err err)
{
    assert_int_equal(err, SG_EUSAGE);
    if (strstr(sg_error_text(), words) == NULL)
        fail_msg("expected \"%s\" in \"%s\"", words, sg_error_text());
}

static void mistakes_are_named(void **state)
{
    values v = {0};
    sg_arguments a;
    (void)state;
    refused("unknown option --batsch; did you mean --batch?", PARSE(&v, &a, "--batsch", "8", "x"));
    refused("did you mean --device?", PARSE(&v, &a, "--dev=cpu", "x"));
    refused("unknown option --zzzzzzzz; `segtiles try --help`", PARSE(&v, &a, "--zzzzzzzz", "x"));
    refused("unknown option -z", PARSE(&v, &a, "-z", "x"));
    refused("--model FILE", PARSE(&v, &a, "x", "--model"));
    refused("--force takes no value", PARSE(&v, &a, "--force=1", "x"));
    refused("--batch 8x: expected a whole number", PARSE(&v, &a, "--batch", "8x", "x"));
    refused("--batch 65: expected a number from 1 to 64", PARSE(&v, &a, "--batch", "65", "x"));
    refused("--batch 0: expected a number from 1 to 64", PARSE(&v, &a, "--batch", "0", "x"));
    refused("--rate fast: expected a number", PARSE(&v, &a, "--rate", "fast", "x"));
    refused("--steps 99999999999999999999", PARSE(&v, &a, "--steps", "99999999999999999999", "x"));
    refused("--device gpu: expected one of: auto cpu reference",
            PARSE(&v, &a, "--device", "gpu", "x"));
    refused("a file is missing: segtiles try [options] FILE ...", PARSE(&v, &a, "--force"));
    refused("\"z\" is one argument too many", PARSE(&v, &a, "x", "y", "z"));
}

static void the_nearest_word_is_found(void **state)
{
    char word[64];
    (void)state;
    assert_string_equal(sg_nearest_word("trian", "train predict", word), "train");
    assert_string_equal(sg_nearest_word("prob", "train probabilities", word), "probabilities");
    assert_null(sg_nearest_word("xyz", "train predict", word));
    assert_null(sg_nearest_word("a", "bc", word));
    assert_null(sg_nearest_word("anything", "", word));
}

static void help_names_every_option(void **state)
{
    int32_t flag = 0;
    const sg_option table[] = {
        {.letter = 'x', .name = "exact", .kind = SG_OPTION_FLAG, .target = &flag, .help = "be so"},
        {0}};
    const sg_usage usage = {
        .program = "tool", .synopsis = "[options]", .about = "Does.", .option = table};
    sg_text text = {0};
    (void)state;
    assert_int_equal(sg_options_help(&usage, &text), SG_OK);
    assert_non_null(strstr(text.data, "usage: tool [options]"));
    assert_non_null(strstr(text.data, "-x, --exact"));
    assert_non_null(strstr(text.data, "be so"));
    assert_non_null(strstr(text.data, "--help"));
    sg_text_clear(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_kind),
        cmocka_unit_test(numbers_may_be_words_or_one_word),
        cmocka_unit_test(numbers_that_are_missing_or_none_are_refused),
        cmocka_unit_test(short_options_may_hold_their_value),
        cmocka_unit_test(a_value_may_be_left_out_where_the_table_says_so),
        cmocka_unit_test(two_dashes_end_the_options),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(the_nearest_word_is_found),
        cmocka_unit_test(help_names_every_option),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
