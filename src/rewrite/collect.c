/* Products and sums as a whole: factors and terms gathered from nested nodes, like ones merged, put in the
 * order in which one writes them. A product is over/under * base^power * ..., a sum is of products. */
#include "rewrite/rewrite.h"

#include <math.h>
#include <string.h>

#include "ops/build.h"
#include "tensor/dtype.h"

enum { most_parts = 12, most_power = 1 << 20 };

struct part {
    uint32_t base;
    int32_t power;
};

struct product {
    double over, under;
    int n;
    struct part part[most_parts];
};

/* ---- Reading a product ---- */

static bool times_number(struct product *p, double v, int32_t power) {
    double *into = power > 0 ? &p->over : &p->under;
    for (int32_t i = power < 0 ? -power : power; i; i--) {
        if (i > 64) return false;
        *into *= v;
    }
    return isfinite(p->over) && isfinite(p->under) && p->under != 0;
}

static bool times_base(const struct rewrite *r, struct product *p, uint32_t base, int32_t power) {
    double v;
    if (power > most_power || power < -most_power) return false;
    if (rewrite_literal(r, base, &v)) return times_number(p, v, power);
    for (int i = 0; i < p->n; i++)
        if (p->part[i].base == base) {
            p->part[i].power += power;
            return true;
        }
    if (p->n == most_parts) return false;
    p->part[p->n++] = (struct part){base, power};
    return true;
}

/* (-x)^n and (1/x)^n come apart; (x*y)^n and (x/y)^n are left as one writes them. */
static bool opens(const struct rewrite *r, uint32_t id) {
    const struct node *n = graph_at(r->g, id);
    double v;
    return !rewrite_opaque(r, id) &&
           (n->op == OP_neg || (n->op == OP_div && rewrite_literal(r, graph_args(r->g, n)[0], &v)));
}

/* The operands that a factor is made of go on the stack; a factor that is one thing goes into the product. */
static bool take_factor(const struct rewrite *r, struct product *p, struct part f, struct part stack[],
                        int *n, uint32_t root) {
    const struct node *node = graph_at(r->g, f.base);
    const uint32_t *x = graph_args(r->g, node);
    bool closed = f.base != root && rewrite_opaque(r, f.base);
    if (closed || *n + 2 > most_parts) return times_base(r, p, f.base, f.power);
    switch (node->op) {
    case OP_mul:
    case OP_div:
        stack[(*n)++] = (struct part){x[1], node->op == OP_div ? -f.power : f.power};
        stack[(*n)++] = (struct part){x[0], f.power};
        return true;
    case OP_neg:
        if (f.power % 2) p->over = -p->over;
        stack[(*n)++] = (struct part){x[0], f.power};
        return true;
    case OP_recip: stack[(*n)++] = (struct part){x[0], -f.power}; return true;
    case OP_powi: {
        int64_t power = graph_attr(r->g, node)[0] * f.power;
        if (power > most_power || power < -most_power) return false;
        if (!opens(r, x[0])) return times_base(r, p, x[0], (int32_t)power);
        stack[(*n)++] = (struct part){x[0], (int32_t)power};
        return true;
    }
    case OP_expand:
    case OP_reshape:
        if (graph_rank(r->g, graph_at(r->g, x[0])) == 0) {
            stack[(*n)++] = (struct part){x[0], f.power};
            return true;
        }
        break;
    default: break;
    }
    return times_base(r, p, f.base, f.power);
}

/* sqrt(u)^2 is u. */
static bool even_roots(const struct rewrite *r, struct product *p) {
    for (int i = 0; i < p->n; i++) {
        struct part *f = &p->part[i];
        const struct node *node = graph_at(r->g, f->base);
        if (node->op != OP_sqrt || rewrite_opaque(r, f->base) || f->power / 2 == 0) continue;
        int32_t whole = f->power / 2;
        f->power %= 2;
        if (!times_base(r, p, graph_args(r->g, node)[0], whole)) return false;
    }
    return true;
}

/* What one writes first: names, powers, functions, sums, and e^x last: (x - a)*exp(...). */
static int rank_of(const struct rewrite *r, uint32_t id) {
    int op = graph_at(r->g, id)->op;
    if (rewrite_opaque(r, id)) return 0;
    return op == OP_pow ? 1 : op == OP_exp ? 4 : op == OP_add || op == OP_sub ? 3 : 2;
}

/* Factors alike stay in the order in which they were written. */
static bool before(const struct rewrite *r, struct part a, struct part b) {
    return rank_of(r, a.base) < rank_of(r, b.base);
}

