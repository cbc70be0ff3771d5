/*
 * A folder of its own for a group of cmocka tests: tempdir_make and tempdir_remove are the group's
 * setup and teardown; the tests get the folder's path as their state.
 */
#ifndef TESTS_SUPPORT_TEMPDIR_H
#define TESTS_SUPPORT_TEMPDIR_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TEMPDIR_PATH = 512 };

static inline int tempdir_make(void **state)
{
    const char *base = getenv("TMPDIR");
    char path[TEMPDIR_PATH];
    snprintf(path, sizeof(path), "%s/segtiles_test_XXXXXX", base ? base : "/tmp");
    *state = mkdtemp(path) ? strdup(path) : NULL;
    return *state ? 0 : 1;
}

static inline int tempdir_remove_one(const char *path, const struct stat *status, int type,
                                     struct FTW *where)
{
    (void)status, (void)type, (void)where;
    return remove(path);
}

static inline int tempdir_remove(void **state)
{
    int status = nftw(*state, tempdir_remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(*state);
    return status;
}

/* "FOLDER/NAME" into path. */
static inline const char *tempdir_path(void **state, const char *name, char path[TEMPDIR_PATH])
{
    snprintf(path, TEMPDIR_PATH, "%s/%s", (const char *)*state, name);
    return path;
}

#endif
