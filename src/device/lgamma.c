/* lgamma without the global signgam. */
#define _DEFAULT_SOURCE /* lgamma_r */
#include <math.h>

#include "device/special.h"

double special_lgamma(double x) {
    int sign;
    return lgamma_r(x, &sign);
}
