/* Job files: defaults, overrides, mistakes told by file and line, scenes by name, pattern and list.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/size.h"
#include "jobs/job.h"
#include "jobs/runs.h"
#include "support/tempdir.h"

static const char least[] = "name: x\n"
                            "data:\n"
                            "  train: {images: 'img/*.tif', labels: lab}\n"
                            "  classes: [{name: a}, {name: b, value: 7, color: '#010203'}]\n";

static sg_err load(sg_job *job, const char *text, const char *override)
{
    const sg_yaml_source source = {"x.yaml", text, &override, override != NULL};
    return sg_job_load(job, &source);
}

static void refused(const char *words, const char *text, const char *override)
{
    sg_job job;
    assert_int_equal(load(&job, text, override), SG_EUSAGE);
    if (strstr(sg_error_text(), words) == NULL)
        fail_msg("expected \"%s\" in \"%s\"", words, sg_error_text());
}

static void defaults_are_enough(void **state)
{
    sg_job job;
    sg_class_table classes;
    (void)state;
    assert_int_equal(load(&job, least, NULL), SG_OK);
    assert_int_equal(job.train.tile, 256);
    assert_int_equal(job.train.batch, 8);
    assert_int_equal(job.train.optimizer, SG_ADAMW);
    assert_int_equal(job.train.schedule, SG_RATE_COSINE);
    assert_int_equal(job.data.normalize, SG_NORMALIZE_DATASET);
    assert_int_equal(job.data.label.ignore, -1);
    assert_string_equal(job.device.precision, "auto");
    assert_string_equal(job.out, "");
    assert_int_equal(sg_job_classes(&job, &classes), SG_OK);
    assert_int_equal(classes.count, 2);
    assert_int_equal(classes.item[0].value, 1);
    assert_int_equal(classes.item[1].value, 7);
    assert_int_equal(classes.item[1].colour[2], 3);
    sg_job_clear(&job);
}

static void overrides_win(void **state)
{
    sg_job job;
    (void)state;
    assert_int_equal(load(&job, least, "train.rate=0.5"), SG_OK);
    assert_true(job.train.rate == 0.5);
    sg_job_clear(&job);
    assert_int_equal(load(&job, least, "data.bands=[4, 3]"), SG_OK);
    assert_int_equal(job.data.bands.count, 2);
    assert_int_equal(job.data.bands.item[0], 4);
    assert_int_equal(job.data.nodata.count, 0);
    sg_job_clear(&job);
    assert_int_equal(load(&job, least, "data.nodata=-9999"), SG_OK);
    assert_int_equal(job.data.nodata.count, 1);
    assert_true(job.data.nodata.item[0] == -9999);
    sg_job_clear(&job);
    assert_int_equal(load(&job, least, "data.bands=5"), SG_OK); /* alone: a list of one */
    assert_int_equal(job.data.bands.count, 1);
    sg_job_clear(&job);
}

static void mistakes_are_told_with_file_and_line(void **state)
{
    (void)state;
    refused("x.yaml:1: nmae: unknown key; did you mean name?", "nmae: x\n", NULL);
    refused("command line: train.stepz: unknown key; did you mean steps?", least, "train.stepz=1");
    refused("command line: model.width: 'wide' is not an integer", least, "model.width=wide");
    refused("model.depth: 9 is out of range", least, "model.depth=9");
    refused("device: 'gpu' is unknown; allowed: auto cpu cuda reference", least, "device=gpu");
    refused("precision: 'f16' is unknown", least, "precision=f16");
    refused("model.net: 'vnet' is unknown", least, "model.net=vnet");
    refused("name: 'a/b' names the run folder", least, "name=a/b");
    refused("train.accumulate: 3 parts do not divide a batch of 8", least, "train.accumulate=3");
    refused("train.schedule: step wants train.every", least, "train.schedule=step");
    refused("train.floor: 5 lies above", least, "train.floor=5");
    refused("data.blocks.guard: 512 leaves nothing", least, "data.blocks.guard=512");
    refused("data.stack: 'best' is unknown; allowed: auto near", least,
            "data.stack=[{file: x.tif, resample: best}]");
    refused("train.layers", least, "train.layers=[{match: a, rate: -1}]");
    refused("data.bands: band 0", least, "data.bands=[0]");
    refused("train.class_weights: 3 values for 2 classes", least, "train.class_weights=[1,2,3]");
    refused("'x' is no weight", least, "train.class_weights=[1,x]");
    refused("data.csv: images and labels are wanted", least, "data.csv.file=a.csv");
    refused("data.classes: two classes are named 'a'", least,
            "data.classes=[{name: a}, {name: a}]");
    refused("data.classes[0].color", least, "data.classes=[{name: a, color: red}]");
    refused("data.classes: is missing", "name: x\ndata: {root: y}\n", NULL);
}

