/* Where the model is when the command line does not say. */
#include "jobs/command.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "base/file.h"

static const char RUNS[] = "runs";

/* The checkpoint that a run folder is known for: the best one, else the last. */
static bool checkpoint_of(const char *folder, char *path)
{
    static const char *const name[] = {"best.h5", "last.h5"};
    for (int i = 0; i < 2; i++) {
        char whole[SG_PATH_MAX];
        if (sg_path_format(whole, "%s/%s/%s", RUNS, folder, name[i]) == SG_OK &&
            sg_file_exists(whole)) {
            strcpy(path, whole);
            return true;
        }
    }
    return false;
}

static bool is_later(const struct stat *a, const struct stat *b)
{
    if (a->st_mtim.tv_sec != b->st_mtim.tv_sec)
        return a->st_mtim.tv_sec > b->st_mtim.tv_sec;
    return a->st_mtim.tv_nsec > b->st_mtim.tv_nsec;
}

/* The checkpoint of the run that was written to last. */
static bool newest_run(char *path)
{
    DIR *listing = opendir(RUNS);
    bool found = false;
    struct stat newest = {0}, info;
    if (!listing)
        return false;
    for (struct dirent *item; (item = readdir(listing));) {
        char candidate[SG_PATH_MAX];
        if (item->d_name[0] == '.' || !checkpoint_of(item->d_name, candidate) ||
            stat(candidate, &info) != 0)
            continue;
        if (found && !is_later(&info, &newest))
            continue;
        found = true;
        newest = info;
        strcpy(path, candidate);
    }
    closedir(listing);
    return found;
}

sg_err sg_find_model(const char *wish, char *path)
{
    const char *asked = getenv("SEGTILES_MODEL");
    if (wish)
        return sg_path_format(path, "%s", wish);
    if (asked && *asked)
        return sg_path_format(path, "%s", asked);
    if (sg_file_exists("model.h5"))
        return sg_path_format(path, "model.h5");
    if (newest_run(path))
        return SG_OK;
    return sg_fail(SG_EUSAGE, "no model: there is no -m, no $SEGTILES_MODEL, no ./model.h5 and no "
                              "best.h5 or last.h5 in a folder under ./runs");
}
