/*
 * Tiles of a report as figures: image, truth, prediction and error, as PNG inside the page.
 */
#ifndef SG_JOBS_REPORT_PICTURES_H
#define SG_JOBS_REPORT_PICTURES_H

#include "jobs/report_tiles.h"

/* The tile as a <figure>. half: at half the resolution. [local] */
sg_err sg_report_add_tile(const sg_tile_book *book, const sg_tile *tile, bool half, sg_text *html);
/* All tiles of a kind, over all ranks, in order, up to `most` bytes; *shown of them. The text is
 * the same on all ranks. [collective] */
sg_err sg_report_add_tiles(const sg_tile_book *book, sg_comm *comm, sg_tile_kind kind, size_t most,
                           sg_text *html, int32_t *shown);

#endif
