#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/size.h"

enum { TEXT_FILE_MAX = 16 << 20 };

sg_err sg_path_format(char *out, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = vsnprintf(out, SG_PATH_MAX, format, args);
    va_end(args);
    if (length < 0 || length >= SG_PATH_MAX) {
        return sg_fail(SG_EUSAGE, "a path has more than %d bytes: %.60s...", SG_PATH_MAX - 1, out);
    }
    return SG_OK;
}

const char *sg_path_base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* ".hidden" has no extension. */
sg_err sg_path_trunk(char *out, const char *path)
{
    sg_err err = sg_path_format(out, "%s", path);
    if (err) {
        return err;
    }
    char *base = out + (sg_path_base(path) - path), *dot = strrchr(base, '.');
    if (dot && dot != base) {
        *dot = '\0';
    }
    return SG_OK;
}

sg_err sg_path_stem(char *out, const char *path)
{
    return sg_path_trunk(out, sg_path_base(path));
}

/* The folder that holds path. */
static sg_err path_folder(char *out, const char *path)
{
    size_t length = (size_t)(sg_path_base(path) - path);
    if (length == 0) {
        return sg_path_format(out, ".");
    }
    if (length > 1) { /* without the slash, unless it is the root */
        length--;
    }
    return sg_path_format(out, "%.*s", (int)length, path);
}

sg_err sg_file_temporary(const char *final_path, char *temporary)
{
    return sg_path_format(temporary, "%s.tmp.%ld", final_path, (long)getpid());
}

static sg_err write_failed(const char *path)
{
    return sg_fail(SG_EOUTPUT, "%s: cannot be written: %s", path, strerror(errno));
}

/* name: what the user knows the file by. */
static sg_err flush(const char *path, int flags, const char *name)
{
    int fd = open(path, flags | O_CLOEXEC);
    if (fd < 0) {
        return write_failed(name);
    }
    /* Some network file systems refuse to fsync a folder; their rename is durable or cannot be. */
    bool failed = fsync(fd) != 0 && errno != EINVAL && errno != EROFS;
    sg_err err = failed ? write_failed(name) : SG_OK;
    close(fd);
    return err;
}

/* Give what is at path the name former too; where a file system knows no second names, instead. */
static sg_err keep(const char *path, const char *former)
{
    char second[SG_PATH_MAX];
    sg_err err = sg_file_temporary(former, second);
    if (err || !sg_file_exists(path)) {
        return err;
    }
    sg_file_discard(second);
    const char *from = link(path, second) == 0 ? second : path;
    if (rename(from, former) != 0) {
        err = write_failed(former);
    }
    sg_file_discard(second); /* still there when both names were of one file, or on failure */
    return err;
}

sg_err sg_file_commit(const char *temporary, const char *final_path)
{
    return sg_file_replace(temporary, final_path, NULL);
}

sg_err sg_file_replace(const char *temporary, const char *final_path, const char *former)
{
    char folder[SG_PATH_MAX];
    sg_err err = path_folder(folder, final_path);
    if (!err) {
        err = flush(temporary, O_RDONLY, final_path);
    }
    if (!err && former) {
        err = keep(final_path, former);
    }
    if (!err && rename(temporary, final_path) != 0) {
        err = write_failed(final_path);
    }
    return err ? err : flush(folder, O_RDONLY | O_DIRECTORY, folder);
}

void sg_file_discard(const char *temporary)
{
    int kept = errno; /* called while another error is on its way up */
    unlink(temporary);
    errno = kept;
}

/* "NAME.tmp.PID" */
static bool is_temporary(const char *name)
{
    const char *end = strrchr(name, '.');
    return end && end[1] != '\0' && strspn(end + 1, "0123456789") == strlen(end + 1) &&
           end - name > 4 && memcmp(end - 4, ".tmp", 4) == 0;
}

