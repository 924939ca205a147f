/* What a function of emitted C is made of: constants, places in the workspace, steps. And the functions that steps run. */
#include <ctype.h>
#include <string.h>

#include "emit/emit.h"
#include "tensor/dtype.h"

enum { line = 64 }; /* bytes: what doubles when floats become doubles stays aligned */

/* ---- Places ---- */

/* Room for doubles is room for floats too; what was planned for floats grows with their type. */
void emit_place(struct emitter *e, struct cr_text *out, size_t bytes) {
    if (e->real != CR_F32 || bytes == 0) text_add(out, "%zu", bytes);
    else text_add(out, "%zu * sizeof(%s_real)", bytes / sizeof(float), e->wish->prefix);
}

static bool is_declared(const struct emitter *e, size_t i) {
    const struct slot *s = &e->p->slot[i];
    return (s->kind == SLOT_WORK || s->kind == SLOT_BLOCK) && s->first != no_slot &&
           e->p->view[s->node].slot == i && !(e->placed && e->placed[i]);
}

static size_t planned(const struct emitter *e) {
    for (size_t i = 0; i < e->p->slots; i++)
        if (is_declared(e, i)) return (e->p->workspace + line - 1) / line * line;
    return 0;
}

/* Groups run one after the other: the most that one has for a block, and for what it turns over. */
static size_t of_groups(const struct plan *p) {
    size_t most = 0;
    for (size_t i = 0; i < p->groups; i++) {
        size_t bytes = mem_add(p->group[i].bytes, p->group[i].shared);
        if (bytes > most) most = bytes;
    }
    return most;
}

/* The plan's, then groups', then buffers of rows, then what functions of steps work in. */
static size_t before_rows(const struct emitter *e) { return mem_add(planned(e), of_groups(e->p)); }

size_t emit_whole_work(const struct emitter *e) {
    return mem_add(before_rows(e), mem_add(e->row_numbers, e->inside));
}

size_t emit_group_work(const struct emitter *e) { return planned(e); }

static void declare_second(struct emitter *e, uint32_t id) {
    const struct node *n = graph_at(e->g, id);
    struct shape s = ops_part_shape(e->g, n, 1);
    char type[80];
    const char *t = emit_type(e, ops_part_dtype(e->g, n, 1), type);
    text_add(e->out, "    %s *const %s = (%s *)(void *)((char *)%s + ", t, emit_second_name(e, id), t,
             emit_name(e, id));
    emit_place(e, e->out, ops_part_offset(e->g, n, 1, 0));
    text_str(e->out, "); /* ");
    text_dims(e->out, s.rank, s.dim);
    text_str(e->out, " */\n");
}

/* No step may write to what has no numbers. */
static void write_unused(struct emitter *e, uint32_t id) {
    text_add(e->out, "    (void)%s;\n", emit_name(e, id));
    if (ops_has_parts(graph_at(e->g, id)->op)) text_add(e->out, "    (void)%s;\n", emit_second_name(e, id));
}

static void declare_slots(struct emitter *e) {
    char type[80];
    for (size_t i = 0; i < e->p->slots; i++) {
        const struct slot *s = &e->p->slot[i];
        if (!is_declared(e, i)) continue;
        const struct node *n = graph_at(e->g, s->node);
        const char *t = emit_type(e, (cr_dtype)n->dtype, type);
        text_add(e->out, "    %s *const %s = (%s *)(void *)((char *)work + ", t, emit_name(e, s->node), t);
        emit_place(e, e->out, s->offset + (s->kind == SLOT_BLOCK ? planned(e) : 0));
        text_str(e->out, s->kind == SLOT_BLOCK ? "); /* a block of " : "); /* ");
        text_dims(e->out, graph_rank(e->g, n), graph_dims(e->g, n));
        text_str(e->out, " */\n");
        if (ops_has_parts(n->op)) declare_second(e, s->node);
        if (s->bytes == 0) write_unused(e, s->node);
    }
}

static void declare_rest(struct emitter *e, const char *name, size_t at) {
    text_add(e->out, "    char *const %s = (char *)work + ", name);
    emit_place(e, e->out, at);
    text_str(e->out, ";\n");
}

