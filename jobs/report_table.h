/* Tables of a report's page. [local] */
#ifndef SG_JOBS_REPORT_TABLE_H
#define SG_JOBS_REPORT_TABLE_H

#include "data/classes.h"

/* Begin a table that scrolls by itself where the page is narrow. label: what it is, for who cannot
 * see it. column: their names, NULL-terminated, of HTML; those behind the first `words` are of
 * numbers. */
sg_err sg_report_begin_table(const char *id, const char *label, const char *const *column,
                             int words, sg_text *html);
sg_err sg_report_end_table(sg_text *html);
/* A row's head: a class's colour and name. */
sg_err sg_report_begin_row(const sg_class *class, sg_text *html);
/* A class's name behind its colour. */
sg_err sg_report_add_class(const sg_class *class, sg_text *html);
/* A whole number, in groups of three digits. */
sg_err sg_report_add_count(int64_t count, sg_text *html);

#endif
