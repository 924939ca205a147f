/* The worked example by hand as a program of its own: start_reference W X Y prints dloss/dw of loss = (w*x - y)^2. What it takes is what
 * starting any process takes. */
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
    if (argc != 4) return fprintf(stderr, "usage: start_reference W X Y\n"), 2;
    double w = strtod(argv[1], NULL), x = strtod(argv[2], NULL), y = strtod(argv[3], NULL);
    printf("%.17g\n", 2 * (w * x - y) * x);
    return 0;
}
