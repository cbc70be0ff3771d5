/*
 * The tiles that a report shows: of all squares of a split's scenes a few by chance and the worst,
 * found while the scenes are evaluated. Which they are does not depend on ranks: squares lie on a
 * fixed grid of each scene, and chance is a function of where they lie. A rank keeps its candidates
 * only, so memory does not grow with the scenes.
 */
#ifndef SG_JOBS_REPORT_TILES_H
#define SG_JOBS_REPORT_TILES_H

#include "jobs/evaluate.h"

enum { SG_TILE_SIDE = 256, SG_TILES_MOST = 32 }; /* pixels, a divisor of chunks; tiles of a kind */
enum { SG_TILES_LABELLED = 4096 };               /* tiles with fewer labelled pixels come last */

typedef enum { SG_TILES_SAMPLE, SG_TILES_WORST, SG_TILE_KINDS } sg_tile_kind;

typedef struct {
    int64_t scene;       /* index among those with pixels of the split */
    sg_window window;    /* in it; smaller than a square at its edges */
    int64_t counted;     /* labelled pixels with a prediction */
    int64_t right;       /* of them predicted right */
    double miou;         /* over the classes in truth or prediction */
    uint64_t chance;     /* the smaller, the sooner a sample */
    int32_t rank, place; /* whose candidate it is */
} sg_tile_facts;

typedef struct {
    sg_tile_facts facts;
    char image[SG_PATH_MAX];
    size_t stored;               /* as in sg_compared */
    double mean[3], std[3];      /* of the bands shown, as normalised; std 0: not known */
    uint8_t *truth, *prediction; /* (h, w), owned */
} sg_tile;

typedef struct {
    int32_t wanted;  /* of each kind, at most SG_TILES_MOST */
    int32_t band[3]; /* which of the network's bands are shown: red, green, blue */
    int32_t classes;
    sg_spec spec;                 /* how scenes are opened; set with the first chunk */
    struct sg_tile_store *store;  /* what they are read from, or NULL; borrowed */
    int64_t *confusion;           /* (classes, classes) of the tile at hand, owned */
    sg_tile *tile[SG_TILE_KINDS]; /* [wanted], owned, the best candidate first */
    int32_t count[SG_TILE_KINDS];
    int64_t seen; /* tiles with labels */
} sg_tile_book;

/* wanted, band, classes and store are set by the caller. [local] */
sg_err sg_tile_book_open(sg_tile_book *book);
void sg_tile_book_close(sg_tile_book *book);
/* Look at all tiles of a chunk. [local] */
sg_err sg_tile_book_see(sg_tile_book *book, const sg_compared *chunk);
/* The tiles of a kind over all ranks, in order: facts[book->wanted] of them, *count in all.
 * [collective] */
sg_err sg_tile_book_choose(const sg_tile_book *book, sg_comm *comm, sg_tile_kind kind,
                           sg_tile_facts *facts, int32_t *count);

#endif
