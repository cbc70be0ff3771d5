/* The mask writer on 1 to 4 ranks: the same bytes whoever writes what, and in however many runs. */
#include "support/mpi_tests.h"

#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/size.h"
#include "support/shared_folder.h"
#include "tiles/mask.h"

enum { WIDTH = 300, HEIGHT = 210, BLOCK = 16, CHUNK = 64, CLASSES = 3 };
enum { ACROSS = (WIDTH + CHUNK - 1) / CHUNK, CHUNKS = ACROSS * ((HEIGHT + CHUNK - 1) / CHUNK) };

static sg_class_table classes(void)
{
    sg_class_table table = {.count = CLASSES};
    for (int i = 0; i < CLASSES; i++) {
        table.item[i].value = 10 * i + 1;
        table.item[i].name[0] = (char)('a' + i);
    }
    assert_int_equal(sg_classes_complete(&table), SG_OK);
    return table;
}

/* Part of the scene is nodata, so that whole blocks are. */
static double value_at(int64_t x, int64_t y, int band, int is_float)
{
    if (x < 100 && y < 100)
        return is_float ? -1 : 255;
    return is_float ? (double)(x * 7 + y * 3 + band) / 8 : (double)(10 * ((x / 5 + y / 7) % 3) + 1);
}

static sg_window chunk_window(int i)
{
    sg_window w = {i % ACROSS * CHUNK, i / ACROSS * CHUNK, 0, 0};
    w.w = sg_min64(CHUNK, WIDTH - w.x);
    w.h = sg_min64(CHUNK, HEIGHT - w.y);
    return w;
}

static sg_err put_chunk(sg_mask *mask, int i, int bands, int is_float)
{
    sg_window w = chunk_window(i);
    float reals[CHUNK * CHUNK * 4];
    uint8_t bytes[CHUNK * CHUNK];
    for (int64_t p = 0; p < w.w * w.h * bands; p++) {
        int64_t pixel = p / bands;
        double v = value_at(w.x + pixel % w.w, w.y + pixel / w.w, (int)(p % bands), is_float);
        if (is_float)
            reals[p] = (float)v;
        else
            bytes[p] = (uint8_t)v;
    }
    return sg_mask_put(mask, i, is_float ? (void *)reals : (void *)bytes);
}

typedef struct {
    int bands, is_float;
    int owner;   /* the rank that puts every chunk, or -1: dealt out, last first */
    int failing; /* the rank that fails, or -1 */
    int step;    /* puts every step-th chunk of those that are not there yet; 0: all */
    int restart;
    const char *journal; /* NULL: the usual one */
    int found;           /* chunks that were there; set by write_mask */
} setting;

static sg_err put_chunks(sg_comm *comm, sg_mask *mask, setting *s)
{
    int rank = sg_comm_rank(comm), ranks = sg_comm_ranks(comm);
    sg_err err = SG_OK;
    s->found = 0;
    for (int i = CHUNKS - 1; err == SG_OK && i >= 0; i--) {
        bool there = sg_mask_has(mask, i);
        bool mine = s->owner < 0 ? i % ranks == rank : s->owner == rank;
        s->found += there;
        if (!there && mine && (!s->step || i % s->step == 0))
            err = put_chunk(mask, i, s->bands, s->is_float);
    }
    return err;
}

static sg_err write_mask(sg_comm *comm, const char *path, setting *s)
{
    sg_class_table table = classes();
    const char *const metadata[] = {"SEGTILES_MODEL=0123", NULL};
    const sg_mask_options options = {.path = path,
                                     .journal = s->journal ? s->journal : "a map\nof a test\n",
                                     .style = s->is_float ? NULL : "style",
                                     .restart = s->restart,
                                     .chunk_w = CHUNK,
                                     .chunk_h = CHUNK,
                                     .overviews = true,
                                     .raster = {.width = WIDTH,
                                                .height = HEIGHT,
                                                .bands = s->bands,
                                                .is_float = s->is_float,
                                                .block = BLOCK,
                                                .classes = s->is_float ? NULL : &table,
                                                .metadata = metadata,
                                                .has_nodata = 1,
                                                .nodata = s->is_float ? -1 : table.nodata}};
    sg_mask *mask = NULL;
    sg_gdal_start(1 << 20);
    sg_err err = sg_mask_create(&mask, comm, &options);
    if (err != SG_OK)
        return err;
    err = put_chunks(comm, mask, s);
    if (s->failing == sg_comm_rank(comm))
        err = sg_fail(SG_EINTERNAL, "this failure is wanted");
    err = sg_mask_commit(mask, err);
    if (err == SG_OK)
        sg_mask_forget(mask);
    sg_mask_close(mask);
    sg_comm_barrier(comm); /* the last rank to close takes the folder of spools away */
    return err;
}

