/* The op table as a list and as a manual. */
#include <string.h>

#include "ops/call.h"

/* The i-th row that users may call. */
static bool listed(int i, struct call_row *row) {
    for (int k = 0; call_row(k, row); k++)
        if (call_find(row->name, strlen(row->name)) == k && i-- == 0) return true;
    return false;
}

const char *cr_op_name(int i) {
    struct call_row row;
    return listed(i, &row) ? row.name : NULL;
}

const char *cr_op_help(int i) {
    struct call_row row;
    return listed(i, &row) ? row.sentence : NULL;
}

const char *cr_op_signature(int i) {
    struct call_row row;
    return listed(i, &row) ? row.arguments : NULL;
}

const char *cr_op_kind(int i) {
    struct call_row row;
    if (!listed(i, &row)) return NULL;
    if (row.op < 0) return "composite";
    switch (ops_row(row.op)->class) {
    case CLASS_SMOOTH: return "smooth";
    case CLASS_PIECEWISE: return "piecewise";
    case CLASS_ZERO_DERIVATIVE: return "zero derivative";
    case CLASS_NOT_A_FUNCTION: break;
    }
    return "leaf";
}

static const char *const sections[][2] = {
    {"smooth", "Differentiable wherever they are defined, to every order."},
    {"piecewise", "Smooth but for kinks, where the sentence says which derivative is taken."},
    {"zero derivative",
     "Steps, indices, masks and draws: their derivative is zero, and no cotangent passes."},
    {"composite", "Written with the ops above, and differentiated through them."},
    {"leaf", "What a graph starts from, besides inputs, parameters and numbers."},
};

static void section(cr_text *out, const char *kind, const char *says) {
    text_add(out, "\n## %c%s\n\n%s\n\n| op | what it is |\n|---|---|\n", kind[0] - 'a' + 'A', kind + 1, says);
    for (int i = 0; cr_op_name(i); i++) {
        if (strcmp(cr_op_kind(i), kind) != 0) continue;
        text_add(out, "| `%s(%s)` | ", cr_op_name(i), cr_op_signature(i));
        for (const char *s = cr_op_help(i); *s; s++) {
            if (*s == '|') text_char(out, '\\');
            text_char(out, *s);
        }
        text_str(out, " |\n");
    }
}

cr_status cr_op_manual(cr_text *out) {
    if (!out) return CR_EINVAL;
    text_str(out, "# The ops\n\nMade from the op table by `chainrule ops --manual`. Operands come first, "
                  "then attributes with their defaults. "
                  "What is elementwise broadcasts as in NumPy.\n");
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++)
        section(out, sections[i][0], sections[i][1]);
    return text_status(out);
}
