/* The formula of a node as LaTeX, with amsmath's cases and operatorname. */
#include <math.h>
#include <string.h>

#include "formula/walk.h"
#include "ops/build.h"
#include "tensor/dtype.h"

/* ---- Names ---- */

static const char *const greek[] = {"alpha", "beta",  "gamma",   "delta",  "epsilon", "zeta",   "eta",
                                    "theta", "iota",  "kappa",   "lambda", "mu",      "nu",     "xi",
                                    "pi",    "rho",   "sigma",   "tau",    "upsilon", "phi",    "chi",
                                    "psi",   "omega", "Gamma",   "Delta",  "Theta",   "Lambda", "Xi",
                                    "Pi",    "Sigma", "Upsilon", "Phi",    "Psi",     "Omega"};
static const char *const accents[] = {"hat", "bar", "tilde", "dot", "vec"};

static bool listed(const char *const list[], size_t count, const char *s, size_t n) {
    for (size_t i = 0; i < count; i++)
        if (strlen(list[i]) == n && memcmp(list[i], s, n) == 0) return true;
    return false;
}

/* Letters that LaTeX reads as something else get a backslash, or a word. */
static void write_escaped(struct cr_text *out, const char *s, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '\\') text_str(out, "\\backslash ");
        else if (s[i] == '~') text_str(out, "\\sim ");
        else if (s[i] == '^') text_str(out, "\\wedge ");
        else {
            if (strchr("#$%&_{}", s[i])) text_char(out, '\\');
            text_char(out, s[i]);
        }
    }
}

/* One letter as it is, a Greek one by its command, a word upright. */
static void write_word(struct cr_text *out, const char *s, size_t n) {
    if (listed(greek, sizeof greek / sizeof *greek, s, n)) {
        text_char(out, '\\');
        text_bytes(out, s, n);
    } else if (n == 1 || strspn(s, "0123456789") >= n) {
        write_escaped(out, s, n);
    } else {
        text_str(out, "\\mathrm{");
        write_escaped(out, s, n);
        text_char(out, '}');
    }
}

static size_t word_end(const char *s, size_t n) {
    const char *at = memchr(s, '_', n);
    return at && at != s ? (size_t)(at - s) : n;
}

/* What stands behind the first word: "hat", "0", "out". Accents go above, the rest below. */
static void write_marks(struct cr_text *out, const char *s, size_t n, bool above, bool *any) {
    while (n) {
        s++, n--; /* the underscore */
        size_t word = word_end(s, n);
        if (word && listed(accents, sizeof accents / sizeof *accents, s, word) == above) {
            if (above) text_char(out, '\\'), text_bytes(out, s, word), text_char(out, '{');
            else text_str(out, *any ? "," : "_{"), write_word(out, s, word);
            *any = true;
        }
        s += word, n -= word;
    }
}

static size_t count_accents(const char *s, size_t n) {
    size_t found = 0;
    while (n) {
        s++, n--;
        size_t word = word_end(s, n);
        found += word && listed(accents, sizeof accents / sizeof *accents, s, word);
        s += word, n -= word;
    }
    return found;
}

static bool digit(char c) { return c >= '0' && c <= '9'; }

/* y_hat: \hat{y}; b0, b_0: b_{0}; w_out: w_{\mathrm{out}}; x_bar_1: \bar{x}_{1}. */
static void write_part(struct cr_text *out, const char *s, size_t n) {
    size_t word = word_end(s, n), letters = word;
    bool above = false, below = false;
    while (letters > 1 && digit(s[letters - 1])) letters--;
    write_marks(out, s + word, n - word, true, &above);
    write_word(out, s, letters);
    for (size_t i = count_accents(s + word, n - word); i; i--) text_char(out, '}');
    if (letters < word) {
        text_str(out, "_{");
        text_bytes(out, s + letters, word - letters);
        below = true;
    }
    write_marks(out, s + word, n - word, false, &below);
    if (below) text_char(out, '}');
}

/* A scope stands before the name, with a dot that takes no space. */
static void write_name(struct walk *w, const char *name) {
    for (;;) {
        const char *dot = strchr(name, '.');
        size_t n = dot ? (size_t)(dot - name) : strlen(name);
        if (n) write_part(w->out, name, n);
        if (!dot) return;
        text_str(w->out, "{.}");
        name = dot + 1;
    }
}

/* ---- Constants ---- */

