/* Errors, log lines, sizes, texts, threads, clock and progress. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/size.h"
#include "base/text.h"
#include "base/threads.h"

static void *other_thread(void *user)
{
    assert_string_equal(sg_error_text(), "");
    sg_fail(SG_ENOMEM, "theirs");
    return NULL;
}

static void an_error_text_belongs_to_its_thread(void **state)
{
    pthread_t thread;
    assert_int_equal(sg_fail(SG_EINPUT, "%s: row %d", "a.tif", 3), SG_EINPUT);
    pthread_create(&thread, NULL, other_thread, NULL);
    pthread_join(thread, NULL);
    assert_string_equal(sg_error_text(), "a.tif: row 3");
}

static void an_error_is_one_line_with_its_context_in_front(void **state)
{
    sg_fail(SG_EINPUT, "two\nlines\r");
    assert_string_equal(sg_error_text(), "two lines ");
    assert_int_equal(sg_fail_in(SG_EUSAGE, "x.yaml:3"), SG_EUSAGE);
    assert_string_equal(sg_error_text(), "x.yaml:3: two lines ");
    sg_fail(SG_EINPUT, "%s again", sg_error_text()); /* its own text as an argument */
    assert_string_equal(sg_error_text(), "x.yaml:3: two lines  again");
    sg_fail(SG_EINPUT, "%5000s", "x"); /* cut, not overrun */
    assert_true(strlen(sg_error_text()) > 1000);
}

static void an_error_that_was_printed_is_known_to_be(void **state)
{
    sg_fail(SG_EINPUT, "a");
    assert_false(sg_error_printed());
    sg_error_mark_printed();
    assert_true(sg_error_printed());
    sg_fail(SG_EINPUT, "b");
    assert_false(sg_error_printed());
}

static void exit_statuses_are_those_promised(void **state)
{
    assert_int_equal(sg_exit_status(SG_OK), 0);
    assert_int_equal(sg_exit_status(SG_EUSAGE), 2);
    assert_int_equal(sg_exit_status(SG_ESTOPPED), 75);
    for (sg_err e = SG_EINTERNAL; e < 0; e++) {
        if (e != SG_EUSAGE && e != SG_ESTOPPED) {
            assert_int_equal(sg_exit_status(e), 1);
        }
    }
}

