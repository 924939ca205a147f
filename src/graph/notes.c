/* Notes beside nodes: names, all of them; source positions, the first few; initial values and updates; patterns of sparse matrices. */
#include "graph/graph.h"

#include <string.h>

bool graph_note(cr_graph *g, uint32_t id, enum note_kind kind, uint32_t text, int32_t line, int32_t column) {
    struct node *n = graph_at(g, id);
    struct note new = {id, n->note, text, line, column, (uint8_t)kind, 0};
    if (n->note) {
        const struct note *head = &g->note[n->note];
        bool same = head->kind == kind && head->text == text && head->line == line && head->column == column;
        if (same || (kind == NOTE_POSITION && head->positions == most_positions)) return true;
        new.positions = head->positions;
    }
    new.positions = (uint8_t)(new.positions + (kind == NOTE_POSITION));
    if (g->note_n >= UINT32_MAX || !mem_grow(&g->mem, &g->note, &g->note_cap, g->note_n, sizeof *g->note))
        return false;
    if (g->note_n == 0) g->note_n = 1;
    g->note[g->note_n] = new;
    n->note = (uint32_t)g->note_n++;
    return true;
}

const struct note *graph_find_note(const cr_graph *g, uint32_t id, enum note_kind kind) {
    const struct note *oldest = NULL;
    for (uint32_t i = graph_at(g, id)->note; i; i = g->note[i].next)
        if (g->note[i].kind == kind) oldest = &g->note[i];
    return oldest;
}

cr_node graph_noted(cr_graph *g, uint32_t id, enum note_kind kind) {
    for (uint32_t i = graph_at(g, id)->note; i; i = g->note[i].next) {
        cr_node value = {g, g->note[i].text, (uint32_t)g->note[i].line};
        if (g->note[i].kind == kind && graph_get(value)) return value;
    }
    return graph_error_node(g);
}

/* Rows, columns, colours, then the starts of all rows and the end, then the columns. */
bool graph_note_pattern(cr_graph *g, const struct graph_pattern *p) {
    size_t starts = (size_t)p->rows + 1, count = (size_t)p->start[p->rows],
           n = mem_add(3, mem_add(starts, count)), before = g->attr.n;
    int64_t *all = mem_alloc(&g->mem, mem_mul(n, sizeof *all));
    if (!all) return false;
    all[0] = p->rows, all[1] = p->columns, all[2] = p->colours;
    memcpy(all + 3, p->start, starts * sizeof *all);
    if (count) memcpy(all + 3 + starts, p->column, count * sizeof *all);
    uint32_t number = intern_put(&g->attr, all, n * sizeof *all), id = g->count - 1;
    mem_free(&g->mem, all, n * sizeof *all);
    if (g->attr.n > before) g->attr.entry[before].owner = id;
    return number != intern_none && graph_note(g, id, NOTE_PATTERN, number, 0, 0);
}

uint32_t graph_find_pattern(const cr_graph *g, uint32_t id) {
    const struct note *n = graph_find_note(g, id, NOTE_PATTERN);
    return n ? n->text : 0;
}

struct graph_pattern graph_pattern(const cr_graph *g, uint32_t number) {
    const int64_t *all = intern_bytes(&g->attr, number);
    return (struct graph_pattern){all[0], all[1], all[2], all + 3, all + 3 + all[0] + 1};
}

uint32_t graph_scoped(cr_graph *g, const char *name) {
    if (!g->scope) return intern_put(&g->text, name, strlen(name));
    struct cr_text t = text_make(&g->mem);
    text_str(&t, graph_text(g, g->scope));
    text_str(&t, name);
    uint32_t text = t.failed ? intern_none : intern_put(&g->text, cr_text_str(&t), t.n);
    text_drop(&t);
    return text;
}

uint32_t graph_named(const cr_graph *g, uint32_t text) {
    struct named at = text < g->named_cap ? g->named[text] : (struct named){0};
    return at.id && at.id < g->count && graph_at(g, at.id)->epoch == at.epoch ? at.id : 0;
}

static bool set_named(cr_graph *g, uint32_t text, cr_node x) {
    size_t old = g->named_cap;
    while (text >= g->named_cap)
        if (!mem_grow(&g->mem, &g->named, &g->named_cap, g->named_cap, sizeof *g->named)) return false;
    memset(g->named + old, 0, (g->named_cap - old) * sizeof *g->named);
    g->named[text] = (struct named){x.id, x.epoch};
    return true;
}

/* A node keeps its name; a name that another node has is refused. */
cr_node cr_named(cr_node x, const char *name) {
    cr_graph *g = x.graph;
    if (!graph_get(x)) return graph_error_node(g);
    if (!name || !*name) return graph_fail(g, CR_EINVAL, "named", "a name must not be empty");
    uint32_t text = graph_scoped(g, name);
    if (text == intern_none) return graph_fail(g, CR_ENOMEM, NULL, "out of memory");
    uint32_t holder = graph_named(g, text);
    if (holder && holder != x.id)
        return graph_fail(g, CR_ENAME, NULL, "the name '%s' is taken", graph_text(g, text));
    if (holder) return x;
    if (!graph_note(g, x.id, NOTE_NAME, text, 0, 0) || !set_named(g, text, x))
        return graph_fail(g, CR_ENOMEM, NULL, "out of memory");
    return x;
}

cr_node cr_find(cr_graph *g, const char *name) {
    if (!g || !name) return graph_error_node(g);
    uint32_t text = intern_find(&g->text, name, strlen(name));
    return graph_handle(g, text == intern_none ? 0 : graph_named(g, text));
}

const char *cr_name(cr_node x) {
    if (!graph_get(x)) return NULL;
    const struct note *n = graph_find_note(x.graph, x.id, NOTE_NAME);
    return n ? graph_text(x.graph, n->text) : NULL;
}

void cr_position(cr_node x, const char **file, int *line, int *column) {
    const struct note *n = graph_get(x) ? graph_find_note(x.graph, x.id, NOTE_POSITION) : NULL;
    if (file) *file = n && n->text ? graph_text(x.graph, n->text) : NULL;
    if (line) *line = n ? n->line : 0;
    if (column) *column = n ? n->column : 0;
}

void cr_graph_at(cr_graph *g, const char *file, int line, int column) {
    if (!g) return;
    uint32_t text = file ? intern_put(&g->text, file, strlen(file)) : 0;
    g->file = text == intern_none ? 0 : text;
    g->line = line > 0 ? line : 0;
    g->column = column > 0 ? column : 0;
}

cr_status cr_scope_enter(cr_graph *g, const char *name) {
    if (!g || !name || !*name || strchr(name, '.')) return CR_EINVAL;
    struct cr_text t = text_make(&g->mem);
    text_add(&t, "%s%s.", graph_text(g, g->scope), name);
    uint32_t text = t.failed ? intern_none : intern_put(&g->text, cr_text_str(&t), t.n);
    text_drop(&t);
    if (text == intern_none) return graph_fail(g, CR_ENOMEM, NULL, "out of memory"), CR_ENOMEM;
    g->scope = text;
    return CR_OK;
}

cr_status cr_scope_leave(cr_graph *g) {
    if (!g || !g->scope) return CR_EINVAL;
    const char *s = graph_text(g, g->scope);
    size_t n = strlen(s) - 1; /* without the last dot */
    while (n && s[n - 1] != '.') n--;
    uint32_t text = intern_find(&g->text, s, n); /* was interned when that scope was entered */
    g->scope = text == intern_none ? 0 : text;
    return CR_OK;
}
