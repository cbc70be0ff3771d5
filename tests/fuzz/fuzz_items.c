/*
 * A checkpoint whose items are as the input says: what lies behind HDF5's checksums, which a
 * mutated file seldom passes. The input is a list of (item, length of two bytes, content); items
 * that it does not name are right, and so are weights and identity for the graph that it names. A
 * checkpoint that loads is then prepared for prediction.
 */
#include "support/fuzz.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/size.h"
#include "data/store.h"
#include "nn/fuse.h"
#include "nn/reach.h"
#include "train/checkpoint.h"

enum { TEXT = -1, MOST_WEIGHTS = 1 << 16, MOST_ITEMS = 4096 };

typedef struct {
    const char *name;
    int type;         /* sg_store_type, or TEXT */
    const char *text; /* what it is unless the input says else */
    double number;    /* likewise, as many as the graph has bands (where 'b') or classes ('c') */
    char each;
    const uint8_t *given;
    size_t bytes;
} item;

static const char usual_graph[] = "segtiles-graph 1\n"
                                  "input input out_channels=2\n"
                                  "conv a inputs=0 kernel_h=3 kernel_w=3 stride_h=1 stride_w=1 "
                                  "dilation_h=1 dilation_w=1 pad_top=1 pad_bottom=1 pad_left=1 "
                                  "pad_right=1 groups=1 out_channels=2 bias=1 f32=1\n"
                                  "end 2\n";

static const item usual[] = {
    {"graph", TEXT, usual_graph},
    {"spec/normalize", TEXT, "dataset"},
    {"classes/name/000", TEXT, "a"},
    {"classes/name/001", TEXT, "b"},
    {"job", TEXT, "name: x\n"},
    {"version", TEXT, "segtiles"},
    {"spec/band", SG_STORE_I64, NULL, 1, 'b'},
    {"spec/mean", SG_STORE_F64, NULL, 0, 'b'},
    {"spec/std", SG_STORE_F64, NULL, 1, 'b'},
    {"spec/gsd", SG_STORE_F64, NULL, 10},
    {"classes/colour", SG_STORE_U8, NULL, 7, 'c'},
    {"classes/value", SG_STORE_I64, NULL, 1, 'c'},
    {"classes/nodata", SG_STORE_I64, NULL, 255},
    {"position/step", SG_STORE_I64, NULL, 5},
    {"position/epoch", SG_STORE_I64, NULL, 1},
    {"position/sample", SG_STORE_I64, NULL, 1},
    {"position/ranks", SG_STORE_I64, NULL, 1},
    {"position/batch", SG_STORE_I64, NULL, 1},
    {"position/seed", SG_STORE_I64, NULL, 1},
    {"position/best_step", SG_STORE_I64, NULL, 1},
    {"position/best", SG_STORE_F64, NULL, .5},
    {"scores/miou", SG_STORE_F64, NULL, .5},
    {"format", SG_STORE_I64, NULL, 1},
    {"spec/nodata", SG_STORE_F64, NULL, 0},
};
enum { ITEMS = sizeof usual / sizeof *usual };

static void read_input(item list[ITEMS], const uint8_t *data, size_t size)
{
    memcpy(list, usual, sizeof usual);
    while (size >= 3) {
        size_t bytes = data[1] | (size_t)data[2] << 8;
        item *one = &list[data[0] % ITEMS];
        data += 3;
        size -= 3;
        one->given = data;
        one->bytes = bytes < size ? bytes : size;
        data += one->bytes;
        size -= one->bytes;
    }
}

/* NUL-terminated; free it. */
static char *text_of(const item *one)
{
    return one->given ? strndup((const char *)one->given, one->bytes) : strdup(one->text);
}

