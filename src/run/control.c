/* The functions of a step, compiled: for each the program, and the memory that it needs. */
#include "run/control.h"

#include <string.h>

#include "graph/copy.h"
#include "tensor/dtype.h"

enum { line = 64 }; /* bytes */

static size_t rounded(size_t bytes) { return mem_add(bytes, line - 1) / line * line; }

/* ---- One function ---- */

static void inner_free(const struct mem *m, struct inner *i) {
    cr_program_free(i->program);
    if (!i->f) return;
    mem_free(m, i->in, i->f->n_in * sizeof *i->in);
    mem_free(m, i->out, i->f->n_out * sizeof *i->out);
}

/* The results wanted, once each, are the roots of a copy that the program takes over. */
static cr_status compile(struct inner *i, const bool wanted[], const struct cr_options *options,
                         uint32_t *map, uint32_t *root, struct port *port) {
    const cr_function *f = i->f;
    size_t roots = 0;
    for (uint32_t k = 0; k < f->n_out; k++)
        if (wanted[k]) root[roots++] = f->out[k];
    struct copy_wish copy = {.n = roots, .root = root};
    cr_graph *g = program_copy(f->g, &copy, map, options);
    if (!g) return CR_ENOMEM;
    for (uint32_t k = 0; k < f->n_in; k++) i->in[k] = map[f->in[k]];
    for (size_t k = 0; k < roots; k++) port[k] = (struct port){.node = map[root[k]]};
    struct program_wish wish = {.g = g,
                                .outputs = roots,
                                .output = port,
                                .inner = true,
                                .input = i->in,
                                .inputs = f->n_in,
                                .options = options};
    cr_status status = program_make(&i->program, &wish);
    roots = 0;
    for (uint32_t k = 0; k < f->n_out && !status; k++)
        i->out[k] = wanted[k] ? i->program->output[roots++].node : 0;
    return status;
}

static cr_status inner_make(struct inner *i, const cr_function *f, const bool wanted[],
                            const struct cr_options *options, const struct mem *m) {
    i->f = f;
    if (!f) return CR_OK;
    i->in = mem_zero(m, mem_mul(f->n_in, sizeof *i->in));
    i->out = mem_zero(m, mem_mul(f->n_out, sizeof *i->out));
    if (!i->in || !i->out) return CR_ENOMEM;
    if (f->callback) return CR_OK;
    size_t count = f->g->count;
    uint32_t *map = mem_alloc(m, mem_mul(count, sizeof *map)),
             *root = mem_alloc(m, mem_mul(f->n_out, sizeof *root));
    struct port *port = mem_alloc(m, mem_mul(f->n_out, sizeof *port));
    cr_status status = map && root && port ? compile(i, wanted, options, map, root, port) : CR_ENOMEM;
    mem_free(m, map, count * sizeof *map);
    mem_free(m, root, f->n_out * sizeof *root);
    mem_free(m, port, f->n_out * sizeof *port);
    return status;
}

/* ---- The step ---- */

void control_free(struct control *c) {
    if (!c) return;
    struct mem m = c->mem;
    const cr_function *f = c->inner[0].f;
    mem_free(&m, c->at, (f ? f->n_in + f->n_out : 0) * sizeof *c->at);
    for (int i = 0; i < 2; i++) inner_free(&m, &c->inner[i]);
    mem_free(&m, c->part, (size_t)c->parts * sizeof *c->part);
    mem_free(&m, c, sizeof *c);
}

/* Which parts the plan has in this step. */
static bool find_parts(struct control *c, const cr_program *p, size_t s, const struct node *n) {
    const struct step *step = &p->plan.step[s];
    c->parts = ops_part_count(p->g, n);
    c->part = mem_zero(&c->mem, mem_mul((size_t)c->parts, sizeof *c->part));
    for (uint32_t i = 1; c->part && i < step->n; i++) {
        uint32_t id = p->plan.node[step->first + i];
        c->part[graph_attr(p->g, graph_at(p->g, id))[0]] = id;
    }
    return c->part != NULL;
}

