/* A private copy of what some nodes need: reachable ones marked from the end, then copied from the start. */
#include "graph/copy.h"

#include <stdio.h>
#include <stdlib.h>
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

static cr_node copy_node(cr_graph *to, const cr_graph *from, const struct node *n, const uint32_t *map,
                         bool anew) {
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
                     .x = x,
                     .anew = anew};
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
    cr_node y = n->op == OP_variable ? graph_make(to, &own) : copy_node(to, from, n, map, false);
    to->unique += n->op == OP_variable;
    if (y.id) copy_notes(to, y.id, from, id);
    return y;
}

cr_node graph_copy_again(cr_graph *to, const cr_graph *from, uint32_t id, const uint32_t *map) {
    return copy_node(to, from, graph_at(from, id), map, true);
}

/* A leaf, called as none is that a person made: those may be "#5.0" too. */
static cr_node copy_known(cr_graph *to, const cr_graph *from, uint32_t id) {
    char name[48];
    bool taken = true;
    for (unsigned k = 0; taken; k++) {
        int n = snprintf(name, sizeof name, "#%lu.%u", (unsigned long)id, k);
        uint32_t text = intern_find(&from->text, name, (size_t)n);
        taken = text != intern_none && graph_named(from, text);
    }
    return copy_leaf(to, from, graph_at(from, id), name);
}

static void copy_one(cr_graph *to, const cr_graph *from, const struct copy_wish *wish, uint32_t id,
                     uint32_t *map) {
    const struct node *n = graph_at(from, id);
    cr_node y;
    if (wish->before) wish->before(wish->maker, id, map);
    if (wish->known && wish->known(wish->user, id)) y = copy_known(to, from, id);
    else if (n->op == OP_input || n->op == OP_param)
        y = copy_leaf(to, from, n, graph_text(from, (uint32_t)graph_attr(from, n)[0]));
    else y = copy_node(to, from, n, map, false);
    if (y.id && wish->instead) y = wish->instead(wish->maker, y);
    if (wish->after) wish->after(wish->maker, map);
    map[id] = y.id;
    if (y.id) copy_notes(to, y.id, from, id);
}

bool graph_copy_into(cr_graph *to, const cr_graph *from, const struct copy_wish *wish, uint32_t *map) {
    to->default_float = from->default_float;
    memset(map, 0, from->count * sizeof *map);
    mark(from, wish, map);
    for (uint32_t id = 1; id < from->count && !to->status; id++)
        if (map[id]) copy_one(to, from, wish, id, map);
    return !to->status;
}

cr_graph *graph_copy(const cr_graph *from, const struct copy_wish *wish, uint32_t *map) {
    cr_graph *to = cr_graph_new(from->ctx);
    if (!to || graph_copy_into(to, from, wish, map)) return to;
    cr_graph_free(to);
    return NULL;
}

static bool list(struct copy_list *l, const struct mem *m, uint32_t id, uint32_t *map) {
    if (map[id]) return true;
    if (!mem_grow(m, &l->id, &l->cap, l->n, sizeof *l->id)) return false;
    l->id[l->n++] = id;
    map[id] = 1;
    return true;
}

static int by_number(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static bool list_all(const cr_graph *from, const struct copy_wish *wish, uint32_t *map, struct copy_list *l) {
    bool room = true;
    for (size_t i = 0; i < wish->n && room; i++) room = list(l, &from->mem, wish->root[i], map);
    for (size_t next = 0; next < l->n && room; next++) {
        const struct node *n = graph_at(from, l->id[next]);
        if (wish->known && wish->known(wish->user, l->id[next])) continue;
        for (uint32_t k = 0; k < n->n && room; k++) room = list(l, &from->mem, graph_args(from, n)[k], map);
    }
    if (l->n) qsort(l->id, l->n, sizeof *l->id, by_number);
    return room;
}

cr_graph *graph_copy_few(const cr_graph *from, const struct copy_wish *wish, uint32_t *map,
                         struct copy_list *l) {
    l->n = 0;
    cr_graph *to = list_all(from, wish, map, l) ? cr_graph_new(from->ctx) : NULL;
    if (!to) return NULL;
    to->default_float = from->default_float;
    for (size_t i = 0; i < l->n && !to->status; i++) copy_one(to, from, wish, l->id[i], map);
    if (!to->status) return to;
    cr_graph_free(to);
    return NULL;
}
