/* The pipeline, one call under the other: target -> private graph -> plan -> loops -> program. */
#include <string.h>

#include "base/context.h"
#include "grad/pattern.h"
#include "graph/copy.h"
#include "run/cache.h"
#include "run/control.h"
#include "tensor/dtype.h"

/* ---- Targets and options ---- */

struct wanted {
    uint32_t text;
    cr_node value;
};

struct cr_target {
    struct mem mem;
    cr_graph *g;
    struct wanted *output;
    size_t outputs, output_cap;
    cr_node *param, *value;
    size_t updates, param_cap, value_cap;
    struct hash_table names, params; /* of outputs and of updates: 1 for each */
};

cr_target *cr_target_new(cr_graph *g) {
    if (!g) return NULL;
    cr_target *t = mem_zero(&g->mem, sizeof *t);
    if (t) t->mem = g->mem, t->g = g;
    if (t && hash_init(&t->names, &t->mem) && hash_init(&t->params, &t->mem)) return t;
    cr_target_free(t);
    graph_fail(g, CR_ENOMEM, NULL, "out of memory");
    return NULL;
}

void cr_target_free(cr_target *t) {
    if (!t) return;
    struct mem m = t->mem;
    mem_free(&m, t->output, t->output_cap * sizeof *t->output);
    mem_free(&m, t->param, t->param_cap * sizeof *t->param);
    mem_free(&m, t->value, t->value_cap * sizeof *t->value);
    hash_drop(&t->names, &m);
    hash_drop(&t->params, &m);
    mem_free(&m, t, sizeof *t);
}

static cr_status no_memory(cr_graph *g) {
    graph_fail(g, CR_ENOMEM, NULL, "out of memory");
    return CR_ENOMEM;
}

static uint32_t find_number(const struct hash_table *table, uint32_t number) {
    uint32_t hash = hash_number(number);
    size_t at = hash_start(table, hash);
    return hash_next(table, hash, &at);
}

static cr_status sticky(cr_graph *g) { return cr_graph_status(g) ? cr_graph_status(g) : CR_EINVAL; }

cr_status cr_target_output(cr_target *t, const char *name, cr_node value) {
    if (!t || !name || !*name) return CR_EINVAL;
    if (!ops_good("target_output", 1, &value)) return sticky(t->g);
    if (value.graph != t->g)
        return graph_fail(t->g, CR_EINVAL, "target_output", "'%s' is a node of another graph", name),
               CR_EINVAL;
    uint32_t text = intern_put(&t->g->text, name, strlen(name));
    if (text == intern_none) return no_memory(t->g);
    if (find_number(&t->names, text))
        return graph_fail(t->g, CR_ENAME, "target_output", "two outputs are called '%s'", name), CR_ENAME;
    if (!hash_reserve(&t->names, &t->mem) ||
        !mem_grow(&t->mem, &t->output, &t->output_cap, t->outputs, sizeof *t->output))
        return no_memory(t->g);
    hash_put(&t->names, hash_number(text), 1);
    t->output[t->outputs++] = (struct wanted){text, value};
    return CR_OK;
}

static cr_node copied(cr_node v) {
    struct shape s = ops_shape(v);
    return ops_node(OP_cast, cr_dtype_of(v), &s, 0, NULL, 1, &v);
}

static bool is_seen(int op) { return op_kind(op) == KIND_VIEW || op_kind(op) == KIND_ALIAS; }

/* A value that is no result of its own step (a leaf or a view of one) is copied, so that all updates read
 * first. */
static cr_node update_value(cr_node param, cr_node value) {
    struct shape s = ops_shape(param);
    cr_node v = ops_expand(ops_to_dtype(value, cr_dtype_of(param)), &s);
    if (!cr_ok(v)) return v;
    int op = graph_get(v)->op;
    return op_kind(op) == KIND_LEAF || is_seen(op) ? copied(v) : v;
}

/* An output that stands in an input's or parameter's memory is copied by a step, before anything is written over that: by another output
 * that is bound there, or by itself. 0: out of memory. */
