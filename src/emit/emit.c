/* One function and its header. */
#include "emit/emit.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tensor/dtype.h"

/* ---- Lines ---- */

cr_status emit_refuse(struct emitter *e, const char *format, ...) {
    va_list ap;
    if (e->status) return e->status;
    va_start(ap, format);
    vsnprintf(e->why, 256, format, ap);
    va_end(ap);
    return e->status = CR_EINVAL;
}

/* A line of any length: written twice, first to count. */
static void write_line(struct emitter *e, const char *format, va_list ap, const char *end) {
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, format, again);
    va_end(again);
    size_t room = (size_t)(n < 0 ? 0 : n) + 1;
    char *s = mem_alloc(&e->mem, room);
    if (!s) {
        e->status = CR_ENOMEM;
        return;
    }
    vsnprintf(s, room, format, ap);
    text_add(e->out, "%*s", 4 * e->depth, "");
    text_bytes(e->out, s, room - 1);
    text_str(e->out, end);
    mem_free(&e->mem, s, room);
}

void emit_line(struct emitter *e, const char *format, ...) {
    va_list ap;
    va_start(ap, format);
    write_line(e, format, ap, "\n");
    va_end(ap);
}

void emit_open(struct emitter *e, const char *format, ...) {
    va_list ap;
    va_start(ap, format);
    write_line(e, format, ap, " {\n");
    va_end(ap);
    e->depth++;
}

void emit_open_braces(struct emitter *e) {
    emit_line(e, "{");
    e->depth++;
}

void emit_close(struct emitter *e) {
    e->depth--;
    emit_line(e, "}");
}

static void upper(struct cr_text *out, const char *s) {
    for (; *s; s++) text_char(out, (char)toupper((unsigned char)*s));
}

/* ---- What the function takes and gives ---- */

enum role { ROLE_IN, ROLE_STATE, ROLE_OUT };

static bool is_updated(const struct emitter *e, uint32_t param) {
    for (size_t i = 0; i < e->p->updates; i++)
        if (e->p->update[i].param == param) return true;
    return false;
}

/* Calls visit for every parameter of the function, in its order. */
typedef void port_fn(struct emitter *e, uint32_t node, const char *name, enum role role, void *user);

static void each_port(struct emitter *e, port_fn *visit, void *user) {
    for (uint32_t id = 1; id < e->g->count; id++)
        if (graph_at(e->g, id)->op == OP_input) visit(e, id, emit_name(e, id), ROLE_IN, user);
    for (uint32_t id = 1; id < e->g->count; id++)
        if (graph_at(e->g, id)->op == OP_param)
            visit(e, id, emit_name(e, id), is_updated(e, id) ? ROLE_STATE : ROLE_IN, user);
    const uint32_t *name = user ? *(const uint32_t **)user : NULL;
    for (size_t i = 0; i < e->wish->outputs; i++)
        visit(e, e->wish->output[i], name ? intern_bytes(&e->used, name[i]) : e->wish->output_name[i],
              ROLE_OUT, user);
}

struct ports {
    const uint32_t *output; /* names of the outputs as parameters */
    int column, count, outputs;
};

/* A line of its own for each but the first. */
static void next_parameter(struct emitter *e, struct ports *p) {
    if (p->count++) text_add(e->out, "\n%*s", p->column, "");
}

static void write_parameter(struct emitter *e, uint32_t node, const char *name, enum role role, void *user) {
    struct ports *p = user;
    const struct node *n = graph_at(e->g, node);
    char type[80];
    next_parameter(e, p);
    text_add(e->out, "%s%s *%s, /* ", role == ROLE_IN ? "const " : "", emit_type(e, (cr_dtype)n->dtype, type),
             name);
    text_dims(e->out, graph_rank(e->g, n), graph_dims(e->g, n));
    if (role == ROLE_OUT) emit_pattern_shape(e, (size_t)p->outputs++);
    text_str(e->out, role == ROLE_STATE ? ", updated */" : role == ROLE_OUT ? ", may be NULL */" : " */");
}

