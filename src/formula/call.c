/* Calls: ops and composites, the derivatives, functions of the user and of the prelude. */
#include <string.h>

#include "formula/model.h"
#include "tensor/dtype.h"

enum { most_arguments = 64, most_keywords = 8 };

struct arguments {
    int n, keywords;
    struct value value[most_arguments];
    struct token at[most_arguments];
    struct token key[most_keywords];
    struct value key_value[most_keywords];
};

/* A keyword's `=` is told from an expression by looking one word further. */
static bool keyword_ahead(const struct reader *r) {
    struct lexer ahead = r->lexer;
    if (r->token.kind != TOKEN_NAME) return false;
    struct token next = lexer_next(&ahead);
    return token_is(&next, "=");
}

static void read_keyword(struct reader *r, struct arguments *a) {
    if (a->keywords == most_keywords) {
        reader_fail(r, CR_ELIMIT, &r->token, "too many attributes");
        return;
    }
    a->key[a->keywords] = r->token;
    reader_advance(r);
    reader_advance(r);
    if (token_is(&a->key[a->keywords], "like")) { /* a layer's name, not a value */
        a->key_value[a->keywords].kind = VALUE_NOTHING;
        a->at[most_arguments - 1] = r->token;
        reader_advance(r);
    } else {
        a->key_value[a->keywords] = read_expression(r);
    }
    a->keywords++;
}

static void read_arguments(struct reader *r, struct arguments *a) {
    reader_expect(r, "(", "to open the arguments");
    while (!r->status && !reader_is(r, ")")) {
        if (keyword_ahead(r)) read_keyword(r, a);
        else if (a->keywords)
            reader_fail(r, CR_ESYNTAX, &r->token, "an operand stands before the attributes");
        else if (a->n == most_arguments - 1)
            reader_fail(r, CR_ELIMIT, &r->token, "more than %d operands", most_arguments - 1);
        else {
            a->at[a->n] = r->token;
            a->value[a->n++] = read_expression(r);
        }
        if (!reader_is(r, ")") && !reader_expect(r, ",", "between arguments, or ')'")) return;
    }
    reader_expect(r, ")", "to close the arguments");
}

/* ---- Ops ---- */

/* Attributes that stand without a name are taken in order: powi(x, 3). */
static void name_attributes(struct reader *r, const struct call_row *row, struct arguments *a,
                            struct token *extra) {
    while (row->operands >= 0 && a->n > row->operands && a->keywords < most_keywords && !r->status) {
        size_t n;
        const char *name = call_attribute(row, a->n - 1 - row->operands, &n);
        if (!name) return; /* too many: call_op says so */
        a->n--;
        *extra = a->at[a->n];
        extra->s = name;
        extra->n = n;
        a->key[a->keywords] = *extra;
        a->key_value[a->keywords++] = a->value[a->n];
    }
}

/* The key of a draw: run seed, then step, then the scope and the place in it; of an initial value, seed and
 * parameter. */
static cr_node derive_key(struct reader *r) {
    cr_graph *g = r->g;
    if (r->has_hint) return cr_fold_in(cr_seed(g), cr_number(g, (double)r->hint_key));
    const char *scope = graph_text(g, g->scope);
    cr_node key = cr_fold_in(cr_seed(g), cr_step_number(g));
    key = cr_fold_in(key, cr_number(g, (double)intern_hash(scope, strlen(scope))));
    return cr_fold_in(key, cr_number(g, (double)r->draws++));
}

/* Noise on an operand (dropout), whose key was left out: it is for training alone. */
static bool is_noise(const struct call_row *row, const struct arguments *a) {
    return row->operands > 1 && a->n == row->operands - 1 && !call_takes_key(row, 0) &&
           call_takes_key(row, 1);
}

static void insert_key(struct reader *r, const struct call_row *row, struct arguments *a) {
    for (int k = 0; k < row->operands && a->n == row->operands - 1; k++) {
        if (!call_takes_key(row, k)) continue;
        for (int i = a->n; i > k; i--) a->value[i] = a->value[i - 1], a->at[i] = a->at[i - 1];
        a->value[k] =
            (struct value){.kind = VALUE_NODE, .node = r->g ? derive_key(r) : graph_error_node(NULL)};
        a->n++;
        return;
    }
}

struct attributes {
    int n;
    cr_attr attr[most_keywords + 2];
    char name[most_keywords][32];
    double number[most_keywords + 2][CR_MAX_RANK];
};