static uint32_t output_value(cr_graph *g, uint32_t id) {
    uint32_t from = id;
    while (is_seen(graph_at(g, from)->op)) from = graph_at(g, from)->arg[0];
    int op = graph_at(g, from)->op;
    return op == OP_input || op == OP_param ? copied(graph_handle(g, id)).id : id;
}

cr_status cr_target_update(cr_target *t, cr_node param, cr_node value) {
    if (!t) return CR_EINVAL;
    if (!ops_good("target_update", 2, (cr_node[]){param, value})) return sticky(t->g);
    if (param.graph != t->g)
        return graph_fail(t->g, CR_EINVAL, "target_update", "a node of another graph"), CR_EINVAL;
    if (graph_get(param)->op != OP_param)
        return graph_fail(t->g, CR_EINVAL, "target_update", "only a parameter can be updated, found %s",
                          cr_op_of(param)),
               CR_EINVAL;
    if (find_number(&t->params, param.id))
        return graph_fail(t->g, CR_ENAME, "target_update", "'%s' is updated twice", cr_name(param)), CR_ENAME;
    cr_node v = update_value(param, value);
    if (!cr_ok(v)) return sticky(t->g);
    if (!mem_grow(&t->mem, &t->param, &t->param_cap, t->updates, sizeof *t->param)) return no_memory(t->g);
    if (!mem_grow(&t->mem, &t->value, &t->value_cap, t->updates, sizeof *t->value)) return no_memory(t->g);
    if (!hash_reserve(&t->params, &t->mem)) return no_memory(t->g);
    hash_put(&t->params, hash_number(param.id), 1);
    t->param[t->updates] = param;
    t->value[t->updates++] = v;
    return CR_OK;
}

cr_options *cr_options_new(cr_context *ctx) {
    struct mem m = context_mem(ctx);
    cr_options *o = mem_zero(&m, sizeof *o);
    if (o) o->mem = m, o->seconds = 60, o->megabytes = 256, o->rewrite = REWRITE_EXACT;
    return o;
}

/* A copy; of NULL: none. */
static cr_status set_text(cr_options *o, char **to, const char *value) {
    if (*to) mem_free(&o->mem, *to, strlen(*to) + 1);
    *to = value ? mem_alloc(&o->mem, strlen(value) + 1) : NULL;
    if (value && !*to) return CR_ENOMEM;
    if (value) strcpy(*to, value);
    return CR_OK;
}

void cr_options_free(cr_options *o) {
    if (!o) return;
    struct mem m = o->mem;
    set_text(o, &o->compiler, NULL);
    set_text(o, &o->cache, NULL);
    mem_free(&m, o, sizeof *o);
}

static cr_status set_number(double *to, const char *value, double least, double most) {
    double v;
    size_t n = strlen(value);
    if (n == 0 || text_parse_number(value, n, &v) != n || !(v >= least && v <= most)) return CR_EINVAL;
    *to = v;
    return CR_OK;
}

static cr_status set_level(enum rewrite_level *level, const char *value) {
    static const char *const name[] = {"none", "exact", "all"}; /* REWRITE_NONE .. */
    for (int i = 0; i < 3; i++)
        if (strcmp(value, name[i]) == 0) return *level = (enum rewrite_level)i, CR_OK;
    return CR_EINVAL;
}

static cr_status set_flag(bool *flag, const char *value, const char *yes, const char *no) {
    if (strcmp(value, yes) != 0 && strcmp(value, no) != 0) return CR_EINVAL;
    *flag = strcmp(value, yes) == 0;
    return CR_OK;
}

