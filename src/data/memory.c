#include "data/memory.h"

#include <cpl_conv.h>
#include <cpl_string.h>
#include <cpl_vsi.h>
#include <gdal.h>
#include <stdio.h>
#include <string.h>
#include "base/file.h"
#include "data/mosaic_private.h"

sg_err sg_memory_each(const char *folder, sg_memory_fn each, void *user)
{
    char **names = VSIReadDirRecursive(folder);
    sg_err err = SG_OK;
    for (int i = 0; err == SG_OK && names && names[i]; i++) {
        char path[SG_PATH_MAX];
        GByte *text = NULL;
        size_t length = strlen(names[i]);
        if (length == 0 || names[i][length - 1] == '/')
            continue;
        err = sg_path_format(path, "%s/%s", folder, names[i]);
        if (err == SG_OK && !VSIIngestFile(NULL, path, &text, NULL, -1))
            err = sg_fail(SG_EINTERNAL, "%s: cannot be read", path);
        if (err == SG_OK)
            err = each(user, path, (const char *)text);
        CPLFree(text);
    }
    CSLDestroy(names);
    return err;
}

sg_err sg_memory_put(const char *path, const char *text)
{
    size_t bytes = strlen(text);
    VSILFILE *file = VSIFOpenL(path, "wb");
    bool whole = file && VSIFWriteL(text, 1, bytes, file) == bytes;
    if (file)
        whole &= VSIFCloseL(file) == 0;
    return whole ? SG_OK : sg_fail(SG_ENOMEM, "%s: no memory to keep it in", path);
}

void sg_memory_forget(const char *folder)
{
    VSIRmdirRecursive(folder);
}

sg_err sg_memory_sources(const char *path, sg_memory_fn each, void *user)
{
    GByte *text = NULL;
    char **files = NULL, **members = NULL;
    sg_err err = SG_OK;
    if (strncmp(path, "/vsimem/", 8) != 0)
        return each(user, path, NULL);
    GDALDatasetH dataset = GDALOpen(path, GA_ReadOnly);
    if (!dataset || !VSIIngestFile(NULL, path, &text, NULL, -1))
        err = sg_fail(SG_EINTERNAL, "%s: cannot be read", path);
    else
        err = each(user, path, (const char *)text);
    if (dataset) {
        files = GDALGetFileList(dataset);
        members = CSLDuplicate(GDALGetMetadata(dataset, SG_MOSAIC_DOMAIN));
        GDALClose(dataset);
    }
    for (int i = 0; err == SG_OK && files && files[i]; i++)
        if (strcmp(files[i], path) != 0)
            err = sg_memory_sources(files[i], each, user);
    for (int i = 0; err == SG_OK && members && members[i]; i++) {
        int at = 0;
        if (sscanf(members[i], "%*[^=]=%*d %*d %*d %*d %n", &at) == 0 && at > 0)
            err = sg_memory_sources(members[i] + at, each, user);
    }
    CSLDestroy(files);
    CSLDestroy(members);
    CPLFree(text);
    return err;
}