static bool is_array(const struct emitter *e, const struct slot *s) {
    return s->kind == SLOT_CONST && graph_at(e->g, s->node)->op == OP_const && s->bytes &&
           s->bytes != cr_dtype_size((cr_dtype)graph_at(e->g, s->node)->dtype);
}

static void declare_constants(struct emitter *e) {
    char type[80];
    for (size_t i = 0; i < e->p->slots; i++) {
        const struct slot *s = &e->p->slot[i];
        if (!is_array(e, s)) continue;
        const struct node *n = graph_at(e->g, s->node);
        int64_t count = graph_elements(e->g, n);
        text_add(e->out, "    static const %s %s[%lld] = {", emit_type(e, (cr_dtype)n->dtype, type),
                 emit_name(e, s->node), (long long)count);
        for (int64_t k = 0; k < count; k++) {
            text_str(e->out, k % 8 ? ", " : k ? ",\n        " : "\n        ");
            emit_literal(e, e->out, (cr_dtype)n->dtype, s->data, k);
        }
        text_str(e->out, "};\n");
    }
}

void emit_declarations(struct emitter *e) {
    declare_constants(e);
    declare_slots(e);
    if (e->row_numbers) declare_rest(e, "row", before_rows(e));
    if (e->inside) declare_rest(e, "inside", mem_add(before_rows(e), e->row_numbers));
}

/* ---- Steps ---- */

/* A name as it is, but for what would end a comment, or a line: those of other programs' files may have anything. */
static void comment_name(struct cr_text *out, const char *name) {
    for (; *name; name++) {
        const bool plain = isprint((unsigned char)*name) && *name != '*' && *name != '\\' && *name != '?';
        text_char(out, plain ? *name : '_');
    }
}

/* What a step computes, as a person would say it: the names that it gives numbers to. */
static void write_comment(struct emitter *e, const struct step *s) {
    bool any = false;
    text_char(e->out, '\n');
    for (uint32_t i = 0; i < s->n; i++) {
        const struct note *name = graph_find_note(e->g, e->p->node[s->first + i], NOTE_NAME);
        if (!name) continue;
        if (!any) text_add(e->out, "%*s/* ", 4 * e->depth, "");
        else text_str(e->out, ", ");
        comment_name(e->out, graph_text(e->g, name->text));
        any = true;
    }
    if (any) text_str(e->out, " */\n");
}

void emit_step(struct emitter *e, size_t i) {
    const struct step *s = &e->p->step[i];
    uint32_t id = e->p->node[s->first];
    write_comment(e, s);
    emit_open_braces(e);
    e->rows_now = e->inside_now = 0;
    switch (s->kind) {
    case STEP_LOOP: emit_loop(e, s); break;
    case STEP_REDUCE: emit_reduce(e, id); break;
    case STEP_COPY: emit_copy(e, id); break;
    case STEP_KERNEL: s->way == WAY_WHOLE ? emit_kernel(e, id) : emit_block_product(e, s); break;
    case STEP_CONTROL: emit_control(e, i); break;
    }
    emit_close(e);
}

void emit_steps(struct emitter *e, bool tail) {
    e->depth = 1;
    for (size_t i = 0; i < e->p->steps && !e->status; i++) {
        const struct step *s = &e->p->step[i];
        if (s->tail != tail) continue;
        if (s->way == WAY_WHOLE) emit_step(e, i);
        else if (e->p->group[s->group].first == i) emit_group(e, &e->p->group[s->group]);
    }
}

/* ---- Programs inside programs ---- */

bool emit_any_node(const struct emit_wish *wish, const struct plan *p, const void *program,
                   bool (*is)(const struct node *n, void *user), void *user) {
    for (uint32_t id = 1; id < p->g->count; id++)
        if (is(graph_at(p->g, id), user)) return true;
    for (size_t s = 0; s < p->steps; s++) {
        if (p->step[s].kind != STEP_CONTROL) continue;
        struct emit_control c = wish->control(program, s);
        for (int i = 0; i < 2; i++)
            if (c.of[i].plan && emit_any_node(wish, c.of[i].plan, c.of[i].program, is, user)) return true;
    }
    return false;
}

