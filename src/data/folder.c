#include "data/folder.h"

#include <cpl_conv.h>
#include <cpl_error.h>
#include <cpl_string.h>
#include <dirent.h>
#include <errno.h>
#include <gdal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "base/file.h"
#include "base/size.h"

bool sg_folder_is_raster(const char *folder)
{
    GDALDriverH driver = GDALIdentifyDriverEx(folder, GDAL_OF_RASTER, NULL, NULL);
    return driver != NULL;
}

/* Is it an extension of a raster format that stands in a file? */
static bool is_known(const char *extension)
{
    bool known = false;
    for (int i = 0; !known && i < GDALGetDriverCount(); i++) {
        GDALDriverH driver = GDALGetDriver(i);
        if (!GDALGetMetadataItem(driver, GDAL_DCAP_RASTER, NULL))
            continue;
        const char *words = GDALGetMetadataItem(driver, GDAL_DMD_EXTENSIONS, NULL);
        char **list = CSLTokenizeString2(words ? words : "", " ", 0);
        known = CSLFindString(list, extension) >= 0;
        CSLDestroy(list);
    }
    return known;
}

static bool is_file(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

/* A damaged file of a format that holds nothing but rasters is a scene, of which the caller will
 * hear that it is damaged. */
static bool is_scene(const char *path)
{
    if (!is_file(path) || !is_known(CPLGetExtension(path)))
        return false;
    GDALDriverH driver = GDALIdentifyDriverEx(path, GDAL_OF_RASTER, NULL, NULL);
    if (!driver)
        return false;
    GDALDatasetH dataset = GDALOpenEx(path, GDAL_OF_RASTER | GDAL_OF_READONLY, NULL, NULL, NULL);
    if (!dataset)
        return !GDALGetMetadataItem(driver, GDAL_DCAP_VECTOR, NULL);
    bool scene =
        GDALGetRasterCount(dataset) > 0 && !GDALGetMetadataItem(dataset, "SEGTILES_VERSION", NULL);
    GDALClose(dataset);
    return scene;
}

/* By bytes, whatever the locale. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

sg_err sg_folder_each_raster(const char *folder, sg_folder_fn each, void *user)
{
    struct dirent **entry = NULL;
    int count = scandir(folder, &entry, NULL, by_name), scenes = 0;
    sg_err err = SG_OK;
    if (count < 0)
        return sg_fail(SG_EINPUT, "%s: cannot be read: %s", folder, strerror(errno));
    size_t length = strlen(folder);
    const char *slash = length > 0 && folder[length - 1] == '/' ? "" : "/";
    for (int i = 0; i < count; i++) {
        char path[SG_PATH_MAX];
        if (err == SG_OK)
            err = sg_path_format(path, "%s%s%s", folder, slash, entry[i]->d_name);
        if (err == SG_OK && is_scene(path)) {
            err = each(user, path);
            scenes++;
        }
        free(entry[i]);
    }
    free(entry);
    if (err == SG_OK && scenes == 0)
        err = sg_fail(SG_EINPUT, "%s: no file in this folder is a raster that could be mapped",
                      folder);
    return err;
}
