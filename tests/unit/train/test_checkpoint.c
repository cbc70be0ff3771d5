/* Checkpoints: all of it comes back; what is missing or does not fit is refused by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/tempdir.h"

#include <math.h>

#include "base/size.h"
#include "data/store.h"
#include "train/checkpoint.h"
#include "train/checkpoint_spec.h"

static void conv_norm_conv(sg_graph **graph)
{
    const sg_attr norm = {.norm = {1e-5f, 0.1f}};
    int32_t t;
    assert_int_equal(sg_graph_create(graph), SG_OK);
    assert_int_equal(sg_graph_input(*graph, 2, &t), SG_OK);
    assert_int_equal(sg_graph_conv(*graph, "first", t, 5, 3, 1, 1, 0, &t), SG_OK);
    assert_int_equal(sg_graph_add(*graph, SG_OP_batch_norm, "norm", &norm, &t, 1, &t), SG_OK);
    assert_int_equal(sg_graph_activation(*graph, "relu", t, SG_ACT_RELU, &t), SG_OK);
    assert_int_equal(sg_graph_conv(*graph, "classes", t, 3, 1, 1, 0, 1, &t), SG_OK);
    assert_int_equal(sg_graph_freeze(*graph), SG_OK);
}

/* 2 bands, 3 classes, every number different. */
static void fill(sg_checkpoint *c)
{
    memset(c, 0, sizeof *c);
    conv_norm_conv(&c->graph);
    assert_int_equal(sg_params_create(c->graph, &c->params), SG_OK);
    assert_int_equal(sg_params_init(c->graph, c->params, 9), SG_OK);
    size_t count = c->params->layout->trainable_count;
    assert_int_equal(sg_calloc(count, sizeof(float), &c->m), SG_OK);
    assert_int_equal(sg_calloc(count, sizeof(float), &c->v), SG_OK);
    for (int32_t i = 0; i < c->graph->param_count; i++) {
        if (!sg_param_is_trainable(&c->graph->param[i]))
            continue;
        for (size_t k = 0; k < c->graph->param[i].count; k++) {
            c->m[c->params->layout->offset[i] + k] = (float)i + (float)k / 1000;
            c->v[c->params->layout->offset[i] + k] = -(float)i - (float)k / 7000;
        }
    }
    c->spec = (sg_spec){.bands = 2,
                        .band = {4, 1},
                        .normalize = SG_NORMALIZE_SCENE,
                        .has_nodata = 1,
                        .nodata = 255,
                        .mean = {1.5, -2},
                        .std = {0.25, 1e-3},
                        .gsd = 10,
                        .classes = {3,
                                    255,
                                    {{"wald & wiese", 7, {1, 2, 3}},
                                     {"fl\xc3\xbcsse", 0, {9, 9, 255}},
                                     {"", 254, {0, 0, 0}}}}};
    c->position = (sg_position){1234, 5, 96, 4, 32, UINT64_MAX - 3, 0.875, 1200};
    assert_int_equal(sg_malloc(32, 1, &c->job), SG_OK);
    strcpy(c->job, "net: unet\nsteps: 3\n");
    c->scores_miou = 0.8125;
    assert_int_equal(sg_mining_state_create(&c->mining, 3), SG_OK);
    for (int i = 0; i < 3; i++) {
        c->mining.wrong[i] = 1.25 * i;
        c->mining.seen[i] = 1e15 + i;
        c->mining.new_wrong[i] = 70 + i;
        c->mining.new_seen[i] = INT64_MAX - i;
    }
}

static bool same_mining(const sg_mining_state *a, const sg_mining_state *b)
{
    return a->cells == b->cells && memcmp(a->wrong, b->wrong, 8 * a->cells) == 0 &&
           memcmp(a->seen, b->seen, 8 * a->cells) == 0 &&
           memcmp(a->new_wrong, b->new_wrong, 8 * a->cells) == 0 &&
           memcmp(a->new_seen, b->new_seen, 8 * a->cells) == 0;
}

static void save(sg_checkpoint *c, const char *path)
{
    fill(c);
    assert_int_equal(sg_checkpoint_save(c, path), SG_OK);
}

static void everything_comes_back(void **state)
{
    char path[TEMPDIR_PATH], identity[17];
    sg_checkpoint a, b;
    sg_text one = {0}, two = {0};
    save(&a, tempdir_path(state, "all.h5", path));
    assert_int_equal(sg_checkpoint_load(&b, path, true), SG_OK);
    assert_int_equal(sg_graph_write(a.graph, &one), SG_OK);
    assert_int_equal(sg_graph_write(b.graph, &two), SG_OK);
    assert_string_equal(one.data, two.data);
    size_t bytes = a.params->layout->trainable_count * sizeof(float);
    assert_memory_equal(a.params->trainable, b.params->trainable, bytes);
    assert_memory_equal(a.params->state, b.params->state,
                        a.params->layout->state_count * sizeof(float));
    assert_memory_equal(a.m, b.m, bytes);
    assert_memory_equal(a.v, b.v, bytes);
    assert_memory_equal(&a.spec, &b.spec, sizeof a.spec);
    assert_memory_equal(&a.position, &b.position, sizeof a.position);
    assert_string_equal(a.job, b.job);
    assert_true(b.scores_miou == 0.8125);
    assert_true(same_mining(&a.mining, &b.mining));
    assert_int_equal(sg_checkpoint_identify(a.graph, a.params, identity), SG_OK);
    assert_string_equal(b.identity, identity);
    sg_text_clear(&one);
    sg_text_clear(&two);
    sg_checkpoint_close(&a);
    sg_checkpoint_close(&b);
}

