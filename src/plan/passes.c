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

void plan_order(struct plan *p, const struct step *s) {
    uint32_t *node = p->node + s->first;
    uint8_t *pass = p->pass + s->first;
    for (uint32_t i = 0; i < s->n; i++) pass[i] = pass_of(p, s, i);
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
