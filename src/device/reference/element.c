/* The oracle's elementwise kernels: those of the executor, but with the C library's functions. */
#define OF_THE_C_LIBRARY
#include "device/cpu/element.h"

#include "device/cpu/element.inc"

element_fn *element_reference(int op, cr_dtype dtype) { return find_element(op, dtype); }
