/* The fields of a term of train.loss, for the job's table. */
#ifndef SG_JOBS_JOB_LOSS_H
#define SG_JOBS_JOB_LOSS_H

#include "base/yaml.h"

extern const sg_yaml_field sg_job_term_fields[];

#endif