static bool is_op(const struct node *n, void *op) { return n->op == *(const int *)op; }

static bool has_source(const struct emitter *e, int op) {
    return emit_any_node(e->wish, e->p, e->program, is_op, &op);
}

/* "int step(const float *x, ...": up to, not including, what follows the ')'. */
static void write_signature(struct emitter *e, const uint32_t *output) {
    struct ports p = {output, 5 + (int)strlen(e->wish->prefix), 0, 0};
    text_add(e->out, "int %s(", e->wish->prefix);
    each_port(e, write_parameter, &p);
    for (int seed = 1; seed >= 0; seed--) {
        if (!has_source(e, seed ? OP_seed : OP_step_number)) continue;
        next_parameter(e, &p);
        text_add(e->out, "int64_t %s,", seed ? "run_seed" : "run_step");
    }
    next_parameter(e, &p);
    text_str(e->out, "void *work)");
}

/* A name as its giver wrote it, as a literal. */
static void write_literal(struct cr_text *out, const char *s) {
    text_char(out, '"');
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\' || c == '?') text_add(out, "\\%03o", c);
        else text_char(out, *s);
    }
    text_char(out, '"');
}

static void describe(struct emitter *e, uint32_t node, const char *name, enum role role, void *user) {
    const struct node *n = graph_at(e->g, node);
    struct ports *p = user;
    char type[80];
    const char *given =
        role == ROLE_OUT ? e->wish->output_name[p->outputs] : cr_name(graph_handle(e->g, node));
    p->count++;
    text_str(e->out, "    {");
    write_literal(e->out, given ? given : name);
    text_add(e->out, ", \"%s\", %d, %d, {", emit_type(e, (cr_dtype)n->dtype, type), (int)role,
             graph_rank(e->g, n));
    for (int i = 0; i < graph_rank(e->g, n); i++)
        text_add(e->out, i ? ", %lld" : "%lld", (long long)graph_dims(e->g, n)[i]);
    text_str(e->out, graph_rank(e->g, n) ? "}, " : "0}, ");
    if (role == ROLE_OUT) emit_pattern_pointer(e, (size_t)p->outputs++);
    else text_str(e->out, "NULL");
    text_str(e->out, "},\n");
}

/* ---- What it is given, looked at ---- */

static void write_room(struct emitter *e, uint32_t node, const char *name, enum role role, void *user) {
    const struct node *n = graph_at(e->g, node);
    char type[80];
    (void)name, (void)user;
    text_add(e->out, "        {%lld * sizeof(%s), sizeof(%s), %d},\n", (long long)graph_elements(e->g, n),
             emit_type(e, (cr_dtype)n->dtype, type), emit_type(e, (cr_dtype)n->dtype, type), (int)role);
}

static void write_pointer(struct emitter *e, uint32_t node, const char *name, enum role role, void *user) {
    (void)node, (void)role, (void)user;
    text_add(e->out, "%s, ", name);
}

static void write_check(struct emitter *e, const uint32_t *output) {
    struct cr_text up = text_make(&e->mem), name = text_make(&e->mem);
    struct ports ports = {output, 0, 0, 0};
    upper(&up, e->wish->prefix);
    emit_helper(e, &name, "misplaced", CR_F64);
    const char *u = up.failed ? "X" : up.s;
    text_add(e->out,
             "#ifdef %s_UNCHECKED\n    (void)%s;\n#else\n    static const size_t room[%s_PORTS + 1][3] = {\n",
             u, name.failed ? "x" : name.s, u);
    each_port(e, write_room, &ports);
    text_add(e->out, "        {%s_WORK, sizeof(double), 1}};\n    const void *const given[%s_PORTS + 1] = {",
             u, u);
    each_port(e, write_pointer, &ports);
    text_add(e->out, "work};\n    if (%s(%s_PORTS + 1, given, room)) return 3;\n#endif\n",
             name.failed ? "x" : name.s, u);
    text_drop(&up);
    text_drop(&name);
}

