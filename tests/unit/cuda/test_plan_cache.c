/* What was measured is found again; what is damaged, locked or written by many at once does no
 * harm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/file.h"
#include "cuda/plan_cache.h"

static char folder[] = "test_plan_cache_XXXXXX";
static const char key[] = "NVIDIA H100 80GB HBM3, 9.0; 8 256 256 64";

static int setup(void **state)
{
    return mkdtemp(folder) && !setenv("SEGTILES_CACHE", folder, 1) ? 0 : -1;
}

static void shell(const char *format)
{
    char command[512];
    snprintf(command, sizeof command, format, folder);
    assert_int_equal(system(command), 0);
}

static int teardown(void **state)
{
    shell("rm -rf '%s'");
    return 0;
}

static int empty(void **state)
{
    setenv("SEGTILES_CACHE", folder, 1);
    shell("rm -rf '%s'/*");
    return 0;
}

static sg_plan_cache *opened(void)
{
    sg_plan_cache *cache = NULL;
    assert_int_equal(sg_plan_cache_open(&cache), SG_OK);
    return cache;
}

/* In a cache opened anew; "" when it is not there. */
static const char *found(const char *wanted)
{
    static char choice[SG_PLAN_CHOICE_MAX];
    sg_plan_cache *cache = opened();
    if (!sg_plan_cache_find(cache, wanted, choice))
        choice[0] = '\0';
    sg_plan_cache_close(cache);
    return choice;
}

static void keep(const char *under, const char *choice)
{
    sg_plan_cache *cache = opened();
    sg_plan_cache_keep(cache, under, choice);
    sg_plan_cache_close(cache);
}

static void a_choice_is_found_under_its_key_alone(void **state)
{
    assert_string_equal(found(key), "");
    keep(key, "12 1=2 5=0");
    assert_string_equal(found(key), "12 1=2 5=0");
    assert_string_equal(found("NVIDIA H100 80GB HBM3, 9.0; 8 256 256 32"), "");
    keep(key, "7"); /* replaces */
    assert_string_equal(found(key), "7");
}

static void folders_come_from_the_environment(void **state)
{
    char path[SG_PATH_MAX], home[SG_PATH_MAX];
    snprintf(home, sizeof home, "%s", getenv("HOME") ? getenv("HOME") : "");
    unsetenv("SEGTILES_CACHE");
    setenv("HOME", folder, 1);
    setenv("XDG_CACHE_HOME", "", 1); /* as if it were not set */
    keep(key, "1");
    assert_int_equal(sg_path_format(path, "%s/.cache/segtiles/convolutions", folder), SG_OK);
    assert_true(sg_is_folder(path));
    assert_int_equal(sg_path_format(path, "%s/xdg", folder), SG_OK);
    setenv("XDG_CACHE_HOME", path, 1);
    assert_string_equal(found(key), "");
    keep(key, "2");
    assert_int_equal(sg_path_format(path, "%s/xdg/segtiles/convolutions", folder), SG_OK);
    assert_true(sg_is_folder(path));
    unsetenv("XDG_CACHE_HOME");
    assert_string_equal(found(key), "1");
    unsetenv("HOME");
    keep(key, "3"); /* nowhere */
    assert_string_equal(found(key), "");
    setenv("HOME", home, 1);
}

static void damage_is_as_if_nothing_were_there(void **state)
{
    static const char *const damage[] = {
        "truncate -s 0 %s/convolutions/*",
        "truncate -s -3 %s/convolutions/*",
        "sed -i 's/^12 1=2/12 1=3/' %s/convolutions/*",
        "sed -i 's/ 1$/ 2/' %s/convolutions/*",
        "printf '\\0' | tee -a %s/convolutions/* >/dev/null",
        "echo | tee -a %s/convolutions/* >/dev/null",
        "head -c 5000 /dev/urandom | tee %s/convolutions/* >/dev/null",
    };
    for (size_t i = 0; i < sizeof damage / sizeof *damage; i++) {
        keep(key, "12 1=2");
        assert_string_equal(found(key), "12 1=2");
        shell(damage[i]);
        assert_string_equal(found(key), "");
        keep(key, "12 1=2"); /* and is mended */
        assert_string_equal(found(key), "12 1=2");
    }
}

/* Two keys of one number: the file is whole, but of the other. */
static void a_file_of_another_key_is_no_answer(void **state)
{
    keep(key, "12");
    shell(
        "cd %s/convolutions && f=$(ls) && printf 'segtiles convolution 1\\nother\\n9\\n0\\n' >$f");
    assert_string_equal(found(key), "");
}

static void what_cannot_be_written_does_no_harm(void **state)
{
    char path[SG_PATH_MAX];
    assert_int_equal(sg_path_format(path, "%s/file", folder), SG_OK);
    assert_int_equal(sg_file_write_text(path, "a file where a folder should be"), SG_OK);
    setenv("SEGTILES_CACHE", path, 1);
    keep(key, "1");
    assert_string_equal(found(key), "");
    setenv("SEGTILES_CACHE", "/proc/segtiles", 1);
    keep(key, "1");
    assert_string_equal(found(key), "");
}

/* Many processes write other choices under the same keys, over and over, while this one reads: what
 * is read is always whole, and in the end each key has one of them. */
static void many_may_write_at_once(void **state)
{
    enum { WRITERS = 8, KEYS = 4, TIMES = 12 };
    char name[32], choice[600], last[600];
    for (int w = 0; w < WRITERS; w++)
        if (fork() == 0) {
            memset(choice, 'a' + w, sizeof choice - 1);
            choice[sizeof choice - 1] = '\0';
            sg_plan_cache *cache = opened();
            for (int i = 0; i < TIMES * KEYS; i++) {
                snprintf(name, sizeof name, "key %d", i % KEYS);
                sg_plan_cache_keep(cache, name, choice);
            }
            sg_plan_cache_close(cache);
            _exit(0);
        }
    int done = 0, status = 0;
    while (done < WRITERS) {
        snprintf(name, sizeof name, "key %d", rand() % KEYS);
        strcpy(last, found(name));
        assert_int_equal(strspn(last, (char[]){last[0], 0}), strlen(last));
        assert_true(last[0] == '\0' || strlen(last) == sizeof choice - 1);
        if (waitpid(-1, &status, WNOHANG) > 0) {
            assert_int_equal(status, 0);
            done++;
        }
    }
    for (int i = 0; i < KEYS; i++) {
        snprintf(name, sizeof name, "key %d", i);
        assert_int_equal(strlen(found(name)), sizeof choice - 1);
    }
    shell("test $(ls %s/convolutions | wc -l) = 4"); /* nothing temporary is left */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_choice_is_found_under_its_key_alone, empty),
        cmocka_unit_test_setup(folders_come_from_the_environment, empty),
        cmocka_unit_test_setup(damage_is_as_if_nothing_were_there, empty),
        cmocka_unit_test_setup(a_file_of_another_key_is_no_answer, empty),
        cmocka_unit_test_setup(what_cannot_be_written_does_no_harm, empty),
        cmocka_unit_test_setup(many_may_write_at_once, empty),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
