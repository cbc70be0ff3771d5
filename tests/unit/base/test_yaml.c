/* Job files: what is read, and that each mistake is told by place and cure. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/size.h"
#include "base/yaml.h"

typedef enum { SGD, ADAM, ADAMW } rule;

typedef struct {
    char image[32];
    sg_yaml_ints bands;
} scene;

typedef struct {
    char folder[32];
    int32_t depth;
    uint64_t seed;
    double rate;
    float decay;
    rule kind;
    bool nesterov;
    int32_t shuffle;
    int untouched;
    sg_yaml_strings files;
    sg_yaml_floats weights;
    sg_yaml_maps scenes;
    sg_yaml_pairs map;
} job;

static const sg_yaml_field scene_fields[] = {
    {"image", SG_YAML_STRING, SG_YAML_AT(scene, image), .min = 1, .max = INFINITY},
    {"bands", SG_YAML_INTS, SG_YAML_AT(scene, bands), .fallback = "[]"},
    {0}};

static const sg_yaml_field fields[] = {
    {"folder", SG_YAML_STRING, SG_YAML_AT(job, folder), .fallback = "runs/x"},
    {"model.depth", SG_YAML_INT, SG_YAML_AT(job, depth), .min = 1, .max = 6, .fallback = "4"},
    {"seed", SG_YAML_INT, SG_YAML_AT(job, seed), .min = 0, .max = INFINITY, .fallback = "1"},
    {"optimizer.rate", SG_YAML_FLOAT, SG_YAML_AT(job, rate), .min = 0, .max = 10,
     .fallback = "1e-3"},
    {"optimizer.decay", SG_YAML_FLOAT, SG_YAML_AT(job, decay), .fallback = "0.01"},
    {"optimizer.kind", SG_YAML_ENUM, SG_YAML_AT(job, kind), .allowed = "sgd|adam|adamw",
     .fallback = "adamw"},
    {"optimizer.sgd.nesterov", SG_YAML_BOOL, SG_YAML_AT(job, nesterov), .fallback = "false"},
    {"shuffle", SG_YAML_BOOL, SG_YAML_AT(job, shuffle), .fallback = "yes"},
    {"files", SG_YAML_STRINGS, SG_YAML_AT(job, files), .fallback = "[]"},
    {"weights", SG_YAML_FLOATS, SG_YAML_AT(job, weights), .max = 3, .fallback = "[1, 2.5]"},
    {"scenes", SG_YAML_MAPS, SG_YAML_AT(job, scenes), .min = 1, .max = INFINITY,
     .item = scene_fields, .item_size = sizeof(scene)},
    {"map", SG_YAML_PAIRS, SG_YAML_AT(job, map), .fallback = "{}"},
    {0}};

#define SCENES "scenes: [{image: a.tif}]\n"

static sg_err load(const char *text, const char *override, job *j, sg_yaml **yaml)
{
    sg_yaml_source source = {"x.yaml", text, &override, override ? 1 : 0};
    return sg_yaml_load(yaml, &source, fields, j);
}

/* text or override must be refused with exactly this message, and nothing be owned after it. */
static void refused(const char *text, const char *override, const char *message)
{
    job j;
    sg_yaml *yaml = NULL;
    assert_int_equal(load(text, override, &j, &yaml), SG_EUSAGE);
    assert_string_equal(sg_error_text(), message);
    assert_null(yaml);
    assert_null(j.scenes.item);
    assert_null(j.files.item);
}

/* The same where the library's own words stand in the middle of the message. */
static void refused_as_no_yaml(const char *text, const char *override, const char *place)
{
    job j;
    sg_yaml *yaml = NULL;
    assert_int_equal(load(text, override, &j, &yaml), SG_EUSAGE);
    assert_memory_equal(sg_error_text(), place, strlen(place));
    assert_non_null(strstr(sg_error_text(),
                           " (this is not YAML: indent with spaces, not tabs; text "
                           "with ': ' or ' #' needs quotes)"));
}

