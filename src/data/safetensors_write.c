/* Writing safetensors: all shapes are known before the first value, so the header comes first and
 * the values follow as they are given. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/size.h"
#include "base/text.h"
#include "data/safetensors.h"

enum { ALIGN = 8 }; /* of the first value, as the format wants */

struct sg_safetensors_writer {
    int fd;
    size_t wanted, written; /* values */
    char path[SG_PATH_MAX], temporary[SG_PATH_MAX];
};

static sg_err add_tensor(sg_text *text, const sg_safetensor *t, size_t *values)
{
    size_t count = 1, first = *values;
    sg_err err = sg_text_add(text, ",");
    if (!err)
        err = sg_text_add_json(text, t->name);
    if (!err)
        err = sg_text_add(text, ":{\"dtype\":\"F32\",\"shape\":[");
    for (int32_t d = 0; !err && d < t->dims; d++) {
        err = sg_text_add(text, "%s%lld", d ? "," : "", (long long)t->dim[d]);
        if (!err)
            err = sg_size_mul(count, (size_t)t->dim[d], &count);
    }
    if (!err)
        err = sg_size_add(first, count, values);
    return err ? err
               : sg_text_add(text, "],\"data_offsets\":[%zu,%zu]}", first * sizeof(float),
                             *values * sizeof(float));
}

static sg_err make_header(sg_text *text, const sg_safetensor *tensor, size_t count, size_t *values)
{
    sg_err err = sg_text_add(text, "{\"__metadata__\":{\"format\":\"pt\"}");
    for (size_t i = 0; !err && i < count; i++)
        err = add_tensor(text, &tensor[i], values);
    if (!err)
        err = sg_text_add(text, "}");
    while (!err && text->length % ALIGN != 0)
        err = sg_text_add(text, " ");
    return err;
}

static sg_err write_header(sg_safetensors_writer *w, const sg_text *text)
{
    uint8_t prefix[8];
    for (int i = 0; i < 8; i++)
        prefix[i] = (uint8_t)((uint64_t)text->length >> 8 * i);
    sg_err err = sg_file_write_all(w->fd, w->path, prefix, sizeof prefix);
    return err ? err : sg_file_write_all(w->fd, w->path, text->data, text->length);
}

static sg_err open_file(sg_safetensors_writer *w, const char *path)
{
    sg_err err = sg_path_format(w->path, "%s", path);
    if (!err)
        err = sg_file_temporary(path, w->temporary);
    if (err)
        return err;
    w->fd = open(w->temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    return w->fd < 0 ? sg_fail(SG_EOUTPUT, "%s: cannot be written: %s", path, strerror(errno))
                     : SG_OK;
}

sg_err sg_safetensors_create(sg_safetensors_writer **writer, const char *path,
                             const sg_safetensor *tensor, size_t count)
{
    sg_safetensors_writer *w = NULL;
    sg_text text = {0};
    *writer = NULL;
    sg_err err = sg_calloc(1, sizeof *w, &w);
    if (err)
        return err;
    w->fd = -1;
    err = make_header(&text, tensor, count, &w->wanted);
    if (!err)
        err = open_file(w, path);
    if (!err)
        err = write_header(w, &text);
    sg_text_clear(&text);
    if (err)
        sg_safetensors_drop(w);
    else
        *writer = w;
    return err;
}

sg_err sg_safetensors_put(sg_safetensors_writer *w, const float *values, size_t count)
{
    SG_ASSERT(count <= w->wanted - w->written);
    w->written += count;
    return sg_file_write_all(w->fd, w->path, values, count * sizeof *values);
}

sg_err sg_safetensors_commit(sg_safetensors_writer *w)
{
    SG_ASSERT(w->written == w->wanted);
    int closed = close(w->fd);
    w->fd = -1;
    sg_err err = closed == 0
                     ? sg_file_commit(w->temporary, w->path)
                     : sg_fail(SG_EOUTPUT, "%s: cannot be written: %s", w->path, strerror(errno));
    if (err)
        sg_file_discard(w->temporary);
    sg_free(w);
    return err;
}

void sg_safetensors_drop(sg_safetensors_writer *w)
{
    if (!w)
        return;
    if (w->fd >= 0) {
        close(w->fd);
        sg_file_discard(w->temporary);
    }
    sg_free(w);
}
