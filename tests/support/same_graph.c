/* Graphs compared node by node. */
#include "support/same_graph.h"

#include "graph/function.h"
#include "ops/build.h"
#include "support/test.h"

struct pairs {
    cr_graph *a, *b;
    uint32_t *of; /* by id in a: the id in b; 0: not met */
    const char *what;
};

static void compare_functions(const struct pairs *p, const cr_function *f, const cr_function *h);

/* The functions, and what stands behind them. */
static bool same_control(const struct pairs *p, const struct node *x, const struct node *y) {
    uint32_t n = control_functions(p->a, x);
    size_t words = graph_attr_count(p->a, x) - 1 - n;
    if (n != control_functions(p->b, y)) return false;
    for (uint32_t i = 0; i < n; i++)
        compare_functions(p, control_function(p->a, x, i), control_function(p->b, y, i));
    return words == 0 || !memcmp(control_attr(p->a, x), control_attr(p->b, y), words * 8);
}

/* Interned numbers differ between graphs: bytes are compared. A leaf's attribute is its name, a variable's a number
 * of its own. */
static bool same_attributes(const struct pairs *p, const struct node *x, const struct node *y) {
    if (op_kind(x->op) == KIND_CONTROL) return same_control(p, x, y);
    if (x->op == OP_input || x->op == OP_param || x->op == OP_variable) return true;
    size_t n = graph_attr_count(p->a, x);
    return n == graph_attr_count(p->b, y) &&
           (n == 0 || !memcmp(graph_attr(p->a, x), graph_attr(p->b, y), n * 8));
}

static void pair(struct pairs *p, uint32_t i, uint32_t k) {
    if (p->of[i] && p->of[i] != k) fail_msg("%s: one node became two", p->what);
    p->of[i] = k;
}

static void compare_pair(struct pairs *p, uint32_t i) {
    const struct node *x = graph_at(p->a, i), *y = graph_at(p->b, p->of[i]);
    struct shape s = graph_shape(p->a, x), t = graph_shape(p->b, y);
    if (x->op != y->op || x->dtype != y->dtype || x->weak != y->weak || x->n != y->n ||
        !shape_equal(&s, &t) || !same_attributes(p, x, y))
        fail_msg("%s: %s became %s", p->what, op_name(x->op), op_name(y->op));
    for (uint32_t n = 0; n < x->n; n++) pair(p, graph_args(p->a, x)[n], graph_args(p->b, y)[n]);
}

static void compare_all(struct pairs *p) {
    for (uint32_t id = p->a->count; id-- > 1;) /* operands have smaller ids */
        if (p->of[id]) compare_pair(p, id);
}

static void compare_functions(const struct pairs *p, const cr_function *f, const cr_function *h) {
    if (!f && !h) return;
    if (!f || !h || f->n_in != h->n_in || f->n_out != h->n_out) fail_msg("%s: functions differ", p->what);
    struct pairs q = {f->g, h->g, calloc(f->g->count, sizeof *q.of), p->what};
    for (uint32_t i = 0; i < f->n_in; i++) pair(&q, f->in[i], h->in[i]);
    for (uint32_t i = 0; i < f->n_out; i++) pair(&q, f->out[i], h->out[i]);
    compare_all(&q);
    free(q.of);
}

static cr_node initial(cr_graph *g, uint32_t id) {
    const struct note *note = graph_find_note(g, id, NOTE_INIT);
    return graph_handle(g, note ? note->text : 0);
}

static void compare_named(struct pairs *p) {
    for (uint32_t id = 1; id < p->a->count; id++)
        for (uint32_t i = graph_at(p->a, id)->note; i; i = p->a->note[i].next) {
            if (p->a->note[i].kind != NOTE_NAME) continue;
            const char *name = graph_text(p->a, p->a->note[i].text);
            cr_node other = cr_find(p->b, name), from = initial(p->a, id);
            if (!cr_ok(other)) fail_msg("%s: the name %s is lost", p->what, name);
            pair(p, id, other.id);
            if (cr_ok(from)) pair(p, from.id, initial(p->b, other.id).id);
        }
}

void assert_same_graph(cr_graph *a, cr_node result, cr_graph *b, cr_node found, const char *what) {
    struct pairs p = {a, b, calloc(a->count, sizeof *p.of), what};
    compare_named(&p);
    if (cr_ok(result)) pair(&p, result.id, found.id);
    compare_all(&p);
    free(p.of);
}

void read_model(cr_node *result, cr_graph *g, const char *text) {
    cr_model *m = NULL;
    cr_text *why = NULL;
    cr_text_new(&why, NULL);
    if (cr_model_new(&m, text, strlen(text), "m", NULL, why)) fail_msg("%s\n%s", cr_text_str(why), text);
    cr_model_size(m, "n", 3);
    if (cr_model_build(result, m, g, why)) fail_msg("%s\n%s", cr_text_str(why), text);
    cr_model_free(m);
    cr_text_free(why);
}

cr_text *assert_reads_back(cr_graph *g, cr_node result, const char *what) {
    cr_text *text = NULL;
    cr_graph *again = cr_graph_new(NULL);
    cr_node found;
    cr_text_new(&text, NULL);
    if (cr_print_model(text, g, result)) fail_msg("%s: %s", what, cr_graph_error(g));
    read_model(&found, again, cr_text_str(text));
    assert_same_graph(g, result, again, found, what);
    cr_graph_free(again);
    return text;
}

void assert_written(const char *model, const char *expected) {
    cr_graph *g = cr_graph_new(NULL);
    cr_node result;
    read_model(&result, g, model);
    cr_text *text = assert_reads_back(g, result, model);
    if (expected) assert_string_equal(cr_text_str(text), expected);
    cr_text_free(text);
    cr_graph_free(g);
}
