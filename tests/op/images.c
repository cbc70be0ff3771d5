#include "op/images.h"

#include <string.h>
#include "base/rng.h"
#include "base/size.h"

enum { N = 5, H = 6, W = 9, MOST_C = 5, GUARD = 64, BATCHES = 4, CLASSES = 4, PIXELS = 300 };
enum { MOST_PIXELS = N * H * W, MOST_VALUES = MOST_PIXELS * MOST_C };

/* One batch with all that it borrows, and what is to become of it. */
typedef struct {
    sg_raw_image image[N];
    sg_images images;
    uint16_t values[N][H * W * MOST_C * 2]; /* also room for f32 */
    uint8_t valid[N][H * W], labels[MOST_PIXELS];
    float factors[N][2 * MOST_C];
    float wanted[MOST_VALUES];
} batch;

static uint32_t draw(uint64_t number, uint32_t i)
{
    return sg_random(31, SG_STREAM_SCENE, number, i).v[0];
}

static float stored(const sg_raw_image *image, size_t i)
{
    if (image->type == SG_RAW_U8)
        return ((const uint8_t *)image->values)[i];
    if (image->type == SG_RAW_U16)
        return ((const uint16_t *)image->values)[i];
    if (image->type == SG_RAW_I16)
        return ((const int16_t *)image->values)[i];
    return ((const float *)image->values)[i];
}

/* Element (y, x, b) of the turned image, (h, w, c): undo mirroring, upside down, transposing. */
static float wanted_at(const sg_raw_image *image, sg_shape s, int64_t y, int64_t x, int64_t b)
{
    int64_t row = image->turn & 2 ? s.h - 1 - y : y, column = image->turn & 1 ? s.w - 1 - x : x;
    size_t pixel = (size_t)(image->turn & 4 ? column * s.h + row : row * s.w + column);
    if (image->valid && !image->valid[pixel])
        return 0;
    float value = stored(image, pixel * (size_t)s.c + (size_t)b);
    if (!image->shift)
        return value;
    volatile float distance = value - image->shift[b]; /* rounded, whatever the compiler likes */
    return distance * image->scale[b];
}

static void make_image(batch *b, int32_t i, uint64_t number, sg_raw_type type)
{
    sg_raw_image *image = &b->image[i];
    *image = (sg_raw_image){.type = type, .turn = (int32_t)((number * N + (uint64_t)i) % 8)};
    for (uint32_t k = 0; k < sizeof b->values[i] / 2; k++)
        b->values[i][k] = (uint16_t)draw(number, (uint32_t)i * 10000 + k);
    for (uint32_t k = 0; type == SG_RAW_F32 && k < H * W * MOST_C; k++)
        ((float *)b->values[i])[k] = 5 - 10 * sg_uniform(draw(number, (uint32_t)i * 10000 + k));
    for (uint32_t k = 0; k < H * W; k++)
        b->valid[i][k] = draw(number, 60000 + (uint32_t)i * 100 + k) % 3 != 0;
    for (uint32_t k = 0; k < 2 * MOST_C; k++)
        b->factors[i][k] = (k < MOST_C ? 3000 : .02f) *
                           (.1f + sg_uniform(draw(number, 70000 + (uint32_t)i * 100 + k)));
    image->values = b->values[i];
    image->valid = i % 3 == 1 ? NULL : b->valid[i];
    if (type != SG_RAW_F32 || i % 2 == 0) {
        image->shift = b->factors[i];
        image->scale = b->factors[i] + MOST_C;
    }
}

/* Types change from image to image. */
static void make_batch(batch *b, uint64_t number)
{
    const sg_shape shape = {N, H, W, 1 + (int64_t)number % MOST_C};
    b->images = (sg_images){b->image, number % 2 ? N : N - 1, shape, b->labels};
    for (int32_t i = 0; i < N; i++)
        make_image(b, i, number, (sg_raw_type)((number + (uint64_t)i) % 4));
    for (uint32_t k = 0; k < MOST_PIXELS; k++)
        b->labels[k] = (uint8_t)draw(number, 80000 + k);
    float *to = b->wanted;
    for (int32_t i = 0; i < b->images.n; i++)
        for (int64_t k = 0; k < H * W * shape.c; k++)
            *to++ = wanted_at(&b->image[i], shape, k / shape.c / W, k / shape.c % W, k % shape.c);
}

