/* Weights to start from: what is taken of a file, how the first layer is made for other bands and
 * the last for other classes, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/tempdir.h"

#include <math.h>

#include "base/size.h"
#include "data/safetensors.h"
#include "model/model.h"
#include "train/checkpoint.h"
#include "train/init.h"

/* A network with its spec and random weights. */
typedef struct {
    sg_checkpoint c;
} made;

static void make(made *m, const char *net, const char *classes, uint64_t seed)
{
    sg_model_options options = sg_model_defaults();
    char copy[128], *rest = copy, *name;
    *m = (made){.c = {.position = {.ranks = 1, .batch = 1, .best = -1}, .scores_miou = NAN}};
    snprintf(copy, sizeof copy, "%s", classes);
    while ((name = strsep(&rest, " "))) {
        sg_class *class = &m->c.spec.classes.item[m->c.spec.classes.count++];
        snprintf(class->name, sizeof class->name, "%s", name);
        class->value = m->c.spec.classes.count;
    }
    assert_int_equal(sg_classes_complete(&m->c.spec.classes), SG_OK);
    assert_int_equal(sg_model_parse(net, &options), SG_OK);
    options.classes = m->c.spec.classes.count;
    m->c.spec.bands = options.bands;
    for (int32_t b = 0; b < options.bands; b++) {
        m->c.spec.band[b] = b + 1;
        m->c.spec.std[b] = 1;
    }
    assert_int_equal(sg_model_build(&options, &m->c.graph), SG_OK);
    assert_int_equal(sg_params_create(m->c.graph, &m->c.params), SG_OK);
    assert_int_equal(sg_params_init(m->c.graph, m->c.params, seed), SG_OK);
}

static void save(made *m, void **state, const char *name, char path[TEMPDIR_PATH])
{
    assert_int_equal(sg_checkpoint_save(&m->c, tempdir_path(state, name, path)), SG_OK);
}

static const sg_param_info *find(const made *m, const char *name)
{
    for (int32_t i = 0; i < m->c.graph->param_count; i++)
        if (strcmp(m->c.graph->param[i].name, name) == 0)
            return &m->c.graph->param[i];
    fail_msg("no parameter %s", name);
    return NULL;
}

static float *values(const made *m, const char *name)
{
    return sg_params_values(m->c.params, (int32_t)(find(m, name) - m->c.graph->param));
}

static sg_err init(made *m, const char *path, sg_init_bands bands, char *const *role, size_t roles,
                   sg_init_report *report)
{
    const sg_init_options options = {path, bands, role, roles};
    return sg_init_params(&options, m->c.graph, &m->c.spec, m->c.params, report);
}

static void the_same_arrangement_is_taken_whole(void **state)
{
    made a, b;
    char path[TEMPDIR_PATH];
    sg_init_report r;
    make(&a, "unet,width=4,depth=2,bands=3", "x y", 1);
    make(&b, "unet,width=4,depth=2,bands=3", "x y", 2);
    save(&a, state, "a.h5", path);
    assert_int_equal(init(&b, path, SG_INIT_BANDS_AUTO, NULL, 0, &r), SG_OK);
    assert_int_equal(r.loaded, a.c.graph->param_count);
    assert_int_equal(r.adapted + r.kept + r.unused, 0);
    for (int32_t i = 0; i < a.c.graph->param_count; i++)
        assert_memory_equal(sg_params_values(a.c.params, i), sg_params_values(b.c.params, i),
                            a.c.graph->param[i].count * sizeof(float));
    sg_checkpoint_close(&a.c);
    sg_checkpoint_close(&b.c);
}

/* The first layer for 5 bands from 3 channels: weight[band] = sum of mix[band][channel] * channel,
 * and all other layers as they were. */
static void check_bands(void **state, sg_init_bands how, char *const *role, size_t roles,
                        float mix[5][3])
{
    made a, b;
    char path[TEMPDIR_PATH];
    sg_init_report r;
    make(&a, "unet,width=4,depth=2,bands=3", "x y", 1);
    make(&b, "unet,width=4,depth=2,bands=5", "x y", 2);
    save(&a, state, "a.h5", path);
    assert_int_equal(init(&b, path, how, role, roles, &r), SG_OK);
    assert_int_equal(r.loaded, a.c.graph->param_count - 1);
    assert_int_equal(r.adapted, 1);
    const float *from = values(&a, "encoder0.conv1.weight"),
                *to = values(&b, "encoder0.conv1.weight");
    for (int row = 0; row < 4 * 9; row++)
        for (int band = 0; band < 5; band++) {
            float want = 0;
            for (int c = 0; c < 3; c++)
                want += mix[band][c] * from[row * 3 + c];
            assert_true(fabsf(want - to[row * 5 + band]) < 1e-6f);
        }
    sg_checkpoint_close(&a.c);
    sg_checkpoint_close(&b.c);
}

