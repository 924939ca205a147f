/* chainrule fit: parameters that minimise the loss. */
#include "cli.h"

int run_fit(struct arguments *a) {
    (void)a;
    return EXIT_FAILED;
}