/* Without what cancelled, in order. */
static void sort_parts(const struct rewrite *r, struct product *p) {
    int n = 0;
    for (int i = 0; i < p->n; i++) {
        struct part f = p->part[i];
        if (!f.power) continue;
        int k = n++;
        for (; k > 0 && before(r, f, p->part[k - 1]); k--) p->part[k] = p->part[k - 1];
        p->part[k] = f;
    }
    p->n = n;
}

static bool is_whole(double v) { return v == floor(v) && fabs(v) < 0x1p53; }

static bool has_denominator(const struct product *p) {
    for (int i = 0; i < p->n; i++)
        if (p->part[i].power < 0) return true;
    return p->under != 1;
}

/* 2/4 is 1/2, and 0.5 over something is 1 over twice that; a decimal fraction stays one. */
static void reduce_fraction(struct product *p) {
    if (p->under < 0) p->over = -p->over, p->under = -p->under;
    for (int i = 0; i < 2 && !is_whole(p->over) && is_whole(4 * p->over) && has_denominator(p); i++)
        p->over *= 2, p->under *= 2;
    double a = fabs(p->over), b = fabs(p->under), q = p->over / p->under;
    bool whole = is_whole(a) && is_whole(b);
    if (!whole && isfinite(q) && fma(q, p->under, -p->over) == 0) {
        p->over = q, p->under = 1;
        return;
    }
    while (whole && b != 0) { /* Euclid */
        double rest = fmod(a, b);
        a = b, b = rest;
    }
    if (whole) p->over /= a, p->under /= a;
}

static bool read_product(const struct rewrite *r, uint32_t id, uint32_t root, struct product *p) {
    struct part stack[most_parts] = {{id, 1}};
    int n = 1;
    *p = (struct product){.over = 1, .under = 1};
    while (n) {
        n--;
        if (!take_factor(r, p, stack[n], stack, &n, root)) return false;
    }
    if (!even_roots(r, p)) return false;
    sort_parts(r, p);
    reduce_fraction(p);
    return true;
}

/* ---- Writing a product ---- */

static cr_node times(struct rewrite *r, cr_node x, cr_node y) {
    return !x.id ? y : !y.id ? x : r->g->status ? graph_error_node(r->g) : cr_mul(x, y);
}

static cr_node raised(struct rewrite *r, struct part f, int32_t power) {
    cr_node base = graph_handle(r->g, f.base);
    return power == 1 ? base : rewrite_rules(r, cr_powi(base, power));
}

/* The first factor takes the sign. */
static cr_node signed_first(struct rewrite *r, struct part f, bool minus) {
    cr_node x = raised(r, f, f.power);
    return minus && cr_ok(x) ? rewrite_rules(r, cr_neg(x)) : x;
}

static cr_node numerator(struct rewrite *r, const struct product *p) {
    bool minus = p->over == -1;
    cr_node x = graph_error_node(NULL);
    if (fabs(p->over) != 1) x = cr_number(r->g, p->over);
    for (int i = 0; i < p->n; i++) {
        if (p->part[i].power <= 0) continue;
        x = times(r, x, signed_first(r, p->part[i], minus));
        minus = false;
    }
    return x.id ? x : cr_number(r->g, p->over);
}

static cr_node denominator(struct rewrite *r, const struct product *p) {
    cr_node x = graph_error_node(NULL);
    if (p->under != 1) x = cr_number(r->g, p->under);
    for (int i = 0; i < p->n; i++)
        if (p->part[i].power < 0) x = times(r, x, raised(r, p->part[i], -p->part[i].power));
    return x;
}

/* A node of id 0 when something failed. */
static cr_node write_product(struct rewrite *r, const struct product *p) {
    if (p->over == 0) return cr_number(r->g, 0);
    cr_node over = numerator(r, p), under = denominator(r, p);
    if (!under.id) return over;
    return cr_ok(over) && cr_ok(under) ? cr_div(over, under) : graph_error_node(r->g);
}

/* ---- Sums ---- */

struct sum {
    int n;
    struct product term[most_parts];
};

static bool same_parts(const struct product *a, const struct product *b) {
    int found = 0;
    for (int i = 0; i < a->n; i++)
        for (int k = 0; k < b->n; k++)
            found += a->part[i].base == b->part[k].base && a->part[i].power == b->part[k].power;
    return a->n == b->n && found == a->n;
}

