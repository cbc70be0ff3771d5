/* Keeping and running cuDNN's plans; cudnn_choice.c chooses what they are made of. */
#include "cuda/cudnn_private.h"

#include <stdio.h>
#include <string.h>
#include "base/size.h"

/* The handle is given as every cuDNN 9 takes it; newer ones call that deprecated. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

/* ---- the library ---- */

sg_err sg_cudnn_check(cudnnStatus_t status, const char *what)
{
    char text[256] = "";
    if (status == CUDNN_STATUS_SUCCESS)
        return SG_OK;
    sg_err lost = sg_cuda_alive();
    if (lost)
        return lost;
    cudnnGetLastErrorString(text, sizeof text);
    text[strcspn(text, "\n")] = 0;
    return sg_fail(SG_EINTERNAL, "cuDNN: %s: %s%s%s", what, cudnnGetErrorString(status),
                   text[0] ? ": " : "", text);
}

void sg_cudnn_destroy(cudnnBackendDescriptor_t descriptor)
{
    if (descriptor)
        cudnnBackendDestroyDescriptor(descriptor);
}

void sg_cudnn_drop_config(sg_cudnn_plan *p)
{
    sg_cudnn_destroy(p->config);
    sg_cudnn_destroy(p->engine);
    for (int i = 0; i < CUDNN_KNOB_TYPE_COUNTS; i++)
        sg_cudnn_destroy(p->knob[i]);
    p->config = p->engine = NULL;
    memset(p->knob, 0, sizeof p->knob);
}

static void free_plan(sg_cudnn_plan *p)
{
    if (!p)
        return;
    sg_cudnn_destroy(p->pack);
    sg_cudnn_destroy(p->plan);
    sg_cudnn_drop_config(p);
    sg_cudnn_graph_clear(&p->graph);
    sg_free(p);
}

void sg_cudnn_close(sg_cudnn *cudnn)
{
    if (!cudnn)
        return;
    while (cudnn->plans) {
        sg_cudnn_plan *plan = cudnn->plans;
        cudnn->plans = plan->next;
        free_plan(plan);
    }
    sg_plan_cache_close(cudnn->cache);
    sg_cudnn_destroy(cudnn->device);
    if (cudnn->handle)
        cudnnDestroy(cudnn->handle);
    sg_free(cudnn);
}

/* Timing needs the cache, without which each rank would time in each run. */
static sg_err open_tuning(sg_cudnn *cudnn, const char *chip)
{
    char version[64];
    sg_err err = sg_cudnn_tune_wish(&cudnn->tune);
    sg_cudnn_version(version, sizeof version);
    snprintf(cudnn->chip, sizeof cudnn->chip, "%.180s, %s", chip, version);
    return err || cudnn->tune == SG_TUNE_OFF ? err : sg_plan_cache_open(&cudnn->cache);
}

sg_err sg_cudnn_open(sg_cuda *cuda, const char *chip, sg_cudnn **cudnn)
{
    sg_cudnn *made = NULL;
    *cudnn = NULL;
    sg_err err = sg_calloc(1, sizeof *made, &made);
    if (err)
        return err;
    made->cuda = cuda;
    err = sg_cudnn_check(cudnnCreate(&made->handle), "it cannot be opened");
    if (!err)
        err = sg_cudnn_check(cudnnSetStream(made->handle, cuda->stream),
                             "it does not take the stream");
    if (!err)
        err = open_tuning(made, chip);
    if (err)
        sg_cudnn_close(made);
    else
        *cudnn = made;
    return err;
}

sg_err sg_cudnn_describe(const char *json, sg_cudnn **cudnn)
{
    sg_cudnn *made = NULL;
    *cudnn = NULL;
    sg_err err = sg_calloc(1, sizeof *made, &made);
    if (err)
        return err;
    cudnnStatus_t status =
        cudnnBackendCreateDescriptor(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, &made->device);
    if (!status)
        status = cudnnBackendSetAttribute(made->device, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION,
                                          CUDNN_TYPE_CHAR, (int64_t)strlen(json), json);
    if (!status)
        status = cudnnBackendFinalize(made->device);
    err = sg_cudnn_check(status, "the description of a GPU is not taken");
    if (!err)
        err = open_tuning(made, "described");
    if (err)
        sg_cudnn_close(made);
    else
        *cudnn = made;
    return err;
}

