/* Functions that are handed to others: scan, map, while, cond, checkpoint, implicit. A function's text is read into a graph of its
 * own, once, with inputs in the place of its arguments. */
#include <math.h>
#include <string.h>

#include "formula/model.h"
#include "graph/function.h"
#include "ops/control.h"
#include "tensor/dtype.h"

enum word_kind { SCAN, MAP, WHILE, COND, CHECKPOINT, IMPLICIT };
static const struct word {
    const char *name, *form;
    enum word_kind kind;
    int functions; /* how many are handed over */
    bool rows;     /* each step sees an element of an operand's leading axis */
    const char *attribute[6];
} words[] = {
    {"scan",
     "scan(f, carry, x..., steps=n, reverse=false, memory=bytes, kept=false, most=n, constant=...)",
     SCAN,
     1,
     true,
     {"steps", "reverse", "memory", "kept", "most"}},
    {"map", "map(f, x..., constant=...)", MAP, 1, true, {NULL}},
    {"while",
     "while(condition, f, carry, most=n, kept=false, constant=...)",
     WHILE,
     2,
     false,
     {"most", "kept"}},
    {"cond", "cond(condition, f, g, x..., constant=...)", COND, 2, false, {NULL}},
    {"checkpoint", "checkpoint(f, x..., constant=...)", CHECKPOINT, 1, false, {NULL}},
    {"implicit", "implicit(f, x, constant=...)", IMPLICIT, 1, false, {NULL}},
};

const char *control_word_name(size_t i) { return i < sizeof words / sizeof *words ? words[i].name : NULL; }

static const struct word *find_word(const struct token *name) {
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (token_is(name, words[i].name)) return &words[i];
    return NULL;
}

const char *control_word(const struct reader *r, const struct token *name) {
    const struct word *w = find_function(r, name) ? NULL : find_word(name);
    return w ? w->name : NULL;
}

/* ---- What stands in the brackets ---- */

enum { most = 128 }; /* values, or results: of scans over the cells of some layers */

struct control {
    const struct word *word;
    struct token at;
    size_t function[2]; /* by number of the reader's functions */
    cr_node condition, x[most];
    bool row[most];         /* each step sees an element of its leading axis */
    struct token key[most]; /* of a constant: its parameter */
    int carry, n;           /* operands that are carried; all that become inputs */
    const struct arguments *a;
    cr_node count;                             /* of steps, where it is known only in the run */
    double steps, most, reverse, memory, kept; /* nan: not given */
};

static const struct operand *keyword(const struct reader *r, const struct arguments *a, int k) {
    return argument(r, a, a->n + k);
}

static bool is_attribute(const struct word *w, const struct token *key) {
    for (int i = 0; w->attribute[i]; i++)
        if (token_is(key, w->attribute[i])) return true;
    return false;
}

/* What is known while reading stays a number in the function too. */
static bool is_known(const struct value *v) { return v->kind == VALUE_NUMBER || v->kind == VALUE_BOOL; }

static void add(struct reader *r, struct control *c, struct value v, const struct token *at, bool row,
                const struct token *key) {
    if (c->n == most) reader_fail(r, CR_ELIMIT, at, "%s: more than %d values", c->word->name, most);
    if (r->status) return;
    c->row[c->n] = row;
    if (key) c->key[c->n] = *key;
    c->x[c->n++] = value_node(r, v, at);
}

/* A list is as many values. */
static void add_values(struct reader *r, struct control *c, int i, bool row) {
    const struct operand x = *argument(r, c->a, i);
    bool list = x.value.kind == VALUE_LIST;
    for (size_t k = 0; k < (list ? x.value.list->n : 1) && !r->status; k++)
        add(r, c, list ? x.value.list->item[k] : x.value, &x.at, row, NULL);
}

