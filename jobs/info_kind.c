#include "jobs/info.h"

#include "data/store.h"

#include <stdio.h>
#include <string.h>

/* HDF5 files begin with these bytes. Scenes can be HDF5 files too: a checkpoint holds a network,
 * and one that is damaged is said to be so by its own reader. */
bool sg_is_checkpoint(const char *path)
{
    static const unsigned char signature[8] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
    unsigned char bytes[8] = {0};
    sg_store_file *store = NULL;
    FILE *file = fopen(path, "rb");
    bool hdf5 = file != NULL && fread(bytes, 1, 8, file) == 8 && memcmp(bytes, signature, 8) == 0;
    if (file != NULL)
        fclose(file);
    if (!hdf5)
        return false;
    bool answer = sg_store_open(&store, path) != SG_OK || sg_store_has(store, "graph");
    sg_store_close(store);
    return answer;
}
