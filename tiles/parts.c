#include "tiles/parts.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include "base/log.h"
#include "base/size.h"
#include "tiles/record_places.h"

/* Spools to have open at once where it is not known how many may be. */
enum { FILES = 256 };

struct sg_parts {
    sg_comm *comm; /* borrowed */
    char folder[SG_PATH_MAX];
    int64_t records, found;
    uint8_t *has;   /* [records]: there before this run */
    int64_t number; /* of this run's first spool; rank r writes number + r */
    char path[SG_PATH_MAX];
    sg_spool *mine;  /* of this rank, while it is written */
    int64_t written; /* records of this rank */
    int64_t written_bytes;
    sg_record_places places;
    /* Spools by index, the same on all ranks: those of earlier runs; those of this one, by rank;
     * what is derived of all, by rank. */
    int64_t *earlier; /* their numbers, owned */
    size_t earlier_count, earlier_capacity;
    int64_t spools;
    sg_spool **reader; /* [spools]: those that this rank has opened to read; owned */
    int64_t readers, readers_most;
    sg_spool *derived; /* this rank's, or NULL */
};

/* ---- the folder ---- */

sg_err sg_parts_path(const sg_parts *parts, const char *name, char *path)
{
    return sg_path_format(path, "%s/%s", parts->folder, name);
}

/* N of "N.spool", else -1. */
static int64_t spool_number(const char *name)
{
    char *end = NULL;
    long long number = strtoll(name, &end, 10);
    return end != name && number >= 0 && strcmp(end, ".spool") == 0 ? number : -1;
}

/* Everything in the folder that `wanted` picks. */
static void remove_files(const sg_parts *parts, bool (*wanted)(const char *name))
{
    char path[SG_PATH_MAX];
    DIR *listing = opendir(parts->folder);
    for (struct dirent *item; listing && (item = readdir(listing));)
        if (item->d_name[0] != '.' && wanted(item->d_name) &&
            sg_parts_path(parts, item->d_name, path) == SG_OK)
            sg_file_discard(path);
    if (listing)
        closedir(listing);
}

static bool any_file(const char *name)
{
    return true;
}

/* What is made anew in each run. */
static bool is_leftover(const char *name)
{
    return spool_number(name) < 0 && strcmp(name, "journal") != 0;
}

static bool has_spools(const sg_parts *parts)
{
    bool found = false;
    DIR *listing = opendir(parts->folder);
    for (struct dirent *item; listing && !found && (item = readdir(listing));)
        found = spool_number(item->d_name) >= 0;
    if (listing)
        closedir(listing);
    return found;
}

void sg_parts_remove(sg_parts *parts)
{
    remove_files(parts, any_file);
    rmdir(parts->folder);
}

/* ---- the journal ---- */

/* The first line in which two journals differ. */
static sg_err refuse(const sg_parts *parts, const sg_parts_options *options, const char *old)
{
    const char *new = options->journal;
    while (*old && *new) {
        size_t a = strcspn(old, "\n"), b = strcspn(new, "\n");
        if (a != b || memcmp(old, new, a) != 0)
            break;
        old += a + (old[a] != '\0');
        new += b + (new[b] != '\0');
    }
    return sg_fail(SG_EUSAGE,
                   "%s holds an unfinished %s that was made otherwise (\"%.*s\", now "
                   "\"%.*s\"): let the same command finish it, or begin anew with --restart",
                   parts->folder, options->what ? options->what : "prediction",
                   (int)strcspn(old, "\n"), old, (int)strcspn(new, "\n"), new);
}

/* Rank 0: is it ours? Then true; else an empty folder with a new journal. */
static sg_err take_up(const sg_parts *parts, const sg_parts_options *options, bool *ours)
{
    char path[SG_PATH_MAX], *old = NULL;
    *ours = false;
    sg_err err = sg_make_folders(parts->folder);
    if (err == SG_OK)
        err = sg_parts_path(parts, "journal", path);
    if (err == SG_OK && !options->restart && sg_file_exists(path))
        err = sg_file_read_text(path, &old);
    *ours = err == SG_OK && old && strcmp(old, options->journal) == 0;
    if (old && !*ours)
        err = refuse(parts, options, old);
    sg_free(old);
    if (err != SG_OK)
        return err;
    remove_files(parts, *ours ? is_leftover : any_file);
    return *ours ? SG_OK : sg_file_write_text(path, options->journal);
}

