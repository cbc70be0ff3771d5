/* Items of an HDF5 file: reading. The file is not trusted: whatever does not fit is an error. */
#include "data/store_private.h"

#include <sys/stat.h>

#include "base/size.h"
#include "data/compress.h"

static const char *type_text(sg_store_type type)
{
    static const char *const text[] = {"f32", "f64", "i64", "u8"};
    return text[type];
}

static sg_err open_set(sg_store_file *store, const char *name, hid_t *set)
{
    *set = H5I_INVALID_HID;
    if (!sg_store_finds(store, name))
        return sg_store_damaged(store, name, "is missing");
    *set = H5Dopen2(store->file, name, H5P_DEFAULT);
    return *set < 0 ? sg_store_damaged(store, name, "cannot be opened") : SG_OK;
}

/* The dataset's lengths, 1 where unused. */
static sg_err set_shape(const sg_store_file *store, const char *name, hid_t set,
                        int64_t dim[SG_STORE_DIMS])
{
    hsize_t extent[H5S_MAX_RANK];
    hid_t space = H5Dget_space(set);
    int dims = space < 0 ? -1 : H5Sget_simple_extent_ndims(space);
    int ok = dims >= 0 && dims <= SG_STORE_DIMS && H5Sget_simple_extent_type(space) != H5S_NULL &&
             H5Sget_simple_extent_dims(space, extent, NULL) >= 0;
    if (space >= 0)
        H5Sclose(space);
    if (!ok)
        return sg_store_damaged(store, name, "has no usable shape");
    for (int i = 0; i < SG_STORE_DIMS; i++) {
        if (i < dims && (extent[i] == 0 || extent[i] > INT64_MAX))
            return sg_store_damaged(store, name, "has no usable shape");
        dim[i] = i < dims ? (int64_t)extent[i] : 1;
    }
    return SG_OK;
}

sg_err sg_store_shape(sg_store_file *store, const char *name, int64_t dim[4])
{
    hid_t set;
    sg_err err;
    sg_hdf5_lock();
    err = open_set(store, name, &set);
    if (!err) {
        err = set_shape(store, name, set, dim);
        H5Dclose(set);
    }
    sg_hdf5_unlock();
    return err;
}

static sg_err check_crc(const sg_store_file *store, const char *name, hid_t set, uint32_t crc)
{
    uint32_t stored = 0;
    hid_t attribute = H5Aopen(set, "crc32", H5P_DEFAULT);
    hid_t space = attribute < 0 ? attribute : H5Aget_space(attribute);
    int ok = space >= 0 && H5Sget_simple_extent_npoints(space) == 1 &&
             H5Aread(attribute, H5T_NATIVE_UINT32, &stored) >= 0;
    if (space >= 0)
        H5Sclose(space);
    if (attribute >= 0)
        H5Aclose(attribute);
    if (!ok)
        return sg_store_damaged(store, name, "has no checksum");
    return stored == crc ? SG_OK : sg_store_damaged(store, name, "fails its checksum");
}

static sg_err read_checked(const sg_store_file *store, const char *name, hid_t set, hid_t type,
                           size_t bytes, void *values)
{
    if (H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0)
        return sg_store_damaged(store, name, "cannot be read");
    return check_crc(store, name, set, sg_crc32(0, values, bytes));
}

/* The stored type must be exactly ours: then reading converts nothing and fits the buffer. */
static int has_type(hid_t set, hid_t type)
{
    hid_t stored = H5Dget_type(set);
    int same = stored >= 0 && H5Tequal(stored, type) > 0;
    if (stored >= 0)
        H5Tclose(stored);
    return same;
}

static sg_err get(sg_store_file *store, const char *name, sg_store_type type, size_t count,
                  void *values)
{
    int64_t dim[SG_STORE_DIMS];
    size_t found = 1;
    hid_t set;
    sg_err err = open_set(store, name, &set);
    if (err)
        return err;
    err = set_shape(store, name, set, dim);
    for (int i = 0; !err && i < SG_STORE_DIMS; i++)
        err = sg_size_mul(found, (size_t)dim[i], &found);
    if (!err && (found != count || !has_type(set, sg_store_file_type(type))))
        err = sg_fail(SG_EINPUT, "%s: item '%s' is not %zu values of type %s", store->path, name,
                      count, type_text(type));
    if (!err)
        err = read_checked(store, name, set, sg_store_file_type(type),
                           count * sg_store_type_size(type), values);
    H5Dclose(set);
    return err;
}

sg_err sg_store_get(sg_store_file *store, const char *name, sg_store_type type, size_t count,
                    void *values)
{
    sg_err err;
    sg_hdf5_lock();
    err = get(store, name, type, count, values);
    sg_hdf5_unlock();
    return err;
}

/* Bytes of a text dataset with its zero; never more than the file has. */
static sg_err text_bytes(const sg_store_file *store, const char *name, hid_t set, size_t *bytes)
{
    struct stat info;
    hid_t stored = H5Dget_type(set);
    size_t size = stored < 0 ? 0 : H5Tget_size(stored);
    hid_t wanted = sg_store_text_type(size > 0 ? size : 1);
    int ok = size > 0 && stored >= 0 && H5Tequal(stored, wanted) > 0;
    H5Tclose(wanted);
    if (stored >= 0)
        H5Tclose(stored);
    if (!ok || stat(store->path, &info) != 0 || size > (size_t)info.st_size)
        return sg_store_damaged(store, name, "is not a text");
    *bytes = size;
    return SG_OK;
}

static sg_err get_text(sg_store_file *store, const char *name, char **text)
{
    int64_t dim[SG_STORE_DIMS];
    size_t bytes = 0;
    hid_t set, type;
    sg_err err = open_set(store, name, &set);
    *text = NULL;
    if (err)
        return err;
    err = set_shape(store, name, set, dim);
    if (!err && (dim[0] != 1 || dim[1] != 1 || dim[2] != 1 || dim[3] != 1))
        err = sg_store_damaged(store, name, "is not a text");
    if (!err)
        err = text_bytes(store, name, set, &bytes);
    if (!err)
        err = sg_malloc(bytes, 1, text);
    if (!err) {
        type = sg_store_text_type(bytes);
        err = read_checked(store, name, set, type, bytes, *text);
        H5Tclose(type);
        if (!err && (*text)[bytes - 1] != '\0')
            err = sg_store_damaged(store, name, "does not end");
    }
    H5Dclose(set);
    if (err) {
        sg_free(*text);
        *text = NULL;
    }
    return err;
}

sg_err sg_store_get_text(sg_store_file *store, const char *name, char **text)
{
    sg_err err;
    sg_hdf5_lock();
    err = get_text(store, name, text);
    sg_hdf5_unlock();
    return err;
}

sg_err sg_store_get_i64(sg_store_file *store, const char *name, int64_t *value)
{
    return sg_store_get(store, name, SG_STORE_I64, 1, value);
}

sg_err sg_store_get_f64(sg_store_file *store, const char *name, double *value)
{
    return sg_store_get(store, name, SG_STORE_F64, 1, value);
}
