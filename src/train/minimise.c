/* From a loss to the updates of a training step: gradients, accumulated and clipped, then an optimiser's step for each
 * parameter. "adam(rate=0.001*cosine(step, 1000), clip_norm=1)" says which. */
#include <math.h>
#include <string.h>

#include "formula/lex.h"
#include "train/optimiser.h"

/* Options that all optimisers have. */
static const char shared_options[] = "clip=inf, clip_norm=inf, accumulate=1";
enum { CLIP, CLIP_NORM, ACCUMULATE, shared_count };

/* ---- The method's text: name(option=value, ...) ---- */

struct slice {
    const char *s;
    size_t n;
};

struct method {
    cr_graph *g;
    const struct optimiser_row *row;
    cr_node shared[shared_count], option[optimiser_options];
};

static struct slice trimmed(const char *s, const char *end) {
    while (s < end && (*s == ' ' || *s == '\n' || *s == '\t')) s++;
    while (end > s && (end[-1] == ' ' || end[-1] == '\n' || end[-1] == '\t')) end--;
    return (struct slice){s, (size_t)(end - s)};
}

/* Takes "name=value" up to a comma that stands in no bracket. False at the end. */
static bool next_option(struct slice *rest, struct slice *name, struct slice *value) {
    if (rest->n == 0) return false;
    const char *s = rest->s, *end = s + rest->n, *equals = memchr(s, '=', rest->n), *p = s;
    for (int depth = 0; p < end && (depth > 0 || *p != ','); p++)
        depth += (*p == '(' || *p == '[') - (*p == ')' || *p == ']');
    if (!equals || equals > p) equals = p;
    *name = trimmed(s, equals);
    *value = equals < p ? trimmed(equals + 1, p) : (struct slice){p, 0};
    *rest = p < end ? (struct slice){p + 1, (size_t)(end - p - 1)} : (struct slice){p, 0};
    return true;
}

/* Which of the options in `list` is called so; -1: none. */
static int option_index(const char *list, struct slice wanted) {
    struct slice rest = {list, strlen(list)}, name, value;
    for (int i = 0; next_option(&rest, &name, &value); i++)
        if (name.n == wanted.n && memcmp(name.s, wanted.s, name.n) == 0) return i;
    return -1;
}

static bool refuse(const struct method *m, struct slice name, const char *what) {
    graph_fail(m->g, CR_EINVAL, m->row->name, "%.*s: %s", name.n > 60 ? 60 : (int)name.n, name.s, what);
    return false;
}

/* A number or a formula of `step`, over the names of the graph: one number of any dtype but f16 and bf16. */
static bool evaluate(const struct method *m, struct slice name, struct slice value, cr_node *out) {
    struct cr_text text = text_make(&m->g->mem);
    text_bytes(&text, value.s, value.n);
    *out = text.failed ? graph_error_node(m->g) : cr_formula(m->g, cr_text_str(&text));
    bool full = text.failed;
    text_drop(&text);
    if (full) return graph_fail(m->g, CR_ENOMEM, NULL, "out of memory"), false;
    if (!cr_ok(*out)) return false;
    double number;
    if (ops_literal(*out, &number) && cr_rank(*out) == 0)
        return *out = cr_number(m->g, number), number >= 0 || refuse(m, name, "expected no negative number");
    *out = cr_cast(*out, CR_F64);
    return cr_rank(*out) == 0 || refuse(m, name, "expected one number, found a tensor");
}

static bool set_options(struct method *m, struct slice given) {
    struct slice name, value;
    while (next_option(&given, &name, &value)) {
        int own = option_index(m->row->arguments, name), any = option_index(shared_options, name);
        cr_node *to = own >= 0 ? &m->option[own] : any >= 0 ? &m->shared[any] : NULL;
        if (!to) {
            graph_fail(m->g, CR_ENAME, m->row->name, "there is no option '%.*s': expected %s, %s",
                       name.n > 60 ? 60 : (int)name.n, name.s, m->row->arguments, shared_options);
            return false;
        }
        if (value.n == 0) return refuse(m, name, "expected option=value");
        if (!evaluate(m, name, value, to)) return false;
    }
    return true;
}