/* ---- what earlier runs have finished ---- */

static sg_err note_place(sg_parts *parts, int64_t spool, const sg_spool_entry *entry)
{
    if (sg_record_places_put(&parts->places, spool, entry))
        return SG_OK;
    return sg_fail(SG_EUNSUPPORTED, "%s: a spool of more than 16 TiB, or too many of them",
                   parts->folder);
}

/* Of the last one of the earlier spools: what others had already is theirs. */
static sg_err mark_record(void *user, const sg_spool_entry *entry)
{
    sg_parts *parts = user;
    if (entry->record < 0 || entry->record >= parts->records || parts->has[entry->record])
        return SG_OK;
    parts->has[entry->record] = 1;
    parts->found++;
    return note_place(parts, (int64_t)parts->earlier_count - 1, entry);
}

static sg_err recover_spool(sg_parts *parts, int64_t number, const char *path)
{
    sg_spool *spool = NULL;
    int64_t before = parts->found;
    sg_err err = sg_grow(&parts->earlier, &parts->earlier_capacity, parts->earlier_count + 1,
                         sizeof *parts->earlier);
    if (err == SG_OK)
        err = sg_spool_recover(&spool, path);
    if (err != SG_OK)
        return err;
    parts->earlier[parts->earlier_count++] = number;
    err = sg_spool_each(spool, mark_record, parts);
    sg_spool_close(spool);
    if (err == SG_OK && parts->found == before) { /* others had all of it */
        parts->earlier_count--;
        sg_file_discard(path);
    }
    return err;
}

static sg_err recover_spools(sg_parts *parts)
{
    char path[SG_PATH_MAX];
    sg_err err = SG_OK;
    DIR *listing = opendir(parts->folder);
    for (struct dirent *item; err == SG_OK && listing && (item = readdir(listing));) {
        int64_t number = spool_number(item->d_name);
        if (number < 0)
            continue;
        parts->number = sg_max64(parts->number, number + 1);
        err = sg_parts_path(parts, item->d_name, path);
        if (err == SG_OK)
            err = recover_spool(parts, number, path);
    }
    if (listing)
        closedir(listing);
    return err;
}

static sg_err begin(sg_parts *parts, const sg_parts_options *options)
{
    bool ours = false;
    sg_err err = take_up(parts, options, &ours);
    return err == SG_OK && ours ? recover_spools(parts) : err;
}

/* ---- this run's spools ---- */

static int64_t own_index(const sg_parts *parts)
{
    return (int64_t)parts->earlier_count + sg_comm_rank(parts->comm);
}

static int64_t derived_index(const sg_parts *parts)
{
    return own_index(parts) + sg_comm_ranks(parts->comm);
}

static sg_err name_spool(const sg_parts *parts, int64_t index, char *path)
{
    char name[64];
    int64_t earlier = (int64_t)parts->earlier_count, ranks = sg_comm_ranks(parts->comm);
    if (index < earlier)
        snprintf(name, sizeof name, "%" PRId64 ".spool", parts->earlier[index]);
    else if (index < earlier + ranks)
        snprintf(name, sizeof name, "%" PRId64 ".spool", parts->number + index - earlier);
    else
        snprintf(name, sizeof name, "derived.%" PRId64 ".spool", index - earlier - ranks);
    return sg_parts_path(parts, name, path);
}

static sg_err begin_spool(sg_parts *parts)
{
    sg_err err = name_spool(parts, own_index(parts), parts->path);
    return err == SG_OK ? sg_spool_create(&parts->mine, parts->path) : err;
}

