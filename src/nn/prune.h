/*
 * What of a training graph makes its result. [local]
 */
#ifndef SG_NN_PRUNE_H
#define SG_NN_PRUNE_H

#include "nn/graph.h"

/* needed[n], [nodes]: the last node is made of node n; what is not serves auxiliary heads, or is
 * another loss. */
void sg_graph_find_needed(const sg_graph *graph, bool *needed);
/* Without the nodes that are not needed. */
sg_err sg_graph_prune(const sg_graph *graph, sg_graph **pruned);

#endif
