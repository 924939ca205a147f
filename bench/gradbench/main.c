/* gradbench_chainrule [COMPILER]: answers GradBench's messages on standard input. With a compiler ("cc") loops are compiled, else run
 * by the built-in executor. */
#include "adapter.h"

#include <stdio.h>

int main(int argc, char **argv) {
    struct adapter a = {argc > 1 ? argv[1] : NULL};
    json_error_t why;
    for (;;) {
        json_t *message = json_loadf(stdin, JSON_DISABLE_EOF_CHECK, &why);
        if (!message) break;
        json_t *answer = adapter_answer(&a, message);
        json_dumpf(answer, stdout, JSON_COMPACT);
        putchar('\n');
        fflush(stdout);
        json_decref(answer);
        json_decref(message);
    }
    if (feof(stdin)) return 0;
    return fprintf(stderr, "gradbench_chainrule: expected a message of JSON: %s\n", why.text), 1;
}