static void reads_every_kind(void **state)
{
    job j;
    sg_yaml *yaml = NULL;
    const char *text = "folder: 'a b'\n"
                       "model: {depth: 3}\n"
                       "seed: 9007199254740993 # beyond what a double holds\n"
                       "optimizer:\n"
                       "  rate: .5\n"
                       "  kind: adam\n"
                       "  sgd:\n"
                       "    nesterov: on\n"
                       "shuffle: no\n"
                       "files: [one, \"t: wo\", 3]\n"
                       "weights: [1, -2e-3, 7]\n"
                       "scenes:\n"
                       "  - image: a.tif\n"
                       "  - image: b.tif\n"
                       "    bands: [3, 2, 1]\n"
                       "map: {10: tree, 20: \"\"}\n";
    j.untouched = 42;
    assert_int_equal(load(text, NULL, &j, &yaml), SG_OK);
    assert_string_equal(j.folder, "a b");
    assert_int_equal(j.depth, 3);
    assert_true(j.seed == 9007199254740993u);
    assert_true(j.rate == .5);
    assert_true(j.decay == .01f);
    assert_int_equal(j.kind, ADAM);
    assert_true(j.nesterov);
    assert_int_equal(j.shuffle, 0);
    assert_int_equal(j.untouched, 42);
    assert_int_equal(j.files.count, 3);
    assert_string_equal(j.files.item[1], "t: wo");
    assert_string_equal(j.files.item[2], "3");
    assert_int_equal(j.weights.count, 3);
    assert_true(j.weights.item[1] == -2e-3);
    assert_int_equal(j.scenes.count, 2);
    const scene *s = j.scenes.item;
    assert_string_equal(s[0].image, "a.tif");
    assert_int_equal(s[0].bands.count, 0);
    assert_int_equal(s[1].bands.count, 3);
    assert_int_equal(s[1].bands.item[0], 3);
    assert_int_equal(j.map.count, 2);
    assert_string_equal(j.map.item[0].key, "10");
    assert_string_equal(j.map.item[0].value, "tree");
    assert_string_equal(j.map.item[1].value, "");
    assert_true(sg_yaml_given(yaml, "optimizer.sgd.nesterov"));
    assert_true(sg_yaml_given(yaml, "scenes[1].bands"));
    assert_false(sg_yaml_given(yaml, "scenes[0].bands"));
    assert_false(sg_yaml_given(yaml, "scenes[2].bands"));
    assert_false(sg_yaml_given(yaml, "optimizer.decay"));
    sg_yaml_clear(fields, &j);
    assert_null(j.scenes.item);
    sg_yaml_close(yaml);
}

static void defaults_stand_where_nothing_is_given(void **state)
{
    job j;
    sg_yaml *yaml = NULL;
    assert_int_equal(load(SCENES, NULL, &j, &yaml), SG_OK);
    assert_string_equal(j.folder, "runs/x");
    assert_int_equal(j.depth, 4);
    assert_true(j.rate == 1e-3);
    assert_int_equal(j.kind, ADAMW);
    assert_int_equal(j.shuffle, 1);
    assert_int_equal(j.weights.count, 2);
    assert_true(j.weights.item[1] == 2.5);
    sg_yaml_clear(fields, &j);
    sg_yaml_close(yaml);
}

static void a_text_is_emptied_on_the_command_line(void **state)
{
    job j;
    sg_yaml *yaml = NULL;
    const char *overrides[] = {"folder="};
    sg_yaml_source source = {"x.yaml", "folder: there\n" SCENES, overrides, 1};
    assert_int_equal(sg_yaml_load(&yaml, &source, fields, &j), SG_OK);
    assert_string_equal(j.folder, "");
    sg_yaml_clear(fields, &j);
    sg_yaml_close(yaml);
}

