/* A sg_spec in a store, for checkpoints: items spec/... and classes/... [local] */
#ifndef SG_TRAIN_CHECKPOINT_SPEC_H
#define SG_TRAIN_CHECKPOINT_SPEC_H

#include "data/spec.h"
#include "data/store.h"

sg_err sg_spec_put(sg_store_file *store, const sg_spec *spec);
/* bands and classes: what the network takes and makes. SG_EINPUT, naming path, when the spec is not
 * sound or does not fit them. */
sg_err sg_spec_get(sg_store_file *store, const char *path, sg_spec *spec, int32_t bands,
                   int32_t classes);

#endif
