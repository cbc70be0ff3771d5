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
/* Sample `index` of the run: pixels (h, w, bands), labels (h, w). */
sg_err sg_loader_reader_sample(sg_loader_reader *reader, uint64_t index, float *pixels,
                               uint8_t *labels);
void sg_loader_reader_close(sg_loader_reader *reader);

#endif