static bool is_op(const struct node *n, void *op) { return n->op == *(int *)op; }

/* ---- Functions that steps run ---- */

void emit_argument(struct cr_text *out, int column, const char *s) {
    enum { longest = 100, before = 24 }; /* about what stands before the first */
    if (out->n && !out->failed) {
        const char *last = strrchr(out->s, '\n');
        size_t width = last ? out->n - (size_t)(last + 1 - out->s) : out->n + (size_t)(column + before);
        if (width + strlen(s) > longest) text_add(out, ",\n%*s", column, "");
        else text_str(out, ", ");
    }
    text_str(out, s);
}

static void add_parameter(struct emitter *e, struct cr_text *out, const cr_graph *g, uint32_t node, bool read,
                          const char *name) {
    const struct node *n = graph_at(g, node);
    struct cr_text t = text_make(&e->mem);
    char type[80];
    text_add(&t, "%s%s *%s /* ", read ? "const " : "", emit_type(e, (cr_dtype)n->dtype, type), name);
    text_dims(&t, graph_rank(g, n), graph_dims(g, n));
    text_str(&t, " */");
    emit_argument(out, 4, t.failed ? "" : t.s);
    if (t.failed) e->status = CR_ENOMEM;
    text_drop(&t);
}

/* A result that is all of a place in the workspace is made where it is wanted. */
static bool is_whole(const struct emitter *e, const struct emit_function *f, uint32_t k) {
    uint32_t node = f->out[k], slot = e->p->view[node].slot;
    if (ops_has_parts(graph_at(e->g, e->p->slot[slot].node)->op)) return false;
    if (e->p->slot[slot].kind != SLOT_WORK || e->p->slot[slot].bytes != plan_node_bytes(e->g, node) ||
        !plan_contiguous(e->p, node))
        return false;
    for (uint32_t j = 0; j < f->f->n_out; j++)
        if (j != k && f->out[j] && e->p->view[f->out[j]].slot == slot) return false;
    return true;
}

/* As its author called it; of a carry that he did not name, as the one before. */
static void name_result(struct emitter *e, const struct emit_function *f, uint32_t k, uint32_t carries,
                        uint32_t *name) {
    const struct note *note = graph_find_note(e->g, f->out[k], NOTE_NAME);
    struct cr_text t = text_make(&e->mem);
    bool input = graph_at(e->g, f->out[k])->op == OP_input;
    if (note && !input && !e->exact) text_str(&t, graph_text(e->g, note->text));
    else if (k < carries && f->in[k]) text_add(&t, "%s_next", emit_name(e, f->in[k]));
    else text_add(&t, "result%lu", (unsigned long)k);
    *name = emit_reserve(e, t.failed ? "y" : t.s);
    text_drop(&t);
    if (!is_whole(e, f, k)) return;
    uint32_t slot = e->p->view[f->out[k]].slot;
    e->placed[slot] = 1;
    e->name[e->p->slot[slot].node] = *name;
}

static void write_parameters(struct emitter *e, struct cr_text *out, const struct emit_function *f,
                             const struct emit_body *b, uint32_t carries, uint32_t name[]) {
    for (uint32_t k = 0; k < f->f->n_in; k++)
        if (f->in[k]) add_parameter(e, out, e->g, f->in[k], true, emit_name(e, f->in[k]));
    for (uint32_t k = 0; k < f->f->n_out; k++) {
        if (!f->out[k]) continue;
        name_result(e, f, k, carries, &name[k]);
        add_parameter(e, out, e->g, f->out[k], false, emit_reserved(e, name[k]));
    }
    for (int i = 1; i >= 0; i--)
        if (b->source[i]) emit_argument(out, 4, i ? "int64_t run_seed" : "int64_t run_step");
}

