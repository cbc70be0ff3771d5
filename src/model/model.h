/*
 * Networks: functions that build a graph. No number is computed here. May include: base, nn.
 * [local]
 *
 * Encoders bear torchvision's names of parameters behind "encoder.", so that its weights fit; what
 * follows them is named by what it does.
 */
#ifndef SG_MODEL_MODEL_H
#define SG_MODEL_MODEL_H

#include "nn/graph.h"

typedef enum { SG_UP_TRANSPOSED, SG_UP_BILINEAR } sg_up_kind;
typedef enum { SG_NORM_BATCH, SG_NORM_GROUP } sg_norm_kind;

/* What is 0 or "" is the network's own choice. */
typedef struct {
    char net[32];          /* one of sg_model_names */
    int32_t bands;         /* input channels */
    int32_t classes;       /* output channels, at most SG_MAX_CLASSES */
    int32_t depth;         /* down-samplings of a U-Net without encoder: 1 .. 6 (4) */
    int32_t width;         /* channels: U-Net at full resolution (32), others of their head */
    float dropout;         /* before the last convolution */
    char encoder[16];      /* "resnet18" .. "resnet101"; U-Net: "" for its own */
    int32_t output_stride; /* of a ResNet under DeepLab, FCN, PSPNet: 8, 16 or 32 */
    int32_t rates[3];      /* dilations of DeepLab's pyramid (6 12 18; twice that at stride 8) */
    int32_t pool;          /* window of image pooling, input pixels; -1: the whole tile */
    int32_t up;            /* sg_up_kind of U-Nets */
    int32_t separable;     /* 1: U-Net of depthwise separable convolutions, light on CPUs */
    int32_t norm;          /* sg_norm_kind of all layers */
    int32_t groups; /* most groups of a group norm (32): the largest divisor of its channels */
    int32_t aux;    /* 1: auxiliary heads, for training alone */
    int32_t valid;  /* 1: U-Net as published, of convolutions without padding */
} sg_model_options;

/* "unet", 0 everywhere else. */
sg_model_options sg_model_defaults(void);
/* "NET,OPTION=VALUE,..." as users type it, e.g. "deeplabv3+,encoder=resnet50,rates=6:12:18", into
 * options, which keep what is not named. SG_EUSAGE. */
sg_err sg_model_parse(const char *text, sg_model_options *options);
/* Build options->net. SG_EUSAGE names the option that is wrong or the networks that exist. */
sg_err sg_model_build(const sg_model_options *options, sg_graph **graph);
/* Space-separated names of all networks, and of all encoders. */
const char *sg_model_names(void);
const char *sg_model_encoders(void);

#endif