static bool add_term(struct sum *s, const struct product *p) {
    for (int i = 0; i < s->n; i++) {
        struct product *t = &s->term[i];
        if (!same_parts(t, p)) continue;
        if (t->under == p->under) t->over += p->over;
        else t->over = t->over * p->under + p->over * t->under, t->under *= p->under;
        reduce_fraction(t);
        return isfinite(t->over) && isfinite(t->under);
    }
    if (s->n == most_parts) return false;
    s->term[s->n++] = *p;
    return true;
}

/* A node of a sum that is still to be read, times a number. */
struct scaled {
    uint32_t id;
    double by;
};

/* -(x - y), and a*(x + 1), whose numbers join the others of the sum; 2*(x - y) stays as one writes it. */
static bool opens_sum(const struct rewrite *r, const struct product *p) {
    if (p->n != 1 || p->part[0].power != 1 || p->under != 1 || rewrite_opaque(r, p->part[0].base))
        return false;
    const struct node *n = graph_at(r->g, p->part[0].base);
    double v;
    bool sum = n->op == OP_add || n->op == OP_sub;
    return sum && (fabs(p->over) == 1 || rewrite_literal(r, graph_args(r->g, n)[0], &v) ||
                   rewrite_literal(r, graph_args(r->g, n)[1], &v));
}

/* Either puts what the term is made of on the stack, or the term into the sum. */
static bool take_term(const struct rewrite *r, struct sum *s, struct scaled t, struct scaled stack[], int *n,
                      uint32_t root) {
    const struct node *node = graph_at(r->g, t.id);
    const uint32_t *x = graph_args(r->g, node);
    bool room = *n + 2 <= most_parts, open = room && (t.id == root || !rewrite_opaque(r, t.id));
    if (open && (node->op == OP_add || node->op == OP_sub)) {
        stack[(*n)++] = (struct scaled){x[1], node->op == OP_sub ? -t.by : t.by};
        stack[(*n)++] = (struct scaled){x[0], t.by};
        return true;
    }
    struct product p;
    if (!read_product(r, t.id, 0, &p)) return false;
    p.over *= t.by;
    if (!isfinite(p.over)) return false;
    if (!room || t.id == p.part[0].base || !opens_sum(r, &p)) return add_term(s, &p);
    stack[(*n)++] = (struct scaled){p.part[0].base, p.over};
    return true;
}

static bool read_sum(const struct rewrite *r, uint32_t root, struct sum *s) {
    struct scaled stack[most_parts] = {{root, 1}};
    int n = 1;
    s->n = 0;
    while (n) {
        n--;
        if (!take_term(r, s, stack[n], stack, &n, root)) return false;
    }
    return true;
}

/* The highest power in a term: 0 of a number, -1 of a reciprocal. */
static int32_t degree(const struct product *p) {
    int32_t d = p->n ? -1 : 0;
    for (int i = 0; i < p->n; i++)
        if (p->part[i].power > d) d = p->part[i].power;
    return d;
}

/* Without zeros; high powers first, numbers last; but a positive term leads if there is one. */
static void sort_terms(struct sum *s) {
    int n = 0, positive = 0;
    for (int i = 0; i < s->n; i++) {
        struct product t = s->term[i];
        if (t.over == 0) continue;
        int k = n++;
        for (; k > 0 && degree(&t) > degree(&s->term[k - 1]); k--) s->term[k] = s->term[k - 1];
        s->term[k] = t;
    }
    s->n = n;
    while (positive < n && s->term[positive].over < 0) positive++;
    if (positive == 0 || positive == n) return;
    struct product lead = s->term[positive];
    memmove(&s->term[1], &s->term[0], (size_t)positive * sizeof lead);
    s->term[0] = lead;
}

static const struct part *find_part(const struct product *p, uint32_t base) {
    for (int i = 0; i < p->n; i++)
        if (p->part[i].base == base) return &p->part[i];
    return NULL;
}

static int count_below(const struct product *p) {
    int n = 0;
    for (int i = 0; i < p->n; i++) n += p->part[i].power < 0;
    return n;
}

/* Widens the denominator d to that of t: the same bases and number, powers at most one apart. */
static bool share(struct product *d, const struct product *t) {
    if (t->under != d->under || count_below(t) != d->n) return false;
    for (int i = 0; i < d->n; i++) {
        const struct part *f = find_part(t, d->part[i].base);
        if (!f || f->power >= 0 || f->power > d->part[i].power + 1 || f->power < d->part[i].power - 1)
            return false;
        if (f->power < d->part[i].power) d->part[i].power = f->power;
    }
    return true;
}