static bool attribute_value(struct reader *r, const struct token *key, struct value v, cr_attr *out,
                            double *room) {
    out->numbers = room;
    out->count = 1;
    if (v.kind == VALUE_NUMBER || v.kind == VALUE_BOOL) room[0] = v.number;
    else if (v.kind == VALUE_DTYPE) out->text = cr_dtype_name((cr_dtype)v.number);
    else if (v.kind == VALUE_LIST && v.list->n <= CR_MAX_RANK) {
        out->count = (int)v.list->n;
        for (size_t i = 0; i < v.list->n; i++) {
            if (v.list->item[i].kind != VALUE_NUMBER)
                return reader_fail(r, CR_ESYNTAX, key, "%.*s: expected a list of integers", (int)key->n,
                                   key->s),
                       false;
            room[i] = v.list->item[i].number;
        }
    } else if (r->g) {
        return reader_fail(r, CR_ESYNTAX, key,
                           "%.*s: an attribute is a number or a list of numbers, known before the run",
                           (int)key->n, key->s),
               false;
    }
    return !r->status;
}

static bool collect(struct reader *r, const struct call_row *row, struct arguments *a,
                    struct attributes *out) {
    size_t n;
    for (int i = 0; i < a->keywords; i++) {
        size_t length = a->key[i].n < 31 ? a->key[i].n : 31;
        memcpy(out->name[i], a->key[i].s, length);
        out->name[i][length] = 0;
        out->attr[i] = (cr_attr){.name = out->name[i]};
        if (!attribute_value(r, &a->key[i], a->key_value[i], &out->attr[i], out->number[i])) return false;
        out->n = i + 1;
    }
    const char *first = call_attribute(row, 0, &n);
    if (!r->has_hint || !first || strncmp(first, "shape,", 6) != 0 || a->keywords || !call_takes_key(row, 0))
        return true;
    out->attr[0] = (cr_attr){"shape", r->hint.rank, out->number[0],
                             NULL}; /* an initial value has its parameter's shape and dtype */
    for (int i = 0; i < r->hint.rank; i++) out->number[0][i] = (double)r->hint.dim[i];
    out->attr[1] = (cr_attr){"dtype", 0, NULL, cr_dtype_name(r->hint_dtype)};
    out->n = 2;
    return true;
}

static struct value call_row_of(struct reader *r, int i, const struct token *name, struct arguments *a) {
    struct call_row row;
    struct attributes attributes = {0};
    cr_node x[most_arguments];
    struct token extra;
    call_row(i, &row);
    if (row.operands == 1 && a->n == 1 && a->value[0].kind == VALUE_LIST && call_find("stack", 5) == i)
        row.operands = -1;
    name_attributes(r, &row, a, &extra);
    reader_at(r, name);
    if (r->m && !r->m->training && is_noise(&row, a)) return a->value[0];
    insert_key(r, &row, a);
    if (row.operands < 0 && a->n == 1 &&
        a->value[0].kind == VALUE_LIST) { /* concat([a, b]) as well as concat(a, b) */
        struct list *l = a->value[0].list;
        a->n = 0;
        for (size_t k = 0; k < l->n && a->n < most_arguments - 1; k++)
            a->at[a->n] = *name, a->value[a->n++] = l->item[k];
    }
    if (!collect(r, &row, a, &attributes)) return (struct value){0};
    for (int k = 0; k < a->n; k++) x[k] = value_node(r, a->value[k], &a->at[k]);
    if (!r->g || r->status) return (struct value){.kind = VALUE_NODE};
    reader_at(r, name);
    return node_value(r, call_op(r->g, i, a->n, x, attributes.n, attributes.attr), name);
}

/* ---- Words of the language itself ---- */

static struct value list_of(struct reader *r, int n, const cr_node x[]) {
    struct value v = {.kind = VALUE_LIST, .list = reader_list(r)};
    for (int i = 0; i < n; i++) list_add(r, v.list, (struct value){.kind = VALUE_NODE, .node = x[i]});
    return v;
}

static int nodes_of(struct reader *r, struct value v, const struct token *at, cr_node x[]) {
    if (v.kind != VALUE_LIST) return x[0] = value_node(r, v, at), 1;
    int n = 0;
    for (size_t i = 0; i < v.list->n && n < most_arguments; i++) x[n++] = value_node(r, v.list->item[i], at);
    return n;
}

