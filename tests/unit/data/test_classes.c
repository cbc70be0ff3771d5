/* Class tables: checks, colours, nodata, and the QGIS style. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "data/classes.h"

static sg_class_table two_classes(void)
{
    return (sg_class_table){.count = 2, .item = {{"forest", 1, {0}}, {"water", 2, {10, 20, 30}}}};
}

static sg_class_table many_classes(int32_t count, int32_t first_value)
{
    sg_class_table classes = {.count = count};
    for (int32_t i = 0; i < count; i++) {
        snprintf(classes.item[i].name, SG_CLASS_NAME_MAX, "class %d", i);
        classes.item[i].value = first_value + i;
    }
    return classes;
}

static void missing_colours_are_filled_and_given_ones_kept(void **state)
{
    sg_class_table classes = many_classes(60, 1);
    memcpy(classes.item[7].colour, (uint8_t[]){10, 20, 30}, 3);
    assert_int_equal(sg_classes_complete(&classes), SG_OK);
    assert_memory_equal(classes.item[7].colour, ((uint8_t[]){10, 20, 30}), 3);
    for (int i = 0; i < 60; i++)
        for (int j = 0; j < i; j++)
            assert_memory_not_equal(classes.item[i].colour, classes.item[j].colour, 3);
}

static void nodata_is_255_else_0_else_the_highest_free_value(void **state)
{
    sg_class_table classes = two_classes();
    assert_int_equal(sg_classes_complete(&classes), SG_OK);
    assert_int_equal(classes.nodata, 255);
    classes.item[1].value = 255;
    assert_int_equal(sg_classes_complete(&classes), SG_OK);
    assert_int_equal(classes.nodata, 0);
    classes.item[0].value = 0;
    assert_int_equal(sg_classes_complete(&classes), SG_OK);
    assert_int_equal(classes.nodata, 254);
    classes = many_classes(255, 0);
    assert_int_equal(sg_classes_complete(&classes), SG_OK);
    assert_int_equal(classes.nodata, 255);
    classes.item[254].value = 255;
    assert_int_equal(sg_classes_complete(&classes), SG_OK);
    assert_int_equal(classes.nodata, 254);
}

static void expect_wrong(sg_class_table classes, const char *word)
{
    assert_int_equal(sg_classes_complete(&classes), SG_EUSAGE);
    assert_non_null(strstr(sg_error_text(), word));
}

static void wrong_tables_are_refused_by_name(void **state)
{
    sg_class_table classes = two_classes();
    classes.item[1].value = 1;
    expect_wrong(classes, "'water' share value 1");
    classes.item[1].value = 256;
    expect_wrong(classes, "'water' has value 256");
    classes.item[1].value = -1;
    expect_wrong(classes, "-1");
    classes = two_classes();
    strcpy(classes.item[1].name, "forest");
    expect_wrong(classes, "'forest'");
    classes.item[1].name[0] = '\0';
    expect_wrong(classes, "no name");
    classes.count = 0;
    expect_wrong(classes, "0 classes");
}

static void colours_are_parsed(void **state)
{
    uint8_t colour[3];
    assert_int_equal(sg_colour_parse("#1e5Ac8", colour), SG_OK);
    assert_memory_equal(colour, ((uint8_t[]){0x1e, 0x5a, 0xc8}), 3);
    const char *wrong[] = {"", "#", "1e5ac8", "#1e5ac", "#1e5ac8f", "#1e5ag8", "green", "#-15ac8"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(sg_colour_parse(wrong[i], colour), SG_EUSAGE);
}

static void the_style_names_exactly_the_classes(void **state)
{
    sg_class_table classes = two_classes();
    strcpy(classes.item[0].name, "a<b & \"c\"");
    sg_text text = {0};
    assert_int_equal(sg_classes_qml(&classes, &text), SG_OK);
    assert_non_null(strstr(text.data, "type=\"paletted\" band=\"1\""));
    assert_non_null(strstr(text.data, "value=\"1\" color=\"#000000\" alpha=\"255\" "
                                      "label=\"a&lt;b &amp; &quot;c&quot;\"/>"));
    const char *second = strstr(text.data, "value=\"2\" color=\"#0a141e\" alpha=\"255\" "
                                           "label=\"water\"/>");
    assert_non_null(second);
    assert_null(strstr(second + 1, "paletteEntry"));
    sg_text_clear(&text);
}

static void classes_are_found_by_name(void **state)
{
    sg_class_table classes = two_classes();
    assert_int_equal(sg_classes_find(&classes, "water"), 1);
    assert_int_equal(sg_classes_find(&classes, "Water"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(missing_colours_are_filled_and_given_ones_kept),
        cmocka_unit_test(nodata_is_255_else_0_else_the_highest_free_value),
        cmocka_unit_test(wrong_tables_are_refused_by_name),
        cmocka_unit_test(colours_are_parsed),
        cmocka_unit_test(the_style_names_exactly_the_classes),
        cmocka_unit_test(classes_are_found_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
