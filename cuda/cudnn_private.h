/*
 * What the files around cuDNN's plans share: cudnn_plan.c keeps and runs them, cudnn_choice.c finds
 * the engines that may be taken, cudnn_tune.c times the best of these. They and cudnn_graph.c alone
 * include cudnn.h. [local]
 */
#ifndef SG_CUDA_CUDNN_PRIVATE_H
#define SG_CUDA_CUDNN_PRIVATE_H

#include "base/text.h"
#include "cuda/cudnn_graph.h"
#include "cuda/plan_cache.h"

enum { SG_CUDNN_CONFIGS = 128 };

typedef enum { SG_TUNE_OFF, SG_TUNE_SAME, SG_TUNE_FREE } sg_tune;

struct sg_cudnn {
    sg_cuda *cuda;                   /* borrowed; NULL where there is only a description of a GPU */
    cudnnHandle_t handle;            /* NULL there, too */
    cudnnBackendDescriptor_t device; /* the description; else NULL */
    sg_cudnn_plan *plans;            /* all that were asked for, owned */
    sg_tune tune;
    char chip[256];       /* what a measured choice depends on besides the convolution */
    sg_plan_cache *cache; /* owned; NULL: nothing is timed */
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
    const void *pointer[5], *workspace;
};

/* Configurations that the heuristics propose for a graph, best first; only those that hold the
 * contract. */
typedef struct {
    cudnnBackendDescriptor_t config[SG_CUDNN_CONFIGS]; /* owned */
    int made, count; /* descriptors; those of them that are proposals, in front */
} sg_cudnn_proposals;

cudnnStatus_t sg_cudnn_get_part(cudnnBackendDescriptor_t from, cudnnBackendAttributeName_t name,
                                int64_t most, int64_t *count, cudnnBackendDescriptor_t *parts);
cudnnStatus_t sg_cudnn_set_part(cudnnBackendDescriptor_t to, cudnnBackendAttributeName_t name,
                                int64_t count, const cudnnBackendDescriptor_t *parts);
void sg_cudnn_destroy(cudnnBackendDescriptor_t descriptor); /* NULL is fine */
sg_err sg_cudnn_check(cudnnStatus_t status, const char *what);

/* What one mode of the heuristics proposes for the graph of a request. */
void sg_cudnn_propose(const sg_cudnn *cudnn, const sg_conv_request *request,
                      const sg_cudnn_graph *graph, cudnnBackendHeurMode_t mode,
                      sg_cudnn_proposals *found);
void sg_cudnn_proposals_clear(sg_cudnn_proposals *found);
/* p->plan for p->request, NULL where cuDNN refuses. */
sg_err sg_cudnn_choose(sg_cudnn_plan *p);
/* A plan from a configuration, in p->plan; false when it does not build or wants too much. */
bool sg_cudnn_build(sg_cudnn_plan *p, cudnnBackendDescriptor_t config);
void sg_cudnn_drop_config(sg_cudnn_plan *p);
/* Space for the knobs of an engine, all of CUDNN_KNOB_TYPE_COUNTS; cuDNN fills the first of them.
 * Their number. */
int sg_cudnn_make_knobs(cudnnBackendDescriptor_t *knob);
/* Which engine a configuration is of. */
bool sg_cudnn_engine_of(cudnnBackendDescriptor_t config, int64_t *index);
/* Put the fastest proposal for a request to the front, as measured or remembered; what is timed
 * and what is passed over: cudnn_plan.h. Where nothing can be timed the order stays. */
void sg_cudnn_prefer(sg_cudnn *cudnn, const sg_conv_request *request, sg_cudnn_proposals *found);
/* The line under which a choice is kept. */
sg_err sg_cudnn_key(const sg_cudnn *cudnn, const sg_conv_request *request, sg_text *key);
/* A configuration's engine and knobs: "12 1=2 5=0". False when cuDNN does not tell. name:
 * SG_PLAN_CHOICE_MAX bytes. */
bool sg_cudnn_name(cudnnBackendDescriptor_t config, char *name);
/* SEGTILES_TUNE; SG_EUSAGE when it is none of the words. */
sg_err sg_cudnn_tune_wish(sg_tune *tune);

#endif