cr_status cr_options_set(cr_options *o, const char *name, const char *value) {
    if (!o || !name || !value) return CR_EINVAL;
    if (strcmp(name, "device") == 0) return set_flag(&o->reference, value, "reference", "cpu");
    if (strcmp(name, "trap_nan") == 0) return set_flag(&o->trap_nan, value, "1", "0");
    if (strcmp(name, "finite") == 0) return set_flag(&o->finite, value, "1", "0");
    if (strcmp(name, "flush_denormals") == 0) return set_flag(&o->flush, value, "1", "0");
    if (strcmp(name, "compile") == 0)
        return *value ? set_text(o, &o->compiler, strcmp(value, "0") == 0 ? NULL : value) : CR_EINVAL;
    if (strcmp(name, "cache") == 0) return *value ? set_text(o, &o->cache, value) : CR_EINVAL;
    if (strcmp(name, "compile_seconds") == 0) return set_number(&o->seconds, value, 1, 86400);
    if (strcmp(name, "cache_megabytes") == 0) return set_number(&o->megabytes, value, 1, 1 << 20);
    if (strcmp(name, "compile_for") == 0) return set_number(&o->steps, value, 0, 1e300);
    if (strcmp(name, "rewrite") == 0) return set_level(&o->rewrite, value);
    if (strcmp(name, "reuse") == 0) return set_flag(&o->anew, value, "0", "1");
    if (strcmp(name, "recompute") == 0) return set_flag(&o->no_again, value, "0", "1");
    if (strcmp(name, "fuse") == 0) return set_flag(&o->no_fuse, value, "0", "1");
    return CR_EINVAL;
}

/* ---- The program ---- */

void cr_program_free(cr_program *p) {
    if (!p || atomic_fetch_sub_explicit(&p->holders, 1, memory_order_acq_rel) > 1) return;
    struct mem m = p->mem;
    key_drop(&p->key);
    for (size_t i = 0; p->loop && i < p->plan.steps; i++) loop_drop(&p->loop[i]);
    for (size_t i = 0; p->made && i < p->plan.slots; i++) mem_free(&m, p->made[i], p->plan.slot[i].bytes);
    for (size_t i = 0; p->control && i < p->plan.steps; i++) control_free(p->control[i]);
    mem_free(&m, p->control, p->plan.steps * sizeof *p->control);
    program_drop_compiled(p);
    mem_free(&m, p->loop, p->plan.steps * sizeof *p->loop);
    mem_free(&m, p->kernel, p->plan.nodes * sizeof *p->kernel);
    mem_free(&m, p->made, p->plan.slots * sizeof *p->made);
    mem_free(&m, p->output, p->outputs * sizeof *p->output);
    mem_free(&m, p->leaf, p->leaf_cap * sizeof *p->leaf);
    hash_drop(&p->ports, &m);
    plan_drop(&p->plan);
    mem_free(&m, p->again, p->g->count);
    cr_graph_free(p->g);
    mem_free(&m, p, sizeof *p);
}

static size_t inner_bytes(const struct control *c) {
    return c ? mem_add(program_bytes(c->inner[0].program), program_bytes(c->inner[1].program)) : 0;
}

size_t program_bytes(const cr_program *p) {
    if (!p) return 0;
    size_t bytes = sizeof *p + cr_graph_bytes(p->g) +
                   p->g->count * (sizeof *p->plan.view + sizeof *p->plan.step_of) +
                   p->plan.nodes * (sizeof *p->plan.node + sizeof *p->kernel) +
                   p->plan.slots * (sizeof *p->plan.slot + sizeof *p->made) +
                   p->plan.steps * (sizeof *p->plan.step + sizeof *p->loop);
    for (size_t i = 0; i < p->plan.slots; i++)
        if (p->made[i]) bytes = mem_add(bytes, p->plan.slot[i].bytes);
    for (size_t s = 0; s < p->plan.steps; s++) {
        bytes += p->loop[s].instructions * sizeof *p->loop[s].instruction +
                 p->loop[s].access_cap * sizeof *p->loop[s].access;
        if (p->control) bytes = mem_add(bytes, inner_bytes(p->control[s]));
    }
    return bytes;
}

static bool find_leaves(cr_program *p) {
    for (uint32_t id = 1; id < p->g->count; id++) {
        const struct node *n = graph_at(p->g, id);
        if (n->op != OP_input && n->op != OP_param) continue;
        if (!mem_grow(&p->mem, &p->leaf, &p->leaf_cap, p->leaves, sizeof *p->leaf)) return false;
        p->leaf[p->leaves++] = (struct port){.text = (uint32_t)graph_attr(p->g, n)[0], .node = id};
    }
    return true;
}

