#include "jobs/report_tiles.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "base/size.h"

static void close_kind(sg_tile *tile, int32_t count)
{
    for (int32_t i = 0; tile != NULL && i < count; i++) {
        sg_free(tile[i].truth);
        sg_free(tile[i].prediction);
    }
    sg_free(tile);
}

void sg_tile_book_close(sg_tile_book *book)
{
    for (int kind = 0; kind < SG_TILE_KINDS; kind++)
        close_kind(book->tile[kind], book->wanted + 1);
    sg_free(book->confusion);
    memset(book, 0, sizeof *book);
}

/* One place more than wanted: where the tile at hand is put. */
static sg_err open_kind(sg_tile **tile, int32_t wanted)
{
    size_t pixels = (size_t)SG_TILE_SIDE * SG_TILE_SIDE;
    sg_err err = sg_calloc((size_t)wanted + 1, sizeof **tile, tile);
    for (int32_t i = 0; err == SG_OK && i <= wanted; i++) {
        err = sg_malloc(pixels, 1, &(*tile)[i].truth);
        if (err == SG_OK)
            err = sg_malloc(pixels, 1, &(*tile)[i].prediction);
    }
    return err;
}

sg_err sg_tile_book_open(sg_tile_book *book)
{
    size_t n = (size_t)book->classes;
    SG_ASSERT(book->wanted >= 0 && book->wanted <= SG_TILES_MOST);
    sg_err err = sg_malloc(n * n, sizeof(int64_t), &book->confusion);
    for (int kind = 0; err == SG_OK && kind < SG_TILE_KINDS; kind++)
        err = open_kind(&book->tile[kind], book->wanted);
    return err;
}

