/*
 * HDF5 files of named arrays and texts.
 *
 * The 1.8 file format is asked for because its metadata carry checksums of their own; the values
 * carry a CRC-32 in the attribute "crc32" of each dataset. Between them no flipped bit that
 * changes what is read goes unseen. Arrays are contiguous and without filters, in little-endian
 * types; object times are left out, so equal content makes equal bytes.
 */
#include "data/store_private.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/size.h"
#include "data/compress.h"
#include "data/store_drop.h"

enum { NAME_MAX_BYTES = 256, DIMS_MAX = 4 };

static hid_t file_type(sg_store_type type)
{
    switch (type) {
    case SG_STORE_F32:
        return H5T_IEEE_F32LE;
    case SG_STORE_F64:
        return H5T_IEEE_F64LE;
    case SG_STORE_I64:
        return H5T_STD_I64LE;
    case SG_STORE_U8:
        return H5T_STD_U8LE;
    }
    return H5I_INVALID_HID;
}

static size_t type_size(sg_store_type type)
{
    static const size_t size[] = {4, 8, 8, 1};
    return size[type];
}

static const char *type_text(sg_store_type type)
{
    static const char *const text[] = {"f32", "f64", "i64", "u8"};
    return text[type];
}

sg_err sg_store_damaged(const sg_store_file *store, const char *name, const char *what)
{
    return sg_fail(SG_EINPUT, "%s: item '%s' %s: the file is damaged or not of this program",
                   store->path, name, what);
}

sg_err sg_store_not_written(const sg_store_file *store, const char *name)
{
    return sg_fail(SG_EOUTPUT, "%s: cannot write '%s': is the disk full?", store->path, name);
}

/* Access to a file: checksummed metadata; no locks (a file under its final name never changes, and
 * some cluster file systems refuse them). */
static hid_t access_list(void)
{
    hid_t list;
    H5dont_atexit(); /* stores close what they open */
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    list = H5Pcreate(H5P_FILE_ACCESS);
    if (list >= 0) {
        H5Pset_libver_bounds(list, H5F_LIBVER_V18, H5F_LIBVER_V18);
        H5Pset_file_locking(list, false, true);
        H5Pset_fclose_degree(list, H5F_CLOSE_STRONG);
    }
    return list;
}

static sg_err store_new(sg_store_file **store, const char *path, int writing)
{
    sg_err err = sg_calloc(1, sizeof(**store), store);
    if (err)
        return err;
    (*store)->file = H5I_INVALID_HID;
    (*store)->writing = writing;
    err = sg_path_format((*store)->path, "%s", path);
    if (!err && writing)
        err = sg_file_temporary(path, (*store)->temporary);
    if (err) {
        sg_free(*store);
        *store = NULL;
    }
    return err;
}

sg_err sg_store_create(sg_store_file **store, const char *path)
{
    hid_t access, made;
    sg_err err = store_new(store, path, 1);
    if (err)
        return err;
    sg_hdf5_lock();
    access = access_list();
    made = H5Pcreate(H5P_FILE_CREATE);
    H5Pset_obj_track_times(made, false);
    (*store)->file = H5Fcreate((*store)->temporary, H5F_ACC_TRUNC, made, access);
    H5Pclose(made);
    H5Pclose(access);
    sg_hdf5_unlock();
    if ((*store)->file >= 0)
        return SG_OK;
    err = sg_fail(SG_EOUTPUT,
                  "%s: cannot create the file: does the folder exist, may it be written?", path);
    sg_store_close(*store); /* a file may have been begun */
    *store = NULL;
    return err;
}

void sg_store_close(sg_store_file *store)
{
    if (!store)
        return;
    sg_hdf5_lock();
    if (store->file >= 0 && store->writing)
        sg_store_drop(store->file);
    else if (store->file >= 0)
        H5Fclose(store->file);
    sg_hdf5_unlock();
    if (store->writing)
        sg_file_discard(store->temporary);
    sg_free(store);
}

sg_err sg_store_commit(sg_store_file *store)
{
    return sg_store_replace(store, NULL);
}

