/* Safetensors files: all number formats, what is written comes back, and whatever is wrong with a
 * file is refused with its name, without touching what lies outside of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/tempdir.h"

#include <math.h>

#include "data/safetensors.h"

static void put_file(const char *path, uint64_t length, const char *header, const void *values,
                     size_t bytes)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    for (int i = 0; i < 8; i++)
        fputc((int)(length >> 8 * i & 255), file);
    fwrite(header, 1, strlen(header), file);
    fwrite(values, 1, bytes, file);
    assert_int_equal(fclose(file), 0);
}

static void put(const char *path, const char *header, const void *values, size_t bytes)
{
    put_file(path, strlen(header), header, values, bytes);
}

/* Numbers of every format, by their bits: IEEE 754 tells what they are. */
static void formats_are_read(void **state)
{
    static const uint8_t bytes[] = {
        0,    0,    0x80, 0x3f, 0,    0,    0x20, 0xc1, /* f32: 1, -10 */
        0,    0x3c, 1,    0,    0xff, 0x7b, 0,    0x80, /* f16: 1, 2^-24, 65504, -0 */
        0x80, 0x3f, 0x49, 0xc0,                         /* bf16: 1, -3.140625 */
        0,    0,    0,    0,    0,    0,    0xf8, 0x3f, /* f64: 1.5 */
        7,    0,    0,    0,    0,    0,    0,    0     /* i64 */
    };
    char path[TEMPDIR_PATH];
    float v[4];
    sg_safetensors *file = NULL;
    put(tempdir_path(state, "all.safetensors", path),
        "{\"__metadata__\":{\"format\":\"pt\"},"
        "\"d\":{\"dtype\":\"F64\",\"shape\":[],\"data_offsets\":[20,28]},"
        "\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
        "\"b\":{\"dtype\":\"F16\",\"shape\":[2,2],\"data_offsets\":[8,16]},"
        "\"c\":{\"dtype\":\"BF16\",\"shape\":[1,2,1],\"data_offsets\":[16,20]},"
        "\"n\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[28,36]}}   ",
        bytes, sizeof bytes);
    assert_int_equal(sg_safetensors_open(&file, path), SG_OK);
    assert_int_equal(sg_safetensors_count(file), 5);
    assert_string_equal(sg_safetensors_at(file, 0)->name, "a");
    assert_int_equal(sg_safetensors_read(file, sg_safetensors_find(file, "a"), v), SG_OK);
    assert_true(v[0] == 1 && v[1] == -10);
    const sg_safetensor *b = sg_safetensors_find(file, "b");
    assert_true(b->dims == 2 && b->dim[0] == 2 && b->dim[1] == 2);
    assert_int_equal(sg_safetensors_read(file, b, v), SG_OK);
    assert_true(v[0] == 1 && v[1] == ldexpf(1, -24) && v[2] == 65504 && v[3] == 0);
    assert_true(signbit(v[3]));
    assert_int_equal(sg_safetensors_read(file, sg_safetensors_find(file, "c"), v), SG_OK);
    assert_true(v[0] == 1 && v[1] == -3.140625f);
    assert_int_equal(sg_safetensors_read(file, sg_safetensors_find(file, "d"), v), SG_OK);
    assert_true(v[0] == 1.5f);
    assert_int_equal(sg_safetensors_read(file, sg_safetensors_find(file, "n"), v), SG_EINPUT);
    assert_null(sg_safetensors_find(file, "e"));
    sg_safetensors_close(file);
}