#define T (1.0f / 3)
#define S (3.0f / 5)

static void bands_are_adapted(void **state)
{
    static char red[] = "red", green[] = "green", blue[] = "3", mean[] = "mean", none[] = "none";
    char *const role[] = {blue, green, red, mean, none};
    float all_mean[5][3] = {{S * T, S * T, S * T},
                            {S * T, S * T, S * T},
                            {S * T, S * T, S * T},
                            {S * T, S * T, S * T},
                            {S * T, S * T, S * T}};
    float first[5][3] = {
        {S, 0, 0}, {0, S, 0}, {0, 0, S}, {S * T, S * T, S * T}, {S * T, S * T, S * T}};
    float cyclic[5][3] = {{S, 0, 0}, {0, S, 0}, {0, 0, S}, {S, 0, 0}, {0, S, 0}};
    float match[5][3] = {{0, 0, .75f}, {0, .75f, 0}, {.75f, 0, 0}, {.25f, .25f, .25f}, {0}};
    check_bands(state, SG_INIT_BANDS_AUTO, NULL, 0, all_mean);
    check_bands(state, SG_INIT_BANDS_MEAN, NULL, 0, all_mean);
    check_bands(state, SG_INIT_BANDS_FIRST, NULL, 0, first);
    check_bands(state, SG_INIT_BANDS_CYCLIC, NULL, 0, cyclic);
    check_bands(state, SG_INIT_BANDS_MATCH, role, 5, match);
}

static void wrong_roles_are_refused(void **state)
{
    static char red[] = "red", four[] = "4", infrared[] = "nir", none[] = "none";
    char *const few[] = {red}, *const far[] = {red, four}, *const odd[] = {infrared, red},
                *const nothing[] = {none, none};
    const struct {
        char *const *role;
        size_t roles;
        const char *words;
    } wrong[] = {{few, 1, "1 roles for 2 bands"},
                 {far, 2, "'4' is channel 4"},
                 {odd, 2, "'nir' is no role"},
                 {nothing, 2, "no band has a role"}};
    made a, b;
    char path[TEMPDIR_PATH];
    sg_init_report r;
    make(&a, "unet,width=4,depth=2,bands=3", "x y", 1);
    make(&b, "unet,width=4,depth=2,bands=2", "x y", 2);
    save(&a, state, "a.h5", path);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(init(&b, path, SG_INIT_BANDS_MATCH, wrong[i].role, wrong[i].roles, &r),
                         SG_EUSAGE);
        assert_non_null(strstr(sg_error_text(), wrong[i].words));
    }
    sg_checkpoint_close(&a.c);
    sg_checkpoint_close(&b.c);
}

/* Classes "water" and "forest" change places and get company. */
static void classes_are_taken_by_name(void **state)
{
    made a, b, fresh;
    char path[TEMPDIR_PATH];
    sg_init_report r;
    make(&a, "fcn8s,width=8,bands=3", "water forest road", 1);
    make(&b, "fcn8s,width=8,bands=3", "forest city water ice", 2);
    make(&fresh, "fcn8s,width=8,bands=3", "forest city water ice", 2);
    save(&a, state, "a.h5", path);
    assert_int_equal(init(&b, path, SG_INIT_BANDS_AUTO, NULL, 0, &r), SG_OK);
    static const int map[] = {1, -1, 0, -1};
    const char *const names[] = {"score5.weight", "score4.weight", "score3.weight", "score5.bias"};
    assert_int_equal(r.adapted, 10); /* three scores and two transposed ones, with biases */
    assert_int_equal(r.kept, 0);
    for (size_t n = 0; n < 4; n++) {
        const sg_param_info *info = find(&b, names[n]);
        size_t row = info->count / 4;
        for (size_t c = 0; c < 4; c++) {
            const float *want = map[c] < 0 ? values(&fresh, names[n]) + c * row
                                           : values(&a, names[n]) + (size_t)map[c] * row;
            assert_memory_equal(values(&b, names[n]) + c * row, want, row * sizeof(float));
        }
    }
    for (int o = 0; o < 4; o++) /* (out, 4, 4, in), classes in both */
        for (int p = 0; p < 16; p++)
            for (int i = 0; i < 4; i++) {
                bool known = map[o] >= 0 && map[i] >= 0;
                float want = known ? values(&a, "up4.weight")[(map[o] * 16 + p) * 3 + map[i]]
                                   : values(&fresh, "up4.weight")[(o * 16 + p) * 4 + i];
                assert_true(values(&b, "up4.weight")[(o * 16 + p) * 4 + i] == want);
            }
    sg_checkpoint_close(&a.c);
    sg_checkpoint_close(&b.c);
    sg_checkpoint_close(&fresh.c);
}

