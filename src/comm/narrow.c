/*
 * Over nodes in bf16. Each rank of a column has a part of the slice: it is sent what the others
 * give of it, and sends out the sum. In r->other: what this rank gives, then what comes.
 */
#include "comm/reduction.h"

#include <string.h>

static uint16_t narrow(float value)
{
    uint32_t u;
    memcpy(&u, &value, sizeof u);
    if ((u & 0x7fffffffu) > 0x7f800000u) /* not a number stays none */
        return (uint16_t)(u >> 16 | 0x40u);
    return (uint16_t)((u + 0x7fffu + (u >> 16 & 1u)) >> 16);
}

static float widen(uint16_t bits)
{
    uint32_t u = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &u, sizeof value);
    return value;
}

/* What goes out, and what is left for the next time. */
static uint16_t round_off(float value, float *left)
{
    float whole = value + *left;
    uint16_t bits = narrow(whole);
    *left = whole - widen(bits);
    return bits;
}

static size_t slice(const sg_reduction *r)
{
    return sg_slice_start(r, r->layout->local);
}

static size_t slice_count(const sg_reduction *r)
{
    return sg_slice_count(r, r->layout->local);
}

static size_t part_start(const sg_reduction *r, int node)
{
    return sg_part_start(slice_count(r), r->layout->nodes, node);
}

static size_t part_count(const sg_reduction *r, int node)
{
    return part_start(r, node + 1) - part_start(r, node);
}

static uint16_t *given(const sg_reduction *r)
{
    return (uint16_t *)r->other;
}

/* My part of what node `node` gives. */
static uint16_t *come(const sg_reduction *r, int node)
{
    return given(r) + slice_count(r) + (size_t)node * part_count(r, r->layout->node);
}

void sg_begin_spreading(sg_reduction *r)
{
    const sg_layout *l = r->layout;
    for (size_t i = 0; i < slice_count(r); i++)
        given(r)[i] = round_off(r->values[slice(r) + i], &r->error[slice(r) + i]);
    for (int n = 0; n < l->nodes; n++) {
        if (n == l->node)
            continue;
        sg_reduction_receive(r, come(r, n), part_count(r, l->node), MPI_UINT16_T, l->column[n]);
        sg_reduction_send(r, given(r) + part_start(r, n), part_count(r, n), MPI_UINT16_T,
                          l->column[n]);
    }
}

void sg_end_spreading(sg_reduction *r)
{
    const sg_layout *l = r->layout;
    uint16_t *mine = given(r) + part_start(r, l->node);
    float *kept = r->kept + slice(r) + part_start(r, l->node);
    for (size_t i = 0; i < part_count(r, l->node); i++) {
        float sum = 0;
        for (int n = 0; n < l->nodes; n++) {
            float part = widen(n == l->node ? mine[i] : come(r, n)[i]);
            sum = n == 0 ? part : sum + part;
        }
        mine[i] = round_off(sum, &kept[i]);
    }
}

void sg_begin_gathering(sg_reduction *r)
{
    const sg_layout *l = r->layout;
    for (int n = 0; n < l->nodes; n++) {
        if (n == l->node)
            continue;
        sg_reduction_receive(r, given(r) + part_start(r, n), part_count(r, n), MPI_UINT16_T,
                             l->column[n]);
        sg_reduction_send(r, given(r) + part_start(r, l->node), part_count(r, l->node),
                          MPI_UINT16_T, l->column[n]);
    }
}

void sg_end_gathering(sg_reduction *r)
{
    for (size_t i = 0; i < slice_count(r); i++)
        r->values[slice(r) + i] = widen(given(r)[i]);
}
