#include <pthread.h>

#include "data/store_private.h"

/* As global as the library that it guards. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void sg_hdf5_lock(void)
{
    pthread_mutex_lock(&lock);
}

void sg_hdf5_unlock(void)
{
    pthread_mutex_unlock(&lock);
}
