/* What the outputs of a prediction are called: all decided before any work. [local] */
#ifndef SG_JOBS_PREDICT_NAMES_H
#define SG_JOBS_PREDICT_NAMES_H

#include "jobs/predict.h"
#include "jobs/predict_inputs.h"

/* names: [inputs->count]; members: what one input is made of, or none. SG_EUSAGE: a name that is
 * wrong, or that two outputs would have, or a scene. */
sg_err sg_predict_name_all(const sg_predict_options *options, const sg_inputs *inputs,
                           const sg_inputs *members, sg_predict_names *names);

#endif