static int compare_numbers(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static bool is_sparse(const sg_tile_facts *facts)
{
    return facts->counted < SG_TILES_LABELLED;
}

static int compare_places(const sg_tile_facts *a, const sg_tile_facts *b)
{
    int order = compare_numbers(a->scene, b->scene);
    if (order == 0)
        order = compare_numbers(a->window.y, b->window.y);
    return order != 0 ? order : compare_numbers(a->window.x, b->window.x);
}

/* Tiles with few labels last; then by chance. */
static int compare_sample(const void *one, const void *two)
{
    const sg_tile_facts *a = one, *b = two;
    int order = (int)is_sparse(a) - (int)is_sparse(b);
    if (order == 0)
        order = (a->chance > b->chance) - (a->chance < b->chance);
    return order != 0 ? order : compare_places(a, b);
}

/* Tiles with few labels last; then by accuracy, right / counted, compared without rounding. */
static int compare_worst(const void *one, const void *two)
{
    const sg_tile_facts *a = one, *b = two;
    int order = (int)is_sparse(a) - (int)is_sparse(b);
    if (order == 0)
        order = compare_numbers(a->right * b->counted, b->right * a->counted);
    return order != 0 ? order : compare_places(a, b);
}

typedef int (*comparison)(const void *one, const void *two);

static comparison comparison_of(sg_tile_kind kind)
{
    return kind == SG_TILES_SAMPLE ? compare_sample : compare_worst;
}

/* Where a tile lies in the arrays of its chunk. */
typedef struct {
    const sg_compared *chunk;
    sg_window window; /* scene coordinates */
} site;

static const uint8_t *row_of(const site *at, const uint8_t *values, int64_t y)
{
    const sg_window *core = &at->chunk->core;
    return values + (at->window.y - core->y + y) * core->w + (at->window.x - core->x);
}

static void count_pixels(sg_tile_book *book, const site *at, sg_tile_facts *facts)
{
    const int32_t n = book->classes;
    memset(book->confusion, 0, (size_t)n * (size_t)n * sizeof(int64_t));
    for (int64_t y = 0; y < at->window.h; y++) {
        const uint8_t *truth = row_of(at, at->chunk->truth, y);
        const uint8_t *found = row_of(at, at->chunk->classes, y);
        for (int64_t x = 0; x < at->window.w; x++) {
            if (truth[x] == SG_NO_CLASS || found[x] == SG_NO_CLASS)
                continue;
            facts->counted++;
            facts->right += truth[x] == found[x];
            book->confusion[truth[x] * n + found[x]]++;
        }
    }
}

static double mean_iou(const sg_tile_book *book)
{
    const sg_confusion confusion = {book->classes, book->confusion};
    sg_scores scores;
    sg_confusion_scores(&confusion, &scores);
    return scores.miou;
}

static void look_at(sg_tile_book *book, const site *at, sg_tile_facts *facts)
{
    sg_random4 r =
        sg_random(0, SG_STREAM_ORDER, (uint64_t)at->window.y << 32 ^ (uint64_t)at->window.x,
                  (uint32_t)at->chunk->index);
    memset(facts, 0, sizeof *facts); /* they travel as bytes */
    facts->scene = (int64_t)at->chunk->index;
    facts->window = at->window;
    facts->chance = (uint64_t)r.v[0] << 32 | r.v[1];
    count_pixels(book, at, facts);
    if (facts->counted > 0)
        facts->miou = mean_iou(book);
}

static void fill_tile(const sg_tile_book *book, const site *at, const sg_tile_facts *facts,
                      sg_tile *tile)
{
    const sg_scene *scene = at->chunk->scene;
    bool normalised = book->spec.normalize != SG_NORMALIZE_NONE;
    tile->facts = *facts;
    tile->stored = at->chunk->stored;
    memcpy(tile->image, scene->image, sizeof tile->image);
    for (int i = 0; i < 3; i++) {
        tile->mean[i] = scene->mean[book->band[i]];
        tile->std[i] = normalised ? scene->std[book->band[i]] : 0;
    }
    for (int64_t y = 0; y < at->window.h; y++) {
        memcpy(tile->truth + y * at->window.w, row_of(at, at->chunk->truth, y),
               (size_t)at->window.w);
        memcpy(tile->prediction + y * at->window.w, row_of(at, at->chunk->classes, y),
               (size_t)at->window.w);
    }
}

/* Put the tile among the candidates of a kind, when it comes before the last of them. */
static void offer(sg_tile_book *book, sg_tile_kind kind, const site *at, const sg_tile_facts *facts)
{
    sg_tile *tile = book->tile[kind];
    int32_t *count = &book->count[kind], i = *count;
    comparison before = comparison_of(kind);
    if (i == book->wanted && (i == 0 || before(facts, &tile[i - 1].facts) >= 0))
        return;
    fill_tile(book, at, facts, &tile[i]);
    for (; i > 0 && before(&tile[i].facts, &tile[i - 1].facts) < 0; i--) {
        sg_tile swap = tile[i];
        tile[i] = tile[i - 1];
        tile[i - 1] = swap;
    }
    if (*count < book->wanted)
        (*count)++;
}

static void see_tile(sg_tile_book *book, const site *at)
{
    sg_tile_facts facts;
    look_at(book, at, &facts);
    if (facts.counted == 0)
        return;
    book->seen++;
    for (int kind = 0; kind < SG_TILE_KINDS; kind++)
        offer(book, kind, at, &facts);
}

sg_err sg_tile_book_see(sg_tile_book *book, const sg_compared *chunk)
{
    const int64_t side = SG_TILE_SIDE;
    const sg_window core = chunk->core;
    SG_ASSERT(core.x % side == 0 && core.y % side == 0);
    book->spec = *chunk->spec;
    for (int64_t y = core.y; y < core.y + core.h; y += side) {
        for (int64_t x = core.x; x < core.x + core.w; x += side) {
            sg_window square = {x, y, side, side};
            const site at = {chunk, sg_window_intersect(core, square)};
            see_tile(book, &at);
        }
    }
    return SG_OK;
}

/* This rank's candidates, and what does not count: without pixels. */
static void list_mine(const sg_tile_book *book, int rank, sg_tile_kind kind, sg_tile_facts *facts)
{
    for (int32_t i = 0; i < book->count[kind]; i++) {
        facts[i] = book->tile[kind][i].facts;
        facts[i].rank = rank;
        facts[i].place = i;
    }
}

sg_err sg_tile_book_choose(const sg_tile_book *book, sg_comm *comm, sg_tile_kind kind,
                           sg_tile_facts *facts, int32_t *count)
{
    size_t wanted = (size_t)book->wanted, ranks = (size_t)sg_comm_ranks(comm), kept = 0;
    sg_tile_facts *mine = NULL, *all = NULL;
    *count = 0;
    if (wanted == 0)
        return SG_OK;
    sg_err err = sg_calloc(wanted, sizeof *mine, &mine);
    if (err == SG_OK)
        err = sg_malloc(wanted * ranks, sizeof *all, &all);
    err = sg_comm_agree(comm, err);
    if (err != SG_OK)
        goto done;
    list_mine(book, sg_comm_rank(comm), kind, mine);
    sg_comm_all_gather(comm, mine, wanted * sizeof *mine, all);
    for (size_t i = 0; i < wanted * ranks; i++)
        if (all[i].counted > 0)
            all[kept++] = all[i];
    qsort(all, kept, sizeof *all, comparison_of(kind));
    *count = (int32_t)(kept < wanted ? kept : wanted);
    memcpy(facts, all, (size_t)*count * sizeof *facts);
done:
    sg_free(mine);
    sg_free(all);
    return err;
}