void sg_folder_tidy(const char *folder)
{
    char path[SG_PATH_MAX];
    DIR *listing = opendir(folder);
    for (struct dirent *item; listing && (item = readdir(listing));)
        if (is_temporary(item->d_name) &&
            sg_path_format(path, "%s/%s", folder, item->d_name) == SG_OK)
            sg_file_discard(path);
    if (listing)
        closedir(listing);
}

bool sg_file_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

bool sg_is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

/* Another process may make the folder at the same moment: that is as good. */
static sg_err make_folder(const char *path)
{
    if (mkdir(path, 0777) == 0) {
        return SG_OK;
    }
    int reason = errno;
    if (sg_is_folder(path)) {
        return SG_OK;
    }
    if (sg_file_exists(path)) {
        return sg_fail(SG_EOUTPUT, "%s: is a file, but a folder is needed there", path);
    }
    return sg_fail(SG_EOUTPUT, "%s: the folder cannot be made: %s", path, strerror(reason));
}

sg_err sg_make_folders(const char *path)
{
    char part[SG_PATH_MAX];
    sg_err err = sg_path_format(part, "%s", path);
    for (char *p = part; !err && *p; p++) {
        if (*p == '/' && p != part) {
            *p = '\0';
            err = make_folder(part);
            *p = '/';
        }
    }
    return err ? err : make_folder(path);
}

sg_err sg_file_write_all(int fd, const char *path, const void *data, size_t bytes)
{
    const char *next = data;
    while (bytes > 0) {
        ssize_t done = write(fd, next, bytes);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done < 0) {
            return write_failed(path);
        }
        next += done;
        bytes -= (size_t)done;
    }
    return SG_OK;
}

sg_err sg_file_write_at(int fd, const char *path, const void *data, size_t bytes, int64_t offset)
{
    const char *next = data;
    while (bytes > 0) {
        ssize_t done = pwrite(fd, next, bytes, offset);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done < 0) {
            return write_failed(path);
        }
        next += done;
        offset += done;
        bytes -= (size_t)done;
    }
    return SG_OK;
}

sg_err sg_file_write_text(const char *path, const char *text)
{
    char temporary[SG_PATH_MAX];
    sg_err err = sg_file_temporary(path, temporary);
    if (err) {
        return err;
    }
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0) {
        return write_failed(path);
    }
    err = sg_file_write_all(fd, path, text, strlen(text));
    if (close(fd) != 0 && !err) {
        err = write_failed(path);
    }
    if (!err) {
        err = sg_file_commit(temporary, path);
    }
    if (err) {
        sg_file_discard(temporary);
    }
    return err;
}

static sg_err read_failed(const char *path)
{
    return sg_fail(SG_EINPUT, "%s: cannot be read: %s", path, strerror(errno));
}

/* Read to the end, not to the size that stat gives: the file may be a pipe. */
static sg_err read_all(FILE *file, const char *path, char **text)
{
    size_t capacity = 0, length = 0, got = 0;
    do {
        sg_err err = sg_grow(text, &capacity, length + 65536 + 1, 1);
        if (err) {
            return err;
        }
        errno = 0;
        got = fread(*text + length, 1, 65536, file);
        length += got;
        if (length > TEXT_FILE_MAX) {
            return sg_fail(SG_EINPUT, "%s: has more than 16 MiB, which no text read here needs",
                           path);
        }
    } while (got > 0);
    if (ferror(file)) {
        return read_failed(path);
    }
    (*text)[length] = '\0';
    if (strlen(*text) != length) {
        return sg_fail(SG_EINPUT, "%s: is not a text file (it has a byte of zero)", path);
    }
    return SG_OK;
}

sg_err sg_file_read_text(const char *path, char **text)
{
    *text = NULL;
    FILE *file = fopen(path, "re");
    if (!file) {
        return read_failed(path);
    }
    sg_err err = read_all(file, path, text);
    fclose(file);
    if (err) {
        sg_free(*text);
        *text = NULL;
    }
    return err;
}
