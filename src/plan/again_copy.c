/* The copy of a graph in which some nodes stand twice. */
#include <string.h>

#include "graph/copy.h"
#include "plan/again.h"

size_t again_find(const struct again_place *x, uint32_t node) {
    size_t first = 0, end = x->n;
    while (first < end) {
        size_t middle = first + (end - first) / 2;
        if (x->node[middle] < node) first = middle + 1;
        else end = middle;
    }
    return first;
}

struct copier {
    struct again *a;
    cr_graph *to;
    /* While a node is copied whose operands have twins: these, and what they were in the map. */
    uint32_t *operand, *was;
    size_t n, operand_cap, was_cap;
    bool failed;
};

/* In the map, operands of the node have the place of their twins that are made. */
static void point_to_twins(struct copier *c, const struct again_place *x, uint32_t id, uint32_t *map) {
    const cr_graph *g = c->a->p->g;
    const struct node *n = graph_at(g, id);
    for (uint32_t k = 0; k < n->n && !c->failed; k++) {
        uint32_t operand = graph_args(g, n)[k];
        size_t at = again_find(x, operand);
        if (at >= x->made || x->node[at] != operand || map[operand] == x->twin[at]) continue;
        c->failed = !mem_grow(&c->a->mem, &c->operand, &c->operand_cap, c->n, sizeof *c->operand) ||
                    !mem_grow(&c->a->mem, &c->was, &c->was_cap, c->n, sizeof *c->was);
        if (c->failed) return;
        c->operand[c->n] = operand;
        c->was[c->n++] = map[operand];
        map[operand] = x->twin[at];
    }
}

static void point_back(struct copier *c, uint32_t *map) {
    while (c->n > 0) c->n--, map[c->operand[c->n]] = c->was[c->n];
}

/* All of the list up to this node: what they are made of comes before them. */
static void make_twins(struct copier *c, struct again_place *x, uint32_t upto, uint32_t *map) {
    for (; x->made < x->n && x->node[x->made] <= upto && !c->failed; x->made++) {
        uint32_t id = x->node[x->made];
        point_to_twins(c, x, id, map);
        cr_node y = graph_copy_again(c->to, c->a->p->g, id, map);
        point_back(c, map);
        x->twin[x->made] = y.id;
        c->failed = c->failed || !y.id;
    }
}

static void before(void *maker, uint32_t id, uint32_t *map) {
    struct copier *c = maker;
    const struct plan *p = c->a->p;
    uint32_t step = p->step_of[id], number = step == no_slot ? 0 : c->a->at[step];
    const struct node *n = graph_at(p->g, id);
    if (!number || op_kind(n->op) == KIND_VIEW || op_kind(n->op) == KIND_ALIAS) return;
    struct again_place *x = &c->a->place[number - 1];
    for (uint32_t k = 0; k < n->n; k++) {
        uint32_t operand = graph_args(p->g, n)[k];
        size_t at = again_find(x, operand);
        if (at < x->n && x->node[at] == operand) make_twins(c, x, operand, map);
    }
    point_to_twins(c, x, id, map);
}

static void after(void *maker, uint32_t *map) { point_back(maker, map); }

static void find_roots(const struct plan_wish *wish, uint32_t *root) {
    for (size_t i = 0; i < wish->outputs; i++) root[i] = wish->output[i];
    for (size_t i = 0; i < wish->updates; i++) {
        root[wish->outputs + 2 * i] = wish->update[i].value;
        root[wish->outputs + 2 * i + 1] = wish->update[i].param;
    }
}

cr_graph *plan_copy_again(struct again *a, const struct plan_wish *wish, uint32_t *map) {
    const cr_graph *from = a->p->g;
    struct copier c = {.a = a, .to = cr_graph_new(from->ctx)};
    size_t roots = wish->outputs + 2 * wish->updates;
    uint32_t *root = mem_alloc(&a->mem, mem_mul(roots, sizeof *root));
    struct copy_wish copy = {.n = roots, .root = root, .before = before, .after = after, .maker = &c};
    bool ok = c.to && root;
    if (ok) find_roots(wish, root);
    ok = ok && graph_copy_into(c.to, from, &copy, map) && !c.failed;
    mem_free(&a->mem, root, roots * sizeof *root);
    mem_free(&a->mem, c.operand, c.operand_cap * sizeof *c.operand);
    mem_free(&a->mem, c.was, c.was_cap * sizeof *c.was);
    if (ok) return c.to;
    if (c.to) cr_graph_free(c.to);
    return NULL;
}

void plan_mark_again(const struct again *a, uint8_t *again) {
    for (size_t i = 0; i < a->places; i++)
        for (size_t k = 0; k < a->place[i].made; k++) again[a->place[i].twin[k]] = 1;
}

/* A second node that stands in memory, and is no small one. */
static bool is_kept(const struct again *a, const struct again_place *x, size_t k,
                    const struct plan *of_copy) {
    enum { small = 256 << 10 };
    uint32_t slot = of_copy->view[x->twin[k]].slot;
    return slot != no_slot && of_copy->slot[slot].kind == SLOT_WORK &&
           plan_node_bytes(a->p->g, x->node[k]) >= small;
}

static bool is_chosen(const struct again *a, uint32_t node) {
    uint32_t slot = a->p->view[node].slot;
    return slot != no_slot && a->chosen[slot];
}

/* If what is kept is but on the way to what was chosen, all of its place is refused. */
bool plan_check_again(struct again *a, const struct plan *of_copy) {
    bool good = true;
    for (size_t i = 0; i < a->places; i++) {
        const struct again_place *x = &a->place[i];
        bool all = false;
        for (size_t k = 0; k < x->made; k++)
            all = all || (is_kept(a, x, k, of_copy) && !is_chosen(a, x->node[k]));
        for (size_t k = 0; k < x->made; k++) {
            if (!is_chosen(a, x->node[k]) || !(all || is_kept(a, x, k, of_copy))) continue;
            a->refused[a->p->view[x->node[k]].slot] = 1;
            good = false;
        }
    }
    return good;
}