static void what_is_written_comes_back(void **state)
{
    const sg_safetensor tensor[] = {{.name = "w\"eiß", .dims = 2, .dim = {2, 3}},
                                    {.name = "none", .dims = 2, .dim = {0, 3}},
                                    {.name = "x", .dims = 1, .dim = {1}}};
    const float values[] = {1, 2, 3, 4, 5, 1e-38f, 7};
    float back[6];
    char path[TEMPDIR_PATH];
    sg_safetensors_writer *writer = NULL;
    sg_safetensors *file = NULL;
    tempdir_path(state, "written.safetensors", path);
    assert_int_equal(sg_safetensors_create(&writer, path, tensor, 3), SG_OK);
    assert_int_equal(access(path, F_OK), -1); /* not before it is whole */
    assert_int_equal(sg_safetensors_put(writer, values, 6), SG_OK);
    assert_int_equal(sg_safetensors_put(writer, values + 6, 1), SG_OK);
    assert_int_equal(sg_safetensors_commit(writer), SG_OK);
    assert_int_equal(sg_safetensors_open(&file, path), SG_OK);
    assert_int_equal(sg_safetensors_count(file), 3);
    const sg_safetensor *w = sg_safetensors_find(file, "w\"eiß");
    assert_non_null(w);
    assert_int_equal(w->begin % 8, 0);
    assert_int_equal(sg_safetensors_read(file, w, back), SG_OK);
    assert_memory_equal(back, values, sizeof back);
    assert_int_equal(sg_safetensors_read(file, sg_safetensors_find(file, "none"), back), SG_OK);
    sg_safetensors_close(file);
    assert_int_equal(sg_safetensors_create(&writer, "/nowhere/x.safetensors", tensor, 3),
                     SG_EOUTPUT);
}

static void refused(const char *path, const char *words)
{
    sg_safetensors *file = NULL;
    assert_int_equal(sg_safetensors_open(&file, path), SG_EINPUT);
    assert_null(file);
    if (!strstr(sg_error_text(), words) || !strstr(sg_error_text(), "bad.safetensors"))
        fail_msg("expected \"%s\" and the file in \"%s\"", words, sg_error_text());
}

/* A header that does not fit a file with 8 bytes of values. */
static void refused_header(void **state, const char *header, const char *words)
{
    char path[TEMPDIR_PATH];
    put(tempdir_path(state, "bad.safetensors", path), header, "12345678", 8);
    refused(path, words);
}

static void hostile_lengths_are_refused(void **state)
{
    static const uint64_t lengths[] = {
        0, 1, 3, 1u << 24, 1u << 25, INT64_MAX, UINT64_MAX - 7, UINT64_MAX};
    char path[TEMPDIR_PATH];
    tempdir_path(state, "bad.safetensors", path);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        put_file(path, lengths[i], "{}", "", 0);
        refused(path, "header of");
    }
    FILE *file = fopen(path, "wb");
    fputs("abc", file);
    fclose(file);
    refused(path, "fewer than 8 bytes");
    put(path, "", "", 0);
    refused(path, "header of");
    assert_int_equal(sg_safetensors_open(&(sg_safetensors *){NULL}, *state), SG_EINPUT);
}

static void headers_that_are_no_header_are_refused(void **state)
{
    refused_header(state, "{\"a\":{\"dtype\":\"F32\"", "no JSON");
    refused_header(state, "{'a':1}", "no JSON");
    refused_header(state, "{} x", "not one JSON object");
    refused_header(state, "[1,2]   ", "not one JSON object");
    refused_header(state, "{\"a\xff\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
                   "no JSON");
    refused_header(state, "{\"\xc3\x28\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
                   "no JSON");
    refused_header(state, "{\"a\":[[[[[[[[[[[[[[1]]]]]]]]]]]]]]}", "no JSON");
    refused_header(state, "{}", "belong to no tensor");
    refused_header(state, "{\"a\":3}", "tensor 'a' is of a type");
}

#define TENSOR(name, dtype, shape, range)                                                          \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" range "}"

