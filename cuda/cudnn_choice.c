/*
 * Choosing what computes a convolution: the engines that cuDNN's heuristics propose, those of them
 * that hold our contract, and the first that builds; cudnn_tune.c may have put another in front.
 */
#include "cuda/cudnn_private.h"

/* The handle is given as every cuDNN 9 takes it; newer ones call that deprecated. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

/* Engines that change the layout first want a copy of each tensor. A limit that did not grow with
 * them would make the choice of the engine depend on the size. */
static int64_t most_workspace(const sg_conv_geometry *g)
{
    size_t values = sg_shape_count(g->big) + sg_shape_count(g->small);
    return ((int64_t)1 << 30) + (int64_t)(2 * values * sizeof(float));
}

cudnnStatus_t sg_cudnn_get_part(cudnnBackendDescriptor_t from, cudnnBackendAttributeName_t name,
                                int64_t most, int64_t *count, cudnnBackendDescriptor_t *parts)
{
    return cudnnBackendGetAttribute(from, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, most, count, parts);
}

cudnnStatus_t sg_cudnn_set_part(cudnnBackendDescriptor_t to, cudnnBackendAttributeName_t name,
                                int64_t count, const cudnnBackendDescriptor_t *parts)
{
    return cudnnBackendSetAttribute(to, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, count, parts);
}

/* Where there is no handle to ask: which GPU it is for. */
static cudnnStatus_t set_device(const sg_cudnn *cudnn, cudnnBackendDescriptor_t to,
                                cudnnBackendAttributeName_t name)
{
    return cudnn->device ? sg_cudnn_set_part(to, name, 1, &cudnn->device) : CUDNN_STATUS_SUCCESS;
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

/* What a configuration's engine says of itself; their number, -1 when it does not. */
static int64_t notes_of(cudnnBackendDescriptor_t config, cudnnBackendNumericalNote_t *note)
{
    cudnnBackendDescriptor_t engine = NULL;
    int64_t count = 0;
    if (cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINE_DESCRIPTOR, &engine))
        return -1;
    bool told = !sg_cudnn_get_part(config, CUDNN_ATTR_ENGINECFG_ENGINE, 1, &count, &engine) &&
                !cudnnBackendGetAttribute(engine, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE,
                                          CUDNN_TYPE_NUMERICAL_NOTE,
                                          CUDNN_NUMERICAL_NOTE_TYPE_COUNT, &count, note);
    sg_cudnn_destroy(engine);
    return told ? count : -1;
}

/* Whether the configuration's engine holds the contract. */
static bool engine_allowed(cudnnBackendDescriptor_t config, const sg_conv_request *r)
{
    cudnnBackendNumericalNote_t note[CUDNN_NUMERICAL_NOTE_TYPE_COUNT];
    int64_t count = notes_of(config, note);
    bool allowed = count >= 0;
    for (int64_t i = 0; allowed && i < count; i++)
        allowed = note_allowed(note[i], r);
    return allowed;
}

bool sg_cudnn_plan_rounds(const sg_cudnn_plan *p)
{
    cudnnBackendNumericalNote_t note[CUDNN_NUMERICAL_NOTE_TYPE_COUNT];
    int64_t count = notes_of(p->config, note);
    bool rounds = false;
    for (int64_t i = 0; i < count; i++)
        rounds = rounds || note[i] == CUDNN_NUMERICAL_NOTE_TENSOR_CORE ||
                 note[i] == CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS;
    return p->request.type == SG_F32 && rounds;
}

/* A plan from a configuration, in p->plan; false when it does not build or wants too much. */
bool sg_cudnn_build(sg_cudnn_plan *p, cudnnBackendDescriptor_t config)
{
    int64_t bytes = 0, count = 0;
    cudnnBackendDescriptor_t plan = NULL;
    if (cudnnBackendCreateDescriptor(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, &plan))
        return false;
    bool built =
        (p->cudnn->handle ? !cudnnBackendSetAttribute(plan, CUDNN_ATTR_EXECUTION_PLAN_HANDLE,
                                                      CUDNN_TYPE_HANDLE, 1, &p->cudnn->handle)
                          : !set_device(p->cudnn, plan, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP)) &&
        !sg_cudnn_set_part(plan, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, 1, &config) &&
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
int sg_cudnn_make_knobs(cudnnBackendDescriptor_t *knob)
{
    int made = 0;
    while (made < CUDNN_KNOB_TYPE_COUNTS &&
           !cudnnBackendCreateDescriptor(CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR, &knob[made]))
        made++;
    return made;
}

/* Which engine a configuration is of. */
bool sg_cudnn_engine_of(cudnnBackendDescriptor_t config, int64_t *index)
{
    cudnnBackendDescriptor_t engine = NULL;
    int64_t count = 0;
    bool found = !cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINE_DESCRIPTOR, &engine) &&
                 !sg_cudnn_get_part(config, CUDNN_ATTR_ENGINECFG_ENGINE, 1, &count, &engine) &&
                 !cudnnBackendGetAttribute(engine, CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64,
                                           1, &count, index);
    sg_cudnn_destroy(engine);
    return found;
}