/* grad(loss, w), vjp(y, w, g), jvp(y, w, t); w may be a list, and so is the result of grad and vjp then. */
static struct value derivative(struct reader *r, const struct token *name, struct arguments *a) {
    cr_node wrt[most_arguments], with[most_arguments], out[most_arguments];
    bool plain = token_is(name, "grad"), forward = token_is(name, "jvp");
    int expected = plain ? 2 : 3;
    if (a->n != expected || a->keywords)
        return reader_fail(r, CR_EINVAL, name, "expected %s(%s)",
                           plain     ? "grad"
                           : forward ? "jvp"
                                     : "vjp",
                           plain     ? "loss, w"
                           : forward ? "y, w, tangent"
                                     : "y, w, cotangent");
    cr_node y = value_node(r, a->value[0], &a->at[0]);
    int n = nodes_of(r, a->value[1], &a->at[1], wrt),
        m = plain ? 0 : nodes_of(r, a->value[2], &a->at[2], with);
    if (!r->g || r->status)
        return (struct value){.kind = a->value[1].kind == VALUE_LIST && !forward ? VALUE_LIST : VALUE_NODE,
                              .list = reader_list(r)};
    if (forward ? m != n : !plain && m != 1)
        return reader_fail(r, CR_EINVAL, name,
                           "as many tangents as variables, or one cotangent, is expected");
    reader_at(r, name);
    for (int i = 0; i < n; i++) out[i] = graph_error_node(r->g);
    if (plain) cr_grad(out, y, n, wrt);
    else if (forward) cr_jvp(out, 1, &y, n, wrt, with);
    else cr_vjp(out, 1, &y, with, n, wrt);
    if (forward || a->value[1].kind != VALUE_LIST || !cr_ok(out[0])) return node_value(r, out[0], name);
    return list_of(r, n, out);
}

static struct value size_of(struct reader *r, const struct token *name, struct arguments *a) {
    if (a->n < 1 || a->n > 2 ||
        (a->n == 2 && (a->value[1].kind != VALUE_NUMBER || (r->g && !a->value[1].integer))))
        return reader_fail(r, CR_EINVAL, name, "expected size(x, axis)");
    cr_node x = value_node(r, a->value[0], &a->at[0]);
    if (!r->g || r->status) return number_value(1, true);
    int64_t axis = a->n == 2 ? (int64_t)a->value[1].number : 0, rank = cr_rank(x);
    if (a->n == 1) return number_value((double)cr_count(x), true);
    if (axis < -rank || axis >= rank)
        return reader_fail(r, CR_EAXIS, name, "axis %lld is outside of rank %lld", (long long)axis,
                           (long long)rank);
    return number_value((double)cr_dims(x)[axis < 0 ? axis + rank : axis], true);
}

static struct value own_word(struct reader *r, const struct token *name, struct arguments *a) {
    if (token_is(name, "size")) return size_of(r, name, a);
    if (!token_is(name, "variable") && !token_is(name, "dtype")) return derivative(r, name, a);
    if (a->n != 1 || a->keywords)
        return reader_fail(r, CR_EINVAL, name, "expected %.*s(x)", (int)name->n, name->s);
    cr_node x = value_node(r, a->value[0], &a->at[0]);
    if (token_is(name, "dtype"))
        return (struct value){.kind = VALUE_DTYPE, .number = r->g ? (double)cr_dtype_of(x) : CR_F64};
    if (!r->g || r->status) return (struct value){.kind = VALUE_NODE};
    reader_at(r, name);
    return node_value(r, cr_variable(x), name);
}

/* ---- Functions ---- */

