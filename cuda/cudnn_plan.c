/*
 * The engines that cuDNN's heuristics propose for a convolution; the first of them that holds our
 * contract and builds becomes the plan. No engine is timed: the choice must be the same in every
 * run, or results would not have the same bits.
 */
#include "cuda/cudnn_graph.h"

#include <stdio.h>
#include <string.h>
#include "base/size.h"

/* The handle is given as every cuDNN 9 takes it; newer ones call that deprecated. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

enum { MOST_CONFIGS = 128 };

/* Engines that change the layout first want a copy of each tensor. A limit that did not grow with
 * them would make the choice of the engine depend on the size. */
static int64_t most_workspace(const sg_conv_geometry *g)
{
    size_t values = sg_shape_count(g->big) + sg_shape_count(g->small);
    return ((int64_t)1 << 30) + (int64_t)(2 * values * sizeof(float));
}

struct sg_cudnn {
    cudnnHandle_t handle;            /* NULL where there is only a description of a GPU */
    cudnnBackendDescriptor_t device; /* the description; else NULL */
    sg_cudnn_plan *plans;            /* all that were asked for, owned */
};

struct sg_cudnn_plan {
    sg_cudnn *cudnn;     /* borrowed */
    sg_cudnn_plan *next; /* in cudnn->plans */
    sg_conv_request request;
    sg_cudnn_graph graph;
    /* what the plan was made from, kept as long as it: a configuration; of a transplanted one also
     * the engine and its knobs */
    cudnnBackendDescriptor_t config, engine, knob[CUDNN_KNOB_TYPE_COUNTS];
    cudnnBackendDescriptor_t plan;
    size_t workspace_bytes;
    cudnnBackendDescriptor_t pack; /* of the pointers of the last run; NULL at first */
    const void *pointer[4], *workspace;
};

/* ---- the library ---- */

static sg_err check(cudnnStatus_t status, const char *what)
{
    char text[256] = "";
    if (status == CUDNN_STATUS_SUCCESS)
        return SG_OK;
    cudnnGetLastErrorString(text, sizeof text);
    text[strcspn(text, "\n")] = 0;
    return sg_fail(SG_EINTERNAL, "cuDNN: %s: %s%s%s", what, cudnnGetErrorString(status),
                   text[0] ? ": " : "", text);
}

static void destroy(cudnnBackendDescriptor_t descriptor)
{
    if (descriptor)
        cudnnBackendDestroyDescriptor(descriptor);
}

static void drop_config(sg_cudnn_plan *p)
{
    destroy(p->config);
    destroy(p->engine);
    for (int i = 0; i < CUDNN_KNOB_TYPE_COUNTS; i++)
        destroy(p->knob[i]);
    p->config = p->engine = NULL;
    memset(p->knob, 0, sizeof p->knob);
}

static void free_plan(sg_cudnn_plan *p)
{
    if (!p)
        return;
    destroy(p->pack);
    destroy(p->plan);
    drop_config(p);
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
    destroy(cudnn->device);
    if (cudnn->handle)
        cudnnDestroy(cudnn->handle);
    sg_free(cudnn);
}

