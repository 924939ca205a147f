/* Calls of ops and composites: operands by position, attributes by name, keys of random draws derived. */
#include <string.h>

#include "formula/model.h"
#include "tensor/dtype.h"

static struct operand *keyword(const struct reader *r, const struct arguments *a, int k) {
    return argument(r, a, a->n + k);
}

/* ---- Attributes ---- */

static void refuse_attribute(struct reader *r, const struct call_row *row, const struct token *key) {
    reader_fail(r, CR_ENAME, key, "%s has no attribute '%.*s': it is %s(%s)", row->name,
                key->n > 40 ? 40 : (int)key->n, key->s, row->name, row->arguments);
}

static bool attribute_number(struct reader *r, const struct token *key, const struct value *v, double *to) {
    *to = v->number;
    if (v->kind == VALUE_NUMBER || v->kind == VALUE_BOOL) return true;
    reader_fail(r, CR_ESYNTAX, key,
                "%.*s: an attribute is a number or a list of numbers, known before the run", (int)key->n,
                key->s);
    return false;
}

static void attribute_value(struct reader *r, const struct token *key, const struct value *v, cr_attr *out,
                            double *room) {
    out->numbers = room;
    out->count = v->kind == VALUE_LIST ? (int)v->list->n : 1;
    if (v->kind == VALUE_DTYPE) out->text = cr_dtype_name((cr_dtype)v->number);
    else if (v->kind == VALUE_ALL) out->text = "all";
    else if (v->kind != VALUE_LIST) attribute_number(r, key, v, room);
    else if (v->list->n > CR_MAX_RANK)
        reader_fail(r, CR_ELIMIT, key, "%.*s: more than %d numbers", (int)key->n, key->s, CR_MAX_RANK);
    else
        for (size_t i = 0; i < v->list->n; i++)
            if (!attribute_number(r, key, &v->list->item[i], &room[i])) return;
}

static bool has_attribute(const struct call_row *row, const char *name, size_t n) {
    size_t length;
    const char *s;
    for (int i = 0; (s = call_attribute(row, i, &length)); i++)
        if (length == n && memcmp(s, name, n) == 0) return true;
    return false;
}

static void add_attribute(struct reader *r, const struct call_row *row, const struct token *key,
                          const struct value *v, struct attributes *out) {
    for (int i = 0; i < out->n; i++)
        if (strlen(out->name[i]) == key->n && memcmp(out->name[i], key->s, key->n) == 0)
            reader_fail(r, CR_ENAME, key, "%s: '%.*s' is given twice", row->name, (int)key->n, key->s);
    if (r->status) return;
    if (!has_attribute(row, key->s, key->n) || key->n >= longest_keyword || out->n == most_keywords) {
        refuse_attribute(r, row, key);
        return;
    }
    memcpy(out->name[out->n], key->s, key->n);
    out->name[out->n][key->n] = 0;
    out->attr[out->n] = (cr_attr){.name = out->name[out->n]};
    attribute_value(r, key, v, &out->attr[out->n], out->number[out->n]);
    out->n++;
}

/* An initial value has its parameter's shape and dtype. */
static void add_hint(const struct reader *r, struct attributes *out) {
    for (int i = 0; i < r->hint.rank; i++) out->number[0][i] = (double)r->hint.dim[i];
    out->attr[0] = (cr_attr){"shape", r->hint.rank, out->number[0], NULL};
    out->attr[1] = (cr_attr){"dtype", 0, NULL, cr_dtype_name(r->hint_dtype)};
    out->n = 2;
}

/* ---- Operands ---- */

struct operands_of_call {
    int n;
    cr_node *x;
    size_t room;
};

/* The seed of the run, then: of an initial value, its parameter and place in it; else the step, the scope and
 * the place in the scope. So what is added elsewhere changes no draw. */
static cr_node derive_key(struct reader *r) {
    cr_graph *g = r->g;
    cr_node key = cr_seed(g), place = cr_number(g, (double)r->place.draws++);
    if (r->has_hint) return cr_fold_in(cr_fold_in(key, cr_number(g, (double)r->hint_key)), place);
    const char *scope = graph_text(g, g->scope);
    key = cr_fold_in(key, cr_step_number(g));
    key = cr_fold_in(key, cr_number(g, (double)intern_hash(scope, strlen(scope))));
    return cr_fold_in(key, place);
}

