/* A staged copy reads as the scene reads. */
#include "made.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "data/stage.h"

enum { W = 1100, H = 40, BANDS = 3 }; /* two pieces of copying */
static const double nodata = 7;

static double holes(int band, int x, int y)
{
    return (x + 3 * y) % 50 == 0 && band == 1 ? nodata : made_ramp(band, x, y) + 10;
}

static double late_hole(int band, int x, int y)
{
    return x > 1050 && y > 30 ? nodata : made_ramp(band, x, y) + 10;
}

static double reals(int band, int x, int y)
{
    return x == y ? NAN : .37 * made_ramp(band, x, y) - 5;
}

static double alpha(int band, int x, int y)
{
    return band == 3 ? (x < 20 ? 0 : 255) : made_ramp(band, x, y);
}

static double labels(int band, int x, int y)
{
    return (x / 16 + y / 8) % 4; /* 0: no class, 1 .. 3 */
}

typedef struct {
    const char *folder;
    sg_spec spec;
    sg_scene scene;
    sg_scenes scenes;
} stage;

static void open_stage(stage *s, const char *folder, const made_raster *image)
{
    memset(s, 0, sizeof *s);
    s->folder = folder;
    snprintf(s->scene.image, sizeof s->scene.image, "%s/scene.tif", folder);
    snprintf(s->scene.label, sizeof s->scene.label, "%s/labels.tif", folder);
    make_raster(s->scene.image, image);
    make_raster(
        s->scene.label,
        &(made_raster){
            .w = W, .h = H, .crs = "EPSG:32618", .geotransform = north_up, .value = labels});
    s->spec = (sg_spec){.bands = BANDS, .band = {3, 1, 2}};
    s->spec.classes.count = 3;
    for (int i = 0; i < 3; i++) {
        snprintf(s->spec.classes.item[i].name, SG_CLASS_NAME_MAX, "class %d", i);
        s->spec.classes.item[i].value = i + 1;
    }
    s->scenes = (sg_scenes){&s->scene, 1, &s->spec, {.ignore = 2}, NULL};
}

static void read_all(const sg_scene *scene, const sg_spec *spec, const sg_label_options *options,
                     float *pixels, uint8_t *valid, uint8_t *classes)
{
    sg_raster *raster = NULL;
    sg_label *label = NULL;
    sg_window around = {-3, -2, W + 5, H + 4};
    if (sg_raster_open_spec(&raster, scene->image, spec) != SG_OK ||
        sg_label_open(&label, scene->label, raster, &spec->classes, options) != SG_OK ||
        sg_raster_read(raster, around, pixels, valid) != SG_OK ||
        sg_label_read(label, around, classes) != SG_OK)
        fail_msg("%s", sg_error_text());
    sg_label_close(label);
    sg_raster_close(raster);
}

enum { ALL = (W + 5) * (H + 4) };

static void check_copy(const stage *s, const char *type)
{
    static float pixels[2][ALL * BANDS];
    static uint8_t valid[2][ALL], classes[2][ALL];
    const sg_spec spec = sg_stage_spec(&s->spec);
    const sg_label_options options = sg_stage_label_options();
    sg_scene staged;
    int64_t made;
    if (sg_stage_scene(s->folder, &s->scenes, 0, &staged, &made) != SG_OK)
        fail_msg("%s", sg_error_text());
    assert_true(made > W * H);
    read_all(&s->scene, &s->spec, &s->scenes.label, pixels[0], valid[0], classes[0]);
    read_all(&staged, &spec, &options, pixels[1], valid[1], classes[1]);
    assert_memory_equal(pixels[0], pixels[1], sizeof pixels[0]);
    assert_memory_equal(valid[0], valid[1], sizeof valid[0]);
    assert_memory_equal(classes[0], classes[1], sizeof classes[0]);
    sg_raster *raster = open_made(staged.image);
    assert_string_equal(sg_raster_get_info(raster)->type, type);
    assert_int_equal(sg_raster_get_info(raster)->bands, BANDS);
    sg_raster_close(raster);
    sg_scene again;
    assert_int_equal(sg_stage_scene(s->folder, &s->scenes, 0, &again, &made), SG_OK);
    assert_int_equal(made, 0);
    assert_string_equal(again.image, staged.image);
}

static made_raster image_of(made_value value, GDALDataType type, const double *missing)
{
    return (made_raster){.w = W,
                         .h = H,
                         .bands = BANDS,
                         .type = type,
                         .crs = "EPSG:32618",
                         .geotransform = north_up,
                         .value = value,
                         .nodata = missing};
}

static void check(made_raster image, const char *type)
{
    void *folder = NULL;
    stage s;
    assert_int_equal(tempdir_make(&folder), 0);
    open_stage(&s, folder, &image);
    check_copy(&s, type);
    tempdir_remove(&folder);
}

static void copies_read_as_their_scenes(void **state)
{
    sg_gdal_start(1 << 20);
    check(image_of(NULL, GDT_Byte, NULL), "Byte");
    check(image_of(holes, GDT_Byte, &nodata), "Byte");
    check(image_of(late_hole, GDT_UInt16, &nodata), "UInt16");
    check(image_of(late_hole, GDT_Int16, &nodata), "Int16");
    check(image_of(holes, GDT_Int32, &nodata), "Float32");
    check(image_of(reals, GDT_Float32, NULL), "Float32");
    check(image_of(reals, GDT_Float64, NULL), "Float32");
    made_raster transparent = image_of(alpha, GDT_Byte, NULL);
    transparent.bands = 4;
    transparent.alpha = 4;
    check(transparent, "Byte");
}

/* Whatever changes what is read makes another copy. */
static void another_reading_is_another_copy(void **state)
{
    void *folder = NULL;
    made_raster image = image_of(NULL, GDT_Byte, NULL);
    sg_scene first, other;
    int64_t made;
    stage s;
    assert_int_equal(tempdir_make(&folder), 0);
    open_stage(&s, folder, &image);
    assert_int_equal(sg_stage_scene(folder, &s.scenes, 0, &first, &made), SG_OK);
    s.spec.band[0] = 2;
    assert_int_equal(sg_stage_scene(folder, &s.scenes, 0, &other, &made), SG_OK);
    assert_true(made > 0 && strcmp(first.image, other.image) != 0);
    s.spec.band[0] = 3;
    s.scenes.label.ignore = 1;
    assert_int_equal(sg_stage_scene(folder, &s.scenes, 0, &other, &made), SG_OK);
    assert_true(made > 0);
    s.scenes.label.ignore = 2;
    image.w++; /* the file is another one */
    make_raster(s.scene.image, &image);
    assert_int_equal(sg_stage_scene(folder, &s.scenes, 0, &other, &made), SG_OK);
    assert_true(made > 0 && strcmp(first.image, other.image) != 0);
    tempdir_remove(&folder);
    assert_int_equal(sg_stage_scene("/proc/nowhere", &s.scenes, 0, &other, &made), SG_EINPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies_read_as_their_scenes),
        cmocka_unit_test(another_reading_is_another_copy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
