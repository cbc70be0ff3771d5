/*
 * make_scene: scenes of a made-up landscape with true labels, of any size, for tests, benchmarks
 * and the demo. Nothing but one row of blocks is held in memory.
 */
#include "tools/landscape.h"
#include "jobs/options.h"
#include "base/size.h"
#include "data/scene_writer.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

typedef struct {
    const char *image, *labels, *vector;
    const char *size, *offset, *crs, *vector_crs;
    char type[16], compress[16];
    int32_t bands, classes, block;
    int64_t seed, nature;
    double gsd, nodata_share;
} arguments;

typedef struct {
    arguments wish;
    int64_t width, height, x, y; /* pixels; x, y: of the scene in the landscape */
    landscape land;
    sg_class_table classes;
    double geotransform[6];
    float scale, nodata; /* reflectance 1 in the file's numbers */
    sg_scene_writer *image, *labels;
    sg_polygons *vector;
    int64_t piece;  /* width of the windows that are written at once, pixels */
    float *pixels;  /* (block, piece, bands) */
    uint8_t *class; /* (block, piece) */
    float *class_f32;
    painter **brush; /* [threads] */
    int brushes;
} maker;

static sg_err parse_arguments(int argc, char **argv, arguments *wish, bool *help)
{
    const sg_option table[] = {
        {'o', "out", SG_OPTION_TEXT, &wish->image, "FILE", NULL, 0, 0, "the image, a GeoTIFF"},
        {'l', "labels", SG_OPTION_TEXT, &wish->labels, "FILE", NULL, 0, 0,
         "true labels as a raster: 1 to K, 0 without data"},
        {0, "vector", SG_OPTION_TEXT, &wish->vector, "FILE", NULL, 0, 0,
         "true labels as polygons (.gpkg, .shp, .geojson)"},
        {0, "vector-crs", SG_OPTION_TEXT, &wish->vector_crs, "CRS", NULL, 0, 0,
         "of the polygons (else that of the image)"},
        {'s', "size", SG_OPTION_TEXT, &wish->size, "WxH", NULL, 0, 0, "pixels (1024x1024)"},
        {0, "offset", SG_OPTION_TEXT, &wish->offset, "X,Y", NULL, 0, 0,
         "where in the landscape the scene begins, pixels (0,0)"},
        {'b', "bands", SG_OPTION_INT, &wish->bands, "N", NULL, 1, LANDSCAPE_BANDS_MAX, "bands (4)"},
        {'t', "type", SG_OPTION_CHOICE, wish->type, "TYPE", "Byte UInt16 Int16 Float32", 0, 0,
         "pixels (UInt16)"},
        {'k', "classes", SG_OPTION_INT, &wish->classes, "K", NULL, 1, LANDSCAPE_CLASSES_MAX,
         "classes (6)"},
        {0, "crs", SG_OPTION_TEXT, &wish->crs, "CRS", NULL, 0, 0,
         "coordinate system, \"\" for none (EPSG:32632)"},
        {0, "gsd", SG_OPTION_REAL, &wish->gsd, "METRES", NULL, 1e-3, 1e6, "size of a pixel (10)"},
        {0, "seed", SG_OPTION_LONG, &wish->seed, "N", NULL, 0, 0, "which landscape (1)"},
        {0, "nature", SG_OPTION_LONG, &wish->nature, "N", NULL, 0, 0,
         "which colours and textures the classes have (0)"},
        {0, "nodata-share", SG_OPTION_REAL, &wish->nodata_share, "S", NULL, 0, 1,
         "share of the scene without data, a slanted strip at its left (0)"},
        {0, "block", SG_OPTION_INT, &wish->block, "N", NULL, 0, 4096,
         "blocks of the files, a multiple of 16; 0: strips (256)"},
        {0, "compress", SG_OPTION_CHOICE, wish->compress, "NAME", "NONE DEFLATE LZW ZSTD", 0, 0,
         "compression of the image (NONE)"},
        {0}};
    const sg_usage usage = {.program = "make_scene",
                            .synopsis = "[options] --out IMAGE",
                            .about = "Makes a georeferenced scene of a made-up landscape, with its "
                                     "true labels.\nThe same arguments make the same files.",
                            .option = table};
    sg_arguments rest;
    sg_err err = sg_options_parse(&usage, NULL, argc, argv, &rest);
    *help = rest.help;
    if (err == SG_OK && !rest.help && wish->image == NULL)
        err = sg_fail(SG_EUSAGE, "the image is missing: make_scene %s", usage.synopsis);
    return err;
}