static bool name_ports(cr_program *p) {
    if (!hash_init(&p->ports, &p->mem)) return false;
    for (size_t i = 0; i < p->outputs + p->leaves; i++) {
        uint32_t text = i < p->outputs ? p->output[i].text : p->leaf[i - p->outputs].text;
        if (!hash_reserve(&p->ports, &p->mem)) return false;
        if (!find_number(&p->ports, text)) hash_put(&p->ports, hash_number(text), (uint32_t)i + 1);
    }
    return true;
}

const struct port *program_port(const cr_program *p, const char *name) {
    uint32_t text = intern_find(&p->g->text, name, strlen(name));
    uint32_t i = text == intern_none ? 0 : find_number(&p->ports, text);
    return !i ? NULL : i <= p->outputs ? &p->output[i - 1] : &p->leaf[i - 1 - p->outputs];
}

static bool make_constants(cr_program *p) {
    p->made = mem_zero(&p->mem, mem_mul(p->plan.slots, sizeof *p->made));
    for (size_t i = 0; p->made && i < p->plan.slots; i++) {
        struct slot *s = &p->plan.slot[i];
        if (s->kind != SLOT_CONST || s->data) continue;
        int64_t *data = mem_alloc(&p->mem, s->bytes), n = (int64_t)(s->bytes / sizeof *data);
        if (!data) return false;
        for (int64_t k = 0; k < n; k++) data[k] = k;
        s->data = p->made[i] = data;
    }
    return p->made != NULL;
}

static void widen(size_t *most, size_t bytes) {
    if (bytes > *most) *most = bytes;
}

static cr_status make_control(cr_program *p, size_t s, const struct cr_options *options) {
    if (!p->control) p->control = mem_zero(&p->mem, mem_mul(p->plan.steps, sizeof *p->control));
    if (!p->control) return CR_ENOMEM;
    return control_make(&p->control[s], p, s, options);
}

/* What step s needs: its loop with a function for each instruction, and scratch. */
static cr_status make_step(cr_program *p, size_t s, const struct cr_options *options) {
    const struct step *step = &p->plan.step[s];
    const struct node *n = graph_at(p->g, p->plan.node[step->first]);
    if (n->n > p->most_operands) p->most_operands = n->n;
    if (step->kind == STEP_CONTROL) return make_control(p, s, options);
    if (step->kind == STEP_LOOP) {
        cr_status status = loop_make(&p->loop[s], &p->plan, step);
        if (status) return status;
        for (uint32_t i = 0; i < step->n; i++) {
            const struct instruction *in = &p->loop[s].instruction[i];
            struct kernel *k = &p->kernel[step->first + i];
            if (in->kind <= DO_NARROW) k->element = cpu_element(in->op, (cr_dtype)in->from, (cr_dtype)in->to);
            else k->fold = cpu_fold(in->op, (cr_dtype)in->to);
        }
        widen(&p->scratch, cpu_loop_scratch(&p->loop[s]));
        widen(&p->shared, p->loop[s].shared);
    } else if (step->kind == STEP_REDUCE) {
        widen(&p->scratch, cpu_reduce_scratch());
    } else if (step->kind == STEP_KERNEL) {
        struct tensor few[3];
        struct kernel_call call = {.op = n->op,
                                   .n = n->n < 3 ? n->n : 3,
                                   .in = few,
                                   .out = program_tensor(p, p->plan.node[step->first], NULL)};
        for (uint32_t k = 0; k < call.n; k++) few[k] = program_tensor(p, graph_args(p->g, n)[k], NULL);
        widen(&p->scratch, kernel_scratch(&call));
    }
    return CR_OK;
}

static cr_status make_steps(cr_program *p, const struct cr_options *options) {
    p->loop = mem_zero(&p->mem, mem_mul(p->plan.steps, sizeof *p->loop));
    p->kernel = mem_zero(&p->mem, mem_mul(p->plan.nodes, sizeof *p->kernel));
    if (!p->loop || !p->kernel) return CR_ENOMEM;
    for (size_t s = 0; s < p->plan.steps; s++) {
        cr_status status = make_step(p, s, options);
        if (status) return status;
    }
    return CR_OK;
}

