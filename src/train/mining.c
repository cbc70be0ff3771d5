#include "train/mining.h"

#include <string.h>

#include "base/rng.h"
#include "base/size.h"

/* So few that the crops between two refreshes see a good part of them. */
enum { CELLS_WANTED = 4096 };

static const double FADE = 0.5; /* what is left of the sums after a refresh */

sg_err sg_mining_state_create(sg_mining_state *state, size_t cells)
{
    memset(state, 0, sizeof *state);
    state->cells = cells;
    sg_err err = sg_calloc(cells + 1, sizeof(double), &state->wrong);
    if (!err)
        err = sg_calloc(cells + 1, sizeof(double), &state->seen);
    if (!err)
        err = sg_calloc(cells + 1, sizeof(int64_t), &state->new_wrong);
    if (!err)
        err = sg_calloc(cells + 1, sizeof(int64_t), &state->new_seen);
    if (err)
        sg_mining_state_close(state);
    return err;
}

void sg_mining_state_close(sg_mining_state *state)
{
    sg_free(state->wrong);
    sg_free(state->seen);
    sg_free(state->new_wrong);
    sg_free(state->new_seen);
    memset(state, 0, sizeof *state);
}

static int64_t cells_across(const sg_mining *m, size_t region)
{
    return sg_div_up(m->regions->item[region].window.w, m->cell);
}

static int64_t cells_of(const sg_mining *m, size_t region)
{
    return cells_across(m, region) * sg_div_up(m->regions->item[region].window.h, m->cell);
}

/* Number the cells; there are not too many, if need be by making them larger, but one of each
 * region at least. */
static size_t lay_out(sg_mining *m, const bool *usable)
{
    size_t cells;
    do {
        cells = 0;
        for (size_t r = 0; r < m->regions->count; r++) {
            m->first[r] = cells;
            cells += usable[r] ? (size_t)cells_of(m, r) : 0;
        }
        m->first[m->regions->count] = cells;
        m->cell *= 2;
    } while (cells > CELLS_WANTED && cells > m->regions->count);
    m->cell /= 2;
    return cells;
}

/* Cell `cell` of a region, as far as it lies in it. */
static sg_window cell_window(const sg_mining *m, size_t region, uint64_t cell)
{
    const sg_window *all = &m->regions->item[region].window;
    int64_t across = cells_across(m, region), k = (int64_t)(cell - m->first[region]);
    sg_window window = {all->x + k % across * m->cell, all->y + k / across * m->cell, m->cell,
                        m->cell};
    return sg_window_intersect(window, *all);
}

/*
 * Chances: share of wrong pixels times area. A cell is taken to have had a quarter of a tile as
 * wrong as all the others, so that those seen seldom, or never, are neither lost nor everything.
 */
static void draw_by_errors(sg_mining *m)
{
    const sg_mining_state *s = &m->state;
    double wrong = 0, seen = 0, sum = 0, prior = .25 * (double)m->tile * (double)m->tile;
    for (size_t i = 0; i < s->cells; i++) {
        wrong += s->wrong[i];
        seen += s->seen[i];
    }
    double mean = seen > 0 && wrong > 0 ? wrong / seen : 1;
    for (size_t r = 0; r < m->regions->count; r++)
        for (uint64_t i = m->first[r]; i < m->first[r + 1]; i++) {
            sg_window window = cell_window(m, r, i);
            double share = (s->wrong[i] + prior * mean) / (s->seen[i] + prior);
            sum += share * (double)window.w * (double)window.h;
            m->cumulative[i] = sum;
        }
    for (size_t i = 0; i < s->cells; i++)
        m->cumulative[i] /= sum;
}