static void overrides_win_and_are_named(void **state)
{
    job j;
    sg_yaml *yaml = NULL;
    const char *overrides[] = {"model.depth=2", "optimizer.sgd.nesterov=true", "folder=a: b # c",
                               "scenes=[{image: o.tif, bands: [4]}]", "model.depth=5"};
    sg_yaml_source source = {"x.yaml", "model:\n  depth: 3\n" SCENES, overrides, 5};
    assert_int_equal(sg_yaml_load(&yaml, &source, fields, &j), SG_OK);
    assert_int_equal(j.depth, 5);
    assert_true(j.nesterov);
    assert_string_equal(j.folder, "a: b # c");
    assert_int_equal(j.scenes.count, 1);
    assert_string_equal(((scene *)j.scenes.item)[0].image, "o.tif");
    assert_int_equal(sg_yaml_fail(yaml, "model.depth", "too deep for %d", 64), SG_EUSAGE);
    assert_string_equal(sg_error_text(), "command line: model.depth: too deep for 64");
    sg_yaml_clear(fields, &j);
    sg_yaml_close(yaml);

    refused(SCENES, "model.depth=9",
            "command line: model.depth: 9 is out of range; allowed: 1 to 6");
    refused(SCENES, "modle.depth=3",
            "command line: modle: unknown key; did you mean model? keys here: folder model seed "
            "optimizer shuffle files weights scenes map");
    refused(SCENES, "optimizer.kind=adma",
            "command line: optimizer.kind: 'adma' is unknown; allowed: sgd, adam, adamw");
    refused(SCENES, "model.depth=",
            "command line: model.depth: has no value, but an integer is needed; allowed: 1 to 6");
    refused(SCENES, "depth", "command line: 'depth' is not of the form key=value");
    refused(SCENES, "=3", "command line: '=3' is not of the form key=value");
    refused("seed: 3\n" SCENES, "seed.x=3",
            "command line: seed holds a value, so nothing can be set below it");
    refused_as_no_yaml(SCENES, "files=[a", "command line: files: ");
}

static void mistakes_are_told_by_line(void **state)
{
    refused(SCENES "model:\n  depht: 3\n", NULL,
            "x.yaml:3: model.depht: unknown key; did you mean depth? keys here: depth");
    refused(SCENES "zzzzzz: 3\n", NULL,
            "x.yaml:2: zzzzzz: unknown key; keys here: folder model seed optimizer shuffle files "
            "weights scenes map");
    refused(SCENES "model.depth: 3\n", NULL,
            "x.yaml:2: model.depth: unknown key; keys here: folder model seed optimizer shuffle "
            "files weights scenes map");
    refused(SCENES "\nmodel: {depth: four}\n", NULL,
            "x.yaml:3: model.depth: 'four' is not an integer; allowed: 1 to 6");
    refused(SCENES "model: {depth: '4'}\n", NULL,
            "x.yaml:2: model.depth: '4' is not an integer (a value in quotes is a text); allowed: "
            "1 to 6");
    refused(SCENES "model: {depth: 4.5}\n", NULL,
            "x.yaml:2: model.depth: '4.5' is not an integer; allowed: 1 to 6");
    refused(SCENES "model: {depth: 99999999999999999999}\n", NULL,
            "x.yaml:2: model.depth: '99999999999999999999' is not an integer; allowed: 1 to 6");
    refused(SCENES "model: {depth: [4]}\n", NULL,
            "x.yaml:2: model.depth: is a list, but an integer is needed; allowed: 1 to 6");
    refused(SCENES "model: 4\n", NULL, "x.yaml:2: model: '4' is not a map");
    refused(SCENES "optimizer: {rate: nan}\n", NULL,
            "x.yaml:2: optimizer.rate: 'nan' is not a number; allowed: 0 to 10");
    refused(SCENES "optimizer: {decay: 1e300}\n", NULL,
            "x.yaml:2: optimizer.decay: 1e300 is out of range");
    refused(SCENES "optimizer:\n  sgd:\n    nesterov: 2\n", NULL,
            "x.yaml:4: optimizer.sgd.nesterov: '2' is not true or false");
    refused(SCENES "seed: -1\n", NULL, "x.yaml:2: seed: -1 is out of range; allowed: at least 0");
    refused(SCENES "seed:\n", NULL,
            "x.yaml:2: seed: has no value, but an integer is needed; allowed: at least 0");
    refused(SCENES "seed: 1\nseed: 2\n", NULL,
            "x.yaml:3: seed: is given twice; remove one of them");
    refused(SCENES "folder: 0123456789012345678901234567890123\n", NULL,
            "x.yaml:2: folder: has 34 bytes; at most 31 are allowed");
    refused(SCENES "weights: [1, 2, 3, 4]\n", NULL,
            "x.yaml:2: weights: has 4 items; allowed: 0 to 3");
    refused(SCENES "weights: [1,\n  x]\n", NULL, "x.yaml:3: weights[1]: 'x' is not a number");
    refused(SCENES "files: [a, [b]]\n", NULL,
            "x.yaml:2: files[1]: is a list, but a text is needed");
    refused("seed: 1\n", NULL, "x.yaml: scenes: is missing; a list of maps is needed");
    refused("", NULL, "x.yaml: scenes: is missing; a list of maps is needed");
    refused("scenes: []\n", NULL, "x.yaml:1: scenes: has 0 items; allowed: at least 1");
    refused("scenes:\n  - image: a\n  - bands: [1]\n", NULL,
            "x.yaml:3: scenes[1].image: is missing; a text is needed");
    refused("scenes:\n  - image: a\n    bnads: [1]\n", NULL,
            "x.yaml:3: scenes[0].bnads: unknown key; did you mean bands? keys here: image bands");
    refused("scenes: [a.tif]\n", NULL, "x.yaml:1: scenes[0]: 'a.tif' is not a map");
    refused("- a\n", NULL, "x.yaml:1: does not begin with a key and a colon");
    refused("a: &x 1\nb: *x\n", NULL,
            "x.yaml:2: references (*name) are not read; write the value out");
    refused(SCENES "---\nseed: 2\n", NULL,
            "x.yaml:3: a second document (---) begins here; only one is read");
    refused_as_no_yaml("seed: 1\n\tmodel: 2\n", NULL, "x.yaml:2: ");
}

