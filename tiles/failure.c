#include "tiles/failure.h"

#include <stdio.h>

void sg_failure_keep(sg_failure *failure, sg_err code)
{
    if (failure->code != SG_OK || code == SG_OK)
        return;
    failure->code = code;
    snprintf(failure->text, sizeof failure->text, "%s", sg_error_text());
}

sg_err sg_failure_raise(const sg_failure *failure)
{
    if (failure->code == SG_OK || failure->code == SG_EPEER)
        return failure->code;
    return sg_fail(failure->code, "%s", failure->text);
}
