#include "data/safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/size.h"

enum {
    PREFIX = 8,             /* bytes that hold the header's length */
    HEADER_MOST = 16 << 20, /* a hundred bytes a tensor: far more than any network has */
    DEPTH_MOST = 8,         /* of JSON: {tensor: {"shape": [...]}} and metadata */
    PART = 1 << 16          /* elements converted at once */
};

struct sg_safetensors {
    int fd;
    uint64_t size;       /* of the file */
    json_object *header; /* owns the names */
    sg_safetensor *item; /* in the order of the values */
    size_t count, capacity;
    char path[SG_PATH_MAX];
};

typedef struct {
    const char *name;
    uint32_t bytes;
    sg_tensor_type type;
} dtype;

static const dtype dtypes[] = {
    {"F32", 4, SG_TENSOR_F32},    {"F16", 2, SG_TENSOR_F16},       {"BF16", 2, SG_TENSOR_BF16},
    {"F64", 8, SG_TENSOR_F64},    {"I64", 8, SG_TENSOR_OTHER},     {"I32", 4, SG_TENSOR_OTHER},
    {"I16", 2, SG_TENSOR_OTHER},  {"I8", 1, SG_TENSOR_OTHER},      {"U64", 8, SG_TENSOR_OTHER},
    {"U32", 4, SG_TENSOR_OTHER},  {"U16", 2, SG_TENSOR_OTHER},     {"U8", 1, SG_TENSOR_OTHER},
    {"BOOL", 1, SG_TENSOR_OTHER}, {"F8_E4M3", 1, SG_TENSOR_OTHER}, {"F8_E5M2", 1, SG_TENSOR_OTHER},
};

static const dtype *find_dtype(const char *name)
{
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++)
        if (strcmp(name, dtypes[i].name) == 0)
            return &dtypes[i];
    return NULL;
}

static sg_err damaged(const sg_safetensors *f, const char *what)
{
    return sg_fail(SG_EINPUT, "%s: %s: the file is damaged or no safetensors file", f->path, what);
}

static sg_err bad_tensor(const sg_safetensors *f, const char *name, const char *what)
{
    return sg_fail(SG_EINPUT, "%s: tensor '%.100s' %s: the file is damaged or made wrongly",
                   f->path, name, what);
}

static sg_err read_at(const sg_safetensors *f, uint64_t at, void *data, size_t bytes)
{
    char *next = data;
    while (bytes > 0) {
        ssize_t got = pread(f->fd, next, bytes, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return sg_fail(SG_EINPUT, "%s: cannot be read: %s", f->path, strerror(errno));
        if (got == 0)
            return sg_fail(SG_EINPUT, "%s: ends early", f->path);
        next += got;
        at += (uint64_t)got;
        bytes -= (size_t)got;
    }
    return SG_OK;
}

/* ---- the header ---- */

/*
 * json-c keeps the last of two values of one name. So the colons outside of strings are counted at
 * the two levels that matter: there are as many as names in the result, or a name was given twice.
 * json-c also lets single quotes pass, which are no JSON: false then.
 */
static bool count_names(const char *text, size_t length, size_t colons[3])
{
    int depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        if (quoted && c == '\\')
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && (c == '{' || c == '['))
            depth++;
        else if (!quoted && (c == '}' || c == ']'))
            depth--;
        else if (!quoted && c == ':' && depth >= 0 && depth < 3)
            colons[depth]++;
        else if (!quoted && c == '\'')
            return false;
    }
    return true;
}

static bool only_blanks(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (text[i] != ' ')
            return false;
    return true;
}

static sg_err parse_json(sg_safetensors *f, const char *text, size_t length)
{
    json_tokener *tokener = json_tokener_new_ex(DEPTH_MOST);
    if (!tokener)
        return sg_fail(SG_ENOMEM, "%s: no memory to read its header", f->path);
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_ALLOW_TRAILING_CHARS |
                                        JSON_TOKENER_VALIDATE_UTF8);
    f->header = json_tokener_parse_ex(tokener, text, (int)length);
    enum json_tokener_error code = json_tokener_get_error(tokener);
    size_t end = json_tokener_get_parse_end(tokener);
    json_tokener_free(tokener);
    if (code != json_tokener_success)
        return sg_fail(
            SG_EINPUT, "%s: its header is no JSON: %s at byte %zu", f->path,
            code == json_tokener_continue ? "it ends early" : json_tokener_error_desc(code), end);
    if (!json_object_is_type(f->header, json_type_object) || !only_blanks(text + end, length - end))
        return damaged(f, "its header is not one JSON object");
    return SG_OK;
}

static sg_err check_names(const sg_safetensors *f, const char *text, size_t length)
{
    size_t colons[3] = {0}, inner = 0;
    if (!count_names(text, length, colons))
        return sg_fail(SG_EINPUT, "%s: its header is no JSON: single quotes", f->path);
    json_object_object_foreach(f->header, name, value)
    {
        (void)name;
        inner += json_object_is_type(value, json_type_object)
                     ? (size_t)json_object_object_length(value)
                     : 0;
    }
    if (colons[1] != (size_t)json_object_object_length(f->header) || colons[2] != inner)
        return damaged(f, "a name stands twice in its header");
    return SG_OK;
}

