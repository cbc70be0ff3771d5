/* -of and -co: what is understood, and what is refused with which words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "tiles/format.h"

enum { MOST = 8 };

/* Options separated by blanks. */
static sg_err parse(sg_format *format, const char *driver, const char *options)
{
    static char copy[256];
    const char *option[MOST];
    int count = 0;
    strncpy(copy, options, sizeof copy - 1);
    for (char *word = strtok(copy, " "); word && count < MOST; word = strtok(NULL, " "))
        option[count++] = word;
    return sg_format_parse(format, driver, option, count);
}

static void defaults_are_a_cog_and_those_of_gtiff(void **state)
{
    sg_format f;
    assert_int_equal(parse(&f, NULL, ""), SG_OK);
    assert_true(!f.layout.plain && f.overviews && !f.packing.sparse && f.block == 256);
    assert_true(f.packing.codec == SG_CODEC_DEFLATE && f.packing.level == 6);
    assert_int_equal(parse(&f, "gtiff", ""), SG_OK);
    assert_true(f.layout.plain && !f.overviews);
    assert_int_equal(parse(&f, "GTiff", "overviews=auto"), SG_OK);
    assert_true(f.layout.plain && f.overviews);
    assert_int_equal(parse(&f, "COG", "OVERVIEWS=NONE"), SG_OK);
    assert_false(f.overviews);
}

static void keys_of_both_drivers_are_understood(void **state)
{
    sg_format f;
    assert_int_equal(parse(&f, "COG", "LEVEL=19 COMPRESS=zstd BLOCKSIZE=512 BIGTIFF=IF_SAFER"),
                     SG_OK);
    assert_true(f.packing.codec == SG_CODEC_ZSTD && f.packing.level == 19 && f.block == 512);
    assert_true(f.layout.big == SG_BIG_IF_SAFER);
    assert_int_equal(parse(&f, "GTiff",
                           "ZSTD_LEVEL=3 compress=ZSTD BLOCKXSIZE=16 BLOCKYSIZE=16 TILED=YES "
                           "BIGTIFF=NO SPARSE_OK=YES PREDICTOR=2"),
                     SG_OK);
    assert_true(f.packing.level == 3 && f.block == 16 && f.layout.big == SG_BIG_NO);
    assert_true(f.packing.sparse && f.packing.predictor == SG_PREDICT_STANDARD);
    assert_int_equal(parse(&f, "COG", "COMPRESS=LZW PREDICTOR=YES SPARSE_OK=FALSE"), SG_OK);
    assert_int_equal(sg_packing_predictor(&f.packing, true), SG_PREDICTOR_FLOAT);
    assert_int_equal(sg_packing_predictor(&f.packing, false), SG_PREDICTOR_STANDARD);
    assert_int_equal(parse(&f, "COG", "PREDICTOR=FLOATING_POINT ZLEVEL=9"), SG_OK);
    assert_int_equal(sg_packing_predictor(&f.packing, true), SG_PREDICTOR_FLOAT);
    assert_int_equal(sg_packing_predictor(&f.packing, false), SG_PREDICTOR_NONE);
    assert_int_equal(f.packing.level, 9);
}

static void refuse(const char *driver, const char *options, const char *words)
{
    sg_format f;
    assert_int_equal(parse(&f, driver, options), SG_EUSAGE);
    if (!strstr(sg_error_text(), words))
        fail_msg("\"%s\" lacks \"%s\"", sg_error_text(), words);
}

static void the_rest_is_refused_with_what_is_allowed(void **state)
{
    refuse("PNG", "", "-of PNG: expected one of: COG GTiff");
    refuse("COG", "COMPRESS=JPEG", "-co COMPRESS=JPEG: expected one of: NONE LZW DEFLATE ZSTD");
    refuse("COG", "COMPRESS=", "expected one of");
    refuse("COG", "COMPRESS", "expected KEY=VALUE");
    refuse("COG", "QUALITY=75", "-co QUALITY=75: expected one of: COMPRESS LEVEL");
    refuse("COG", "LEVEL=10", "from 1 to 9 with COMPRESS=DEFLATE");
    refuse("COG", "LEVEL=0", "from 1 to 9");
    refuse("COG", "LEVEL=6x", "from 1 to 9");
    refuse("COG", "COMPRESS=ZSTD LEVEL=23", "from 1 to 22 with COMPRESS=ZSTD");
    refuse("COG", "COMPRESS=LZW LEVEL=3", "does not go with COMPRESS=LZW");
    refuse("COG", "ZSTD_LEVEL=3", "does not go with COMPRESS=DEFLATE");
    refuse("COG", "PREDICTOR=4", "expected one of: NO YES");
    refuse("COG", "PREDICTOR=2 COMPRESS=NONE", "does not go with COMPRESS=NONE");
    refuse("COG", "BLOCKSIZE=100", "expected a power of two from 16 to 4096");
    refuse("COG", "BLOCKSIZE=8", "expected a power of two");
    refuse("GTiff", "BLOCKXSIZE=256", "blocks are square");
    refuse("GTiff", "BLOCKXSIZE=256 BLOCKYSIZE=128", "blocks are square");
    refuse("GTiff", "TILED=NO", "-co TILED=NO: expected one of: YES");
    refuse("COG", "BIGTIFF=MAYBE", "YES NO IF_NEEDED IF_SAFER");
    refuse("COG", "SPARSE_OK=2", "TRUE FALSE");
    refuse("COG", "OVERVIEWS=IGNORE_EXISTING", "AUTO NONE");
}

static void whatever_changes_blocks_changes_the_description(void **state)
{
    static const char *const options[] = {"",
                                          "LEVEL=7",
                                          "COMPRESS=ZSTD",
                                          "COMPRESS=LZW",
                                          "COMPRESS=NONE",
                                          "PREDICTOR=2",
                                          "PREDICTOR=3",
                                          "PREDICTOR=YES",
                                          "BLOCKSIZE=512",
                                          "OVERVIEWS=NONE",
                                          "SPARSE_OK=TRUE"};
    enum { COUNT = sizeof options / sizeof *options };
    sg_text text[COUNT] = {{0}};
    sg_format f;
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(parse(&f, "COG", options[i]), SG_OK);
        assert_int_equal(sg_format_describe(&f, &text[i]), SG_OK);
        for (int j = 0; j < i; j++)
            assert_string_not_equal(text[i].data, text[j].data);
    }
    for (int i = 0; i < COUNT; i++)
        sg_text_clear(&text[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_a_cog_and_those_of_gtiff),
        cmocka_unit_test(keys_of_both_drivers_are_understood),
        cmocka_unit_test(the_rest_is_refused_with_what_is_allowed),
        cmocka_unit_test(whatever_changes_blocks_changes_the_description),
    };
    return cmocka_run_group_tests_name("format", tests, NULL, NULL);
}