/* ---- The function ---- */

static void write_outputs(struct emitter *e, const uint32_t *output) {
    e->depth = 1;
    text_char(e->out, '\n');
    for (size_t i = 0; i < e->wish->outputs; i++) {
        const char *name = intern_bytes(&e->used, output[i]);
        emit_open(e, "if (%s)", name);
        emit_move(e, name, e->wish->output[i]);
        emit_close(e);
    }
}

static void write_updates(struct emitter *e) {
    e->depth = 1;
    for (size_t i = 0; i < e->p->updates; i++)
        if (!e->p->update[i].in_place)
            emit_move(e, emit_name(e, e->p->update[i].param), e->p->update[i].value);
}

/* Steps before the tail, the outputs, then what may overwrite the parameters that outputs read: the tail, and at last those that no
 * step updates in place, since steps of the tail read them as they were. */
static void write_function(struct emitter *e, const uint32_t *output) {
    struct cr_text steps = text_make(&e->mem), *out = e->out;
    e->out = &steps;
    emit_steps(e, false);
    write_outputs(e, output);
    emit_steps(e, true);
    write_updates(e);
    e->out = out;
    write_signature(e, output);
    text_str(out, " {\n");
    write_check(e, output);
    emit_declarations(e);
    text_str(out, "    (void)work;\n");
    text_bytes(out, steps.s ? steps.s : "", steps.n);
    text_str(out, "    return 0;\n}\n");
    if (steps.failed) e->status = CR_ENOMEM;
    text_drop(&steps);
}

/* ---- Files ---- */

static void write_callbacks(struct emitter *e) {
    const struct cr_text *t = &e->file->callbacks;
    if (t->n == 0) return;
    text_add(e->out,
             "/* Yours to write: computes what is not const. Gives 0; or another number, which %s then gives "
             "too, with nothing updated. */\n",
             e->wish->prefix);
    text_bytes(e->out, t->s, t->n);
    text_char(e->out, '\n');
}

static void write_header(struct emitter *e, const uint32_t *output) {
    const char *p = e->wish->prefix;
    struct cr_text up = text_make(&e->mem);
    struct ports ports = {output, 0, 0, 0};
    struct cr_text table = text_make(&e->mem), *out = e->out;
    upper(&up, p);
    const char *u = up.failed ? "X" : up.s;
    e->out = &table;
    each_port(e, describe, &ports);
    e->out = out;
    text_add(out,
             "/* Made by chainrule %s. Plain C99: needs the C library's mathematics alone, allocates "
             "nothing.\n *\n",
             cr_version());
    text_add(
        out,
        " * %s computes its outputs from inputs and parameters, and then updates those parameters that "
        "are not const. Tensors are\n"
        " * row-major. work: %s_WORK bytes, aligned for any type; what it holds before does not matter. "
        "Gives 0, or 1 if an\n"
        " * index was out of range, 2 if a matrix was singular (or not positive definite), 3 if a pointer is "
        "NULL, not aligned for\n"
        " * its type, or what is written overlaps anything else, 4 if a loop would take more steps than it "
        "may: then nothing has\n * been updated. With %s_UNCHECKED defined pointers are trusted; with "
        "%s_NO_LIBM,\n"
        " * chainrule_math.h stands for the C library's mathematics. */\n",
        p, u, u, u);
    text_add(out, "#ifndef %s_H\n#define %s_H\n\n#include <stddef.h>\n#include <stdint.h>\n\n", u, u);
    text_add(out, "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n#define %s_CHAINRULE_VERSION \"%s\"\n\n", u,
             cr_version());
    if (e->real >= 0)
        text_add(out,
                 "/* The type of its fractions: float or double, the same for all that include this. "
                 "*/\n#ifndef %s_REAL\n"
                 "#define %s_REAL %s\n#endif\ntypedef %s_REAL %s_real;\n\n",
                 u, u, e->real == CR_F32 ? "float" : "double", u, p);
    text_add(out, "#define %s_WORK ((size_t)", u);
    emit_place(e, out, emit_whole_work(e));
    text_str(out, " + 1)\n\n");
    write_signature(e, output);
    text_str(out, ";\n\n");
    write_callbacks(e);
    text_add(out,
             "/* Where a sparse matrix has its entries (CSR): row i has values row_starts[i] to row_starts[i "
             "+ 1] - 1, "
             "and value e stands in\n * column column_indices[e]. */\nstruct %s_pattern {\n"
             "    int32_t rows, columns, count;\n    const int32_t *row_starts, *column_indices;\n};\n\n",
             p);
    text_add(
        out,
        "/* What it takes, in its order; kind 0: read, 1: updated, 2: an output. pattern: of the values of a "
        "sparse matrix, else NULL. */\nstruct "
        "%s_port {\n    const char *name, *type;\n"
        "    int kind, rank;\n    long dims[%d];\n    const struct %s_pattern *pattern;\n};\n#define "
        "%s_PORTS %d\nextern const struct %s_port %s_ports[%s_PORTS];\n\n",
        p, CR_MAX_RANK, p, u, ports.count, p, p, u);
    text_add(out, "#ifdef __cplusplus\n}\n#endif\n\n#endif\n");
    text_drop(&table);
    text_drop(&up);
}

