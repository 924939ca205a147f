/* Options: what each is called, takes and does, and where its value goes. A verb names those that it has. */
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

/* OWN: kept as text in a->option, as often as given; the verb reads it. */
enum kind { FLAG, TEXT, POSITIVE, ORDER, OWN };

static const struct row {
    const char *name, *value, *help; /* value: what it takes, or NULL */
    enum kind kind;
    size_t at; /* in struct arguments */
} rows[] = {
    {"wrt", "NAMES",
     "differentiate by these, as in w,b; else by the params, or where there are none by every name", TEXT,
     offsetof(struct arguments, wrt)},
    {"rate", "NUMBER", "the step of descent, 0.1 unless given; of fit --method gd: found anew at each step",
     POSITIVE, offsetof(struct arguments, rate)},
    {"full", NULL, "all numbers of a tensor, every node of a scope", FLAG, offsetof(struct arguments, full)},
    {"digits", NULL,
     "instead: how many digits rounding leaves of the result and its gradients, and where others are lost",
     FLAG, offsetof(struct arguments, digits)},
    {"json", NULL,
     "as JSON: digits that read back the same, tensors as nested lists, \"nan\", \"inf\", \"-inf\"", FLAG,
     offsetof(struct arguments, json)},
    {"latex", NULL, "as LaTeX", FLAG, offsetof(struct arguments, latex)},
    {"dot", NULL, "in Graphviz's language", FLAG, offsetof(struct arguments, dot)},
    {"svg", "FILE", "a picture to this file", TEXT, offsetof(struct arguments, svg)},
    {"html", "FILE", "a page that shows each step, to this file", TEXT, offsetof(struct arguments, html)},
    {"order", "N", "the derivative of this order, 0 to 20, by each name alone; 1 unless given", ORDER,
     offsetof(struct arguments, order)},
    {"jvp", "TANGENTS", "forward mode: the change along these, as in w=1,b=[0,1]; other names stay", TEXT,
     offsetof(struct arguments, jvp)},
    {"hvp", "VECTORS", "the Hessian times these, as in w=1,b=[0,1]; other names stay", TEXT,
     offsetof(struct arguments, hvp)},
    {"jacobian", NULL, "all derivatives of a tensor: its shape, then that of the name", FLAG,
     offsetof(struct arguments, jacobian)},
    {"hessian", NULL, "all second derivatives: for each two names, the shape of the one, then of the other",
     FLAG, offsetof(struct arguments, hessian)},
    {"trap-nan", NULL,
     "fail at the first node, forward or backward, that makes a nan or an infinity of operands that have "
     "none",
     FLAG, offsetof(struct arguments, trap_nan)},
    {"method", "NAME",
     "one of those below; unless given lm for sums of squares and lbfgs for all other losses", TEXT,
     offsetof(struct arguments, method)},
    {"iterations", "N", "at most so many, 10000 unless given", TEXT, offsetof(struct arguments, iterations)},
    {"tolerance", "NUMBER",
     "ends when no component of the gradient is above this, relative to the loss; 1e-11 unless given", TEXT,
     offsetof(struct arguments, tolerance)},
    {"quiet", NULL, "no progress on the terminal", FLAG, offsetof(struct arguments, quiet)},
    {"flush-denormals", NULL, "numbers below the normal range count as 0", FLAG,
     offsetof(struct arguments, flush)},
    {"fix", "NAMES", "these parameters stay where they start, or at a value: b2,b3=0.5", OWN, 0},
    {"lower", "NAME=NUMBER", "lower bounds, as in b1=0,b2=0", OWN, 0},
    {"upper", "NAME=NUMBER", "upper bounds", OWN, 0},
    {"sigma", "COLUMN",
     "measurement errors: each residual is divided by its own; of a weight w it is 1/sqrt(w)", OWN, 0},
    {"absolute-sigma", NULL, "the errors are known in size, not only in ratio", FLAG,
     offsetof(struct arguments, absolute_sigma)},
    {"robust", "NAME",
     "huber, soft_l1 or cauchy: residuals far above the scale count less than their squares", OWN, 0},
    {"robust-scale", "NUMBER", "that scale; 1 unless given", OWN, 0},
    {"starts", "N", "so many starts, of which the best end counts; 10 for a formula without a start, else 1",
     OWN, 0},
    {"confidence", "NUMBER", "of intervals and band; 0.95 unless given", OWN, 0},
    {"profile", NULL, "intervals by profile likelihood beside Student's", FLAG,
     offsetof(struct arguments, profile)},
    {"data", "NAME=FILE",
     "observations for an input, along their first axis; or a CSV file, whose columns have names", OWN, 0},
    {"window", "N", "observations are windows of N rows of a sequence, or of N bytes of a text", OWN, 0},
    {"stride", "N", "a window begins every N rows or bytes; one less than the window unless given", OWN, 0},
    {"characters", "FILE",
     "texts are characters, not bytes: each its number among those of this text in UTF-8, in the order of "
     "Unicode. A size "
     "called characters, if the model has one, is how many",
     OWN, 0},
    {"continue", "TEXT", "a text that goes on, byte by byte, by the scores of --of", OWN, 0},
    {"bytes", "N", "so many bytes, or characters, go on, 200 unless given", OWN, 0},
    {"temperature", "T", "scores are divided by it, 1 unless given; at 0 the likeliest byte follows", OWN, 0},
    {"weights", "FILE", "the parameters, from a safetensors file", OWN, 0},
    {"of", "NAME", "what is predicted: the name of a node", OWN, 0},
    {"categories", "COLUMN",
     "a column of words of a CSV file, or the labels of a folder of images; each word becomes its number "
     "from 0, in the order of the words found, or "
     "of those given: species=setosa,virginica. For each such column",
     OWN, 0},
    {"optimiser", "CALL",
     "one of those below, with options and a rate that may be a formula of step; unless given that of the "
     "model, else adam",
     OWN, 0},
    {"epochs", "N", "so many times over the data, 10 unless given", OWN, 0},
    {"batch", "N", "observations in a step, 32 unless given", OWN, 0},
    {"validation", "N", "so many observations, or a share below 1 of them, that do not train but judge", OWN,
     0},
    {"best", "WORDS", "which epoch is kept, as in 'max accuracy' or loss, the least, unless given", OWN, 0},
    {"patience", "N", "end after so many epochs without a better one", OWN, 0},
    {"shuffle", "0|1", "a new order of observations in each epoch, unless 0", OWN, 0},
    {"seed", "N", "of starts, order, validation and draws; 0 unless given", OWN, 0},
    {"outputs", "EXPRESSIONS",
     "what is computed, parted by commas; the result and its gradients unless given", OWN, 0},
    {"out", "FILE", "where the result goes; -o in short", OWN, 0},
    {"checkpoint", "FILE",
     "all that is needed to go on, after each epoch; where it is there, training goes on from it", OWN, 0},
    {"compile", "CC",
     "loops as C, by this compiler: auto, unless given: the system's, if the steps to come repay it; 0: "
     "never",
     OWN, 0},
    {"log", "FILE", "a line of JSON for each epoch", OWN, 0},
    {"report", "FILE",
     "a page of metrics, rate, norms of gradients and times, written anew every second as training goes on",
     OWN, 0},
    {"threads", "N", "0, unless given, for one per processor", OWN, 0},
    {"plan", NULL, "the steps in which it runs: what each reads, writes and calculates, and the memory", FLAG,
     offsetof(struct arguments, plan)},
    {"stages", NULL, "from the graph to C, stage by stage: rewritten, planned, placed in memory", FLAG,
     offsetof(struct arguments, stages)},
    {"no-libm", NULL,
     "chainrule_math.h beside it: own mathematics, for cc -DSTEP_NO_LIBM (after step.c), which needs no libm",
     FLAG, offsetof(struct arguments, no_libm)},
    {"rewrite", "LEVEL",
     "none; exact, unless given: what keeps every bit but the sign of a zero; all: what is equal but for "
     "rounding where nothing on the way is inf or nan (as the 0/0 that a gradient avoids)",
     OWN, 0},
    {"manual", NULL, "the whole table in Markdown", FLAG, offsetof(struct arguments, manual)},
};
enum { count = sizeof rows / sizeof *rows };

