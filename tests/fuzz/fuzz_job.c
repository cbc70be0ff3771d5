/* Any text as a job file; one that is right can be written out and read again. */
#include "support/fuzz.h"

#include <string.h>
#include "base/size.h"
#include "jobs/job.h"

static sg_err load(sg_job *job, const char *text)
{
    const sg_yaml_source source = {"job.yaml", text, NULL, 0};
    return sg_job_load(job, &source);
}

static void write_and_read(const sg_job *job)
{
    sg_text text = {0};
    sg_job again;
    SG_ASSERT(sg_job_write(job, &text) == SG_OK);
    SG_ASSERT(load(&again, text.data) == SG_OK);
    sg_job_clear(&again);
    sg_text_clear(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = NULL;
    sg_job job;
    if (sg_calloc(size + 1, 1, &text) != SG_OK)
        return 0;
    memcpy(text, data, size);
    if (load(&job, text) == SG_OK) {
        fuzz_accept();
        write_and_read(&job);
        sg_job_clear(&job);
    }
    sg_free(text);
    return 0;
}
