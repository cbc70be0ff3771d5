/*
 * Event files. Wire format: a field is its number and kind in a varint, then a varint (kind 0),
 * eight bytes (1), a length and bytes (2), or four bytes (5), all little endian, as this machine
 * is.
 */
#include "train/events.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/size.h"

/* Field numbers of the messages Event, Summary, Summary.Value, Summary.Image and SessionLog. */
enum { EVENT_TIME = 1, EVENT_STEP = 2, EVENT_VERSION = 3, EVENT_SUMMARY = 5, EVENT_SESSION = 7 };
enum { SUMMARY_VALUE = 1, VALUE_TAG = 1, VALUE_SIMPLE = 2, VALUE_IMAGE = 4 };
enum { IMAGE_HEIGHT = 1, IMAGE_WIDTH = 2, IMAGE_SPACE = 3, IMAGE_FILE = 4, SPACE_RGBA = 4 };
enum { SESSION_STATUS = 1, SESSION_START = 1 };
enum { KIND_VARINT = 0, KIND_8 = 1, KIND_BYTES = 2, KIND_4 = 5 };

typedef struct {
    uint8_t *data; /* owned */
    size_t length, capacity;
} message;

static void message_clear(message *m)
{
    sg_free(m->data);
    memset(m, 0, sizeof *m);
}

static sg_err put(message *m, const void *data, size_t bytes)
{
    sg_err err = sg_grow(&m->data, &m->capacity, m->length + bytes, 1);
    if (err || bytes == 0)
        return err;
    memcpy(m->data + m->length, data, bytes);
    m->length += bytes;
    return SG_OK;
}

static sg_err put_varint(message *m, uint64_t value)
{
    uint8_t byte[10];
    size_t n = 0;
    for (; value > 0x7f; value >>= 7)
        byte[n++] = (uint8_t)(value | 0x80);
    byte[n++] = (uint8_t)value;
    return put(m, byte, n);
}

static sg_err put_key(message *m, int field, int kind)
{
    return put_varint(m, (uint64_t)field << 3 | (uint64_t)kind);
}

static sg_err put_number(message *m, int field, int64_t value)
{
    sg_err err = put_key(m, field, KIND_VARINT);
    return err ? err : put_varint(m, (uint64_t)value);
}

static sg_err put_double(message *m, int field, double value)
{
    sg_err err = put_key(m, field, KIND_8);
    return err ? err : put(m, &value, sizeof value);
}

static sg_err put_float(message *m, int field, float value)
{
    sg_err err = put_key(m, field, KIND_4);
    return err ? err : put(m, &value, sizeof value);
}

static sg_err put_bytes(message *m, int field, const void *data, size_t bytes)
{
    sg_err err = put_key(m, field, KIND_BYTES);
    if (!err)
        err = put_varint(m, bytes);
    return err ? err : put(m, data, bytes);
}

uint32_t sg_crc32c(const void *data, size_t bytes)
{
    const uint8_t *byte = data;
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < bytes; i++) {
        crc ^= byte[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (UINT32_C(0x82f63b78) & (0u - (crc & 1)));
    }
    return ~crc;
}

/* As it stands in records: turned, so that a checksum of data with checksums in it is sound. */
static uint32_t masked_crc(const void *data, size_t bytes)
{
    uint32_t crc = sg_crc32c(data, bytes);
    return (crc >> 15 | crc << 17) + UINT32_C(0xa282ead8);
}

/* Length, its checksum, the event, its checksum: in one write, so that a reader sees it whole. */
static sg_err write_record(sg_events *events, const message *event)
{
    message record = {0};
    uint64_t length = event->length;
    uint32_t length_crc = masked_crc(&length, sizeof length);
    uint32_t crc = masked_crc(event->data, event->length);
    sg_err err = put(&record, &length, sizeof length);
    if (!err)
        err = put(&record, &length_crc, sizeof length_crc);
    if (!err)
        err = put(&record, event->data, event->length);
    if (!err)
        err = put(&record, &crc, sizeof crc);
    if (!err && (fwrite(record.data, 1, record.length, events->file) != record.length ||
                 fflush(events->file) != 0))
        err = sg_fail(SG_EOUTPUT, "%s: cannot be written: %s", events->path, strerror(errno));
    message_clear(&record);
    return err;
}

