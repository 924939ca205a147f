/* The elementwise kernels for the processor that the library was built for. */
#define FIND element_base
#include "device/cpu/element.h"
#include "device/cpu/element.inc"
