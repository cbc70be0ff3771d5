/* A tile store staged: its file copied as it is. */
#include "data/stage.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/size.h"

enum { PIECE = 4 << 20 }; /* bytes */

static sg_err copy_bytes(int from, const char *path, int to, const char *staged, int64_t *bytes)
{
    uint8_t *piece = NULL;
    ssize_t got = 1;
    sg_err err = sg_malloc(PIECE, 1, &piece);
    while (!err && got != 0) {
        got = read(from, piece, PIECE);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            err = sg_fail(SG_EINPUT, "%s: cannot be read: %s", path, strerror(errno));
        else
            err = sg_file_write_all(to, staged, piece, (size_t)got);
        *bytes += got > 0 ? got : 0;
    }
    sg_free(piece);
    return err;
}

static sg_err copy_file(const char *path, const char *staged, int64_t *bytes)
{
    char temporary[SG_PATH_MAX];
    sg_err err = sg_file_temporary(staged, temporary);
    if (err)
        return err;
    int from = open(path, O_RDONLY | O_CLOEXEC);
    if (from < 0)
        return sg_fail(SG_EINPUT, "%s: cannot be read: %s", path, strerror(errno));
    int to = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (to < 0)
        err = sg_fail(SG_EOUTPUT, "%s: cannot be written: %s", staged, strerror(errno));
    if (!err)
        err = copy_bytes(from, path, to, staged, bytes);
    if (to >= 0 && close(to) != 0 && !err)
        err = sg_fail(SG_EOUTPUT, "%s: cannot be written: %s", staged, strerror(errno));
    close(from);
    if (!err)
        err = sg_file_commit(temporary, staged);
    if (err)
        sg_file_discard(temporary);
    return err;
}

sg_err sg_stage_tiles(const char *folder, const char *path, char *staged, int64_t *made)
{
    char stem[SG_PATH_MAX];
    uint64_t hash = sg_stage_hash_file(SG_HASH_START, path);
    *made = 0;
    sg_err err = sg_path_stem(stem, path);
    if (!err)
        err = sg_path_format(staged, "%s/%.100s-%016" PRIx64 ".h5", folder, stem, hash);
    if (err || sg_file_exists(staged))
        return err;
    return copy_file(path, staged, made);
}
