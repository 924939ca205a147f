/* A graph back to a model: declarations, then a statement for each name and for each value used more than once. What
 * the text had of functions, layers and named sizes has gone: what they made is written. */
#include <string.h>

#include "formula/model.h"
#include "formula/walk.h"
#include "formula/write.h"
#include "ops/control.h"

/* Expressions deeper than this are parted, so that a person can read them. */
enum { most_nesting = 32 };

static const char *label_of(void *user, cr_node x) {
    const struct writer *w = user;
    return w->label[x.id] ? intern_bytes(&w->names, w->label[x.id]) : NULL;
}

static cr_node initial(const struct writer *w, uint32_t id) { return graph_noted(w->g, id, NOTE_INIT); }

static cr_node update(const struct writer *w, uint32_t id) { return graph_noted(w->g, id, NOTE_UPDATE); }

/* ---- What is written ---- */

/* A literal, or what is made of literals alone, in the dtype of what stands beside it: a reader makes it so. */
static bool goes_without_saying(const struct writer *w, uint32_t id) {
    const struct node *n = graph_at(w->g, id);
    return n->op == OP_cast && graph_at(w->g, n->arg[0])->weak &&
           graph_at(w->g, n->arg[0])->dtype == n->dtype;
}

void write_mark(struct writer *w) {
    for (uint32_t id = w->count; id-- > 1;) {
        const struct node *n = graph_at(w->g, id);
        uint32_t times = goes_without_saying(w, id) ? w->uses[id] : 1;
        for (uint32_t i = 0; w->uses[id] && i < n->n; i++) w->uses[graph_args(w->g, n)[i]] += times;
        bool more =
            w->uses[id] && write_results_of(w, id) && graph_attr(w->g, n)[0] >= write_results_of(w, id);
        if (more) w->kept[n->arg[0]] = 1;
    }
}

/* All that a name, an update or the result needs. Initial values are written where they stand. */
static void mark(struct writer *w, cr_node result) {
    for (uint32_t id = 1; id < w->count; id++)
        w->uses[id] = graph_find_note(w->g, id, NOTE_NAME) != NULL || id == result.id;
    for (uint32_t id = 1; id < w->count; id++) w->uses[update(w, id).id] += update(w, id).id != 0;
    write_mark(w);
}

/* Does it get a name of ours? What is used once is written where it is used, and so is what is short; several results
 * have no name together. */
static bool shared(const struct writer *w, uint32_t id) {
    const struct node *n = graph_at(w->g, id);
    if (n->n == 0 || ops_has_parts(n->op) || goes_without_saying(w, id)) return false;
    return w->uses[id] > 1 || w->depth[id] >= most_nesting || n->op == OP_variable;
}

static void measure(struct writer *w, uint32_t id) {
    const struct node *n = graph_at(w->g, id);
    w->depth[id] = 0;
    for (uint32_t i = 0; i < n->n; i++) {
        uint32_t of = graph_args(w->g, n)[i];
        if (!w->label[of] && w->depth[of] >= w->depth[id]) w->depth[id] = w->depth[of] + 1;
    }
}

/* ---- Names ---- */

uint32_t write_keep(struct writer *w, const char *s, size_t n) {
    uint32_t text = intern_put(&w->names, s, n);
    if (text == intern_none) w->status = CR_ENOMEM;
    return text == intern_none ? 0 : text;
}

/* n1, n2 ... that nothing else is called. */
static uint32_t own_name(struct writer *w) {
    uint32_t text = 0;
    do {
        struct cr_text s = text_make(&w->g->mem);
        text_add(&s, "n%u", ++w->next);
        uint32_t taken = intern_find(&w->g->text, cr_text_str(&s), s.n);
        if (s.failed) w->status = CR_ENOMEM;
        else if (taken == intern_none || !graph_named(w->g, taken))
            text = write_keep(w, cr_text_str(&s), s.n);
        text_drop(&s);
    } while (!text && !w->status);
    return text;
}

/* Can the language say this name? */
static bool writable(const char *s) {
    struct lexer l = lexer_make(s, strlen(s));
    struct token t = lexer_next(&l);
    return t.kind == TOKEN_NAME && t.n == strlen(s) && !reserved_word(&t);
}

static uint32_t name_of(struct writer *w, const struct note *note) {
    const char *s = graph_text(w->g, note->text);
    if (writable(s)) return write_keep(w, s, strlen(s));
    if (!w->status) w->status = CR_ENAME;
    return 0;
}

/* ---- Statements ---- */

void write_value(struct writer *w, cr_node x) {
    const struct print_labels labels = {label_of, w};
    const char *label = label_of(w, x);
    if (label) text_str(w->out, label);
    else print_exact(w->out, x, &labels);
}

/* A number is written as one: the reader gives it dtype and shape of its parameter. */
static void put_initial(struct writer *w, cr_node x) {
    const struct node *n = graph_at(w->g, x.id);
    if (n->op == OP_expand && !w->label[x.id]) n = graph_at(w->g, graph_args(w->g, n)[0]);
    text_str(w->out, " = ");
    if (n->op == OP_const && graph_rank(w->g, n) == 0 && n->dtype != CR_I64)
        walk_number(w->out, (cr_dtype)n->dtype, graph_attr(w->g, n), 0);
    else write_value(w, x);
}

