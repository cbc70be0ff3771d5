/*
 * oneDNN's C API as 3.x has it, over 2.6 and later 2.x. The differences: 2.x keeps memory
 * descriptors by value and makes primitives from operation descriptors; 3.x has opaque handles and
 * makes primitive descriptors directly. Everything here for 3.x is untested: Debian 12 has 2.6.
 *
 * The only files that include dnnl.h are dnnl_api.c and onednn.c. [local]
 */
#ifndef SG_CPU_DNNL_API_H
#define SG_CPU_DNNL_API_H

#include <oneapi/dnnl/dnnl.h>
#include "cpu/onednn.h"

#if DNNL_VERSION_MAJOR >= 3
typedef dnnl_memory_desc_t sg_md; /* owned */
typedef const_dnnl_memory_desc_t sg_md_ref;
#else
typedef dnnl_memory_desc_t sg_md;
typedef const dnnl_memory_desc_t *sg_md_ref;
#endif

/* strides NULL: any layout that oneDNN likes. */
dnnl_status_t sg_md_create(sg_md *md, int dims, const dnnl_dims_t dim, dnnl_data_type_t type,
                           const dnnl_dims_t strides);
void sg_md_destroy(sg_md *md);
sg_md_ref sg_md_borrow(const sg_md *md);

/* One pass of a convolution; src, weights and dst stand for their gradients where the pass makes
 * or reads those. bias may be NULL. dilates are 0 for dense kernels. */
typedef struct {
    sg_conv_pass pass;
    bool transpose; /* oneDNN calls it deconvolution */
    bool inference;
    sg_md_ref src, weights, bias, dst;
    dnnl_dims_t strides, dilates, pad_left, pad_right;
} sg_conv_desc;

/* Walks the implementations in oneDNN's order until accept says yes. */
typedef bool (*sg_accept_impl)(const char *name);
dnnl_status_t sg_conv_pd_create(dnnl_primitive_desc_t *pd, dnnl_engine_t engine,
                                const sg_conv_desc *desc, dnnl_primitive_attr_t attr,
                                dnnl_primitive_desc_t forward_hint, sg_accept_impl accept);
const char *sg_pd_impl(dnnl_primitive_desc_t pd);
dnnl_status_t sg_post_eltwise(dnnl_post_ops_t ops, dnnl_alg_kind_t kind, float alpha, float beta);

#endif
