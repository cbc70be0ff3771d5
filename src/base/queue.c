#include "base/queue.h"

#include <pthread.h>
#include <stdbool.h>

#include "base/size.h"

struct sg_queue {
    pthread_mutex_t lock;
    pthread_cond_t room, filled;
    void **items;                  /* a ring */
    size_t capacity, first, count; /* count of capacity slots are filled, from first on */
    bool shut;
};

sg_err sg_queue_create(sg_queue **queue, size_t capacity)
{
    SG_ASSERT(capacity > 0);
    *queue = NULL;
    sg_queue *q = NULL;
    sg_err err = sg_calloc(1, sizeof *q, &q);
    if (err) {
        return err;
    }
    err = sg_calloc(capacity, sizeof *q->items, &q->items);
    if (err) {
        sg_free(q);
        return err;
    }
    q->capacity = capacity;
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->room, NULL);
    pthread_cond_init(&q->filled, NULL);
    *queue = q;
    return SG_OK;
}

sg_err sg_queue_push(sg_queue *queue, void *item)
{
    SG_ASSERT(item != NULL); /* NULL is how pop says that there is nothing more */
    pthread_mutex_lock(&queue->lock);
    while (!queue->shut && queue->count == queue->capacity) {
        pthread_cond_wait(&queue->room, &queue->lock);
    }
    bool refused = queue->shut;
    if (!refused) {
        queue->items[(queue->first + queue->count) % queue->capacity] = item;
        queue->count++;
        pthread_cond_signal(&queue->filled);
    }
    pthread_mutex_unlock(&queue->lock);
    return refused ? SG_EPEER : SG_OK;
}

void *sg_queue_pop(sg_queue *queue)
{
    void *item = NULL;
    pthread_mutex_lock(&queue->lock);
    while (!queue->shut && queue->count == 0) {
        pthread_cond_wait(&queue->filled, &queue->lock);
    }
    if (queue->count > 0) {
        item = queue->items[queue->first];
        queue->first = (queue->first + 1) % queue->capacity;
        queue->count--;
        pthread_cond_signal(&queue->room);
    }
    pthread_mutex_unlock(&queue->lock);
    return item;
}

void sg_queue_shut(sg_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->shut = true;
    pthread_cond_broadcast(&queue->room);
    pthread_cond_broadcast(&queue->filled);
    pthread_mutex_unlock(&queue->lock);
}

void sg_queue_close(sg_queue *queue)
{
    if (!queue) {
        return;
    }
    pthread_cond_destroy(&queue->room);
    pthread_cond_destroy(&queue->filled);
    pthread_mutex_destroy(&queue->lock);
    sg_free(queue->items);
    sg_free(queue);
}
