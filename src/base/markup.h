/*
 * Text for HTML and SVG: escapes and data addresses. [local]
 */
#ifndef SG_BASE_MARKUP_H
#define SG_BASE_MARKUP_H

#include <stdint.h>
#include "base/text.h"

/* Add value as text or inside a quoted attribute: & < > " ' as references; what is no UTF-8, and
 * control characters that HTML forbids, as U+FFFD. */
sg_err sg_text_add_html(sg_text *text, const char *value);
/* Add bytes in base 64, padded. */
sg_err sg_text_add_base64(sg_text *text, const uint8_t *data, size_t bytes);

#endif