void sg_cudnn_version(char *text, size_t size)
{
    size_t v = cudnnGetVersion();
    snprintf(text, size, "cuDNN %zu.%zu.%zu", v / 10000, v / 100 % 100, v % 100);
}

static sg_err add_plan(sg_cudnn *cudnn, const sg_conv_request *request, sg_cudnn_plan **plan)
{
    sg_cudnn_plan *p = NULL;
    sg_err err = sg_calloc(1, sizeof *p, &p);
    if (err)
        return err;
    p->cudnn = cudnn;
    p->request = *request;
    err = sg_cudnn_choose(p);
    if (err) {
        free_plan(p);
        return err;
    }
    p->next = cudnn->plans;
    cudnn->plans = p;
    *plan = p;
    return SG_OK;
}

sg_err sg_cudnn_plan_get(sg_cudnn *cudnn, const sg_conv_request *request, sg_cudnn_plan **plan)
{
    sg_err err = SG_OK;
    for (*plan = cudnn->plans; *plan; *plan = (*plan)->next)
        if (memcmp(&(*plan)->request, request, sizeof *request) == 0)
            break;
    if (!*plan)
        err = add_plan(cudnn, request, plan);
    if (!err && !(*plan)->plan) {
        *plan = NULL;
        err = sg_fail(SG_EUNSUPPORTED, "cuDNN has no engine for this convolution");
    }
    return err;
}

size_t sg_cudnn_plan_workspace(const sg_cudnn_plan *p)
{
    return p->workspace_bytes;
}

int64_t sg_cudnn_plan_engine(const sg_cudnn_plan *p)
{
    int64_t index = -1;
    return sg_cudnn_engine_of(p->config, &index) ? index : -1;
}

/* ---- running ---- */

/* Pointers are the same in most runs: the pack is made anew only when they are not. */
static bool is_packed(const sg_cudnn_plan *p, const void *const *pointer, const void *workspace)
{
    return p->pack && p->workspace == workspace &&
           memcmp(p->pointer, pointer, sizeof p->pointer) == 0;
}

static sg_err repack(sg_cudnn_plan *p, const void *const *pointer, void *workspace)
{
    static const int64_t all[] = {SG_CUDNN_A, SG_CUDNN_B, SG_CUDNN_RESULT, SG_CUDNN_BIAS,
                                  SG_CUDNN_ADDED};
    int64_t ids[5], count = 0;
    const void *given[5];
    for (int i = 0; i < 5; i++)
        if (pointer[i]) {
            ids[count] = all[i];
            given[count++] = pointer[i];
        }
    sg_cudnn_destroy(p->pack);
    p->pack = NULL;
    cudnnStatus_t status =
        cudnnBackendCreateDescriptor(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, &p->pack);
    if (!status)
        status = cudnnBackendSetAttribute(p->pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS,
                                          CUDNN_TYPE_INT64, count, ids);
    if (!status)
        status = cudnnBackendSetAttribute(p->pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS,
                                          CUDNN_TYPE_VOID_PTR, count, given);
    if (!status)
        status = cudnnBackendSetAttribute(p->pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE,
                                          CUDNN_TYPE_VOID_PTR, 1, &workspace);
    if (!status)
        status = cudnnBackendFinalize(p->pack);
    memcpy(p->pointer, pointer, sizeof p->pointer);
    p->workspace = workspace;
    if (status) {
        sg_cudnn_destroy(p->pack);
        p->pack = NULL;
    }
    return sg_cudnn_check(status, "pointers cannot be given to a convolution");
}

sg_err sg_cudnn_plan_run(sg_cudnn_plan *p, const sg_conv_tensors *t)
{
    const void *const pointer[] = {t->a, t->b, t->result, t->bias, t->added};
    sg_err err = is_packed(p, pointer, t->workspace) ? SG_OK : repack(p, pointer, t->workspace);
    return err ? err
               : sg_cudnn_check(cudnnBackendExecute(p->cudnn->handle, p->plan, p->pack),
                                "a convolution failed");
}