/* As many files as may be, and half of them for spools that are read: it may be one of each rank.
 */
static int64_t allow_files(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return FILES;
    rlim_t former = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        limit.rlim_cur = former;
    return limit.rlim_cur < INT32_MAX ? sg_max64((int64_t)limit.rlim_cur / 2, 1) : INT32_MAX;
}

static sg_err make_tables(sg_parts *parts)
{
    sg_err err = sg_calloc((size_t)parts->records, 1, &parts->has);
    return err == SG_OK ? sg_record_places_open(&parts->places, parts->records) : err;
}

/* Rank 0's findings to all. [collective] */
static sg_err share(sg_parts *parts)
{
    int64_t known[3] = {parts->number, parts->found, (int64_t)parts->earlier_count};
    sg_comm_broadcast(parts->comm, known, sizeof known, 0);
    parts->number = known[0];
    parts->found = known[1];
    parts->earlier_count = (size_t)known[2];
    parts->spools = known[2] + 2 * sg_comm_ranks(parts->comm);
    parts->readers_most = allow_files();
    sg_err err = sg_calloc((size_t)parts->spools, sizeof(sg_spool *), &parts->reader);
    if (err == SG_OK)
        err = sg_grow(&parts->earlier, &parts->earlier_capacity, parts->earlier_count,
                      sizeof *parts->earlier);
    err = sg_comm_agree(parts->comm, err);
    if (err != SG_OK || parts->found == 0)
        return err;
    sg_comm_broadcast(parts->comm, parts->earlier, parts->earlier_count * sizeof *parts->earlier,
                      0);
    sg_comm_broadcast(parts->comm, parts->has, (size_t)parts->records, 0);
    sg_record_places_merge(&parts->places, parts->comm);
    return SG_OK;
}

sg_err sg_parts_open(sg_parts **out, sg_comm *comm, const sg_parts_options *options)
{
    sg_parts *parts = NULL;
    sg_err err = sg_calloc(1, sizeof *parts, &parts);
    if (err == SG_OK) {
        parts->comm = comm;
        parts->records = options->records;
        err = sg_path_format(parts->folder, "%s.parts", options->output);
    }
    if (err == SG_OK)
        err = make_tables(parts);
    if (err == SG_OK && sg_comm_rank(comm) == 0)
        err = begin(parts, options);
    err = sg_comm_agree(comm, err);
    if (err == SG_OK)
        err = share(parts);
    if (err == SG_OK)
        err = sg_comm_agree(comm, begin_spool(parts));
    if (err != SG_OK) {
        sg_parts_close(parts);
        parts = NULL;
    }
    *out = parts;
    return err;
}

bool sg_parts_has(const sg_parts *parts, int64_t record)
{
    return parts->has[record];
}

sg_err sg_parts_add(sg_parts *parts, int64_t record, const void *data, size_t bytes)
{
    sg_err err = sg_spool_add(parts->mine, record, data, bytes);
    if (err != SG_OK)
        return err;
    parts->written++;
    parts->written_bytes += (int64_t)bytes;
    const sg_spool_entry entry = sg_spool_last(parts->mine);
    return note_place(parts, own_index(parts), &entry);
}

int64_t sg_parts_written(const sg_parts *parts)
{
    return parts->written_bytes;
}

sg_err sg_parts_sync(sg_parts *parts)
{
    return sg_spool_sync(parts->mine);
}

/* [collective] */
static void tell_of_rest(const sg_parts *parts)
{
    int64_t done = parts->written + parts->found;
    sg_comm_max_i64(parts->comm, &done, 1);
    if (sg_comm_rank(parts->comm) == 0 && done > 0)
        sg_info("what is finished is kept in %s: the same command does the rest", parts->folder);
}

sg_err sg_parts_finish(sg_parts *parts, sg_err mine)
{
    sg_err err = mine == SG_OK ? sg_spool_finish(parts->mine) : mine;
    sg_spool_close(parts->mine); /* on a network file system others see it from now on */
    parts->mine = NULL;
    err = sg_comm_agree(parts->comm, err);
    if (err != SG_OK)
        tell_of_rest(parts);
    else
        sg_record_places_merge(&parts->places, parts->comm);
    return err;
}