static bool has(const struct verb *v, const struct row *row) {
    size_t n = strlen(row->name);
    for (const char *p = v->options; *p; p += strcspn(p, " "), p += strspn(p, " "))
        if (strcspn(p, " ") == n && memcmp(p, row->name, n) == 0) return true;
    return false;
}

void print_options(const struct verb *v) {
    for (int i = 0; i < count; i++)
        if (has(v, &rows[i]))
            printf("  --%s%s%s\n      %s\n", rows[i].name, rows[i].value ? " " : "",
                   rows[i].value ? rows[i].value : "", rows[i].help);
}

static const struct row *find(const struct verb *v, const char *s, size_t n) {
    for (int i = 0; i < count; i++)
        if (has(v, &rows[i]) && strlen(rows[i].name) == n && memcmp(rows[i].name, s, n) == 0) return &rows[i];
    return NULL;
}

/* As compilers have it: -o FILE. */
static const struct row *find_short(const struct verb *v, const char *s) {
    return strcmp(s, "-o") == 0 ? find(v, "out", 3) : NULL;
}

bool is_option(const struct verb *v, const char *s) { return strncmp(s, "--", 2) == 0 || find_short(v, s); }

const char *option_value(const struct arguments *a, const char *name) {
    const char *value = NULL;
    for (int i = 0; i < a->options; i++)
        if (strcmp(a->option[i].name, name) == 0) value = a->option[i].value;
    return value;
}