static void steps_and_epochs_exclude_each_other(void **state)
{
    sg_job job;
    const char *both[] = {"train.steps=5", "train.epochs=2"};
    const sg_yaml_source source = {"x.yaml", least, both, 2};
    (void)state;
    assert_int_equal(sg_job_load(&job, &source), SG_EUSAGE);
    assert_int_equal(load(&job, least, "train.epochs=2.5"), SG_OK);
    assert_int_equal(sg_job_steps(&job, 10), 25);
    sg_job_clear(&job);
    assert_int_equal(load(&job, least, "train.steps=7"), SG_OK);
    assert_int_equal(sg_job_steps(&job, 10), 7);
    sg_job_clear(&job);
}

static void warm_up_is_a_share_of_the_steps(void **state)
{
    sg_job job;
    (void)state;
    assert_int_equal(load(&job, least, "train.warmup=0.3"), SG_OK);
    sg_schedule schedule = sg_job_schedule(&job, 600);
    assert_int_equal(schedule.warmup, 180);
    assert_int_equal(schedule.steps, 600);
    sg_job_clear(&job);
}

static void balanced_weights_give_every_class_the_same_share(void **state)
{
    sg_job job;
    float weight[SG_CLASSES_MAX];
    int32_t weights = -1;
    const int64_t pixels[] = {300, 100};
    (void)state;
    assert_int_equal(load(&job, least, "train.class_weights=balanced"), SG_OK);
    assert_int_equal(sg_job_class_weights(&job, 2, pixels, weight, &weights), SG_OK);
    assert_int_equal(weights, 2);
    assert_true(weight[0] * 300 == weight[1] * 100);
    assert_true(weight[0] * 300 + weight[1] * 100 == 400); /* the mean over pixels is 1 */
    const int64_t absent[] = {300, 0};
    assert_int_equal(sg_job_class_weights(&job, 2, absent, weight, &weights), SG_OK);
    assert_true(weight[0] == 1 && weight[1] == 0);
    sg_job_clear(&job);
    assert_int_equal(load(&job, least, NULL), SG_OK);
    assert_int_equal(sg_job_class_weights(&job, 2, pixels, weight, &weights), SG_OK);
    assert_int_equal(weights, 0);
    sg_job_clear(&job);
    assert_int_equal(load(&job, least, "train.class_weights=[1, 2.5]"), SG_OK);
    assert_int_equal(sg_job_class_weights(&job, 2, pixels, weight, &weights), SG_OK);
    assert_true(weight[1] == 2.5f);
    sg_job_clear(&job);
}

static void a_written_job_reads_back(void **state)
{
    sg_job job, again;
    sg_text text = {0}, second = {0};
    (void)state;
    assert_int_equal(load(&job, least, "train.rate=0.125"), SG_OK);
    assert_int_equal(sg_job_write(&job, &text), SG_OK);
    assert_int_equal(load(&again, text.data, NULL), SG_OK);
    assert_true(again.train.rate == 0.125);
    assert_int_equal(sg_job_write(&again, &second), SG_OK);
    assert_string_equal(text.data, second.data);
    sg_text_clear(&text);
    sg_text_clear(&second);
    sg_job_clear(&job);
    sg_job_clear(&again);
}

