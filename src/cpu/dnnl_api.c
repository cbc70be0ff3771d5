#include "cpu/dnnl_api.h"

#include <stddef.h>

const char *sg_pd_impl(dnnl_primitive_desc_t pd)
{
    const char *name = NULL;
    if (dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, &name) || !name)
        return "unknown";
    return name;
}

#if DNNL_VERSION_MAJOR >= 3

dnnl_status_t sg_md_create(sg_md *md, int dims, const dnnl_dims_t dim, dnnl_data_type_t type,
                           const dnnl_dims_t strides)
{
    if (strides)
        return dnnl_memory_desc_create_with_strides(md, dims, dim, type, strides);
    return dnnl_memory_desc_create_with_tag(md, dims, dim, type, dnnl_format_tag_any);
}

void sg_md_destroy(sg_md *md)
{
    if (*md)
        dnnl_memory_desc_destroy(*md);
    *md = NULL;
}

sg_md_ref sg_md_borrow(const sg_md *md)
{
    return *md;
}

static dnnl_status_t create_forward(dnnl_primitive_desc_t *pd, dnnl_engine_t engine,
                                    const sg_conv_desc *d, dnnl_primitive_attr_t attr)
{
    dnnl_prop_kind_t kind = d->inference ? dnnl_forward_inference : dnnl_forward_training;
    if (d->transpose)
        return dnnl_deconvolution_forward_primitive_desc_create(
            pd, engine, kind, dnnl_deconvolution_direct, d->src, d->weights, d->bias, d->dst,
            d->strides, d->dilates, d->pad_left, d->pad_right, attr);
    return dnnl_convolution_forward_primitive_desc_create(
        pd, engine, kind, dnnl_convolution_direct, d->src, d->weights, d->bias, d->dst, d->strides,
        d->dilates, d->pad_left, d->pad_right, attr);
}

static dnnl_status_t create_data(dnnl_primitive_desc_t *pd, dnnl_engine_t engine,
                                 const sg_conv_desc *d, dnnl_primitive_attr_t attr,
                                 dnnl_primitive_desc_t hint)
{
    if (d->transpose)
        return dnnl_deconvolution_backward_data_primitive_desc_create(
            pd, engine, dnnl_deconvolution_direct, d->src, d->weights, d->dst, d->strides,
            d->dilates, d->pad_left, d->pad_right, hint, attr);
    return dnnl_convolution_backward_data_primitive_desc_create(
        pd, engine, dnnl_convolution_direct, d->src, d->weights, d->dst, d->strides, d->dilates,
        d->pad_left, d->pad_right, hint, attr);
}

static dnnl_status_t create_weights(dnnl_primitive_desc_t *pd, dnnl_engine_t engine,
                                    const sg_conv_desc *d, dnnl_primitive_attr_t attr,
                                    dnnl_primitive_desc_t hint)
{
    if (d->transpose)
        return dnnl_deconvolution_backward_weights_primitive_desc_create(
            pd, engine, dnnl_deconvolution_direct, d->src, d->weights, d->bias, d->dst, d->strides,
            d->dilates, d->pad_left, d->pad_right, hint, attr);
    return dnnl_convolution_backward_weights_primitive_desc_create(
        pd, engine, dnnl_convolution_direct, d->src, d->weights, d->bias, d->dst, d->strides,
        d->dilates, d->pad_left, d->pad_right, hint, attr);
}

dnnl_status_t sg_conv_pd_create(dnnl_primitive_desc_t *pd, dnnl_engine_t engine,
                                const sg_conv_desc *desc, dnnl_primitive_attr_t attr,
                                dnnl_primitive_desc_t forward_hint, sg_accept_impl accept)
{
    *pd = NULL;
    dnnl_status_t status = desc->pass == SG_CONV_FORWARD ? create_forward(pd, engine, desc, attr)
                           : desc->pass == SG_CONV_DATA
                               ? create_data(pd, engine, desc, attr, forward_hint)
                               : create_weights(pd, engine, desc, attr, forward_hint);
    while (!status && !accept(sg_pd_impl(*pd)))
        status = dnnl_primitive_desc_next_impl(*pd);
    if (status && *pd) {
        dnnl_primitive_desc_destroy(*pd);
        *pd = NULL;
    }
    return status;
}

