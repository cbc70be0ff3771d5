/* The options that say which pixels are mapped: rows for the table, and what they come to. [local]
 */
#ifndef SG_JOBS_PREDICT_WHERE_H
#define SG_JOBS_PREDICT_WHERE_H

#include "jobs/options.h"
#include "jobs/predict_mosaic.h"

/* As they were typed. */
typedef struct {
    sg_option_reals te, projwin, srcwin, pixel;
    const char *assets; /* of STAC items */
    sg_option_list stack;
    sg_mosaic_options mosaic;
} sg_where_words;

/* Before parsing: how many numbers there are of each. */
#define SG_WHERE_WORDS                                                                             \
    {                                                                                              \
        .te.wanted = 4, .projwin.wanted = 4, .srcwin.wanted = 4, .pixel.wanted = 2                 \
    }

/* After parsing: into area, and into the words' mosaic. SG_EUSAGE: they contradict each other, or
 * make no sense. */
sg_err sg_where_choose(sg_where_words *words, sg_area_options *area);

#define SG_WHERE_REALS(word, numbers, names, text)                                                 \
    {                                                                                              \
        .name = word, .kind = SG_OPTION_REALS, .target = &(numbers), .value = names, .help = text  \
    }
#define SG_WHERE_TEXT(word, place, names, text)                                                    \
    {                                                                                              \
        .name = word, .kind = SG_OPTION_TEXT, .target = &(place), .value = names, .help = text     \
    }

#define SG_WHERE_OPTION_ROWS(words, area)                                                          \
    SG_WHERE_REALS("te", (words)->te, "XMIN YMIN XMAX YMAX",                                       \
                   "only this part of a scene, in its CRS, to whole pixels outwards"),             \
        SG_WHERE_REALS("projwin", (words)->projwin, "ULX ULY LRX LRY", "the same by two corners"), \
        SG_WHERE_REALS("srcwin", (words)->srcwin, "X Y WIDTH HEIGHT",                              \
                       "the same in pixels of the mask of the whole scene"),                       \
        SG_WHERE_TEXT("cutline", (area)->cutline, "FILE",                                          \
                      "only pixels whose centre is inside the polygons of this vector file"),      \
        SG_WHERE_TEXT("cutline-layer", (area)->layer, "NAME", "its layer (else the first)"),       \
        SG_WHERE_TEXT("asset", (words)->assets, "NAME,...",                                        \
                      "assets of STAC items that are the scene, or its bands in this order"),      \
        {.name = "stack",                                                                          \
         .kind = SG_OPTION_LIST,                                                                   \
         .target = &(words)->stack,                                                                \
         .value = "FILE",                                                                          \
         .help = "the raster that the model reads behind a scene's own, {stem} standing for the "  \
                 "scene's name; repeatable (else as the model's data.stack says)"},                \
        SG_WHERE_TEXT("mosaic", (words)->mosaic.mask, "FILE",                                      \
                      "one mask of all scenes; where they overlap, the first one with data "       \
                      "counts"),                                                                   \
        SG_WHERE_TEXT("t_srs", (words)->mosaic.grid.crs, "CRS",                                    \
                      "of the mosaic, as EPSG:32632 (else the first scene's)"),                    \
        SG_WHERE_REALS("tr", (words)->pixel, "XRES YRES",                                          \
                       "size of the mosaic's pixels (else the first scene's); its extent is -te")

/* For the end of the help. */
#define SG_WHERE_HELP                                                                              \
    "A SCENE is a raster; a folder, whose rasters are mapped; @FILE, a text with one SCENE a "     \
    "line, relative to it; or a STAC item, ItemCollection or collection (.json). All are looked "  \
    "at before the first is mapped.\n\n"                                                           \
    "A mosaic is put together before the network sees it, so there are no seams between its "      \
    "scenes but those that their light and season make. -te is its extent; -projwin and -srcwin "  \
    "map a part of it.\n"

#endif