static bool unknown_method(cr_graph *g, struct slice name) {
    struct cr_text known = text_make(&g->mem);
    for (int i = 0; optimiser_row(i); i++) text_add(&known, i ? ", %s" : "%s", optimiser_row(i)->name);
    graph_fail(g, CR_ENAME, "minimise", "there is no optimiser '%.*s': expected one of %s",
               name.n > 60 ? 60 : (int)name.n, name.s, cr_text_str(&known));
    text_drop(&known);
    return false;
}

/* `step` is the number of the run's step, unless the model has a name for something else. */
static bool name_step(cr_graph *g) {
    return cr_ok(cr_find(g, "step")) || cr_ok(cr_named(cr_step_number(g), "step"));
}

static bool read_method(struct method *m, const char *text) {
    const char *open = strchr(text, '('), *end = text + strlen(text);
    struct slice whole = trimmed(text, end), name = trimmed(text, open ? open : end), given = {end, 0};
    m->row = optimiser_find(name.s, name.n);
    if (!m->row) return unknown_method(m->g, name);
    if (open && whole.s[whole.n - 1] != ')') return refuse(m, whole, "expected ')' at the end");
    if (open) given = trimmed(open + 1, whole.s + whole.n - 1);
    if (!name_step(m->g)) return false;
    /* Defaults first; what is given then takes their places. */
    return set_options(m, (struct slice){m->row->arguments, strlen(m->row->arguments)}) &&
           set_options(m, (struct slice){shared_options, strlen(shared_options)}) && set_options(m, given);
}

/* ---- Gradients, before the optimiser sees them ---- */

static cr_node in_dtype_of(cr_node scalar, cr_node x) { return ops_to_dtype(scalar, cr_dtype_of(x)); }

static void clip_values(const struct method *m, int n, cr_node d[]) {
    cr_node most = m->shared[CLIP];
    if (is_literal(most, INFINITY)) return;
    for (int i = 0; i < n; i++)
        d[i] = cr_maximum(cr_minimum(d[i], in_dtype_of(most, d[i])), in_dtype_of(cr_neg(most), d[i]));
}

/* All gradients as one vector are scaled to this norm if theirs is greater (Pascanu et al. 2013). */
static void clip_norm(const struct method *m, int n, cr_node d[]) {
    cr_node most = m->shared[CLIP_NORM], sum = cr_number(m->g, 0);
    if (is_literal(most, INFINITY) || n == 0) return;
    for (int i = 0; i < n; i++) sum = cr_add(sum, cr_cast(cr_sum(cr_square(d[i]), 0, NULL, false), CR_F64));
    cr_node scale = cr_minimum(cr_div(most, cr_sqrt(sum)), cr_number(m->g, 1));
    for (int i = 0; i < n; i++) d[i] = cr_mul(d[i], in_dtype_of(scale, d[i]));
}

/* ---- One parameter ---- */

struct updating {
    const struct method *m;
    cr_target *t;
    cr_node p;
    cr_node applies; /* bool: this step ends an accumulation; an error node without one */
    cr_status status;
};

/* "adam.W1.mean": a parameter beside the parameter. */
static cr_node make_param(const struct updating *u, const char *what, size_t n) {
    struct cr_text name = text_make(&u->m->g->mem);
    text_add(&name, "%s.%s.%.*s", u->m->row->name, cr_name(u->p), (int)n, what);
    cr_node x = name.failed
                    ? graph_fail(u->m->g, CR_ENOMEM, NULL, "out of memory")
                    : cr_param(u->m->g, cr_text_str(&name), cr_dtype_of(u->p), cr_rank(u->p), cr_dims(u->p));
    text_drop(&name);
    if (cr_ok(x)) cr_param_init(x, cr_number(u->m->g, 0));
    return x;
}