static void augment_is_turns_or_a_map(void **state)
{
    static const char map[] = "train: {augment: {rotate: 15, scale: [0.8, 1.25], noise: 0.1}}\n";
    char text[512];
    sg_job job;
    (void)state;
    assert_int_equal(load(&job, least, NULL), SG_OK);
    assert_int_equal(job.train.augment.turns, 1);
    assert_true(sg_job_alterations(&job).least == 1 && sg_job_alterations(&job).most == 1);
    sg_job_clear(&job);
    assert_int_equal(load(&job, least, "train.augment=false"), SG_OK);
    assert_int_equal(job.train.augment.turns, 0);
    sg_job_clear(&job);
    snprintf(text, sizeof text, "%s%s", least, map);
    assert_int_equal(load(&job, text, "train.augment.turns=false"), SG_OK);
    const sg_alterations a = sg_job_alterations(&job);
    assert_int_equal(job.train.augment.turns, 0);
    assert_true(a.rotate == 15 && a.least == .8 && a.most == 1.25 && a.noise == .1);
    assert_true(a.chance == .5 && a.per_band == .5 && a.blur == 0);
    sg_job_clear(&job);
    assert_int_equal(load(&job, text, "train.augment=true"), SG_OK);
    assert_true(job.train.augment.turns && job.train.augment.rotate == 0);
    sg_job_clear(&job);
    refused("train.augment.turns: 'maybe' is not true or false", least, "train.augment=maybe");
    refused("train.augment.rotate: 181 is out of range", least, "train.augment.rotate=181");
    refused("the least and the most size", least, "train.augment.scale=[1.2, 0.8]");
    refused("has 1 items", least, "train.augment.scale=1.2");
    refused("did you mean brightness", least, "train.augment.brigthness=1");
}

static void crops_are_shared_out(void **state)
{
    const int64_t pixels[] = {100, 10};
    sg_crop_rules rules;
    sg_job job;
    (void)state;
    assert_int_equal(load(&job, least, "train.balance={b: 0.3}"), SG_OK);
    assert_int_equal(sg_job_crop_rules(&job, pixels, &rules), SG_OK);
    assert_true(rules.share[0] == 0 && rules.share[1] == .3 && !rules.grid && rules.mining == 0);
    sg_job_clear(&job);
    assert_int_equal(load(&job, least, "train.crops=balanced"), SG_OK);
    assert_int_equal(sg_job_crop_rules(&job, pixels, &rules), SG_OK);
    assert_true(rules.share[0] == .5 && rules.share[1] == .5);
    const int64_t without[] = {100, 0};
    assert_int_equal(sg_job_crop_rules(&job, without, &rules), SG_OK);
    assert_true(rules.share[0] == 1 && rules.share[1] == 0);
    sg_job_clear(&job);
    assert_int_equal(load(&job, least, "train.augment.paste=0.5"), SG_OK);
    assert_int_equal(sg_job_crop_rules(&job, pixels, &rules), SG_OK);
    assert_true(rules.paste[0] == 0 && rules.paste[1] == 1 && rules.share[1] == 0);
    const int64_t even[] = {100, 50};
    assert_int_equal(sg_job_crop_rules(&job, even, &rules), SG_EUSAGE);
    assert_non_null(strstr(sg_error_text(), "name those to be pasted in paste_classes"));
    sg_job_clear(&job);
    refused("train.augment.paste_classes: 'sand' is no class", least,
            "train.augment.paste_classes=[sand]");
    refused("'sand' is no class", least, "train.balance={sand: 0.3}");
    refused("'1.2' is no share of class 'a'", least, "train.balance={a: 1.2}");
    refused("'nan' is no share", least, "train.balance={a: nan}");
    refused("sum to 1.1", least, "train.balance={a: 0.6, b: 0.5}");
    refused("allowed: auto, labelled, all, grid, balanced", least, "train.crops=everywhere");
    char text[512];
    snprintf(text, sizeof text, "%strain: {crops: grid}\n", least);
    refused("do not go with it", text, "train.mining=0.5");
    refused("do not go with it", text, "train.scene_weights=equal");
}

