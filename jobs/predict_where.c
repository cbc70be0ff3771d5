#include "jobs/predict_where.h"

#include <math.h>
#include <string.h>

/* At most one of the three. */
static sg_err choose_part(const sg_where_words *words, sg_part_wish *wish)
{
    const sg_option_reals *given[] = {&words->te, &words->projwin, &words->srcwin};
    static const sg_part_kind kind[] = {SG_PART_TE, SG_PART_PROJWIN, SG_PART_SRCWIN};
    for (int i = 0; i < 3; i++) {
        if (given[i]->count == 0)
            continue;
        if (wish->kind != SG_PART_WHOLE)
            return sg_fail(SG_EUSAGE, "-te, -projwin and -srcwin exclude each other");
        wish->kind = kind[i];
        memcpy(wish->value, given[i]->value, sizeof wish->value);
    }
    return sg_part_check(wish);
}

/* -te, -tr and -t_srs say where a mosaic lies. */
static sg_err choose_grid(sg_where_words *words, sg_part_wish *part)
{
    sg_mosaic_wish *grid = &words->mosaic.grid;
    if (!words->mosaic.mask && (grid->crs || words->pixel.count > 0))
        return sg_fail(SG_EUSAGE, "-t_srs and -tr are those of a mosaic: there is no --mosaic");
    if (!words->mosaic.mask)
        return SG_OK;
    if (words->pixel.count > 0)
        memcpy(grid->pixel, words->pixel.value, sizeof grid->pixel);
    for (int i = 0; i < words->pixel.count; i++)
        if (!(grid->pixel[i] > 0 && isfinite(grid->pixel[i])))
            return sg_fail(SG_EUSAGE, "-tr %g %g: sizes of pixels are larger than 0, and finite",
                           grid->pixel[0], grid->pixel[1]);
    if (part->kind != SG_PART_TE)
        return SG_OK;
    grid->has_extent = 1;
    memcpy(grid->extent, part->value, sizeof grid->extent);
    part->kind = SG_PART_WHOLE;
    return SG_OK;
}

sg_err sg_where_choose(sg_where_words *words, sg_area_options *area)
{
    if (area->layer && !area->cutline)
        return sg_fail(SG_EUSAGE, "--cutline-layer %s: there is no --cutline", area->layer);
    sg_err err = choose_part(words, &area->part);
    return err == SG_OK ? choose_grid(words, &area->part) : err;
}
