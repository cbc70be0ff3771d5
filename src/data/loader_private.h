/*
 * One loader thread's side of the work: opened scenes and the making of a sample. Not for other
 * modules. [local]
 */
#ifndef SG_DATA_LOADER_PRIVATE_H
#define SG_DATA_LOADER_PRIVATE_H

#include "data/loader.h"
#include "data/mix.h"

enum { SG_LOADER_OPEN_MAX = 32 }; /* scenes kept open per thread */

typedef struct {
    int32_t scene;
    uint64_t used; /* when last; 0 marks a free entry */
    sg_source *source;
} sg_loader_entry;

/* Where one sample goes. Without `raw` valid and factors are NULL. */
typedef struct {
    float *pixels;   /* (h, w, bands), also for whole numbers */
    uint8_t *labels; /* (h, w), as the next */
    uint8_t *valid;
    float *factors;      /* [2 * bands]: shift, scale */
    sg_raw_image *image; /* what it is */
} sg_loader_place;

/* Belongs to one thread. */
typedef struct {
    const sg_scenes *scenes;          /* borrowed */
    const sg_loader_options *options; /* borrowed */
    sg_loader_entry entry[SG_LOADER_OPEN_MAX];
    uint64_t clock;
    float *pixels;   /* scratch: a sample before it is turned */
    uint8_t *labels; /* scratch */
    uint8_t *valid;  /* scratch */
    struct {
        float *pixels;
        uint8_t *valid, *labels;
        size_t pixels_capacity, valid_capacity, labels_capacity;
    } source; /* scratch: the scene around a crop that is rotated or scaled */
    struct {
        float *pixels;
        uint8_t *labels;
        size_t pixels_capacity, labels_capacity;
    } partner; /* scratch: a crop that something is taken from */
    sg_blur_room room;
    sg_mix_room mix_room;
} sg_loader_reader;

sg_err sg_loader_reader_open(sg_loader_reader *reader, const sg_scenes *scenes,
                             const sg_loader_options *options);
/* Sample `index` of the run. */
sg_err sg_loader_reader_sample(sg_loader_reader *reader, uint64_t index,
                               const sg_loader_place *place);
void sg_loader_reader_close(sg_loader_reader *reader);

#endif
