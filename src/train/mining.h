/*
 * Mining: where in the training regions does the network err? Regions are cut into cells; wrong and
 * labelled pixels of each crop are counted for the cell of its middle. At fixed steps the counts of
 * all ranks are added to a fading sum, and crops are then taken near cells as often as they are
 * wrong. Counts are integers, so ranks agree. What a crop received of another one counts where the
 * crop lies. [local] unless said otherwise.
 */
#ifndef SG_TRAIN_MINING_H
#define SG_TRAIN_MINING_H

#include "comm/comm.h"
#include "data/loader.h"
#include "tiles/split.h"

/* What a checkpoint keeps of it; the lists are owned. */
typedef struct {
    size_t cells;
    double *wrong, *seen;          /* [cells] fading sums up to the last refresh */
    int64_t *new_wrong, *new_seen; /* [cells] counted since */
} sg_mining_state;

typedef struct {
    const sg_regions *regions; /* borrowed */
    int64_t tile, cell;        /* pixels */
    uint64_t *first;           /* [regions->count + 1]: a region's first cell; owned */
    double *cumulative;        /* [cells] chances, last is 1; owned */
    sg_mining_state state;     /* of this rank; new counts only of what it has seen itself */
    sg_mining_state saved;     /* with the new counts of all ranks: sg_mining_gather; owned */
} sg_mining;

/* usable[regions->count]: of which regions crops are taken. Until the first refresh all cells are
 * as likely as they are large. */
sg_err sg_mining_open(sg_mining *mining, const sg_regions *regions, const bool *usable,
                      int64_t tile);
void sg_mining_close(sg_mining *mining);

/* The middle of a crop: word[0], word[1] choose the cell, word[2], word[3] the pixel in it. */
void sg_mining_pick(const sg_mining *mining, const uint32_t word[4], size_t *region, int64_t *x,
                    int64_t *y);
/* Count a crop whose middle lies at pixel (x, y) of a region. */
void sg_mining_add(sg_mining *mining, size_t region, int64_t x, int64_t y, int64_t wrong,
                   int64_t seen);

/* Add the new counts of all ranks, and draw by them from now on. [collective] */
void sg_mining_refresh(sg_mining *mining, sg_comm *comm);
/* Into `saved`, on all ranks: what goes into a checkpoint. [collective] */
void sg_mining_gather(sg_mining *mining, sg_comm *comm);
/* Go on from a checkpoint. keep_new: on one rank only. SG_EUSAGE when it is of other regions. */
sg_err sg_mining_restore(sg_mining *mining, const sg_mining_state *from, bool keep_new);

sg_err sg_mining_state_create(sg_mining_state *state, size_t cells);
/* Of as many cells. */
void sg_mining_state_copy(sg_mining_state *to, const sg_mining_state *from);
void sg_mining_state_close(sg_mining_state *state);

#endif