bool emit_mentions(const struct cr_text *t, const char *name) {
    size_t n = strlen(name);
    for (const char *at = t->n ? t->s : ""; (at = strstr(at, name)) != NULL; at += n) {
        bool begins = at == t->s || !(isalnum((unsigned char)at[-1]) || at[-1] == '_');
        if (begins && !(isalnum((unsigned char)at[n]) || at[n] == '_')) return true;
    }
    return false;
}

/* Parameters that no step mentions after all: the rewriter found a shorter way, or a result has no numbers. */
static void silence(struct emitter *e, const struct cr_text *steps, const char *name) {
    if (!emit_mentions(steps, name)) emit_line(e, "(void)%s;", name);
}

static void silence_all(struct emitter *e, const struct emit_function *f, const struct emit_body *b,
                        const struct cr_text *steps, const uint32_t result[]) {
    e->depth = 1;
    for (uint32_t k = 0; k < f->f->n_in; k++)
        if (f->in[k]) silence(e, steps, emit_name(e, f->in[k]));
    for (uint32_t k = 0; k < f->f->n_out; k++)
        if (f->out[k]) silence(e, steps, emit_reserved(e, result[k]));
    if (b->source[0]) silence(e, steps, "run_step");
    if (b->source[1]) silence(e, steps, "run_seed");
}

static void write_results(struct emitter *e, const struct emit_function *f, const uint32_t name[]) {
    bool first = true;
    e->depth = 1;
    for (uint32_t k = 0; k < f->f->n_out; k++) {
        if (!f->out[k] || e->placed[e->p->view[f->out[k]].slot]) continue;
        if (first) text_char(e->out, '\n');
        emit_move(e, emit_reserved(e, name[k]), f->out[k]);
        first = false;
    }
}

/* What stands behind its name. */
static void write_whole(struct emitter *e, struct cr_text *out, const struct emit_function *f,
                        struct emit_body *b, uint32_t carries, uint32_t name[]) {
    struct cr_text parameters = text_make(&e->mem), steps = text_make(&e->mem);
    write_parameters(e, &parameters, f, b, carries, name);
    e->out = &steps;
    if (e->exact) emit_inner_steps(e, f);
    else emit_steps(e, false);
    write_results(e, f, name);
    b->work = e->status || e->exact ? 0 : emit_whole_work(e);
    b->may_fail = e->may_fail;
    e->out = out;
    if (b->work) emit_argument(&parameters, 4, "void *work");
    if (e->exact) emit_argument(&parameters, 4, "const struct kernel_inner *here");
    text_char(out, '(');
    text_bytes(out, parameters.n ? parameters.s : "void", parameters.n ? parameters.n : 4);
    text_end(&parameters, out);
    text_str(out, ") {\n");
    size_t before = out->n;
    if (e->exact) emit_inner_declarations(e);
    else emit_declarations(e), silence_all(e, f, b, &steps, name);
    size_t blank = out->n == before && steps.n; /* the line that parts steps from declarations */
    text_bytes(out, steps.n ? steps.s + blank : "", steps.n - blank);
    text_end(&steps, out);
    text_str(out, b->may_fail ? "    return 0;\n}\n" : "}\n");
}

/* What was written before, if it is the same, or its own with a name. */
static void keep(struct emitter *e, struct emit_body *b, const char *wanted, struct cr_text *whole) {
    struct emit_file *file = e->file;
    size_t before = file->texts.n;
    b->text = whole->failed ? intern_none : intern_put(&file->texts, whole->s, whole->n);
    if (b->text == intern_none ||
        !mem_grow(&e->mem, &file->body, &file->body_cap, file->bodies, sizeof *file->body)) {
        e->status = CR_ENOMEM;
        return;
    }
    for (size_t i = 0; file->texts.n == before && !e->exact && i < file->bodies; i++)
        if (file->body[i].text == b->text && !file->body[i].callback) {
            b->name = file->body[i].name;
            return;
        }
    b->name = emit_file_name(e, wanted);
    if (b->name == intern_none) return;
    file->body[file->bodies++] = *b;
    text_add(&file->functions, "%s %s %s", e->exact ? "ALWAYS" : "static", b->may_fail ? "int" : "void",
             (const char *)intern_bytes(&file->names, b->name));
    text_bytes(&file->functions, whole->s, whole->n);
    text_char(&file->functions, '\n');
}

