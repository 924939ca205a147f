/* The rules as the build has read them. */
#include "rewrite/pattern.h"

#include "rewrite/rules.inc"
