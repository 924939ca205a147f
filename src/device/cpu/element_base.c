/* The elementwise and reducing kernels for the processor that the library was built for. */
#include "device/cpu/element.h"

#define FIND         element_base
#define FIND_FOLD    fold_base
#define FIND_EXTREME extreme_base
#define FIND_SCATTER scatter_base
#include "device/cpu/element.inc"
#include "device/cpu/fold.inc"
#include "device/cpu/extreme.inc"
#include "device/cpu/scatter.inc"