static void write_body(struct emitter *e, struct emit_body *b, const struct emit_function *f,
                       uint32_t carries, const char *wanted) {
    struct cr_text whole = text_make(&e->mem);
    struct emitter inner = {.mem = e->mem,
                            .out = &whole,
                            .p = f->plan,
                            .g = f->plan->g,
                            .program = f->program,
                            .wish = e->wish,
                            .file = e->file,
                            .real = e->real,
                            .exact = e->exact,
                            .values = e->values,
                            .products = e->products,
                            .own_products = e->own_products,
                            .why = e->why};
    for (int i = 0; i < 2; i++) {
        int op = i ? OP_seed : OP_step_number;
        b->source[i] = emit_any_node(e->wish, f->plan, f->program, is_op, &op);
    }
    uint32_t *name = mem_zero(&e->mem, mem_mul(f->f->n_out, sizeof *name));
    inner.placed = mem_zero(&e->mem, f->plan->slots);
    if (!name || !inner.placed || !emit_start_names(&inner)) inner.status = CR_ENOMEM;
    else emit_reserve(&inner, e->wish->prefix), write_whole(&inner, &whole, f, b, carries, name);
    emit_drop_names(&inner);
    e->values = inner.values;
    e->products = inner.products;
    mem_free(&e->mem, inner.placed, f->plan->slots);
    mem_free(&e->mem, name, f->f->n_out * sizeof *name);
    if (inner.status) e->status = inner.status;
    else keep(e, b, wanted, &whole);
    text_drop(&whole);
}

/* ---- Callbacks: functions that whoever links the program has written ---- */

static void write_prototype(struct emitter *e, struct emit_body *b, const cr_function *f,
                            struct cr_text *parameters) {
    struct emit_file *file = e->file;
    b->name = emit_file_name(e, f->name);
    b->text = parameters->failed
                  ? intern_none
                  : intern_put(&file->texts, parameters->s ? parameters->s : "", parameters->n);
    if (b->name == intern_none || b->text == intern_none ||
        !mem_grow(&e->mem, &file->body, &file->body_cap, file->bodies, sizeof *file->body)) {
        e->status = CR_ENOMEM;
        return;
    }
    file->body[file->bodies++] = *b;
    text_add(&file->callbacks, "int %s(%s);\n", (const char *)intern_bytes(&file->names, b->name),
             parameters->s);
}

static void write_callback(struct emitter *e, struct emit_body *b, const cr_function *f) {
    struct cr_text parameters = text_make(&e->mem);
    for (uint32_t k = 0; k < f->n_in + f->n_out; k++) {
        uint32_t node = k < f->n_in ? f->in[k] : f->out[k - f->n_in];
        add_parameter(e, &parameters, f->g, node, k < f->n_in,
                      graph_text(f->g, (uint32_t)graph_attr(f->g, graph_at(f->g, node))[0]));
    }
    b->may_fail = true;
    b->callback = f;
    for (size_t i = 0; i < e->file->bodies; i++) {
        const struct emit_body *o = &e->file->body[i];
        if (!o->callback || strcmp(o->callback->name, f->name) != 0 || parameters.failed) continue;
        bool same = o->callback->callback == f->callback && o->callback->user == f->user &&
                    intern_find(&e->file->texts, parameters.s, parameters.n) == o->text;
        if (same) b->name = o->name;
        else emit_refuse(e, "two callbacks that differ are called '%.60s': C needs a name for each", f->name);
        text_drop(&parameters);
        return;
    }
    write_prototype(e, b, f, &parameters);
    text_drop(&parameters);
}

struct emit_body emit_body_of(struct emitter *e, const struct emit_function *f, uint32_t carries,
                              const char *otherwise) {
    struct emit_body b = {.name = intern_none};
    if (e->status || !f->f) return b;
    if (f->plan) write_body(e, &b, f, carries, e->exact ? "run" : f->f->name ? f->f->name : otherwise);
    else write_callback(e, &b, f->f);
    return b;
}
