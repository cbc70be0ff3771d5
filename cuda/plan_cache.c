/*
 * A file is four lines: what it is, the key, the choice, and a checksum of the three. Its name is a
 * number made of the key; two keys of one number take turns.
 */
#include "cuda/plan_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/size.h"
#include "base/text.h"

#define HEADER "segtiles convolution 1\n"

struct sg_plan_cache {
    char folder[SG_PATH_MAX]; /* "": there is no place for it */
    bool told;                /* that something is wrong with it */
};

static const char *set(const char *variable)
{
    const char *value = getenv(variable);
    return value && *value ? value : NULL;
}

static sg_err choose_folder(char *folder)
{
    const char *own = set("SEGTILES_CACHE"), *caches = set("XDG_CACHE_HOME"), *home = set("HOME");
    folder[0] = '\0';
    if (own)
        return sg_path_format(folder, "%s/convolutions", own);
    if (caches)
        return sg_path_format(folder, "%s/segtiles/convolutions", caches);
    return home ? sg_path_format(folder, "%s/.cache/segtiles/convolutions", home) : SG_OK;
}

static void tell(sg_plan_cache *cache, const char *what)
{
    if (!cache->told)
        sg_warn("measured convolutions cannot be kept or taken from before, so they are measured "
                "in each run: %s",
                what);
    cache->told = true;
}

sg_err sg_plan_cache_open(sg_plan_cache **cache)
{
    sg_err err = sg_calloc(1, sizeof **cache, cache);
    if (!err && choose_folder((*cache)->folder)) {
        (*cache)->folder[0] = '\0';
        tell(*cache, sg_error_text());
    }
    return err;
}

void sg_plan_cache_close(sg_plan_cache *cache)
{
    sg_free(cache);
}

static sg_err path_of(const sg_plan_cache *cache, const char *key, char *path)
{
    return sg_path_format(path, "%s/%016" PRIx64, cache->folder,
                          sg_hash(SG_HASH_START, key, strlen(key)));
}

/* The whole file as it should be. */
static sg_err compose(const char *key, const char *choice, sg_text *text)
{
    sg_err err = sg_text_add(text, HEADER "%s\n%s\n", key, choice);
    return err ? err
               : sg_text_add(text, "%016" PRIx64 "\n",
                             sg_hash(SG_HASH_START, text->data, strlen(text->data)));
}

/* The text's third line into choice, where all four are as they should be. */
static bool parse(const char *text, const char *key, char *choice)
{
    size_t header = strlen(HEADER), length = strlen(key);
    sg_text whole = {0};
    if (strncmp(text, HEADER, header) != 0 || strncmp(text + header, key, length) != 0 ||
        text[header + length] != '\n')
        return false;
    const char *line = text + header + length + 1;
    size_t bytes = strcspn(line, "\n");
    if (bytes >= SG_PLAN_CHOICE_MAX)
        return false;
    memcpy(choice, line, bytes);
    choice[bytes] = '\0';
    bool whole_file = !compose(key, choice, &whole) && strcmp(whole.data, text) == 0;
    sg_text_clear(&whole);
    return whole_file;
}

/* A file of another key with the same number is no damage. */
static bool is_of_another(const char *text, const char *key)
{
    size_t header = strlen(HEADER), length = strcspn(text + header, "\n");
    return length != strlen(key) || strncmp(text + header, key, length) != 0;
}

bool sg_plan_cache_find(sg_plan_cache *cache, const char *key, char *choice)
{
    char path[SG_PATH_MAX], what[SG_PATH_MAX + 64], *text = NULL;
    if (cache->folder[0] == '\0' || path_of(cache, key, path) || !sg_file_exists(path))
        return false;
    if (sg_file_read_text(path, &text)) {
        tell(cache, sg_error_text());
        return false;
    }
    bool found = parse(text, key, choice);
    if (!found && (strncmp(text, HEADER, strlen(HEADER)) != 0 || !is_of_another(text, key))) {
        snprintf(what, sizeof what, "%s is damaged", path);
        tell(cache, what);
    }
    sg_free(text);
    return found;
}

/* The rank stands in the temporary name: processes of two nodes may have the same number. */
static sg_err write_whole(const char *path, const char *text)
{
    char mine[SG_PATH_MAX], temporary[SG_PATH_MAX];
    sg_err err = sg_path_format(mine, "%s.%d", path, sg_log_rank());
    if (!err)
        err = sg_file_temporary(mine, temporary);
    if (err)
        return err;
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        return sg_fail(SG_EOUTPUT, "%s: cannot be written: %s", path, strerror(errno));
    err = sg_file_write_all(fd, path, text, strlen(text));
    close(fd);
    if (!err)
        err = sg_file_commit(temporary, path);
    if (err)
        sg_file_discard(temporary);
    return err;
}

void sg_plan_cache_keep(sg_plan_cache *cache, const char *key, const char *choice)
{
    char path[SG_PATH_MAX];
    sg_text text = {0};
    if (cache->folder[0] == '\0' || strlen(choice) >= SG_PLAN_CHOICE_MAX)
        return;
    sg_err err = path_of(cache, key, path);
    if (!err)
        err = sg_make_folders(cache->folder);
    if (!err)
        err = compose(key, choice, &text);
    if (!err)
        err = write_whole(path, text.data);
    if (err)
        tell(cache, sg_error_text());
    sg_text_clear(&text);
}
