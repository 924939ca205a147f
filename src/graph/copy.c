/* A private copy of what some nodes need: reachable ones marked from the end, then copied from the start. */
#include "graph/copy.h"

#include <stdio.h>
#include <string.h>

static void mark(const cr_graph *from, const struct copy_wish *wish, uint32_t *map) {
    for (size_t i = 0; i < wish->n; i++) map[wish->root[i]] = 1;
    for (uint32_t id = from->count; id-- > 1;) {
        const struct node *n = graph_at(from, id);
        if (!map[id] || (wish->known && wish->known(wish->user, id))) continue;
        for (uint32_t k = 0; k < n->n; k++) map[graph_args(from, n)[k]] = 1;
    }
}

static uint32_t shape_there(cr_graph *to, const cr_graph *from, const struct node *n) {
    return graph_shape_number(to, graph_rank(from, n), graph_dims(from, n));
}

/* A leaf's attribute is its name, which has another number there. */
static cr_node copy_leaf(cr_graph *to, const cr_graph *from, const struct node *n, const char *name) {
    int64_t text = intern_put(&to->text, name, strlen(name));
    if (text == intern_none) return graph_fail(to, CR_ENOMEM, NULL, "out of memory");
    struct make m = {.op = n->op == OP_param ? OP_param : OP_input,
                     .dtype = (cr_dtype)n->dtype,
                     .shape = shape_there(to, from, n),
                     .n_attr = 1,
                     .attr = &text};
    return graph_make(to, &m);
}

static cr_node copy_node(cr_graph *to, const cr_graph *from, const struct node *n, const uint32_t *map) {
    cr_node few[8], *x = few;
    if (n->n > 8) x = mem_alloc(&to->mem, n->n * sizeof *x);
    if (!x) return graph_fail(to, CR_ENOMEM, NULL, "out of memory");
    for (uint32_t k = 0; k < n->n; k++) x[k] = graph_handle(to, map[graph_args(from, n)[k]]);
    struct make m = {.op = n->op,
                     .dtype = (cr_dtype)n->dtype,
                     .shape = shape_there(to, from, n),
                     .attr_of = from,
                     .attr_id = n->attr,
                     .n = n->n,
                     .x = x};
    cr_node y = graph_make(to, &m);
    if (x != few) mem_free(&to->mem, x, n->n * sizeof *x);
    return y;
}

static void copy_notes(cr_graph *to, uint32_t id, const cr_graph *from, uint32_t old) {
    for (enum note_kind kind = NOTE_NAME; kind <= NOTE_POSITION; kind++) {
        const struct note *note = graph_find_note(from, old, kind);
        if (!note) continue;
        const char *s = graph_text(from, note->text);
        uint32_t text = intern_put(&to->text, s, strlen(s));
        if (text == intern_none || !graph_note(to, id, kind, text, note->line, note->column))
            graph_fail(to, CR_ENOMEM, NULL, "out of memory");
    }
}

cr_node graph_copy_node(cr_graph *to, const cr_graph *from, uint32_t id, const uint32_t *map) {
    const struct node *n = graph_at(from, id);
    cr_node x = graph_handle(to, n->op == OP_variable ? map[n->arg[0]] : 0);
    struct make own = {.op = n->op,
                       .dtype = (cr_dtype)n->dtype,
                       .shape = shape_there(to, from, n),
                       .n_attr = 1,
                       .attr = &to->unique,
                       .n = 1,
                       .x = &x};
    cr_node y = n->op == OP_variable ? graph_make(to, &own) : copy_node(to, from, n, map);
    to->unique += n->op == OP_variable;
    if (y.id) copy_notes(to, y.id, from, id);
    return y;
}

static void copy_all(cr_graph *to, const cr_graph *from, const struct copy_wish *wish, uint32_t *map) {
    for (uint32_t id = 1; id < from->count && !to->status; id++) {
        const struct node *n = graph_at(from, id);
        char name[24];
        cr_node y;
        if (!map[id]) continue;
        if (wish->known && wish->known(wish->user, id)) {
            snprintf(name, sizeof name, "#%lu", (unsigned long)id);
            y = copy_leaf(to, from, n, name);
        } else if (n->op == OP_input || n->op == OP_param)
            y = copy_leaf(to, from, n, graph_text(from, (uint32_t)graph_attr(from, n)[0]));
        else y = copy_node(to, from, n, map);
        if (y.id && wish->instead) y = wish->instead(wish->maker, y);
        map[id] = y.id;
        if (y.id) copy_notes(to, y.id, from, id);
    }
}

bool graph_copy_into(cr_graph *to, const cr_graph *from, const struct copy_wish *wish, uint32_t *map) {
    to->default_float = from->default_float;
    memset(map, 0, from->count * sizeof *map);
    mark(from, wish, map);
    copy_all(to, from, wish, map);
    return !to->status;
}

cr_graph *graph_copy(const cr_graph *from, const struct copy_wish *wish, uint32_t *map) {
    cr_graph *to = cr_graph_new(from->ctx);
    if (!to || graph_copy_into(to, from, wish, map)) return to;
    cr_graph_free(to);
    return NULL;
}
