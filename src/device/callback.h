/* What a callback of the host's sees. */
#ifndef DEVICE_CALLBACK_H
#define DEVICE_CALLBACK_H

#include "graph/function.h"

/* Memory with the numbers of operand or result id of f, row-major, as a view. */
cr_tensor callback_tensor(const cr_function *f, uint32_t id, const void *data);

#endif
