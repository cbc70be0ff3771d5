/* Numbers of fields and types are those of onnx.proto (https://github.com/onnx/onnx). */
#include "data/onnx.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/size.h"

enum { IR_VERSION = 7, OPSET = 13 };
enum { MODEL_IR = 1, MODEL_PRODUCER = 2, MODEL_PRODUCER_VERSION = 3, MODEL_GRAPH = 7 };
enum { MODEL_OPSET = 8, MODEL_METADATA = 14 };
enum { GRAPH_NODE = 1, GRAPH_NAME = 2, GRAPH_INITIALIZER = 5, GRAPH_INPUT = 11, GRAPH_OUTPUT = 12 };
enum { NODE_INPUT = 1, NODE_OUTPUT = 2, NODE_NAME = 3, NODE_OP = 4, NODE_ATTRIBUTE = 5 };
enum { ATTRIBUTE_NAME = 1, ATTRIBUTE_FLOAT = 2, ATTRIBUTE_INT = 3, ATTRIBUTE_TEXT = 4 };
enum { ATTRIBUTE_INTS = 8, ATTRIBUTE_TYPE = 20 };
enum { TYPE_FLOAT = 1, TYPE_INT = 2, TYPE_TEXT = 3, TYPE_INTS = 7 }; /* of attributes */
enum { TENSOR_DIM = 1, TENSOR_TYPE = 2, TENSOR_INTS = 7, TENSOR_NAME = 8, TENSOR_RAW = 9 };
enum { ELEMENT_FLOAT = 1, ELEMENT_INT64 = 7 };

typedef struct {
    sg_message head; /* all of the tensor's message before its values */
    size_t count, number;
} array;

struct sg_onnx {
    sg_message graph; /* nodes, names, small constants */
    sg_message node, metadata;
    array *item;
    size_t count, capacity;
};

sg_err sg_onnx_create(sg_onnx **model, const char *graph_name)
{
    sg_err err = sg_calloc(1, sizeof **model, model);
    if (!err)
        sg_message_text(&(*model)->graph, GRAPH_NAME, graph_name);
    return err;
}

void sg_onnx_close(sg_onnx *model)
{
    if (!model)
        return;
    for (size_t i = 0; i < model->count; i++)
        sg_message_clear(&model->item[i].head);
    sg_free(model->item);
    sg_message_clear(&model->graph);
    sg_message_clear(&model->node);
    sg_message_clear(&model->metadata);
    sg_free(model);
}

sg_err sg_onnx_error(const sg_onnx *model)
{
    return model->graph.err ? model->graph.err : model->metadata.err;
}

/* ---- nodes ---- */

void sg_onnx_begin(sg_onnx *model, const char *op, const char *name)
{
    sg_message_text(&model->node, NODE_OP, op);
    sg_message_text(&model->node, NODE_NAME, name);
}

void sg_onnx_input(sg_onnx *model, const char *name)
{
    sg_message_text(&model->node, NODE_INPUT, name);
}

void sg_onnx_output(sg_onnx *model, const char *name)
{
    sg_message_text(&model->node, NODE_OUTPUT, name);
}

static sg_message attribute(const char *name, int type)
{
    sg_message m = {0};
    sg_message_text(&m, ATTRIBUTE_NAME, name);
    sg_message_int(&m, ATTRIBUTE_TYPE, type);
    return m;
}

void sg_onnx_set_int(sg_onnx *model, const char *name, int64_t value)
{
    sg_message m = attribute(name, TYPE_INT);
    sg_message_int(&m, ATTRIBUTE_INT, value);
    sg_message_part(&model->node, NODE_ATTRIBUTE, &m);
}

void sg_onnx_set_ints(sg_onnx *model, const char *name, int32_t count, const int64_t *value)
{
    sg_message m = attribute(name, TYPE_INTS);
    for (int32_t i = 0; i < count; i++)
        sg_message_int(&m, ATTRIBUTE_INTS, value[i]);
    sg_message_part(&model->node, NODE_ATTRIBUTE, &m);
}

void sg_onnx_set_float(sg_onnx *model, const char *name, float value)
{
    sg_message m = attribute(name, TYPE_FLOAT);
    sg_message_float(&m, ATTRIBUTE_FLOAT, value);
    sg_message_part(&model->node, NODE_ATTRIBUTE, &m);
}

void sg_onnx_set_text(sg_onnx *model, const char *name, const char *value)
{
    sg_message m = attribute(name, TYPE_TEXT);
    sg_message_text(&m, ATTRIBUTE_TEXT, value);
    sg_message_part(&model->node, NODE_ATTRIBUTE, &m);
}

void sg_onnx_end(sg_onnx *model)
{
    sg_message_part(&model->graph, GRAPH_NODE, &model->node);
}

/* ---- constants, inputs, outputs ---- */

void sg_onnx_add_ints(sg_onnx *model, const char *name, int32_t count, const int64_t *value)
{
    sg_message m = {0};
    sg_message_int(&m, TENSOR_DIM, count);
    sg_message_int(&m, TENSOR_TYPE, ELEMENT_INT64);
    sg_message_text(&m, TENSOR_NAME, name);
    for (int32_t i = 0; i < count; i++)
        sg_message_int(&m, TENSOR_INTS, value[i]);
    sg_message_part(&model->graph, GRAPH_INITIALIZER, &m);
}

