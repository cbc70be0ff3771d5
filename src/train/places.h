/*
 * Places of classes: labelled pixels of the training regions, chosen evenly, to put crops around
 * or to paste from. At most so many of a class, so memory is bounded; the same for any number of
 * ranks. [local]
 */
#ifndef SG_TRAIN_PLACES_H
#define SG_TRAIN_PLACES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

enum { SG_PLACES_MOST = 16384, SG_PLACES_ALL_MOST = 1 << 20 }; /* of a class, of all */

typedef struct {
    int64_t class, region; /* of sg_training.whole */
    int64_t x, y;          /* pixel of the scene */
} sg_place;

typedef struct {
    int32_t classes;
    size_t *first;  /* [classes + 1]: where the places of a class begin; owned */
    sg_place *item; /* by class, region, row, column; owned */
} sg_places;

/* How many places of each class are wanted, where there are `classes` of them. */
int64_t sg_places_wanted(int32_t classes);
/*
 * Is the pixel a place? Every rank says the same. pixels: how many its class has in all training
 * regions; about `wanted` of them are places, or all where there are no more.
 */
bool sg_places_holds(uint64_t seed, const sg_place *place, int64_t pixels, int64_t wanted);
/* Put them in order; item (count of them) is taken over, also on failure. */
sg_err sg_places_make(sg_places *places, int32_t classes, sg_place *item, size_t count);
void sg_places_clear(sg_places *places);

#endif
