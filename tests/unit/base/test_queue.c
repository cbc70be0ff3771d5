/* The queue between threads: order, bounds, and an end that nobody waits past. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdint.h>
#include <unistd.h>

#include "base/queue.h"

static void *item(intptr_t value)
{
    return (void *)value;
}

static void items_come_out_in_order(void **state)
{
    sg_queue *queue = NULL;
    assert_int_equal(sg_queue_create(&queue, 3), SG_OK);
    for (int round = 0; round < 5; round++) {
        for (int i = 1; i <= 3; i++) {
            assert_int_equal(sg_queue_push(queue, item(i)), SG_OK);
        }
        for (int i = 1; i <= 2; i++) {
            assert_ptr_equal(sg_queue_pop(queue), item(i));
        }
        assert_int_equal(sg_queue_push(queue, item(4)), SG_OK); /* over the ring's end */
        assert_ptr_equal(sg_queue_pop(queue), item(3));
        assert_ptr_equal(sg_queue_pop(queue), item(4));
    }
    sg_queue_close(queue);
    sg_queue_close(NULL);
}

static void shutting_refuses_pushes_and_drains_pops(void **state)
{
    sg_queue *queue = NULL;
    assert_int_equal(sg_queue_create(&queue, 3), SG_OK);
    assert_int_equal(sg_queue_push(queue, item(1)), SG_OK);
    sg_queue_shut(queue);
    assert_int_equal(sg_queue_push(queue, item(2)), SG_EPEER);
    assert_ptr_equal(sg_queue_pop(queue), item(1));
    assert_null(sg_queue_pop(queue));
    assert_null(sg_queue_pop(queue));
    sg_queue_close(queue);
}

static void *push_until_shut(void *queue)
{
    intptr_t pushed = 0;
    while (sg_queue_push(queue, item(1)) == SG_OK) {
        pushed++;
    }
    return item(pushed);
}

static void *pop_until_shut(void *queue)
{
    intptr_t popped = 0;
    while (sg_queue_pop(queue)) {
        popped++;
    }
    return item(popped);
}

static void shutting_wakes_who_waits(void **state)
{
    sg_queue *queue = NULL;
    pthread_t pusher, popper;
    void *count = NULL;
    assert_int_equal(sg_queue_create(&queue, 2), SG_OK);
    pthread_create(&pusher, NULL, push_until_shut, queue); /* stops at two items */
    usleep(10000);
    sg_queue_shut(queue);
    pthread_join(pusher, &count);
    assert_true((intptr_t)count <= 2);
    sg_queue_close(queue);

    assert_int_equal(sg_queue_create(&queue, 2), SG_OK);
    pthread_create(&popper, NULL, pop_until_shut, queue);
    usleep(10000);
    sg_queue_shut(queue);
    pthread_join(popper, &count);
    assert_null(count);
    sg_queue_close(queue);
}

enum { EACH = 20000, THREADS = 4 };

static void *push_many(void *queue)
{
    for (intptr_t i = 1; i <= EACH; i++) {
        if (sg_queue_push(queue, item(i))) {
            return item(1);
        }
    }
    return NULL;
}

static void *sum_all(void *queue)
{
    intptr_t sum = 0;
    void *p = NULL;
    while ((p = sg_queue_pop(queue)) != NULL) {
        sum += (intptr_t)p;
    }
    return item(sum);
}

static void nothing_is_lost_or_doubled_between_threads(void **state)
{
    sg_queue *queue = NULL;
    pthread_t pusher[THREADS], popper[THREADS];
    intptr_t sum = 0;
    assert_int_equal(sg_queue_create(&queue, 5), SG_OK);
    for (int i = 0; i < THREADS; i++) {
        pthread_create(&pusher[i], NULL, push_many, queue);
        pthread_create(&popper[i], NULL, sum_all, queue);
    }
    for (int i = 0; i < THREADS; i++) {
        void *failed = NULL;
        pthread_join(pusher[i], &failed);
        assert_null(failed);
    }
    sg_queue_shut(queue);
    for (int i = 0; i < THREADS; i++) {
        void *part = NULL;
        pthread_join(popper[i], &part);
        sum += (intptr_t)part;
    }
    assert_true(sum == (intptr_t)THREADS * EACH * (EACH + 1) / 2);
    sg_queue_close(queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_come_out_in_order),
        cmocka_unit_test(shutting_refuses_pushes_and_drains_pops),
        cmocka_unit_test(shutting_wakes_who_waits),
        cmocka_unit_test(nothing_is_lost_or_doubled_between_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
