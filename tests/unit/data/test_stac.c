/* STAC files: which rasters they name, and what is said of those that name none. */
#include "made.h"

#include <string.h>
#include "base/text.h"
#include "data/stac.h"

/* "ID: PATH PATH; ID: ..." */
static sg_err note(void *user, const char *id, const char *const *path, size_t paths)
{
    sg_text *seen = user;
    sg_err err = sg_text_add(seen, "%s:", id);
    for (size_t i = 0; err == SG_OK && i < paths; i++)
        err = sg_text_add(seen, " %s", path[i]);
    return err == SG_OK ? sg_text_add(seen, ";") : err;
}

static void expect(const char *path, const char *assets, const char *want)
{
    sg_text seen = {0};
    sg_err err = sg_stac_each(path, assets, note, &seen);
    if (err != SG_OK)
        fail_msg("%s", sg_error_text());
    assert_string_equal(seen.data, want);
    sg_text_clear(&seen);
}

static void expect_failure(const char *path, const char *assets, const char *words)
{
    sg_text seen = {0};
    assert_int_equal(sg_stac_each(path, assets, note, &seen), SG_EINPUT);
    assert_non_null(strstr(sg_error_text(), path));
    if (!strstr(sg_error_text(), words))
        fail_msg("expected \"%s\" in: %s", words, sg_error_text());
    assert_null(strchr(sg_error_text(), '\n'));
    sg_text_clear(&seen);
}

#define ITEM(id, assets) "{\"type\":\"Feature\",\"id\":\"" id "\",\"assets\":{" assets "}}"
#define TIFF "image/tiff; application=geotiff; profile=cloud-optimized"
#define ASSET(name, href, type, role)                                                              \
    "\"" name "\":{\"href\":\"" href "\",\"type\":\"" type "\",\"roles\":[\"" role "\"]}"

static void an_item_with_one_raster_is_that(void **state)
{
    (void)state;
    write_text("a/item.json", "%s",
               ITEM("scene 1/x", ASSET("B", "./b.tif", TIFF, "data") "," ASSET(
                                     "thumbnail", "t.tif", TIFF, "thumbnail") ","
                                                                              "\"meta\":{\"href\":"
                                                                              "\"m.xml\"}"));
    expect("a/item.json", NULL, "scene 1_x: a/b.tif;");
    write_text("role.json", "%s",
               ITEM("r", "\"x\":{\"href\":\"/abs/x.vrt\",\"roles\":[\"data\"]},"
                         "\"y\":{\"href\":\"y.json\",\"type\":\"application/json\",\"roles\":["
                         "\"data\"]}"));
    expect("role.json", NULL, "r: /abs/x.vrt;");
    write_text("two.json", "%s",
               ITEM("t", ASSET("all", "../all.tif", "image/tiff",
                               "data") "," ASSET("visual", "v.tif", "image/tiff", "visual")));
    expect("two.json", NULL, "t: ../all.tif;");
}

static void names_choose_and_order_assets(void **state)
{
    (void)state;
    write_text("bands.json", "%s",
               ITEM("b", ASSET("red", "https://host/r.tif", TIFF, "data") "," ASSET(
                             "nir", "s3://bucket/n.tif", TIFF,
                             "data") "," ASSET("swir", "s.jp2", "image/jp2", "data")));
    expect("bands.json", "nir,red", "b: /vsis3/bucket/n.tif /vsicurl/https://host/r.tif;");
    expect("bands.json", "swir", "b: s.jp2;");
    expect_failure("bands.json", NULL, "several rasters: red, nir, swir; choose with --asset");
    expect_failure("bands.json", "nir,blue", "no asset 'blue'; it has: red, nir, swir");
    expect_failure("bands.json", "nir,", "no asset ''");
}

static void collections_name_items(void **state)
{
    (void)state;
    write_text("items.json", "{\"type\":\"FeatureCollection\",\"features\":[%s,%s]}",
               ITEM("one", ASSET("d", "1.tif", TIFF, "data")),
               ITEM("two", ASSET("d", "2.tif", TIFF, "data")));
    expect("items.json", NULL, "one: 1.tif;two: 2.tif;");
    write_text("a/far.json", "%s", ITEM("far", ASSET("d", "f.tif", TIFF, "data")));
    write_text("collection.json",
               "{\"type\":\"Collection\",\"id\":\"c\",\"links\":[{\"rel\":\"self\",\"href\":"
               "\"collection.json\"},{\"rel\":\"item\",\"href\":\"./a/far.json\"}]}");
    expect("collection.json", NULL, "far: a/f.tif;");
}