static void deep_nesting_is_refused(void **state)
{
    char text[128] = "files: ";
    memset(text + 7, '[', 100);
    refused(text, NULL, "x.yaml:1: lists and maps are nested too deeply");
}

static void what_is_written_reads_back(void **state)
{
    job j, again;
    sg_yaml *yaml = NULL;
    sg_text text = {0}, twice = {0};
    const char *source = "folder: \"no\\\"\\n#\"\n"
                         "seed: 9223372036854775807\n"
                         "optimizer: {rate: 0.1, decay: 0.3, kind: sgd}\n"
                         "files: [a.tif, '12', 'true', '', 'x: y', ~x]\n"
                         "scenes: [{image: a.tif, bands: [1, 2]}, {image: 'b c.tif'}]\n"
                         "map: {'1': water, 'two words': x}\n";
    assert_int_equal(load(source, NULL, &j, &yaml), SG_OK);
    sg_yaml_close(yaml);
    assert_int_equal(sg_yaml_write(fields, &j, &text), SG_OK);
    assert_int_equal(load(text.data, NULL, &again, &yaml), SG_OK);
    sg_yaml_close(yaml);
    assert_string_equal(again.folder, "no\"\n#");
    assert_true(again.seed == j.seed && again.rate == j.rate && again.decay == j.decay);
    assert_int_equal(again.kind, SGD);
    assert_int_equal(again.files.count, 6);
    for (size_t i = 0; i < 6; i++) {
        assert_string_equal(again.files.item[i], j.files.item[i]);
    }
    assert_string_equal(((scene *)again.scenes.item)[1].image, "b c.tif");
    assert_string_equal(again.map.item[1].key, "two words");
    assert_int_equal(sg_yaml_write(fields, &again, &twice), SG_OK);
    assert_string_equal(text.data, twice.data);
    assert_non_null(strstr(text.data, "  rate: 0.1\n  decay: 0.3\n"));
    sg_text_clear(&text);
    sg_text_clear(&twice);
    sg_yaml_clear(fields, &j);
    sg_yaml_clear(fields, &again);
}

static void a_missing_file_is_an_input_error(void **state)
{
    job j;
    sg_yaml *yaml = NULL;
    sg_yaml_source source = {"absent.yaml", NULL, NULL, 0};
    assert_int_equal(sg_yaml_load(&yaml, &source, fields, &j), SG_EINPUT);
    assert_string_equal(sg_error_text(), "absent.yaml: cannot be read: No such file or directory");
}

static void no_file_at_all_leaves_the_command_line(void **state)
{
    job j;
    sg_yaml *yaml = NULL;
    const char *override = "scenes=[{image: a.tif}]";
    sg_yaml_source source = {NULL, NULL, &override, 1};
    assert_int_equal(sg_yaml_load(&yaml, &source, fields, &j), SG_OK);
    sg_yaml_clear(fields, &j);
    sg_yaml_close(yaml);
    source.count = 0;
    assert_int_equal(sg_yaml_load(&yaml, &source, fields, &j), SG_EUSAGE);
    assert_string_equal(sg_error_text(),
                        "command line: scenes: is missing; a list of maps is needed");
}