static cr_node make_state(struct optimising *o, int i) {
    const struct updating *u = o->user;
    const char *name;
    size_t n = optimiser_state_name(u->m->row, i, &name);
    return make_param(u, name, n);
}

static void update(struct updating *u, cr_node x, cr_node value) {
    if (cr_ok(u->applies)) value = cr_where(u->applies, value, x);
    if (!u->status) u->status = cr_target_update(u->t, x, value);
}

/* The mean of the gradients since the last update, kept in a parameter of its own until it is used. */
static cr_node accumulate(struct updating *u, cr_node d, cr_node count) {
    cr_node sum = make_param(u, "accumulated", 11);
    if (!cr_ok(sum)) return sum;
    cr_node more = cr_add(sum, cr_div(d, in_dtype_of(count, d)));
    u->status =
        cr_target_update(u->t, sum, cr_where(u->applies, in_dtype_of(cr_number(u->m->g, 0), d), more));
    return more;
}

static void step_one(struct updating *u, cr_node d, cr_node t) {
    struct optimising o = {
        .p = u->p, .d = d, .t = t, .option = u->m->option, .make_state = make_state, .user = u};
    cr_node next = u->m->row->step(&o);
    for (int i = 0; i < optimiser_states; i++)
        if (cr_ok(o.next_state[i])) update(u, o.state[i], o.next_state[i]);
    update(u, u->p, next);
}

/* How many steps one update takes, and whether this one is the last of them. */
static bool read_accumulate(const struct method *m, double *count, cr_node *applies, cr_node *t) {
    cr_graph *g = m->g;
    if (!ops_literal(m->shared[ACCUMULATE], count) || *count < 1 || *count != (double)(int32_t)*count)
        return refuse(m, (struct slice){"accumulate", 10}, "expected a positive integer");
    cr_node steps = cr_add(cr_step_number(g), cr_number(g, 1)), n = cr_number(g, *count);
    if (*count > 1) *applies = cr_eq(cr_mod(steps, n), cr_number(g, 0));
    *t = cr_cast(*count > 1 ? cr_floordiv(steps, n) : steps, CR_F64);
    return true;
}

static cr_status updates(const struct method *m, cr_target *t, int n, const cr_node params[], cr_node d[]) {
    double count;
    cr_node number, applies = graph_error_node(m->g);
    if (!read_accumulate(m, &count, &applies, &number)) return cr_graph_status(m->g);
    struct updating u = {m, t, applies, applies, CR_OK};
    for (int i = 0; i < n && count > 1 && !u.status; i++) {
        u.p = params[i];
        d[i] = accumulate(&u, d[i], m->shared[ACCUMULATE]);
    }
    clip_values(m, n, d);
    clip_norm(m, n, d);
    for (int i = 0; i < n && !u.status; i++) {
        u.p = params[i];
        step_one(&u, d[i], number);
    }
    return cr_graph_status(m->g) ? cr_graph_status(m->g) : u.status;
}

static bool all_params(const struct method *m, int n, const cr_node params[]) {
    for (int i = 0; i < n; i++)
        if (!cr_ok(params[i]) || graph_get(params[i])->op != OP_param)
            return graph_fail(m->g, CR_EINVAL, m->row->name, "what is trained are parameters, found %s",
                              cr_op_of(params[i])),
                   false;
    return true;
}

/* Parameters that are trained, in `trained`; those that say what they become do so. */
static int part(cr_target *t, int n, const cr_node params[], cr_node trained[]) {
    int count = 0;
    for (int i = 0; i < n; i++) {
        cr_node next = cr_param_next(params[i]);
        if (cr_ok(next)) cr_target_update(t, params[i], next);
        else trained[count++] = params[i];
    }
    return count;
}

/* What is not finite as told_not_finite, since a training fails at outputs that are not. */
static cr_node finite_or_told(cr_node x) {
    cr_node is = cr_lt(cr_abs(x), cr_number(x.graph, INFINITY));
    return cr_where(is, x, cr_number(x.graph, told_not_finite));
}

