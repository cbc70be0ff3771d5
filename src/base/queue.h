/*
 * A bounded queue of pointers between threads. Closing wakes every waiter: pushes are refused,
 * pops drain what is left and then return NULL. [local], thread-safe.
 */
#ifndef SG_BASE_QUEUE_H
#define SG_BASE_QUEUE_H

#include <stddef.h>
#include "base/error.h"

typedef struct sg_queue sg_queue;

sg_err sg_queue_create(sg_queue **queue, size_t capacity);
/* Wait for room. SG_EPEER when closed. */
sg_err sg_queue_push(sg_queue *queue, void *item);
/* Wait for an item; NULL when closed and empty. */
void *sg_queue_pop(sg_queue *queue);
void sg_queue_shut(sg_queue *queue);
void sg_queue_close(sg_queue *queue); /* frees; NULL is fine */

#endif
