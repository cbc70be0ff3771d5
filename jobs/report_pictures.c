#include "jobs/report_pictures.h"

#include <math.h>
#include <string.h>

#include "base/markup.h"
#include "base/size.h"
#include "data/picture.h"

enum { WHOLE_MOST = 8, INKS = 256, RIGHT = 0, WRONG = 1 }; /* more tiles are shown at half size */

typedef struct {
    const sg_tile_book *book;
    const sg_tile *tile;
    int64_t step; /* 2: every other pixel */
    int64_t w, h; /* of a picture */
    sg_text *html;
    uint8_t *pixels; /* (h, w, 4), owned */
} drawing;

static sg_err add_picture(const drawing *d, const char *what, const sg_ink *ink)
{
    const sg_picture picture = {(int32_t)d->w, (int32_t)d->h, d->pixels, ink};
    uint8_t *png = NULL;
    size_t bytes = 0;
    sg_err err = sg_picture_png(&picture, &png, &bytes);
    if (err == SG_OK)
        err = sg_text_add(d->html,
                          "<div class=\"pic\"><img%s style=\"width:%.2f%%\" width=\"%d\" "
                          "height=\"%d\" alt=\"%s of ",
                          ink != NULL ? " class=\"px\"" : "",
                          100.0 * (double)d->tile->facts.window.w / SG_TILE_SIDE,
                          (int)(d->w * d->step), (int)(d->h * d->step), what);
    if (err == SG_OK)
        err = sg_text_add_html(d->html, sg_path_base(d->tile->image));
    if (err == SG_OK)
        err = sg_text_add(d->html, ", column %lld, row %lld\" src=\"data:image/png;base64,",
                          (long long)d->tile->facts.window.x, (long long)d->tile->facts.window.y);
    if (err == SG_OK)
        err = sg_text_add_base64(d->html, png, bytes);
    if (err == SG_OK)
        err = sg_text_add(d->html, "\"><span>%s</span></div>", what);
    sg_free(png);
    return err;
}

/* Two deviations around the mean: of the normalisation, so that tiles of a scene look alike, else
 * of the tile. */
static void find_range(const drawing *d, const float *pixels, const uint8_t *valid, int channel,
                       double *low, double *span)
{
    const sg_tile *tile = d->tile;
    const int32_t bands = d->book->spec.bands, band = d->book->band[channel];
    double mean = tile->mean[channel], std = tile->std[channel];
    if (std <= 0) {
        double sum = 0, squares = 0, n = 0;
        for (int64_t i = 0; i < tile->facts.window.w * tile->facts.window.h; i++) {
            double value = pixels[i * bands + band];
            sum += valid[i] * value;
            squares += valid[i] * value * value;
            n += valid[i];
        }
        mean = n > 0 ? sum / n : 0;
        std = n > 0 ? sqrt(fmax(squares / n - mean * mean, 0)) : 0;
    }
    *low = mean - 2 * std;
    *span = 4 * std;
}

static void draw_channel(const drawing *d, const float *pixels, const uint8_t *valid, int channel)
{
    const int32_t bands = d->book->spec.bands, band = d->book->band[channel];
    double low, span;
    find_range(d, pixels, valid, channel, &low, &span);
    for (int64_t i = 0; i < d->w * d->h; i++) {
        int64_t at = i / d->w * d->step * d->tile->facts.window.w + i % d->w * d->step;
        double level = span > 0 ? (pixels[at * bands + band] - low) / span : 0.5;
        d->pixels[4 * i + channel] = (uint8_t)(255 * fmin(fmax(level, 0), 1));
        d->pixels[4 * i + 3] = valid[at] ? 255 : 0;
    }
}

static sg_err add_image(const drawing *d)
{
    const sg_spec *spec = &d->book->spec;
    const sg_window window = d->tile->facts.window;
    size_t count = (size_t)(window.w * window.h);
    sg_source *source = NULL;
    float *pixels = NULL;
    uint8_t *valid = NULL;
    sg_err err =
        sg_source_open_pixels(&source, d->tile->image, spec, d->book->store, d->tile->stored);
    if (err == SG_OK)
        err = sg_malloc(count, (size_t)spec->bands * sizeof *pixels, &pixels);
    if (err == SG_OK)
        err = sg_malloc(count, 1, &valid);
    if (err == SG_OK)
        err = sg_source_read(source, window, pixels, valid);
    for (int channel = 0; err == SG_OK && channel < 3; channel++)
        draw_channel(d, pixels, valid, channel);
    sg_free(valid);
    sg_free(pixels);
    sg_source_close(source);
    return err == SG_OK ? add_picture(d, "Image", NULL) : err;
}

static void class_inks(const sg_class_table *classes, sg_ink *ink)
{
    memset(ink, 0, INKS * sizeof *ink);
    for (int32_t k = 0; k < classes->count; k++) {
        memcpy(ink[k].rgb, classes->item[k].colour, 3);
        ink[k].opacity = 255;
    }
}

static sg_err add_classes(const drawing *d, const char *what, const uint8_t *classes)
{
    sg_ink ink[INKS];
    class_inks(&d->book->spec.classes, ink);
    for (int64_t i = 0; i < d->w * d->h; i++)
        d->pixels[i] = classes[i / d->w * d->step * d->tile->facts.window.w + i % d->w * d->step];
    return add_picture(d, what, ink);
}

