/* chainrule ops: the op table. */
#include <stdio.h>
#include <string.h>

#include "cli.h"

static int print_op(int i, bool kind) {
    printf("%s(%s)\n    %s\n", cr_op_name(i), cr_op_signature(i), cr_op_help(i));
    if (kind) printf("    %s\n", cr_op_kind(i));
    return EXIT_DONE;
}

int run_ops(struct arguments *a) {
    cr_text *t = NULL;
    if (a->manual) {
        if (cr_text_new(&t, NULL) || cr_op_manual(t)) return cr_text_free(t), fail("out of memory");
        print_text(t);
        cr_text_free(t);
        return EXIT_DONE;
    }
    for (int i = 0; cr_op_name(i); i++) {
        if (!a->formula) print_op(i, false);
        else if (strcmp(cr_op_name(i), a->formula) == 0) return print_op(i, true);
    }
    return a->formula ? fail("there is no op '%s'", a->formula) : EXIT_DONE;
}