/* A small processor would take the bytes, or a loop's end, modulo what it can count: it is told instead. */
static void write_limits(struct emitter *e) {
    enum { any_has = 65535, real_grows = 2 };
    size_t bytes = emit_whole_work(e);
    int64_t numbers = 0;
    for (uint32_t id = 1; id < e->g->count; id++) {
        const int op = graph_at(e->g, id)->op;
        if ((op == OP_input || op == OP_param) && plan_node_bytes(e->g, id) > bytes)
            bytes = plan_node_bytes(e->g, id);
        if (graph_elements(e->g, graph_at(e->g, id)) > numbers)
            numbers = graph_elements(e->g, graph_at(e->g, id));
    }
    if (e->real == CR_F32) bytes = mem_mul(bytes, real_grows);
    if (bytes <= any_has && numbers <= any_has) return;
    text_add(
        e->out,
        "#include <limits.h>\n#if PTRDIFF_MAX < %zu || LONG_MAX < %lld\n#error \"%s is too large for this "
        "processor\"\n#endif\n\n",
        bytes, (long long)numbers, e->wish->prefix);
}

static void write_source(struct emitter *e, const struct cr_text *body, const uint32_t *output) {
    const char *p = e->wish->prefix;
    const struct cr_text *functions = &e->file->functions;
    struct ports ports = {output, 0, 0, 0};
    struct cr_text up = text_make(&e->mem);
    upper(&up, p);
    const char *u = up.failed ? "X" : up.s;
    text_add(e->out,
             "/* Made by chainrule %s. */\n#include \"%s.h\"\n\n#include <stdbool.h>\n#include "
             "<string.h>\n#ifdef %s_NO_LIBM\n#include \"chainrule_math.h\"\n#else\n#include "
             "<tgmath.h>\n#endif\n\n",
             cr_version(), p, u);
    write_limits(e);
    emit_library(e, e->out);
    emit_patterns(e);
    text_add(e->out, "const struct %s_port %s_ports[%s_PORTS] = {\n", p, p, u);
    each_port(e, describe, &ports);
    text_str(e->out, "};\n\n");
    text_bytes(e->out, functions->s ? functions->s : "", functions->n);
    text_bytes(e->out, body->s ? body->s : "", body->n);
    text_drop(&up);
}

/* *found: the float dtype so far, or -1. What a control op has are its parts. */
static bool is_other_float(const struct node *n, void *found) {
    int *d = found;
    if (!dtype_is_float((cr_dtype)n->dtype) || op_kind(n->op) == KIND_CONTROL) return false;
    bool other = *d >= 0 && n->dtype != *d;
    *d = n->dtype;
    return other;
}