/* Takes the denominator that all terms have out of them: a/x + b/x^2 is (a*x + b)/x^2. */
static struct product common_denominator(struct sum *s) {
    struct product none = {.over = 1, .under = 1}, d = none;
    if (s->n < 2) return none;
    d.under = s->term[0].under;
    for (int i = 0; i < s->term[0].n; i++)
        if (s->term[0].part[i].power < 0) d.part[d.n++] = s->term[0].part[i];
    for (int k = 1; k < s->n; k++)
        if (!share(&d, &s->term[k])) return none;
    for (int k = 0; k < s->n; k++) {
        struct product *t = &s->term[k];
        int n = 0;
        t->under = 1;
        for (int i = 0; i < t->n; i++) {
            const struct part *f = find_part(&d, t->part[i].base);
            if (f) t->part[i].power -= f->power;
            if (t->part[i].power) t->part[n++] = t->part[i];
        }
        t->n = n;
    }
    return d;
}

static cr_node write_terms(struct rewrite *r, struct sum *s) {
    cr_node x = graph_error_node(NULL);
    for (int i = 0; i < s->n; i++) {
        struct product *t = &s->term[i];
        bool minus = i > 0 && t->over < 0;
        if (minus) t->over = -t->over;
        cr_node y = write_product(r, t);
        if (!cr_ok(y)) return y;
        x = !x.id ? y : minus ? cr_sub(x, y) : cr_add(x, y);
    }
    return x.id ? x : cr_number(r->g, 0);
}

static cr_node collect_sum(struct rewrite *r, cr_node x) {
    struct sum s;
    if (!read_sum(r, x.id, &s)) return x;
    sort_terms(&s);
    struct product d = common_denominator(&s);
    cr_node y = write_terms(r, &s);
    if (!cr_ok(y) || (!d.n && d.under == 1)) return rewrite_fit(r, y, x);
    if (read_sum(r, y.id, &s)) { /* (x + 1 - x)/... */
        sort_terms(&s);
        y = write_terms(r, &s);
    }
    if (!times_base(r, &d, y.id, 1)) return x;
    sort_parts(r, &d);
    return rewrite_fit(r, write_product(r, &d), x);
}

static cr_node collect_product(struct rewrite *r, cr_node x) {
    struct product p;
    return read_product(r, x.id, x.id, &p) ? rewrite_fit(r, write_product(r, &p), x) : x;
}

/* ---- Scalars before a sum over axes ---- */

/* sum(s*x) is s*sum(x) for numbers and scalars s. */
static cr_node collect_reduction(struct rewrite *r, cr_node x) {
    cr_node a = cr_operand(x, 0);
    struct product p, inside = {.over = 1, .under = 1};
    if (cr_rank(a) == 0 || rewrite_opaque(r, a.id) || !read_product(r, a.id, 0, &p)) return x;
    struct product outside = {.over = p.over, .under = p.under};
    for (int i = 0; i < p.n; i++) {
        struct product *to = cr_rank(graph_handle(r->g, p.part[i].base)) ? &inside : &outside;
        to->part[to->n++] = p.part[i];
    }
    if (p.over == 1 && p.under == 1 && outside.n == 0) return x;
    if (outside.n == most_parts) return x;
    cr_node rest = rewrite_fit(r, write_product(r, &inside), a), sum = x;
    if (!cr_same(rest, a)) {
        const struct node *n = graph_get(x);
        struct shape s = graph_shape(r->g, n);
        sum = ops_node(n->op, (cr_dtype)n->dtype, &s, (int)graph_attr_count(r->g, n), graph_attr(r->g, n), 1,
                       &rest);
        if (cr_ok(sum)) sum = rewrite_fold(r, sum);
    }
    if (!cr_ok(sum) || !times_base(r, &outside, sum.id, 1)) return x;
    sort_parts(r, &outside);
    reduce_fraction(&outside);
    return rewrite_fit(r, write_product(r, &outside), x);
}

cr_node rewrite_collect(struct rewrite *r, cr_node x) {
    const struct node *n = graph_get(x);
    if (!n || !dtype_is_float((cr_dtype)n->dtype) || r->g->status) return x;
    cr_node y = x;
    switch (n->op) {
    case OP_mul:
    case OP_div:
    case OP_neg:
    case OP_powi: y = collect_product(r, x); break;
    case OP_add:
    case OP_sub: y = collect_sum(r, x); break;
    case OP_sum: y = collect_reduction(r, x); break;
    default: break;
    }
    return cr_ok(y) ? y : x;
}