/* Every key that a written job has stands in docs/job.md between backticks. */
static void the_documentation_names_every_key(void **state)
{
    sg_job job;
    sg_text text = {0};
    char path[SG_PATH_MAX], *page = NULL;
    (void)state;
    snprintf(path, sizeof(path), "%s", JOB_KEYS_FILE);
    assert_int_equal(sg_file_read_text(path, &page), SG_OK);
    assert_int_equal(load(&job, least, NULL), SG_OK);
    assert_int_equal(sg_job_write(&job, &text), SG_OK);
    int keys = 0;
    for (char *rest = text.data, *line = strsep(&rest, "\n"); line != NULL;
         line = strsep(&rest, "\n")) {
        char key[64] = "", quoted[68], inner[68];
        if (sscanf(line, " %63[a-z_]:", key) != 1 || strchr(line, ':') == NULL)
            continue;
        snprintf(quoted, sizeof(quoted), "`%s`", key);
        snprintf(inner, sizeof(inner), "%s: ", key); /* inside a map: {size: 512} */
        if (strstr(page, quoted) == NULL && strstr(page, inner) == NULL)
            fail_msg("docs/job.md does not name the key %s", key);
        keys++;
    }
    assert_true(keys > 50);
    sg_free(page);
    sg_text_clear(&text);
    sg_job_clear(&job);
}

static void expands_to(const char *text, const char *expected)
{
    char path[SG_PATH_MAX];
    assert_int_equal(sg_expand_path(text, path), SG_OK);
    assert_string_equal(path, expected);
}

static void variables_are_expanded(void **state)
{
    char path[SG_PATH_MAX];
    (void)state;
    setenv("SG_TEST_A", "there", 1);
    setenv("SG_TEST_EMPTY", "", 1);
    setenv("HOME", "/home/x", 1);
    unsetenv("SG_TEST_B");
    expands_to("a/b.tif", "a/b.tif");
    expands_to("$SG_TEST_A/b", "there/b");
    expands_to("x${SG_TEST_A}y", "xtherey");
    expands_to("${SG_TEST_B:-else/where}/c", "else/where/c");
    expands_to("${SG_TEST_EMPTY:-full}", "full");
    expands_to("${SG_TEST_A:-else}", "there");
    expands_to("~/d", "/home/x/d");
    expands_to("a~b", "a~b");
    expands_to("100$", "100$");
    assert_int_equal(sg_expand_path("$SG_TEST_B/x", path), SG_EUSAGE);
    assert_non_null(strstr(sg_error_text(), "$SG_TEST_B"));
    assert_int_equal(sg_expand_path("${SG_TEST_A", path), SG_EUSAGE);
}

/* ---- scenes: files in a folder of their own, made the current one ---- */

static void touch(const char *path, const char *text)
{
    assert_int_equal(sg_file_write_text(path, text), SG_OK);
}

static int set_up(void **state)
{
    if (tempdir_make(state) != 0 || chdir(*state) != 0)
        return -1;
    sg_err err = sg_make_folders("img");
    if (err == SG_OK)
        err = sg_make_folders("lab");
    for (int i = 1; err == SG_OK && i <= 5; i++) {
        char name[64];
        snprintf(name, sizeof(name), "img/s%d.tif", i);
        err = sg_file_write_text(name, "");
    }
    return err;
}

