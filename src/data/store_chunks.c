#include "data/store_chunks.h"

#include <stdio.h>
#include <string.h>

#include "base/size.h"
#include "data/store_private.h"

struct sg_chunks {
    sg_store_file *store; /* borrowed */
    hid_t set;
    int32_t dims;
    char name[64];
};

size_t sg_chunks_type_size(sg_chunks_type type)
{
    static const size_t size[] = {1, 2, 2, 4};
    return size[type];
}

const char *sg_chunks_type_name(sg_chunks_type type)
{
    static const char *const name[] = {"Byte", "UInt16", "Int16", "Float32"};
    return name[type];
}

static hid_t element_type(sg_chunks_type type)
{
    switch (type) {
    case SG_CHUNKS_U8:
        return H5T_STD_U8LE;
    case SG_CHUNKS_U16:
        return H5T_STD_U16LE;
    case SG_CHUNKS_I16:
        return H5T_STD_I16LE;
    case SG_CHUNKS_F32:
        return H5T_IEEE_F32LE;
    case SG_CHUNKS_TYPES:
        break;
    }
    return H5I_INVALID_HID;
}

static sg_err chunks_new(sg_chunks **chunks, sg_store_file *store, const char *name, int32_t dims)
{
    sg_err err = sg_calloc(1, sizeof **chunks, chunks);
    if (err)
        return err;
    SG_ASSERT(strlen(name) < sizeof(*chunks)->name && dims >= 2 && dims <= 4);
    (*chunks)->store = store;
    (*chunks)->set = H5I_INVALID_HID;
    (*chunks)->dims = dims;
    snprintf((*chunks)->name, sizeof(*chunks)->name, "%s", name);
    return SG_OK;
}

static hid_t space_of(const sg_chunks_shape *shape)
{
    hsize_t extent[4];
    for (int32_t i = 0; i < shape->dims; i++)
        extent[i] = (hsize_t)shape->dim[i];
    return H5Screate_simple(shape->dims, extent, NULL);
}

/* Chunks of one slice; space only where one is put; no times, so that equal content makes equal
 * bytes. */
static hid_t creation_list(const sg_chunks_shape *shape)
{
    hid_t made = H5Pcreate(H5P_DATASET_CREATE);
    hsize_t chunk[4] = {1};
    for (int32_t i = 1; i < shape->dims; i++)
        chunk[i] = (hsize_t)shape->dim[i];
    H5Pset_obj_track_times(made, false);
    H5Pset_chunk(made, shape->dims, chunk);
    H5Pset_fill_value(made, H5T_NATIVE_INT32, &shape->fill);
    if (sg_chunks_type_size(shape->type) > 1)
        H5Pset_shuffle(made);
    H5Pset_deflate(made, (unsigned)shape->deflate);
    return made;
}

sg_err sg_chunks_create(sg_chunks **out, sg_store_file *store, const char *name,
                        const sg_chunks_shape *shape)
{
    sg_chunks *chunks = NULL;
    sg_err err = chunks_new(&chunks, store, name, shape->dims);
    if (err)
        return err;
    sg_hdf5_lock();
    err = sg_store_make_groups(store, name);
    if (!err) {
        hid_t made = creation_list(shape), space = space_of(shape);
        chunks->set = H5Dcreate2(store->file, name, element_type(shape->type), space, H5P_DEFAULT,
                                 made, H5P_DEFAULT);
        H5Sclose(space);
        H5Pclose(made);
        err = chunks->set < 0 ? sg_store_not_written(store, name) : SG_OK;
    }
    sg_hdf5_unlock();
    if (err) {
        sg_chunks_close(chunks);
        return err;
    }
    *out = chunks;
    return SG_OK;
}

sg_err sg_chunks_put(sg_chunks *chunks, int64_t index, const void *packed, size_t bytes)
{
    const hsize_t offset[4] = {(hsize_t)index};
    herr_t status;
    sg_hdf5_lock();
    status = H5Dwrite_chunk(chunks->set, H5P_DEFAULT, 0, offset, bytes, packed);
    sg_hdf5_unlock();
    return status < 0 ? sg_store_not_written(chunks->store, chunks->name) : SG_OK;
}

/* With the lock. */
static sg_err check_set(const sg_chunks *chunks, const sg_chunks_shape *shape)
{
    hsize_t extent[H5S_MAX_RANK], chunk[H5S_MAX_RANK];
    hid_t type = H5Dget_type(chunks->set), space = H5Dget_space(chunks->set);
    hid_t made = H5Dget_create_plist(chunks->set);
    int ok =
        type >= 0 && space >= 0 && made >= 0 && H5Tequal(type, element_type(shape->type)) > 0 &&
        H5Sget_simple_extent_ndims(space) == shape->dims &&
        H5Sget_simple_extent_dims(space, extent, NULL) >= 0 && H5Pget_layout(made) == H5D_CHUNKED &&
        H5Pget_chunk(made, H5S_MAX_RANK, chunk) == shape->dims;
    for (int32_t i = 0; ok && i < shape->dims; i++)
        ok = extent[i] == (hsize_t)shape->dim[i] && chunk[i] == (i == 0 ? 1 : extent[i]);
    if (type >= 0)
        H5Tclose(type);
    if (space >= 0)
        H5Sclose(space);
    if (made >= 0)
        H5Pclose(made);
    return ok ? SG_OK : sg_store_damaged(chunks->store, chunks->name, "has another shape or type");
}

sg_err sg_chunks_open(sg_chunks **out, sg_store_file *store, const char *name,
                      const sg_chunks_shape *shape)
{
    sg_chunks *chunks = NULL;
    sg_err err = chunks_new(&chunks, store, name, shape->dims);
    if (err)
        return err;
    sg_hdf5_lock();
    if (sg_store_finds(store, name))
        chunks->set = H5Dopen2(store->file, name, H5P_DEFAULT);
    err = chunks->set < 0 ? sg_store_damaged(store, name, "is missing") : check_set(chunks, shape);
    sg_hdf5_unlock();
    if (err) {
        sg_chunks_close(chunks);
        return err;
    }
    *out = chunks;
    return SG_OK;
}

sg_err sg_chunks_get(sg_chunks *chunks, int64_t index, void *packed, size_t bytes)
{
    const hsize_t offset[4] = {(hsize_t)index};
    hsize_t stored = 0;
    uint32_t skipped = 0; /* filters that were left out of this chunk */
    int ok;
    sg_hdf5_lock();
    ok = H5Dget_chunk_storage_size(chunks->set, offset, &stored) >= 0 && stored == bytes &&
         H5Dread_chunk(chunks->set, H5P_DEFAULT, offset, &skipped, packed) >= 0 && skipped == 0;
    sg_hdf5_unlock();
    return ok ? SG_OK
              : sg_store_damaged(chunks->store, chunks->name, "has a chunk that cannot be read");
}

sg_err sg_chunks_close(sg_chunks *chunks)
{
    sg_err err = SG_OK;
    if (!chunks)
        return SG_OK;
    sg_hdf5_lock();
    if (chunks->set >= 0 && H5Dclose(chunks->set) < 0)
        err = sg_store_not_written(chunks->store, chunks->name);
    sg_hdf5_unlock();
    sg_free(chunks);
    return err;
}
