/* Reading patterns. Loose to tight: != , + -, * /, unary minus, ^; functions and letters. */
#include "rewrite/pattern.h"

#include <string.h>

struct reader {
    struct pattern *p;
    const char *s;
    bool failed;
};

static int sum(struct reader *r);
static int minus(struct reader *r);

static int add_term(struct reader *r, struct term t) {
    if (r->p->n == most_terms) return r->failed = true, 0;
    r->p->term[r->p->n] = t;
    return r->p->n++;
}

static int add_op(struct reader *r, int op, int n, const int arg[]) {
    struct term t = {.kind = TERM_OP, .op = op, .n = (uint8_t)n};
    for (int i = 0; i < n; i++) t.arg[i] = (uint8_t)arg[i];
    return add_term(r, t);
}

static bool take(struct reader *r, const char *text) {
    while (*r->s == ' ') r->s++;
    size_t n = strlen(text);
    if (strncmp(r->s, text, n) != 0) return false;
    r->s += n;
    return true;
}

static void need(struct reader *r, const char *text) { r->failed = !take(r, text) || r->failed; }

static int call(struct reader *r, const char *name, size_t n) {
    int arg[3] = {0}, count = 0, op = op_find(name, n);
    need(r, "(");
    if (op < 0) r->failed = true;
    if (r->failed) return 0;
    do arg[count++] = sum(r);
    while (count < 3 && take(r, ","));
    need(r, ")");
    return add_op(r, op, count, arg);
}

static int letter(struct reader *r, char c) {
    static const char *const of_kind[] = {"xyz", "a", "nm"}; /* TERM_ANY, TERM_LITERAL, TERM_WHOLE */
    for (int kind = 0; kind < 3; kind++) {
        const char *at = strchr(of_kind[kind], c);
        if (at)
            return add_term(r, (struct term){.kind = (uint8_t)kind, .letter = (uint8_t)(at - of_kind[kind])});
    }
    r->failed = true;
    return 0;
}

static int word(struct reader *r) {
    const char *name = r->s;
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz_0123456789"); /* a number was read before */
    r->s += n;
    if (n == 4 && strncmp(name, "true", n) == 0)
        return add_term(r, (struct term){.kind = TERM_NUMBER, .truth = true, .value = 1});
    if (n == 5 && strncmp(name, "false", n) == 0)
        return add_term(r, (struct term){.kind = TERM_NUMBER, .truth = true, .value = 0});
    if (n == 1) return letter(r, *name);
    return call(r, name, n);
}

static int atom(struct reader *r) {
    double value;
    if (take(r, "(")) {
        int inner = sum(r);
        need(r, ")");
        return inner;
    }
    size_t n = text_parse_number(r->s, strlen(r->s), &value);
    r->s += n;
    return n ? add_term(r, (struct term){.kind = TERM_NUMBER, .value = value}) : word(r);
}

/* Made of whole numbers alone, so that it can be an exponent of powi? */
static bool whole(const struct pattern *p, int i) {
    const struct term *t = &p->term[i];
    if (t->kind == TERM_NUMBER) return t->value == (double)(int64_t)t->value;
    for (int k = 0; k < t->n; k++)
        if (!whole(p, t->arg[k])) return false;
    return t->kind == TERM_WHOLE || t->kind == TERM_OP;
}

static int power(struct reader *r) {
    int base = atom(r);
    if (!take(r, "^")) return base;
    int exponent = minus(r);
    if (r->failed) return 0;
    return add_op(r, whole(r->p, exponent) ? OP_powi : OP_pow, 2, (int[]){base, exponent});
}

static int minus(struct reader *r) {
    if (!take(r, "-")) return power(r);
    int x = minus(r);
    if (r->failed) return 0;
    if (r->p->term[x].kind != TERM_NUMBER) return add_op(r, OP_neg, 1, &x);
    r->p->term[x].value = -r->p->term[x].value;
    return x;
}

static int product(struct reader *r) {
    for (int x = minus(r);;) {
        int op = take(r, "*") ? OP_mul : take(r, "/") ? OP_div : 0;
        if (!op) return x;
        int y = minus(r);
        x = add_op(r, op, 2, (int[]){x, y});
    }
}

static int sum(struct reader *r) {
    for (int x = product(r);;) {
        int op = take(r, "+") ? OP_add : take(r, "-") ? OP_sub : take(r, "!=") ? OP_ne : 0;
        if (!op) return x;
        int y = product(r);
        x = add_op(r, op, 2, (int[]){x, y});
    }
}

bool pattern_read(struct pattern *p, const char *text) {
    struct reader r = {p, text, false};
    *p = (struct pattern){0};
    p->root = sum(&r);
    return take(&r, "") && !r.failed && *r.s == 0;
}
