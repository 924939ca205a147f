/* The oracle's elementwise kernels: those of the executor, but with the C library's functions. */
#define OF_THE_C_LIBRARY
#define FIND element_reference
#include "device/cpu/element.h"

#include "device/cpu/element.inc"