static void a_mean_of_weights_brings_the_last_ones_with_it(void **state)
{
    char path[TEMPDIR_PATH], identity[17];
    sg_checkpoint a, b;
    fill(&a);
    assert_int_equal(sg_params_create(a.graph, &a.raw), SG_OK);
    assert_int_equal(sg_params_init(a.graph, a.raw, 10), SG_OK);
    a.averaged = 77;
    assert_int_equal(sg_checkpoint_save(&a, tempdir_path(state, "mean.h5", path)), SG_OK);
    assert_int_equal(sg_checkpoint_identify(a.graph, a.params, identity), SG_OK);
    size_t bytes = a.params->layout->trainable_count * sizeof(float);
    assert_int_equal(sg_checkpoint_load(&b, path, true), SG_OK);
    assert_string_equal(b.identity, identity);
    assert_int_equal(b.averaged, 77);
    assert_memory_equal(a.params->trainable, b.params->trainable, bytes);
    assert_memory_equal(a.raw->trainable, b.raw->trainable, bytes);
    assert_memory_equal(a.raw->state, b.raw->state, a.raw->layout->state_count * sizeof(float));
    sg_checkpoint_close(&b);
    assert_int_equal(sg_checkpoint_load(&b, path, false), SG_OK);
    assert_null(b.raw);
    sg_checkpoint_close(&a);
    sg_checkpoint_close(&b);
}

static void the_identity_follows_graph_and_weights(void **state)
{
    char before[17], after[17];
    sg_checkpoint c;
    fill(&c);
    assert_int_equal(sg_checkpoint_identify(c.graph, c.params, before), SG_OK);
    sg_params_values(c.params, 0)[3] += 1e-6f;
    assert_int_equal(sg_checkpoint_identify(c.graph, c.params, after), SG_OK);
    assert_string_not_equal(before, after);
    assert_int_equal(strlen(after), 16);
    sg_checkpoint_close(&c);
}

static void without_optimizer_state_it_predicts_but_does_not_resume(void **state)
{
    char path[TEMPDIR_PATH];
    sg_checkpoint a, b;
    fill(&a);
    sg_free(a.m);
    sg_free(a.v);
    a.m = a.v = NULL;
    assert_int_equal(sg_checkpoint_save(&a, tempdir_path(state, "best.h5", path)), SG_OK);
    assert_int_equal(sg_checkpoint_load(&b, path, false), SG_OK);
    assert_null(b.m);
    sg_checkpoint_close(&b);
    assert_int_equal(sg_checkpoint_load(&b, path, true), SG_EINPUT);
    assert_non_null(strstr(sg_error_text(), "best.h5"));
    assert_null(b.graph);
    sg_checkpoint_close(&a);
}

static void an_optimizer_is_not_read_unless_wanted(void **state)
{
    char path[TEMPDIR_PATH];
    sg_checkpoint a, b;
    save(&a, tempdir_path(state, "all.h5", path));
    assert_int_equal(sg_checkpoint_load(&b, path, false), SG_OK);
    assert_true(b.m == NULL && b.v == NULL);
    sg_checkpoint_close(&a);
    sg_checkpoint_close(&b);
}

static void what_is_no_checkpoint_is_refused(void **state)
{
    char path[TEMPDIR_PATH];
    sg_checkpoint c;
    sg_store_file *store = NULL;
    tempdir_path(state, "other.h5", path);
    assert_int_equal(sg_store_create(&store, path), SG_OK);
    assert_int_equal(sg_store_put_i64(store, "something", 1), SG_OK);
    assert_int_equal(sg_store_commit(store), SG_OK);
    assert_int_equal(sg_checkpoint_load(&c, path, false), SG_EINPUT);
    assert_non_null(strstr(sg_error_text(), "not a segtiles checkpoint"));
    assert_int_equal(sg_checkpoint_load(&c, "/nonexistent/x.h5", false), SG_EINPUT);
    sg_checkpoint_close(&c);
}

