/*
 * Preloaded into the program by tests/fault: makes a call fail as a disk, a file system or the
 * kernel would, on one rank. Without FAULT_RANK and FAULT_CALL it does nothing.
 *
 *   FAULT_RANK   the rank that it happens on, or "any"; a process without mpirun is rank 0
 *   FAULT_CALL   open, read, write, close, fsync, rename, mkdir, thread, memory, malloc
 *   FAULT_FILE   pattern of the file's name without its folder, for all but the last three
 *   FAULT_BYTES  the least size that counts, where the call has one
 *   FAULT_NTH    which of the calls that match, from 1
 *   FAULT_LASTS  when set, all later ones too
 *   FAULT_ERROR  number of the error; 0: the process is killed
 *   FAULT_MARK   a file that is made when it happens
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct {
    const char *call, *file, *mark; /* call is NULL on ranks that nothing happens on */
    size_t bytes;
    long nth;
    int error;
    bool lasts;
} fault;

static atomic_long matched;

static long number(const char *name, long otherwise)
{
    const char *text = getenv(name);
    return text ? strtol(text, NULL, 10) : otherwise;
}

static const char *text(const char *name, const char *otherwise)
{
    const char *value = getenv(name);
    return value ? value : otherwise;
}

__attribute__((constructor)) static void read_wishes(void)
{
    const char *rank = text("OMPI_COMM_WORLD_RANK", "0"), *wanted = getenv("FAULT_RANK");
    fault.file = text("FAULT_FILE", "");
    fault.mark = text("FAULT_MARK", "");
    fault.bytes = (size_t)number("FAULT_BYTES", 0);
    fault.nth = number("FAULT_NTH", 1);
    fault.error = (int)number("FAULT_ERROR", EIO);
    fault.lasts = getenv("FAULT_LASTS") != NULL;
    if (wanted && (strcmp(rank, wanted) == 0 || strcmp(wanted, "any") == 0))
        fault.call = getenv("FAULT_CALL");
}

static bool is_call(const char *call)
{
    return fault.call && strcmp(fault.call, call) == 0;
}

/* One more call that matches: does it fail? Then errno is set. */
static bool count(void)
{
    long now = atomic_fetch_add(&matched, 1) + 1;
    if (now < fault.nth || (now > fault.nth && !fault.lasts))
        return false;
    int mark = (int)syscall(SYS_openat, AT_FDCWD, fault.mark, O_WRONLY | O_CREAT, 0666);
    if (mark >= 0)
        syscall(SYS_close, mark);
    if (fault.error == 0)
        kill(getpid(), SIGKILL);
    errno = fault.error;
    return true;
}

static bool fails_at(const char *call, const char *path)
{
    if (!is_call(call))
        return false;
    const char *slash = strrchr(path, '/');
    return fnmatch(fault.file, slash ? slash + 1 : path, 0) == 0 && count();
}

static bool fails_on(const char *call, int descriptor, size_t bytes)
{
    char link[64], path[4096];
    if (!is_call(call) || bytes < fault.bytes)
        return false;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return false;
    path[length] = '\0';
    return fails_at(call, path);
}

/* Streams are marked as the C library marks them. */
static bool stream_fails(const char *call, FILE *stream, size_t bytes)
{
    if (!is_call(call) || !stream || !fails_on(call, fileno(stream), bytes))
        return false;
    stream->_flags |= _IO_ERR_SEEN;
    return true;
}