/* The functions of step s, compiled with it or each by itself. */
static cr_status settle_control(cr_program *p, size_t s, const struct cr_options *options, bool with) {
    struct control *c = p->control[s];
    cr_status status = CR_OK;
    for (int i = 0; i < 2 && !status; i++)
        if (c->inner[i].program)
            status = program_settle(c->inner[i].program, options, with || (p->units && p->units[s].made));
    if (!status) status = control_lay_out(c);
    widen(&p->shared, c->bytes);
    return status;
}

cr_status program_settle(cr_program *p, const struct cr_options *options, bool with) {
    cr_status status = with ? CR_OK : program_compile(p, options);
    for (size_t s = 0; p->control && s < p->plan.steps && !status; s++)
        if (p->control[s]) status = settle_control(p, s, options, with);
    if (status) return status;
    program_make_groups(p);
    return cr_program_workspace(p) > PTRDIFF_MAX ? CR_ELIMIT : CR_OK;
}

static cr_status fill(cr_program *p, const struct program_wish *wish) {
    const struct cr_options *o = wish->options;
    p->reference = o && o->reference;
    p->trap_nan = o && o->trap_nan;
    p->finite = o && o->finite;
    p->flush = o && o->flush;
    p->product = context_product(p->ctx);
    p->tasks = (size_t)cr_context_thread_count(p->ctx);
    uint32_t *kept = mem_alloc(&p->mem, mem_mul(wish->outputs, sizeof *kept));
    p->output = mem_alloc(&p->mem, mem_mul(wish->outputs, sizeof *p->output));
    p->outputs = wish->outputs;
    if (!kept || !p->output) return mem_free(&p->mem, kept, wish->outputs * sizeof *kept), CR_ENOMEM;
    for (size_t i = 0; i < wish->outputs; i++) {
        p->output[i] = wish->output[i];
        kept[i] = wish->output[i].node;
    }
    bool fuse = !(o && o->no_fuse) && !p->trap_nan;
    bool group = fuse && !wish->keep && !p->reference && !p->product; /* a library's products are whole */
    struct plan_wish plan = {.output = kept,
                             .outputs = wish->outputs,
                             .update = wish->update,
                             .updates = wish->updates,
                             .fuse = fuse,
                             .group = group,
                             .tasks = p->tasks,
                             .compiled = o && o->compiler,
                             .keep = wish->keep};
    cr_status status = program_plan(p, &plan, wish);
    mem_free(&p->mem, kept, wish->outputs * sizeof *kept);
    if (!status && !(find_leaves(p) && name_ports(p) && make_constants(p))) status = CR_ENOMEM;
    if (!status) status = make_steps(p, o);
    return status || wish->inner ? status : program_settle(p, o, false);
}

cr_status program_make(cr_program **out, const struct program_wish *wish) {
    struct mem m = wish->g->mem;
    cr_program *p = mem_zero(&m, sizeof *p);
    *out = NULL;
    if (!p) return cr_graph_free(wish->g), CR_ENOMEM;
    p->mem = m;
    p->key = key_make(&m);
    atomic_init(&p->holders, 1);
    p->g = wish->g;
    p->ctx = wish->g->ctx;
    cr_status status = fill(p, wish);
    if (status) cr_program_free(p);
    else *out = p;
    return status;
}

/* The roots: outputs, then values and parameters of updates, which keep their places in the copy. */
static void find_roots(const cr_target *t, uint32_t *root) {
    for (size_t i = 0; i < t->outputs; i++) root[i] = t->output[i].value.id;
    for (size_t i = 0; i < t->updates; i++) {
        root[t->outputs + i] = t->value[i].id;
        root[t->outputs + t->updates + i] = t->param[i].id;
    }
}