static void turns_and_angle(const char *text, const char *override, int turns, int angle)
{
    static const sg_yaml_field both[] = {
        {"a.turns", SG_YAML_BOOL, SG_YAML_AT(job, shuffle), .fallback = "true", .alone = true},
        {"a.angle", SG_YAML_INT, SG_YAML_AT(job, depth), .max = 90, .fallback = "0"},
        {0}};
    job j;
    sg_yaml *yaml = NULL;
    sg_yaml_source source = {"x.yaml", text, &override, override ? 1 : 0};
    if (turns < 0) {
        assert_int_equal(sg_yaml_load(&yaml, &source, both, &j), SG_EUSAGE);
        return;
    }
    assert_int_equal(sg_yaml_load(&yaml, &source, both, &j), SG_OK);
    assert_int_equal(j.shuffle, turns);
    assert_int_equal(j.depth, angle);
    sg_yaml_clear(both, &j);
    sg_yaml_close(yaml);
}

static void a_word_may_stand_for_an_integer(void **state)
{
    static const sg_yaml_field fields_with_word[] = {{"count", SG_YAML_INT, SG_YAML_AT(job, depth),
                                                      .min = 1, .max = 90, .allowed = "auto",
                                                      .fallback = "4"},
                                                     {0}};
    static const char *const texts[] = {"count: auto", "count: 7",    "",
                                        "count: 0",    "count: many", "count: 'auto'"};
    static const int wanted[] = {0, 7, 4, -1, -1, -1};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        job j;
        sg_yaml *yaml = NULL;
        sg_text again = {0};
        sg_yaml_source source = {"x.yaml", texts[i], NULL, 0};
        sg_err err = sg_yaml_load(&yaml, &source, fields_with_word, &j);
        assert_int_equal(err, wanted[i] < 0 ? SG_EUSAGE : SG_OK);
        if (err) {
            assert_non_null(strstr(sg_error_text(), "allowed: 1 to 90, or auto"));
            continue;
        }
        assert_int_equal(j.depth, wanted[i]);
        assert_int_equal(sg_yaml_write(fields_with_word, &j, &again), SG_OK);
        assert_non_null(strstr(again.data, i == 0   ? "count: auto"
                                           : i == 1 ? "count: 7"
                                                    : "count: 4"));
        sg_text_clear(&again);
        sg_yaml_clear(fields_with_word, &j);
        sg_yaml_close(yaml);
    }
}

static void a_value_may_stand_for_its_map(void **state)
{
    (void)state;
    turns_and_angle("", NULL, 1, 0);
    turns_and_angle("a: no\n", NULL, 0, 0);
    turns_and_angle("a: {angle: 7}\n", NULL, 1, 7);
    turns_and_angle("a: {angle: 7}\n", "a=false", 0, 0);
    turns_and_angle("a: no\n", "a.angle=8", 0, 8);
    turns_and_angle("a: 7\n", NULL, -1, 0);
    assert_string_equal(sg_error_text(), "x.yaml:1: a.turns: '7' is not true or false");
    turns_and_angle("a:\n", NULL, -1, 0);
    assert_string_equal(sg_error_text(),
                        "x.yaml:1: a.turns: has no value, but true or false is needed");
    turns_and_angle("a: [1]\n", NULL, -1, 0);
    assert_string_equal(sg_error_text(), "x.yaml:1: a: is a list, but a map is needed");
    turns_and_angle("", "a=7", -1, 0);
    assert_string_equal(sg_error_text(), "command line: a.turns: '7' is not true or false");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_kind),
        cmocka_unit_test(defaults_stand_where_nothing_is_given),
        cmocka_unit_test(a_text_is_emptied_on_the_command_line),
        cmocka_unit_test(overrides_win_and_are_named),
        cmocka_unit_test(mistakes_are_told_by_line),
        cmocka_unit_test(deep_nesting_is_refused),
        cmocka_unit_test(what_is_written_reads_back),
        cmocka_unit_test(a_word_may_stand_for_an_integer),
        cmocka_unit_test(a_value_may_stand_for_its_map),
        cmocka_unit_test(a_missing_file_is_an_input_error),
        cmocka_unit_test(no_file_at_all_leaves_the_command_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
