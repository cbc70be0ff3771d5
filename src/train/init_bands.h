/* A first layer's weights for other bands: each band a mix of the file's channels. Private to
 * train. [local] */
#ifndef SG_TRAIN_INIT_BANDS_H
#define SG_TRAIN_INIT_BANDS_H

#include "train/init.h"

/* mix[bands][channels], sg_free: the sum of what each band takes of each channel is such that
 * results keep their size. SG_EUSAGE: roles that do not fit. */
sg_err sg_init_bands_mix(const sg_init_options *options, int32_t bands, int32_t channels,
                         float **mix);
/* to[rows][bands] from from[rows][channels]. */
void sg_init_bands_apply(const float *mix, size_t rows, int32_t channels, const float *from,
                         int32_t bands, float *to);

#endif