/* On rank 0, without which the others cannot begin a new file. */
static void check_entries(sg_comm *comm, const char *folder, int expected)
{
    if (sg_comm_rank(comm) == 0)
        assert_int_equal(entries(folder), expected);
}

static void remove_folder(sg_comm *comm, const char *folder)
{
    char command[300];
    sg_comm_barrier(comm);
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    if (sg_comm_rank(comm) == 0)
        assert_int_equal(system(command), 0);
}

static char *whole_file(const char *path, size_t *bytes)
{
    struct stat info;
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &info), 0);
    char *data = malloc((size_t)info.st_size);
    assert_int_equal(read(fd, data, (size_t)info.st_size), info.st_size);
    close(fd);
    *bytes = (size_t)info.st_size;
    return data;
}

static void check_pixels(const char *path, const setting *s)
{
    sg_raster *raster = NULL;
    static float pixels[WIDTH * HEIGHT * 4];
    static uint8_t valid[WIDTH * HEIGHT];
    assert_int_equal(sg_raster_open(&raster, path, NULL, 0), SG_OK);
    assert_int_equal(sg_raster_bands(raster), s->bands);
    assert_int_equal(sg_raster_get_info(raster)->block_w, BLOCK);
    assert_int_equal(sg_raster_read(raster, (sg_window){0, 0, WIDTH, HEIGHT}, pixels, valid),
                     SG_OK);
    for (int i = 0; i < WIDTH * HEIGHT * s->bands; i++) {
        int x = i / s->bands % WIDTH, y = i / s->bands / WIDTH;
        int empty = x < 100 && y < 100;
        assert_int_equal(valid[i / s->bands], !empty);
        if (!empty)
            assert_true(pixels[i] == (float)value_at(x, y, i % s->bands, s->is_float));
    }
    sg_raster_close(raster);
}

static void same_bytes(const char *a, const char *b)
{
    size_t a_bytes, b_bytes;
    char *a_data = whole_file(a, &a_bytes), *b_data = whole_file(b, &b_bytes);
    assert_int_equal(a_bytes, b_bytes);
    assert_memory_equal(a_data, b_data, a_bytes);
    free(a_data);
    free(b_data);
}

static void the_bytes_do_not_depend_on_who_writes_what(void **state)
{
    sg_comm *comm = *state;
    for (int is_float = 0; is_float < 2; is_float++) {
        char folder[256], a[300], b[300];
        shared_folder(comm, folder);
        snprintf(a, sizeof a, "%s/a.tif", folder);
        snprintf(b, sizeof b, "%s/b.tif", folder);
        setting dealt = {
            .bands = is_float ? 4 : 1, .is_float = is_float, .owner = -1, .failing = -1};
        setting alone = dealt;
        alone.owner = sg_comm_ranks(comm) - 1;
        assert_int_equal(write_mask(comm, a, &dealt), SG_OK);
        assert_int_equal(write_mask(comm, b, &alone), SG_OK);
        if (sg_comm_rank(comm) == 0) {
            check_pixels(a, &dealt);
            same_bytes(a, b);
            assert_int_equal(entries(folder), is_float ? 2 : 6); /* names and style go beside */
        }
        remove_folder(comm, folder);
    }
}

