/* Functions in the oracle. */
#ifndef DEVICE_REFERENCE_CONTROL_H
#define DEVICE_REFERENCE_CONTROL_H

#include "device/reference/reference.h"

/* Computes the parts of a control node, whose memory is there, all 0. */
cr_status reference_control(struct reference *r, uint32_t id);

#endif