/* 1e-05 is 10^{-5}. */
static void write_digits(struct cr_text *out, const char *s) {
    const char *e = strchr(s, 'e');
    if (!e) {
        text_str(out, s);
        return;
    }
    bool one = e == s + 1 && *s == '1', minus_one = e == s + 2 && memcmp(s, "-1", 2) == 0;
    if (minus_one) text_char(out, '-');
    else if (!one) text_bytes(out, s, (size_t)(e - s)), text_str(out, " \\cdot ");
    text_str(out, "10^{");
    if (e[1] == '-') text_char(out, '-');
    const char *digits = e + 1 + strspn(e + 1, "+-0");
    text_str(out, *digits ? digits : "0");
    text_char(out, '}');
}

static void write_const(struct walk *w, uint32_t id) {
    const struct node *n = graph_at(w->g, id);
    double v;
    struct cr_text s = text_make(&w->g->mem);
    if (!walk_scalar(w->g, id, &v)) walk_attributes(w, id);
    else if (isinf(v)) text_str(w->out, v < 0 ? "-\\infty" : "\\infty");
    else if (isnan(v)) text_str(w->out, "\\mathrm{nan}");
    else {
        walk_number(&s, (cr_dtype)n->dtype, graph_attr(w->g, n), 0);
        if (n->dtype == CR_BOOL) text_add(w->out, "\\mathrm{%s}", cr_text_str(&s));
        else write_digits(w->out, cr_text_str(&s));
        if (s.failed) w->out->failed = true;
    }
    text_drop(&s);
}

/* A number with a power of ten is a product. */
static enum level const_level(const cr_graph *g, uint32_t id) {
    double v;
    if (!walk_scalar(g, id, &v) || isnan(v)) return LEVEL_ATOM;
    bool small = fabs(v) >= 1e-4 && fabs(v) < 1e15;
    return v != 0 && !small && !isinf(v) ? LEVEL_SUM : signbit(v) ? LEVEL_MINUS : LEVEL_ATOM;
}

/* ---- Formulas ---- */

static void open(struct walk *w, enum level own, enum level least) {
    if (own < least) walk_text(w, "\\left(");
}

static void close(struct walk *w, enum level own, enum level least) {
    if (own < least) walk_text(w, "\\right)");
}

static bool sums(const struct node *n) { return n->op == OP_sum || n->op == OP_prod; }

/* Would its text start with a digit? */
static bool numeric(const cr_graph *g, uint32_t id) {
    const struct node *n = graph_at(g, id);
    if (n->op == OP_pow || n->op == OP_powi || n->op == OP_square) n = graph_at(g, graph_args(g, n)[0]);
    return n->op == OP_const;
}

static void put_infix(struct walk *w, int op, const uint32_t x[], enum level least) {
    const struct infix *f = walk_infix(op);
    bool open_sum = f->own == LEVEL_PRODUCT && sums(graph_at(w->g, x[0]));
    open(w, f->own, least);
    walk_operand(w, x[0], open_sum ? LEVEL_MINUS : f->left, true);
    walk_text(w, op == OP_mul && numeric(w->g, x[1]) ? " \\cdot " : f->latex);
    walk_operand(w, x[1], f->right, true);
    close(w, f->own, least);
}

/* Between two texts, at a level of its own. */
static void put_between(struct walk *w, const char *before, uint32_t x, enum level inner, const char *after,
                        enum level own, enum level least) {
    open(w, own, least);
    walk_text(w, before);
    walk_operand(w, x, inner, true);
    walk_text(w, after);
    close(w, own, least);
}

static void put_power(struct walk *w, uint32_t id, const struct node *n, const uint32_t x[],
                      enum level least) {
    open(w, LEVEL_POWER, least);
    walk_operand(w, x[0], LEVEL_ATOM, true);
    walk_text(w, "^{");
    if (n->op == OP_pow) walk_operand(w, x[1], LEVEL_ANY, true);
    else walk_tail(w, id);
    walk_text(w, "}");
    close(w, LEVEL_POWER, least);
}

static void put_fraction(struct walk *w, uint32_t above, uint32_t below, enum level least) {
    open(w, LEVEL_POWER, least);
    walk_text(w, "\\frac{");
    walk_operand(w, above, LEVEL_ANY, true);
    walk_text(w, "}{");
    walk_operand(w, below, LEVEL_ANY, true);
    walk_text(w, "}");
    close(w, LEVEL_POWER, least);
}

