/* Options of ca-train as published runs had them, named PAPER/DATA/MODEL. Made at build from data/configs/. */
#ifndef CA_MODEL_CONFIGS_H
#define CA_MODEL_CONFIGS_H

#include "cli/config.h"

extern const struct ca_config ca_train_configs[]; /* ends with a NULL name */

#endif