/* What the caller's graph says of an output, kept by the program's. */
static struct port copy_port(cr_graph *to, const struct wanted *w, const uint32_t *map) {
    const cr_graph *from = w->value.graph;
    const char *name = graph_text(from, w->text);
    uint32_t pattern = graph_find_pattern(from, w->value.id);
    return (struct port){intern_put(&to->text, name, strlen(name)), map[w->value.id],
                         pattern ? intern_share(&to->attr, &from->attr, pattern) : 0};
}

static cr_status compile_copy(cr_program **out, const cr_target *t, const cr_options *options,
                              const uint32_t *root, uint32_t *map, struct port *output,
                              struct update *update) {
    struct copy_wish copy = {.n = t->outputs + 2 * t->updates, .root = root};
    cr_graph *g = program_copy_keeping(t->g, &copy, map, options);
    if (!g) return CR_ENOMEM;
    for (size_t i = 0; i < t->outputs; i++) {
        uint32_t leaf = graph_named(t->g, t->output[i].text);
        if (leaf && graph_at(t->g, leaf)->op == OP_input && map[leaf]) {
            graph_fail(t->g, CR_ENAME, "compile",
                       "'%s' is the name of an output and of an input that it needs",
                       graph_text(t->g, t->output[i].text));
            return cr_graph_free(g), CR_ENAME;
        }
        output[i] = copy_port(g, &t->output[i], map);
        output[i].node = output_value(g, output[i].node);
        if (output[i].text == intern_none || output[i].pattern == intern_none || !output[i].node)
            return cr_graph_free(g), CR_ENOMEM;
    }
    for (size_t i = 0; i < t->updates; i++) { /* rewritten, a value may have become a leaf */
        cr_node param = graph_handle(g, map[t->param[i].id]), value = graph_handle(g, map[t->value[i].id]);
        update[i] = (struct update){param.id, update_value(param, value).id, false};
        if (!update[i].value) return cr_graph_free(g), CR_ENOMEM;
    }
    struct program_wish wish = {.g = g,
                                .outputs = t->outputs,
                                .output = output,
                                .updates = t->updates,
                                .update = update,
                                .options = options};
    return program_make(out, &wish);
}

static bool target_good(const cr_target *t) {
    for (size_t i = 0; i < t->outputs; i++)
        if (!graph_get(t->output[i].value))
            return graph_fail(t->g, CR_EINVAL, "compile", "an output was cut from its graph"), false;
    for (size_t i = 0; i < t->updates; i++)
        if (!ops_good("compile", 2, (cr_node[]){t->param[i], t->value[i]})) return false;
    return true;
}

/* ---- Found again, or compiled ---- */

static void key_options(struct key *k, const cr_options *o, const cr_context *ctx) {
    static const struct cr_options usual = {.rewrite = REWRITE_EXACT};
    if (!o) o = &usual;
    key_word(k, (uint64_t)o->reference | (uint64_t)o->trap_nan << 1 | (uint64_t)o->finite << 2 |
                    (uint64_t)o->no_fuse << 3 | (uint64_t)o->flush << 4 | (uint64_t)o->rewrite << 5 |
                    (uint64_t)o->no_again << 8);
    key_text(k, o->compiler);
    if (o->compiler) {
        uint64_t steps;
        memcpy(&steps, &o->steps, sizeof steps);
        key_word(k, steps);
        key_text(k, o->cache);
    }
    key_word(k, (uint64_t)cr_context_thread_count(ctx));
    key_word(k, (uint64_t)(uintptr_t)context_product(ctx));
}

/* All that a program depends on. */
static struct key key_of(const cr_target *t, const cr_options *options, const uint32_t *root, uint32_t *map) {
    struct key k = key_make(&t->g->mem);
    key_options(&k, options, t->g->ctx);
    key_word(&k, t->outputs);
    key_word(&k, t->updates);
    for (size_t i = 0; i < t->outputs; i++) {
        key_text(&k, graph_text(t->g, t->output[i].text));
        key_attribute(&k, t->g, graph_find_pattern(t->g, t->output[i].value.id));
    }
    key_graph(&k, t->g, t->outputs + 2 * t->updates, root, map);
    key_end(&k);
    return k;
}