/* The tensor and the labels on the device, with guard bytes. */
typedef struct {
    sg_backend *backend;
    void *input, *labels;
} device;

static sg_err expect(const device *d, const batch *b, sg_dtype type)
{
    static uint8_t got[MOST_VALUES * sizeof(float) + GUARD], labels[MOST_PIXELS];
    size_t size = sg_dtype_size(type);
    size_t one = (size_t)(H * W * b->images.shape.c), count = one * (size_t)b->images.n;
    sg_err err = d->backend->download(d->backend, got, d->input, one * N * size + GUARD);
    if (!err)
        err = d->backend->download(d->backend, labels, d->labels, MOST_PIXELS);
    for (size_t i = 0; !err && i < count; i++) {
        uint8_t wanted[sizeof(float)];
        sg_store(wanted, type, 0, b->wanted[i]);
        if (memcmp(wanted, got + i * size, size))
            err = sg_fail(SG_EINTERNAL,
                          "image %zu, element %zu, in %s is %.9g and should be %.9g: type %d, turn "
                          "%d",
                          i / one, i % one, sg_dtype_name(type), (double)sg_load(got, type, i),
                          (double)sg_load(wanted, type, 0), (int)b->image[i / one].type,
                          (int)b->image[i / one].turn);
    }
    for (size_t i = count * size; !err && i < one * N * size + GUARD; i++)
        if (got[i] != 0xa5)
            err = sg_fail(SG_EINTERNAL, "byte %zu behind the images was written", i);
    if (!err && memcmp(labels, b->labels, MOST_PIXELS))
        err = sg_fail(SG_EINTERNAL, "the labels are others");
    return err;
}

static sg_err load_only(const device *d, const batch *b, uint64_t sent, sg_dtype type)
{
    static uint8_t poison[MOST_VALUES * sizeof(float) + GUARD];
    const sg_images_target target = {d->input, type, d->labels};
    memset(poison, 0xa5, sizeof poison);
    sg_err err = d->backend->upload(d->backend, d->input, poison, sizeof poison);
    return err ? err : d->backend->load(d->backend, &b->images, sent, &target);
}

static sg_err load(const device *d, const batch *b, uint64_t sent, sg_dtype type)
{
    sg_err err = load_only(d, b, sent, type);
    return err ? err : expect(d, b, type);
}

/* The batch may change as soon as it is loaded: it is overwritten before anything waits. */
static sg_err load_and_forget(const device *d, batch *b, sg_dtype type)
{
    static batch kept;
    memcpy(&kept, b, sizeof kept);
    sg_err err = load_only(d, b, 0, type);
    memset(b->values, 0x3c, sizeof b->values);
    memset(b->labels, 0x3c, sizeof b->labels);
    memset(b->valid, 1, sizeof b->valid);
    memset(b->factors, 0, sizeof b->factors);
    return err ? err : expect(d, &kept, type);
}

static sg_err send(const device *d, const batch *b, uint64_t *sent)
{
    *sent = 0;
    return d->backend->send ? d->backend->send(d->backend, &b->images, sent) : SG_OK;
}

/* Two more are sent before the first one need have been read. */
static sg_err load_and_send_two(const device *d, batch b[BATCHES], sg_dtype type)
{
    uint64_t sent[BATCHES];
    sg_err err = SG_OK;
    for (int k = 0; !err && k < 3 * BATCHES; k++) {
        err = load_only(d, &b[k % BATCHES], 0, type);
        for (int i = 1; !err && i < 3; i++)
            err = send(d, &b[(k + i) % BATCHES], &sent[i]);
        if (!err)
            err = expect(d, &b[k % BATCHES], type);
    }
    return err;
}

/* Sent ahead: the next one while the last one is used; more than are kept; one that never comes. */
static sg_err load_ahead(const device *d, batch b[BATCHES], sg_dtype type)
{
    uint64_t sent[BATCHES];
    sg_err err = send(d, &b[0], &sent[0]);
    for (int k = 0; !err && k < BATCHES; k++) {
        err = load_only(d, &b[k], sent[k], type);
        if (!err && k + 1 < BATCHES)
            err = send(d, &b[k + 1], &sent[k + 1]);
        if (!err)
            err = expect(d, &b[k], type);
    }
    for (int k = 0; !err && k < BATCHES; k++)
        err = send(d, &b[k], &sent[k]);
    for (int k = 0; !err && k < BATCHES; k += 3)
        err = load(d, &b[k], sent[k], type);
    if (!err)
        err = send(d, &b[1], &sent[1]);
    return err ? err : load(d, &b[2], 0, type);
}