/* ---- reading ---- */

void sg_parts_rest(sg_parts *parts)
{
    for (int64_t i = 0; parts->readers > 0 && i < parts->spools; i++) {
        parts->readers -= parts->reader[i] != NULL;
        sg_spool_close(parts->reader[i]);
        parts->reader[i] = NULL;
    }
}

static sg_err open_reader(sg_parts *parts, int64_t index)
{
    char path[SG_PATH_MAX];
    if (parts->readers >= parts->readers_most)
        sg_parts_rest(parts);
    sg_err err = name_spool(parts, index, path);
    if (err == SG_OK)
        err = sg_spool_open(&parts->reader[index], path);
    parts->readers += err == SG_OK;
    return err;
}

int64_t sg_parts_bytes(const sg_parts *parts, int64_t record)
{
    sg_spool_entry entry;
    return sg_record_places_find(&parts->places, record, &entry) < 0 ? -1 : entry.bytes;
}

sg_err sg_parts_read(sg_parts *parts, int64_t record, void *data)
{
    sg_spool_entry entry;
    int64_t index = sg_record_places_find(&parts->places, record, &entry);
    sg_err err = SG_OK;
    if (index < 0)
        return sg_fail(SG_EINTERNAL, "%s: record %" PRId64 " was never written", parts->folder,
                       record);
    if (!parts->reader[index])
        err = open_reader(parts, index);
    return err == SG_OK ? sg_spool_read(parts->reader[index], &entry, data) : err;
}

bool sg_parts_is_near(const sg_parts *parts, int64_t record)
{
    sg_spool_entry entry;
    int64_t index = sg_record_places_find(&parts->places, record, &entry),
            earlier = (int64_t)parts->earlier_count;
    if (index >= earlier)
        index -= earlier;
    return sg_max64(index, 0) % sg_comm_ranks(parts->comm) == sg_comm_rank(parts->comm);
}

/* ---- what is derived ---- */

sg_err sg_parts_derive(sg_parts *parts, int64_t record, const void *data, size_t bytes)
{
    char path[SG_PATH_MAX];
    sg_err err = SG_OK;
    if (!parts->derived) {
        err = name_spool(parts, derived_index(parts), path);
        if (err == SG_OK)
            err = sg_spool_create(&parts->derived, path);
    }
    if (err == SG_OK)
        err = sg_spool_add(parts->derived, record, data, bytes);
    if (err != SG_OK)
        return err;
    const sg_spool_entry entry = sg_spool_last(parts->derived);
    return note_place(parts, derived_index(parts), &entry);
}

/* Who has opened a spool before, might not see what has been added on another machine. */
sg_err sg_parts_share(sg_parts *parts, sg_err mine)
{
    if (mine == SG_OK && parts->derived)
        mine = sg_spool_sync(parts->derived);
    sg_parts_rest(parts);
    sg_err err = sg_comm_agree(parts->comm, mine);
    if (err == SG_OK)
        sg_record_places_merge(&parts->places, parts->comm);
    return err;
}

/* The last rank to leave finds no spool and takes the folder away. */
static void tidy(const sg_parts *parts)
{
    if (parts->path[0] && parts->written == 0)
        sg_file_discard(parts->path);
    if (parts->folder[0] && !has_spools(parts)) {
        remove_files(parts, any_file);
        rmdir(parts->folder);
    }
}

void sg_parts_close(sg_parts *parts)
{
    if (!parts)
        return;
    sg_spool_close(parts->mine);
    sg_spool_close(parts->derived);
    sg_parts_rest(parts);
    tidy(parts);
    sg_record_places_close(&parts->places);
    sg_free(parts->earlier);
    sg_free(parts->reader);
    sg_free(parts->has);
    sg_free(parts);
}
