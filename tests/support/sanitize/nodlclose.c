/*
 * Preloaded under sanitizers: plugins of Open MPI and GDAL stay loaded until the end, so that the
 * leak checker can name what they leave behind and lsan.supp can tell it from our own leaks.
 */
int dlclose(void *handle);

int dlclose(void *handle)
{
    return handle ? 0 : -1;
}
