/* Files: whole or absent, and errors that name them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/size.h"

static int setup(void **state)
{
    static char folder[] = "test_file_XXXXXX";
    *state = mkdtemp(folder);
    return *state ? 0 : -1;
}

static int teardown(void **state)
{
    char command[256];
    snprintf(command, sizeof command, "rm -rf '%s'", (char *)*state);
    return system(command);
}

static void text_written_is_text_read(void **state)
{
    char path[SG_PATH_MAX];
    char *text = NULL;
    sg_path_format(path, "%s/t.txt", (char *)*state);
    assert_int_equal(sg_file_write_text(path, "one\ntwo"), SG_OK);
    assert_int_equal(sg_file_write_text(path, ""), SG_OK); /* replaces */
    assert_int_equal(sg_file_read_text(path, &text), SG_OK);
    assert_string_equal(text, "");
    sg_free(text);
    assert_int_equal(sg_file_write_text(path, "three"), SG_OK);
    assert_int_equal(sg_file_read_text(path, &text), SG_OK);
    assert_string_equal(text, "three");
    sg_free(text);
}

static void long_texts_are_read_whole(void **state)
{
    char path[SG_PATH_MAX];
    char *text = NULL, *again = NULL;
    enum { LENGTH = 200001 };
    sg_path_format(path, "%s/long.txt", (char *)*state);
    assert_int_equal(sg_calloc(LENGTH + 1, 1, &text), SG_OK);
    for (int i = 0; i < LENGTH; i++) {
        text[i] = (char)('a' + i % 26);
    }
    assert_int_equal(sg_file_write_text(path, text), SG_OK);
    assert_int_equal(sg_file_read_text(path, &again), SG_OK);
    assert_string_equal(text, again);
    sg_free(text);
    sg_free(again);
}

static void reading_refuses_what_is_no_text(void **state)
{
    char path[SG_PATH_MAX];
    char *text = NULL;
    assert_int_equal(sg_file_read_text("absent/x", &text), SG_EINPUT);
    assert_string_equal(sg_error_text(), "absent/x: cannot be read: No such file or directory");
    assert_int_equal(sg_file_read_text(*state, &text), SG_EINPUT);
    sg_path_format(path, "%s/zero", (char *)*state);
    FILE *file = fopen(path, "w");
    assert_int_equal(fwrite("a\0b", 1, 3, file), 3);
    fclose(file);
    assert_int_equal(sg_file_read_text(path, &text), SG_EINPUT);
    assert_non_null(strstr(sg_error_text(), "is not a text file"));
    assert_int_equal(truncate(path, (16 << 20) + 1), 0);
    assert_int_equal(sg_file_read_text(path, &text), SG_EINPUT);
    assert_non_null(strstr(sg_error_text(), "16 MiB"));
    assert_null(text);
}

static void a_committed_file_has_its_name_and_no_other(void **state)
{
    char path[SG_PATH_MAX], temporary[SG_PATH_MAX], expected[SG_PATH_MAX];
    sg_path_format(path, "%s/out.h5", (char *)*state);
    sg_path_format(expected, "%s.tmp.%ld", path, (long)getpid());
    assert_int_equal(sg_file_temporary(path, temporary), SG_OK);
    assert_string_equal(temporary, expected);
    FILE *file = fopen(temporary, "w");
    fputs("x", file);
    fclose(file);
    assert_false(sg_file_exists(path));
    assert_int_equal(sg_file_commit(temporary, path), SG_OK);
    assert_true(sg_file_exists(path));
    assert_false(sg_file_exists(temporary));
    assert_int_equal(sg_file_commit(temporary, path), SG_EOUTPUT);
    file = fopen(temporary, "w");
    fclose(file);
    sg_file_discard(temporary);
    assert_false(sg_file_exists(temporary));
}

