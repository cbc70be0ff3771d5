#include "data/mosaic.h"

#include <cpl_conv.h>
#include <cpl_error.h>
#include <cpl_string.h>
#include <gdal_alg.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "base/log.h"
#include "base/size.h"
#include "data/mosaic_private.h"
#include "data/scene_private.h"
#include "data/warp_view.h"

static const double TOLERANCE = 1e-3; /* of a pixel */

/* One scene in the mosaic's CRS. */
typedef struct {
    double box[4];   /* xmin ymin xmax ymax */
    double pixel[2]; /* its own, or what is suggested */
    int own;         /* its pixels are north-up in this CRS */
} placing;

typedef struct {
    const char *path;
    const char *const *scene;
    size_t scenes;
    const sg_spec *spec;
    const sg_mosaic_wish *wish;
    OGRSpatialReferenceH crs; /* owned, or NULL: scenes have none */
    sg_view_grid grid;
    placing *place; /* [scenes], owned */
    int32_t bands;  /* that all have */
    GDALDataType type;
    char **members; /* owned; as metadata */
    int count;
} making;

static sg_err find_crs(making *m, const sg_raster *first)
{
    if (m->wish->crs)
        return sg_crs_parse(m->wish->crs, &m->crs);
    m->crs = first->georef->crs ? OSRClone(first->georef->crs) : NULL;
    return SG_OK;
}

/* Without CRS, coordinates are taken as they are; but all have to be alike. */
static sg_err check_crs(const making *m, const sg_raster *raster)
{
    if ((raster->georef->crs != NULL) == (m->crs != NULL))
        return SG_OK;
    return sg_fail(SG_EINPUT,
                   "%s: has %s CRS, the mosaic %s; give it one (gdal_edit.py -a_srs), or leave it "
                   "out",
                   raster->info.path, m->crs ? "no" : "a", m->crs ? "has one" : "has none");
}

/* Warped: as GDAL suggests. */
static sg_err suggest(const making *m, const sg_raster *raster, placing *p)
{
    double t[6], extent[4];
    sg_err err = sg_view_suggest(raster, m->crs, t, extent);
    if (err == SG_OK)
        *p = (placing){{extent[0], extent[1], extent[2], extent[3]}, {t[1], -t[5]}, 0};
    return err;
}

static sg_err place(const making *m, const sg_raster *raster, placing *p)
{
    const sg_raster_info *info = &raster->info;
    const double *t = info->geotransform;
    sg_georef target = {.crs = m->crs};
    sg_err err = check_crs(m, raster);
    if (err != SG_OK)
        return err;
    if (!info->has_geotransform && info->gcps == 0)
        return sg_fail(SG_EINPUT, "%s: has no geotransform, so it has no place in a mosaic",
                       info->path);
    if (!info->has_geotransform || !sg_is_north_up(t) ||
        !sg_georef_same_crs(&target, raster->georef))
        return suggest(m, raster, p);
    *p = (placing){
        {t[0], t[3] + (double)info->height * t[5], t[0] + (double)info->width * t[1], t[3]},
        {t[1], -t[5]},
        1};
    return SG_OK;
}

static sg_err look_at(making *m, size_t i, double origin[2])
{
    sg_raster *raster = NULL;
    sg_err err = sg_raster_open(&raster, m->scene[i], NULL, 0);
    if (err == SG_OK && i == 0)
        err = find_crs(m, raster);
    if (err == SG_OK)
        err = place(m, raster, &m->place[i]);
    if (err == SG_OK) {
        GDALDataType type = GDALGetRasterDataType(GDALGetRasterBand(raster->dataset, 1));
        m->type = i == 0 ? type : GDALDataTypeUnion(m->type, type);
        m->bands = i == 0 || raster->info.raw_bands < m->bands ? raster->info.raw_bands : m->bands;
    }
    if (err == SG_OK && i == 0) {
        origin[0] = raster->info.geotransform[0];
        origin[1] = raster->info.geotransform[3];
    }
    sg_raster_close(raster);
    return err;
}

static void unite(const making *m, double box[4])
{
    memcpy(box, m->place[0].box, 4 * sizeof *box);
    for (size_t i = 1; i < m->scenes; i++)
        for (int k = 0; k < 2; k++) {
            box[k] = fmin(box[k], m->place[i].box[k]);
            box[k + 2] = fmax(box[k + 2], m->place[i].box[k + 2]);
        }
}

/* Whole pixels around [low, high], counted from the origin. */
static sg_err lay_axis(double low, double high, double origin, double pixel, double *start,
                       int64_t *count)
{
    double first = floor((low - origin) / pixel + TOLERANCE);
    double end = ceil((high - origin) / pixel - TOLERANCE);
    if (!(end - first < INT32_MAX))
        return sg_fail(SG_EUSAGE, "the mosaic would be %g pixels long; give -te or larger -tr",
                       end - first);
    *start = origin + first * pixel;
    *count = sg_max64((int64_t)(end - first), 1);
    return SG_OK;
}