static void put_declaration(struct writer *w, uint32_t id) {
    const struct node *n = graph_at(w->g, id);
    const struct note *name = graph_find_note(w->g, id, NOTE_NAME);
    uint32_t text = name ? name_of(w, name) : 0;
    if (!text) return;
    text_add(w->out, "%s %s: %s", op_name(n->op), (const char *)intern_bytes(&w->names, text),
             cr_dtype_name((cr_dtype)n->dtype));
    if (graph_rank(w->g, n)) text_dims(w->out, graph_rank(w->g, n), graph_dims(w->g, n));
    if (n->op == OP_param && cr_ok(initial(w, id))) put_initial(w, initial(w, id));
    text_char(w->out, '\n');
    w->label[id] = text;
}

static void put_statement(struct writer *w, uint32_t id, uint32_t text) {
    if (!text) return;
    text_add(w->out, "%s%s = ", w->inside ? "  " : "", (const char *)intern_bytes(&w->names, text));
    write_value(w, graph_handle(w->g, id));
    text_char(w->out, '\n');
    if (!w->label[id]) w->label[id] = text;
}

/* One for each name, the oldest first; a leaf's first is declared. Notes are chained from the newest. */
static void put_names(struct writer *w, uint32_t id) {
    size_t n = 0;
    for (uint32_t i = graph_at(w->g, id)->note; i; i = w->g->note[i].next) {
        if (w->g->note[i].kind != NOTE_NAME) continue;
        if (!mem_grow(&w->g->mem, &w->note, &w->note_cap, n, sizeof *w->note)) {
            w->status = CR_ENOMEM;
            return;
        }
        w->note[n++] = i;
    }
    int op = graph_at(w->g, id)->op;
    if (n && (op == OP_input || op == OP_param)) n--;
    while (n && !w->status) put_statement(w, id, name_of(w, &w->g->note[w->note[--n]]));
}

/* Inputs first, which initial values may need. */
static void put_declarations(struct writer *w) {
    for (uint32_t id = 1; id < w->count; id++)
        if (w->uses[id] && graph_at(w->g, id)->op == OP_input) put_declaration(w, id);
    for (uint32_t id = 1; id < w->count; id++)
        if (w->uses[id] && graph_at(w->g, id)->op == OP_param) put_declaration(w, id);
}

/* Of a node that runs functions the results have the names: "n3[1]", or "n3" of an only one. */
static void put_control(struct writer *w, uint32_t id) {
    uint32_t text = own_name(w);
    if (!text) return;
    text_add(w->out, "%s%s = ", w->inside ? "  " : "", (const char *)intern_bytes(&w->names, text));
    write_control(w, id);
    text_char(w->out, '\n');
    w->label[id] = text;
}

static void name_result(struct writer *w, uint32_t id) {
    const struct node *n = graph_at(w->g, id);
    struct cr_text name = text_make(&w->g->mem);
    text_str(&name, intern_bytes(&w->names, w->label[n->arg[0]]));
    if (write_results_of(w, id) > 1) text_add(&name, "[%lld]", (long long)graph_attr(w->g, n)[0]);
    if (name.failed) w->status = CR_ENOMEM;
    else w->label[id] = write_keep(w, cr_text_str(&name), name.n);
    text_drop(&name);
}

void write_statements(struct writer *w) {
    for (uint32_t id = 1; id < w->count && !w->status; id++) {
        if (!w->uses[id] || (w->inside && w->label[id])) continue;
        measure(w, id);
        if (op_kind(graph_at(w->g, id)->op) == KIND_CONTROL) put_control(w, id);
        else if (write_results_of(w, id)) name_result(w, id);
        if (!w->inside && !w->status) put_names(w, id);
        if (!w->label[id] && shared(w, id)) put_statement(w, id, own_name(w));
    }
}

static void put_updates(struct writer *w) {
    for (uint32_t id = 1; id < w->count && !w->status; id++) {
        if (!cr_ok(update(w, id))) continue;
        text_add(w->out, "update %s = ", label_of(w, graph_handle(w->g, id)));
        write_value(w, update(w, id));
        text_char(w->out, '\n');
    }
}

static void write_model(struct writer *w, cr_node result) {
    mark(w, result);
    write_functions(w);
    put_declarations(w);
    write_statements(w);
    if (!w->status) put_updates(w);
    if (w->status || !cr_ok(result)) return;
    write_value(w, result);
    text_char(w->out, '\n');
}

/* ---- A writer ---- */

enum { arrays = 4 };

bool writer_open(struct writer *w, cr_graph *g, cr_text *out) {
    *w = (struct writer){.g = g, .out = out, .top = g, .model = out, .count = g->count};
    w->uses = mem_zero(&g->mem, mem_mul(arrays * sizeof *w->uses, w->count));
    if (!w->uses || !intern_init(&w->names, &g->mem)) return false;
    w->depth = w->uses + w->count, w->label = w->depth + w->count, w->kept = w->label + w->count;
    return true;
}

void writer_close(struct writer *w) {
    intern_drop(&w->names);
    mem_free(&w->g->mem, w->uses, arrays * sizeof *w->uses * w->count);
    mem_free(&w->g->mem, w->note, w->note_cap * sizeof *w->note);
}

cr_status cr_print_model(cr_text *out, cr_graph *g, cr_node result) {
    if (!out || !g || (result.graph && result.graph != g)) return CR_EINVAL;
    struct writer w;
    struct written functions = {0};
    bool ok = writer_open(&w, g, out);
    w.functions = &functions;
    if (ok) write_model(&w, result);
    else w.status = CR_ENOMEM;
    writer_close(&w);
    written_drop(&functions, &g->mem);
    if (!w.status && out->n > most_text) w.status = CR_ELIMIT;
    return w.status ? w.status : text_status(out);
}