sg_err sg_cudnn_open(cudaStream_t stream, sg_cudnn **cudnn)
{
    sg_cudnn *made = NULL;
    *cudnn = NULL;
    sg_err err = sg_calloc(1, sizeof *made, &made);
    if (err)
        return err;
    err = check(cudnnCreate(&made->handle), "it cannot be opened");
    if (!err)
        err = check(cudnnSetStream(made->handle, stream), "it does not take the stream");
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
    err = check(status, "the description of a GPU is not taken");
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

/* ---- choosing an engine ---- */

static cudnnStatus_t get_part(cudnnBackendDescriptor_t from, cudnnBackendAttributeName_t name,
                              int64_t most, int64_t *count, cudnnBackendDescriptor_t *parts)
{
    return cudnnBackendGetAttribute(from, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, most, count, parts);
}

static cudnnStatus_t set_part(cudnnBackendDescriptor_t to, cudnnBackendAttributeName_t name,
                              int64_t count, const cudnnBackendDescriptor_t *parts)
{
    return cudnnBackendSetAttribute(to, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, count, parts);
}

/* Where there is no handle to ask: which GPU it is for. */
static cudnnStatus_t set_device(const sg_cudnn_plan *p, cudnnBackendDescriptor_t to,
                                cudnnBackendAttributeName_t name)
{
    return p->cudnn->device ? set_part(to, name, 1, &p->cudnn->device) : CUDNN_STATUS_SUCCESS;
}

static bool note_allowed(cudnnBackendNumericalNote_t note, const sg_conv_request *r)
{
    bool exact = r->type == SG_F32 && !r->tf32;
    switch (note) {
    case CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC:
    case CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION:
    case CUDNN_NUMERICAL_NOTE_FFT:
    case CUDNN_NUMERICAL_NOTE_WINOGRAD:
    case CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_4x4:
    case CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_6x6:
    case CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_13x13:
        return false;
    case CUDNN_NUMERICAL_NOTE_TENSOR_CORE: /* f32 on tensor cores is tf32 */
    case CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS:
        return !exact;
    default:
        return true;
    }
}

/* Whether the configuration's engine holds the contract. */
static bool engine_allowed(cudnnBackendDescriptor_t config, const sg_conv_request *r)
{
    cudnnBackendNumericalNote_t note[CUDNN_NUMERICAL_NOTE_TYPE_COUNT];
    cudnnBackendDescriptor_t engine = NULL;
    int64_t count = 0;
    if (cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINE_DESCRIPTOR, &engine))
        return false;
    bool allowed = !get_part(config, CUDNN_ATTR_ENGINECFG_ENGINE, 1, &count, &engine) &&
                   cudnnBackendGetAttribute(
                       engine, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE,
                       CUDNN_NUMERICAL_NOTE_TYPE_COUNT, &count, note) == CUDNN_STATUS_SUCCESS;
    for (int64_t i = 0; allowed && i < count; i++)
        allowed = note_allowed(note[i], r);
    cudnnBackendDestroyDescriptor(engine);
    return allowed;
}

/* A plan from a configuration, in p->plan; false when it does not build or wants too much. */
static bool build_plan(sg_cudnn_plan *p, cudnnBackendDescriptor_t config)
{
    int64_t bytes = 0, count = 0;
    cudnnBackendDescriptor_t plan = NULL;
    if (cudnnBackendCreateDescriptor(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, &plan))
        return false;
    bool built =
        (p->cudnn->handle ? !cudnnBackendSetAttribute(plan, CUDNN_ATTR_EXECUTION_PLAN_HANDLE,
                                                      CUDNN_TYPE_HANDLE, 1, &p->cudnn->handle)
                          : !set_device(p, plan, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP)) &&
        !set_part(plan, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, 1, &config) &&
        cudnnBackendFinalize(plan) == CUDNN_STATUS_SUCCESS &&
        cudnnBackendGetAttribute(plan, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64,
                                 1, &count, &bytes) == CUDNN_STATUS_SUCCESS &&
        bytes <= most_workspace(&p->request.geometry);
    if (!built) {
        cudnnBackendDestroyDescriptor(plan);
        return false;
    }
    p->plan = plan;
    p->workspace_bytes = (size_t)bytes;
    return true;
}

/* Space for the knobs of an engine; cuDNN fills the first of them. */
static int make_knobs(cudnnBackendDescriptor_t *knob)
{
    int made = 0;
    while (made < CUDNN_KNOB_TYPE_COUNTS &&
           !cudnnBackendCreateDescriptor(CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR, &knob[made]))
        made++;
    return made;
}

/* Which engine a configuration is of. */
static bool index_of(cudnnBackendDescriptor_t config, int64_t *index)
{
    cudnnBackendDescriptor_t engine = NULL;
    int64_t count = 0;
    bool found = !cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINE_DESCRIPTOR, &engine) &&
                 !get_part(config, CUDNN_ATTR_ENGINECFG_ENGINE, 1, &count, &engine) &&
                 !cudnnBackendGetAttribute(engine, CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64,
                                           1, &count, index);
    destroy(engine);
    return found;
}

