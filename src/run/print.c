/* A program as text: its steps in the order in which they run, what each computes, what it reads, writes and calculates. */
#include "run/cost.h"
#include "run/print.h"
#include "tensor/dtype.h"

bool print_is_number(cr_graph *g, uint32_t id, double *value) {
    const struct node *n = graph_at(g, id);
    return ops_literal(graph_handle(g, n->op == OP_expand ? n->arg[0] : id), value);
}

void print_node(cr_text *out, cr_graph *g, uint32_t id) {
    const struct note *name = graph_find_note(g, id, NOTE_NAME);
    double value;
    if (name) text_add(out, "%s", graph_text(g, name->text));
    else if (print_is_number(g, id, &value)) text_number(out, value);
    else text_add(out, "%%%lu", (unsigned long)id);
}

void print_line(cr_text *out, cr_graph *g, uint32_t id) {
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

struct cost {
    size_t read, written;
    double operations, again; /* of these, what is computed again */
};

static struct cost cost_of(const cr_program *p, const struct step *s) {
    struct cost c = {cost_read(&p->plan, s), cost_written(&p->plan, s), 0, 0};
    for (uint32_t k = 0; k < s->n; k++) {
        uint32_t id = p->plan.node[s->first + k];
        double operations = cost_node(p->g, id);
        c.operations += operations;
        if (p->again && p->again[id]) c.again += operations;
    }
    return c;
}

static void print_operations(cr_text *out, const struct cost *c) {
    text_add(out, "%.0f operations", c->operations);
    if (c->again > 0) text_add(out, " (%.0f again)", c->again);
}

/* Up to where values stand; kernels' own buffers lie behind, and depend on the number of threads. */
static size_t bytes_of_values(const struct plan *p) {
    size_t end = 0;
    for (size_t i = 0; i < p->slots; i++) {
        const struct slot *s = &p->slot[i];
        if (s->kind == SLOT_WORK && s->offset + s->bytes > end) end = s->offset + s->bytes;
    }
    return end;
}

static void print_sum(cr_text *out, const cr_program *p) {
    struct cost all = {0};
    for (size_t i = 0; i < p->plan.steps; i++) {
        struct cost c = cost_of(p, &p->plan.step[i]);
        all.read += c.read, all.written += c.written;
        all.operations += c.operations, all.again += c.again;
    }
    text_add(out, "%zu step%s: %zu bytes read, %zu written, ", p->plan.steps, p->plan.steps == 1 ? "" : "s",
             all.read, all.written);
    print_operations(out, &all);
    text_add(out, "; %zu bytes of values\n", bytes_of_values(&p->plan));
}

/* Before the first of its steps. */
static void print_group(cr_text *out, const struct group *g) {
    text_add(out, "%lu to %lu in blocks of %lld of %lld rows", (unsigned long)g->first + 1,
             (unsigned long)(g->first + g->n), (long long)g->block, (long long)g->rows);
    if (g->batch > 1) text_add(out, ", %lld times", (long long)g->batch);
    text_add(out, ": %zu bytes for a block", g->bytes);
    if (g->partial) text_add(out, ", %zu for slices of sums", g->partial);
    if (g->shared) text_add(out, ", %zu for operands turned over", g->shared);
    text_str(out, "\n");
}

cr_status cr_program_print(cr_text *out, const cr_program *p) {
    static const char *const kind[] = {[STEP_LOOP] = "loop",
                                       [STEP_REDUCE] = "reduction",
                                       [STEP_KERNEL] = "kernel",
                                       [STEP_COPY] = "copy",
                                       [STEP_CONTROL] = "functions"};
    if (!out || !p) return CR_EINVAL;
    print_sum(out, p);
    for (size_t i = 0; i < p->plan.steps; i++) {
        const struct step *s = &p->plan.step[i];
        struct cost c = cost_of(p, s);
        if (s->way != WAY_WHOLE && p->plan.group[s->group].first == i)
            print_group(out, &p->plan.group[s->group]);
        text_add(out, "%zu: %s%s%s%s, %zu bytes read, %zu written, ", i + 1, kind[s->kind],
                 s->tail ? " for updates alone" : "", s->bound ? " up to the diagonal" : "",
                 plan_runs_once(&p->plan, s) ? " once" : "", c.read, c.written);
        print_operations(out, &c);
        text_str(out, "\n");
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
