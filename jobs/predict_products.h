/*
 * What is made of a finished mask: polygons, and the area of each class. Rank 0 does it when all
 * rasters have their names and before their spools go, so that a run that was killed meanwhile
 * needs no network to do it again. All [local].
 */
#ifndef SG_JOBS_PREDICT_PRODUCTS_H
#define SG_JOBS_PREDICT_PRODUCTS_H

#include "jobs/predict.h"

typedef struct {
    const sg_predict_names *names;
    const sg_georef *georef;
    const sg_class_table *classes;
    bool corners; /* of polygons: pixels that touch with one belong together */
} sg_products;

/* What of the options decides about the rasters, as lines of the journal: none by default. */
sg_err sg_products_journal(const sg_predict_options *options, sg_text *journal);
/* What rank 0 holds for them at the end, bytes, beside a few numbers for each patch. */
double sg_products_bytes(const sg_predict_options *options, int64_t width);
/* Can they be written? Before any work. SG_EOUTPUT. */
sg_err sg_products_check(const sg_predict_names *names);
/* SG_EOUTPUT names the file; nothing unfinished bears a final name. */
sg_err sg_products_make(const sg_products *products);

/* The area of each class of a mask as CSV; see docs/prediction.md. */
sg_err sg_areas_write(const char *path, const char *mask, const sg_class_table *classes,
                      const sg_georef *georef);

#endif
