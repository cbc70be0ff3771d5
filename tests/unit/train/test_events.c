/* Event files: checksums, and the bytes of a record as the formats' descriptions have them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <sys/stat.h>

#include "support/tempdir.h"
#include "train/events.h"

static void checksums_are_castagnolis(void **state)
{
    static const uint8_t zeros[32] = {0};
    assert_int_equal(sg_crc32c("123456789", 9), 0xe3069283);
    assert_int_equal(sg_crc32c(zeros, sizeof zeros), 0x8a9136aa); /* RFC 3720, B.4 */
    assert_int_equal(sg_crc32c("", 0), 0);
}

static size_t read_file(const char *path, uint8_t *bytes, size_t most)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t length = fread(bytes, 1, most, file);
    fclose(file);
    return length;
}

/* Check the record at `at` and return the offset of its data; *end: where the next one begins. */
static size_t open_record(const uint8_t *file, size_t at, size_t *end)
{
    uint64_t length;
    uint32_t crc, raw;
    memcpy(&length, file + at, 8);
    memcpy(&crc, file + at + 12 + length, 4);
    crc -= 0xa282ead8;
    raw = crc >> 17 | crc << 15;
    assert_int_equal(raw, sg_crc32c(file + at + 12, length));
    *end = at + 16 + length;
    return at + 12;
}

static void a_record_is_an_event_on_the_wire(void **state)
{
    static const uint8_t version[] = "\x1a\x0d"
                                     "brain.Event:2";
    static const uint8_t value[] = {0x10, 0xac, 0x02,              /* step 300 */
                                    0x2a, 0x0c, 0x0a, 0x0a,        /* summary, value */
                                    0x0a, 0x03, 'a',  '/',  'b',   /* tag */
                                    0x15, 0x00, 0x00, 0x20, 0x40}; /* 2.5 as f32 */
    const sg_event event[] = {{"a/b", 2.5}, {"left out", NAN}, {"too", INFINITY}};
    sg_events events;
    uint8_t file[512];
    size_t next, end;
    assert_int_equal(sg_events_open(&events, *state), SG_OK);
    assert_int_equal(sg_events_add(&events, 300, event, 3), SG_OK);
    size_t length = read_file(events.path, file, sizeof file); /* flushed: no close yet */
    size_t data = open_record(file, 0, &next);
    assert_int_equal(file[data], 0x09); /* the time, eight bytes */
    assert_memory_equal(file + data + 9, version, sizeof version - 1);
    data = open_record(file, next, &end);
    assert_int_equal(end, length);
    assert_memory_equal(file + data + 9, value, sizeof value);
    assert_int_equal(end - 4, data + 9 + sizeof value);
    sg_events_close(&events);
}

static void a_picture_is_a_summary_with_its_size(void **state)
{
    static const uint8_t png[] = {0x89, 'P', 'N', 'G'};
    static const uint8_t value[] = {0x10, 0x07,             /* step 7 */
                                    0x2a, 0x14, 0x0a, 0x12, /* summary, value */
                                    0x0a, 0x02, 't',  '1',  /* tag */
                                    0x22, 0x0c, 0x08, 0x03, 0x10, 0x05,
                                    0x18, 0x04, /* 3 x 5, RGBA */
                                    0x22, 0x04, 0x89, 'P',  'N',  'G'};
    const sg_event_image image = {"t1", 5, 3, png, sizeof png};
    sg_events events;
    char folder[TEMPDIR_PATH];
    uint8_t file[512];
    size_t next, end;
    assert_int_equal(mkdir(tempdir_path(state, "pictures", folder), 0700), 0);
    assert_int_equal(sg_events_open(&events, folder), SG_OK);
    assert_int_equal(sg_events_add_image(&events, 7, &image), SG_OK);
    size_t length = read_file(events.path, file, sizeof file);
    open_record(file, 0, &next);
    size_t data = open_record(file, next, &end);
    assert_int_equal(end, length);
    assert_memory_equal(file + data + 9, value, sizeof value);
    assert_int_equal(end - 4, data + 9 + sizeof value);
    sg_events_close(&events);
}

static void a_folder_that_is_not_there_is_named(void **state)
{
    sg_events events;
    char path[TEMPDIR_PATH];
    assert_int_equal(sg_events_open(&events, tempdir_path(state, "none", path)), SG_EOUTPUT);
    assert_non_null(strstr(sg_error_text(), "none/events.out.tfevents."));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checksums_are_castagnolis),
        cmocka_unit_test(a_record_is_an_event_on_the_wire),
        cmocka_unit_test(a_picture_is_a_summary_with_its_size),
        cmocka_unit_test(a_folder_that_is_not_there_is_named),
    };
    return cmocka_run_group_tests(tests, tempdir_make, tempdir_remove);
}
