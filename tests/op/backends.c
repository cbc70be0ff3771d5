/* The backends that this build has. CMake says which are linked; nothing else differs by build. */
#include "op/harness.h"

#include <stdio.h>
#include <string.h>
#ifdef SEGTILES_HAVE_CPU
#include "cpu/cpu.h"
#endif
#ifdef SEGTILES_HAVE_CUDA
#include "cuda/cuda.h"
#endif

const char *const op_backend_names[] = {
    "reference",
#ifdef SEGTILES_HAVE_CPU
    "cpu",
#endif
#ifdef SEGTILES_HAVE_CUDA
    "cuda",
#endif
};

/* The last one may need hardware that is not here. */
size_t op_backend_count(void)
{
    static size_t count;
    sg_backend *last = NULL;
    if (count > 0)
        return count;
    count = sizeof op_backend_names / sizeof *op_backend_names;
    if (op_backend_open(op_backend_names[count - 1], &last) == SG_EUNSUPPORTED) {
        count--;
        fprintf(stderr, "skipped: %s\n", sg_error_text());
    }
    sg_backend_close(last);
    return count;
}

sg_err op_backend_open(const char *name, sg_backend **backend)
{
#ifdef SEGTILES_HAVE_CPU
    if (strcmp(name, "cpu") == 0)
        return sg_cpu_open(backend, 2);
#endif
#ifdef SEGTILES_HAVE_CUDA
    const sg_cuda_options options = {0};
    if (strcmp(name, "cuda") == 0)
        return sg_cuda_open(backend, &options);
#endif
    if (strcmp(name, "reference") == 0)
        return sg_reference_open(backend);
    return sg_fail(SG_EUSAGE, "there is no backend \"%s\" in this build", name);
}