static void take_attribute(struct reader *r, struct control *c, const struct operand *x) {
    const double v = x->value.number;
    bool kept = token_is(&x->key, "kept"), flag = kept || token_is(&x->key, "reverse"),
         memory = token_is(&x->key, "memory"), most_steps = token_is(&x->key, "most");
    if (x->value.kind == VALUE_NODE && token_is(&x->key, "steps")) {
        c->count = x->value.node;
        return;
    }
    bool whole = x->value.integer || (memory && v == floor(v)); /* 1e6 */
    if (x->value.kind != (flag ? VALUE_BOOL : VALUE_NUMBER) || (!flag && !whole))
        reader_fail(r, CR_EINVAL, &x->at, "%.*s: expected %s, known before the run", (int)x->key.n, x->key.s,
                    flag ? "true or false" : "an integer");
    if (memory && v < 0) reader_fail(r, CR_EINVAL, &x->at, "memory: a count of bytes below 0: %.0f", v);
    *(kept ? &c->kept : flag ? &c->reverse : memory ? &c->memory : most_steps ? &c->most : &c->steps) = v;
}

/* Constants that are not known become inputs. */
static void add_constants(struct reader *r, struct control *c) {
    for (int k = 0; k < c->a->keywords && !r->status; k++) {
        const struct operand x = *keyword(r, c->a, k);
        if (is_attribute(c->word, &x.key)) take_attribute(r, c, &x);
        else if (!is_known(&x.value)) add(r, c, x.value, &x.at, false, &x.key);
    }
}

static bool functions_given(struct reader *r, struct control *c) {
    int first = c->word->kind == COND; /* its condition comes first */
    if (c->a->n < c->word->functions + 1)
        return reader_fail(r, CR_EINVAL, &c->at, "expected %s", c->word->form), false;
    for (int i = 0; i < c->word->functions; i++) {
        const struct operand *x = argument(r, c->a, first + i);
        if (x->value.kind != VALUE_FUNCTION)
            return reader_fail(r, CR_EINVAL, &x->at, "%s: expected the name of a function of yours: %s",
                               c->word->name, c->word->form),
                   false;
        c->function[i] = (size_t)x->value.number;
    }
    return true;
}

/* ---- The function as a graph of its own ---- */

static void push(struct reader *r, struct value v, const struct token *at, const struct token *key) {
    if (!mem_grow(&r->mem, &r->operand, &r->operand_cap, r->operands, sizeof *r->operand))
        reader_no_memory(r);
    else
        r->operand[r->operands++] =
            (struct operand){.value = v, .at = *at, .key = key ? *key : (struct token){0}};
}

/* Called as the parameter; x3 where there is none, or none of its own, which the call tells. */
static void name_input(struct cr_text *name, const struct control *c, const struct function *f, int i,
                       cr_graph *b) {
    struct token t = c->key[i].n ? c->key[i] : parameter_name(f, i);
    text_bytes(name, t.s, t.n);
    if (t.n && !name->failed && !cr_ok(cr_find(b, cr_text_str(name)))) return;
    name->n = 0;
    text_add(name, "x%d", i);
}

/* The input that stands for operand i: of its shape, or an element's. A literal takes the dtype of what is there. */
static cr_node input(struct reader *r, const struct control *c, const struct function *f, int i,
                     cr_graph *b) {
    cr_node x = c->x[i], y = graph_error_node(b);
    const struct node *n = graph_get(x);
    cr_dtype dtype = cr_dtype_of(x);
    for (int k = 0; k < c->n && n->weak; k++)
        if (!graph_get(c->x[k])->weak && dtype_is_float(cr_dtype_of(c->x[k]))) dtype = cr_dtype_of(c->x[k]);
    if (c->row[i] && cr_rank(x) == 0) {
        reader_fail(r, CR_ESHAPE, &c->at, "%s: expected an axis to go along, found a number", c->word->name);
        return y;
    }
    struct cr_text name = text_make(&r->mem);
    name_input(&name, c, f, i, b);
    if (name.failed) reader_no_memory(r);
    else y = cr_input(b, name.s, dtype, cr_rank(x) - c->row[i], cr_dims(x) + c->row[i]);
    text_drop(&name);
    return y;
}

