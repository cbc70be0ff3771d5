/*
 * dump_ops BACKEND FILE: run every operator case in f32 and write its attributes, inputs and
 * results for ops_torch.py.
 */
#include <string.h>
#include "op/harness.h"
#include "oracle/records.h"

static sg_err add_window(sg_text *text, const sg_attr *attr)
{
    const sg_window_attr *w = &attr->window;
    sg_err err =
        sg_text_add(text, ", \"kernel\": [%d, %d], \"stride\": [%d, %d], \"dilation\": [%d, %d]",
                    (int)w->kernel_h, (int)w->kernel_w, (int)w->stride_h, (int)w->stride_w,
                    (int)w->dilation_h, (int)w->dilation_w);
    if (!err)
        err = sg_text_add(text, ", \"pad\": [%d, %d, %d, %d], \"out_pad\": [%d, %d]",
                          (int)w->pad.top, (int)w->pad.bottom, (int)w->pad.left, (int)w->pad.right,
                          (int)w->out_pad_h, (int)w->out_pad_w);
    return err ? err
               : sg_text_add(text, ", \"groups\": %d, \"exclude_pad\": %d, \"bias\": %d",
                             (int)w->groups, (int)w->exclude_pad, (int)w->bias);
}

static sg_err add_norm(sg_text *text, const sg_attr *attr)
{
    return sg_text_add(text, ", \"epsilon\": %.9g, \"momentum\": %.9g", (double)attr->norm.epsilon,
                       (double)attr->norm.momentum);
}

static sg_err add_group_norm(sg_text *text, const sg_attr *attr)
{
    return sg_text_add(text, ", \"epsilon\": %.9g, \"groups\": %d",
                       (double)attr->group_norm.epsilon, (int)attr->group_norm.groups);
}

static sg_err add_crop(sg_text *text, const sg_attr *attr)
{
    const sg_pad *cut = &attr->crop.cut, *pad = &attr->crop.pad;
    return sg_text_add(text, ", \"cut\": [%d, %d, %d, %d], \"pad\": [%d, %d, %d, %d]",
                       (int)cut->top, (int)cut->bottom, (int)cut->left, (int)cut->right,
                       (int)pad->top, (int)pad->bottom, (int)pad->left, (int)pad->right);
}

static sg_err add_resize(sg_text *text, const sg_attr *attr)
{
    return sg_text_add(text, ", \"align_corners\": %d, \"scale\": [%d, %d]",
                       (int)attr->resize.align_corners, (int)attr->resize.scale_h,
                       (int)attr->resize.scale_w);
}

static sg_err add_global(sg_text *text, const sg_attr *attr)
{
    return sg_text_add(text, ", \"kind\": %d", (int)attr->global.kind);
}

static sg_err add_loss(sg_text *text, const sg_attr *attr)
{
    const sg_loss_attr *a = &attr->loss;
    sg_err err = sg_text_add(text, ", \"weight\": %.9g, \"smoothing\": %.9g, \"gamma\": %.9g",
                             (double)a->weight, (double)a->smoothing, (double)a->gamma);
    return err ? err
               : sg_text_add(text,
                             ", \"border\": %d, \"alpha\": %.9g, \"beta\": %.9g, "
                             "\"smooth\": %.9g",
                             (int)a->border, (double)a->alpha, (double)a->beta, (double)a->smooth);
}

/* NULL: nothing that PyTorch needs to know. */
static sg_err (*const add_attributes[SG_OP_COUNT])(sg_text *, const sg_attr *) = {
    [SG_OP_conv] = add_window,           [SG_OP_conv_transpose] = add_window,
    [SG_OP_max_pool] = add_window,       [SG_OP_avg_pool] = add_window,
    [SG_OP_batch_norm] = add_norm,       [SG_OP_resize] = add_resize,
    [SG_OP_global_pool] = add_global,    [SG_OP_softmax_loss] = add_loss,
    [SG_OP_region_loss] = add_loss,      [SG_OP_lovasz_loss] = add_loss,
    [SG_OP_group_norm] = add_group_norm, [SG_OP_crop] = add_crop,
};

