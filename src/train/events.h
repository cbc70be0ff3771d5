/*
 * Event files as TensorBoard reads them: records with checksums (TFRecord), each an Event in
 * protocol buffers' wire format. Only what scalars and images need is written. One rank writes.
 * [local]
 */
#ifndef SG_TRAIN_EVENTS_H
#define SG_TRAIN_EVENTS_H

#include <stdint.h>
#include <stdio.h>
#include "base/file.h"

typedef struct {
    FILE *file; /* owned, NULL when closed */
    char path[SG_PATH_MAX];
} sg_events;

typedef struct {
    const char *tag; /* UTF-8; what stands before a slash groups charts */
    double value;    /* kept as f32 */
} sg_event;

typedef struct {
    const char *tag;
    int32_t width, height;
    const uint8_t *png; /* four channels */
    size_t bytes;
} sg_event_image;

/* Begin a new file in folder, named for the time, the host and the process. SG_EOUTPUT. */
sg_err sg_events_open(sg_events *events, const char *folder);
/* Steps from this one on are told again: a reader forgets what earlier files say of them. */
sg_err sg_events_restart(sg_events *events, int64_t step);
/* Values of one step; those that are not finite are left out. Flushed. SG_EOUTPUT. */
sg_err sg_events_add(sg_events *events, int64_t step, const sg_event *event, size_t count);
/* A picture of one step. Flushed. SG_EOUTPUT. */
sg_err sg_events_add_image(sg_events *events, int64_t step, const sg_event_image *image);
void sg_events_close(sg_events *events);

/* CRC-32C (Castagnoli's polynomial) of bytes. */
uint32_t sg_crc32c(const void *data, size_t bytes);

#endif
