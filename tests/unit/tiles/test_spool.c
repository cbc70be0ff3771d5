/* Spools: what was put in is found again, as far as it is whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "support/tempdir.h"
#include "tiles/spool.h"

enum { MOST = 4 };

/* What sg_spool_each has shown. */
typedef struct {
    sg_spool_entry entry[MOST];
    size_t count;
} seen;

static sg_err see(void *user, const sg_spool_entry *entry)
{
    seen *s = user;
    assert_true(s->count < MOST);
    s->entry[s->count++] = *entry;
    return SG_OK;
}

static sg_err stop_at_two(void *user, const sg_spool_entry *entry)
{
    return entry->record == 2 ? SG_ESTOPPED : see(user, entry);
}

static void blocks_are_found_again(void **state)
{
    char path[TEMPDIR_PATH];
    sg_spool *spool = NULL;
    seen all = {.count = 0}, some = {.count = 0};
    tempdir_path(state, "0.spool", path);
    assert_int_equal(sg_spool_create(&spool, path), SG_OK);
    assert_int_equal(sg_spool_add(spool, 7, "seven", 5), SG_OK);
    assert_int_equal(sg_spool_add(spool, 2, "", 0), SG_OK);
    assert_int_equal(sg_spool_add(spool, 3, "three!", 6), SG_OK);
    sg_spool_entry last = sg_spool_last(spool);
    assert_int_equal(sg_spool_finish(spool), SG_OK);
    sg_spool_close(spool);

    assert_int_equal(sg_spool_open(&spool, path), SG_OK);
    assert_int_equal(sg_spool_each(spool, see, &all), SG_OK);
    const sg_spool_entry *entry = all.entry;
    char data[8] = "";
    assert_int_equal(all.count, 3);
    assert_int_equal(entry[0].record, 7);
    assert_int_equal(entry[1].bytes, 0);
    assert_int_equal(entry[2].record, 3);
    assert_true(last.record == 3 && last.offset == entry[2].offset && last.bytes == 6);
    assert_int_equal(sg_spool_read(spool, &entry[2], data), SG_OK);
    assert_int_equal(sg_spool_each(spool, stop_at_two, &some), SG_ESTOPPED);
    assert_int_equal(some.count, 1);
    assert_memory_equal(data, "three!", 6);
    sg_spool_close(spool);
}

static void an_empty_spool_has_no_blocks(void **state)
{
    char path[TEMPDIR_PATH];
    sg_spool *spool = NULL;
    seen none = {.count = 0};
    tempdir_path(state, "1.spool", path);
    assert_int_equal(sg_spool_create(&spool, path), SG_OK);
    assert_int_equal(sg_spool_finish(spool), SG_OK);
    sg_spool_close(spool);
    assert_int_equal(sg_spool_open(&spool, path), SG_OK);
    assert_int_equal(sg_spool_each(spool, see, &none), SG_OK);
    assert_int_equal(none.count, 0);
    sg_spool_close(spool);
}

static void put_three(const char *path)
{
    sg_spool *spool = NULL;
    assert_int_equal(sg_spool_create(&spool, path), SG_OK);
    assert_int_equal(sg_spool_add(spool, 4, "the first block", 15), SG_OK);
    assert_int_equal(sg_spool_add(spool, 5, "", 0), SG_OK);
    assert_int_equal(sg_spool_add(spool, 6, "the third one", 13), SG_OK);
    assert_int_equal(sg_spool_finish(spool), SG_OK);
    sg_spool_close(spool);
}

static size_t recovered(const char *path)
{
    sg_spool *spool = NULL;
    seen all = {.count = 0};
    assert_int_equal(sg_spool_recover(&spool, path), SG_OK);
    assert_int_equal(sg_spool_each(spool, see, &all), SG_OK);
    for (size_t i = 0; i < all.count; i++)
        assert_int_equal(all.entry[i].record, 4 + (int)i);
    sg_spool_close(spool);
    return all.count;
}

/* Cut at every byte: all whole blocks are there, and it is not taken for a finished one. */
static void a_cut_spool_gives_its_whole_blocks(void **state)
{
    enum { HEADER = 24, SIZE = 3 * HEADER + 15 + 13 };
    char path[TEMPDIR_PATH];
    sg_spool *spool = NULL;
    for (int size = SIZE; size >= 0; size--) {
        char name[32];
        snprintf(name, sizeof name, "cut%d.spool", size);
        tempdir_path(state, name, path);
        put_three(path);
        assert_int_equal(truncate(path, size), 0);
        size_t whole = size >= SIZE ? 3 : size >= 2 * HEADER + 15 ? 2 : size >= HEADER + 15;
        assert_int_equal(recovered(path), whole);
        bool at_end = size == 0 || size == HEADER + 15 || size == 2 * HEADER + 15 || size == SIZE;
        seen all = {.count = 0};
        assert_int_equal(sg_spool_open(&spool, path), SG_OK);
        assert_int_equal(sg_spool_each(spool, see, &all), at_end ? SG_OK : SG_EINPUT);
        sg_spool_close(spool);
        spool = NULL;
    }
}

static void a_wrong_byte_ends_a_spool(void **state)
{
    char path[TEMPDIR_PATH];
    tempdir_path(state, "wrong.spool", path);
    put_three(path);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    for (long at = 0; at < 3 * 24 + 15 + 13; at++) {
        assert_int_equal(fseek(file, at, SEEK_SET), 0);
        int byte = fgetc(file);
        fseek(file, at, SEEK_SET);
        fputc(byte ^ 0x10, file);
        fflush(file);
        assert_true(recovered(path) == (size_t)(at < 24 + 15 ? 0 : at < 2 * 24 + 15 ? 1 : 2));
        fseek(file, at, SEEK_SET);
        fputc(byte, file);
        fflush(file);
    }
    assert_int_equal(recovered(path), 3);
    fclose(file);
}

static void no_spool_is_overwritten(void **state)
{
    char path[TEMPDIR_PATH];
    sg_spool *spool = NULL;
    tempdir_path(state, "there.spool", path);
    put_three(path);
    assert_int_equal(sg_spool_create(&spool, path), SG_EOUTPUT);
    assert_int_equal(recovered(path), 3);
    tempdir_path(state, "none/2.spool", path);
    assert_int_equal(sg_spool_create(&spool, path), SG_EOUTPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_found_again),
        cmocka_unit_test(an_empty_spool_has_no_blocks),
        cmocka_unit_test(a_cut_spool_gives_its_whole_blocks),
        cmocka_unit_test(a_wrong_byte_ends_a_spool),
        cmocka_unit_test(no_spool_is_overwritten),
    };
    return cmocka_run_group_tests_name("spool", tests, tempdir_make, tempdir_remove);
}
