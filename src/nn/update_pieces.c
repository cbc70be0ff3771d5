#include "nn/update_pieces.h"

#include "base/size.h"

static uint32_t pieces_of(const sg_param_info *info)
{
    return (uint32_t)sg_div_up((int64_t)info->count, SG_UPDATE_PIECE);
}

static sg_update_piece *fill(sg_update_piece *out, uint32_t first, const sg_param_info *info,
                             size_t offset, float rate)
{
    uint32_t pieces = pieces_of(info);
    for (uint32_t i = 0; i < pieces; i++) {
        size_t at = (size_t)i * SG_UPDATE_PIECE, rest = info->count - at;
        *out++ = (sg_update_piece){
            .offset = offset + at,
            .count = (uint32_t)(rest < SG_UPDATE_PIECE ? rest : SG_UPDATE_PIECE),
            .first = first,
            .pieces = pieces,
            .rate = rate,
            .decay = sg_param_decays(info) ? 1 : 0,
        };
    }
    return out;
}

static sg_err put(sg_update_pieces *p, const sg_update_piece *piece)
{
    size_t count = p->pieces > 0 ? (size_t)p->pieces : 1;
    sg_err err = p->backend->alloc(p->backend, count * sizeof *piece, &p->piece);
    if (!err)
        err = p->backend->alloc(p->backend, count * 2 * sizeof(double), &p->norms);
    return err ? err
               : p->backend->upload(p->backend, p->piece, piece, (size_t)p->pieces * sizeof *piece);
}

sg_err sg_update_pieces_open(sg_update_pieces *p, sg_backend *backend, const sg_graph *graph,
                             const sg_param_layout *layout, const float *rate)
{
    sg_update_piece *piece = NULL, *end;
    *p = (sg_update_pieces){.backend = backend};
    for (int32_t i = 0; i < layout->order_count; i++)
        p->pieces += (int32_t)pieces_of(&graph->param[layout->order[i]]);
    sg_err err = sg_calloc((size_t)p->pieces, sizeof *piece, &piece);
    if (err)
        return err;
    end = piece;
    for (int32_t i = 0; i < layout->order_count; i++) {
        int32_t id = layout->order[i];
        end = fill(end, (uint32_t)(end - piece), &graph->param[id], layout->offset[id],
                   rate ? rate[id] : 1);
    }
    err = put(p, piece);
    sg_free(piece);
    if (err)
        sg_update_pieces_close(p);
    return err;
}

void sg_update_pieces_close(sg_update_pieces *p)
{
    if (p->piece)
        p->backend->free(p->backend, p->piece);
    if (p->norms)
        p->backend->free(p->backend, p->norms);
    *p = (sg_update_pieces){0};
}

sg_err sg_update_step(const sg_update_pieces *p, const sg_update *update, float *param,
                      const float *gradient, float *m, float *v)
{
    const sg_update_arrays arrays = {param, gradient, m, v, p->piece, p->pieces, p->norms};
    return p->backend->update(p->backend, update, &arrays);
}

sg_err sg_update_norm(const sg_update_pieces *p, const float *gradient, double *squares)
{
    const sg_update_arrays arrays = {
        .gradient = gradient, .piece = p->piece, .pieces = p->pieces, .norms = p->norms};
    return p->backend->squares(p->backend, &arrays, squares);
}
