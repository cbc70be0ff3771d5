/* train.sync_norm of a job file: which ranks share batch-norm statistics. */
#include "jobs/job.h"

#include <stdlib.h>
#include <strings.h>

sg_err sg_job_sync_norm(const sg_job *job, int32_t *sync_norm)
{
    static const struct {
        const char *word;
        int32_t means;
    } words[] = {{"true", SG_SYNC_ALL},   {"yes", SG_SYNC_ALL}, {"on", SG_SYNC_ALL},
                 {"false", SG_SYNC_NONE}, {"no", SG_SYNC_NONE}, {"off", SG_SYNC_NONE},
                 {"node", SG_SYNC_NODE}};
    const char *text = job->train.sync_norm;
    char *end = NULL;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcasecmp(text, words[i].word) == 0) {
            *sync_norm = words[i].means;
            return SG_OK;
        }
    }
    long ranks = strtol(text, &end, 10);
    if (*end == '\0' && ranks > 1 && ranks <= 1 << 20) {
        *sync_norm = (int32_t)ranks;
        return SG_OK;
    }
    return sg_yaml_fail(
        job->yaml, "train.sync_norm",
        "\"%s\" must be true (all ranks), false (each its own), node, or a number of "
        "ranks above 1",
        text);
}