static sg_err write_case(FILE *file, const op_problem *p, const op_result *r)
{
    sg_text line = {0};
    sg_err err = sg_text_add(&line, "{\"case\": \"%s\", \"op\": \"%s\", \"act\": \"%s\"",
                             p->row->name, sg_op_name(p->node.op), sg_act_name(p->node.act));
    if (!err && add_attributes[p->node.op])
        err = add_attributes[p->node.op](&line, &p->node.attr);
    if (!err && p->labels)
        err =
            sg_text_add(&line, ", \"loss_scale\": %.9g, \"loss_sum\": %.17g, \"weight_sum\": %.17g",
                        (double)p->loss_scale, r->loss_sum, r->weight_sum);
    if (!err)
        err = sg_text_add(&line, "}");
    if (!err)
        err = record_line(file, &line);
    sg_text_clear(&line);
    return err;
}

static sg_err write_labels(FILE *file, const op_problem *p)
{
    float labels[4096];
    const int64_t dim[] = {p->in[0].n, p->in[0].h, p->in[0].w};
    size_t pixels = (size_t)(dim[0] * dim[1] * dim[2]);
    if (!p->labels)
        return SG_OK;
    SG_ASSERT(pixels <= sizeof labels / sizeof *labels);
    for (size_t i = 0; i < pixels; i++)
        labels[i] = p->labels[i];
    sg_err err = record_array(file, "labels", 3, dim, labels);
    if (!err)
        err = record_array(file, "class_weight", 1, &p->in[0].c, p->class_weight);
    return err ? err : record_array(file, "border", 3, dim, p->border);
}

static sg_err write_numbered(FILE *file, const char *what, int k, int dims, const int64_t *dim,
                             const float *values)
{
    char name[32];
    snprintf(name, sizeof name, "%s%d", what, k);
    return record_array(file, name, dims, dim, values);
}

static sg_err write_arrays(FILE *file, const op_problem *p, const op_result *r)
{
    sg_err err = record_tensor(file, "out", p->out, r->out);
    if (!err && !p->labels)
        err = record_tensor(file, "grad_out", p->out, p->grad_out);
    for (int k = 0; !err && k < p->row->inputs; k++) {
        const int64_t dim[] = {p->in[k].n, p->in[k].h, p->in[k].w, p->in[k].c};
        err = write_numbered(file, "in", k, 4, dim, p->value[k]);
        if (!err)
            err = write_numbered(file, "grad_in", k, 4, dim, r->grad_in[k]);
    }
    for (int k = 0; !err && k < p->node.params; k++) {
        const sg_param_info *info = &p->graph->param[p->node.param[k]];
        err = write_numbered(file, "param", k, info->dims, info->dim, p->param[k]);
        if (!err)
            err = write_numbered(file, "grad_param", k, info->dims, info->dim, r->param_grad[k]);
        if (!err)
            err = write_numbered(file, "state", k, info->dims, info->dim, r->state[k]);
    }
    return err ? err : write_labels(file, p);
}

static sg_err dump_case(FILE *file, sg_backend *backend, const op_case *row)
{
    op_problem p;
    op_result r = {0};
    op_options options = {.training = 1, .write = SG_GRAD_STORE, .run.seed = 11};
    sg_err err = op_problem_create(row, 0, &p);
    if (!err)
        err = op_run(backend, &p, &options, &r);
    if (!err)
        err = write_case(file, &p, &r);
    if (!err)
        err = write_arrays(file, &p, &r);
    op_result_close(&r);
    op_problem_close(&p);
    return err;
}

int main(int argc, char **argv)
{
    sg_backend *backend = NULL;
    if (argc != 3) {
        fprintf(stderr, "usage: dump_ops BACKEND FILE\n");
        return 2;
    }
    FILE *file = fopen(argv[2], "wb");
    sg_err err = file ? op_backend_open(argv[1], &backend)
                      : sg_fail(SG_EOUTPUT, "%s cannot be written", argv[2]);
    for (size_t i = 0; !err && i < op_case_count; i++)
        err = dump_case(file, backend, &op_cases[i]);
    if (file && fclose(file) != 0 && !err)
        err = sg_fail(SG_EOUTPUT, "%s cannot be written", argv[2]);
    sg_backend_close(backend);
    if (err)
        fprintf(stderr, "dump_ops: %s\n", sg_error_text());
    return err == SG_EUNSUPPORTED ? 77 : sg_exit_status(err); /* 77: the device is not here */
}
