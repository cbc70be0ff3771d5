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
#include <string.h>

#include "base/size.h"
#include "data/store_drop.h"

hid_t sg_store_file_type(sg_store_type type)
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

size_t sg_store_type_size(sg_store_type type)
{
    static const size_t size[] = {4, 8, 8, 1};
    return size[type];
}

hid_t sg_store_text_type(size_t bytes)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, bytes);
    H5Tset_cset(type, H5T_CSET_UTF8);
    H5Tset_strpad(type, H5T_STR_NULLTERM);
    return type;
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
    char part[SG_STORE_NAME];
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
