/* Stores: what is put comes back; damage anywhere is an error or changes nothing; no half file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/file.h"
#include "base/size.h"
#include "data/store.h"

static char folder[64];
static const float weights[6] = {1.5f, -2.25f, 0, 3e-30f, 1e30f, 7};
static const int64_t counts[3] = {-1, 0, INT64_MAX};

static int make_folder(void **state)
{
    snprintf(folder, sizeof folder, "/tmp/test_store_XXXXXX");
    return mkdtemp(folder) ? 0 : 1;
}

static int files_in_folder(void)
{
    int count = 0;
    DIR *dir = opendir(folder);
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
        count += entry->d_name[0] != '.';
    closedir(dir);
    return count;
}

static int remove_folder(void **state)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

static void path_of(char *path, const char *name)
{
    assert_int_equal(sg_path_format(path, "%s/%s", folder, name), SG_OK);
}

static void write_sample(const char *path)
{
    sg_store_file *store = NULL;
    const int64_t dim[2] = {2, 3}, three[1] = {3};
    assert_int_equal(sg_store_create(&store, path), SG_OK);
    assert_int_equal(sg_store_put(store, "a/b/weights", SG_STORE_F32, 2, dim, weights), SG_OK);
    assert_int_equal(sg_store_put(store, "a/counts", SG_STORE_I64, 1, three, counts), SG_OK);
    assert_int_equal(sg_store_put_text(store, "job", "net: unet # gr\xc3\xbc\xc3\x9f\n"), SG_OK);
    assert_int_equal(sg_store_put_text(store, "empty", ""), SG_OK);
    assert_int_equal(sg_store_put_i64(store, "step", 42), SG_OK);
    assert_int_equal(sg_store_put_f64(store, "best", -0.125), SG_OK);
    assert_int_equal(sg_store_commit(store), SG_OK);
}

/* Read all; the first error, or SG_OK when everything is as written. */
static sg_err read_sample(const char *path)
{
    sg_store_file *store = NULL;
    float w[6];
    int64_t c[3], step = 0, dim[4];
    double best = 0;
    char *job = NULL, *empty = NULL;
    sg_err err = sg_store_open(&store, path);
    if (err)
        return err;
    err = sg_store_shape(store, "a/b/weights", dim);
    if (!err)
        err = sg_store_get(store, "a/b/weights", SG_STORE_F32, 6, w);
    if (!err)
        err = sg_store_get(store, "a/counts", SG_STORE_I64, 3, c);
    if (!err)
        err = sg_store_get_text(store, "job", &job);
    if (!err)
        err = sg_store_get_text(store, "empty", &empty);
    if (!err)
        err = sg_store_get_i64(store, "step", &step);
    if (!err)
        err = sg_store_get_f64(store, "best", &best);
    if (!err) {
        const int64_t wanted[4] = {2, 3, 1, 1};
        assert_memory_equal(dim, wanted, sizeof dim);
        assert_memory_equal(w, weights, sizeof w);
        assert_memory_equal(c, counts, sizeof c);
        assert_string_equal(job, "net: unet # gr\xc3\xbc\xc3\x9f\n");
        assert_string_equal(empty, "");
        assert_int_equal(step, 42);
        assert_true(best == -0.125);
    }
    sg_free(job);
    sg_free(empty);
    sg_store_close(store);
    return err;
}

static void what_is_put_comes_back(void **state)
{
    char path[SG_PATH_MAX];
    path_of(path, "round.h5");
    write_sample(path);
    assert_int_equal(read_sample(path), SG_OK);
}

static size_t slurp(const char *path, unsigned char **bytes)
{
    FILE *file = fopen(path, "rb");
    size_t size;
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    size = (size_t)ftell(file);
    rewind(file);
    *bytes = malloc(size);
    assert_int_equal(fread(*bytes, 1, size, file), size);
    fclose(file);
    return size;
}

static void spill(const char *path, const unsigned char *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    fclose(file);
}

static void equal_content_makes_equal_bytes(void **state)
{
    char one[SG_PATH_MAX], two[SG_PATH_MAX];
    unsigned char *a, *b;
    size_t size;
    path_of(one, "one.h5");
    path_of(two, "two.h5");
    write_sample(one);
    usleep(1100000); /* HDF5 keeps times in seconds */
    write_sample(two);
    size = slurp(one, &a);
    assert_int_equal(slurp(two, &b), size);
    assert_memory_equal(a, b, size);
    free(a);
    free(b);
}

static void truncated_files_are_refused(void **state)
{
    char path[SG_PATH_MAX], cut[SG_PATH_MAX];
    unsigned char *bytes;
    size_t size;
    path_of(path, "whole.h5");
    path_of(cut, "cut.h5");
    write_sample(path);
    size = slurp(path, &bytes);
    for (size_t length = 0; length < size; length += length < 1200 ? 7 : 131) {
        spill(cut, bytes, length);
        assert_int_equal(read_sample(cut), SG_EINPUT);
        assert_non_null(strstr(sg_error_text(), "cut.h5"));
    }
    free(bytes);
}