/* The function that stands behind ours. */
#define BEHIND(name)                                                                               \
    static __typeof__(name) *behind;                                                               \
    if (!behind)                                                                                   \
    *(void **)&behind = dlsym(RTLD_NEXT, #name)

#define OPEN(name)                                                                                 \
    int name(const char *path, int flags, ...)                                                     \
    {                                                                                              \
        BEHIND(name);                                                                              \
        va_list args;                                                                              \
        va_start(args, flags);                                                                     \
        mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;                                  \
        va_end(args);                                                                              \
        return fails_at("open", path) ? -1 : behind(path, flags, mode);                            \
    }
OPEN(open)
OPEN(open64)

#define FOPEN(name)                                                                                \
    FILE *name(const char *path, const char *mode)                                                 \
    {                                                                                              \
        BEHIND(name);                                                                              \
        return fails_at("open", path) ? NULL : behind(path, mode);                                 \
    }
FOPEN(fopen)
FOPEN(fopen64)

ssize_t read(int descriptor, void *data, size_t bytes)
{
    BEHIND(read);
    return fails_on("read", descriptor, bytes) ? -1 : behind(descriptor, data, bytes);
}

#define PREAD(name)                                                                                \
    ssize_t name(int descriptor, void *data, size_t bytes, off_t offset)                           \
    {                                                                                              \
        BEHIND(name);                                                                              \
        return fails_on("read", descriptor, bytes) ? -1 : behind(descriptor, data, bytes, offset); \
    }
PREAD(pread)
PREAD(pread64)

size_t fread(void *data, size_t size, size_t items, FILE *stream)
{
    BEHIND(fread);
    return stream_fails("read", stream, size * items) ? 0 : behind(data, size, items, stream);
}

ssize_t write(int descriptor, const void *data, size_t bytes)
{
    BEHIND(write);
    return fails_on("write", descriptor, bytes) ? -1 : behind(descriptor, data, bytes);
}

#define PWRITE(name)                                                                               \
    ssize_t name(int descriptor, const void *data, size_t bytes, off_t offset)                     \
    {                                                                                              \
        BEHIND(name);                                                                              \
        return fails_on("write", descriptor, bytes) ? -1                                           \
                                                    : behind(descriptor, data, bytes, offset);     \
    }
PWRITE(pwrite)
PWRITE(pwrite64)

size_t fwrite(const void *data, size_t size, size_t items, FILE *stream)
{
    BEHIND(fwrite);
    return stream_fails("write", stream, size * items) ? 0 : behind(data, size, items, stream);
}

int fputs(const char *line, FILE *stream)
{
    BEHIND(fputs);
    return stream_fails("write", stream, strlen(line)) ? EOF : behind(line, stream);
}

int fflush(FILE *stream)
{
    BEHIND(fflush);
    return stream_fails("write", stream, fault.bytes) ? EOF : behind(stream);
}

int fclose(FILE *stream)
{
    BEHIND(fclose);
    bool fails = stream_fails("write", stream, fault.bytes);
    int reason = errno, status = behind(stream);
    if (!fails)
        return status;
    errno = reason;
    return EOF;
}

/* Really closed, too. */
int close(int descriptor)
{
    BEHIND(close);
    bool fails = fails_on("close", descriptor, fault.bytes);
    int reason = errno, status = behind(descriptor);
    if (!fails)
        return status;
    errno = reason;
    return -1;
}

int fsync(int descriptor)
{
    BEHIND(fsync);
    return fails_on("fsync", descriptor, fault.bytes) ? -1 : behind(descriptor);
}

int fdatasync(int descriptor)
{
    BEHIND(fdatasync);
    return fails_on("fsync", descriptor, fault.bytes) ? -1 : behind(descriptor);
}

/* By its new name. */
int rename(const char *from, const char *to)
{
    BEHIND(rename);
    return fails_at("rename", to) ? -1 : behind(from, to);
}

int mkdir(const char *path, mode_t mode)
{
    BEHIND(mkdir);
    return fails_at("mkdir", path) ? -1 : behind(path, mode);
}

int posix_memalign(void **memory, size_t alignment, size_t bytes)
{
    BEHIND(posix_memalign);
    if (is_call("memory") && bytes >= fault.bytes && count())
        return fault.error;
    return behind(memory, alignment, bytes);
}

/* What libraries take; the program itself takes its memory by the call above. */
void *malloc(size_t bytes)
{
    BEHIND(malloc);
    return is_call("malloc") && bytes >= fault.bytes && count() ? NULL : behind(bytes);
}

/* Those of the program itself, not those of libraries. */
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *),
                   void *argument)
{
    BEHIND(pthread_create);
    Dl_info info = {0};
    bool own = is_call("thread") && dladdr(*(void **)&start, &info) && info.dli_fname &&
               !strstr(info.dli_fname, ".so");
    return own && count() ? fault.error : behind(thread, attributes, start, argument);
}