static sg_err add_error(const drawing *d)
{
    static const sg_ink inks[INKS] = {
        [RIGHT] = {{0xc3, 0xd0, 0xda}, 255}, [WRONG] = {{0xd7, 0x30, 0x1f}, 255}};
    const sg_tile *tile = d->tile;
    for (int64_t i = 0; i < d->w * d->h; i++) {
        int64_t at = i / d->w * d->step * tile->facts.window.w + i % d->w * d->step;
        bool unknown = tile->truth[at] == SG_NO_CLASS || tile->prediction[at] == SG_NO_CLASS;
        d->pixels[i] = unknown                                   ? SG_NO_CLASS
                       : tile->truth[at] == tile->prediction[at] ? RIGHT
                                                                 : WRONG;
    }
    return add_picture(d, "Error", inks);
}

static sg_err add_caption(const sg_tile *tile, sg_text *html)
{
    const sg_tile_facts *f = &tile->facts;
    const double pixels = (double)(f->window.w * f->window.h);
    sg_err err = sg_text_add(html, "<figcaption><b>");
    if (err == SG_OK)
        err = sg_text_add_html(html, sg_path_base(tile->image));
    return err == SG_OK
               ? sg_text_add(html,
                             "</b> <span>column %lld, row %lld</span> <span>accuracy "
                             "%.1f&nbsp;%%</span> <span>mIoU %.3f</span> <span>%.0f&nbsp;%% "
                             "labelled</span></figcaption>",
                             (long long)f->window.x, (long long)f->window.y,
                             100 * (double)f->right / (double)f->counted, f->miou,
                             100 * (double)f->counted / pixels)
               : err;
}

sg_err sg_report_add_tile(const sg_tile_book *book, const sg_tile *tile, bool half, sg_text *html)
{
    const sg_window *window = &tile->facts.window;
    drawing d = {.book = book, .tile = tile, .step = half ? 2 : 1, .html = html};
    d.w = sg_div_up(window->w, d.step);
    d.h = sg_div_up(window->h, d.step);
    sg_err err = sg_malloc((size_t)(d.w * d.h), 4, &d.pixels);
    if (err == SG_OK)
        err = sg_text_add(html,
                          "<figure class=\"tile\" data-x=\"%lld\" data-y=\"%lld\" "
                          "data-counted=\"%lld\" data-right=\"%lld\"><div class=\"pics\">",
                          (long long)window->x, (long long)window->y,
                          (long long)tile->facts.counted, (long long)tile->facts.right);
    if (err == SG_OK)
        err = add_image(&d);
    if (err == SG_OK)
        err = add_classes(&d, "Truth", tile->truth);
    if (err == SG_OK)
        err = add_classes(&d, "Prediction", tile->prediction);
    if (err == SG_OK)
        err = add_error(&d);
    if (err == SG_OK)
        err = sg_text_add(html, "</div>");
    if (err == SG_OK)
        err = add_caption(tile, html);
    sg_free(d.pixels);
    return err == SG_OK ? sg_text_add(html, "</figure>\n") : err;
}

/* Figures of one kind: those that this rank has drawn, and where each ends. */
typedef struct {
    sg_tile_facts facts[SG_TILES_MOST];
    int32_t count;
    sg_text drawn[SG_TILES_MOST];
} figures;

static sg_err draw_mine(const sg_tile_book *book, int rank, sg_tile_kind kind, figures *f)
{
    bool half = f->count > WHOLE_MOST;
    sg_err err = SG_OK;
    for (int32_t i = 0; err == SG_OK && i < f->count; i++)
        if (f->facts[i].rank == rank)
            err =
                sg_report_add_tile(book, &book->tile[kind][f->facts[i].place], half, &f->drawn[i]);
    return err;
}

/* The owner's text of figure i, to all. mine: this rank's error so far. [collective] */
static sg_err share(sg_comm *comm, figures *f, int32_t i, sg_err mine)
{
    sg_text *text = &f->drawn[i];
    int64_t length = (int64_t)text->length;
    sg_comm_max_i64(comm, &length, 1);
    sg_err err =
        mine == SG_OK ? sg_grow(&text->data, &text->capacity, (size_t)length + 1, 1) : mine;
    err = sg_comm_agree(comm, err);
    if (err != SG_OK)
        return err;
    sg_comm_broadcast(comm, text->data, (size_t)length + 1, f->facts[i].rank);
    text->length = (size_t)length;
    return SG_OK;
}

sg_err sg_report_add_tiles(const sg_tile_book *book, sg_comm *comm, sg_tile_kind kind, size_t most,
                           sg_text *html, int32_t *shown)
{
    figures f = {0};
    sg_err mine = SG_OK;
    *shown = 0;
    sg_err err = sg_tile_book_choose(book, comm, kind, f.facts, &f.count);
    if (err == SG_OK)
        err = sg_comm_agree(comm, draw_mine(book, sg_comm_rank(comm), kind, &f));
    for (int32_t i = 0; err == SG_OK && i < f.count; i++) {
        err = share(comm, &f, i, mine);
        if (err != SG_OK || html->length + f.drawn[i].length > most)
            break;
        mine = sg_text_add(html, "%s", f.drawn[i].data);
        (*shown)++;
    }
    for (int32_t i = 0; i < f.count; i++)
        sg_text_clear(&f.drawn[i]);
    return sg_comm_agree(comm, err == SG_OK ? mine : err);
}
