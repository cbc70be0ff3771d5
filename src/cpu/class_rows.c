#include "cpu/class_rows.h"

#include <string.h>
#include "base/size.h"

int64_t sg_class_pixels(int64_t c)
{
    return sg_max64(1, SG_ROW / c);
}

void sg_class_planes(const float *row, int64_t pixels, int64_t c, float *plane)
{
    for (int64_t k = 0; k < c; k++)
        for (int64_t i = 0; i < pixels; i++)
            plane[k * pixels + i] = row[i * c + k];
}

void sg_class_rows(const float *plane, int64_t pixels, int64_t c, float *row)
{
    for (int64_t k = 0; k < c; k++)
        for (int64_t i = 0; i < pixels; i++)
            row[i * c + k] = plane[k * pixels + i];
}

SG_CLONES static void raise_to(float *restrict most, const float *restrict plane, int64_t pixels)
{
    for (int64_t i = 0; i < pixels; i++)
        most[i] = plane[i] > most[i] ? plane[i] : most[i];
}

SG_CLONES static void subtract(float *restrict plane, const float *restrict most, int64_t pixels)
{
    for (int64_t i = 0; i < pixels; i++)
        plane[i] -= most[i];
}

SG_CLONES static void divide(float *restrict plane, const float *restrict sum, int64_t pixels)
{
    for (int64_t i = 0; i < pixels; i++)
        plane[i] /= sum[i];
}

void sg_class_powers(float *plane, int64_t pixels, int64_t c, float *largest, float *sum)
{
    memcpy(largest, plane, (size_t)pixels * sizeof *largest);
    for (int64_t k = 1; k < c; k++)
        raise_to(largest, plane + k * pixels, pixels);
    for (int64_t k = 0; k < c; k++)
        subtract(plane + k * pixels, largest, pixels);
    sg_row_exp(plane, (size_t)(pixels * c));
    memcpy(sum, plane, (size_t)pixels * sizeof *sum);
    for (int64_t k = 1; k < c; k++)
        sg_row_add(sum, plane + k * pixels, (size_t)pixels);
}

void sg_class_shares(float *plane, int64_t pixels, int64_t c, const float *sum)
{
    for (int64_t k = 0; k < c; k++)
        divide(plane + k * pixels, sum, pixels);
}

typedef struct {
    sg_class_row_fn row;
    const void *context;
    int64_t most; /* pixels at a time */
} rows_job;

static void each_row(void *context, int64_t begin, int64_t end)
{
    const rows_job *j = context;
    for (int64_t i = begin; i < end; i += j->most)
        j->row(j->context, i, sg_min64(j->most, end - i));
}

void sg_class_for(const sg_cpu *cpu, int64_t pixels, int64_t c, sg_class_row_fn row,
                  const void *context)
{
    rows_job j = {row, context, sg_class_pixels(c)};
    sg_cpu_for(cpu, pixels, 4096, each_row, &j);
}
