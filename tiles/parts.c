#include "tiles/parts.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/log.h"
#include "base/size.h"

/* Where a record lies. */
typedef struct {
    int32_t spool; /* its number + 1; 0: nowhere */
    sg_spool_entry entry;
} place;

struct sg_parts {
    sg_comm *comm; /* borrowed */
    char folder[SG_PATH_MAX];
    int64_t records, found;
    uint8_t *has;   /* [records]: there before this run */
    int64_t number; /* of this run's first spool; rank r writes number + r */
    char path[SG_PATH_MAX];
    sg_spool *mine;  /* of this rank, while it is written */
    int64_t written; /* records of this rank */
    /* Rank 0: the spools of earlier runs, then, after sg_parts_spools, those of this one. */
    sg_spool **spool;
    char **name; /* [spools]: their paths, which they borrow */
    size_t spools, spool_capacity, name_capacity;
    place *places;     /* [records], after sg_parts_gather */
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
static sg_err refuse(const sg_parts *parts, const char *old, const char *new)
{
    while (*old && *new) {
        size_t a = strcspn(old, "\n"), b = strcspn(new, "\n");
        if (a != b || memcmp(old, new, a) != 0)
            break;
        old += a + (old[a] != '\0');
        new += b + (new[b] != '\0');
    }
    return sg_fail(SG_EUSAGE,
                   "%s holds an unfinished prediction that was made otherwise (\"%.*s\", now "
                   "\"%.*s\"): let the same command finish it, or begin anew with --restart",
                   parts->folder, (int)strcspn(old, "\n"), old, (int)strcspn(new, "\n"), new);
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
        err = refuse(parts, old, options->journal);
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

/* The last spool's records that no other had: are there any? */
static bool mark_records(sg_parts *parts)
{
    int64_t before = parts->found;
    size_t count;
    const sg_spool_entry *entry = sg_spool_entries(parts->spool[parts->spools - 1], &count);
    for (size_t i = 0; i < count; i++)
        if (entry[i].record >= 0 && entry[i].record < parts->records &&
            !parts->has[entry[i].record]) {
            parts->has[entry[i].record] = 1;
            parts->found++;
        }
    return parts->found > before;
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
        if (err == SG_OK && !mark_records(parts))
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
    return err;
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

/* Later spools first: those of this run are known to be whole. */
static void find_places(sg_parts *parts)
{
    for (size_t i = parts->spools; i-- > 0;) {
        size_t count;
        const sg_spool_entry *entry = sg_spool_entries(parts->spool[i], &count);
        for (size_t k = 0; k < count; k++)
            if (entry[k].record >= 0 && entry[k].record < parts->records &&
                !parts->places[entry[k].record].spool)
                parts->places[entry[k].record] = (place){(int32_t)i + 1, entry[k]};
    }
}

sg_err sg_parts_gather(sg_parts *parts)
{
    char path[SG_PATH_MAX];
    sg_err err = sg_calloc((size_t)parts->records, sizeof *parts->places, &parts->places);
    for (int rank = 0; err == SG_OK && rank < sg_comm_ranks(parts->comm); rank++) {
        err = name_spool(parts, rank, path);
        if (err == SG_OK)
            err = add_spool(parts, path, sg_spool_open);
    }
    if (err == SG_OK)
        find_places(parts);
    return err;
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
    size_t count;
    const sg_spool_entry *entry = sg_spool_entries(parts->derived, &count);
    parts->places[record] = (place){(int32_t)parts->spools, entry[count - 1]};
    return SG_OK;
}

int64_t sg_parts_bytes(const sg_parts *parts, int64_t record)
{
    const place *p = &parts->places[record];
    return p->spool ? p->entry.bytes : -1;
}

sg_err sg_parts_read(const sg_parts *parts, int64_t record, void *data)
{
    const place *p = &parts->places[record];
    if (!p->spool)
        return sg_fail(SG_EINTERNAL, "%s: record %" PRId64 " was never written", parts->folder,
                       record);
    return sg_spool_read(parts->spool[p->spool - 1], &p->entry, data);
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
    sg_free(parts->places);
    sg_free(parts);
}