static void a_failure_on_any_rank_leaves_the_old_file(void **state)
{
    sg_comm *comm = *state;
    char folder[256], path[300];
    shared_folder(comm, folder);
    snprintf(path, sizeof path, "%s/mask.tif", folder);
    if (sg_comm_rank(comm) == 0) {
        FILE *old = fopen(path, "w");
        assert_non_null(old);
        fputs("old", old);
        fclose(old);
    }
    for (int failing = 0; failing < sg_comm_ranks(comm); failing++) {
        setting s = {.bands = 1, .owner = -1, .failing = failing, .step = 3, .restart = 1};
        sg_err err = write_mask(comm, path, &s);
        assert_int_equal(err, failing == sg_comm_rank(comm) ? SG_EINTERNAL : SG_EPEER);
        assert_int_equal(s.found, 0);
        check_entries(comm, folder, 2); /* and the folder with what is finished */
    }
    if (sg_comm_rank(comm) == 0) {
        size_t bytes;
        char *data = whole_file(path, &bytes);
        assert_int_equal(bytes, 3);
        assert_memory_equal(data, "old", 3);
        free(data);
    }
    remove_folder(comm, folder);
}

static void a_missing_chunk_is_found_out(void **state)
{
    sg_comm *comm = *state;
    char folder[256], path[300];
    shared_folder(comm, folder);
    snprintf(path, sizeof path, "%s/mask.tif", folder);
    setting s = {.bands = 1, .owner = sg_comm_ranks(comm), .failing = -1}; /* nobody puts any */
    assert_true(write_mask(comm, path, &s) != SG_OK);
    check_entries(comm, folder, 0);
    remove_folder(comm, folder);
}

/* Files may not grow beyond a limit: as on a full disk, in the spools and in the assembly. */
static void a_full_disk_is_one_clear_failure(void **state)
{
    sg_comm *comm = *state;
    struct rlimit old, tight;
    int64_t failures = 0, failed = 1, finished_before = 0;
    signal(SIGXFSZ, SIG_IGN);
    for (rlim_t limit = 0; failed; limit += 9000) {
        char folder[256], path[300];
        shared_folder(comm, folder);
        snprintf(path, sizeof path, "%s/mask.tif", folder);
        setting s = {.bands = 2, .is_float = 1, .owner = -1, .failing = -1};
        assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
        tight = old;
        tight.rlim_cur = limit;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
        sg_err err = write_mask(comm, path, &s);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
        assert_true(err == SG_OK || err == SG_EOUTPUT || err == SG_EPEER);
        if (err == SG_EOUTPUT)
            assert_non_null(strstr(sg_error_text(), "mask.tif"));
        failed = err != SG_OK;
        failures += failed;
        if (failed) /* there is room again */
            assert_int_equal(write_mask(comm, path, &s), SG_OK);
        finished_before += failed ? s.found : 0;
        check_entries(comm, folder, 1);
        if (sg_comm_rank(comm) == 0)
            check_pixels(path, &s);
        remove_folder(comm, folder);
    }
    assert_true(failures > 5 && finished_before > CHUNKS);
}

/* Three runs fail, each with a third of the chunks that are left; a fourth does the rest. */
static void what_is_finished_is_not_done_again(void **state)
{
    sg_comm *comm = *state;
    char folder[256], whole[300], path[300];
    shared_folder(comm, folder);
    snprintf(whole, sizeof whole, "%s/whole.tif", folder);
    snprintf(path, sizeof path, "%s/mask.tif", folder);
    setting all = {.bands = 1, .owner = -1, .failing = -1};
    assert_int_equal(write_mask(comm, whole, &all), SG_OK);
    for (int step = 4, before = 0; step > 0; step--) {
        setting s = {.bands = 1, .owner = -1, .failing = -1, .step = step};
        sg_err err = write_mask(comm, path, &s);
        assert_true((err == SG_OK) == (step == 1));
        assert_true(step == 4 ? s.found == 0 : s.found > before);
        before = s.found;
        check_entries(comm, folder, 3 + (step == 1 ? 3 : 1));
    }
    if (sg_comm_rank(comm) == 0)
        same_bytes(whole, path);
    remove_folder(comm, folder);
}

