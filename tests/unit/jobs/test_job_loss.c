/* train.loss of a job file: words, lists, what a term means, mistakes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "jobs/job.h"

static const char least[] = "name: x\n"
                            "data:\n"
                            "  train: {images: 'img/*.tif', labels: lab}\n"
                            "  classes: [{name: ground}, {name: house}, {name: road}]\n";

static sg_err load(sg_job *job, const char *loss)
{
    const sg_yaml_source source = {"x.yaml", least, &loss, loss != NULL};
    return sg_job_load(job, &source);
}

static sg_loss loss_of(const char *text)
{
    sg_job job;
    sg_loss loss;
    if (load(&job, text) != SG_OK)
        fail_msg("%s", sg_error_text());
    assert_int_equal(sg_job_loss(&job, &loss), SG_OK);
    sg_job_clear(&job);
    return loss;
}

static void refused(const char *words, const char *text)
{
    sg_job job;
    assert_int_equal(load(&job, text), SG_EUSAGE);
    if (strstr(sg_error_text(), words) == NULL)
        fail_msg("expected \"%s\" in \"%s\"", words, sg_error_text());
}

static void cross_entropy_is_the_default_and_a_word(void **state)
{
    (void)state;
    const char *same[] = {NULL, "train.loss=ce", "train.loss=[ce]", "train.loss=[{name: ce}]"};
    for (int i = 0; i < 4; i++) {
        sg_loss loss = loss_of(same[i]);
        assert_int_equal(loss.terms, 1);
        assert_string_equal(loss.name[0], "ce");
        assert_int_equal(loss.term[0].op, SG_OP_softmax_loss);
        assert_true(loss.term[0].attr.weight == 1 && loss.term[0].attr.smoothing == 0);
        assert_true(loss.border.w0 == 0);
    }
}

static void terms_are_what_their_names_say(void **state)
{
    (void)state;
    sg_loss loss =
        loss_of("train.loss=[{name: dice, weight: 2}, {name: ce, smoothing: 0.1}, focal, "
                "jaccard, {name: tversky, alpha: 0.2, smooth: 3}, lovasz]");
    assert_int_equal(loss.terms, 6);
    assert_int_equal(loss.term[0].op, SG_OP_region_loss);
    assert_true(loss.term[0].attr.weight == 2 && loss.term[0].attr.alpha == 0.5f &&
                loss.term[0].attr.beta == 0.5f && loss.term[0].attr.smooth == 1);
    assert_true(loss.term[1].attr.smoothing == 0.1f && loss.term[1].attr.gamma == 0);
    assert_true(loss.term[2].attr.gamma == 2 && loss.term[2].op == SG_OP_softmax_loss);
    assert_true(loss.term[3].attr.alpha == 1 && loss.term[3].attr.beta == 1);
    assert_true(loss.term[4].attr.alpha == 0.2f && loss.term[4].attr.beta == 0.7f &&
                loss.term[4].attr.smooth == 3);
    assert_int_equal(loss.term[5].op, SG_OP_lovasz_loss);
}

static void borders_are_of_all_edges_or_between_a_class(void **state)
{
    (void)state;
    sg_loss loss = loss_of("train.loss=boundary");
    assert_int_equal(loss.border.of_class, SG_BORDER_EDGES);
    assert_true(loss.border.w0 == 10 && loss.border.sigma == 5);
    assert_int_equal(loss.term[0].attr.border, 1);
    loss = loss_of("train.loss=[{name: boundary, between: house, peak: 4, sigma: 3}]");
    assert_int_equal(loss.border.of_class, 1);
    assert_true(loss.border.w0 == 4 && loss.border.sigma == 3);
}

static void a_written_loss_reads_back(void **state)
{
    (void)state;
    sg_job job, back;
    sg_text text = {0};
    sg_loss one, two;
    assert_int_equal(load(&job, "train.loss=[lovasz, {name: tversky, beta: 0.9, weight: 0.5}]"),
                     SG_OK);
    assert_int_equal(sg_job_write(&job, &text), SG_OK);
    assert_int_equal(sg_job_load(&back, &(sg_yaml_source){"y.yaml", text.data, NULL, 0}), SG_OK);
    assert_int_equal(sg_job_loss(&job, &one), SG_OK);
    assert_int_equal(sg_job_loss(&back, &two), SG_OK);
    assert_memory_equal(&one, &two, sizeof one);
    sg_text_clear(&text);
    sg_job_clear(&job);
    sg_job_clear(&back);
}

static void mistakes_are_named(void **state)
{
    (void)state;
    refused("'dise' is unknown", "train.loss=dise");
    refused("'dise' is unknown", "train.loss=[ce, {name: dise}]");
    refused("train.loss[1].gamma: dice does not take it",
            "train.loss=[ce, {name: dice, gamma: 3}]");
    refused("dice is there already", "train.loss=[dice, ce, {name: dice, weight: 3}]");
    refused("train.loss[0].weight", "train.loss=[{name: ce, weight: 0}]");
    refused("train.loss[0].smoothing", "train.loss=[{name: ce, smoothing: 1}]");
    refused("there is no class \"hut\"", "train.loss=[{name: boundary, between: hut}]");
    refused("bce is for two classes, there are 3", "train.loss=bce");
    refused("train.loss", "train.loss=[]");
    refused("train.loss", "train.loss=");
    refused("train.loss", "train.loss={name: ce}");
    refused("train.loss[0].size", "train.loss=[{name: ce, size: 1}]");
    refused("is not a list of maps", "data.classes=ground");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cross_entropy_is_the_default_and_a_word),
        cmocka_unit_test(terms_are_what_their_names_say),
        cmocka_unit_test(borders_are_of_all_edges_or_between_a_class),
        cmocka_unit_test(a_written_loss_reads_back),
        cmocka_unit_test(mistakes_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