sg_err sg_store_replace(sg_store_file *store, const char *former)
{
    bool flushed, closed;
    sg_err err = SG_OK;
    sg_hdf5_lock();
    flushed = H5Fflush(store->file, H5F_SCOPE_GLOBAL) >= 0;
    closed = flushed && H5Fclose(store->file) >= 0;
    sg_hdf5_unlock();
    if (!flushed) { /* closing is dropping then */
        err = sg_fail(SG_EOUTPUT, "%s: cannot write the file: is the disk full?", store->path);
        sg_store_close(store);
        return err;
    }
    if (!closed)
        err = sg_fail(SG_EOUTPUT, "%s: cannot close the file: is the disk full?", store->path);
    store->file = H5I_INVALID_HID;
    if (!err)
        err = sg_file_replace(store->temporary, store->path, former);
    store->writing = err != SG_OK; /* then closing discards the temporary file */
    sg_store_close(store);
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

/* Groups on the way to name. HDF5 could make them by itself, but would put the time into them. */
sg_err sg_store_make_groups(sg_store_file *store, const char *name)
{
    char part[NAME_MAX_BYTES];
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
    hsize_t extent[DIMS_MAX];
    size_t bytes = type_size(type);
    hid_t space;
    sg_err err;
    SG_ASSERT(dims >= 1 && dims <= DIMS_MAX);
    for (int32_t i = 0; i < dims; i++) {
        SG_ASSERT(dim[i] > 0);
        extent[i] = (hsize_t)dim[i];
        err = sg_size_mul(bytes, (size_t)dim[i], &bytes);
        if (err)
            return err;
    }
    sg_hdf5_lock();
    space = H5Screate_simple(dims, extent, NULL);
    err = put(store, name, file_type(type), space, values, bytes);
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

/* A fixed-length UTF-8 string with its terminating zero. */
static hid_t text_type(size_t bytes)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, bytes);
    H5Tset_cset(type, H5T_CSET_UTF8);
    H5Tset_strpad(type, H5T_STR_NULLTERM);
    return type;
}

sg_err sg_store_put_text(sg_store_file *store, const char *name, const char *text)
{
    size_t bytes = strlen(text) + 1;
    hid_t type;
    sg_err err;
    sg_hdf5_lock();
    type = text_type(bytes);
    err = put_scalar(store, name, type, text, bytes);
    H5Tclose(type);
    sg_hdf5_unlock();
    return err;
}

sg_err sg_store_put_i64(sg_store_file *store, const char *name, int64_t value)
{
    sg_err err;
    sg_hdf5_lock();
    err = put_scalar(store, name, H5T_STD_I64LE, &value, sizeof value);
    sg_hdf5_unlock();
    return err;
}

sg_err sg_store_put_f64(sg_store_file *store, const char *name, double value)
{
    sg_err err;
    sg_hdf5_lock();
    err = put_scalar(store, name, H5T_IEEE_F64LE, &value, sizeof value);
    sg_hdf5_unlock();
    return err;
}

sg_err sg_store_open(sg_store_file **store, const char *path)
{
    hid_t access;
    sg_err err = store_new(store, path, 0);
    if (err)
        return err;
    sg_hdf5_lock();
    access = access_list();
    (*store)->file = H5Fopen(path, H5F_ACC_RDONLY, access);
    H5Pclose(access);
    sg_hdf5_unlock();
    if ((*store)->file >= 0)
        return SG_OK;
    if (sg_file_exists(path))
        err = sg_fail(SG_EINPUT, "%s: not an HDF5 file, truncated, or not readable", path);
    else
        err = sg_fail(SG_EINPUT, "%s: no such file", path);
    sg_free(*store);
    *store = NULL;
    return err;
}

/* H5Lexists wants every folder on the way asked for first. */
int sg_store_finds(sg_store_file *store, const char *name)
{
    char part[NAME_MAX_BYTES];
    size_t length = strlen(name);
    if (length >= sizeof part)
        return 0;
    for (size_t i = 1; i <= length; i++) {
        if (name[i] != '/' && name[i] != '\0')
            continue;
        memcpy(part, name, i);
        part[i] = '\0';
        if (H5Lexists(store->file, part, H5P_DEFAULT) <= 0)
            return 0;
    }
    return length > 0;
}

int sg_store_has(sg_store_file *store, const char *name)
{
    int found;
    sg_hdf5_lock();
    found = sg_store_finds(store, name);
    sg_hdf5_unlock();
    return found;
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
                        int64_t dim[DIMS_MAX])
{
    hsize_t extent[H5S_MAX_RANK];
    hid_t space = H5Dget_space(set);
    int dims = space < 0 ? -1 : H5Sget_simple_extent_ndims(space);
    int ok = dims >= 0 && dims <= DIMS_MAX && H5Sget_simple_extent_type(space) != H5S_NULL &&
             H5Sget_simple_extent_dims(space, extent, NULL) >= 0;
    if (space >= 0)
        H5Sclose(space);
    if (!ok)
        return sg_store_damaged(store, name, "has no usable shape");
    for (int i = 0; i < DIMS_MAX; i++) {
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
    int64_t dim[DIMS_MAX];
    size_t found = 1;
    hid_t set;
    sg_err err = open_set(store, name, &set);
    if (err)
        return err;
    err = set_shape(store, name, set, dim);
    for (int i = 0; !err && i < DIMS_MAX; i++)
        err = sg_size_mul(found, (size_t)dim[i], &found);
    if (!err && (found != count || !has_type(set, file_type(type))))
        err = sg_fail(SG_EINPUT, "%s: item '%s' is not %zu values of type %s", store->path, name,
                      count, type_text(type));
    if (!err)
        err = read_checked(store, name, set, file_type(type), count * type_size(type), values);
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
    hid_t wanted = text_type(size > 0 ? size : 1);
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
    int64_t dim[DIMS_MAX];
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
        type = text_type(bytes);
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