static bool bind_parameters(struct reader *r, const struct function *f, const struct token *name,
                            struct arguments *a) {
    bool taken[most_keywords] = {false};
    int i = 0;
    reader_expect(r, "(", "behind the name of a function");
    for (; !r->status && !reader_is(r, ")"); i++) {
        struct token parameter = r->token;
        if (parameter.kind != TOKEN_NAME) return reader_unexpected(r, "the name of a parameter"), false;
        reader_advance(r);
        struct value v = {0};
        bool given = i < a->n;
        if (given) v = a->value[i];
        for (int k = 0; k < a->keywords; k++)
            if (a->key[k].n == parameter.n && memcmp(a->key[k].s, parameter.s, parameter.n) == 0)
                v = a->key_value[k], given = taken[k] = true;
        if (reader_take(r, "=")) {
            struct value fallback = read_expression(r);
            if (!given) v = fallback, given = true;
        }
        if (!given)
            return reader_fail(r, CR_EINVAL, &parameter, "%.*s: '%.*s' is missing", (int)name->n, name->s,
                               (int)parameter.n, parameter.s),
                   false;
        if (!add_name(r, &parameter, v)) return false;
        if (!reader_is(r, ")") && !reader_expect(r, ",", "between parameters, or ')'")) return false;
    }
    for (int k = 0; k < a->keywords; k++)
        if (!taken[k] && !token_is(&a->key[k], "like"))
            return reader_fail(r, CR_ENAME, name, "%.*s has no parameter '%.*s'", (int)f->n, f->s,
                               (int)a->key[k].n, a->key[k].s),
                   false;
    if (i < a->n)
        return reader_fail(r, CR_EINVAL, name, "%.*s takes %d arguments, found %d", (int)f->n, f->s, i, a->n),
               false;
    return reader_expect(r, ")", "to close the parameters");
}

static struct value read_body(struct reader *r) {
    if (reader_take(r, "{")) {
        struct value v = read_statements(r, "}");
        reader_expect(r, "}", "to close the body");
        return v;
    }
    reader_expect(r, "=", "before the body of a function");
    return read_expression(r);
}

/* Reads the function's text with its parameters bound, then goes on where it was. */
static struct value call_function(struct reader *r, const struct function *f, const struct token *name,
                                  struct arguments *a) {
    struct reader saved = *r;
    if (++r->depth > most_depth)
        return reader_fail(r, CR_ELIMIT, name, "calls nested more than %d deep", most_depth);
    if (f->layer && r->g) {
        if (!r->layer_allowed || !r->bound)
            return reader_fail(
                r, CR_EINVAL, name,
                "'%.*s' is a layer: it stands alone, as in h = %.*s(...), and h names its parameters",
                (int)f->n, f->s, (int)f->n, f->s);
        char scope[64];
        if (r->bound_n >= sizeof scope) return reader_fail(r, CR_ELIMIT, name, "a layer's name is too long");
        memcpy(scope, r->bound, r->bound_n);
        scope[r->bound_n] = 0;
        cr_scope_enter(r->g, scope);
        r->draws = 0;
    }
    for (int k = 0; k < a->keywords; k++)
        if (token_is(&a->key[k], "like"))
            r->like = a->at[most_arguments - 1].s, r->like_n = a->at[most_arguments - 1].n;
    r->lexer = f->body;
    r->source = f->source;
    r->file = f->file;
    r->in_function = true;
    r->bound = NULL;
    reader_advance(r);
    size_t frame = r->names;
    bool bound = bind_parameters(r, f, name, a);
    r->frame = frame;
    struct value v = bound ? read_body(r) : (struct value){0};
    if (f->layer && r->g) cr_scope_leave(r->g);
    saved.name = r->name, saved.name_cap = r->name_cap, saved.names = frame; /* its own names are gone */
    saved.lists = r->lists, saved.status = r->status, saved.function = r->function;
    saved.function_cap = r->function_cap;
    if (!f->layer) saved.draws = r->draws;
    *r = saved;
    return v;
}

struct value read_call(struct reader *r, const struct token *name) {
    static const char *const own[] = {"grad", "jvp", "vjp", "variable", "size", "dtype"};
    struct arguments a;
    bool alone = r->layer_allowed;
    memset(&a, 0, sizeof a);
    r->layer_allowed = false; /* its arguments are not alone */
    read_arguments(r, &a);
    r->layer_allowed = alone;
    if (r->status) return (struct value){0};
    const struct function *f = find_function(r, name);
    if (f) {
        struct function copy = *f; /* the table may move */
        return call_function(r, &copy, name, &a);
    }
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (token_is(name, own[i])) return own_word(r, name, &a);
    int row = call_find(name->s, name->n);
    if (row >= 0) return call_row_of(r, row, name, &a);
    const char *near = call_nearest_op(name->s, name->n);
    return reader_fail(r, CR_ENAME, name, "there is no function '%.*s'%s%s%s",
                       name->n > 40 ? 40 : (int)name->n, name->s, near ? ": did you mean " : "",
                       near ? near : "", near ? "?" : "");
}
