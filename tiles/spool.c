#include "tiles/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>
#include "base/file.h"
#include "base/size.h"
#include "data/compress.h"

/* Before each record's data. */
typedef struct {
    uint32_t magic, checksum; /* CRC-32 of what follows it and of the data */
    int64_t record, bytes;
} header;

static const uint32_t MAGIC = 0x31426753; /* "SgB1" */

struct sg_spool {
    int fd;
    int64_t end; /* of what counts: where the next record goes */
    sg_spool_entry last;
    char path[];
};

static sg_err cannot_write(const sg_spool *spool)
{
    return sg_fail(SG_EOUTPUT, "%s: cannot be written: %s", spool->path, strerror(errno));
}

static sg_err write_at(const sg_spool *spool, const void *data, size_t bytes, int64_t offset)
{
    return sg_file_write_at(spool->fd, spool->path, data, bytes, offset);
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
    sg_err err = sg_calloc(1, sizeof **spool + strlen(path) + 1, spool);
    if (err != SG_OK)
        return err;
    strcpy((*spool)->path, path);
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
    return open_file(spool, path, O_RDWR | O_CREAT | O_EXCL, SG_EOUTPUT);
}

static uint32_t checksum(const header *head, const void *data)
{
    const size_t skipped = offsetof(header, record);
    uint32_t crc = sg_crc32(0, (const char *)head + skipped, sizeof *head - skipped);
    return head->bytes > 0 ? sg_crc32(crc, data, (size_t)head->bytes) : crc;
}

static sg_spool_entry entry_at(int64_t offset, const header *head)
{
    return (sg_spool_entry){head->record, offset + (int64_t)sizeof *head, head->bytes};
}

sg_err sg_spool_add(sg_spool *spool, int64_t record, const void *data, size_t bytes)
{
    header head = {.magic = MAGIC, .record = record, .bytes = (int64_t)bytes};
    head.checksum = checksum(&head, data);
    sg_err err = write_at(spool, &head, sizeof head, spool->end);
    if (err == SG_OK)
        err = write_at(spool, data, bytes, spool->end + (int64_t)sizeof head);
    if (err != SG_OK)
        return err;
    spool->last = entry_at(spool->end, &head);
    spool->end = spool->last.offset + spool->last.bytes;
    return SG_OK;
}

sg_spool_entry sg_spool_last(const sg_spool *spool)
{
    return spool->last;
}

sg_err sg_spool_sync(sg_spool *spool)
{
    return fdatasync(spool->fd) == 0 || errno == EINVAL ? SG_OK : cannot_write(spool);
}

sg_err sg_spool_finish(sg_spool *spool)
{
    sg_err err = sg_spool_sync(spool);
    int closed = close(spool->fd); /* network file systems tell of a full disk only here */
    spool->fd = -1;
    return err != SG_OK || closed == 0 ? err : cannot_write(spool);
}

/* The header at an offset, when it and its data lie whole before the end. */
static sg_err read_header(const sg_spool *spool, int64_t offset, header *head, bool *whole)
{
    int64_t left = spool->end - offset - (int64_t)sizeof *head;
    *whole = left >= 0;
    sg_err err = *whole ? read_at(spool, head, sizeof *head, offset) : SG_OK;
    if (*whole && err == SG_OK)
        *whole = head->magic == MAGIC && head->bytes >= 0 && head->bytes <= left;
    return err;
}

static sg_err check_data(const sg_spool *spool, int64_t offset, const header *head, bool *right)
{
    char *data = NULL;
    sg_err err = sg_malloc((size_t)sg_max64(head->bytes, 1), 1, &data);
    if (err == SG_OK)
        err = read_at(spool, data, (size_t)head->bytes, offset + (int64_t)sizeof *head);
    *right = err == SG_OK && checksum(head, data) == head->checksum;
    sg_free(data);
    return err;
}

sg_err sg_spool_open(sg_spool **spool, const char *path)
{
    sg_err err = open_file(spool, path, O_RDONLY, SG_EINPUT);
    if (err == SG_OK)
        (*spool)->end = (int64_t)lseek((*spool)->fd, 0, SEEK_END);
    return err;
}

/* The end moves to the first record that is not whole, or not what it was. */
static sg_err find_end(sg_spool *spool)
{
    int64_t offset = 0;
    for (bool whole = true; whole;) {
        header head;
        sg_err err = read_header(spool, offset, &head, &whole);
        if (err == SG_OK && whole)
            err = check_data(spool, offset, &head, &whole);
        if (err != SG_OK)
            return err;
        if (whole)
            offset += (int64_t)sizeof head + head.bytes;
    }
    spool->end = offset;
    return SG_OK;
}

sg_err sg_spool_recover(sg_spool **spool, const char *path)
{
    sg_err err = sg_spool_open(spool, path);
    if (err == SG_OK)
        err = find_end(*spool);
    if (err != SG_OK) {
        sg_spool_close(*spool);
        *spool = NULL;
    }
    return err;
}

sg_err sg_spool_each(const sg_spool *spool, sg_spool_fn fn, void *user)
{
    int64_t offset = 0, count = 0;
    sg_err err = SG_OK;
    for (bool whole = true; err == SG_OK && offset < spool->end; count++) {
        header head;
        err = read_header(spool, offset, &head, &whole);
        if (err == SG_OK && !whole)
            return sg_fail(SG_EINPUT, "%s: is damaged behind %" PRId64 " records", spool->path,
                           count);
        sg_spool_entry entry = entry_at(offset, &head);
        if (err == SG_OK)
            err = fn(user, &entry);
        offset = entry.offset + entry.bytes;
    }
    return err;
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
    sg_free(spool);
}
