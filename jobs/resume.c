#include "jobs/resume.h"

#include <stdio.h>

#include "base/file.h"
#include "base/log.h"

static const char *const names[] = {"last.h5", "previous.h5"};

bool sg_resume_possible(const char *folder)
{
    char path[SG_PATH_MAX];
    for (int i = 0; i < 2; i++)
        if (sg_path_format(path, "%s/%s", folder, names[i]) == SG_OK && sg_file_exists(path))
            return true;
    return false;
}

static sg_err load(const char *folder, int which, bool with_optimizer, sg_checkpoint *checkpoint)
{
    char path[SG_PATH_MAX];
    sg_err err = sg_path_format(path, "%s/%s", folder, names[which]);
    return err == SG_OK ? sg_checkpoint_load(checkpoint, path, with_optimizer) : err;
}

/* *which: of the first that is whole; else the error is that of last.h5, and why tells it. */
static sg_err load_whole(const char *folder, bool with_optimizer, sg_checkpoint *checkpoint,
                         int *which, char why[1024])
{
    *which = 0;
    sg_err err = load(folder, 0, with_optimizer, checkpoint);
    if (err == SG_OK)
        return SG_OK;
    snprintf(why, 1024, "%s", sg_error_text());
    if (load(folder, 1, with_optimizer, checkpoint) != SG_OK)
        return sg_fail(err, "%s", why);
    *which = 1;
    return SG_OK;
}

sg_err sg_resume_job(const char *folder, char **text)
{
    sg_checkpoint checkpoint = {0};
    char why[1024];
    int which;
    sg_err err = load_whole(folder, false, &checkpoint, &which, why);
    if (err == SG_OK && checkpoint.job == NULL)
        err = sg_fail(SG_EINPUT, "%s/%s holds no job; name the job file", folder, names[which]);
    if (err == SG_OK) {
        *text = checkpoint.job;
        checkpoint.job = NULL;
    }
    sg_checkpoint_close(&checkpoint);
    return err;
}

sg_err sg_resume_load(sg_comm *comm, const char *folder, sg_checkpoint *checkpoint, bool *former)
{
    const bool first = sg_comm_rank(comm) == 0;
    char why[1024];
    int which = 0;
    sg_err err = SG_OK;
    if (first) {
        sg_folder_tidy(folder);
        err = load_whole(folder, true, checkpoint, &which, why);
    }
    err = sg_comm_agree(comm, err);
    if (err != SG_OK)
        return err;
    sg_comm_broadcast(comm, &which, sizeof(which), 0);
    *former = which == 1;
    if (*former)
        sg_warn("%s; going on from %s/%s, at step %lld", why, folder, names[1],
                (long long)checkpoint->position.step);
    return sg_comm_agree(comm, first ? SG_OK : load(folder, which, true, checkpoint));
}

void sg_resume_parts(const sg_comm *comm, int32_t batch, int32_t *parts)
{
    const int32_t ranks = sg_comm_ranks(comm), former = *parts;
    if (batch % ranks != 0)
        return;
    while (batch % (ranks * *parts) != 0)
        --*parts;
    if (*parts < former)
        sg_info("the batch of %d is computed in %d parts instead of %d, on %d ranks", batch, *parts,
                former, ranks);
}