static sg_err list(const char *text, const char *override, sg_job_scenes *scenes)
{
    sg_job job;
    assert_int_equal(load(&job, text, override), SG_OK);
    sg_err err = sg_job_list_scenes(&job, scenes);
    sg_job_clear(&job);
    return err;
}

static void list_refused(const char *words, const char *text, const char *override)
{
    sg_job_scenes scenes;
    assert_int_not_equal(list(text, override, &scenes), SG_OK);
    if (strstr(sg_error_text(), words) == NULL)
        fail_msg("expected \"%s\" in \"%s\"", words, sg_error_text());
}

static void patterns_find_scenes_in_order(void **state)
{
    sg_job_scenes scenes;
    (void)state;
    assert_int_equal(list(least, NULL, &scenes), SG_OK);
    assert_int_equal(scenes.count, 5);
    assert_string_equal(scenes.item[0].image, "img/s1.tif");
    assert_string_equal(scenes.item[0].label, "lab/s1.tif"); /* a folder: the same name */
    assert_string_equal(scenes.item[4].image, "img/s5.tif");
    sg_job_scenes_clear(&scenes);
    assert_int_equal(list(least, "data.train.labels=masks/{stem}_mask.tif", &scenes), SG_OK);
    assert_string_equal(scenes.item[1].label, "masks/s2_mask.tif");
    sg_job_scenes_clear(&scenes);
    assert_int_equal(list(least, "data.train.labels=all.shp", &scenes), SG_OK);
    assert_string_equal(scenes.item[1].label, "all.shp");
    sg_job_scenes_clear(&scenes);
}

static void the_root_stands_before_relative_paths(void **state)
{
    sg_job_scenes scenes;
    const char *folder = *state;
    setenv("SG_TEST_ROOT", folder, 1);
    assert_int_equal(list(least, "data.root=$SG_TEST_ROOT", &scenes), SG_OK);
    assert_int_equal(strncmp(scenes.item[0].image, folder, strlen(folder)), 0);
    assert_int_equal(strncmp(scenes.item[0].label, folder, strlen(folder)), 0);
    sg_job_scenes_clear(&scenes);
}

static size_t of_split(const sg_job_scenes *scenes, sg_split split)
{
    size_t count = 0;
    for (size_t i = 0; i < scenes->count; i++)
        count += scenes->item[i].split == split;
    return count;
}

static void a_share_of_training_becomes_validation(void **state)
{
    sg_job_scenes scenes, again;
    (void)state;
    assert_int_equal(list(least, "data.val_share=0.4", &scenes), SG_OK);
    assert_int_equal(of_split(&scenes, SG_SPLIT_VAL), 2);
    assert_int_equal(of_split(&scenes, SG_SPLIT_TRAIN), 3);
    assert_int_equal(list(least, "data.val_share=0.4", &again), SG_OK);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(scenes.item[i].split, again.item[i].split);
    sg_job_scenes_clear(&scenes);
    sg_job_scenes_clear(&again);
    assert_int_equal(list(least, "data.val_share=0.9", &scenes), SG_OK);
    assert_int_equal(of_split(&scenes, SG_SPLIT_TRAIN), 1); /* training keeps one */
    sg_job_scenes_clear(&scenes);
}

static const char from_csv[] =
    "name: x\n"
    "data:\n"
    "  csv: {file: list.csv, images: 'img/{scene}.tif', labels: 'lab/{scene}_{year}.tif'}\n"
    "  classes: [{name: a}]\n";

static void a_csv_list_names_scenes(void **state)
{
    sg_job_scenes scenes;
    (void)state;
    touch("list.csv", "scene,year,split\r\ns1,2020,train\r\n\"s2\",2021,test\r\n\r\ns3,2022,val\n");
    assert_int_equal(list(from_csv, NULL, &scenes), SG_OK);
    assert_int_equal(scenes.count, 3);
    assert_string_equal(scenes.item[0].label, "lab/s1_2020.tif");
    assert_string_equal(scenes.item[1].image, "img/s2.tif");
    assert_int_equal(scenes.item[1].split, SG_SPLIT_TEST);
    assert_int_equal(scenes.item[2].split, SG_SPLIT_VAL);
    sg_job_scenes_clear(&scenes);
}