static cr_node operand_node(struct reader *r, const struct call_row *row, int k, const struct operand *x) {
    const struct value *v = &x->value;
    if (call_takes_key(row, k) && v->kind == VALUE_NUMBER && !v->integer)
        reader_fail(r, CR_EDTYPE, &x->at, "%s: a key is an integer; attributes go by name: %s(%s)", row->name,
                    row->name, row->arguments);
    return value_node(r, *v, &x->at);
}

static void add_operands(struct reader *r, const struct call_row *row, const struct arguments *a, int n,
                         struct operands_of_call *out) {
    bool derive = n == row->operands - 1;
    for (int i = 0; i < n && !r->status; i++) {
        if (derive && call_takes_key(row, out->n)) out->x[out->n++] = derive_key(r), derive = false;
        out->x[out->n] = operand_node(r, row, out->n, argument(r, a, i));
        out->n++;
    }
    if (derive && call_takes_key(row, out->n)) out->x[out->n++] = derive_key(r);
}

/* concat([a, b]) as well as concat(a, b). */
static void add_list(struct reader *r, const struct list *l, const struct token *at,
                     struct operands_of_call *out) {
    for (size_t i = 0; i < l->n && !r->status; i++) out->x[out->n++] = value_node(r, l->item[i], at);
}

/* What stands behind the operands without a name must be an attribute that has no default: cast(x, f32). */
static void add_positional(struct reader *r, const struct call_row *row, const struct arguments *a, int from,
                           struct attributes *out) {
    for (int i = from; i < a->n && !r->status; i++) {
        size_t n = 0;
        const char *name = call_attribute(row, i - from, &n);
        const struct operand *x = argument(r, a, i);
        struct token key = x->at;
        if (name && name[n] != '=') key.s = name, key.n = n, add_attribute(r, row, &key, &x->value, out);
        else
            reader_fail(r, CR_EINVAL, &x->at, "%s takes %d operand%s, and attributes by name: %s(%s)%s",
                        row->name, row->operands, row->operands == 1 ? "" : "s", row->name, row->arguments,
                        strcmp(row->name, "max") == 0   ? "; of two tensors: maximum(x, y)"
                        : strcmp(row->name, "min") == 0 ? "; of two tensors: minimum(x, y)"
                                                        : "");
    }
}

/* ---- Ops ---- */

/* Of where on what is known while reading (training), with values of one kind: the value itself. */
static bool known_choice(const struct call_row *row, const struct value *condition, const cr_node x[]) {
    if (row->op != OP_where || condition->kind != VALUE_BOOL || !cr_ok(x[1]) || !cr_ok(x[2])) return false;
    struct shape s = ops_shape(x[1]);
    return ops_has_shape(x[2], &s) && cr_dtype_of(x[1]) == cr_dtype_of(x[2]);
}

/* Noise on an operand (dropout), whose key was left out: it is for training alone. */
static bool is_noise(const struct call_row *row, int n) {
    return row->operands > 1 && n == row->operands - 1 && !call_takes_key(row, 0) && call_takes_key(row, 1);
}

static struct value call_with(struct reader *r, int i, const struct call_row *row, const struct token *name,
                              const struct arguments *a, struct operands_of_call *x) {
    struct attributes *attributes = &r->attributes;
    const struct value *first = a->n ? &argument(r, a, 0)->value : NULL;
    int operands = row->operands < 0 || a->n < row->operands ? a->n : row->operands;
    attributes->n = 0;
    bool draw = call_takes_key(row, 0) && call_attribute(row, 0, &(size_t){0});
    add_positional(r, row, a, operands, attributes);
    for (int k = 0; k < a->keywords && !r->status; k++)
        add_attribute(r, row, &keyword(r, a, k)->key, &keyword(r, a, k)->value, attributes);
    if (r->status) return (struct value){0};
    if (r->m && !r->m->training && is_noise(row, a->n)) return *first;
    if (r->has_hint && draw && attributes->n == 0 &&
        strncmp(call_attribute(row, 0, &(size_t){0}), "shape", 5) == 0)
        add_hint(r, attributes);
    reader_at(r, name);
    if (row->operands < 0 && a->n == 1 && first->kind == VALUE_LIST) add_list(r, first->list, name, x);
    else add_operands(r, row, a, operands, x);
    if (r->status) return (struct value){0};
    reader_at(r, name);
    if (x->n == 3 && known_choice(row, first, x->x))
        return node_value(r, x->x[first->number != 0 ? 1 : 2], name);
    return node_value(r, call_op(r->g, i, x->n, x->x, attributes->n, attributes->attr), name);
}

