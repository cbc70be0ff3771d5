/*
 * Images go up as they were read, one byte or two of each value, and become numbers on the GPU; so
 * do their labels. Through two slots of pinned memory: the copy of the next batch runs beside the
 * computing of this one, whose kernels wait for their own copy only.
 */
#include <string.h>
#include "base/walk.h"
#include "cuda/image_kernels.h"
#include "cuda/slots.h"

typedef struct {
    size_t values, valid; /* bytes of one image */
    size_t factors;
} sizes;

static sizes sizes_of(const sg_images *images, const sg_raw_image *image)
{
    size_t pixels = (size_t)(images->shape.h * images->shape.w), c = (size_t)images->shape.c;
    return (sizes){pixels * c * sg_raw_size(image->type), image->valid ? pixels : 0,
                   image->shift ? 2 * c * sizeof(float) : 0};
}

static size_t label_bytes(const sg_images *images)
{
    return images->labels ? (size_t)(images->shape.n * images->shape.h * images->shape.w) : 0;
}

/* All pieces begin at multiples of 256 bytes: the places, the labels, then image by image. */
static size_t bytes_of(const sg_images *images)
{
    size_t bytes = sg_cuda_piece((size_t)images->n * sizeof(sg_image_place));
    bytes += sg_cuda_piece(label_bytes(images));
    for (int32_t i = 0; i < images->n; i++) {
        sizes s = sizes_of(images, &images->image[i]);
        bytes += sg_cuda_piece(s.values) + sg_cuda_piece(s.valid) + sg_cuda_piece(s.factors);
    }
    return bytes;
}

static void put(sg_slot *slot, size_t *at, const void *from, size_t bytes)
{
    memcpy(slot->host + *at, from, bytes);
    *at += sg_cuda_piece(bytes);
}

static sg_image_place fill_place(sg_slot *slot, const sg_images *images, const sg_raw_image *image,
                                 size_t *at)
{
    sizes s = sizes_of(images, image);
    size_t half = s.factors / 2;
    bool transposed = (image->turn & 4) != 0;
    int64_t h = images->shape.h, w = images->shape.w;
    sg_walk walk = sg_walk_of(transposed ? w : h, transposed ? h : w, image->turn);
    sg_image_place place = {*at,       SG_NO_PIECE, SG_NO_PIECE,         walk.start,
                            walk.down, walk.across, (int32_t)image->type};
    put(slot, at, image->values, s.values);
    if (s.valid > 0) {
        place.valid = *at;
        put(slot, at, image->valid, s.valid);
    }
    if (half > 0) {
        place.factors = *at;
        memcpy(slot->host + *at, image->shift, half);
        memcpy(slot->host + *at + half, image->scale, half);
        *at += sg_cuda_piece(s.factors);
    }
    return place;
}

static sg_err copy(sg_cuda *cuda, const sg_slot *slot, size_t from, size_t to)
{
    return sg_cuda_check(cudaMemcpyAsync(slot->device + from, slot->host + from, to - from,
                                         cudaMemcpyHostToDevice, cuda->images->stream),
                         "a copy failed");
}

/* Each image travels while the next one is put into the slot. */
static sg_err fill_slot(sg_cuda *cuda, sg_slot *slot, const sg_images *images)
{
    sg_image_place *place = (sg_image_place *)slot->host;
    size_t head = sg_cuda_piece((size_t)images->n * sizeof *place), at = head;
    sg_err err = sg_slots_wait(cuda->images->stream, slot->used);
    if (images->labels)
        put(slot, &at, images->labels, label_bytes(images));
    for (int32_t i = 0; !err && i < images->n; i++) {
        size_t from = i == 0 ? head : at;
        place[i] = fill_place(slot, images, &images->image[i], &at);
        err = copy(cuda, slot, from, at);
    }
    if (!err)
        err = copy(cuda, slot, 0, head);
    return err ? err : sg_slots_record(slot->moved, cuda->images->stream);
}

sg_err sg_cuda_send(sg_backend *backend, const sg_images *images, uint64_t *sent)
{
    sg_cuda *cuda = sg_cuda_of(backend);
    sg_slot *slot;
    *sent = 0;
    sg_err err = sg_slots_next(cuda, cuda->images, bytes_of(images), &slot);
    if (!err)
        err = fill_slot(cuda, slot, images);
    if (!err)
        *sent = slot->ticket;
    return err;
}

static sg_err take(sg_cuda *cuda, const sg_slot *slot, const sg_images *images,
                   const sg_images_target *target)
{
    size_t head = sg_cuda_piece((size_t)images->n * sizeof(sg_image_place));
    sg_err err = sg_slots_wait(cuda->stream, slot->moved);
    if (!err)
        err = sg_cuda_place_images(cuda, slot->device, images->n, images->shape, target->input,
                                   target->type);
    if (!err && target->labels)
        err =
            sg_cuda_check(cudaMemcpyAsync(target->labels, slot->device + head, label_bytes(images),
                                          cudaMemcpyDeviceToDevice, cuda->stream),
                          "a copy failed");
    return err ? err : sg_slots_record(slot->used, cuda->stream);
}

sg_err sg_cuda_load(sg_backend *backend, const sg_images *images, uint64_t sent,
                    const sg_images_target *target)
{
    sg_cuda *cuda = sg_cuda_of(backend);
    sg_slot *slot = sg_slots_find(cuda->images, sent);
    sg_err err = sg_cuda_use(cuda);
    if (!err && !slot) {
        err = sg_cuda_send(backend, images, &sent);
        slot = sg_slots_find(cuda->images, sent);
    }
    if (!err)
        err = take(cuda, slot, images, target);
    if (!err)
        slot->ticket = 0; /* taken */
    return err;
}