static void a_bug_names_its_place_and_aborts(void **state)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        close(STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        SG_ASSERT(1 + 1 == 3);
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

typedef void (*printer)(void);

/* What f prints to stderr. */
static void capture(char text[4096], printer f)
{
    FILE *file = tmpfile();
    int kept = dup(STDERR_FILENO);
    assert_non_null(file);
    fflush(stderr);
    dup2(fileno(file), STDERR_FILENO);
    f();
    fflush(stderr);
    dup2(kept, STDERR_FILENO);
    close(kept);
    rewind(file);
    text[fread(text, 1, 4095, file)] = '\0';
    fclose(file);
}

static void print_all_levels(void)
{
    sg_info("info %d", 1);
    sg_verbose("verbose");
    sg_warn("warn");
    sg_info_rank("info");
    sg_error("error");
    sg_error_shared("shared");
}

static void prints(int rank, int ranks, sg_log_level level, const char *expected)
{
    char text[4096];
    sg_log_setup(rank, ranks, level);
    capture(text, print_all_levels);
    sg_log_setup(0, 1, SG_LOG_NORMAL);
    assert_string_equal(text, expected);
}

static void log_lines_go_where_they_belong(void **state)
{
    prints(0, 1, SG_LOG_NORMAL, "info 1\nwarning: warn\ninfo\nsegtiles: error\nsegtiles: shared\n");
    prints(0, 2, SG_LOG_VERBOSE,
           "info 1\nverbose\nwarning: warn\nrank 0: info\nsegtiles: rank 0: error\nsegtiles: "
           "shared\n");
    prints(1, 2, SG_LOG_VERBOSE, "rank 1: info\nsegtiles: rank 1: error\nsegtiles: shared\n");
    prints(0, 1, SG_LOG_QUIET, "warning: warn\nsegtiles: error\nsegtiles: shared\n");
}

static void print_long_line(void)
{
    sg_info("%3000s|", "x");
}

static void a_log_line_may_be_cut_but_ends(void **state)
{
    char text[4096];
    capture(text, print_long_line);
    assert_in_range(strlen(text), 2000, 2400);
    assert_string_equal(text + strlen(text) - 2, " \n");
}

static void draw_live_line(void)
{
    sg_log_live("half");
    sg_info("line");
    sg_log_live("done");
    sg_log_live(NULL);
    sg_log_live(NULL);
}

static void log_lines_wipe_a_live_line(void **state)
{
    char text[4096];
    capture(text, draw_live_line);
    assert_string_equal(text, "\rhalf\033[K\r\033[Kline\n\rdone\033[K\n");
}

static void show_progress(void)
{
    sg_progress p;
    sg_progress_start(&p, "train", 4);
    sg_progress_show(&p, 0, NULL);
    sg_progress_show(&p, 1, "too soon after the first");
    p.start -= 10;
    p.last -= 20;
    sg_progress_show(&p, 2, "loss 0.5");
    p.start -= 7190;
    sg_progress_show(&p, 4, ""); /* the last is always shown */
    sg_progress_end(&p);
}

static void progress_is_plain_lines_off_a_terminal(void **state)
{
    char text[4096];
    capture(text, show_progress);
    assert_string_equal(text, "train 0/4 (0 %)  ? left\n"
                              "train 2/4 (50 %)  loss 0.5  0:10 left\n"
                              "train 4/4 (100 %)  0:00 left\n");
    sg_log_setup(1, 2, SG_LOG_NORMAL);
    capture(text, show_progress);
    sg_log_setup(0, 1, SG_LOG_QUIET);
    assert_string_equal(text, "");
    capture(text, show_progress);
    sg_log_setup(0, 1, SG_LOG_NORMAL);
    assert_string_equal(text, "");
}

static void show_on_terminal(void)
{
    sg_progress p;
    sg_progress_start(&p, "predict", 100);
    p.terminal = 1;
    p.start -= 3600;
    sg_progress_show(&p, 50, "1.2 Mpx/s");
    p.start -= 3600 * 99;
    p.last -= 1;
    sg_progress_show(&p, 50, NULL);
    sg_progress_end(&p);
}

static void show_resumed(void)
{
    sg_progress p;
    sg_progress_start(&p, "predict", 100);
    p.found = 60;
    p.start -= 300;
    sg_progress_show(&p, 70, NULL); /* 10 in 300 s, 30 to go */
}

static void what_was_found_says_nothing_about_the_time_left(void **state)
{
    char text[4096];
    capture(text, show_resumed);
    assert_string_equal(text, "predict 70/100 (70 %)  15:00 left\n");
}

static void progress_is_redrawn_on_a_terminal(void **state)
{
    char text[4096];
    capture(text, show_on_terminal);
    assert_string_equal(
        text, "\rpredict [############------------] 50/100 (50 %)  1.2 Mpx/s  1:00:00 left\033[K"
              "\rpredict [############------------] 50/100 (50 %)  100:00:00 left\033[K\n");
}

static void sizes_that_overflow_are_refused(void **state)
{
    size_t size = 0;
    assert_int_equal(sg_size_mul(SIZE_MAX / 2, 2, &size), SG_OK);
    assert_true(size == SIZE_MAX - 1);
    assert_int_equal(sg_size_mul(SIZE_MAX / 2 + 1, 2, &size), SG_ENOMEM);
    assert_int_equal(sg_size_mul3(3, 5, 7, &size), SG_OK);
    assert_int_equal(size, 105);
    assert_int_equal(sg_size_mul3((size_t)1 << 32, (size_t)1 << 31, 4, &size), SG_ENOMEM);
    assert_int_equal(sg_size_mul3((size_t)1 << 32, (size_t)1 << 32, 0, &size), SG_ENOMEM);
    assert_int_equal(sg_size_add(SIZE_MAX, 1, &size), SG_ENOMEM);
    assert_int_equal(sg_size_add(SIZE_MAX, 0, &size), SG_OK);
}

static void memory_is_aligned_and_zeroed(void **state)
{
    char *p = NULL;
    assert_int_equal(sg_calloc(1001, 3, &p), SG_OK);
    assert_int_equal((uintptr_t)p % 64, 0);
    for (int i = 0; i < 3003; i++) {
        assert_int_equal(p[i], 0);
    }
    sg_free(p);
    assert_int_equal(sg_malloc(0, 8, &p), SG_OK);
    assert_non_null(p);
    sg_free(p);
    assert_int_equal(sg_malloc(SIZE_MAX, 2, &p), SG_ENOMEM);
    assert_null(p);
    assert_int_equal(sg_malloc(SIZE_MAX / 4, 2, &p), SG_ENOMEM);
    assert_non_null(strstr(sg_error_text(), "no memory for 9223372036854775806 bytes"));
    sg_free(NULL);
}

static void growing_keeps_what_was_there(void **state)
{
    int *items = NULL;
    size_t capacity = 0;
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(sg_grow(&items, &capacity, (size_t)i + 1, sizeof *items), SG_OK);
        assert_true(capacity > (size_t)i);
        items[i] = i;
    }
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(items[i], i);
    }
    size_t former = capacity;
    assert_int_equal(sg_grow(&items, &capacity, SIZE_MAX, sizeof *items), SG_ENOMEM);
    assert_int_equal(capacity, former);
    assert_int_equal(items[999], 999);
    sg_free(items);
}