static sg_err read_header(sg_safetensors *f, uint64_t *values)
{
    uint8_t prefix[PREFIX];
    uint64_t length = 0;
    char *text = NULL;
    if (f->size < PREFIX)
        return damaged(f, "it has fewer than 8 bytes");
    sg_err err = read_at(f, 0, prefix, PREFIX);
    if (err)
        return err;
    for (int i = PREFIX - 1; i >= 0; i--)
        length = length << 8 | prefix[i];
    if (length < 2 || length > HEADER_MOST || length > f->size - PREFIX)
        return sg_fail(SG_EINPUT,
                       "%s: a header of %llu bytes in a file of %llu: the file is damaged or no "
                       "safetensors file",
                       f->path, (unsigned long long)length, (unsigned long long)f->size);
    *values = PREFIX + length;
    err = sg_malloc((size_t)length, 1, &text);
    if (!err)
        err = read_at(f, PREFIX, text, (size_t)length);
    if (!err)
        err = parse_json(f, text, (size_t)length);
    if (!err)
        err = check_names(f, text, (size_t)length);
    sg_free(text);
    return err;
}

/* ---- one tensor ---- */

/* A whole number that is not negative; json-c would turn others into one. */
static bool get_size(json_object *value, uint64_t *size)
{
    if (!json_object_is_type(value, json_type_int) || json_object_get_int64(value) < 0)
        return false;
    *size = json_object_get_uint64(value);
    return *size <= INT64_MAX;
}

static json_object *member(json_object *object, const char *name, json_type type)
{
    json_object *value = NULL;
    if (!json_object_is_type(object, json_type_object) ||
        !json_object_object_get_ex(object, name, &value) || !json_object_is_type(value, type))
        return NULL;
    return value;
}

static sg_err get_shape(const sg_safetensors *f, json_object *value, sg_safetensor *t)
{
    json_object *shape = member(value, "shape", json_type_array);
    if (!shape)
        return bad_tensor(f, t->name, "has no shape");
    if (json_object_array_length(shape) > SG_TENSOR_DIMS)
        return bad_tensor(f, t->name, "has more than 8 dimensions");
    t->dims = (int32_t)json_object_array_length(shape);
    t->count = 1;
    for (int32_t d = 0; d < t->dims; d++) {
        uint64_t length = 0;
        if (!get_size(json_object_array_get_idx(shape, (size_t)d), &length))
            return bad_tensor(f, t->name, "has a dimension that is no size");
        t->dim[d] = (int64_t)length;
        if (__builtin_mul_overflow(t->count, length, &t->count))
            return bad_tensor(f, t->name, "has a shape that overflows");
    }
    return SG_OK;
}

static sg_err get_range(const sg_safetensors *f, json_object *value, uint64_t values,
                        sg_safetensor *t)
{
    json_object *range = member(value, "data_offsets", json_type_array);
    uint64_t end = 0;
    if (!range || json_object_array_length(range) != 2 ||
        !get_size(json_object_array_get_idx(range, 0), &t->begin) ||
        !get_size(json_object_array_get_idx(range, 1), &end))
        return bad_tensor(f, t->name, "has no two data_offsets");
    if (t->begin > end || end > f->size - values)
        return bad_tensor(f, t->name, "lies outside of the file");
    t->size = end - t->begin;
    t->begin += values;
    return SG_OK;
}

static sg_err add_tensor(sg_safetensors *f, const char *name, json_object *value, uint64_t values)
{
    sg_safetensor t = {.name = name};
    json_object *type = member(value, "dtype", json_type_string);
    const dtype *known = type ? find_dtype(json_object_get_string(type)) : NULL;
    size_t bytes = 0;
    if (!known)
        return bad_tensor(f, name, "is of a type that is not known");
    t.type = known->type;
    sg_err err = get_shape(f, value, &t);
    if (!err)
        err = get_range(f, value, values, &t);
    if (!err && (__builtin_mul_overflow(t.count, (size_t)known->bytes, &bytes) || bytes != t.size))
        err = bad_tensor(f, name, "does not have as many bytes as its shape wants");
    if (!err)
        err = sg_grow(&f->item, &f->capacity, f->count + 1, sizeof *f->item);
    if (!err)
        f->item[f->count++] = t;
    return err;
}

static int by_place(const void *a, const void *b)
{
    const sg_safetensor *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return x->size < y->size ? -1 : x->size > y->size;
}