dnnl_status_t sg_post_eltwise(dnnl_post_ops_t ops, dnnl_alg_kind_t kind, float alpha, float beta)
{
    return dnnl_post_ops_append_eltwise(ops, kind, alpha, beta);
}

#else

dnnl_status_t sg_md_create(sg_md *md, int dims, const dnnl_dims_t dim, dnnl_data_type_t type,
                           const dnnl_dims_t strides)
{
    if (strides)
        return dnnl_memory_desc_init_by_strides(md, dims, dim, type, strides);
    return dnnl_memory_desc_init_by_tag(md, dims, dim, type, dnnl_format_tag_any);
}

void sg_md_destroy(sg_md *md) {}

sg_md_ref sg_md_borrow(const sg_md *md)
{
    return md;
}

/* A deconvolution's descriptor has the layout of a convolution's, and the same type. */
static dnnl_status_t describe(dnnl_convolution_desc_t *op, const sg_conv_desc *d)
{
    dnnl_prop_kind_t kind = d->inference ? dnnl_forward_inference : dnnl_forward_training;
    if (d->pass == SG_CONV_FORWARD)
        return d->transpose ? dnnl_dilated_deconvolution_forward_desc_init(
                                  op, kind, dnnl_deconvolution_direct, d->src, d->weights, d->bias,
                                  d->dst, d->strides, d->dilates, d->pad_left, d->pad_right)
                            : dnnl_dilated_convolution_forward_desc_init(
                                  op, kind, dnnl_convolution_direct, d->src, d->weights, d->bias,
                                  d->dst, d->strides, d->dilates, d->pad_left, d->pad_right);
    if (d->pass == SG_CONV_DATA)
        return d->transpose ? dnnl_dilated_deconvolution_backward_data_desc_init(
                                  op, dnnl_deconvolution_direct, d->src, d->weights, d->dst,
                                  d->strides, d->dilates, d->pad_left, d->pad_right)
                            : dnnl_dilated_convolution_backward_data_desc_init(
                                  op, dnnl_convolution_direct, d->src, d->weights, d->dst,
                                  d->strides, d->dilates, d->pad_left, d->pad_right);
    return d->transpose ? dnnl_dilated_deconvolution_backward_weights_desc_init(
                              op, dnnl_deconvolution_direct, d->src, d->weights, d->bias, d->dst,
                              d->strides, d->dilates, d->pad_left, d->pad_right)
                        : dnnl_dilated_convolution_backward_weights_desc_init(
                              op, dnnl_convolution_direct, d->src, d->weights, d->bias, d->dst,
                              d->strides, d->dilates, d->pad_left, d->pad_right);
}

dnnl_status_t sg_conv_pd_create(dnnl_primitive_desc_t *pd, dnnl_engine_t engine,
                                const sg_conv_desc *desc, dnnl_primitive_attr_t attr,
                                dnnl_primitive_desc_t forward_hint, sg_accept_impl accept)
{
    dnnl_convolution_desc_t op;
    dnnl_primitive_desc_iterator_t walk = NULL;
    *pd = NULL;
    dnnl_status_t status = describe(&op, desc);
    if (!status)
        status = dnnl_primitive_desc_iterator_create(&walk, &op, attr, engine, forward_hint);
    while (!status) {
        *pd = dnnl_primitive_desc_iterator_fetch(walk);
        if (!*pd || accept(sg_pd_impl(*pd)))
            break;
        dnnl_primitive_desc_destroy(*pd);
        *pd = NULL;
        status = dnnl_primitive_desc_iterator_next(walk);
    }
    if (walk)
        dnnl_primitive_desc_iterator_destroy(walk);
    return status ? status : *pd ? dnnl_success : dnnl_unimplemented;
}

dnnl_status_t sg_post_eltwise(dnnl_post_ops_t ops, dnnl_alg_kind_t kind, float alpha, float beta)
{
    return dnnl_post_ops_append_eltwise(ops, 1.0f, kind, alpha, beta);
}

#endif