/* A spool that was cut off, and one whose bytes went wrong: only whole blocks count. */
static void damaged_spools_are_done_again(void **state)
{
    sg_comm *comm = *state;
    char folder[256], whole[300], path[300], spool[320];
    shared_folder(comm, folder);
    snprintf(whole, sizeof whole, "%s/whole.tif", folder);
    snprintf(path, sizeof path, "%s/mask.tif", folder);
    snprintf(spool, sizeof spool, "%s.parts/0.spool", path);
    setting s = {.bands = 1, .owner = -1, .failing = -1};
    assert_int_equal(write_mask(comm, whole, &s), SG_OK);
    setting begun = {.bands = 1, .owner = 0, .failing = 0, .step = 2};
    for (int cut = 0; cut < 2; cut++) {
        begun.restart = 1;
        assert_true(write_mask(comm, path, &begun) != SG_OK);
        if (sg_comm_rank(comm) == 0) {
            size_t bytes;
            char *data = whole_file(spool, &bytes);
            int fd = open(spool, O_WRONLY);
            if (cut)
                assert_int_equal(ftruncate(fd, (off_t)bytes - 3), 0);
            else
                assert_int_equal(pwrite(fd, "?", 1, (off_t)bytes / 2), 1);
            close(fd);
            free(data);
        }
        assert_int_equal(write_mask(comm, path, &s), SG_OK);
        assert_true(s.found > 0 && s.found < CHUNKS / 2);
        if (sg_comm_rank(comm) == 0)
            same_bytes(whole, path);
    }
    remove_folder(comm, folder);
}

static void another_prediction_is_not_mixed_in(void **state)
{
    sg_comm *comm = *state;
    char folder[256], path[300];
    shared_folder(comm, folder);
    snprintf(path, sizeof path, "%s/mask.tif", folder);
    setting begun = {.bands = 1, .owner = -1, .failing = 0, .step = 2};
    assert_true(write_mask(comm, path, &begun) != SG_OK);
    setting other = {.bands = 1, .owner = -1, .failing = -1, .journal = "a map\nof tomorrow\n"};
    sg_err err = write_mask(comm, path, &other);
    assert_int_equal(err, sg_comm_rank(comm) == 0 ? SG_EUSAGE : SG_EPEER);
    if (sg_comm_rank(comm) == 0)
        assert_non_null(strstr(sg_error_text(), "(\"of a test\", now \"of tomorrow\")"));
    check_entries(comm, folder, 1);
    other.restart = 1;
    assert_int_equal(write_mask(comm, path, &other), SG_OK);
    assert_int_equal(other.found, 0);
    check_entries(comm, folder, 3);
    remove_folder(comm, folder);
}

static void a_folder_that_cannot_be_made_is_said_at_the_start(void **state)
{
    sg_comm *comm = *state;
    char folder[256], path[300];
    shared_folder(comm, folder);
    snprintf(path, sizeof path, "%s/file", folder);
    if (sg_comm_rank(comm) == 0)
        close(open(path, O_CREAT | O_WRONLY, 0666));
    sg_comm_barrier(comm);
    snprintf(path, sizeof path, "%s/file/mask.tif", folder);
    setting s = {.bands = 1, .owner = -1, .failing = -1};
    sg_err err = write_mask(comm, path, &s);
    assert_int_equal(err, sg_comm_rank(comm) == 0 ? SG_EOUTPUT : SG_EPEER);
    remove_folder(comm, folder);
}

int main(void)
{
    struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bytes_do_not_depend_on_who_writes_what),
        cmocka_unit_test(a_failure_on_any_rank_leaves_the_old_file),
        cmocka_unit_test(a_missing_chunk_is_found_out),
        cmocka_unit_test(a_full_disk_is_one_clear_failure),
        cmocka_unit_test(what_is_finished_is_not_done_again),
        cmocka_unit_test(damaged_spools_are_done_again),
        cmocka_unit_test(another_prediction_is_not_mixed_in),
        cmocka_unit_test(a_folder_that_cannot_be_made_is_said_at_the_start),
    };
    return SG_RUN_MPI_TESTS(tests);
}