static int only_float(const struct plan *p, const struct emit_wish *wish) {
    int found = -1;
    if (emit_any_node(wish, p, wish->program, is_other_float, &found)) return -1;
    return found == CR_F32 || found == CR_F64 ? found : -1;
}

static bool is_identifier(const char *s) {
    size_t n = 0;
    for (; s[n]; n++)
        if (!(isalpha((unsigned char)s[n]) || s[n] == '_' || (n && isdigit((unsigned char)s[n]))))
            return false;
    return n > 0;
}

static bool start(struct emitter *e, uint32_t *output) {
    uint32_t count = e->g->count;
    if (!emit_start_names(e)) return false;
    emit_reserve(e, e->wish->prefix);
    for (uint32_t id = 1; id < count; id++) { /* the caller's names first */
        int op = graph_at(e->g, id)->op;
        if (op == OP_input || op == OP_param) emit_name(e, id);
    }
    for (size_t i = 0; i < e->wish->outputs; i++) output[i] = emit_reserve(e, e->wish->output_name[i]);
    return e->status == CR_OK;
}

static void write_all(struct emitter *e, struct cr_text *source, struct cr_text *header,
                      const uint32_t *output) {
    const struct emit_file *file = e->file;
    struct cr_text body = text_make(&e->mem);
    e->out = &body;
    write_function(e, output);
    e->out = source;
    write_source(e, &body, output);
    e->out = header;
    write_header(e, output);
    if (body.failed || source->failed || header->failed || file->helpers.failed || file->functions.failed ||
        file->callbacks.failed)
        e->status = CR_ENOMEM;
    text_drop(&body);
}

bool emit_start_file(struct emit_file *f, const struct mem *m) {
    f->helpers = f->functions = f->callbacks = text_make(m);
    return intern_init(&f->names, m) && intern_init(&f->texts, m);
}

void emit_drop_file(struct emit_file *f, const struct mem *m) {
    text_drop(&f->helpers);
    text_drop(&f->functions);
    text_drop(&f->callbacks);
    intern_drop(&f->names);
    intern_drop(&f->texts);
    mem_free(m, f->body, f->body_cap * sizeof *f->body);
}

enum { longest_prefix = 47 };

cr_status emit_c(struct cr_text *source, struct cr_text *header, const struct plan *p,
                 const struct emit_wish *wish, char why[256]) {
    struct emit_file file = {.bodies = 0};
    struct emitter e = {
        .mem = p->mem, .p = p, .g = p->g, .program = wish->program, .wish = wish, .file = &file, .why = why};
    *why = 0;
    if (!is_identifier(wish->prefix))
        return emit_refuse(&e, "the prefix '%.40s' is no identifier of C", wish->prefix);
    if (strlen(wish->prefix) > longest_prefix)
        return emit_refuse(&e, "the prefix '%.40s...' has more than %d characters", wish->prefix,
                           (int)longest_prefix);
    if (*wish->prefix == '_')
        return emit_refuse(&e, "the prefix '%s' begins with '_', as names of the compiler's own do",
                           wish->prefix);
    if (emit_is_word(wish->prefix) || emit_is_of_library(wish->prefix))
        return emit_refuse(&e, "the prefix '%s' is a word of C or its library", wish->prefix);
    if (!emit_patterns_fit(&e)) return e.status;
    e.real = only_float(p, wish);
    uint32_t *output = mem_alloc(&e.mem, mem_mul(wish->outputs, sizeof *output));
    if (!emit_start_file(&file, &e.mem) || !output || !start(&e, output)) e.status = CR_ENOMEM;
    else write_all(&e, source, header, output);
    mem_free(&e.mem, output, wish->outputs * sizeof *output);
    emit_drop_names(&e);
    emit_drop_file(&file, &e.mem);
    return e.status;
}
