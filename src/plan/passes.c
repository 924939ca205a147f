/* The passes of a loop over its rows, which are at hand: what needs a row's result is computed after all that the result is made
 * of. */
#include "plan/plan.h"

static uint32_t node_of(const struct plan *p, const struct step *s, uint32_t i) {
    return p->node[s->first + i];
}

static int member(const struct plan *p, const struct step *s, uint32_t node) {
    uint32_t x = plan_real(p->g, node);
    if (p->step_of[x] != (uint32_t)(s - p->step)) return -1;
    for (uint32_t i = 0; i < s->n; i++)
        if (node_of(p, s, i) == x) return (int)i;
    return -1;
}

int plan_made_here(const struct plan *p, const struct step *s, uint32_t operand) {
    int i = member(p, s, operand);
    if (i >= 0) return i;
    const struct view *v = &p->view[operand];
    return v->slot == no_slot ? -1 : member(p, s, p->slot[v->slot].node);
}

/* The pass of node number i, those before it known. */
static uint8_t pass_of(const struct plan *p, const struct step *s, uint32_t i) {
    uint32_t id = node_of(p, s, i);
    const struct node *n = graph_at(p->g, id);
    uint8_t pass = 0;
    for (uint32_t k = 0; k < n->n; k++) {
        int j = plan_made_here(p, s, n->arg[k]);
        if (j < 0) continue;
        bool waits = plan_role(p->g, s, node_of(p, s, (uint32_t)j)) != ROLE_WIDE &&
                     plan_role(p->g, s, id) != ROLE_NARROW;
        uint8_t needed = (uint8_t)(p->pass[s->first + (uint32_t)j] + waits);
        if (needed > pass) pass = needed;
    }
    return pass;
}

/* In a pass, what goes along the row comes before what is one number for it. */
static bool before(const struct plan *p, const struct step *s, uint32_t i, uint32_t j) {
    const uint8_t *pass = p->pass + s->first;
    if (pass[i] != pass[j]) return pass[i] < pass[j];
    return plan_role(p->g, s, node_of(p, s, i)) != ROLE_NARROW &&
           plan_role(p->g, s, node_of(p, s, j)) == ROLE_NARROW;
}

/* ---- Folds that wait ---- */

/* A fold may be computed in a later pass than the first that it can. It waits for one that reads its operands anyway, if its own pass
 * need not read one of them then: sums of cotangents, which need no row's result, wait for the pass in which these meet the row. */
struct waiting {
    struct plan *p;
    const struct step *s;
    uint32_t outside[64], seen; /* tensors that the loop reads */
    uint64_t reads[128];        /* by node: which of them it needs, through numbers that have no place */
    uint8_t until[128];         /* by node: the pass that it waits for; its own: none */
};

static enum loop_role role_of(const struct waiting *w, uint32_t i) {
    return plan_role(w->p->g, w->s, node_of(w->p, w->s, i));
}
static uint8_t *pass_at(const struct waiting *w, uint32_t i) { return &w->p->pass[w->s->first + i]; }

/* Its place among those seen; all bits: there is none left. One number repeated is no reading. */
static uint64_t bit_of(struct waiting *w, uint32_t node) {
    const struct node *n = graph_at(w->p->g, node);
    bool varies = false;
    for (int i = 0; i < graph_rank(w->p->g, n); i++)
        varies = varies || (plan_strides(w->p, node)[i] && graph_dims(w->p->g, n)[i] > 1);
    if (!varies) return 0;
    for (uint32_t k = 0; k < w->seen; k++)
        if (w->outside[k] == w->p->view[node].slot) return (uint64_t)1 << k;
    if (w->seen == sizeof w->outside / sizeof *w->outside) return ~(uint64_t)0;
    w->outside[w->seen] = w->p->view[node].slot;
    return (uint64_t)1 << w->seen++;
}

static void find_reads(struct waiting *w) {
    for (uint32_t i = 0; i < w->s->n; i++) {
        const struct node *n = graph_at(w->p->g, node_of(w->p, w->s, i));
        w->reads[i] = 0;
        w->until[i] = *pass_at(w, i);
        for (uint32_t k = 0; k < n->n && role_of(w, i) != ROLE_NARROW; k++) {
            int j = plan_made_here(w->p, w->s, n->arg[k]);
            if (j < 0) w->reads[i] |= bit_of(w, n->arg[k]);
            else if (role_of(w, (uint32_t)j) == ROLE_WIDE) w->reads[i] |= w->reads[j];
        }
    }
}

/* The last pass that number i may be computed in, for all who read it but one. */
static uint8_t last_pass(const struct waiting *w, uint32_t i, uint32_t but) {
    uint8_t last = 0;
    for (uint32_t j = 0; j < w->s->n; j++)
        if (*pass_at(w, j) > last) last = *pass_at(w, j);
    for (uint32_t j = i + 1; j < w->s->n; j++) {
        const struct node *n = graph_at(w->p->g, node_of(w->p, w->s, j));
        for (uint32_t k = 0; k < n->n && j != but; k++) {
            if (plan_made_here(w->p, w->s, n->arg[k]) != (int)i) continue;
            bool waits = role_of(w, i) != ROLE_WIDE && role_of(w, j) != ROLE_NARROW;
            uint8_t until = *pass_at(w, j);
            if (waits) until--; /* it is behind number i */
            if (until < last) last = until;
        }
    }
    return last;
}

