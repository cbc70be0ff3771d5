/* The backends that this build has. CMake says which are linked; nothing else differs by build. */
#include "op/harness.h"

#include <string.h>
#ifdef SEGTILES_HAVE_CPU
#include "cpu/cpu.h"
#endif

const char *const op_backend_names[] = {
    "reference",
#ifdef SEGTILES_HAVE_CPU
    "cpu",
#endif
};

const size_t op_backend_count = sizeof op_backend_names / sizeof *op_backend_names;

sg_err op_backend_open(const char *name, sg_backend **backend)
{
#ifdef SEGTILES_HAVE_CPU
    if (strcmp(name, "cpu") == 0)
        return sg_cpu_open(backend, 2);
#endif
    if (strcmp(name, "reference") == 0)
        return sg_reference_open(backend);
    return sg_fail(SG_EUSAGE, "there is no backend \"%s\" in this build", name);
}