void sg_onnx_add_floats(sg_onnx *model, const char *name, int32_t dims, const int64_t *dim,
                        size_t number)
{
    array a = {.number = number, .count = 1};
    sg_err err = model->graph.err;
    for (int32_t d = 0; !err && d < dims; d++) {
        sg_message_int(&a.head, TENSOR_DIM, dim[d]);
        err = sg_size_mul(a.count, (size_t)dim[d], &a.count);
    }
    sg_message_int(&a.head, TENSOR_TYPE, ELEMENT_FLOAT);
    sg_message_text(&a.head, TENSOR_NAME, name);
    sg_message_begin(&a.head, TENSOR_RAW, a.count * sizeof(float));
    if (!err)
        err = a.head.err;
    if (!err)
        err = sg_grow(&model->item, &model->capacity, model->count + 1, sizeof *model->item);
    if (err) {
        sg_message_clear(&a.head);
        model->graph.err = err;
        return;
    }
    model->item[model->count++] = a;
}

void sg_onnx_add_value(sg_onnx *model, bool output, const char *name,
                       const int64_t dim[SG_ONNX_DIMS], const char *const text[SG_ONNX_DIMS])
{
    sg_message value = {0}, type = {0}, tensor = {0}, shape = {0};
    for (int d = 0; d < SG_ONNX_DIMS; d++) {
        sg_message one = {0};
        if (dim[d] > 0)
            sg_message_int(&one, 1, dim[d]);
        else
            sg_message_text(&one, 2, text[d]);
        sg_message_part(&shape, 1, &one);
    }
    sg_message_int(&tensor, 1, ELEMENT_FLOAT);
    sg_message_part(&tensor, 2, &shape);
    sg_message_part(&type, 1, &tensor);
    sg_message_text(&value, 1, name);
    sg_message_part(&value, 2, &type);
    sg_message_part(&model->graph, output ? GRAPH_OUTPUT : GRAPH_INPUT, &value);
}

void sg_onnx_add_metadata(sg_onnx *model, const char *key, const char *value)
{
    sg_message m = {0};
    sg_message_text(&m, 1, key);
    sg_message_text(&m, 2, value);
    sg_message_part(&model->metadata, MODEL_METADATA, &m);
}

/* ---- the file ---- */

/*
 * Fields may come in any order, and the graph's length can be told before its arrays are written:
 * so they are written one after the other, and never lie in memory together.
 */
typedef struct {
    const char *path;
    int fd;
    sg_onnx_fill_fn fill;
    void *user;
} output;

static sg_err put(const output *out, const sg_message *m)
{
    return m->err ? m->err : sg_file_write_all(out->fd, out->path, m->data, m->length);
}

static size_t array_bytes(const array *a)
{
    return a->head.length + a->count * sizeof(float);
}

static sg_err put_array(const output *out, const array *a)
{
    sg_message key = {0};
    float *values = NULL;
    sg_message_begin(&key, GRAPH_INITIALIZER, array_bytes(a));
    sg_err err = put(out, &key);
    if (!err)
        err = put(out, &a->head);
    if (!err)
        err = sg_malloc(a->count, sizeof *values, &values);
    if (!err)
        err = out->fill(out->user, a->number, values);
    if (!err)
        err = sg_file_write_all(out->fd, out->path, values, a->count * sizeof *values);
    sg_free(values);
    sg_message_clear(&key);
    return err;
}

static sg_err graph_bytes(const sg_onnx *model, const char *path, size_t *bytes)
{
    *bytes = model->graph.length;
    for (size_t i = 0; i < model->count; i++) {
        sg_message key = {0};
        sg_message_begin(&key, GRAPH_INITIALIZER, array_bytes(&model->item[i]));
        *bytes += key.length + array_bytes(&model->item[i]);
        sg_message_clear(&key);
    }
    if (*bytes > INT32_MAX - model->metadata.length - 1024)
        return sg_fail(SG_EUNSUPPORTED, "%s: the network has %zu MiB; an ONNX file holds 2048",
                       path, *bytes >> 20);
    return SG_OK;
}

static void make_head(sg_message *head, size_t bytes)
{
    sg_message opset = {0};
    sg_message_text(&opset, 1, "");
    sg_message_int(&opset, 2, OPSET);
    sg_message_int(head, MODEL_IR, IR_VERSION);
    sg_message_text(head, MODEL_PRODUCER, "segtiles");
    sg_message_text(head, MODEL_PRODUCER_VERSION, SEGTILES_VERSION);
    sg_message_part(head, MODEL_OPSET, &opset);
    sg_message_begin(head, MODEL_GRAPH, bytes);
}

static sg_err put_all(const sg_onnx *model, const output *out)
{
    sg_message head = {0};
    size_t bytes = 0;
    sg_err err = sg_onnx_error(model);
    if (!err)
        err = graph_bytes(model, out->path, &bytes);
    if (!err) {
        make_head(&head, bytes);
        err = put(out, &head);
    }
    if (!err)
        err = put(out, &model->graph);
    for (size_t i = 0; !err && i < model->count; i++)
        err = put_array(out, &model->item[i]);
    sg_message_clear(&head);
    return err ? err : put(out, &model->metadata);
}

sg_err sg_onnx_save(sg_onnx *model, const char *path, sg_onnx_fill_fn fill, void *user)
{
    char temporary[SG_PATH_MAX];
    sg_err err = sg_file_temporary(path, temporary);
    if (err)
        return err;
    const output out = {path, open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666), fill,
                        user};
    if (out.fd < 0)
        return sg_fail(SG_EOUTPUT, "%s: cannot be written: %s", path, strerror(errno));
    err = put_all(model, &out);
    if (close(out.fd) != 0 && !err)
        err = sg_fail(SG_EOUTPUT, "%s: cannot be written: %s", path, strerror(errno));
    if (!err)
        err = sg_file_commit(temporary, path);
    if (err)
        sg_file_discard(temporary);
    return err;
}
