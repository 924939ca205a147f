/* The way from a target to a program as text, stage by stage. */
#include "run/print.h"

static void print_graph(cr_text *out, cr_graph *g) {
    double value;
    for (uint32_t id = 1; id < g->count; id++)
        if (!print_is_number(g, id, &value)) print_line(out, g, id);
}

static void print_memory(cr_text *out, const cr_program *p) {
    const struct plan *plan = &p->plan;
    text_add(out, "memory: %zu bytes\n", plan->workspace);
    for (size_t i = 0; i < plan->slots; i++) {
        const struct slot *s = &plan->slot[i];
        if (s->kind != SLOT_WORK) continue;
        text_add(out, "    %zu to %zu: ", s->offset, s->offset + s->bytes);
        print_node(out, p->g, s->node);
        text_add(out, ", steps %lu to %lu\n", (unsigned long)s->first + 1, (unsigned long)s->last + 1);
    }
}

/* The plain C of the program, or why there is none. */
static cr_status print_c(cr_text *out, const cr_program *p) {
    cr_text *source = NULL, *header = NULL, *why = NULL;
    cr_status status = cr_text_new(&source, p->ctx);
    if (!status) status = cr_text_new(&header, p->ctx);
    if (!status) status = cr_text_new(&why, p->ctx);
    if (!status) {
        status = cr_program_emit(source, header, p, "step", why);
        if (status != CR_ENOMEM)
            text_add(out, "C:%s%s\n", status ? " none: " : "", status ? cr_text_str(why) : "");
        if (!status) text_str(out, cr_text_str(source));
        if (status == CR_EINVAL) status = CR_OK;
    }
    cr_text_free(source);
    cr_text_free(header);
    cr_text_free(why);
    return status;
}

static cr_status print_program(cr_text *out, const cr_program *written, const cr_program *p) {
    text_add(out, "graph: %lu nodes\n", (unsigned long)written->g->count - 1);
    print_graph(out, written->g);
    text_add(out, "rewritten: %lu nodes\n", (unsigned long)p->g->count - 1);
    print_graph(out, p->g);
    text_str(out, "plan: ");
    cr_status status = cr_program_print(out, p);
    if (status) return status;
    print_memory(out, p);
    text_add(out, "loops: %s\n", cr_program_way(p));
    return print_c(out, p);
}

cr_status cr_compile_print(cr_text *out, const cr_target *t, const cr_options *options) {
    const struct cr_options none = {.rewrite = REWRITE_NONE, .anew = true};
    cr_program *written = NULL, *p = NULL;
    if (!out || !t) return CR_EINVAL;
    cr_status status = cr_compile(&written, t, &none);
    if (!status) status = cr_compile(&p, t, options);
    if (!status) status = print_program(out, written, p);
    cr_program_free(written);
    cr_program_free(p);
    return status ? status : text_status(out);
}
