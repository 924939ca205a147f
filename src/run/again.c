/* The plan of a program. Where it is cheaper to compute some values again than to keep them, that of a copy of its graph in which they
 * stand twice. */
#include <string.h>

#include "graph/copy.h"
#include "plan/again.h"
#include "run/program.h"

enum { most_tries = 3 }; /* what turns out to stay in memory is refused, and the rest tried once more */

struct attempt {
    cr_graph *g;
    struct plan plan;
    uint8_t *again; /* by node of g */
    uint32_t *map;  /* by node of the program's graph as it was */
    uint32_t *output;
    struct update *update;
};

static void drop(struct attempt *t, const cr_program *p, const struct plan_wish *wish, size_t count) {
    mem_free(&p->mem, t->map, count * sizeof *t->map);
    mem_free(&p->mem, t->output, wish->outputs * sizeof *t->output);
    mem_free(&p->mem, t->update, wish->updates * sizeof *t->update);
    if (t->plan.g) plan_drop(&t->plan);
    if (t->g) mem_free(&p->mem, t->again, t->g->count);
    if (t->g) cr_graph_free(t->g);
    *t = (struct attempt){0};
}

static cr_status make(struct attempt *t, struct again *a, const cr_program *p, const struct plan_wish *wish) {
    t->map = mem_alloc(&p->mem, mem_mul(p->g->count, sizeof *t->map));
    t->output = mem_alloc(&p->mem, mem_mul(wish->outputs, sizeof *t->output));
    t->update = mem_alloc(&p->mem, mem_mul(wish->updates, sizeof *t->update));
    if (t->map && t->output && t->update) t->g = plan_copy_again(a, wish, t->map);
    if (t->g) t->again = mem_zero(&p->mem, t->g->count);
    if (!t->again) return CR_ENOMEM;
    plan_mark_again(a, t->again);
    struct plan_wish there = *wish;
    there.again = t->again;
    there.output = t->output;
    there.update = t->update;
    for (size_t i = 0; i < wish->outputs; i++) t->output[i] = t->map[wish->output[i]];
    for (size_t i = 0; i < wish->updates; i++)
        t->update[i] = (struct update){t->map[wish->update[i].param], t->map[wish->update[i].value], false};
    return plan_make(&t->plan, t->g, &there);
}

/* What is said of an output, in the graph that takes the place of the other. */
static bool move_port(struct port *x, cr_graph *to, const cr_graph *from, const uint32_t *map) {
    const char *name = graph_text(from, x->text);
    x->text = intern_put(&to->text, name, strlen(name));
    if (x->pattern) x->pattern = intern_share(&to->attr, &from->attr, x->pattern);
    x->node = map[x->node];
    return x->text != intern_none && x->pattern != intern_none;
}

static cr_status adopt(struct attempt *t, cr_program *p, const struct program_wish *wish) {
    bool ok = true;
    for (size_t i = 0; i < p->outputs; i++) ok = move_port(&p->output[i], t->g, p->g, t->map) && ok;
    for (size_t i = 0; i < wish->inputs; i++) wish->input[i] = t->map[wish->input[i]];
    const struct plan plan = p->plan;
    cr_graph *g = p->g;
    p->plan = t->plan, p->g = t->g, p->again = t->again;
    t->plan = plan, t->g = g, t->again = NULL;
    return ok ? CR_OK : CR_ENOMEM;
}

static cr_status plan_again(cr_program *p, const struct plan_wish *plan, const struct program_wish *wish,
                            struct again *a) {
    cr_status status = CR_OK;
    const cr_graph *g = p->g;
    const size_t count = g->count;
    for (int i = 0; i < most_tries && p->g == g && !status; i++) {
        struct attempt t = {0};
        status = plan_find_again(a, &p->plan, plan);
        if (status || !a->any) break;
        status = make(&t, a, p, plan);
        if (!status && plan_check_again(a, &t.plan)) status = adopt(&t, p, wish);
        drop(&t, p, plan, count);
    }
    return status;
}

cr_status program_plan(cr_program *p, const struct plan_wish *plan, const struct program_wish *wish) {
    struct again a = {.any = false};
    cr_status status = plan_make(&p->plan, p->g, plan);
    if (status || !plan->group || (wish->options && wish->options->no_again)) return status;
    status = plan_again(p, plan, wish, &a);
    plan_drop_again(&a);
    return status;
}