static void put_cases(struct walk *w, const uint32_t x[]) {
    walk_text(w, "\\begin{cases} ");
    walk_operand(w, x[1], LEVEL_ANY, true);
    walk_text(w, " & \\text{if } ");
    walk_operand(w, x[0], LEVEL_ANY, true);
    walk_text(w, " \\\\ ");
    walk_operand(w, x[2], LEVEL_ANY, true);
    walk_text(w, " & \\text{otherwise} \\end{cases}");
}

static void put_reduction(struct walk *w, uint32_t id, const struct node *n, uint32_t x, enum level least) {
    open(w, LEVEL_PRODUCT, least);
    walk_text(w, n->op == OP_sum ? "\\sum" : "\\prod");
    walk_tail(w, id);
    walk_text(w, " ");
    walk_operand(w, x, LEVEL_PRODUCT, true);
    close(w, LEVEL_PRODUCT, least);
}

/* What stands before and after the operand of an op that has a notation of its own. */
static const struct notation {
    int op;
    enum level own, inner;
    const char *before, *after;
} notations[] = {
    {OP_neg, LEVEL_MINUS, LEVEL_POWER, "-", ""},
    {OP_not, LEVEL_NOT, LEVEL_NOT, "\\lnot ", ""},
    {OP_abs, LEVEL_ATOM, LEVEL_ANY, "\\left|", "\\right|"},
    {OP_floor, LEVEL_ATOM, LEVEL_ANY, "\\left\\lfloor ", "\\right\\rfloor "},
    {OP_ceil, LEVEL_ATOM, LEVEL_ANY, "\\left\\lceil ", "\\right\\rceil "},
    {OP_sqrt, LEVEL_ATOM, LEVEL_ANY, "\\sqrt{", "}"},
    {OP_recip, LEVEL_POWER, LEVEL_ANY, "\\frac{1}{", "}"},
    {OP_rsqrt, LEVEL_POWER, LEVEL_ANY, "\\frac{1}{\\sqrt{", "}}"},
    {OP_exp2, LEVEL_POWER, LEVEL_ANY, "2^{", "}"},
    {OP_log2, LEVEL_ATOM, LEVEL_ANY, "\\log_{2}\\left(", "\\right)"},
    {OP_log10, LEVEL_ATOM, LEVEL_ANY, "\\log_{10}\\left(", "\\right)"},
    {OP_asin, LEVEL_ATOM, LEVEL_ANY, "\\arcsin\\left(", "\\right)"},
    {OP_acos, LEVEL_ATOM, LEVEL_ANY, "\\arccos\\left(", "\\right)"},
    {OP_atan, LEVEL_ATOM, LEVEL_ANY, "\\arctan\\left(", "\\right)"},
    {OP_variable, LEVEL_ANY, LEVEL_ANY, "", ""},
};

static const struct notation *notation_of(int op) {
    for (size_t i = 0; i < sizeof notations / sizeof *notations; i++)
        if (notations[i].op == op) return &notations[i];
    return NULL;
}

/* Functions that LaTeX has a command for, of the name of the op. */
static bool has_command(int op) {
    static const int known[] = {OP_sin,  OP_cos, OP_tan, OP_sinh, OP_cosh,
                                OP_tanh, OP_exp, OP_log, OP_max,  OP_min};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i] == op) return true;
    return false;
}

static void put_name(struct walk *w, const char *name) {
    walk_text(w, "\\operatorname{");
    walk_word(w, name);
    walk_text(w, "}");
}

static void put_function(struct walk *w, int op) {
    if (has_command(op)) {
        walk_text(w, "\\");
        walk_text(w, op_name(op));
    } else put_name(w, op == OP_maximum ? "max" : op == OP_minimum ? "min" : op_name(op));
}

static void put_call(struct walk *w, uint32_t id, const struct node *n, const uint32_t x[]) {
    put_function(w, n->op);
    walk_text(w, "\\left(");
    for (uint32_t i = 0; i < n->n; i++) {
        if (i) walk_text(w, ", ");
        walk_operand(w, x[i], LEVEL_ANY, true);
    }
    walk_tail(w, id);
    walk_text(w, "\\right)");
}

/* One result of several. */
static void put_part(struct walk *w, uint32_t id, const struct node *n) {
    uint32_t of = graph_args(w->g, n)[0];
    put_name(w, ops_part_name(graph_at(w->g, of)->op, (int)graph_attr(w->g, n)[0]));
    walk_text(w, "\\left(");
    const struct node *op = graph_at(w->g, of);
    for (uint32_t i = 0; i < (op_kind(op->op) == KIND_CONTROL ? op->n : 1); i++) {
        if (i) walk_text(w, ", ");
        walk_operand(w, graph_args(w->g, op)[i], LEVEL_ANY, true);
    }
    walk_tail(w, of);
    walk_text(w, "\\right)");
    walk_tail(w, id);
}

