/*
 * Failures that GDAL passes over. It opens a file of which it cannot read everything: a tag of a
 * TIFF that met an I/O error is left out with a warning, and with it the georeferencing, nodata or
 * a mask. Pixels would then be taken for what they are not, so such a file is refused.
 */
#include "data/raster_private.h"

#include <cpl_error.h>
#include <stdio.h>
#include <string.h>

static void CPL_STDCALL note_failed_read(CPLErr kind, CPLErrorNum number, const char *message)
{
    static const char *const sign[] = {"IO error",   "I/O error",      "an not read",
                                       "annot read", "Failed to read", "Read error"};
    sg_gdal_watch *watch = CPLGetErrorHandlerUserData();
    (void)kind, (void)number;
    for (size_t i = 0; watch->text[0] == '\0' && i < sizeof(sign) / sizeof(sign[0]); i++)
        if (strstr(message, sign[i]))
            snprintf(watch->text, sizeof(watch->text), "%s", message);
}

void sg_gdal_watch_start(sg_gdal_watch *watch)
{
    watch->text[0] = '\0';
    CPLPushErrorHandlerEx(note_failed_read, watch);
}

sg_err sg_gdal_watch_end(const sg_gdal_watch *watch, sg_err err, const char *path)
{
    CPLPopErrorHandler();
    if (watch->text[0] == '\0')
        return err;
    return sg_fail(SG_EINPUT, "%s: cannot be read whole, it may be damaged or truncated: %s", path,
                   watch->text);
}

bool sg_gdal_succeeded(CPLErr status)
{
    return status == CE_None && CPLGetLastErrorType() < CE_Failure;
}