static void tensors_that_lie_are_refused(void **state)
{
    refused_header(state, "{" TENSOR("a", "F31", "[2]", "[0,8]") "}", "type that is not known");
    refused_header(state, "{" TENSOR("a", "F32", "[3]", "[0,8]") "}", "as many bytes");
    refused_header(state, "{" TENSOR("a", "F32", "[2]", "[0,12]") "}", "outside of the file");
    refused_header(state, "{" TENSOR("a", "F32", "[2]", "[8,0]") "}", "outside of the file");
    refused_header(state, "{" TENSOR("a", "F32", "[2]", "[-8,0]") "}", "data_offsets");
    refused_header(state, "{" TENSOR("a", "F32", "[2]", "[0,1e1]") "}", "data_offsets");
    refused_header(state, "{" TENSOR("a", "F32", "[2]", "[0]") "}", "data_offsets");
    refused_header(state, "{" TENSOR("a", "F32", "[2]", "[0,99999999999999999999999]") "}",
                   "tensor 'a'");
    refused_header(state, "{" TENSOR("a", "F32", "[2]", "[18446744073709551608,8]") "}",
                   "data_offsets");
    refused_header(state, "{" TENSOR("a", "F32", "[-2]", "[0,8]") "}", "no size");
    refused_header(state, "{" TENSOR("a", "F32", "[2.0]", "[0,8]") "}", "no size");
    refused_header(state, "{" TENSOR("a", "F32", "[\"2\"]", "[0,8]") "}", "no size");
    refused_header(state, "{" TENSOR("a", "F32", "2", "[0,8]") "}", "no shape");
    refused_header(state, "{" TENSOR("a", "F32", "[1,1,1,1,1,1,1,1,2]", "[0,8]") "}",
                   "more than 8 dimensions");
    refused_header(state, "{" TENSOR("a", "F32", "[4294967296,4294967296,4294967296]", "[0,8]") "}",
                   "overflows");
    refused_header(state, "{" TENSOR("a", "F32", "[4611686018427387906]", "[0,8]") "}",
                   "as many bytes"); /* times 4 it is 8 */
}

static void gaps_overlaps_and_doubles_are_refused(void **state)
{
    refused_header(state, "{" TENSOR("a", "F32", "[1]", "[0,4]") "}", "belong to no tensor");
    refused_header(state, "{" TENSOR("a", "F32", "[1]", "[4,8]") "}", "bytes before it");
    refused_header(
        state, "{" TENSOR("a", "F32", "[2]", "[0,8]") "," TENSOR("b", "F32", "[1]", "[4,8]") "}",
        "overlaps");
    refused_header(
        state, "{" TENSOR("a", "F32", "[2]", "[0,8]") "," TENSOR("a", "F32", "[2]", "[0,8]") "}",
        "stands twice");
    refused_header(state,
                   "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"shape\":[2],"
                   "\"data_offsets\":[0,8]}}",
                   "stands twice");
}

/* A file cut at any byte is refused when it is opened. */
static void cut_files_are_refused(void **state)
{
    const char *header = "{" TENSOR("a", "F32", "[2]", "[0,8]") "}";
    char path[TEMPDIR_PATH];
    sg_safetensors *file = NULL;
    put(tempdir_path(state, "bad.safetensors", path), header, "12345678", 8);
    for (long size = (long)(8 + strlen(header) + 7); size >= 0; size--) {
        assert_int_equal(truncate(path, size), 0);
        assert_int_equal(sg_safetensors_open(&file, path), SG_EINPUT);
    }
}

static void values_that_are_no_numbers_are_refused(void **state)
{
    static const uint8_t values[] = {0, 0, 0xc0, 0x7f, 0, 0, 0x80, 0x7f};
    char path[TEMPDIR_PATH];
    float back[2];
    sg_safetensors *file = NULL;
    put(tempdir_path(state, "nan.safetensors", path),
        "{" TENSOR("a", "F32", "[1]", "[0,4]") "," TENSOR("b", "BF16", "[2]", "[4,8]") "}", values,
        8);
    assert_int_equal(sg_safetensors_open(&file, path), SG_OK);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(sg_safetensors_read(file, sg_safetensors_at(file, i), back), SG_EINPUT);
        assert_non_null(strstr(sg_error_text(), "not finite"));
    }
    sg_safetensors_close(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats_are_read),
        cmocka_unit_test(what_is_written_comes_back),
        cmocka_unit_test(hostile_lengths_are_refused),
        cmocka_unit_test(headers_that_are_no_header_are_refused),
        cmocka_unit_test(tensors_that_lie_are_refused),
        cmocka_unit_test(gaps_overlaps_and_doubles_are_refused),
        cmocka_unit_test(cut_files_are_refused),
        cmocka_unit_test(values_that_are_no_numbers_are_refused),
    };
    return cmocka_run_group_tests(tests, tempdir_make, tempdir_remove);
}