static sg_err parse_sizes(maker *m)
{
    const arguments *wish = &m->wish;
    long long w = 1024, h = 1024, x = 0, y = 0;
    char end;
    if (wish->size != NULL &&
        (sscanf(wish->size, "%lldx%lld%c", &w, &h, &end) != 2 || w < 1 || h < 1))
        return sg_fail(SG_EUSAGE, "--size %s: expected WIDTHxHEIGHT, like 1024x768", wish->size);
    if (wish->offset != NULL && sscanf(wish->offset, "%lld,%lld%c", &x, &y, &end) != 2)
        return sg_fail(SG_EUSAGE, "--offset %s: expected X,Y, like 4096,0", wish->offset);
    if (wish->block % 16 != 0)
        return sg_fail(SG_EUSAGE, "--block %d: blocks are multiples of 16", wish->block);
    m->width = w;
    m->height = h;
    m->x = x;
    m->y = y;
    return SG_OK;
}

/* The landscape's pixel (0, 0) lies at 10 E 47 N, or at 600 000 E 5 200 000 N in metres. */
static void place(maker *m)
{
    bool degrees = strcasecmp(m->wish.crs, "EPSG:4326") == 0;
    double pixel = degrees ? m->wish.gsd / 111320.0 : m->wish.gsd;
    m->geotransform[0] = (degrees ? 10.0 : 600000.0) + (double)m->x * pixel;
    m->geotransform[1] = pixel;
    m->geotransform[3] = (degrees ? 47.0 : 5200000.0) - (double)m->y * pixel;
    m->geotransform[5] = -pixel;
}

/* What the file's numbers mean: 8 bits hold reflectances up to .5, integers of 16 bits
 * ten-thousandths. Nodata is 0 in integers, and no valid pixel has it. */
static void choose_scale(maker *m)
{
    bool is_float = strcmp(m->wish.type, "Float32") == 0;
    m->scale = is_float ? 1.0f : strcmp(m->wish.type, "Byte") == 0 ? 510.0f : 10000.0f;
    m->nodata = is_float ? -9999.0f : 0.0f;
}

static sg_err create_files(maker *m)
{
    const arguments *wish = &m->wish;
    sg_scene_options options = {.width = m->width,
                                .height = m->height,
                                .bands = wish->bands,
                                .type = wish->type,
                                .block = wish->block,
                                .compress = wish->compress,
                                .crs = wish->crs,
                                .has_nodata = wish->nodata_share > 0,
                                .nodata = m->nodata};
    memcpy(options.geotransform, m->geotransform, sizeof(options.geotransform));
    sg_err err = sg_scene_create(&m->image, wish->image, &options);
    options.bands = 1;
    options.type = "Byte";
    options.compress = "DEFLATE";
    options.has_nodata = 0;
    options.classes = &m->classes;
    if (err == SG_OK && wish->labels != NULL)
        err = sg_scene_create(&m->labels, wish->labels, &options);
    sg_polygon_options polygons = {
        wish->crs, wish->vector_crs != NULL ? wish->vector_crs : "", {0}, &m->classes};
    memcpy(polygons.geotransform, m->geotransform, sizeof(polygons.geotransform));
    if (err == SG_OK && wish->vector != NULL)
        err = sg_polygons_create(&m->vector, wish->vector, &polygons);
    return err;
}

/* Pixels left of a slanted line have no data. */
static int64_t row_nodata(const maker *m, int64_t y)
{
    double share = m->wish.nodata_share, mean = share * (double)m->width;
    double reach = fmin(mean, (double)m->width - mean); /* what the slant may add and take away */
    double slant = fmin(0.2 * (double)m->height / 2, reach);
    double at = ((double)y + 0.5) / (double)m->height * 2 - 1;
    return sg_min64(m->width, sg_max64(0, llround(mean + slant * at)));
}

static void draw_row(maker *m, sg_window window, int64_t row, painter *brush)
{
    int32_t bands = m->wish.bands;
    float *pixels = m->pixels + row * window.w * bands;
    uint8_t *class = m->class + row * window.w;
    bool is_float = m->nodata < 0;
    painter_row(brush, m->y + window.y + row, pixels, class);
    for (int64_t i = 0; i < window.w * bands; i++) {
        float value = pixels[i] * m->scale;
        pixels[i] = !is_float && value < 1 ? 1 : value;
    }
    int64_t empty = sg_min64(window.w, row_nodata(m, window.y + row) - window.x);
    for (int64_t p = 0; p < empty; p++) {
        class[p] = 0;
        for (int32_t b = 0; b < bands; b++)
            pixels[p * bands + b] = m->nodata;
    }
    for (int64_t p = 0; p < window.w; p++)
        m->class_f32[row * window.w + p] = class[p];
}

