/* A file of weights as a list of parameters with the names and layouts of a network's. Private to
 * train. [local] */
#ifndef SG_TRAIN_INIT_SOURCE_H
#define SG_TRAIN_INIT_SOURCE_H

#include "data/safetensors.h"
#include "nn/torch.h"
#include "train/checkpoint.h"

typedef struct {
    const char *path;         /* borrowed */
    sg_checkpoint checkpoint; /* graph is NULL where the file is safetensors */
    sg_safetensors *file;
    const char *prefix; /* of an encoder's names in it */
    bool without_norms; /* VGG: convolutions are numbered without batch norms between them */
    bool *used;         /* per parameter or tensor of the file */
    size_t count;
} sg_init_source;

/* What a file holds for a parameter, in the network's layout. */
typedef struct {
    size_t index;                /* in the file's list */
    const sg_safetensor *tensor; /* NULL: of a checkpoint */
    int32_t dims;
    int64_t dim[4];
    bool transposed;
    char name[SG_TORCH_NAME_MAX]; /* in the file */
} sg_init_item;

sg_err sg_init_source_open(sg_init_source *source, const char *path, const sg_graph *graph);
void sg_init_source_close(sg_init_source *source);
/* The item of that name, whatever its shape; false where there is none. */
bool sg_init_source_find(const sg_init_source *source, const sg_graph *graph, int32_t id,
                         sg_init_item *item);
/* Its values in the layout of item->dim; count is their product. Marks it as used. */
sg_err sg_init_source_read(sg_init_source *source, const sg_init_item *item, float *values);
size_t sg_init_item_count(const sg_init_item *item);
/* What counts batches, not a weight. */
bool sg_init_source_is_counter(const sg_init_source *source, size_t index);
/* The name of what stands at an index. */
const char *sg_init_source_name(const sg_init_source *source, size_t index);

#endif
