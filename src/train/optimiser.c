/* The steps of the optimisers. Scalars (rates, corrections) are computed in f64, then take the parameter's dtype. */
#include "train/optimiser.h"

#include <string.h>

static cr_node number(const struct optimising *o, double x) { return cr_number(o->p.graph, x); }

/* A scalar times numbers of the parameter. */
static cr_node times(const struct optimising *o, cr_node scalar, cr_node x) {
    return cr_mul(ops_to_dtype(scalar, cr_dtype_of(o->p)), x);
}

static cr_node rest(const struct optimising *o, cr_node scalar) { return cr_sub(number(o, 1), scalar); }

static cr_node state(struct optimising *o, int i) {
    if (!cr_ok(o->state[i])) o->state[i] = o->make_state(o, i);
    return o->state[i];
}

/* beta s + (1 - beta) x, which is remembered. */
static cr_node running_mean(struct optimising *o, int i, cr_node beta, cr_node x) {
    return o->next_state[i] = cr_add(times(o, beta, state(o, i)), times(o, rest(o, beta), x));
}

/* The gradient of loss + decay/2 |p|^2. */
static cr_node decayed(struct optimising *o, cr_node decay) {
    return is_literal(decay, 0) ? o->d : cr_add(o->d, times(o, decay, o->p));
}

static cr_node less(const struct optimising *o, cr_node rate, cr_node change) {
    return cr_sub(o->p, times(o, rate, change));
}

/* x / (root + eps). */
static cr_node over(const struct optimising *o, cr_node x, cr_node root, cr_node eps) {
    return cr_div(x, cr_add(root, ops_to_dtype(eps, cr_dtype_of(o->p))));
}

static cr_node sgd_step(struct optimising *o) {
    cr_node rate = o->option[0], momentum = o->option[1], d = decayed(o, o->option[3]);
    if (is_literal(momentum, 0)) return less(o, rate, d);
    cr_node v = o->next_state[0] = cr_add(times(o, momentum, state(o, 0)), d);
    return less(o, rate, is_literal(o->option[2], 1) ? cr_add(d, times(o, momentum, v)) : v);
}

static cr_node rmsprop_step(struct optimising *o) {
    cr_node d = decayed(o, o->option[4]);
    cr_node change = over(o, d, cr_sqrt(running_mean(o, 0, o->option[1], cr_square(d))), o->option[2]);
    if (is_literal(o->option[3], 0)) return less(o, o->option[0], change);
    o->next_state[1] = cr_add(times(o, o->option[3], state(o, 1)), change);
    return less(o, o->option[0], o->next_state[1]);
}

static cr_node adagrad_step(struct optimising *o) {
    cr_node d = decayed(o, o->option[2]), sum = o->next_state[0] = cr_add(state(o, 0), cr_square(d));
    return less(o, o->option[0], over(o, d, cr_sqrt(sum), o->option[1]));
}

/* m and v of gradient d; gives m^ / (sqrt(v^) + eps), where ^ divides by 1 - beta^t. */
static cr_node moments(struct optimising *o, cr_node d, cr_node *correction) {
    cr_node m = running_mean(o, 0, o->option[1], d), v = running_mean(o, 1, o->option[2], cr_square(d));
    cr_node root = times(o, cr_rsqrt(rest(o, cr_pow(o->option[2], o->t))), cr_sqrt(v));
    *correction = cr_recip(rest(o, cr_pow(o->option[1], o->t)));
    return over(o, m, root, o->option[3]);
}

static cr_node adam_step(struct optimising *o) {
    cr_node correction, change = moments(o, decayed(o, o->option[4]), &correction);
    return less(o, cr_mul(o->option[0], correction), change);
}

static cr_node adamw_step(struct optimising *o) {
    cr_node rate = o->option[0], decay = o->option[4], correction, change = moments(o, o->d, &correction);
    cr_node p = is_literal(decay, 0) ? o->p : times(o, rest(o, cr_mul(rate, decay)), o->p);
    return cr_sub(p, times(o, cr_mul(rate, correction), change));
}

static cr_node lion_step(struct optimising *o) {
    cr_node beta1 = o->option[1], m = state(o, 0);
    cr_node change = cr_sign(cr_add(times(o, beta1, m), times(o, rest(o, beta1), o->d)));
    running_mean(o, 0, o->option[2], o->d);
    if (!is_literal(o->option[3], 0)) change = cr_add(change, times(o, o->option[3], o->p));
    return less(o, o->option[0], change);
}

/* |p| / |change|, or 1 where one of them is 0. */
static cr_node trust(cr_node p, cr_node change) {
    cr_node a = cr_norm(p, 0, NULL, false), b = cr_norm(change, 0, NULL, false), zero = cr_number(p.graph, 0);
    cr_node both = cr_and(cr_gt(a, zero), cr_gt(b, zero)), one = cr_number(p.graph, 1);
    return cr_where(both, cr_div(a, cr_where(both, b, one)), one);
}

static cr_node lamb_step(struct optimising *o) {
    cr_node correction, change = moments(o, o->d, &correction);
    change = cr_add(times(o, correction, change), times(o, o->option[4], o->p));
    return less(o, o->option[0], cr_mul(trust(o->p, change), change));
}

static const struct optimiser_row rows[] = {
#define OPTIMISER(name, states, arguments, step, sentence) {#name, states, arguments, sentence, step},
#include "train/optimisers.def"
};

const struct optimiser_row *optimiser_row(int i) {
    return i >= 0 && (size_t)i < sizeof rows / sizeof *rows ? &rows[i] : NULL;
}

const struct optimiser_row *optimiser_find(const char *name, size_t n) {
    for (int i = 0; optimiser_row(i); i++)
        if (strlen(rows[i].name) == n && memcmp(rows[i].name, name, n) == 0) return &rows[i];
    return NULL;
}

size_t optimiser_state_name(const struct optimiser_row *row, int i, const char **name) {
    const char *s = row->states;
    for (; i > 0 && *s; i--) s += strcspn(s, " "), s += *s == ' ';
    *name = s;
    return strcspn(s, " ");
}