static void write_temporary(const char *path, const char *text)
{
    char temporary[SG_PATH_MAX];
    assert_int_equal(sg_file_temporary(path, temporary), SG_OK);
    FILE *file = fopen(temporary, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void assert_holds(const char *path, const char *expected)
{
    char *text = NULL;
    assert_int_equal(sg_file_read_text(path, &text), SG_OK);
    assert_string_equal(text, expected);
    sg_free(text);
}

static void a_file_that_is_replaced_stays_under_its_former_name(void **state)
{
    char path[SG_PATH_MAX], former[SG_PATH_MAX], temporary[SG_PATH_MAX];
    sg_path_format(path, "%s/last", (char *)*state);
    sg_path_format(former, "%s/previous", (char *)*state);
    assert_int_equal(sg_file_temporary(path, temporary), SG_OK);
    static const char *const text[] = {"one", "two", "three"};
    for (int i = 0; i < 3; i++) {
        write_temporary(path, text[i]);
        assert_int_equal(sg_file_replace(temporary, path, former), SG_OK);
        assert_holds(path, text[i]);
        if (i == 0)
            assert_false(sg_file_exists(former));
        else
            assert_holds(former, text[i - 1]);
    }
    /* Nothing to put there: both stay. */
    assert_int_equal(sg_file_replace(temporary, path, former), SG_EOUTPUT);
    assert_holds(path, "three");
    assert_holds(former, "two");
    assert_int_equal(sg_file_temporary(former, temporary), SG_OK);
    assert_false(sg_file_exists(temporary));
}

static void writing_where_nothing_can_be_written_is_an_output_error(void **state)
{
    assert_int_equal(sg_file_write_text("absent/x", "y"), SG_EOUTPUT);
    assert_string_equal(sg_error_text(), "absent/x: cannot be written: No such file or directory");
    if (sg_file_exists(
            "/dev/full")) { /* the temporary file cannot stand there, nor be left behind */
        assert_int_equal(sg_file_write_text("/dev/full/x", "y"), SG_EOUTPUT);
    }
}

static void folders_are_made_with_their_parents(void **state)
{
    char path[SG_PATH_MAX], file[SG_PATH_MAX];
    struct stat info;
    sg_path_format(path, "%s/a/b//c/", (char *)*state);
    assert_int_equal(sg_make_folders(path), SG_OK);
    assert_int_equal(sg_make_folders(path), SG_OK);
    assert_int_equal(stat(path, &info), 0);
    assert_true(S_ISDIR(info.st_mode));
    sg_path_format(file, "%s/a/file", (char *)*state);
    assert_int_equal(sg_file_write_text(file, ""), SG_OK);
    assert_int_equal(sg_make_folders(file), SG_EOUTPUT);
    assert_non_null(strstr(sg_error_text(), "a/file: is a file"));
    sg_path_format(path, "%s/below", file);
    assert_int_equal(sg_make_folders(path), SG_EOUTPUT);
}

static void stem(const char *path, const char *expected)
{
    char out[SG_PATH_MAX];
    assert_int_equal(sg_path_stem(out, path), SG_OK);
    assert_string_equal(out, expected);
}

static void trunk(const char *path, const char *expected)
{
    char out[SG_PATH_MAX];
    assert_int_equal(sg_path_trunk(out, path), SG_OK);
    assert_string_equal(out, expected);
}

static void names_are_taken_apart(void **state)
{
    assert_string_equal(sg_path_base("a/b/c.tif"), "c.tif");
    assert_string_equal(sg_path_base("c.tif"), "c.tif");
    stem("a.b/c.d.tif", "c.d");
    stem("a.b/c", "c");
    stem("/x/.hidden", ".hidden");
    trunk("a.b/c.d.tif", "a.b/c.d");
    trunk("a.b/c", "a.b/c");
    trunk("/x/.hidden", "/x/.hidden");
}

static void a_path_that_is_too_long_is_refused(void **state)
{
    static char name[SG_PATH_MAX + 1];
    char out[SG_PATH_MAX];
    memset(name, 'x', SG_PATH_MAX - 1);
    assert_int_equal(sg_path_format(out, "%s", name), SG_OK);
    assert_int_equal(sg_path_format(out, "%s/", name), SG_EUSAGE);
    assert_int_equal(sg_file_temporary(name, out), SG_EUSAGE);
}

static void what_the_killed_left_is_removed(void **state)
{
    static const char *const names[] = {"last.h5.tmp.123", "a.tmp.9",  "last.h5", "tmp.1",
                                        "a.tmp.",          "a.tmp.1b", "b.tmp"};
    char folder[256], path[SG_PATH_MAX];
    snprintf(folder, sizeof folder, "%s/untidy", (char *)*state);
    assert_int_equal(sg_make_folders(folder), SG_OK);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        assert_int_equal(sg_file_write_text(path, "x"), SG_OK);
    }
    sg_folder_tidy(folder);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        assert_int_equal(sg_file_exists(path), i >= 2);
    }
    sg_folder_tidy(path); /* no folder: nothing to do */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_written_is_text_read),
        cmocka_unit_test(long_texts_are_read_whole),
        cmocka_unit_test(reading_refuses_what_is_no_text),
        cmocka_unit_test(a_committed_file_has_its_name_and_no_other),
        cmocka_unit_test(a_file_that_is_replaced_stays_under_its_former_name),
        cmocka_unit_test(writing_where_nothing_can_be_written_is_an_output_error),
        cmocka_unit_test(folders_are_made_with_their_parents),
        cmocka_unit_test(names_are_taken_apart),
        cmocka_unit_test(a_path_that_is_too_long_is_refused),
        cmocka_unit_test(what_the_killed_left_is_removed),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