static sg_err make_brushes(maker *m, sg_window window)
{
    sg_err err = SG_OK;
    for (int i = 0; err == SG_OK && i < m->brushes; i++)
        err = painter_create(&m->brush[i], &m->land, m->x + window.x, window.w);
    return err;
}

static void drop_brushes(maker *m)
{
    for (int i = 0; i < m->brushes; i++) {
        painter_close(m->brush[i]);
        m->brush[i] = NULL;
    }
}

static sg_err make_window(maker *m, sg_window window)
{
    sg_err err = make_brushes(m, window);
    if (err == SG_OK) {
#pragma omp parallel for schedule(static) num_threads(m->brushes)
        for (int64_t row = 0; row < window.h; row++)
            draw_row(m, window, row, m->brush[omp_get_thread_num()]);
    }
    drop_brushes(m);
    if (err == SG_OK)
        err = sg_scene_write(m->image, window, m->pixels);
    if (err == SG_OK && m->labels != NULL)
        err = sg_scene_write(m->labels, window, m->class_f32);
    if (err == SG_OK && m->vector != NULL)
        err = sg_polygons_add(m->vector, window, m->class);
    return err;
}

enum { PIECE = 4096 }; /* pixels: a multiple of every block */

static sg_err make_all(maker *m)
{
    int64_t rows = m->wish.block > 0 ? m->wish.block : 64;
    /* Strips are whole rows; a window that is not would be read back for its other part. */
    m->piece = m->wish.block > 0 ? PIECE / rows * rows : m->width;
    m->piece = sg_min64(m->width, m->piece);
    size_t pixels = 0;
    sg_err err = sg_size_mul((size_t)rows, (size_t)m->piece, &pixels);
    if (err == SG_OK)
        err = sg_malloc(pixels, (size_t)m->wish.bands * sizeof(float), &m->pixels);
    if (err == SG_OK)
        err = sg_malloc(pixels, 1, &m->class);
    if (err == SG_OK)
        err = sg_malloc(pixels, sizeof(float), &m->class_f32);
    if (err == SG_OK)
        err = sg_calloc((size_t)m->brushes, sizeof(m->brush[0]), &m->brush);
    for (int64_t y = 0; err == SG_OK && y < m->height; y += rows) {
        for (int64_t x = 0; err == SG_OK && x < m->width; x += m->piece)
            err = make_window(m, (sg_window){x, y, sg_min64(m->piece, m->width - x),
                                             sg_min64(rows, m->height - y)});
    }
    return err;
}

static sg_err commit_files(maker *m)
{
    sg_err err = sg_scene_commit(m->image);
    m->image = NULL;
    if (err == SG_OK && m->labels != NULL) {
        err = sg_scene_commit(m->labels);
        m->labels = NULL;
    }
    if (err == SG_OK && m->vector != NULL) {
        err = sg_polygons_commit(m->vector);
        m->vector = NULL;
    }
    return err;
}

static void close_maker(maker *m)
{
    sg_scene_close(m->image);
    sg_scene_close(m->labels);
    sg_polygons_close(m->vector);
    sg_free(m->pixels);
    sg_free(m->class);
    sg_free(m->class_f32);
    sg_free(m->brush);
    landscape_close(&m->land);
}

int main(int argc, char **argv)
{
    bool help = false;
    maker m = {.wish = {.crs = "EPSG:32632",
                        .type = "UInt16",
                        .compress = "NONE",
                        .bands = 4,
                        .classes = 6,
                        .block = 256,
                        .seed = 1,
                        .gsd = 10},
               .brushes = omp_get_max_threads()};
    sg_err err = parse_arguments(argc, argv, &m.wish, &help);
    if (err == SG_OK && help)
        return 0;
    sg_gdal_start((size_t)64 << 20);
    if (err == SG_OK)
        err = parse_sizes(&m);
    if (err == SG_OK)
        err = landscape_create(&m.land, (uint64_t)m.wish.seed, (uint64_t)m.wish.nature,
                               m.wish.bands, m.wish.classes);
    if (err == SG_OK)
        err = landscape_classes(m.wish.classes, &m.classes);
    if (err == SG_OK) {
        place(&m);
        choose_scale(&m);
        err = create_files(&m);
    }
    if (err == SG_OK)
        err = make_all(&m);
    if (err == SG_OK)
        err = commit_files(&m);
    close_maker(&m);
    if (err != SG_OK)
        fprintf(stderr, "make_scene: %s\n", sg_error_text());
    return sg_exit_status(err);
}
