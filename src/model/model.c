#include "model/model.h"

#include <math.h>
#include <string.h>

typedef struct {
    const char *name;
    sg_err (*build)(const sg_model_options *options, sg_graph **graph);
} network;

static const network networks[] = {
    {"unet", sg_unet_build},
};

enum { MOST_BANDS = 65535 };

sg_model_options sg_model_defaults(void)
{
    return (sg_model_options){.net = "unet", .depth = 4, .width = 64};
}

const char *sg_model_names(void)
{
    return "unet";
}

static sg_err check(const sg_model_options *options)
{
    if (options->bands < 1 || options->bands > MOST_BANDS)
        return sg_fail(SG_EUSAGE, "a network of %d bands, must be 1 .. %d", (int)options->bands,
                       MOST_BANDS);
    if (options->classes < 2 || options->classes > SG_MAX_CLASSES)
        return sg_fail(SG_EUSAGE, "a network of %d classes, must be 2 .. %d", (int)options->classes,
                       SG_MAX_CLASSES);
    if (!(options->dropout >= 0 && options->dropout < 1))
        return sg_fail(SG_EUSAGE, "dropout is %g, must be at least 0 and less than 1",
                       (double)options->dropout);
    return SG_OK;
}

sg_err sg_model_build(const sg_model_options *options, sg_graph **graph)
{
    *graph = NULL;
    for (size_t i = 0; i < sizeof networks / sizeof *networks; i++) {
        if (strncmp(options->net, networks[i].name, sizeof options->net) != 0)
            continue;
        sg_err err = check(options);
        return err ? err : networks[i].build(options, graph);
    }
    return sg_fail(SG_EUSAGE, "the network \"%.*s\" is not known; there are: %s",
                   (int)sizeof options->net, options->net, sg_model_names());
}