/* read_sample holds what it returns SG_OK for against what was written. */
static void a_flipped_bit_is_seen_or_harmless(void **state)
{
    char path[SG_PATH_MAX], bad[SG_PATH_MAX];
    unsigned char *bytes;
    size_t size, refused = 0;
    path_of(path, "whole.h5");
    path_of(bad, "bad.h5");
    write_sample(path);
    size = slurp(path, &bytes);
    for (size_t i = 0; i < size; i++) {
        bytes[i] ^= (unsigned char)(1u << (i % 8));
        spill(bad, bytes, size);
        sg_err err = read_sample(bad);
        assert_true(err == SG_OK || err == SG_EINPUT);
        refused += err != SG_OK;
        bytes[i] ^= (unsigned char)(1u << (i % 8));
    }
    assert_true(refused > size / 4);
    free(bytes);
}

static void what_is_no_hdf5_file_is_refused(void **state)
{
    char path[SG_PATH_MAX];
    path_of(path, "noise.h5");
    spill(path, (const unsigned char *)"not a file of this kind", 23);
    assert_int_equal(read_sample(path), SG_EINPUT);
    path_of(path, "absent.h5");
    assert_int_equal(read_sample(path), SG_EINPUT);
    assert_non_null(strstr(sg_error_text(), "no such file"));
    assert_int_equal(read_sample(folder), SG_EINPUT);
}

static void a_wrong_type_or_size_is_refused(void **state)
{
    char path[SG_PATH_MAX], *text;
    sg_store_file *store = NULL;
    float w[8];
    int64_t value;
    path_of(path, "types.h5");
    write_sample(path);
    assert_int_equal(sg_store_open(&store, path), SG_OK);
    assert_int_equal(sg_store_get(store, "a/b/weights", SG_STORE_F32, 5, w), SG_EINPUT);
    assert_int_equal(sg_store_get(store, "a/b/weights", SG_STORE_F32, 7, w), SG_EINPUT);
    assert_int_equal(sg_store_get(store, "a/b/weights", SG_STORE_U8, 6, w), SG_EINPUT);
    assert_int_equal(sg_store_get_i64(store, "best", &value), SG_EINPUT);
    assert_int_equal(sg_store_get_text(store, "a/counts", &text), SG_EINPUT);
    assert_int_equal(sg_store_get_text(store, "a", &text), SG_EINPUT);
    assert_int_equal(sg_store_get_i64(store, "nothing/here", &value), SG_EINPUT);
    assert_non_null(strstr(sg_error_text(), "nothing/here"));
    assert_true(sg_store_has(store, "a/b/weights") && sg_store_has(store, "a/b"));
    assert_false(sg_store_has(store, "a/b/x") || sg_store_has(store, "x/b") ||
                 sg_store_has(store, "a/b/weights/x"));
    sg_store_close(store);
}

static void an_unfinished_file_leaves_nothing(void **state)
{
    char path[SG_PATH_MAX];
    sg_store_file *store = NULL;
    int before = files_in_folder();
    path_of(path, "unfinished.h5");
    assert_int_equal(sg_store_create(&store, path), SG_OK);
    assert_int_equal(sg_store_put_i64(store, "step", 1), SG_OK);
    assert_false(sg_file_exists(path));
    sg_store_close(store);
    assert_int_equal(files_in_folder(), before);
}

static void a_missing_folder_is_an_output_error(void **state)
{
    char path[SG_PATH_MAX];
    sg_store_file *store = NULL;
    path_of(path, "no/such/folder.h5");
    assert_int_equal(sg_store_create(&store, path), SG_EOUTPUT);
    assert_null(store);
}

enum { BIG = 1 << 16 };

static sg_err write_big(const char *path, const float *values)
{
    sg_store_file *store = NULL;
    const int64_t dim[1] = {BIG};
    sg_err err = sg_store_create(&store, path);
    if (!err)
        err = sg_store_put(store, "big", SG_STORE_F32, 1, dim, values);
    if (!err)
        err = sg_store_put_text(store, "after", "the end");
    if (!err)
        return sg_store_commit(store);
    sg_store_close(store);
    return err;
}

/* The limit on file sizes stands in for a full disk: writes fail wherever it is met. */
static void a_full_disk_keeps_the_old_file(void **state)
{
    char path[SG_PATH_MAX];
    struct rlimit old, small;
    unsigned char *bytes;
    float *values = calloc(BIG, sizeof *values);
    size_t size;
    int before;
    path_of(path, "kept.h5");
    assert_int_equal(write_big(path, values), SG_OK);
    size = slurp(path, &bytes);
    before = files_in_folder();
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    small = old;
    for (size_t limit = 0; limit < size; limit += limit < 3000          ? 50
                                                  : limit < size - 3000 ? 9000
                                                                        : 50) {
        small.rlim_cur = limit;
        setrlimit(RLIMIT_FSIZE, &small);
        sg_err err = write_big(path, values);
        setrlimit(RLIMIT_FSIZE, &old);
        assert_int_equal(err, SG_EOUTPUT);
        assert_int_equal(files_in_folder(), before);
        assert_true(sg_file_exists(path));
    }
    free(bytes);
    assert_int_equal(write_big(path, values), SG_OK);
    free(values);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_put_comes_back),
        cmocka_unit_test(equal_content_makes_equal_bytes),
        cmocka_unit_test(truncated_files_are_refused),
        cmocka_unit_test(a_flipped_bit_is_seen_or_harmless),
        cmocka_unit_test(what_is_no_hdf5_file_is_refused),
        cmocka_unit_test(a_wrong_type_or_size_is_refused),
        cmocka_unit_test(an_unfinished_file_leaves_nothing),
        cmocka_unit_test(a_missing_folder_is_an_output_error),
        cmocka_unit_test(a_full_disk_keeps_the_old_file),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