static void put_suffix(struct walk *w, uint32_t id, uint32_t x) {
    walk_operand(w, x, LEVEL_ATOM, true);
    walk_tail(w, id);
}

static void put_const(struct walk *w, uint32_t id, enum level least) {
    enum level own = const_level(w->g, id);
    open(w, own, least);
    walk_tail(w, id);
    close(w, own, least);
}

static void put_node(struct walk *w, uint32_t id, enum level least, enum setting setting) {
    (void)setting;
    const struct node *n = graph_at(w->g, id);
    struct operands o = walk_operands(w, n);
    const struct infix *f = walk_infix(n->op);
    const struct notation *t = notation_of(n->op);
    uint32_t product[2];
    if (n->op == OP_const) put_const(w, id, least);
    else if (f && f->latex) put_infix(w, n->op, o.id, least);
    else if (t) put_between(w, t->before, o.id[0], t->inner, t->after, t->own, least);
    else if (walk_matmul(w, n, product)) put_infix(w, OP_matmul, product, least);
    else if (walk_kept(w, n)) walk_operand(w, o.id[0], least, true);
    else if (n->op == OP_div) put_fraction(w, o.id[0], o.id[1], least);
    else if (n->op == OP_pow || n->op == OP_powi || n->op == OP_square) put_power(w, id, n, o.id, least);
    else if (n->op == OP_where) put_cases(w, o.id);
    else if (n->op == OP_part) put_part(w, id, n);
    else if (sums(n)) put_reduction(w, id, n, o.id[0], least);
    else if (n->op == OP_slice || walk_transpose(w->g, n)) put_suffix(w, id, o.id[0]);
    else if (walk_indexed(w, n)) put_suffix(w, id, graph_args(w->g, graph_at(w->g, o.id[0]))[0]);
    else put_call(w, id, n, n->n <= 3 ? o.id : graph_args(w->g, n));
}

/* ---- What follows the operands ---- */

/* Attributes as the formula language writes them, upright. */
static void write_attributes(struct walk *w, uint32_t id) {
    size_t from = w->out->n;
    text_str(w->out, "\\text{");
    size_t start = w->out->n;
    walk_attributes(w, id);
    if (w->out->n > start) text_char(w->out, '}');
    else if (!w->out->failed) w->out->n = from, w->out->s[from] = 0;
}

static void write_axes(struct walk *w, const struct node *n) {
    size_t count = graph_attr_count(w->g, n);
    if ((int)count == graph_rank(w->g, graph_at(w->g, graph_args(w->g, n)[0]))) return;
    text_str(w->out, count == 1 ? "_{\\text{axis }" : "_{\\text{axes }");
    for (size_t i = 0; i < count; i++)
        text_add(w->out, i ? ", %lld" : "%lld", (long long)graph_attr(w->g, n)[i]);
    text_char(w->out, '}');
}

static void write_tail(struct walk *w, uint32_t id) {
    const struct node *n = graph_at(w->g, id);
    if (n->op == OP_const) write_const(w, id);
    else if (n->op == OP_square) text_char(w->out, '2');
    else if (n->op == OP_powi) text_add(w->out, "%lld", (long long)graph_attr(w->g, n)[0]);
    else if (sums(n)) write_axes(w, n);
    else if (walk_transpose(w->g, n)) text_str(w->out, "^{\\top}");
    else write_attributes(w, id);
}

static void write_word_of_op(struct walk *w, const char *op) {
    for (; *op; op++) {
        if (*op == '_') text_char(w->out, '\\');
        text_char(w->out, *op);
    }
}

static const struct walk_style latex_style = {put_node, write_tail, write_name, write_word_of_op};

void print_latex(struct cr_text *out, cr_node x, const struct print_labels *labels, bool expand_root) {
    struct walk w = {.out = out, .g = x.graph, .labels = labels, .style = &latex_style};
    walk_run(&w, x, expand_root);
}

cr_status cr_print_latex(cr_text *out, cr_node x) {
    if (!out) return CR_EINVAL;
    print_latex(out, x, NULL, true);
    return graph_get(x) ? text_status(out) : CR_EINVAL;
}
