/* The four steps as text. Lines are written with a tab before each column, and aligned at the end. */
#include <string.h>

#include "explain/model.h"

/* ---- Columns ---- */

enum { most_columns = 4, widest = 44 }; /* a longer cell takes its room and moves no other line */

/* Columns as a reader counts them: a character of UTF-8 is one. */
static size_t width_of(const char *s, size_t n) {
    size_t width = 0;
    for (size_t i = 0; i < n; i++) width += ((unsigned char)s[i] & 0xc0) != 0x80;
    return width;
}

static void measure(const char *s, size_t width[most_columns]) {
    memset(width, 0, most_columns * sizeof *width);
    for (int k = 0; *s; s++) {
        size_t n = strcspn(s, "\t\n"), w = width_of(s, n);
        if (s[n] == '\t' && w <= widest && w > width[k]) width[k] = w;
        s += n;
        k = *s == '\t' && k < most_columns - 1 ? k + 1 : 0;
        if (!*s) break;
    }
}

void explanation_align(struct cr_text *out, const struct cr_text *lines) {
    size_t width[most_columns], n;
    int k = 0;
    measure(cr_text_str(lines), width);
    for (const char *s = cr_text_str(lines); *s; s += n + (s[n] != 0)) {
        n = strcspn(s, "\t\n");
        if (k == 0) text_str(out, "   ");
        text_bytes(out, s, n);
        bool more = s[n] == '\t';
        for (size_t w = width_of(s, n); more && w < width[k]; w++) text_char(out, ' ');
        text_char(out, more ? ' ' : '\n');
        k = more ? k + 1 : 0;
    }
    if (lines->failed) out->failed = true;
}

/* ---- 1. Forward ---- */

/* Where they begin: what is made of a layer has no more to say. */
static void dead_units(struct cr_text *t, const struct explanation *x, const struct row *row) {
    int64_t units, before, dead = explanation_dead(x, row, &units);
    for (uint32_t i = 0; i < row->edges && dead; i++)
        if (explanation_dead(x, &x->row[x->edge[row->first + i].to], &before) == dead && before == units)
            dead = 0;
    if (dead) text_add(t, "  (%lld of %lld units dead)", (long long)dead, (long long)units);
}

static void value_line(struct cr_text *t, const struct explanation *x, const struct row *row) {
    const char *name = cr_op_of(row->x);
    text_str(t, row->label);
    if (!row->leaf) text_add(t, "\t= %s", row->formula);
    if (explanation_has_value(x, row)) {
        text_str(t, "\t= ");
        explanation_value(t, x, row->x);
        dead_units(t, x, row);
    } else if (row->leaf) text_add(t, "\t  (%s)", name);
    if (row->leaf && strcmp(name, "param") == 0 && x->e) text_str(t, "  (param)");
    text_char(t, '\n');
}

static void forward(struct cr_text *out, const struct explanation *x) {
    struct cr_text t = text_make(&x->mem);
    uint32_t hidden = 0;
    text_str(out, "1. Forward pass: the value of every node.\n");
    for (uint32_t r = 0; r < x->rows; r++)
        if (x->row[r].leaf && !x->row[r].constant) value_line(&t, x, &x->row[r]);
    for (uint32_t r = 0; r < x->rows; r++) {
        if (!explanation_shown(x, r)) hidden += !x->row[r].constant;
        else if (!x->row[r].leaf) value_line(&t, x, &x->row[r]);
    }
    explanation_align(out, &t);
    if (hidden) text_add(out, "   (and %u inside their scopes; in full: each of them)\n", (unsigned)hidden);
    text_end(&t, out);
}

/* ---- 2. Local gradients ---- */

static void local_line(struct cr_text *t, const struct explanation *x, const struct edge *e) {
    struct cr_text value = text_make(&x->mem);
    text_add(t, PARTIAL "%s/" PARTIAL "%s\t%s %s", x->row[e->from].label, x->row[e->to].label,
             e->local ? "=" : ": g ->", e->formula);
    if (e->local) explanation_value(&value, x, e->gradient);
    if (e->local && strcmp(cr_text_str(&value), e->formula) != 0) text_add(t, "\t= %s", cr_text_str(&value));
    text_char(t, '\n');
    t->failed = t->failed || value.failed;
    text_end(&value, t);
}

static void locals(struct cr_text *out, const struct explanation *x) {
    struct cr_text t = text_make(&x->mem);
    bool rules = false;
    for (uint32_t r = x->rows; r-- > 0;)
        for (uint32_t i = 0; i < x->row[r].edges && explanation_shown(x, r); i++) {
            const struct edge *e = &x->edge[x->row[r].first + i];
            if (!e->part.id) continue; /* leads to nothing that is asked for */
            local_line(&t, x, e);
            rules = rules || !e->local;
        }
    text_str(out, "\n2. Local gradients: how each node changes with each of its operands.\n");
    explanation_align(out, &t);
    if (rules)
        text_str(out,
                 "   (g -> ...: where elements mix, what the operand gets of g, the node's cotangent)\n");
    text_end(&t, out);
}