static void what_is_none_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        {"", "is no JSON"},
        {"{\"type\":\"Feature\"", "it ends early"},
        {"[1,2", "is no JSON"},
        {"{\"type\": nonsense}", "is no JSON"},
        {"[]", "its type is ''"},
        {"3 ", "its type is ''"},
        {"null ", "its type is ''"},
        {"{\"type\":[\"Feature\"]}", "its type is ''"},
        {"{\"type\":\"Catalog\",\"links\":[]}", "its type is 'Catalog'"},
        {"{\"type\":\"Feature\",\"id\":7}", "has no assets"},
        {"{\"type\":\"Feature\",\"assets\":[]}", "has no assets"},
        {"{\"type\":\"Feature\",\"assets\":{}}", "no asset that is a raster; its assets: none"},
        {"{\"type\":\"Feature\",\"assets\":{\"a\":null,\"b\":{\"href\":3,\"roles\":[null]}}}",
         "its assets: a, b"},
        {"{\"type\":\"FeatureCollection\",\"features\":[]}", "names no item"},
        {"{\"type\":\"FeatureCollection\",\"features\":{}}", "names no item"},
        {"{\"type\":\"FeatureCollection\",\"features\":[null]}", "has no assets"},
        {"{\"type\":\"Collection\"}", "names no item"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        write_text("wrong.json", "%s", wrong[i][0]);
        expect_failure("wrong.json", NULL, wrong[i][1]);
    }
    expect_failure("absent.json", NULL, "cannot be read");
    write_text(
        "lost.json",
        "{\"type\":\"Collection\",\"links\":[{\"rel\":\"item\",\"href\":\"lost_item.json\"}]}");
    sg_text seen = {0};
    assert_int_equal(sg_stac_each("lost.json", NULL, note, &seen), SG_EINPUT);
    assert_non_null(strstr(sg_error_text(), "lost_item.json"));
}

/* Every file that is cut short, and many with a wrong byte: an error or the same, nothing worse. */
static void damaged_files_do_no_harm(void **state)
{
    (void)state;
    static const char whole[] = "{\"type\":\"FeatureCollection\",\"features\":[" ITEM(
        "q", ASSET("d", "1.tif", TIFF, "data")) "]}";
    for (size_t cut = 0; cut < sizeof whole - 1; cut++) {
        sg_text seen = {0};
        write_text("cut.json", "%.*s", (int)cut, whole);
        assert_int_equal(sg_stac_each("cut.json", NULL, note, &seen), SG_EINPUT);
        sg_text_clear(&seen);
    }
    uint32_t random = 5;
    for (int i = 0; i < 400; i++) {
        char text[sizeof whole];
        sg_text seen = {0};
        memcpy(text, whole, sizeof whole);
        text[made_random(&random, sizeof whole - 1)] = (char)(1 + made_random(&random, 255));
        write_text("odd.json", "%s", text);
        (void)sg_stac_each("odd.json", NULL, note, &seen);
        sg_text_clear(&seen);
    }
    /* As deep as nobody writes. */
    char deep[2001];
    memset(deep, '[', 2000);
    deep[2000] = '\0';
    write_text("deep.json", "%s", deep);
    expect_failure("deep.json", NULL, "is no JSON");
}

static void references_are_resolved(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"/x/list.txt", "a.tif", "/x/a.tif"},
        {"list.txt", "./a.tif", "a.tif"},
        {"d/list.txt", "../a.tif", "d/../a.tif"},
        {"d/list.txt", "/a.tif", "/a.tif"},
        {"d/list.txt", "/vsizip/b.zip/a.tif", "/vsizip/b.zip/a.tif"},
        {"d/list.txt", "file:///a.tif", "/a.tif"},
        {"d/list.txt", "gs://b/a.tif", "/vsigs/b/a.tif"},
        {"/vsicurl/https://h/c/item.json", "../a.tif", "/vsicurl/https://h/c/../a.tif"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char path[SG_PATH_MAX];
        assert_int_equal(sg_path_beside(path, cases[i][0], cases[i][1]), SG_OK);
        assert_string_equal(path, cases[i][2]);
    }
}

static int prepare(void **state)
{
    return tempdir_make(state) || chdir(*state) != 0 || sg_make_folders("a") != SG_OK;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_item_with_one_raster_is_that),
        cmocka_unit_test(names_choose_and_order_assets),
        cmocka_unit_test(collections_name_items),
        cmocka_unit_test(what_is_none_is_refused),
        cmocka_unit_test(damaged_files_do_no_harm),
        cmocka_unit_test(references_are_resolved),
    };
    sg_gdal_start(1 << 20);
    return cmocka_run_group_tests_name("stac", tests, prepare, tempdir_remove);
}
