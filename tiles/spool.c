#include "tiles/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "base/size.h"

/* The last bytes of a finished spool. */
typedef struct {
    char magic[8];
    int64_t count; /* index entries, which stand just before */
} footer;

static const char MAGIC[8] = "SGSPOOL1";

struct sg_spool {
    const char *path; /* borrowed */
    int fd;
    int64_t end; /* where the next block goes */
    sg_spool_entry *entry;
    size_t count, capacity;
};

static sg_err cannot_write(const sg_spool *spool)
{
    return sg_fail(SG_EOUTPUT, "%s: cannot be written: %s", spool->path, strerror(errno));
}

static sg_err write_at(const sg_spool *spool, const void *data, size_t bytes, int64_t offset)
{
    const char *next = data;
    while (bytes > 0) {
        ssize_t done = pwrite(spool->fd, next, bytes, offset);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return cannot_write(spool);
        next += done;
        offset += done;
        bytes -= (size_t)done;
    }
    return SG_OK;
}

static sg_err read_at(const sg_spool *spool, void *data, size_t bytes, int64_t offset)
{
    char *next = data;
    while (bytes > 0) {
        ssize_t done = pread(spool->fd, next, bytes, offset);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return sg_fail(SG_EINPUT, "%s: cannot be read: %s", spool->path,
                           done < 0 ? strerror(errno) : "it ends too early");
        next += done;
        offset += done;
        bytes -= (size_t)done;
    }
    return SG_OK;
}

static sg_err open_file(sg_spool **spool, const char *path, int flags, sg_err code)
{
    sg_err err = sg_calloc(1, sizeof **spool, spool);
    if (err != SG_OK)
        return err;
    (*spool)->path = path;
    (*spool)->fd = open(path, flags | O_CLOEXEC, 0666);
    if ((*spool)->fd >= 0)
        return SG_OK;
    err = sg_fail(code, "%s: cannot be opened: %s", path, strerror(errno));
    sg_spool_close(*spool);
    *spool = NULL;
    return err;
}

sg_err sg_spool_create(sg_spool **spool, const char *path)
{
    return open_file(spool, path, O_RDWR | O_CREAT | O_TRUNC, SG_EOUTPUT);
}

sg_err sg_spool_add(sg_spool *spool, int64_t block, const void *data, size_t bytes)
{
    sg_err err = sg_grow(&spool->entry, &spool->capacity, spool->count + 1, sizeof *spool->entry);
    if (err == SG_OK)
        err = write_at(spool, data, bytes, spool->end);
    if (err != SG_OK)
        return err;
    spool->entry[spool->count++] =
        (sg_spool_entry){.block = block, .offset = spool->end, .bytes = (int64_t)bytes};
    spool->end += (int64_t)bytes;
    return SG_OK;
}

sg_err sg_spool_finish(sg_spool *spool)
{
    footer last = {.count = (int64_t)spool->count};
    memcpy(last.magic, MAGIC, sizeof MAGIC);
    size_t bytes = spool->count * sizeof *spool->entry;
    sg_err err = write_at(spool, spool->entry, bytes, spool->end);
    if (err == SG_OK)
        err = write_at(spool, &last, sizeof last, spool->end + (int64_t)bytes);
    if (err != SG_OK)
        return err;
    int closed = close(spool->fd); /* network file systems tell of a full disk only here */
    spool->fd = -1;
    return closed == 0 ? SG_OK : cannot_write(spool);
}

static sg_err read_index(sg_spool *spool)
{
    footer last;
    int64_t end = (int64_t)lseek(spool->fd, 0, SEEK_END) - (int64_t)sizeof last;
    if (end < 0)
        return sg_fail(SG_EINPUT, "%s: has no index", spool->path);
    sg_err err = read_at(spool, &last, sizeof last, end);
    if (err != SG_OK)
        return err;
    if (memcmp(last.magic, MAGIC, sizeof MAGIC) != 0 || last.count < 0 ||
        last.count > end / (int64_t)sizeof *spool->entry)
        return sg_fail(SG_EINPUT, "%s: has no index", spool->path);
    spool->count = (size_t)last.count;
    spool->end = end - last.count * (int64_t)sizeof *spool->entry;
    err = sg_malloc(spool->count, sizeof *spool->entry, &spool->entry);
    if (err != SG_OK)
        return err;
    return read_at(spool, spool->entry, spool->count * sizeof *spool->entry, spool->end);
}

sg_err sg_spool_open(sg_spool **spool, const char *path)
{
    sg_err err = open_file(spool, path, O_RDONLY, SG_EINPUT);
    if (err == SG_OK)
        err = read_index(*spool);
    if (err != SG_OK) {
        sg_spool_close(*spool);
        *spool = NULL;
    }
    return err;
}

const sg_spool_entry *sg_spool_entries(const sg_spool *spool, size_t *count)
{
    *count = spool->count;
    return spool->entry;
}

sg_err sg_spool_read(const sg_spool *spool, const sg_spool_entry *entry, void *data)
{
    return read_at(spool, data, (size_t)entry->bytes, entry->offset);
}

void sg_spool_close(sg_spool *spool)
{
    if (!spool)
        return;
    if (spool->fd >= 0)
        close(spool->fd);
    sg_free(spool->entry);
    sg_free(spool);
}
