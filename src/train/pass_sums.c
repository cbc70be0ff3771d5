#include "train/pass_sums.h"

#include "base/size.h"

#include <string.h>

sg_err sg_pass_sums_open(sg_pass_sums *sums, int32_t most)
{
    *sums = (sg_pass_sums){.most = most};
    sg_err err = sg_calloc((size_t)most, sizeof *sums->size, &sums->size);
    return err ? err : sg_calloc((size_t)most, sizeof *sums->comm, &sums->comm);
}

void sg_pass_sums_close(sg_pass_sums *sums)
{
    sg_free(sums->size);
    sg_free(sums->comm);
    sg_free(sums->zeros);
}

void sg_pass_sums_begin(sg_pass_sums *sums)
{
    sums->next = 0;
}

void sg_pass_sums_add(sg_pass_sums *sums, sg_comm *comm, double *values, size_t size)
{
    if (!sums->zeros) {
        SG_ASSERT(sums->count < sums->most);
        sums->comm[sums->count] = comm;
        sums->size[sums->count++] = size;
    }
    SG_ASSERT(sums->next < sums->count && sums->size[sums->next] == size);
    sums->next++;
    sg_comm_sum_f64(comm, values, size);
}

sg_err sg_pass_sums_end(sg_pass_sums *sums)
{
    size_t widest = 1;
    if (sums->zeros)
        return SG_OK;
    for (int32_t i = 0; i < sums->count; i++)
        widest = sums->size[i] > widest ? sums->size[i] : widest;
    return sg_calloc(widest, sizeof *sums->zeros, &sums->zeros);
}

bool sg_pass_sums_give_up(sg_pass_sums *sums)
{
    if (!sums->zeros)
        return false;
    for (; sums->next < sums->count; sums->next++) {
        size_t size = sums->size[sums->next];
        memset(sums->zeros, 0, size * sizeof *sums->zeros);
        sg_comm_sum_f64(sums->comm[sums->next], sums->zeros, size);
    }
    return true;
}