static sg_err put_usual(sg_store_file *store, const item *one, const sg_graph *graph)
{
    double real[MOST_ITEMS];
    int64_t whole[MOST_ITEMS], dim[1] = {1};
    uint8_t byte[MOST_ITEMS];
    if (graph && one->each)
        dim[0] = one->each == 'b'
                     ? sg_graph_input_channels(graph)
                     : sg_graph_output_channels(graph) * (one->type == SG_STORE_U8 ? 3 : 1);
    if (dim[0] > MOST_ITEMS)
        dim[0] = MOST_ITEMS;
    for (int64_t i = 0; i < dim[0]; i++) {
        real[i] = one->number;
        whole[i] = (int64_t)one->number + (one->each == 'c' ? i : 0);
        byte[i] = (uint8_t)one->number;
    }
    return sg_store_put(store, one->name, one->type, 1, dim,
                        one->type == SG_STORE_F64   ? (void *)real
                        : one->type == SG_STORE_I64 ? (void *)whole
                                                    : (void *)byte);
}

static sg_err put_item(sg_store_file *store, const item *one, const sg_graph *graph)
{
    static const int64_t width[] = {4, 8, 8, 1};
    if (one->type == TEXT) {
        char *text = text_of(one);
        sg_err err = sg_store_put_text(store, one->name, text);
        free(text);
        return err;
    }
    if (!one->given || one->bytes < (size_t)width[one->type])
        return put_usual(store, one, graph);
    const int64_t dim[] = {(int64_t)one->bytes / width[one->type]};
    void *copy = malloc(one->bytes); /* aligned */
    memcpy(copy, one->given, one->bytes);
    sg_err err = sg_store_put(store, one->name, one->type, 1, dim, copy);
    free(copy);
    return err;
}

static sg_err put_weights(sg_store_file *store, const sg_graph *graph)
{
    char identity[17], name[2 * SG_NAME_MAX];
    sg_params *params = NULL;
    size_t count = 0;
    for (int32_t i = 0; i < graph->param_count; i++)
        count += graph->param[i].count;
    sg_err err = count > MOST_WEIGHTS ? SG_EUSAGE : sg_params_create(graph, &params);
    if (!err)
        err = sg_checkpoint_identify(graph, params, identity);
    if (!err)
        err = sg_store_put_text(store, "identity", identity);
    for (int32_t i = 0; !err && i < graph->param_count; i++) {
        snprintf(name, sizeof name, "weights/%s", graph->param[i].name);
        err = sg_store_put(store, name, SG_STORE_F32, graph->param[i].dims, graph->param[i].dim,
                           sg_params_values(params, i));
    }
    sg_params_close(params);
    return err;
}

static sg_err write_file(const char *path, const item list[ITEMS], const sg_graph *graph)
{
    sg_store_file *store = NULL;
    sg_err err = sg_store_create(&store, path);
    for (int i = 0; !err && i < ITEMS; i++)
        err = put_item(store, &list[i], graph);
    if (!err && graph)
        err = put_weights(store, graph);
    if (!err && !graph)
        err = sg_store_put_i64(store, "weights/x", 1);
    if (!err)
        return sg_store_commit(store);
    sg_store_close(store);
    return err;
}

/* What predict asks of it before it runs. */
static void prepare(const sg_checkpoint *c)
{
    sg_graph *graph = NULL;
    sg_params *params = NULL;
    sg_plan *plan = NULL;
    sg_network_reach reach;
    if (sg_graph_fold(c->graph, c->params, &graph, &params) == SG_OK &&
        sg_graph_reach(graph, &reach) == SG_OK &&
        sg_plan_create(graph, (sg_shape){1, 64, 64, c->spec.bands}, SG_F32, SG_PLAN_INFERENCE,
                       &plan) == SG_OK)
        SG_ASSERT(sg_plan_check(plan) == SG_OK);
    sg_plan_close(plan);
    sg_params_close(params);
    sg_graph_close(graph);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    item list[ITEMS];
    sg_graph *graph = NULL;
    sg_checkpoint checkpoint;
    read_input(list, data, size);
    char *text = text_of(&list[0]);
    if (sg_graph_read(text, &graph) != SG_OK)
        graph = NULL;
    free(text);
    if (write_file(fuzz_path(), list, graph) == SG_OK &&
        sg_checkpoint_load(&checkpoint, fuzz_path(), false) == SG_OK) {
        fuzz_accept();
        prepare(&checkpoint);
        sg_checkpoint_close(&checkpoint);
    }
    remove(fuzz_path());
    sg_graph_close(graph);
    return 0;
}
