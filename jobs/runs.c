#include "jobs/runs.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char runs_folder[] = "runs";

/* The number of a folder called NAME-NUMBER, 0 for any other. */
static int64_t number_of(const char *entry, const char *name)
{
    size_t length = strlen(name);
    char *end = NULL;
    if (strncmp(entry, name, length) != 0 || entry[length] != '-')
        return 0;
    const char *digits = entry + length + 1;
    if (*digits < '1' || *digits > '9')
        return 0;
    int64_t number = strtoll(digits, &end, 10);
    return *end == '\0' ? number : 0;
}

sg_err sg_run_newest(const char *name, char *folder, int64_t *number)
{
    *number = 0;
    folder[0] = '\0';
    DIR *entries = opendir(runs_folder);
    if (entries == NULL && errno == ENOENT)
        return SG_OK;
    if (entries == NULL)
        return sg_fail(SG_EINPUT, "%s: %s", runs_folder, strerror(errno));
    for (struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries)) {
        int64_t n = number_of(entry->d_name, name);
        if (n > *number)
            *number = n;
    }
    closedir(entries);
    if (*number == 0)
        return SG_OK;
    return sg_path_format(folder, "%s/%s-%lld", runs_folder, name, (long long)*number);
}

sg_err sg_run_make(const char *name, char *folder)
{
    int64_t number;
    sg_err err = sg_run_newest(name, folder, &number);
    if (err == SG_OK)
        err = sg_make_folders(runs_folder);
    /* Another run may take a number between the look and the making. */
    for (int attempt = 0; err == SG_OK && attempt < 1000; attempt++) {
        err = sg_path_format(folder, "%s/%s-%lld", runs_folder, name, (long long)++number);
        if (err == SG_OK && mkdir(folder, 0777) == 0)
            return SG_OK;
        if (err == SG_OK && errno != EEXIST)
            err = sg_fail(SG_EOUTPUT, "%s cannot be made: %s", folder, strerror(errno));
    }
    return err == SG_OK ? sg_fail(SG_EOUTPUT, "%s cannot be made", folder) : err;
}