/* Results that go on to the next step, or out. */
static void mark_wanted(const struct control *c, const cr_function *f, bool wanted[]) {
    for (uint32_t k = 0; k < f->n_out; k++)
        wanted[k] = c->op == OP_scan ? k < (uint32_t)c->loop.carry || c->part[k] : c->part[k] != 0;
}

/* Rooms, one behind the other: workspaces, two copies of the carries, single operands. Branches share theirs, since but one runs. */
cr_status control_lay_out(struct control *c) {
    const cr_function *f = c->inner[0].f;
    if (c->op == OP_implicit) return CR_OK;
    size_t at = 0, moving = 0;
    for (int i = 0; i < 2; i++) {
        c->inner[i].workspace = c->op == OP_cond ? 0 : at;
        size_t bytes = rounded(cr_program_workspace(c->inner[i].program));
        at = c->op == OP_cond && bytes < at ? at : mem_add(c->inner[i].workspace, bytes);
    }
    c->at = mem_zero(&c->mem, mem_mul(f->n_in + f->n_out, sizeof *c->at));
    if (!c->at) return CR_ENOMEM;
    uint32_t carries = c->op == OP_scan ? (uint32_t)c->loop.carry : 0;
    for (uint32_t k = 0; k < carries; k++) {
        c->at[k] = c->carry_bytes;
        c->carry_bytes = mem_add(c->carry_bytes, rounded(plan_node_bytes(f->g, f->in[k])));
    }
    c->carry = at;
    at = mem_add(at, mem_mul(2, c->carry_bytes));
    for (uint32_t k = carries; k < f->n_in; k++) {
        c->at[k] = at;
        at = mem_add(at, rounded(plan_node_bytes(f->g, f->in[k])));
        if (c->op == OP_scan && k < carries + (uint32_t)c->loop.xs) moving += plan_node_bytes(f->g, f->in[k]);
    }
    for (uint32_t k = carries; c->op == OP_scan && k < f->n_out; k++)
        moving += plan_node_bytes(f->g, f->out[k]);
    for (uint32_t k = 0; f->callback && k < f->n_out; k++) {
        c->at[f->n_in + k] = at;
        at = mem_add(at, rounded(plan_node_bytes(f->g, f->out[k])));
    }
    c->small = c->op == OP_scan && c->carry_bytes + moving <= loop_moves_little;
    c->bytes = at;
    return at < PTRDIFF_MAX ? CR_OK : CR_ELIMIT;
}

static cr_status fill(struct control *c, const cr_program *p, size_t s, const struct cr_options *options) {
    const struct node *n = graph_at(p->g, p->plan.node[p->plan.step[s].first]);
    c->op = n->op;
    if (n->op == OP_scan) c->loop = loop_attr(p->g, n);
    if (!find_parts(c, p, s, n)) return CR_ENOMEM;
    uint32_t most = control_function(p->g, n, 0)->n_out;
    bool *wanted = mem_alloc(&c->mem, most + 1), all = true;
    cr_status status = wanted ? CR_OK : CR_ENOMEM;
    if (wanted) mark_wanted(c, control_function(p->g, n, 0), wanted);
    for (uint32_t i = 0; i < control_functions(p->g, n) && !status && n->op != OP_implicit; i++) {
        bool condition = n->op == OP_scan && i == 1;
        status = inner_make(&c->inner[i], control_function(p->g, n, i), condition ? &all : wanted, options,
                            &c->mem);
    }
    if (n->op == OP_implicit) c->inner[0].f = NULL;
    mem_free(&c->mem, wanted, most + 1);
    return status;
}

cr_status control_make(struct control **out, const cr_program *p, size_t s,
                       const struct cr_options *options) {
    struct control *c = mem_zero(&p->mem, sizeof *c);
    if (!c) return CR_ENOMEM;
    c->mem = p->mem;
    cr_status status = fill(c, p, s, options);
    if (status) control_free(c);
    else *out = c;
    return status;
}