/* The results as nodes of the function's graph: those of a list, or one. Carries take their inputs' dtypes. */
static int results(struct reader *r, const struct control *c, struct value v, const cr_node in[],
                   cr_node out[]) {
    bool list = v.kind == VALUE_LIST;
    int n = list ? (int)v.list->n : 1;
    if (list && v.list->n > most)
        reader_fail(r, CR_ELIMIT, &c->at, "%s: more than %d results", c->word->name, most);
    for (int i = 0; i < n && !r->status; i++) {
        out[i] = value_node(r, list ? v.list->item[i] : v, &c->at);
        if (i < c->carry && graph_get(out[i]) && graph_get(out[i])->weak) {
            struct shape s = ops_shape(in[i]);
            out[i] = ops_to_dtype(out[i], cr_dtype_of(in[i]));
            if (cr_rank(out[i]) == 0) out[i] = ops_expand(out[i], &s);
        }
    }
    return n;
}

static cr_function *read_into(struct reader *r, const struct control *c, const struct function *f,
                              cr_graph *b) {
    cr_node in[most], out[most];
    struct arguments a = {.first = r->operands};
    uint32_t draws = r->place.draws;
    cr_function *made = NULL;
    cr_graph *g = r->g;
    for (int i = 0; i < c->n && !r->status; i++) in[i] = input(r, c, f, i, b);
    r->g = b;
    for (int i = 0; i < c->n && !r->status; i++) {
        push(r, (struct value){.kind = VALUE_NODE, .node = in[i]}, &c->at, c->key[i].n ? &c->key[i] : NULL);
        if (c->key[i].n) a.keywords++;
        else a.n++;
    }
    for (int k = 0; k < c->a->keywords && !r->status; k++) {
        const struct operand x = *keyword(r, c->a, k);
        if (is_attribute(c->word, &x.key) || !is_known(&x.value)) continue;
        push(r, x.value, &x.at, &x.key);
        a.keywords++;
    }
    struct value v = r->status ? (struct value){0} : call_function(r, f, &f->name, &a);
    int n = r->status ? 0 : results(r, c, v, in, out);
    if (!r->status && r->place.draws != draws)
        reader_fail(r, CR_EINVAL, &c->at,
                    "%s: a random draw in %.*s needs a key of its own, which the function is given",
                    c->word->name, (int)f->name.n, f->name.s);
    if (!r->status && cr_function_new(&made, c->n, in, n, out)) /* told by the function's graph */
        node_value(r, graph_error_node(b), &c->at);
    if (made && !function_set_name(made, f->name.s, f->name.n, "")) reader_no_memory(r);
    r->g = g;
    r->operands = a.first;
    return made;
}

static cr_function *closed(struct reader *r, const struct control *c, int which) {
    struct function f = r->function[c->function[which]]; /* the array may move */
    cr_graph *b = cr_graph_new(r->g->ctx);
    if (!b) return reader_no_memory(r), NULL;
    cr_graph_default_float(b, r->g->default_float);
    if (f.layer)
        reader_fail(r, CR_EINVAL, &c->at, "%s: '%.*s' is a layer; hand its parameters over as constants",
                    c->word->name, (int)f.name.n, f.name.s);
    cr_function *made = r->status ? NULL : read_into(r, c, &f, b);
    cr_graph_free(b);
    return made;
}

/* ---- The nodes ---- */

/* As many steps as the leading axis of the first x, or as `steps` says; where that is known only in the run, at most `most`. */
static int64_t steps_of(struct reader *r, const struct control *c) {
    for (int i = 0; i < c->n; i++)
        if (c->row[i]) return cr_dims(c->x[i])[0];
    double n = c->count.id ? c->most : c->steps;
    if (isnan(n))
        reader_fail(r, CR_EINVAL, &c->at, "%s: expected something to go along, or %s=n", c->word->name,
                    c->count.id ? "most" : "steps");
    return (int64_t)n;
}

static int count_rows(const struct control *c) {
    int n = 0;
    for (int i = 0; i < c->n; i++) n += c->row[i];
    return n;
}

