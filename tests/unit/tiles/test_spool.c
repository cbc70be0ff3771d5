/* Spools: what was put in is found again; what is damaged is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "support/tempdir.h"
#include "tiles/spool.h"

static void blocks_are_found_by_the_index(void **state)
{
    char path[TEMPDIR_PATH];
    sg_spool *spool = NULL;
    size_t count;
    tempdir_path(state, "0.spool", path);
    assert_int_equal(sg_spool_create(&spool, path), SG_OK);
    assert_int_equal(sg_spool_add(spool, 7, "seven", 5), SG_OK);
    assert_int_equal(sg_spool_add(spool, 2, "", 0), SG_OK);
    assert_int_equal(sg_spool_add(spool, 3, "three!", 6), SG_OK);
    assert_int_equal(sg_spool_finish(spool), SG_OK);
    sg_spool_close(spool);

    assert_int_equal(sg_spool_open(&spool, path), SG_OK);
    const sg_spool_entry *entry = sg_spool_entries(spool, &count);
    char data[8] = "";
    assert_int_equal(count, 3);
    assert_int_equal(entry[0].block, 7);
    assert_int_equal(entry[1].bytes, 0);
    assert_int_equal(entry[2].block, 3);
    assert_int_equal(sg_spool_read(spool, &entry[2], data), SG_OK);
    assert_memory_equal(data, "three!", 6);
    sg_spool_close(spool);
}

static void an_empty_spool_has_an_empty_index(void **state)
{
    char path[TEMPDIR_PATH];
    sg_spool *spool = NULL;
    size_t count = 9;
    tempdir_path(state, "1.spool", path);
    assert_int_equal(sg_spool_create(&spool, path), SG_OK);
    assert_int_equal(sg_spool_finish(spool), SG_OK);
    sg_spool_close(spool);
    assert_int_equal(sg_spool_open(&spool, path), SG_OK);
    sg_spool_entries(spool, &count);
    assert_int_equal(count, 0);
    sg_spool_close(spool);
}

static void an_unfinished_or_cut_spool_is_refused(void **state)
{
    char path[TEMPDIR_PATH];
    sg_spool *spool = NULL;
    tempdir_path(state, "2.spool", path);
    assert_int_equal(sg_spool_create(&spool, path), SG_OK);
    assert_int_equal(sg_spool_add(spool, 0, "a block of some bytes", 21), SG_OK);
    sg_spool_close(spool);
    assert_int_equal(sg_spool_open(&spool, path), SG_EINPUT);
    assert_null(spool);
    assert_int_equal(truncate(path, 3), 0);
    assert_int_equal(sg_spool_open(&spool, path), SG_EINPUT);
    tempdir_path(state, "none/2.spool", path);
    assert_int_equal(sg_spool_create(&spool, path), SG_EOUTPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_found_by_the_index),
        cmocka_unit_test(an_empty_spool_has_an_empty_index),
        cmocka_unit_test(an_unfinished_or_cut_spool_is_refused),
    };
    return cmocka_run_group_tests_name("spool", tests, tempdir_make, tempdir_remove);
}
