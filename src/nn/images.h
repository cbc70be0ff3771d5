/* A batch on its way into a network's input. [local] */
#ifndef SG_NN_IMAGES_H
#define SG_NN_IMAGES_H

#include "base/raw.h"
#include "nn/tensor.h"

/* On the host; borrowed. */
typedef struct {
    const sg_raw_image *image; /* [n], h x w pixels each once they are turned */
    int32_t n;                 /* at most shape.n: what the tensor holds behind them is not used */
    sg_shape shape;            /* of the input tensor */
    const uint8_t *labels;     /* (shape.n, h, w), turned; or NULL */
} sg_images;

/* On the device. */
typedef struct {
    void *input; /* (n, h, w, c) */
    sg_dtype type;
    uint8_t *labels; /* NULL: they are not wanted */
} sg_images_target;

#endif
