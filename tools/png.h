/* A picture as PNG: 8-bit RGB. [local] */
#ifndef SG_TOOLS_PNG_H
#define SG_TOOLS_PNG_H

#include <stdint.h>
#include "base/error.h"

/* pixels: (height, width, 3). Written whole or not at all. SG_EOUTPUT names the file. */
sg_err png_write(const char *path, const uint8_t *pixels, uint32_t width, uint32_t height);

#endif