/* The sum that clipping by norm takes is the same node. */
static cr_node norm_of(cr_node d) { return cr_sqrt(cr_cast(cr_sum(cr_square(d), 0, NULL, false), CR_F64)); }

static void tell(struct telling *told, const struct method *m, int n, const cr_node trained[],
                 const cr_node d[]) {
    const char *name = "rate";
    told->rate =
        finite_or_told(m->option[option_index(m->row->arguments, (struct slice){name, strlen(name)})]);
    told->n = n;
    for (int i = 0; i < n; i++) told->param[i] = trained[i], told->norm[i] = finite_or_told(norm_of(d[i]));
}

cr_status optimiser_minimise(cr_target *t, const char *method, cr_node loss, int n, const cr_node params[],
                             struct telling *told) {
    if (!t || !method || n < 0 || (n && !params) || !loss.graph) return CR_EINVAL;
    cr_graph *g = loss.graph;
    struct method m = {.g = g};
    if (g->status) return g->status;
    if (!read_method(&m, method) || !all_params(&m, n, params)) return cr_graph_status(g);
    size_t room = mem_mul(2 * sizeof(cr_node), (size_t)n);
    cr_node *d = mem_alloc(&g->mem, room), *trained = d + n;
    if (!d) return graph_fail(g, CR_ENOMEM, NULL, "out of memory"), CR_ENOMEM;
    int count = part(t, n, params, trained);
    cr_status status = cr_graph_status(g) ? cr_graph_status(g) : cr_grad(d, loss, count, trained);
    if (!status && told) tell(told, &m, count, trained, d);
    if (!status) status = updates(&m, t, count, trained, d);
    mem_free(&g->mem, d, room);
    return status;
}

double told_number(double x) { return x == told_not_finite ? NAN : x; }

cr_status cr_minimise(cr_target *t, const char *method, cr_node loss, int n, const cr_node params[]) {
    return optimiser_minimise(t, method, loss, n, params, NULL);
}

/* ---- One step as nodes ---- */

static cr_node missing_state(struct optimising *o, int i) {
    return graph_fail(o->p.graph, CR_EINVAL, "optimise", "state %d of %s is needed for these options", i,
                      ((const struct method *)o->user)->row->name);
}

cr_status cr_optimise(cr_node out[], const char *method, cr_node p, cr_node d, cr_node step, int n,
                      const cr_node state[]) {
    cr_graph *g = p.graph;
    if (!out || !method || !g || n < 0 || n > optimiser_states || (n && !state)) return CR_EINVAL;
    for (int i = 0; i <= n; i++) out[i] = graph_error_node(g);
    struct method m = {.g = g};
    if (g->status) return g->status;
    if (!ops_good("optimise", 3, (cr_node[]){p, d, step}) || (n && !ops_good("optimise", n, state)) ||
        !read_method(&m, method))
        return cr_graph_status(g);
    clip_values(&m, 1, &d);
    clip_norm(&m, 1, &d);
    struct optimising o = {.p = p,
                           .d = d,
                           .t = cr_cast(cr_add(step, cr_number(g, 1)), CR_F64),
                           .option = m.option,
                           .make_state = missing_state,
                           .user = &m};
    for (int i = 0; i < optimiser_states; i++) o.state[i] = i < n ? state[i] : graph_error_node(g);
    for (int i = 0; i < optimiser_states; i++) o.next_state[i] = graph_error_node(g);
    out[0] = m.row->step(&o);
    for (int i = 0; i < n; i++) out[1 + i] = cr_ok(o.next_state[i]) ? o.next_state[i] : state[i];
    return cr_graph_status(g);
}

const char *cr_optimiser_name(int i) { return optimiser_row(i) ? optimiser_row(i)->name : NULL; }
const char *cr_optimiser_help(int i) { return optimiser_row(i) ? optimiser_row(i)->sentence : NULL; }
const char *cr_optimiser_signature(int i) { return optimiser_row(i) ? optimiser_row(i)->arguments : NULL; }
