#include "oracle/records.h"

static sg_err failed(void)
{
    return sg_fail(SG_EOUTPUT, "the record file cannot be written");
}

sg_err record_line(FILE *file, const sg_text *json)
{
    return fprintf(file, "%s\n", json->data) < 0 ? failed() : SG_OK;
}

sg_err record_array(FILE *file, const char *name, int dims, const int64_t *dim, const float *values)
{
    sg_text line = {0};
    size_t count = 1;
    if (!values)
        return SG_OK;
    sg_err err = sg_text_add(&line, "{\"array\": ");
    if (!err)
        err = sg_text_add_json(&line, name);
    for (int d = 0; !err && d < dims; d++) {
        err = sg_text_add(&line, "%s%lld", d ? ", " : ", \"shape\": [", (long long)dim[d]);
        count *= (size_t)dim[d];
    }
    if (!err)
        err = sg_text_add(&line, "]}");
    if (!err)
        err = record_line(file, &line);
    if (!err && fwrite(values, sizeof *values, count, file) != count)
        err = failed();
    sg_text_clear(&line);
    return err;
}

sg_err record_tensor(FILE *file, const char *name, sg_shape shape, const float *values)
{
    const int64_t dim[] = {shape.n, shape.h, shape.w, shape.c};
    return record_array(file, name, 4, dim, values);
}