static void mistakes_in_lists_are_named(void **state)
{
    (void)state;
    touch("list.csv", "scene,year,split\ns1,2020,trian\n");
    list_refused("list.csv:2: 'trian' is no split", from_csv, NULL);
    touch("list.csv", "scene,year,split\ns1,2020\n");
    list_refused("list.csv:2: 2 values under 3 columns", from_csv, NULL);
    touch("list.csv", "scene,year,part\ns1,2020,train\n");
    list_refused("data.csv.split: list.csv has no column 'split'", from_csv, NULL);
    touch("list.csv", "scene,split\ns1,train\n");
    list_refused("data.csv.labels: list.csv has no column for {year}", from_csv, NULL);
    list_refused("none.csv", from_csv, "data.csv.file=none.csv");
    list_refused("data.train.images: no file matches nothing/*.tif", least,
                 "data.train.images=nothing/*.tif");
    list_refused("x.yaml:3: data.train: images without labels",
                 "name: x\ndata:\n  train: {images: img/s1.tif}\n  classes: [{name: a}]\n", NULL);
    list_refused("img/s1.tif is named twice (train and test)", least,
                 "data.test={images: img/s1.tif, labels: lab}");
    list_refused("no scenes", least, "data.train.images=[]");
    list_refused("data.val_share: validation scenes are named already",
                 "name: x\ndata:\n  train: {images: 'img/s[12].tif', labels: lab}\n"
                 "  val: {images: img/s3.tif, labels: lab}\n  val_share: 0.5\n"
                 "  classes: [{name: a}]\n",
                 NULL);
}

static void scenes_are_named_one_by_one(void **state)
{
    sg_job_scenes scenes;
    (void)state;
    assert_int_equal(list(least, "data.scenes=[{image: a.vrt, label: b.shp, split: val}]", &scenes),
                     SG_OK);
    assert_int_equal(scenes.count, 6);
    assert_string_equal(scenes.item[0].image, "a.vrt");
    assert_int_equal(scenes.item[0].split, SG_SPLIT_VAL);
    sg_job_scenes_clear(&scenes);
}

static void run_folders_are_numbered(void **state)
{
    char path[SG_PATH_MAX];
    int64_t number = -1;
    (void)state;
    assert_int_equal(sg_run_newest("x", path, &number), SG_OK);
    assert_int_equal(number, 0);
    assert_int_equal(sg_run_make("x", path), SG_OK);
    assert_string_equal(path, "runs/x-1");
    assert_int_equal(sg_make_folders("runs/x-9"), SG_OK);
    assert_int_equal(sg_make_folders("runs/x-y-20"), SG_OK);
    assert_int_equal(sg_make_folders("runs/x-10a"), SG_OK);
    assert_int_equal(sg_run_make("x", path), SG_OK);
    assert_string_equal(path, "runs/x-10");
    assert_int_equal(sg_run_newest("x", path, &number), SG_OK);
    assert_int_equal(number, 10);
    assert_int_equal(sg_run_newest("x-y", path, &number), SG_OK);
    assert_int_equal(number, 20);
}

static double scaled_rate(const char *override)
{
    const char *all[] = {"train.rate=0.1", "train.batch=32", "train.rate_batch=8", override};
    const sg_yaml_source source = {"x.yaml", least, all, 4};
    sg_job job;
    assert_int_equal(sg_job_load(&job, &source), SG_OK);
    double base = sg_job_schedule(&job, 100).base;
    sg_job_clear(&job);
    return base;
}

