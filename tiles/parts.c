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

/* Where a record lies, in 12 bytes: there are millions. Above OFFSET_BITS the number of its spool +
 * 1 (0: nowhere), below its offset in there. */
enum { OFFSET_BITS = 44, SPOOLS_MOST = (1 << 20) - 2 };
static const int64_t OFFSET_MOST = (INT64_C(1) << OFFSET_BITS) - 1;

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
    /* Rank 0: the spools of earlier runs, then, after sg_parts_spools, those of this one. */
    sg_spool **spool;
    char **name; /* [spools]: their paths, which they borrow */
    size_t spools, spool_capacity, name_capacity;
    uint64_t *place;   /* [records], after sg_parts_gather */
    uint32_t *bytes;   /* the same */
    sg_spool *derived; /* the last of spools, or NULL */
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

static sg_err add_spool(sg_parts *parts, const char *path,
                        sg_err (*open)(sg_spool **, const char *))
{
    sg_err err =
        sg_grow(&parts->spool, &parts->spool_capacity, parts->spools + 1, sizeof *parts->spool);
    if (err == SG_OK)
        err = sg_grow(&parts->name, &parts->name_capacity, parts->spools + 1, sizeof *parts->name);
    if (err != SG_OK)
        return err;
    char *name = strdup(path);
    if (!name)
        return sg_fail(SG_ENOMEM, "no memory for the name of a spool");
    err = open(&parts->spool[parts->spools], name);
    if (err == SG_OK)
        parts->name[parts->spools++] = name;
    else
        free(name);
    return err;
}

static sg_err mark_record(void *user, const sg_spool_entry *entry)
{
    sg_parts *parts = user;
    if (entry->record >= 0 && entry->record < parts->records && !parts->has[entry->record]) {
        parts->has[entry->record] = 1;
        parts->found++;
    }
    return SG_OK;
}

static void drop_last(sg_parts *parts)
{
    parts->spools--;
    sg_spool_close(parts->spool[parts->spools]);
    sg_file_discard(parts->name[parts->spools]);
    free(parts->name[parts->spools]);
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
            err = add_spool(parts, path, sg_spool_recover);
        int64_t before = parts->found;
        if (err == SG_OK)
            err = sg_spool_each(parts->spool[parts->spools - 1], mark_record, parts);
        if (err == SG_OK && parts->found == before) /* others had all of it */
            drop_last(parts);
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

static sg_err name_spool(const sg_parts *parts, int rank, char *path)
{
    char name[64];
    snprintf(name, sizeof name, "%" PRId64 ".spool", parts->number + rank);
    return sg_parts_path(parts, name, path);
}

static sg_err begin_spool(sg_parts *parts)
{
    sg_err err = name_spool(parts, sg_comm_rank(parts->comm), parts->path);
    return err == SG_OK ? sg_spool_create(&parts->mine, parts->path) : err;
}

/* Rank 0's findings to all. [collective] */
static void share(sg_parts *parts)
{
    int64_t known[2] = {parts->number, parts->found};
    sg_comm_broadcast(parts->comm, known, sizeof known, 0);
    sg_comm_broadcast(parts->comm, parts->has, (size_t)parts->records, 0);
    parts->number = known[0];
    parts->found = known[1];
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
        err = sg_calloc((size_t)options->records, 1, &parts->has);
    if (err == SG_OK && sg_comm_rank(comm) == 0)
        err = begin(parts, options);
    err = sg_comm_agree(comm, err);
    if (err == SG_OK) {
        share(parts);
        err = sg_comm_agree(comm, begin_spool(parts));
    }
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
    parts->written += err == SG_OK;
    parts->written_bytes += err == SG_OK ? (int64_t)bytes : 0;
    return err;
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
    return err;
}

/* Of the spool that is looked at. */
typedef struct {
    sg_parts *parts;
    size_t spool;
} visit;

static sg_err note_place(void *user, const sg_spool_entry *entry)
{
    visit *v = user;
    sg_parts *parts = v->parts;
    if (entry->record < 0 || entry->record >= parts->records || parts->place[entry->record])
        return SG_OK;
    if (entry->offset > OFFSET_MOST || entry->bytes > UINT32_MAX || v->spool > SPOOLS_MOST)
        return sg_fail(SG_EUNSUPPORTED, "%s: a spool of more than 16 TiB, or too many of them",
                       parts->folder);
    parts->place[entry->record] = (uint64_t)(v->spool + 1) << OFFSET_BITS | (uint64_t)entry->offset;
    parts->bytes[entry->record] = (uint32_t)entry->bytes;
    return SG_OK;
}

/* Later spools first: those of this run are known to be whole. */
static sg_err find_places(sg_parts *parts)
{
    sg_err err = SG_OK;
    for (size_t i = parts->spools; err == SG_OK && i-- > 0;)
        err = sg_spool_each(parts->spool[i], note_place, &(visit){parts, i});
    return err;
}

/* Every rank has a spool of each output, and rank 0 reads them all: as many as may be are opened.
 */
static void allow_files(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit); /* else opening says what is wrong */
}

sg_err sg_parts_gather(sg_parts *parts)
{
    allow_files();
    char path[SG_PATH_MAX];
    sg_err err = sg_calloc((size_t)parts->records, sizeof *parts->place, &parts->place);
    if (err == SG_OK)
        err = sg_calloc((size_t)parts->records, sizeof *parts->bytes, &parts->bytes);
    for (int rank = 0; err == SG_OK && rank < sg_comm_ranks(parts->comm); rank++) {
        err = name_spool(parts, rank, path);
        if (err == SG_OK)
            err = add_spool(parts, path, sg_spool_open);
    }
    return err == SG_OK ? find_places(parts) : err;
}

sg_err sg_parts_derive(sg_parts *parts, int64_t record, const void *data, size_t bytes)
{
    char path[SG_PATH_MAX];
    sg_err err = SG_OK;
    if (!parts->derived) {
        err = sg_parts_path(parts, "derived.spool", path);
        if (err == SG_OK)
            err = add_spool(parts, path, sg_spool_create);
        if (err == SG_OK)
            parts->derived = parts->spool[parts->spools - 1];
    }
    if (err == SG_OK)
        err = sg_spool_add(parts->derived, record, data, bytes);
    if (err != SG_OK)
        return err;
    sg_spool_entry entry = sg_spool_last(parts->derived);
    if (record >= 0 && record < parts->records)
        parts->place[record] = 0; /* it takes the place of what was gathered */
    return note_place(&(visit){parts, parts->spools - 1}, &entry);
}

int64_t sg_parts_bytes(const sg_parts *parts, int64_t record)
{
    return parts->place[record] ? (int64_t)parts->bytes[record] : -1;
}

sg_err sg_parts_read(const sg_parts *parts, int64_t record, void *data)
{
    uint64_t place = parts->place[record];
    if (!place)
        return sg_fail(SG_EINTERNAL, "%s: record %" PRId64 " was never written", parts->folder,
                       record);
    const sg_spool_entry entry = {record, (int64_t)(place & (uint64_t)OFFSET_MOST),
                                  parts->bytes[record]};
    return sg_spool_read(parts->spool[(place >> OFFSET_BITS) - 1], &entry, data);
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
    for (size_t i = 0; i < parts->spools; i++) {
        sg_spool_close(parts->spool[i]);
        free(parts->name[i]);
    }
    tidy(parts);
    sg_free(parts->spool);
    sg_free(parts->name);
    sg_free(parts->has);
    sg_free(parts->place);
    sg_free(parts->bytes);
    sg_free(parts);
}