static sg_err compare_type(const device *d, batch *b, sg_dtype type)
{
    sg_err err = SG_OK;
    for (uint64_t number = 0; !err && number < 2 * 8 * MOST_C; number++) {
        make_batch(b, number);
        err = load(d, b, 0, type);
        if (!err)
            err = load_and_forget(d, b, type);
    }
    for (uint64_t k = 0; k < BATCHES; k++)
        make_batch(&b[k], 100 + k);
    if (!err)
        err = load_and_send_two(d, b, type);
    return err ? err : load_ahead(d, b, type);
}

sg_err op_compare_images(sg_backend *backend)
{
    device d = {.backend = backend};
    batch *b = NULL;
    if (!backend->load)
        return SG_OK;
    sg_err err = sg_calloc(BATCHES, sizeof *b, &b);
    if (!err)
        err = backend->alloc(backend, MOST_VALUES * sizeof(float) + GUARD, &d.input);
    if (!err)
        err = backend->alloc(backend, MOST_PIXELS, &d.labels);
    for (sg_dtype type = SG_F32; !err && type <= SG_BF16; type++)
        if (backend->supports(backend, type))
            err = compare_type(&d, b, type);
    if (d.input)
        backend->free(backend, d.input);
    if (d.labels)
        backend->free(backend, d.labels);
    sg_free(b);
    return err;
}

/* ---- results ---- */

/* Pass k scores class (pixel + k) % CLASSES highest. */
static sg_err begin(sg_backend *backend, float *memory, int k, uint64_t *ticket)
{
    static float scores[PIXELS * CLASSES];
    const sg_logits logits = {memory, SG_F32, PIXELS - (size_t)k, CLASSES};
    for (size_t i = 0; i < PIXELS * CLASSES; i++)
        scores[i] = i % CLASSES == (i / CLASSES + (size_t)k) % CLASSES ? 30 : 0;
    sg_err err = backend->upload(backend, memory, scores, sizeof scores);
    return err ? err : backend->classify_begin(backend, &logits, k % 3 == 1, ticket);
}

static sg_err end(sg_backend *backend, int k, uint64_t ticket)
{
    static uint8_t classes[PIXELS];
    static float shares[PIXELS * CLASSES];
    memset(classes, 0xff, sizeof classes);
    memset(shares, 0xff, sizeof shares);
    sg_err err = backend->classify_end(backend, ticket, classes, k % 3 == 1 ? shares : NULL);
    for (size_t i = 0; !err && i < PIXELS; i++) {
        size_t wanted = i < PIXELS - (size_t)k ? (i + (size_t)k) % CLASSES : 0xff;
        if (classes[i] != wanted)
            err = sg_fail(SG_EINTERNAL, "pass %d: pixel %zu is of class %d, not %zu", k, i,
                          (int)classes[i], wanted);
        if (!err && k % 3 == 1 && wanted != 0xff && !(shares[i * CLASSES + wanted] > .999f))
            err = sg_fail(SG_EINTERNAL, "pass %d: pixel %zu has other shares", k, i);
    }
    return err;
}

sg_err op_compare_results(sg_backend *backend)
{
    enum { PASSES = 9 };
    uint64_t ticket[PASSES + 3];
    void *memory = NULL;
    if (!backend->classify_begin)
        return SG_OK;
    sg_err err = backend->alloc(backend, PIXELS * CLASSES * sizeof(float), &memory);
    for (int k = 0; !err && k <= PASSES; k++) {
        if (k < PASSES)
            err = begin(backend, memory, k, &ticket[k]);
        if (!err && k > 0)
            err = end(backend, k - 1, ticket[k - 1]);
    }
    for (int k = PASSES; !err && k < PASSES + 3; k++) /* nobody takes these */
        err = begin(backend, memory, k, &ticket[k]);
    if (!err && end(backend, PASSES, ticket[PASSES]) != SG_EUSAGE)
        err = sg_fail(SG_EINTERNAL, "results that are gone are taken all the same");
    if (!err)
        err = end(backend, PASSES + 2, ticket[PASSES + 2]);
    if (memory)
        backend->free(backend, memory);
    return err;
}