/* The first scene's pixels stay as they are, where they can. */
static sg_err lay_grid(making *m, const double first_origin[2])
{
    const sg_mosaic_wish *wish = m->wish;
    const placing *first = &m->place[0];
    double box[4], pixel[2], x = 0, y = 0;
    unite(m, box);
    if (wish->has_extent)
        memcpy(box, wish->extent, sizeof box);
    bool own = first->own;
    for (int k = 0; k < 2; k++) {
        pixel[k] = wish->pixel[k] > 0 ? wish->pixel[k] : first->pixel[k];
        own &= fabs(pixel[k] / first->pixel[k] - 1) < 1e-9;
    }
    double origin[2] = {own ? first_origin[0] : box[0], own ? first_origin[1] : box[3]};
    sg_view_grid *grid = &m->grid;
    sg_err err = lay_axis(box[0], box[2], origin[0], pixel[0], &x, &grid->width);
    if (err == SG_OK) /* rows run south */
        err = lay_axis(-box[3], -box[1], -origin[1], pixel[1], &y, &grid->height);
    if (err != SG_OK)
        return err;
    const double t[6] = {x, pixel[0], 0, -y, 0, -pixel[1]};
    memcpy(grid->geotransform, t, sizeof t);
    grid->crs = m->crs;
    return SG_OK;
}

/* Where a scene lies on the grid, grown by a pixel. */
static sg_window window_of(const making *m, const placing *p)
{
    const double *t = m->grid.geotransform;
    const double most = INT32_MAX;
    double x = floor((p->box[0] - t[0]) / t[1]) - 1, right = ceil((p->box[2] - t[0]) / t[1]) + 1;
    double y = floor((p->box[3] - t[3]) / t[5]) - 1, low = ceil((p->box[1] - t[3]) / t[5]) + 1;
    x = fmax(fmin(x, most), -most);
    y = fmax(fmin(y, most), -most);
    sg_window window = {(int64_t)x, (int64_t)y, (int64_t)(fmin(right, most) - x),
                        (int64_t)(fmin(low, most) - y)};
    return sg_window_intersect(window, (sg_window){0, 0, m->grid.width, m->grid.height});
}

static void add_member(making *m, sg_window w, const char *path)
{
    char name[32], value[SG_PATH_MAX + 96];
    snprintf(name, sizeof name, "MEMBER_%d", ++m->count);
    snprintf(value, sizeof value, "%lld %lld %lld %lld %s", (long long)w.x, (long long)w.y,
             (long long)w.w, (long long)w.h, path);
    m->members = CSLSetNameValue(m->members, name, value);
}

/* The scene itself, or its view on its part of the grid. */
static sg_err add_scene(making *m, size_t i)
{
    sg_raster *raster = NULL;
    char path[SG_PATH_MAX];
    sg_window window = window_of(m, &m->place[i]);
    if (sg_window_is_empty(window)) {
        sg_info("%s lies outside of the mosaic", m->scene[i]);
        return SG_OK;
    }
    sg_err err = sg_raster_open(&raster, m->scene[i], NULL, 0);
    int64_t x, y;
    if (err == SG_OK && sg_view_is_aligned(&m->grid, raster, &x, &y)) {
        window = (sg_window){x, y, raster->info.width, raster->info.height};
        add_member(m, window, m->scene[i]);
    } else if (err == SG_OK) {
        sg_view_grid part = m->grid;
        double *t = part.geotransform;
        t[0] += (double)window.x * t[1];
        t[3] += (double)window.y * t[5];
        part.width = window.w;
        part.height = window.h;
        err = sg_path_format(path, "%s.%zu.vrt", m->path, i + 1);
        if (err == SG_OK)
            err = sg_view_make(path, raster, &part, m->spec, NULL);
        if (err == SG_OK)
            add_member(m, window, path);
    }
    sg_raster_close(raster);
    return err;
}

static sg_err write_mosaic(const making *m)
{
    char text[512];
    CPLErrorReset();
    GDALDatasetH vrt = GDALCreate(GDALGetDriverByName("VRT"), m->path, (int)m->grid.width,
                                  (int)m->grid.height, m->bands, m->type, NULL);
    bool done = vrt && GDALSetGeoTransform(vrt, (double *)m->grid.geotransform) == CE_None &&
                GDALSetMetadata(vrt, m->members, SG_MOSAIC_DOMAIN) == CE_None;
    if (done && m->crs)
        done = GDALSetSpatialRef(vrt, m->crs) == CE_None;
    if (vrt)
        GDALClose(vrt);
    return done ? SG_OK
                : sg_fail(SG_EINTERNAL, "%s: the mosaic cannot be made: %s", m->path,
                          sg_gdal_message(text, sizeof text));
}

static sg_err make(making *m)
{
    double origin[2] = {0, 0};
    sg_err err = sg_calloc(m->scenes, sizeof *m->place, &m->place);
    for (size_t i = 0; err == SG_OK && i < m->scenes; i++)
        err = look_at(m, i, origin);
    if (err == SG_OK)
        err = lay_grid(m, origin);
    for (size_t i = 0; err == SG_OK && i < m->scenes; i++)
        err = add_scene(m, i);
    if (err == SG_OK && m->count == 0)
        err = sg_fail(SG_EUSAGE,
                      "-te %.12g %.12g %.12g %.12g lies outside of all %zu scenes; give it in the "
                      "mosaic's CRS",
                      m->wish->extent[0], m->wish->extent[1], m->wish->extent[2],
                      m->wish->extent[3], m->scenes);
    return err == SG_OK ? write_mosaic(m) : err;
}

sg_err sg_mosaic_make(const char *path, const char *const *scene, size_t scenes,
                      const sg_spec *spec, const sg_mosaic_wish *wish)
{
    making m = {.path = path, .scene = scene, .scenes = scenes, .spec = spec, .wish = wish};
    sg_err err = make(&m);
    if (m.crs)
        OSRDestroySpatialReference(m.crs);
    CSLDestroy(m.members);
    sg_free(m.place);
    return err;
}