static sg_err begin_event(message *event)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return put_double(event, EVENT_TIME, (double)now.tv_sec + 1e-9 * (double)now.tv_nsec);
}

static sg_err write_version(sg_events *events)
{
    static const char version[] = "brain.Event:2";
    message event = {0};
    sg_err err = begin_event(&event);
    if (!err)
        err = put_bytes(&event, EVENT_VERSION, version, strlen(version));
    if (!err)
        err = write_record(events, &event);
    message_clear(&event);
    return err;
}

sg_err sg_events_open(sg_events *events, const char *folder)
{
    char host[256] = "";
    sg_err err;
    events->file = NULL;
    if (gethostname(host, sizeof host - 1) != 0 || !*host)
        strcpy(host, "localhost");
    err = sg_path_format(events->path, "%s/events.out.tfevents.%010lld.%s.%ld", folder,
                         (long long)time(NULL), host, (long)getpid());
    if (err)
        return err;
    events->file = fopen(events->path, "wbx");
    if (!events->file)
        return sg_fail(SG_EOUTPUT, "%s: cannot be written: %s", events->path, strerror(errno));
    err = write_version(events);
    if (err)
        sg_events_close(events);
    return err;
}

sg_err sg_events_restart(sg_events *events, int64_t step)
{
    message session = {0}, event = {0};
    sg_err err = put_number(&session, SESSION_STATUS, SESSION_START);
    if (!err)
        err = begin_event(&event);
    if (!err)
        err = put_number(&event, EVENT_STEP, step);
    if (!err)
        err = put_bytes(&event, EVENT_SESSION, session.data, session.length);
    if (!err)
        err = write_record(events, &event);
    message_clear(&session);
    message_clear(&event);
    return err;
}

static sg_err put_value(message *summary, const sg_event *event)
{
    message value = {0};
    sg_err err = put_bytes(&value, VALUE_TAG, event->tag, strlen(event->tag));
    if (!err)
        err = put_float(&value, VALUE_SIMPLE, (float)event->value);
    if (!err)
        err = put_bytes(summary, SUMMARY_VALUE, value.data, value.length);
    message_clear(&value);
    return err;
}

static sg_err put_image(message *summary, const sg_event_image *image)
{
    message value = {0}, part = {0};
    sg_err err = put_number(&part, IMAGE_HEIGHT, image->height);
    if (!err)
        err = put_number(&part, IMAGE_WIDTH, image->width);
    if (!err)
        err = put_number(&part, IMAGE_SPACE, SPACE_RGBA);
    if (!err)
        err = put_bytes(&part, IMAGE_FILE, image->png, image->bytes);
    if (!err)
        err = put_bytes(&value, VALUE_TAG, image->tag, strlen(image->tag));
    if (!err)
        err = put_bytes(&value, VALUE_IMAGE, part.data, part.length);
    if (!err)
        err = put_bytes(summary, SUMMARY_VALUE, value.data, value.length);
    message_clear(&part);
    message_clear(&value);
    return err;
}

static sg_err write_summary(sg_events *events, int64_t step, const message *summary)
{
    message event = {0};
    sg_err err = begin_event(&event);
    if (!err)
        err = put_number(&event, EVENT_STEP, step);
    if (!err)
        err = put_bytes(&event, EVENT_SUMMARY, summary->data, summary->length);
    if (!err)
        err = write_record(events, &event);
    message_clear(&event);
    return err;
}

sg_err sg_events_add(sg_events *events, int64_t step, const sg_event *list, size_t count)
{
    message summary = {0};
    sg_err err = SG_OK;
    for (size_t i = 0; !err && i < count; i++)
        if (isfinite(list[i].value))
            err = put_value(&summary, &list[i]);
    if (!err)
        err = write_summary(events, step, &summary);
    message_clear(&summary);
    return err;
}

sg_err sg_events_add_image(sg_events *events, int64_t step, const sg_event_image *image)
{
    message summary = {0};
    sg_err err = put_image(&summary, image);
    if (!err)
        err = write_summary(events, step, &summary);
    message_clear(&summary);
    return err;
}

void sg_events_close(sg_events *events)
{
    if (events->file)
        fclose(events->file);
    events->file = NULL;
}