static cr_status compile(cr_program **out, const cr_target *t, const cr_options *options,
                         const uint32_t *root, uint32_t *map) {
    const struct mem *m = &t->g->mem;
    struct port *output = mem_alloc(m, mem_mul(t->outputs, sizeof *output));
    struct update *update = mem_alloc(m, mem_mul(t->updates, sizeof *update));
    cr_status status = CR_ENOMEM;
    if (output && update) status = compile_copy(out, t, options, root, map, output, update);
    mem_free(m, output, t->outputs * sizeof *output);
    mem_free(m, update, t->updates * sizeof *update);
    return status;
}

/* What went the built-in way for want of a compiler is not kept: there may be one the next time. */
static bool worth_keeping(const cr_program *p, const cr_options *o) {
    return !(o && o->compiler) || p->units;
}

static cr_status find_or_compile(cr_program **out, const cr_target *t, const cr_options *options,
                                 const uint32_t *root, uint32_t *map) {
    struct key k = key_of(t, options, root, map);
    cr_status status = k.failed ? CR_ENOMEM : CR_OK;
    if (!status && !k.alone) *out = cache_find(t->g->ctx, &k);
    if (!status && !*out) {
        status = compile(out, t, options, root, map);
        if (!status && !k.alone && worth_keeping(*out, options)) status = cache_keep(t->g->ctx, *out, &k);
        if (status) cr_program_free(*out), *out = NULL;
    }
    key_drop(&k);
    return status;
}

cr_status cr_compile(cr_program **out, const cr_target *t, const cr_options *options) {
    if (out) *out = NULL;
    if (!out || !t) return CR_EINVAL;
    if (t->g->status) return t->g->status;
    if (!target_good(t)) return sticky(t->g);
    const struct mem *m = &t->g->mem;
    size_t roots = t->outputs + 2 * t->updates, count = t->g->count;
    uint32_t *root = mem_alloc(m, mem_mul(roots, sizeof *root)),
             *map = mem_alloc(m, mem_mul(count, sizeof *map));
    bool anew = !t->g->ctx || (options && options->anew);
    cr_status status = CR_ENOMEM;
    if (root) find_roots(t, root);
    if (root && map) status = (anew ? compile : find_or_compile)(out, t, options, root, map);
    mem_free(m, root, roots * sizeof *root);
    mem_free(m, map, count * sizeof *map);
    if (status) graph_fail(t->g, status, "compile", "%s", cr_status_text(status));
    return status;
}

size_t cr_program_workspace(const cr_program *p) {
    return p ? mem_add(mem_add(p->plan.workspace, mem_mul(p->tasks, p->scratch)), p->shared) : 0;
}

bool cr_program_compiled(const cr_program *p) { return p && p->units; }

const char *cr_program_way(const cr_program *p) { return p && p->way.n ? cr_text_str(&p->way) : "built in"; }

size_t cr_program_steps(const cr_program *p) { return p ? p->plan.steps : 0; }

const char *cr_program_input(const cr_program *p, int i) {
    for (size_t k = 0; p && i >= 0 && k < p->leaves; k++)
        if (graph_at(p->g, p->leaf[k].node)->op == OP_input && i-- == 0)
            return graph_text(p->g, p->leaf[k].text);
    return NULL;
}

const char *cr_program_output(const cr_program *p, int i) {
    return p && i >= 0 && (size_t)i < p->outputs ? graph_text(p->g, p->output[i].text) : NULL;
}

cr_status cr_program_pattern(cr_pattern **out, const cr_program *p, const char *output) {
    if (out) *out = NULL;
    if (!out || !p || !output) return CR_EINVAL;
    for (size_t i = 0; i < p->outputs; i++) {
        const struct port *o = &p->output[i];
        if (strcmp(graph_text(p->g, o->text), output) != 0) continue;
        if (o->pattern) *out = pattern_noted(p->g, o->pattern);
        return o->pattern && !*out ? CR_ENOMEM : CR_OK;
    }
    return CR_ENAME;
}
