/* The elementwise and reducing kernels for the processor that the library was built for. */
#include "device/cpu/element.h"

#include "device/cpu/element.inc"
#include "device/cpu/fold.inc"
#include "device/cpu/extreme.inc"
#include "device/cpu/scatter.inc"
const struct kernel_set kernels_base = KERNEL_SET;