/* ---- 3. Backward ---- */

/* In a rule written out, g is dloss/dy. */
struct handed {
    const struct explanation *x;
    const struct edge *e;
    const char *text;
};

static const char *handed_label(void *user, cr_node node) {
    const struct handed *h = user;
    struct explanation *x = (struct explanation *)(uintptr_t)h->x; /* labels are only read */
    return cr_same(node, h->e->g) ? h->text : explanation_label(x, node);
}

static void write_rule(struct cr_text *t, const struct explanation *x, const struct edge *e) {
    struct cr_text g = text_make(&x->mem);
    text_add(&g, "d%s/d%s", explanation_row(x, x->result)->label, x->row[e->from].label);
    struct handed own = {x, e, cr_text_str(&g)};
    struct print_labels labels = {handed_label, &own};
    if (e->whole) explanation_vjp(t, x, e, own.text);
    else print_formula(t, e->rule, &labels, false);
    t->failed = t->failed || g.failed;
    text_end(&g, t);
}

/* What one consumer hands on: the formula, and in numbers where they are short. Gives how many factors. */
static int term(struct cr_text *t, struct cr_text *numbers, const struct explanation *x,
                const struct edge *e) {
    const char *loss = explanation_row(x, x->result)->label, *y = x->row[e->from].label;
    if (!e->local) {
        write_rule(t, x, e);
        explanation_value(numbers, x, e->part);
        return 1;
    }
    bool direct = explanation_direct(x, e);
    if (!direct) {
        text_add(t, "d%s/d%s * ", loss, y);
        explanation_value(numbers, x, x->row[e->from].cotangent);
        text_str(numbers, " * ");
    }
    text_add(t, PARTIAL "%s/" PARTIAL "%s", y, x->row[e->to].label);
    explanation_value(numbers, x, e->gradient);
    return direct ? 1 : 2;
}

static bool numbers_are_short(const struct explanation *x, const struct edge *e) {
    return explanation_is_short(x, e->part) && explanation_is_short(x, x->row[e->from].cotangent);
}

static void cotangent_line(struct cr_text *t, const struct explanation *x, uint32_t r) {
    uint32_t first = x->into_first[r], end = x->into_first[r + 1];
    struct cr_text formula = text_make(&x->mem), numbers = text_make(&x->mem);
    int terms = 0, factors = 0;
    bool brief = true;
    text_add(t, "d%s/d%s\t= ", explanation_row(x, x->result)->label, x->row[r].label);
    for (uint32_t i = end; i-- > first;) {
        const struct edge *e = &x->edge[x->into[i]];
        if (terms++) text_str(&formula, " + "), text_str(&numbers, " + ");
        factors += term(&formula, &numbers, x, e);
        brief = brief && numbers_are_short(x, e);
    }
    if (terms) text_add(t, "%s\t= ", cr_text_str(&formula));
    if (factors > 1 && brief) text_add(t, "%s = ", cr_text_str(&numbers));
    explanation_value(t, x, x->row[r].cotangent);
    text_char(t, '\n');
    t->failed = t->failed || formula.failed || numbers.failed;
    text_end(&formula, t);
    text_end(&numbers, t);
}

static void backward(struct cr_text *out, const struct explanation *x) {
    struct cr_text t = text_make(&x->mem);
    text_add(out, "\n3. Backward pass: from %s back, by the chain rule.\n",
             explanation_row(x, x->result)->label);
    for (uint32_t r = x->rows; r-- > 0;)
        if (x->row[r].cotangent.id && explanation_shown(x, r)) cotangent_line(&t, x, r);
    explanation_align(out, &t);
    text_end(&t, out);
}

/* ---- 4. Descent ---- */

static void update_line(struct cr_text *t, const struct explanation *x, cr_node wrt) {
    const struct row *row = explanation_row(x, wrt);
    text_add(t, "%s: ", row->label);
    if (!row->cotangent.id) text_str(t, "stays as it is, since nothing depends on it");
    else if (explanation_is_short(x, row->x)) {
        explanation_value(t, x, row->x);
        text_str(t, " -> ");
        explanation_after(t, x, row);
    } else {
        text_add(t, "%s - ", row->label);
        text_rounded(t, x->rate, 6);
        text_add(t, " * d%s/d%s", explanation_row(x, x->result)->label, row->label);
    }
    text_char(t, '\n');
}

static void update(struct cr_text *out, const struct explanation *x) {
    struct cr_text t = text_make(&x->mem);
    text_str(out, "\n4. One step of descent, at rate ");
    text_rounded(out, x->rate, 6);
    text_str(out, ".\n");
    for (int i = 0; i < x->n; i++) update_line(&t, x, x->wrt[i]);
    explanation_align(out, &t);
    text_end(&t, out);
}

void explain_text(struct cr_text *out, const struct explanation *x) {
    forward(out, x);
    if (!x->n) return;
    locals(out, x);
    backward(out, x);
    update(out, x);
}
