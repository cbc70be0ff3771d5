#include "tiles/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>
#include "base/size.h"
#include "data/compress.h"

/* Before each record's data. */
typedef struct {
    uint32_t magic, checksum; /* CRC-32 of what follows it and of the data */
    int64_t record, bytes;
} header;

static const uint32_t MAGIC = 0x31426753; /* "SgB1" */

struct sg_spool {
    const char *path; /* borrowed */
    int fd;
    int64_t end; /* where the next record goes */
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
    return open_file(spool, path, O_RDWR | O_CREAT | O_EXCL, SG_EOUTPUT);
}

static uint32_t checksum(const header *head, const void *data)
{
    const size_t skipped = offsetof(header, record);
    uint32_t crc = sg_crc32(0, (const char *)head + skipped, sizeof *head - skipped);
    return head->bytes > 0 ? sg_crc32(crc, data, (size_t)head->bytes) : crc;
}

static sg_err note(sg_spool *spool, const header *head)
{
    sg_err err = sg_grow(&spool->entry, &spool->capacity, spool->count + 1, sizeof *spool->entry);
    if (err != SG_OK)
        return err;
    int64_t offset = spool->end + (int64_t)sizeof *head;
    spool->entry[spool->count++] = (sg_spool_entry){head->record, offset, head->bytes};
    spool->end = offset + head->bytes;
    return SG_OK;
}

sg_err sg_spool_add(sg_spool *spool, int64_t record, const void *data, size_t bytes)
{
    header head = {.magic = MAGIC, .record = record, .bytes = (int64_t)bytes};
    head.checksum = checksum(&head, data);
    sg_err err = write_at(spool, &head, sizeof head, spool->end);
    if (err == SG_OK)
        err = write_at(spool, data, bytes, spool->end + (int64_t)sizeof head);
    return err == SG_OK ? note(spool, &head) : err;
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

/* The next header, when it and its data lie whole before `size`. */
static sg_err next_header(const sg_spool *spool, int64_t size, header *head, bool *whole)
{
    int64_t left = size - spool->end - (int64_t)sizeof *head;
    *whole = left >= 0;
    sg_err err = *whole ? read_at(spool, head, sizeof *head, spool->end) : SG_OK;
    if (*whole && err == SG_OK)
        *whole = head->magic == MAGIC && head->bytes >= 0 && head->bytes <= left;
    return err;
}

static sg_err check_data(const sg_spool *spool, const header *head, bool *right)
{
    char *data = NULL;
    sg_err err = sg_malloc((size_t)sg_max64(head->bytes, 1), 1, &data);
    if (err == SG_OK)
        err = read_at(spool, data, (size_t)head->bytes, spool->end + (int64_t)sizeof *head);
    *right = err == SG_OK && checksum(head, data) == head->checksum;
    sg_free(data);
    return err;
}

/* All records up to the first that is not whole, or, with check, not what it was. */
static sg_err read_headers(sg_spool *spool, bool check)
{
    int64_t size = (int64_t)lseek(spool->fd, 0, SEEK_END);
    for (bool whole = true;;) {
        header head;
        sg_err err = next_header(spool, size, &head, &whole);
        if (err == SG_OK && whole && check)
            err = check_data(spool, &head, &whole);
        if (err == SG_OK && whole)
            err = note(spool, &head);
        if (err != SG_OK || !whole)
            return err;
    }
}

static sg_err open_spool(sg_spool **spool, const char *path, bool recover)
{
    sg_err err = open_file(spool, path, O_RDONLY, SG_EINPUT);
    if (err == SG_OK)
        err = read_headers(*spool, recover);
    if (err == SG_OK && !recover && (*spool)->end != (int64_t)lseek((*spool)->fd, 0, SEEK_END))
        err = sg_fail(SG_EINPUT, "%s: is damaged behind %zu records", path, (*spool)->count);
    if (err != SG_OK) {
        sg_spool_close(*spool);
        *spool = NULL;
    }
    return err;
}

sg_err sg_spool_open(sg_spool **spool, const char *path)
{
    return open_spool(spool, path, false);
}

sg_err sg_spool_recover(sg_spool **spool, const char *path)
{
    return open_spool(spool, path, true);
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