static int set(struct arguments *a, const struct row *row, const char *value) {
    char *at = (char *)a + row->at;
    double x;
    if (row->kind == FLAG) return *(bool *)at = true, EXIT_DONE;
    if (row->kind == OWN && a->options == most_options)
        return wrong_use("more than %d options", most_options);
    if (row->kind == OWN) return a->option[a->options++] = (struct option){row->name, value}, EXIT_DONE;
    if (row->kind == TEXT) return *(const char **)at = value, EXIT_DONE;
    if (!read_number(value, &x)) x = NAN;
    if (row->kind == POSITIVE && !(x > 0 && isfinite(x)))
        return wrong_use("--%s: expected a number above 0, found '%s'", row->name, value);
    if (row->kind == ORDER && !(x >= 0 && x <= 20 && x == floor(x)))
        return wrong_use("--%s: expected an integer from 0 to 20, found '%s'", row->name, value);
    if (row->kind == POSITIVE) *(double *)at = x;
    else *(int *)at = (int)x;
    return EXIT_DONE;
}

static int unknown_option(const struct verb *v, const char *s, size_t n) {
    static const char *const rates[] = {"lr", "learning-rate", "learning_rate", "rate"};
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)n, s);
    for (int i = 0; i < count; i++)
        if (has(v, &rows[i]) && is_near(name, rows[i].name))
            return wrong_use("there is no option '--%s': did you mean --%s?", name, rows[i].name);
    for (size_t i = 0; v->run == run_train && i < sizeof rates / sizeof *rates; i++)
        if (strcmp(name, rates[i]) == 0)
            return wrong_use(
                "there is no option '--%s': the rate is the optimiser's, as in --optimiser 'adam(rate=0.01)'",
                name);
    return wrong_use("there is no option '--%.*s'", (int)n, s);
}

int read_option(const struct verb *v, struct arguments *a, int *i) {
    const struct row *row = find_short(v, a->argv[*i]);
    const char *s = row ? "" : a->argv[*i] + 2;
    size_t n = strcspn(s, "=");
    if (!row) row = find(v, s, n);
    if (!row) return unknown_option(v, s, n);
    if (!row->value) return s[n] ? wrong_use("--%s takes no value", row->name) : set(a, row, NULL);
    const char *value = s[n] ? s + n + 1 : *i + 1 < a->argc ? a->argv[++*i] : NULL;
    return value ? set(a, row, value) : wrong_use("--%s needs a value: %s", row->name, row->value);
}
