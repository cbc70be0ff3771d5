/* From images as they were read to the input tensor: the kernel of images.c. [local] */
#ifndef SG_CUDA_IMAGE_KERNELS_H
#define SG_CUDA_IMAGE_KERNELS_H

#include "cuda/device.h"

/* One image in a slot of the GPU's memory: offsets from its begin, in bytes. */
typedef struct {
    uint64_t values, valid, factors; /* factors: shift [c], then scale [c]; SG_NO_PIECE: none */
    int64_t start, down, across;     /* its walk, in pixels */
    int32_t type;                    /* sg_raw_type */
} sg_image_place;

#define SG_NO_PIECE UINT64_MAX

#ifdef __cplusplus
extern "C" {
#endif
/* Fill n of the tensor's images from the places that the slot begins with. */
sg_err sg_cuda_place_images(sg_cuda *cuda, const void *slot, int32_t n, sg_shape shape,
                            void *tensor, sg_dtype type);
#ifdef __cplusplus
}
#endif

#endif