/* What is computed in this pass for others than those that wait reads so much. */
static uint64_t read_in(const struct waiting *w, uint8_t pass) {
    uint64_t all = 0;
    for (uint32_t i = 0; i < w->s->n; i++)
        if (w->until[i] == pass && *pass_at(w, i) == pass) all |= w->reads[i];
    return all;
}

/* The number that makes the fold's operand, of what the loop reads and with no place; -1: there is none. */
static int maker_of(const struct waiting *w, uint32_t i) {
    int j = plan_made_here(w->p, w->s, graph_at(w->p->g, node_of(w->p, w->s, i))->arg[0]);
    if (j < 0 || role_of(w, (uint32_t)j) != ROLE_WIDE) return -1;
    const struct node *m = graph_at(w->p->g, node_of(w->p, w->s, (uint32_t)j));
    bool made = w->p->view[node_of(w->p, w->s, (uint32_t)j)].slot != no_slot;
    for (uint32_t k = 0; k < m->n; k++) made = made || plan_made_here(w->p, w->s, m->arg[k]) >= 0;
    return made ? -1 : j;
}

/* Of its operand either all is read, or it is made for no one else before. */
static bool may_move(const struct waiting *w, uint32_t i, uint8_t pass) {
    int j = maker_of(w, i);
    if (j >= 0) return last_pass(w, (uint32_t)j, i) >= pass;
    return plan_made_here(w->p, w->s, graph_at(w->p->g, node_of(w->p, w->s, i))->arg[0]) < 0;
}

static void try_waiting(struct waiting *w, uint32_t i) {
    uint8_t now = *pass_at(w, i), last = last_pass(w, i, UINT32_MAX);
    for (uint8_t pass = (uint8_t)(now + 1); pass <= last; pass++) {
        if (!w->reads[i] || w->reads[i] & ~read_in(w, pass) || !may_move(w, i, pass)) continue;
        int j = maker_of(w, i);
        w->until[i] = pass;
        if (j >= 0) w->until[j] = pass;
        return;
    }
}

/* What is made for those that wait is made when the first of them, or another, needs it. */
static uint8_t first_reader(const struct waiting *w, uint32_t i) {
    uint8_t first = UINT8_MAX;
    for (uint32_t j = i + 1; j < w->s->n; j++) {
        const struct node *n = graph_at(w->p->g, node_of(w->p, w->s, j));
        for (uint32_t k = 0; k < n->n; k++)
            if (plan_made_here(w->p, w->s, n->arg[k]) == (int)i && w->until[j] < first) first = w->until[j];
    }
    return first;
}

static void let_folds_wait(struct plan *p, const struct step *s) {
    struct waiting w = {.p = p, .s = s};
    if (s->n > sizeof w.until) return;
    find_reads(&w);
    for (uint32_t i = 0; i < s->n; i++)
        if (role_of(&w, i) == ROLE_FOLD) try_waiting(&w, i);
    for (uint32_t i = 0; i < s->n; i++) /* not where its pass reads the same without it */
        if (role_of(&w, i) == ROLE_FOLD && !(w.reads[i] & ~read_in(&w, *pass_at(&w, i))))
            w.until[i] = *pass_at(&w, i);
    for (uint32_t i = 0; i < s->n; i++)
        if (role_of(&w, i) == ROLE_WIDE && w.until[i] > *pass_at(&w, i)) w.until[i] = first_reader(&w, i);
    for (uint32_t i = 0; i < s->n; i++) *pass_at(&w, i) = w.until[i];
}

void plan_order(struct plan *p, const struct step *s) {
    uint32_t *node = p->node + s->first;
    uint8_t *pass = p->pass + s->first;
    for (uint32_t i = 0; i < s->n; i++) pass[i] = pass_of(p, s, i);
    let_folds_wait(p, s);
    for (uint32_t i = 1; i < s->n; i++)
        for (uint32_t j = i; j > 0 && before(p, s, j, j - 1); j--) {
            uint32_t x = node[j];
            uint8_t of_x = pass[j];
            node[j] = node[j - 1], node[j - 1] = x;
            pass[j] = pass[j - 1], pass[j - 1] = of_x;
        }
}

bool plan_crosses(const struct plan *p, const struct step *s, uint32_t i) {
    uint32_t id = node_of(p, s, i);
    if (plan_role(p->g, s, id) != ROLE_WIDE || p->view[id].slot != no_slot) return false;
    for (uint32_t j = i + 1; j < s->n; j++) {
        const struct node *n = graph_at(p->g, node_of(p, s, j));
        for (uint32_t k = 0; k < n->n; k++)
            if (member(p, s, n->arg[k]) == (int)i && p->pass[s->first + j] > p->pass[s->first + i])
                return true;
    }
    return false;
}