static void impossible_errors_are_refused(void **state)
{
    char path[TEMPDIR_PATH];
    sg_checkpoint c;
    tempdir_path(state, "mining.h5", path);
    for (int i = 0; i < 5; i++) {
        sg_checkpoint back;
        fill(&c);
        if (i < 3)
            c.mining.wrong[1] = i == 0 ? NAN : i == 1 ? -1 : 2e15;
        else
            c.mining.new_wrong[2] = i == 3 ? -1 : INT64_MAX;
        assert_int_equal(sg_checkpoint_save(&c, path), SG_OK);
        assert_int_equal(sg_checkpoint_load(&back, path, true), SG_EINPUT);
        assert_non_null(strstr(sg_error_text(), "mining.h5: the errors counted in cell"));
        assert_int_equal(sg_checkpoint_load(&back, path, false), SG_OK); /* not read to predict */
        sg_checkpoint_close(&back);
        sg_checkpoint_close(&c);
    }
}

/* A graph of many terabytes beside few weights: they are missed before memory is asked for. */
static void a_graph_claims_no_memory_that_its_file_does_not_hold(void **state)
{
    static const char graph[] = "segtiles-graph 1\ninput input out_channels=2\n"
                                "conv a inputs=0 kernel_h=1023 kernel_w=1023 stride_h=1 stride_w=1 "
                                "dilation_h=1 dilation_w=1 groups=1 out_channels=65536\n"
                                "conv b inputs=1 kernel_h=1023 kernel_w=1023 stride_h=1 stride_w=1 "
                                "dilation_h=1 dilation_w=1 groups=1 out_channels=3 f32=1\nend 3\n";
    static const char *const numbers[] = {"format",          "position/step",     "position/epoch",
                                          "position/sample", "position/ranks",    "position/batch",
                                          "position/seed",   "position/best_step"};
    char path[TEMPDIR_PATH];
    sg_checkpoint whole, c;
    sg_store_file *store = NULL;
    fill(&whole);
    assert_int_equal(sg_store_create(&store, tempdir_path(state, "claim.h5", path)), SG_OK);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        assert_int_equal(sg_store_put_i64(store, numbers[i], 1), SG_OK);
    assert_int_equal(sg_store_put_f64(store, "position/best", 0), SG_OK);
    assert_int_equal(sg_store_put_f64(store, "scores/miou", 0), SG_OK);
    assert_int_equal(sg_store_put_text(store, "graph", graph), SG_OK);
    assert_int_equal(sg_store_put_f64(store, "weights/a.weight", 1), SG_OK);
    assert_int_equal(sg_spec_put(store, &whole.spec), SG_OK);
    assert_int_equal(sg_store_commit(store), SG_OK);
    assert_int_equal(sg_checkpoint_load(&c, path, false), SG_EINPUT);
    assert_non_null(strstr(sg_error_text(), "claim.h5: item 'weights/a.weight' does not have"));
    sg_checkpoint_close(&whole);
}

/* Change one byte after another: it is refused, or nothing that is read has changed. */
static void damage_is_refused_or_harmless(void **state)
{
    char path[TEMPDIR_PATH], bad[TEMPDIR_PATH];
    sg_checkpoint a, b;
    static unsigned char bytes[1 << 18];
    save(&a, tempdir_path(state, "whole.h5", path));
    tempdir_path(state, "bad.h5", bad);
    FILE *file = fopen(path, "rb");
    size_t size = fread(bytes, 1, sizeof bytes, file), refused = 0;
    fclose(file);
    assert_true(size > 1000 && size < sizeof bytes);
    for (size_t i = 3; i < size; i += 13) {
        bytes[i] ^= 0x41;
        file = fopen(bad, "wb");
        assert_int_equal(fwrite(bytes, 1, size, file), size);
        fclose(file);
        bytes[i] ^= 0x41;
        sg_err err = sg_checkpoint_load(&b, bad, true);
        assert_true(err == SG_OK || err == SG_EINPUT);
        refused += err != SG_OK;
        if (err)
            continue;
        assert_memory_equal(&a.spec, &b.spec, sizeof a.spec);
        assert_memory_equal(&a.position, &b.position, sizeof a.position);
        assert_memory_equal(a.params->trainable, b.params->trainable,
                            a.params->layout->trainable_count * sizeof(float));
        assert_string_equal(a.job, b.job);
        assert_true(b.mining.cells == 0 || same_mining(&a.mining, &b.mining));
        sg_checkpoint_close(&b);
    }
    assert_true(refused > size / 13 / 4);
    sg_checkpoint_close(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_comes_back),
        cmocka_unit_test(a_mean_of_weights_brings_the_last_ones_with_it),
        cmocka_unit_test(the_identity_follows_graph_and_weights),
        cmocka_unit_test(without_optimizer_state_it_predicts_but_does_not_resume),
        cmocka_unit_test(an_optimizer_is_not_read_unless_wanted),
        cmocka_unit_test(what_is_no_checkpoint_is_refused),
        cmocka_unit_test(impossible_errors_are_refused),
        cmocka_unit_test(a_graph_claims_no_memory_that_its_file_does_not_hold),
        cmocka_unit_test(damage_is_refused_or_harmless),
    };
    return cmocka_run_group_tests(tests, tempdir_make, tempdir_remove);
}
