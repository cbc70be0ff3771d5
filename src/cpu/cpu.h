/*
 * The CPU backend: oneDNN for convolutions, plain vectorised loops around them. The only module
 * with dnnl.h. Convolutions' differences between oneDNN 2.x and 3.x are kept in dnnl_api.h. [local]
 *
 * Results do not depend on the batch size or on where a tile lies (exact tiling rests on this), and
 * for a given number of threads two runs give the same bits. Memory is ordinary host memory.
 */
#ifndef SG_CPU_CPU_H
#define SG_CPU_CPU_H

#include "nn/backend.h"

/* threads: how many to compute with, at least 1. */
sg_err sg_cpu_open(sg_backend **backend, int threads);

#endif
