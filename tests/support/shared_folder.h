/* A temporary folder that all ranks of a cmocka test know. */
#ifndef TESTS_SUPPORT_SHARED_FOLDER_H
#define TESTS_SUPPORT_SHARED_FOLDER_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include "comm/comm.h"
#include "support/mpi_tests.h"

enum { SHARED_FOLDER_BYTES = 256 };

/* [collective] */
static inline void shared_folder(sg_comm *comm, char path[SHARED_FOLDER_BYTES])
{
    const char *base = getenv("TMPDIR");
    snprintf(path, SHARED_FOLDER_BYTES, "%s/segtiles_mpi_XXXXXX", base ? base : "/tmp");
    if (sg_comm_rank(comm) == 0)
        assert_non_null(mkdtemp(path));
    sg_comm_broadcast(comm, path, SHARED_FOLDER_BYTES, 0);
}

/* Files and folders in it, but hidden ones. */
static inline int entries(const char *folder)
{
    int count = 0;
    DIR *listing = opendir(folder);
    assert_non_null(listing);
    for (struct dirent *item; (item = readdir(listing));)
        count += item->d_name[0] != '.';
    closedir(listing);
    return count;
}

#endif