static struct value call_row_of(struct reader *r, int i, const struct token *name,
                                const struct arguments *a) {
    struct call_row row;
    struct operands_of_call x = {0};
    cr_node few[4];
    call_row(i, &row);
    size_t most = (size_t)a->n + 1;
    if (a->n == 1 && argument(r, a, 0)->value.kind == VALUE_LIST) most += argument(r, a, 0)->value.list->n;
    x.room = most <= sizeof few / sizeof *few ? 0 : most;
    x.x = x.room ? mem_alloc(&r->mem, mem_mul(x.room, sizeof *x.x)) : few;
    if (!x.x) return reader_no_memory(r);
    struct value v = call_with(r, i, &row, name, a, &x);
    if (x.room) mem_free(&r->mem, x.x, x.room * sizeof *x.x);
    return v;
}

/* What other languages call our functions. */
static const char *other_name(const struct token *t) {
    static const struct {
        const char *theirs, *ours;
    } table[] = {{"ln", "log"},         {"arcsin", "asin"},        {"arccos", "acos"},
                 {"arctan", "atan"},    {"arctan2", "atan2"},      {"arcsinh", "asinh"},
                 {"arccosh", "acosh"},  {"arctanh", "atanh"},      {"tg", "tan"},
                 {"sgn", "sign"},       {"fabs", "abs"},           {"sqr", "square"},
                 {"power", "pow"},      {"average", "mean"},       {"avg", "mean"},
                 {"len", "size"},       {"length", "size"},        {"shape", "size"},
                 {"transpose", "t"},    {"concatenate", "concat"}, {"cat", "concat"},
                 {"range", "iota"},     {"arange", "iota"},        {"rand", "uniform"},
                 {"random", "uniform"}, {"randn", "normal"},       {"logistic", "sigmoid"},
                 {"swish", "silu"},     {"linear", "dense"},       {"detach", "stop_gradient"},
                 {"total", "sum"},      {"variance", "var"},       {"broadcast_to", "expand"},
                 {"repeat", "expand"},  {"view", "reshape"},       {"astype", "cast"},
                 {"float", "cast"},     {"int", "cast"},           {"if", "where"},
                 {"inverse", "recip"},  {"derivative", "grad"},    {"gradient", "grad"},
                 {"diff", "grad"},      {"ceiling", "ceil"}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (token_is(t, table[i].theirs)) return table[i].ours;
    return NULL;
}

/* How many names a list has that ends with NULL. */
static size_t count_names(const char *name(size_t i)) {
    size_t n = 0;
    while (name(n)) n++;
    return n;
}

/* Functions of the text, then words of the language, then ops. */
static const char *function_name(const void *user, size_t i) {
    const struct reader *r = user;
    struct call_row row;
    size_t own = count_names(own_word_name), control = count_names(control_word_name);
    if (i < r->place.visible) return intern_bytes(r->names, r->function[i].text);
    i -= r->place.visible;
    if (i < own) return own_word_name(i);
    i -= own;
    if (i < control) return control_word_name(i);
    return call_row((int)(i - control), &row) && call_find(row.name, strlen(row.name)) >= 0 ? row.name : NULL;
}

static struct value unknown_function(struct reader *r, const struct token *name) {
    struct call_row row;
    size_t rows = 0;
    while (call_row((int)rows, &row)) rows++;
    int n = name->n > 40 ? 40 : (int)name->n;
    const char *near = other_name(name);
    if (reader_is(r, "="))
        return reader_fail(r, CR_ESYNTAX, name, "a function is defined by fn %.*s(...) = expression", n,
                           name->s);
    if (!near && find_bound(r, name))
        return reader_fail(r, CR_ENAME, name, "'%.*s' is a name, not a function: a product is written with *",
                           n, name->s);
    if (!near)
        near = call_nearest(name->s, name->n, function_name, r,
                            r->place.visible + count_names(own_word_name) + count_names(control_word_name) +
                                rows);
    return reader_fail(r, CR_ENAME, name, "there is no function '%.*s'%s%s%s", n, name->s,
                       near ? ": did you mean " : "", near ? near : "", near ? "?" : "");
}

struct value read_call(struct reader *r, const struct token *name, const struct arguments *a) {
    const struct function *f = find_function(r, name);
    if (f) return call_function(r, f, name, a);
    if (own_word(name)) return read_own_word(r, name, a);
    if (control_word(r, name)) return read_control(r, name, a);
    int row = call_find(name->s, name->n);
    if (row < 0) return unknown_function(r, name);
    return r->g ? call_row_of(r, row, name, a) : open_value();
}
