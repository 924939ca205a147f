/* A program as text: its steps in the order in which they run, what each computes, and the bytes that it writes. */
#include "run/program.h"
#include "tensor/dtype.h"

/* A node's name, or its number in the program's own graph. */
static void print_node(cr_text *out, const cr_graph *g, uint32_t id) {
    const struct note *name = graph_find_note(g, id, NOTE_NAME);
    if (name) text_add(out, "%s", graph_text(g, name->text));
    else text_add(out, "%%%lu", (unsigned long)id);
}

static void print_line(cr_text *out, const cr_graph *g, uint32_t id) {
    const struct node *n = graph_at(g, id);
    struct shape s = graph_shape(g, n);
    struct shape_text shape;
    text_str(out, "    ");
    print_node(out, g, id);
    text_add(out, " = %s(", op_name(n->op));
    for (uint32_t i = 0; i < n->n; i++) {
        text_str(out, i ? ", " : "");
        print_node(out, g, graph_args(g, n)[i]);
    }
    text_add(out, "): %s%s\n", cr_dtype_name((cr_dtype)n->dtype), ops_show(&shape, &s));
}

/* What a step leaves in memory; the values of a loop that only the loop reads never get there. */
static size_t bytes_written(const struct plan *p, const struct step *s) {
    size_t bytes = 0;
    for (uint32_t i = 0; i < s->n; i++)
        if (p->view[p->node[s->first + i]].slot != no_slot)
            bytes += plan_node_bytes(p->g, p->node[s->first + i]);
    return bytes;
}

cr_status cr_program_print(cr_text *out, const cr_program *p) {
    static const char *const kind[] = {"loop", "reduction", "kernel", "copy"};
    if (!out || !p) return CR_EINVAL;
    for (size_t i = 0; i < p->plan.steps; i++) {
        const struct step *s = &p->plan.step[i];
        text_add(out, "%zu: %s%s, writes %zu bytes\n", i + 1, kind[s->kind],
                 s->tail ? " for updates alone" : "", bytes_written(&p->plan, s));
        for (uint32_t k = 0; k < s->n; k++) print_line(out, p->g, p->plan.node[s->first + k]);
    }
    for (size_t i = 0; i < p->plan.updates; i++) {
        text_str(out, "update: ");
        print_node(out, p->g, p->plan.update[i].param);
        text_str(out, " takes ");
        print_node(out, p->g, p->plan.update[i].value);
        text_str(out, p->plan.update[i].in_place ? ", in place\n" : "\n");
    }
    return text_status(out);
}