static void rates_grow_with_the_batch(void **state)
{
    (void)state;
    assert_true(fabs(scaled_rate("train.optimizer=sgd") - .4) < 1e-12);
    assert_true(fabs(scaled_rate("train.optimizer=lars") - .4) < 1e-12);
    assert_true(fabs(scaled_rate("train.optimizer=lamb") - .2) < 1e-12);
    assert_true(fabs(scaled_rate("train.rate_batch=0") - .1) < 1e-12);
}

/* Factors by name, the first match first. */
static void layers_have_rates_of_their_own(void **state)
{
    sg_model_options options = sg_model_defaults();
    sg_graph *graph = NULL;
    sg_job job;
    float *rate = NULL;
    (void)state;
    snprintf(options.net, sizeof options.net, "unet");
    snprintf(options.encoder, sizeof options.encoder, "resnet18");
    options.bands = 3;
    options.classes = 2;
    assert_int_equal(sg_model_build(&options, &graph), SG_OK);
    assert_int_equal(load(&job, least, NULL), SG_OK);
    assert_int_equal(sg_job_rates(&job, graph, &rate), SG_OK);
    assert_null(rate);
    sg_job_clear(&job);
    assert_int_equal(load(&job, least,
                          "train.layers=[{match: encoder.layer4.*, rate: 0.5}, {match: "
                          "'encoder.*', rate: 0}]"),
                     SG_OK);
    assert_int_equal(sg_job_rates(&job, graph, &rate), SG_OK);
    int seen[3] = {0};
    for (int32_t i = 0; i < graph->param_count; i++) {
        const char *name = graph->param[i].name;
        int kind = strncmp(name, "encoder.layer4.", 15) == 0 ? 1
                   : strncmp(name, "encoder.", 8) != 0       ? 2
                                                             : 0;
        assert_true(rate[i] == .5f * (float)kind);
        seen[kind]++;
    }
    assert_true(seen[0] > 20 && seen[1] > 10 && seen[2] > 10);
    sg_free(rate);
    sg_job_clear(&job);
    const char *wrong[][2] = {
        {"train.layers=[{match: nothing.*, rate: 1}]", "'nothing.*' is no parameter"},
        {"train.layers=[{match: '*', rate: 0}]", "all layers are frozen"}};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(load(&job, least, wrong[i][0]), SG_OK);
        assert_int_equal(sg_job_rates(&job, graph, &rate), SG_EUSAGE);
        assert_null(rate);
        assert_non_null(strstr(sg_error_text(), wrong[i][1]));
        sg_job_clear(&job);
    }
    sg_graph_close(graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_enough),
        cmocka_unit_test(overrides_win),
        cmocka_unit_test(mistakes_are_told_with_file_and_line),
        cmocka_unit_test(steps_and_epochs_exclude_each_other),
        cmocka_unit_test(warm_up_is_a_share_of_the_steps),
        cmocka_unit_test(balanced_weights_give_every_class_the_same_share),
        cmocka_unit_test(a_written_job_reads_back),
        cmocka_unit_test(augment_is_turns_or_a_map),
        cmocka_unit_test(crops_are_shared_out),
        cmocka_unit_test(the_documentation_names_every_key),
        cmocka_unit_test(variables_are_expanded),
        cmocka_unit_test(patterns_find_scenes_in_order),
        cmocka_unit_test(the_root_stands_before_relative_paths),
        cmocka_unit_test(a_share_of_training_becomes_validation),
        cmocka_unit_test(a_csv_list_names_scenes),
        cmocka_unit_test(mistakes_in_lists_are_named),
        cmocka_unit_test(scenes_are_named_one_by_one),
        cmocka_unit_test(rates_grow_with_the_batch),
        cmocka_unit_test(layers_have_rates_of_their_own),
        cmocka_unit_test(run_folders_are_numbered),
    };
    return cmocka_run_group_tests(tests, set_up, tempdir_remove);
}