sg_err sg_mining_open(sg_mining *m, const sg_regions *regions, const bool *usable, int64_t tile)
{
    memset(m, 0, sizeof *m);
    m->regions = regions;
    m->tile = tile;
    m->cell = sg_max64(tile / 2, 1);
    sg_err err = sg_calloc(regions->count + 1, sizeof *m->first, &m->first);
    size_t cells = err ? 0 : lay_out(m, usable);
    if (!err)
        err = sg_calloc(cells + 1, sizeof *m->cumulative, &m->cumulative);
    if (!err)
        err = sg_mining_state_create(&m->state, cells);
    if (!err)
        err = sg_mining_state_create(&m->saved, cells);
    if (err) {
        sg_mining_close(m);
        return err;
    }
    SG_ASSERT(cells > 0);
    draw_by_errors(m);
    return SG_OK;
}

void sg_mining_close(sg_mining *m)
{
    sg_free(m->first);
    sg_free(m->cumulative);
    sg_mining_state_close(&m->state);
    sg_mining_state_close(&m->saved);
    memset(m, 0, sizeof *m);
}

void sg_mining_pick(const sg_mining *m, const uint32_t word[4], size_t *region, int64_t *x,
                    int64_t *y)
{
    size_t cell = sg_choose(m->cumulative, m->state.cells, sg_uniform53(word[0], word[1]));
    *region = sg_regions_find(m->first, m->regions->count, cell);
    sg_window window = cell_window(m, *region, cell);
    *x = window.x + sg_below(word[2], (uint32_t)window.w);
    *y = window.y + sg_below(word[3], (uint32_t)window.h);
}

void sg_mining_add(sg_mining *m, size_t region, int64_t x, int64_t y, int64_t wrong, int64_t seen)
{
    const sg_window *all = &m->regions->item[region].window;
    int64_t column = sg_min64(sg_max64(x - all->x, 0), all->w - 1) / m->cell;
    int64_t row = sg_min64(sg_max64(y - all->y, 0), all->h - 1) / m->cell;
    uint64_t cell = m->first[region] + (uint64_t)(row * cells_across(m, region) + column);
    SG_ASSERT(cell < m->first[region + 1]);
    m->state.new_wrong[cell] += wrong;
    m->state.new_seen[cell] += seen;
}

void sg_mining_refresh(sg_mining *m, sg_comm *comm)
{
    sg_mining_state *s = &m->state;
    sg_comm_sum_i64(comm, s->new_wrong, s->cells);
    sg_comm_sum_i64(comm, s->new_seen, s->cells);
    for (size_t i = 0; i < s->cells; i++) {
        s->wrong[i] = FADE * s->wrong[i] + (double)s->new_wrong[i];
        s->seen[i] = FADE * s->seen[i] + (double)s->new_seen[i];
        s->new_wrong[i] = s->new_seen[i] = 0;
    }
    draw_by_errors(m);
}

void sg_mining_state_copy(sg_mining_state *to, const sg_mining_state *from)
{
    const size_t bytes = from->cells * sizeof(double);
    memcpy(to->wrong, from->wrong, bytes);
    memcpy(to->seen, from->seen, bytes);
    memcpy(to->new_wrong, from->new_wrong, bytes);
    memcpy(to->new_seen, from->new_seen, bytes);
}

void sg_mining_gather(sg_mining *m, sg_comm *comm)
{
    sg_mining_state_copy(&m->saved, &m->state);
    sg_comm_sum_i64(comm, m->saved.new_wrong, m->saved.cells);
    sg_comm_sum_i64(comm, m->saved.new_seen, m->saved.cells);
}

sg_err sg_mining_restore(sg_mining *m, const sg_mining_state *from, bool keep_new)
{
    if (from->cells != m->state.cells)
        return sg_fail(SG_EUSAGE,
                       "the checkpoint counts errors in %zu cells, this training has %zu: scenes, "
                       "blocks or tile have changed; start a new run",
                       from->cells, m->state.cells);
    sg_mining_state_copy(&m->state, from);
    if (!keep_new) {
        memset(m->state.new_wrong, 0, from->cells * sizeof(int64_t));
        memset(m->state.new_seen, 0, from->cells * sizeof(int64_t));
    }
    draw_by_errors(m);
    return SG_OK;
}