/* p->config: the engine of another graph's configuration, with the same knobs, for p's graph. */
static bool transplant(sg_cudnn_plan *p, cudnnBackendDescriptor_t config)
{
    int64_t index = 0, knobs = 0;
    int most = make_knobs(p->knob);
    return index_of(config, &index) &&
           !get_part(config, CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, most, &knobs, p->knob) &&
           !cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINE_DESCRIPTOR, &p->engine) &&
           !set_part(p->engine, CUDNN_ATTR_ENGINE_OPERATION_GRAPH, 1, &p->graph.graph) &&
           !set_device(p, p->engine, CUDNN_ATTR_ENGINE_DEVICEPROP) &&
           !cudnnBackendSetAttribute(p->engine, CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64, 1,
                                     &index) &&
           !cudnnBackendFinalize(p->engine) &&
           !cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, &p->config) &&
           !set_part(p->config, CUDNN_ATTR_ENGINECFG_ENGINE, 1, &p->engine) &&
           (knobs == 0 ||
            !set_part(p->config, CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, knobs, p->knob)) &&
           !cudnnBackendFinalize(p->config);
}

/* A plan for p's graph from a configuration that was proposed for `proposed`; the configuration is
 * taken over (NULL after) where the plan keeps it. */
static bool use(sg_cudnn_plan *p, const sg_conv_request *r, cudnnBackendDescriptor_t *config,
                const sg_cudnn_graph *proposed)
{
    if (!engine_allowed(*config, r))
        return false;
    if (proposed == &p->graph) {
        p->config = *config;
        *config = NULL;
    }
    bool used = (p->config || transplant(p, *config)) && build_plan(p, p->config);
    if (!used)
        drop_config(p);
    return used;
}

/* The engines that one mode of the heuristics proposes for a graph, best first, until one will do.
 */
static bool try_mode(sg_cudnn_plan *p, const sg_conv_request *r, const sg_cudnn_graph *for_graph,
                     cudnnBackendHeurMode_t mode)
{
    cudnnBackendDescriptor_t config[MOST_CONFIGS] = {0}, heuristics = NULL;
    int64_t count = 0;
    int made = 0;
    bool found = false;
    while (made < MOST_CONFIGS &&
           !cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, &config[made]))
        made++;
    if (!cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR, &heuristics) &&
        !set_part(heuristics, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, 1, &for_graph->graph) &&
        !set_device(p, heuristics, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP) &&
        !cudnnBackendSetAttribute(heuristics, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1,
                                  &mode) &&
        !cudnnBackendFinalize(heuristics) &&
        !get_part(heuristics, CUDNN_ATTR_ENGINEHEUR_RESULTS, made, &count, config))
        for (int64_t i = 0; !found && i < count && i < made; i++)
            found = use(p, r, &config[i], for_graph);
    for (int i = 0; i < made; i++)
        destroy(config[i]);
    destroy(heuristics);
    return found;
}

static bool try_graph(sg_cudnn_plan *p, const sg_conv_request *r, const sg_cudnn_graph *for_graph)
{
    return for_graph->status == CUDNN_STATUS_SUCCESS &&
           (try_mode(p, r, for_graph, CUDNN_HEUR_MODE_A) ||
            try_mode(p, r, for_graph, CUDNN_HEUR_MODE_FALLBACK));
}

/* The same convolution at the size that such a layer usually has: a function of the channels and
 * the window alone. False where the padding leaves nothing. */