static void another_arrangement_gives_what_fits(void **state)
{
    made a, b;
    char path[TEMPDIR_PATH];
    sg_init_report r;
    make(&a, "deeplabv3+,encoder=resnet18,width=8,bands=3", "x y", 1);
    make(&b, "unet,encoder=resnet18,width=4,bands=3", "x y", 2);
    save(&a, state, "a.h5", path);
    assert_int_equal(init(&b, path, SG_INIT_BANDS_AUTO, NULL, 0, &r), SG_OK);
    assert_int_equal(r.loaded, 20 * 5 + 1); /* convolutions with their norms; the head's bias */
    assert_true(r.kept > 0 && r.unused > 0);
    assert_memory_equal(values(&a, "encoder.layer4.1.bn2.variance"),
                        values(&b, "encoder.layer4.1.bn2.variance"), 512 * sizeof(float));
    sg_checkpoint_close(&b.c);
    make(&b, "unet,width=3,depth=1,bands=3", "u v w", 2);
    assert_int_equal(init(&b, path, SG_INIT_BANDS_AUTO, NULL, 0, &r), SG_EINPUT);
    assert_non_null(strstr(sg_error_text(), "a.h5: none of its"));
    sg_checkpoint_close(&a.c);
    sg_checkpoint_close(&b.c);
}

static void put_tensor(const char *path, const char *name, int32_t dims, const int64_t *dim)
{
    sg_safetensor t = {.name = name, .dims = dims};
    sg_safetensors_writer *writer = NULL;
    size_t count = 1;
    float *numbers = NULL;
    for (int32_t d = 0; d < dims; d++) {
        t.dim[d] = dim[d];
        count *= (size_t)dim[d];
    }
    assert_int_equal(sg_calloc(count, sizeof(float), &numbers), SG_OK);
    assert_int_equal(sg_safetensors_create(&writer, path, &t, 1), SG_OK);
    assert_int_equal(sg_safetensors_put(writer, numbers, count), SG_OK);
    assert_int_equal(sg_safetensors_commit(writer), SG_OK);
    sg_free(numbers);
}

static void another_encoder_is_refused(void **state)
{
    made b;
    char path[TEMPDIR_PATH];
    sg_init_report r;
    make(&b, "unet,encoder=resnet18,width=4,bands=3", "x y", 2);
    tempdir_path(state, "x.safetensors", path);
    put_tensor(path, "layer1.0.conv1.weight", 4, (int64_t[]){64, 64, 1, 1});
    assert_int_equal(init(&b, path, SG_INIT_BANDS_AUTO, NULL, 0, &r), SG_EINPUT);
    assert_non_null(strstr(sg_error_text(), "x.safetensors: tensor 'layer1.0.conv1.weight' is 64"));
    assert_non_null(strstr(sg_error_text(), "model.encoder"));
    put_tensor(path, "conv1.weight", 1, (int64_t[]){64});
    assert_int_equal(init(&b, path, SG_INIT_BANDS_AUTO, NULL, 0, &r), SG_EINPUT);
    put_tensor(path, "blocks.0.attn.weight", 1, (int64_t[]){64});
    assert_int_equal(init(&b, path, SG_INIT_BANDS_AUTO, NULL, 0, &r), SG_EINPUT);
    assert_non_null(strstr(sg_error_text(), "'blocks.0.attn.weight'"));
    assert_int_equal(init(&b, "absent.h5", SG_INIT_BANDS_AUTO, NULL, 0, &r), SG_EINPUT);
    sg_checkpoint_close(&b.c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_arrangement_is_taken_whole),
        cmocka_unit_test(bands_are_adapted),
        cmocka_unit_test(wrong_roles_are_refused),
        cmocka_unit_test(classes_are_taken_by_name),
        cmocka_unit_test(another_arrangement_gives_what_fits),
        cmocka_unit_test(another_encoder_is_refused),
    };
    return cmocka_run_group_tests(tests, tempdir_make, tempdir_remove);
}
