/*
 * Writing messages in protobuf's wire format: a field is a key and a varint, four bytes, or bytes
 * with their length. ONNX needs these three and no reading, so this stands in place of protobuf's
 * compiler, its run-time library and a schema: and a message can be written around arrays that
 * stay where they are. All [local].
 */
#ifndef SG_DATA_PROTOBUF_H
#define SG_DATA_PROTOBUF_H

#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

/* A growing message; start from {0}. The first error stays in it, and nothing more is added. */
typedef struct {
    uint8_t *data; /* owned */
    size_t length, capacity;
    sg_err err;
} sg_message;

void sg_message_clear(sg_message *message);

/* Negative numbers take ten bytes, as int64 does. */
void sg_message_int(sg_message *message, uint32_t field, int64_t value);
void sg_message_float(sg_message *message, uint32_t field, float value);
void sg_message_text(sg_message *message, uint32_t field, const char *text);
/* A message within: `part` is cleared. */
void sg_message_part(sg_message *message, uint32_t field, sg_message *part);
/* The key and length of a field whose bytes the caller writes itself. */
void sg_message_begin(sg_message *message, uint32_t field, size_t bytes);

#endif
