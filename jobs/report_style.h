/* The CSS of a report's page. [local] */
#ifndef SG_JOBS_REPORT_STYLE_H
#define SG_JOBS_REPORT_STYLE_H

extern const char sg_report_style[];

#endif
