#include "data/protobuf.h"

#include <string.h>

#include "base/size.h"

enum { VARINT = 0, BYTES = 2, FOUR = 5 }; /* wire types */

void sg_message_clear(sg_message *m)
{
    sg_free(m->data);
    *m = (sg_message){0};
}

static void add(sg_message *m, const void *data, size_t bytes)
{
    if (m->err == SG_OK)
        m->err = sg_grow(&m->data, &m->capacity, m->length + bytes, 1);
    if (m->err != SG_OK || bytes == 0)
        return;
    memcpy(m->data + m->length, data, bytes);
    m->length += bytes;
}

/* Seven bits a byte, the lowest first; the highest bit says that more follow. */
static void add_varint(sg_message *m, uint64_t value)
{
    uint8_t byte[10];
    size_t count = 0;
    do {
        byte[count++] = (uint8_t)((value & 127) | (value > 127 ? 128 : 0));
        value >>= 7;
    } while (value > 0);
    add(m, byte, count);
}

static void add_key(sg_message *m, uint32_t field, uint32_t type)
{
    add_varint(m, (uint64_t)field << 3 | type);
}

void sg_message_int(sg_message *m, uint32_t field, int64_t value)
{
    add_key(m, field, VARINT);
    add_varint(m, (uint64_t)value);
}

void sg_message_float(sg_message *m, uint32_t field, float value)
{
    uint32_t bits;
    uint8_t byte[4];
    memcpy(&bits, &value, sizeof bits);
    for (int i = 0; i < 4; i++)
        byte[i] = (uint8_t)(bits >> 8 * i);
    add_key(m, field, FOUR);
    add(m, byte, sizeof byte);
}

void sg_message_begin(sg_message *m, uint32_t field, size_t bytes)
{
    add_key(m, field, BYTES);
    add_varint(m, bytes);
}

void sg_message_text(sg_message *m, uint32_t field, const char *text)
{
    sg_message_begin(m, field, strlen(text));
    add(m, text, strlen(text));
}

void sg_message_part(sg_message *m, uint32_t field, sg_message *part)
{
    if (m->err == SG_OK)
        m->err = part->err;
    sg_message_begin(m, field, part->length);
    add(m, part->data, part->length);
    sg_message_clear(part);
}