static void rounding_up_is_exact(void **state)
{
    assert_int_equal(sg_div_up(0, 4), 0);
    assert_int_equal(sg_div_up(8, 4), 2);
    assert_int_equal(sg_div_up(9, 4), 3);
    assert_int_equal(sg_round_up(9, 4), 12);
    assert_int_equal(sg_min64(-1, 2), -1);
    assert_int_equal(sg_max64(-1, 2), 2);
}

static void text_grows_as_it_is_added_to(void **state)
{
    sg_text text = {0};
    for (int i = 0; i < 100; i++) {
        assert_int_equal(sg_text_add(&text, "%d,", i), SG_OK);
    }
    assert_int_equal(text.length, 290);
    assert_int_equal(strlen(text.data), 290);
    assert_string_equal(text.data + 284, "98,99,");
    sg_text_clear(&text);
    assert_null(text.data);
}

static void json_strings_are_escaped(void **state)
{
    sg_text text = {0};
    assert_int_equal(sg_text_add_json(&text, "a\"\\\n\x01 \xC3\xA9 \xE4 \xE2\x82"), SG_OK);
    assert_string_equal(text.data, "\"a\\\"\\\\\\u000a\\u0001 \xC3\xA9 \\ufffd \\ufffd\\ufffd\"");
    sg_text_clear(&text);
}

static void the_nearest_word_is_found(void **state)
{
    char word[64];
    const char *words = "train predict  evaluate info";
    assert_string_equal(sg_text_nearest("tarin", words, word), "train");
    assert_string_equal(sg_text_nearest("predicts", words, word), "predict");
    assert_string_equal(sg_text_nearest("info", words, word), "info");
    assert_null(sg_text_nearest("bench", words, word));
    assert_null(sg_text_nearest("x", words, word));
    assert_null(sg_text_nearest("anything", "", word));
}

static void threads_are_shared_by_ranks(void **state)
{
    int all = sg_threads_available();
    assert_true(all >= 1);
    unsetenv("OMP_NUM_THREADS");
    assert_int_equal(sg_threads_fair(1), all);
    assert_int_equal(sg_threads_fair(2), all / 2 > 1 ? all / 2 : 1);
    assert_int_equal(sg_threads_fair(100000), 1);
    assert_int_equal(sg_threads_fair(0), all);
    setenv("OMP_NUM_THREADS", "7,2", 1);
    assert_int_equal(sg_threads_fair(3), 7);
    setenv("OMP_NUM_THREADS", "many", 1);
    assert_int_equal(sg_threads_fair(1), all);
    unsetenv("OMP_NUM_THREADS");
}

static void the_clock_goes_forward(void **state)
{
    double start = sg_now();
    usleep(2000);
    double passed = sg_now() - start;
    assert_true(passed >= 0.002 && passed < 10);
}

/* Values that the authors of FNV publish. */
static void hashes_are_the_published_ones(void **state)
{
    assert_true(sg_hash(SG_HASH_START, "", 0) == UINT64_C(0xcbf29ce484222325));
    assert_true(sg_hash(SG_HASH_START, "a", 1) == UINT64_C(0xaf63dc4c8601ec8c));
    assert_true(sg_hash(SG_HASH_START, "foobar", 6) == UINT64_C(0x85944171f73967e8));
    assert_true(sg_hash(sg_hash(SG_HASH_START, "foo", 3), "bar", 3) ==
                UINT64_C(0x85944171f73967e8));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_are_the_published_ones),
        cmocka_unit_test(an_error_text_belongs_to_its_thread),
        cmocka_unit_test(an_error_is_one_line_with_its_context_in_front),
        cmocka_unit_test(an_error_that_was_printed_is_known_to_be),
        cmocka_unit_test(exit_statuses_are_those_promised),
        cmocka_unit_test(a_bug_names_its_place_and_aborts),
        cmocka_unit_test(log_lines_go_where_they_belong),
        cmocka_unit_test(a_log_line_may_be_cut_but_ends),
        cmocka_unit_test(log_lines_wipe_a_live_line),
        cmocka_unit_test(progress_is_plain_lines_off_a_terminal),
        cmocka_unit_test(progress_is_redrawn_on_a_terminal),
        cmocka_unit_test(what_was_found_says_nothing_about_the_time_left),
        cmocka_unit_test(sizes_that_overflow_are_refused),
        cmocka_unit_test(memory_is_aligned_and_zeroed),
        cmocka_unit_test(growing_keeps_what_was_there),
        cmocka_unit_test(rounding_up_is_exact),
        cmocka_unit_test(text_grows_as_it_is_added_to),
        cmocka_unit_test(json_strings_are_escaped),
        cmocka_unit_test(the_nearest_word_is_found),
        cmocka_unit_test(threads_are_shared_by_ranks),
        cmocka_unit_test(the_clock_goes_forward),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