static bool usual_size(const sg_conv_request *r, sg_conv_request *usual)
{
    sg_conv_geometry *g = &usual->geometry;
    *usual = *r;
    int64_t side = sg_max64(32, sg_min64(512, 32768 / g->small.c));
    g->big.n = g->small.n = 1;
    g->small.h = g->small.w = side;
    g->big.h = (side - 1) * g->stride_h + g->dilation_h * (g->kernel_h - 1) + 1 - 2 * g->pad_h;
    g->big.w = (side - 1) * g->stride_w + g->dilation_w * (g->kernel_w - 1) + 1 - 2 * g->pad_w;
    return g->big.h > 0 && g->big.w > 0;
}

/* An engine that is chosen without looking at the size of the batch or of the tile. */
static bool try_usual_size(sg_cudnn_plan *p, const sg_conv_request *r)
{
    sg_conv_request usual;
    sg_cudnn_graph graph;
    if (!usual_size(r, &usual))
        return false;
    sg_cudnn_graph_make(p->cudnn->handle, &usual, &graph);
    bool found = try_graph(p, r, &graph);
    sg_cudnn_graph_clear(&graph);
    return found;
}

/* A graph that cuDNN does not take is no failure; a library that does not work is. */
static sg_err refusal(cudnnStatus_t status)
{
    int category = CUDNN_STATUS_CATEGORY((int)status);
    if (status == CUDNN_STATUS_SUCCESS || category == CUDNN_STATUS_BAD_PARAM ||
        category == CUDNN_STATUS_NOT_SUPPORTED)
        return sg_fail(SG_EUNSUPPORTED, "cuDNN has no engine for this convolution");
    return check(status, "a convolution cannot be described");
}

/* p->plan stays NULL where cuDNN refuses: that is remembered, too. */
static sg_err make_plan(sg_cudnn_plan *p)
{
    const sg_conv_request *r = &p->request;
    sg_cudnn_graph_make(p->cudnn->handle, r, &p->graph);
    if (p->graph.status == CUDNN_STATUS_SUCCESS &&
        ((r->steady && try_usual_size(p, r)) || try_graph(p, r, &p->graph)))
        return SG_OK;
    sg_err err = refusal(p->graph.status);
    return err == SG_EUNSUPPORTED ? SG_OK : err;
}

static sg_err add_plan(sg_cudnn *cudnn, const sg_conv_request *request, sg_cudnn_plan **plan)
{
    sg_cudnn_plan *p = NULL;
    sg_err err = sg_calloc(1, sizeof *p, &p);
    if (err)
        return err;
    p->cudnn = cudnn;
    p->request = *request;
    err = make_plan(p);
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
    return index_of(p->config, &index) ? index : -1;
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
    static const int64_t ids[] = {SG_CUDNN_A, SG_CUDNN_B, SG_CUDNN_RESULT, SG_CUDNN_BIAS};
    const int64_t count = pointer[3] ? 4 : 3;
    destroy(p->pack);
    p->pack = NULL;
    cudnnStatus_t status =
        cudnnBackendCreateDescriptor(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, &p->pack);
    if (!status)
        status = cudnnBackendSetAttribute(p->pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS,
                                          CUDNN_TYPE_INT64, count, ids);
    if (!status)
        status = cudnnBackendSetAttribute(p->pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS,
                                          CUDNN_TYPE_VOID_PTR, count, pointer);
    if (!status)
        status = cudnnBackendSetAttribute(p->pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE,
                                          CUDNN_TYPE_VOID_PTR, 1, &workspace);
    if (!status)
        status = cudnnBackendFinalize(p->pack);
    memcpy(p->pointer, pointer, sizeof p->pointer);
    p->workspace = workspace;
    if (status) {
        destroy(p->pack);
        p->pack = NULL;
    }
    return check(status, "pointers cannot be given to a convolution");
}

sg_err sg_cudnn_plan_run(sg_cudnn_plan *p, const void *a, const void *b, const float *bias,
                         void *result, void *workspace)
{
    const void *const pointer[] = {a, b, result, bias};
    sg_err err = is_packed(p, pointer, workspace) ? SG_OK : repack(p, pointer, workspace);
    return err ? err
               : check(cudnnBackendExecute(p->cudnn->handle, p->plan, p->pack),
                       "a convolution failed");
}
