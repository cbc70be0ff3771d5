/* Items of an HDF5 file: writing. */
#include "data/store_private.h"

#include <stdbool.h>
#include <string.h>

#include "base/size.h"
#include "data/compress.h"

sg_err sg_store_make_groups(sg_store_file *store, const char *name)
{
    char part[SG_STORE_NAME];
    hid_t made = H5Pcreate(H5P_GROUP_CREATE);
    sg_err err = SG_OK;
    SG_ASSERT(strlen(name) < sizeof part);
    H5Pset_obj_track_times(made, false);
    for (const char *slash = strchr(name, '/'); !err && slash; slash = strchr(slash + 1, '/')) {
        size_t length = (size_t)(slash - name);
        memcpy(part, name, length);
        part[length] = '\0';
        if (H5Lexists(store->file, part, H5P_DEFAULT) > 0)
            continue;
        hid_t group = H5Gcreate2(store->file, part, H5P_DEFAULT, made, H5P_DEFAULT);
        if (group < 0 || H5Gclose(group) < 0)
            err = sg_store_not_written(store, part);
    }
    H5Pclose(made);
    return err;
}

static sg_err write_crc(const sg_store_file *store, const char *name, hid_t set, uint32_t crc)
{
    hid_t space = H5Screate(H5S_SCALAR);
    hid_t attribute = H5Acreate2(set, "crc32", H5T_STD_U32LE, space, H5P_DEFAULT, H5P_DEFAULT);
    int ok = attribute >= 0 && H5Awrite(attribute, H5T_NATIVE_UINT32, &crc) >= 0;
    if (attribute >= 0)
        H5Aclose(attribute);
    H5Sclose(space);
    return ok ? SG_OK : sg_store_not_written(store, name);
}

static hid_t make_set(sg_store_file *store, const char *name, hid_t type, hid_t space)
{
    hid_t made = H5Pcreate(H5P_DATASET_CREATE), set;
    H5Pset_obj_track_times(made, false);
    set = H5Dcreate2(store->file, name, type, space, H5P_DEFAULT, made, H5P_DEFAULT);
    H5Pclose(made);
    return set;
}

/* One dataset of `bytes` bytes; both type and space stay the caller's. */
static sg_err put(sg_store_file *store, const char *name, hid_t type, hid_t space,
                  const void *values, size_t bytes)
{
    hid_t set;
    sg_err err;
    SG_ASSERT(store->writing);
    err = sg_store_make_groups(store, name);
    if (err)
        return err;
    set = make_set(store, name, type, space);
    if (set < 0 || H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0)
        err = sg_store_not_written(store, name);
    else
        err = write_crc(store, name, set, sg_crc32(0, values, bytes));
    if (set >= 0 && H5Dclose(set) < 0 && !err)
        err = sg_store_not_written(store, name);
    return err;
}

sg_err sg_store_put(sg_store_file *store, const char *name, sg_store_type type, int32_t dims,
                    const int64_t *dim, const void *values)
{
    hsize_t extent[SG_STORE_DIMS];
    size_t bytes = sg_store_type_size(type);
    hid_t space;
    sg_err err;
    SG_ASSERT(dims >= 1 && dims <= SG_STORE_DIMS);
    for (int32_t i = 0; i < dims; i++) {
        SG_ASSERT(dim[i] > 0);
        extent[i] = (hsize_t)dim[i];
        err = sg_size_mul(bytes, (size_t)dim[i], &bytes);
        if (err)
            return err;
    }
    sg_hdf5_lock();
    space = H5Screate_simple(dims, extent, NULL);
    err = put(store, name, sg_store_file_type(type), space, values, bytes);
    H5Sclose(space);
    sg_hdf5_unlock();
    return err;
}

static sg_err put_scalar(sg_store_file *store, const char *name, hid_t type, const void *value,
                         size_t bytes)
{
    hid_t space = H5Screate(H5S_SCALAR);
    sg_err err = put(store, name, type, space, value, bytes);
    H5Sclose(space);
    return err;
}

sg_err sg_store_put_text(sg_store_file *store, const char *name, const char *text)
{
    size_t bytes = strlen(text) + 1;
    hid_t type;
    sg_err err;
    sg_hdf5_lock();
    type = sg_store_text_type(bytes);
    err = put_scalar(store, name, type, text, bytes);
    H5Tclose(type);
    sg_hdf5_unlock();
    return err;
}

static sg_err put_number(sg_store_file *store, const char *name, sg_store_type type,
                         const void *value)
{
    sg_err err;
    sg_hdf5_lock();
    err = put_scalar(store, name, sg_store_file_type(type), value, sg_store_type_size(type));
    sg_hdf5_unlock();
    return err;
}

sg_err sg_store_put_i64(sg_store_file *store, const char *name, int64_t value)
{
    return put_number(store, name, SG_STORE_I64, &value);
}

sg_err sg_store_put_f64(sg_store_file *store, const char *name, double value)
{
    return put_number(store, name, SG_STORE_F64, &value);
}