/* The format wants every byte to belong to one tensor. */
static sg_err check_cover(sg_safetensors *f, uint64_t values)
{
    uint64_t at = values;
    if (f->count > 0)
        qsort(f->item, f->count, sizeof *f->item, by_place);
    for (size_t i = 0; i < f->count; i++) {
        const sg_safetensor *t = &f->item[i];
        if (t->begin < at)
            return bad_tensor(f, t->name, "overlaps with another one");
        if (t->begin > at)
            return bad_tensor(f, t->name, "has bytes before it that belong to none");
        at = t->begin + t->size;
    }
    return at == f->size ? SG_OK : damaged(f, "it has bytes that belong to no tensor");
}

static sg_err read_tensors(sg_safetensors *f, uint64_t values)
{
    sg_err err = SG_OK;
    json_object_object_foreach(f->header, name, value)
    {
        if (!err && strcmp(name, "__metadata__") != 0)
            err = add_tensor(f, name, value, values);
    }
    return err ? err : check_cover(f, values);
}

static sg_err open_file(sg_safetensors *f)
{
    struct stat status;
    f->fd = open(f->path, O_RDONLY | O_CLOEXEC);
    if (f->fd < 0 || fstat(f->fd, &status) != 0)
        return sg_fail(SG_EINPUT, "%s: cannot be read: %s", f->path, strerror(errno));
    if (!S_ISREG(status.st_mode))
        return sg_fail(SG_EINPUT, "%s: is no file", f->path);
    f->size = (uint64_t)status.st_size;
    return SG_OK;
}

sg_err sg_safetensors_open(sg_safetensors **file, const char *path)
{
    sg_safetensors *f = NULL;
    uint64_t values = 0;
    *file = NULL;
    sg_err err = sg_calloc(1, sizeof *f, &f);
    if (err)
        return err;
    f->fd = -1;
    err = sg_path_format(f->path, "%s", path);
    if (!err)
        err = open_file(f);
    if (!err)
        err = read_header(f, &values);
    if (!err)
        err = read_tensors(f, values);
    if (err)
        sg_safetensors_close(f);
    else
        *file = f;
    return err;
}

void sg_safetensors_close(sg_safetensors *f)
{
    if (!f)
        return;
    if (f->fd >= 0)
        close(f->fd);
    json_object_put(f->header);
    sg_free(f->item);
    sg_free(f);
}

size_t sg_safetensors_count(const sg_safetensors *file)
{
    return file->count;
}

const sg_safetensor *sg_safetensors_at(const sg_safetensors *file, size_t index)
{
    SG_ASSERT(index < file->count);
    return &file->item[index];
}

const sg_safetensor *sg_safetensors_find(const sg_safetensors *file, const char *name)
{
    for (size_t i = 0; i < file->count; i++)
        if (strcmp(file->item[i].name, name) == 0)
            return &file->item[i];
    return NULL;
}

/* ---- values ---- */

static float from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* IEEE binary16: 1 sign, 5 exponent, 10 fraction. */
static float from_half(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = half >> 10 & 31;
    uint32_t fraction = half & 0x3ff;
    if (exponent == 0) /* zero or subnormal: a multiple of 2^-24 */
        return (sign ? -1.0f : 1.0f) * ldexpf((float)fraction, -24);
    exponent = exponent == 31 ? 255 : exponent + 127 - 15;
    return from_bits(sign | exponent << 23 | fraction << 13);
}

static float number_at(const uint8_t *bytes, sg_tensor_type type)
{
    uint64_t bits = 0;
    double real;
    int size = type == SG_TENSOR_F64 ? 8 : type == SG_TENSOR_F32 ? 4 : 2;
    for (int i = size - 1; i >= 0; i--) /* little-endian */
        bits = bits << 8 | bytes[i];
    switch (type) {
    case SG_TENSOR_F64:
        memcpy(&real, &bits, sizeof real);
        return (float)real;
    case SG_TENSOR_F16:
        return from_half((uint16_t)bits);
    case SG_TENSOR_BF16:
        return from_bits((uint32_t)bits << 16);
    default:
        return from_bits((uint32_t)bits);
    }
}

static sg_err read_part(const sg_safetensors *f, const sg_safetensor *t, size_t first, size_t count,
                        uint8_t *bytes, float *values)
{
    size_t width = (size_t)(t->size / t->count);
    sg_err err = read_at(f, t->begin + first * width, bytes, count * width);
    for (size_t i = 0; !err && i < count; i++) {
        values[i] = number_at(bytes + i * width, t->type);
        if (!isfinite(values[i]))
            err = bad_tensor(f, t->name, "holds a value that is not finite");
    }
    return err;
}

sg_err sg_safetensors_read(const sg_safetensors *f, const sg_safetensor *t, float *values)
{
    uint8_t *bytes = NULL;
    if (t->type == SG_TENSOR_OTHER)
        return sg_fail(SG_EINPUT, "%s: tensor '%.100s' does not hold real numbers", f->path,
                       t->name);
    sg_err err = sg_malloc(PART, sizeof(double), &bytes);
    for (size_t at = 0; !err && at < t->count; at += PART) {
        size_t count = t->count - at < PART ? t->count - at : PART;
        err = read_part(f, t, at, count, bytes, values + at);
    }
    sg_free(bytes);
    return err;
}
