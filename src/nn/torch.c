#include "nn/torch.h"

#include <stdio.h>
#include <string.h>

static const char encoder[] = "encoder.";

bool sg_torch_is_encoder(const sg_param_info *info)
{
    return strncmp(info->name, encoder, sizeof encoder - 1) == 0;
}

void sg_torch_name(const sg_param_info *info, char name[SG_TORCH_NAME_MAX])
{
    static const char *const suffix[] = {
        [SG_PARAM_WEIGHT] = "weight",     [SG_PARAM_BIAS] = "bias",
        [SG_PARAM_SCALE] = "weight",      [SG_PARAM_SHIFT] = "bias",
        [SG_PARAM_MEAN] = "running_mean", [SG_PARAM_VARIANCE] = "running_var",
    };
    const char *start = info->name + (sg_torch_is_encoder(info) ? sizeof encoder - 1 : 0);
    const char *dot = strrchr(start, '.');
    int length = dot ? (int)(dot - start) : (int)strlen(start);
    snprintf(name, SG_TORCH_NAME_MAX, "%.*s.%s", length, start, suffix[info->kind]);
}

bool sg_torch_is_transposed(const sg_graph *graph, const sg_param_info *info)
{
    return info->dims == 4 && graph->node[info->node].op == SG_OP_conv_transpose;
}

void sg_torch_shape(bool transposed, const int64_t dim[4], int64_t torch[4])
{
    torch[0] = transposed ? dim[3] : dim[0];
    torch[1] = transposed ? dim[0] : dim[3];
    torch[2] = dim[1];
    torch[3] = dim[2];
}

/* Where the values of input channel 0 of (out o, pixel p) lie in PyTorch's order, and how far apart
 * those of the next input channels. */
typedef struct {
    size_t first, step;
} place;

static place place_of(bool transposed, const int64_t dim[4], size_t o, size_t p)
{
    size_t pixels = (size_t)(dim[1] * dim[2]), outputs = (size_t)dim[0], inputs = (size_t)dim[3];
    if (transposed)
        return (place){o * pixels + p, outputs * pixels};
    return (place){o * inputs * pixels + p, pixels};
}

void sg_torch_to(bool transposed, const int64_t dim[4], const float *ours, float *torch)
{
    for (size_t o = 0; o < (size_t)dim[0]; o++) {
        for (size_t p = 0; p < (size_t)(dim[1] * dim[2]); p++) {
            place at = place_of(transposed, dim, o, p);
            for (size_t i = 0; i < (size_t)dim[3]; i++)
                torch[at.first + i * at.step] = *ours++;
        }
    }
}

void sg_torch_from(bool transposed, const int64_t dim[4], const float *torch, float *ours)
{
    for (size_t o = 0; o < (size_t)dim[0]; o++) {
        for (size_t p = 0; p < (size_t)(dim[1] * dim[2]); p++) {
            place at = place_of(transposed, dim, o, p);
            for (size_t i = 0; i < (size_t)dim[3]; i++)
                *ours++ = torch[at.first + i * at.step];
        }
    }
}