/* p->config: the engine of another graph's configuration, with the same knobs, for p's graph. */
static bool transplant(sg_cudnn_plan *p, cudnnBackendDescriptor_t config)
{
    int64_t index = 0, knobs = 0;
    int most = sg_cudnn_make_knobs(p->knob);
    return sg_cudnn_engine_of(config, &index) &&
           !sg_cudnn_get_part(config, CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, most, &knobs, p->knob) &&
           !cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINE_DESCRIPTOR, &p->engine) &&
           !sg_cudnn_set_part(p->engine, CUDNN_ATTR_ENGINE_OPERATION_GRAPH, 1, &p->graph.graph) &&
           !set_device(p->cudnn, p->engine, CUDNN_ATTR_ENGINE_DEVICEPROP) &&
           !cudnnBackendSetAttribute(p->engine, CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64, 1,
                                     &index) &&
           !cudnnBackendFinalize(p->engine) &&
           !cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, &p->config) &&
           !sg_cudnn_set_part(p->config, CUDNN_ATTR_ENGINECFG_ENGINE, 1, &p->engine) &&
           (knobs == 0 ||
            !sg_cudnn_set_part(p->config, CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, knobs, p->knob)) &&
           !cudnnBackendFinalize(p->config);
}

/* A plan for p's graph from a configuration that was proposed for `proposed`; the configuration is
 * taken over (NULL after) where the plan keeps it. */
static bool use(sg_cudnn_plan *p, cudnnBackendDescriptor_t *config, const sg_cudnn_graph *proposed)
{
    if (proposed == &p->graph) {
        p->config = *config;
        *config = NULL;
    }
    bool used = (p->config || transplant(p, *config)) && sg_cudnn_build(p, p->config);
    if (!used)
        sg_cudnn_drop_config(p);
    return used;
}

/* Those that hold the contract move to the front, in their order. */
static void keep_allowed(sg_cudnn_proposals *found, const sg_conv_request *r, int proposed)
{
    for (int i = 0; i < proposed; i++)
        if (engine_allowed(found->config[i], r)) {
            cudnnBackendDescriptor_t allowed = found->config[i];
            found->config[i] = found->config[found->count];
            found->config[found->count++] = allowed;
        }
}

void sg_cudnn_propose(const sg_cudnn *cudnn, const sg_conv_request *r,
                      const sg_cudnn_graph *for_graph, cudnnBackendHeurMode_t mode,
                      sg_cudnn_proposals *found)
{
    cudnnBackendDescriptor_t heuristics = NULL;
    int64_t count = 0;
    *found = (sg_cudnn_proposals){0};
    while (found->made < SG_CUDNN_CONFIGS &&
           !cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR,
                                         &found->config[found->made]))
        found->made++;
    if (!cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR, &heuristics) &&
        !sg_cudnn_set_part(heuristics, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, 1,
                           &for_graph->graph) &&
        !set_device(cudnn, heuristics, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP) &&
        !cudnnBackendSetAttribute(heuristics, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1,
                                  &mode) &&
        !cudnnBackendFinalize(heuristics) &&
        !sg_cudnn_get_part(heuristics, CUDNN_ATTR_ENGINEHEUR_RESULTS, found->made, &count,
                           found->config))
        keep_allowed(found, r, (int)sg_min64(count, found->made));
    sg_cudnn_destroy(heuristics);
}

void sg_cudnn_proposals_clear(sg_cudnn_proposals *found)
{
    for (int i = 0; i < found->made; i++)
        sg_cudnn_destroy(found->config[i]);
    *found = (sg_cudnn_proposals){0};
}

/* The proposals for a graph, which is that of request r, until one will do. */
static bool try_mode(sg_cudnn_plan *p, const sg_conv_request *r, const sg_cudnn_graph *for_graph,
                     cudnnBackendHeurMode_t mode)
{
    sg_cudnn_proposals found;
    bool used = false;
    sg_cudnn_propose(p->cudnn, r, for_graph, mode, &found);
    sg_cudnn_prefer(p->cudnn, r, &found);
    for (int i = 0; !used && i < found.count; i++)
        used = use(p, &found.config[i], for_graph);
    sg_cudnn_proposals_clear(&found);
    return used;
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
    bool found = try_graph(p, &usual, &graph);
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
    return sg_cudnn_check(status, "a convolution cannot be described");
}

/* The engine for the same tensors without gaps, for these. */
static sg_err choose_with_gaps(sg_cudnn_plan *p)
{
    sg_conv_request dense = p->request;
    sg_cudnn_plan *without = NULL;
    dense.big_pitch = dense.small_pitch = 0;
    dense.added = dense.added ? dense.geometry.small.c : 0;
    sg_err err = sg_cudnn_plan_get(p->cudnn, &dense, &without);
    if (err)
        return err == SG_EUNSUPPORTED ? SG_OK : err;
    sg_cudnn_graph_make(p->cudnn->handle, &p->request, &p->graph);
    if (p->graph.status == CUDNN_STATUS_SUCCESS &&
        !(transplant(p, without->config) && sg_cudnn_build(p, p->config)))
        sg_cudnn_drop_config(p);
    return SG_OK;
}

/* p->plan stays NULL where cuDNN refuses: that is remembered, too. */
sg_err sg_cudnn_choose(sg_cudnn_plan *p)
{
    const sg_conv_request *r = &p->request;
    if (sg_conv_request_has_gaps(r))
        return choose_with_gaps(p);
    sg_cudnn_graph_make(p->cudnn->handle, r, &p->graph);
    if (p->graph.status == CUDNN_STATUS_SUCCESS &&
        ((r->steady && try_usual_size(p, r)) || try_graph(p, r, &p->graph)))
        return SG_OK;
    sg_err err = refusal(p->graph.status);
    return err == SG_EUNSUPPORTED ? SG_OK : err;
}