static void build(struct reader *r, const struct control *c, cr_function *f, cr_function *g, cr_node out[]) {
    const cr_node *x = c->x;
    int rows = count_rows(c), rest = c->n - c->carry - rows;
    int64_t n = c->word->rows ? steps_of(r, c) : isnan(c->most) ? -1 : (int64_t)c->most;
    if (r->status) return;
    switch (c->word->kind) {
    case SCAN:
    case MAP:
        if (c->count.id) {
            control_counted(out, c->count, f, n, c->reverse == 1, c->carry, x, rows, x + c->carry, rest,
                            x + c->carry + rows);
            break;
        }
        cr_scan_within(out, c->memory < 0x1p53 ? (size_t)c->memory : SIZE_MAX, f, n, c->reverse == 1,
                       c->carry, x, rows, x + c->carry, rest, x + c->carry + rows);
        break;
    case WHILE: cr_while(out, f, g, n, c->carry, x, rest, x + c->carry); break;
    case COND: cr_cond(out, c->condition, f, g, c->n, x); break;
    case CHECKPOINT: cr_call(out, f, c->n, x); break;
    case IMPLICIT: out[0] = cr_implicit(f, x[0], c->n - 1, x + 1); break;
    }
}

/* kept: behind the results each carry as it was before each step, and how many steps there were. */
static int add_kept(struct reader *r, const struct control *c, int n, cr_node out[]) {
    if (c->kept != 1 || !cr_ok(out[0])) return n;
    cr_node loop = cr_operand(out[0], 0);
    int parts = ops_part_count(loop.graph, graph_get(loop));
    if (!isnan(c->memory))
        reader_fail(r, CR_EINVAL, &c->at, "%s: what is kept is all of it: expected no memory", c->word->name);
    if (parts > most) reader_fail(r, CR_ELIMIT, &c->at, "%s: more than %d results", c->word->name, most);
    for (int k = n; k < parts && !r->status; k++) out[k] = cr_part(loop, k);
    return parts;
}

/* One result is itself, several are a list. */
static struct value value_of(struct reader *r, const struct control *c, int n, const cr_node out[]) {
    struct value v = node_value(r, out[0], &c->at);
    return r->status || n == 1 ? v : node_list(r, (size_t)n, out);
}

static void collect(struct reader *r, struct control *c) {
    int i = c->word->functions;
    if (c->word->kind == COND) {
        const struct operand x = *argument(r, c->a, 0);
        c->condition = value_node(r, x.value, &x.at);
        i++;
    }
    if (c->word->kind == SCAN || c->word->kind == WHILE) add_values(r, c, i++, false), c->carry = c->n;
    for (; i < c->a->n && !r->status; i++) add_values(r, c, i, c->word->rows);
    if (c->word->kind == IMPLICIT) c->carry = 1;
    add_constants(r, c);
}

struct value read_control(struct reader *r, const struct token *name, const struct arguments *a) {
    struct control c = {
        .word = find_word(name), .at = *name, .a = a, .steps = NAN, .most = NAN, .memory = NAN};
    cr_node out[most];
    if (!functions_given(r, &c)) return (struct value){0};
    if (!r->g) return open_value();
    collect(r, &c);
    cr_function *f = r->status ? NULL : closed(r, &c, 0);
    cr_function *g = r->status || c.word->functions < 2 ? NULL : closed(r, &c, 1);
    for (int i = 0; i < most; i++) out[i] = graph_error_node(r->g);
    int n = f ? cr_function_outputs(c.word->kind == WHILE ? g : f) : 0;
    if (n > most) reader_fail(r, CR_ELIMIT, name, "%s: more than %d results", c.word->name, most);
    reader_at(r, name);
    if (!r->status) build(r, &c, f, g, out);
    if (!r->status) n = add_kept(r, &c, n, out);
    struct value v = r->status ? (struct value){0} : value_of(r, &c, n, out);
    cr_function_free(f);
    cr_function_free(g);
    return v;
}
