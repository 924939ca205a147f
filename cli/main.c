/* chainrule: the command line. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static int run_help(struct arguments *a);
static int run_version(struct arguments *a);

#define VALUES "[name=value ...]"
const struct verb verbs[] = {
    {"explain",
     "FORMULA|FILE.cr " VALUES
     " [--wrt w,b] [--rate 0.1] [--full] [--json|--dot|--latex|--svg FILE|--html FILE]",
     "the forward pass, the local gradients, the backward pass and one step of descent",
     " wrt rate full json dot latex svg html ", run_explain},
    {"grad", "FORMULA|FILE.cr " VALUES " [--wrt w,b] [--order n] [--jvp w=1,b=0] [--json] [--trap-nan]",
     "the value and its gradients", " wrt order jvp json trap-nan ", run_grad},
    {"diff", "FORMULA|FILE.cr [--wrt w] [--order n] [--latex]", "the derivative as a simplified formula",
     " wrt order latex ", run_diff},
    {"check", "FORMULA|FILE.cr " VALUES " [--wrt w,b]",
     "the gradients against differences and against the other mode, op by op", " wrt ", run_check},
    {"fit",
     "FORMULA|FILE.cr DATA.csv " VALUES
     " [--fix b] [--lower b=0,c=1] [--upper b=9] [--sigma COLUMN [--absolute-sigma]]\n"
     "      [--robust huber|soft_l1|cauchy [--robust-scale s]] [--starts n [--seed s]] [--confidence 0.95] "
     "[--profile]\n"
     "      [--method lm|lbfgs|gd] [--rate r] [--iterations n] [--tolerance t] [--flush-denormals] [--json] "
     "[--svg FILE] "
     "[--quiet]",
     "the parameters that minimise the loss, with their errors",
     " method rate iterations tolerance flush-denormals json svg quiet fix lower upper sigma absolute-sigma "
     "robust "
     "robust-scale starts seed "
     "confidence profile ",
     run_fit},
    {"train",
     "FILE.cr --data x=FILE --data y=FILE " VALUES " [--optimiser 'adam(rate=0.001)'] [--epochs 10] [--batch "
     "32] [--validation 0.1] [--best 'max accuracy'] "
     "[--patience n] [--seed n] [--out weights.safetensors] [--checkpoint FILE] [--log FILE.jsonl] [--svg "
     "FILE] "
     "[--threads n] [--quiet]",
     "the parameters that minimise the loss over many observations, batch by batch",
     " data optimiser epochs batch validation best patience seed out checkpoint log svg threads quiet ",
     run_train},
    {"eval",
     "FILE.cr --weights FILE --data x=FILE --data y=FILE " VALUES " [--batch n] [--threads n] [--json]",
     "the loss and the metrics of a trained model on data", " data weights batch threads json ", run_eval},
    {"predict",
     "FILE.cr --weights FILE --data x=FILE " VALUES
     " --of NAME [--out FILE.npy|FILE.csv] [--batch n] [--threads n] [--json]",
     "what a node of a trained model is for every observation", " data weights of out batch threads json ",
     run_predict},
    {"info", "FILE", "what is in a file of data or weights", " json ", run_info},
    {"emit",
     "FORMULA|FILE.cr --out step.c " VALUES
     " [--outputs 'loss, grad(loss, w)'] [--wrt w,b] [--optimiser 'adam(rate=0.001)']",
     "values, gradients or a whole training step as plain C", " outputs out wrt optimiser ", run_emit},
    {"draw", "FORMULA|FILE.cr " VALUES " [--dot|--svg FILE]", "the graph as a picture", " wrt dot svg ",
     run_draw},
    {"ops", "[--manual]", "every op, with its attributes", " manual ", run_ops},
    {"help", "[VERB]", "this", " ", run_help},
    {"version", "", "the version", " ", run_version},
    {NULL, NULL, NULL, NULL, NULL},
};

static const char examples[] = "\nExamples:\n"
                               "  chainrule explain 'loss = (w*x - y)^2' w=1 x=1 y=2\n"
                               "  chainrule grad 'sum(sin(v)^2)' v=[1,2,3]\n"
                               "  chainrule diff '(w*x - y)^2' --wrt w\n"
                               "  chainrule fit norris.cr norris.csv --svg fit.svg\n"
                               "  chainrule fit 'y = a*exp(-b*x)' data.csv a=1 b=0.1\n"
                               "\nA value is a number, a list as [1,2,3], @file.npy or @file.csv. Without "
                               "--wrt one differentiates by the\n"
                               "parameters of the model, or by every name. docs/formula.md has the language, "
                               "`chainrule ops` its functions.\n";

int fail(const char *format, ...) {
    va_list ap;
    va_start(ap, format);
    fputs("chainrule: ", stderr);
    vfprintf(stderr, format, ap);
    fputc('\n', stderr);
    va_end(ap);
    return EXIT_FAILED;
}

int wrong_use(const char *format, ...) {
    va_list ap;
    va_start(ap, format);
    fputs("chainrule: ", stderr);
    vfprintf(stderr, format, ap);
    fputs("\nTry 'chainrule help'.\n", stderr);
    va_end(ap);
    return EXIT_WRONG_USE;
}

static const struct verb *find_verb(const char *name) {
    for (const struct verb *v = verbs; v->name; v++)
        if (strcmp(v->name, name) == 0) return v;
    return NULL;
}

static int run_help(struct arguments *a) {
    const struct verb *one = a->formula ? find_verb(a->formula) : NULL;
    if (a->formula && !one) return wrong_use("there is no verb '%s'", a->formula);
    if (!one) puts("chainrule: backpropagation, from a formula to its gradients.\n");
    for (const struct verb *v = verbs; v->name; v++)
        if (!one || v == one) printf("  chainrule %s %s\n      %s\n", v->name, v->form, v->help);
    if (!one) fputs(examples, stdout);
    for (int i = 0; one && one->run == run_train && cr_optimiser_name(i); i++)
        printf("  %s(%s)\n", cr_optimiser_name(i), cr_optimiser_signature(i));
    return EXIT_DONE;
}

static int run_version(struct arguments *a) {
    (void)a;
    printf("chainrule %s\n", cr_version());
    return EXIT_DONE;
}

/* ---- Reading the command line ---- */

static bool read_number(const char *s, double *x) {
    cr_array *array = NULL;
    bool ok = read_value(&array, s, NULL) && cr_array_rank(array) == 0;
    if (ok) *x = *(double *)cr_array_data(array);
    cr_array_free(array);
    return ok;
}

/* An option that takes a value: where it goes. */
static const char **text_option(struct arguments *a, const char *name) {
    if (strcmp(name, "wrt") == 0) return &a->wrt;
    if (strcmp(name, "jvp") == 0) return &a->jvp;
    if (strcmp(name, "svg") == 0) return &a->svg;
    if (strcmp(name, "html") == 0) return &a->html;
    if (strcmp(name, "method") == 0) return &a->method;
    if (strcmp(name, "iterations") == 0) return &a->iterations;
    return strcmp(name, "tolerance") == 0 ? &a->tolerance : NULL;
}

static bool *flag_option(struct arguments *a, const char *name) {
    static const char *const names[] = {
        "json",   "dot",   "latex",          "full",   "trap-nan", "flush-denormals",
        "manual", "quiet", "absolute-sigma", "profile"};
    bool *flags[] = {&a->json,  &a->dot,    &a->latex, &a->full,           &a->trap_nan,
                     &a->flush, &a->manual, &a->quiet, &a->absolute_sigma, &a->profile};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], name) == 0) return flags[i];
    return NULL;
}

const char *option_value(const struct arguments *a, const char *name) {
    const char *value = NULL;
    for (int i = 0; i < a->options; i++)
        if (strcmp(a->option[i].name, name) == 0) value = a->option[i].value;
    return value;
}

/* Options that only one verb knows keep their text: the verb reads it. */
static bool is_own(const char *name) { return strcmp(name, "rate") != 0 && strcmp(name, "order") != 0; }

static int add_option(struct arguments *a, const char *name, size_t n, const char *value) {
    if (a->options == most_options) return wrong_use("more than %d options", most_options);
    char *copy = malloc(n + 1);
    if (!copy) return fail("out of memory");
    memcpy(copy, name, n + 1);
    a->option[a->options++] = (struct option){copy, value};
    return EXIT_DONE;
}

static int read_option(const struct verb *v, struct arguments *a, int *i) {
    char name[32], padded[36];
    const char *s = a->argv[*i] + 2, *equals = strchr(s, '='), *value;
    size_t n = equals ? (size_t)(equals - s) : strlen(s);
    if (n >= sizeof name) return wrong_use("there is no option '%s'", a->argv[*i]);
    memcpy(name, s, n);
    name[n] = 0;
    snprintf(padded, sizeof padded, " %s ", name);
    if (!strstr(v->options, padded)) return wrong_use("'chainrule %s' has no option '--%s'", v->name, name);
    if (!equals && flag_option(a, name)) return *flag_option(a, name) = true, EXIT_DONE;
    value = equals ? equals + 1 : *i + 1 < a->argc ? a->argv[++*i] : NULL;
    if (!value) return wrong_use("--%s needs a value", name);
    double number;
    if (text_option(a, name)) return *text_option(a, name) = value, EXIT_DONE;
    if (is_own(name)) return add_option(a, name, n, value);
    if (!read_number(value, &number)) return wrong_use("--%s: expected a number, found '%s'", name, value);
    if (strcmp(name, "rate") == 0) return a->rate = number, EXIT_DONE;
    if (number < 0 || number > 20 || number != (double)(int)number)
        return wrong_use("--order: expected an integer from 0 to 20, found '%s'", value);
    return a->order = (int)number, EXIT_DONE;
}

/* Is it name=value, and no formula with a comparison or an assignment? */
static const char *value_of(const char *s) {
    const char *p = s;
    while ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || *p == '_' ||
           (p > s && ((*p >= '0' && *p <= '9') || *p == '.')))
        p++;
    return p > s && *p == '=' && p[1] != '=' ? p + 1 : NULL;
}

static int read_given(struct arguments *a, const char *s, const char *value) {
    struct given *g = calloc(1, sizeof *g);
    cr_text *why = NULL;
    cr_text_new(&why, NULL);
    if (!g || !read_value(&g->array, value, why)) {
        fail("%.*s: %s", (int)(value - s - 1), s, *cr_text_str(why) ? cr_text_str(why) : "out of memory");
        cr_text_free(why);
        free(g);
        return EXIT_FAILED;
    }
    cr_text_free(why);
    g->name = s;
    g->name_size = (size_t)(value - s - 1);
    g->next = a->given;
    a->given = g;
    return EXIT_DONE;
}

static int read_arguments(const struct verb *v, struct arguments *a) {
    for (int i = 2; i < a->argc; i++) {
        const char *s = a->argv[i], *value = a->formula || v->run == run_help ? value_of(s) : NULL;
        int code = EXIT_DONE;
        if (strncmp(s, "--", 2) == 0 && s[2]) code = read_option(v, a, &i);
        else if (!a->formula) a->formula = s;
        else if (value) code = read_given(a, s, value);
        else if (!a->data && v->run == run_fit) a->data = s;
        else return wrong_use("what is '%s'?", s);
        if (code) return code;
    }
    bool alone = v->run == run_help || v->run == run_ops || v->run == run_version;
    return a->formula || alone ? EXIT_DONE : wrong_use("chainrule %s %s", v->name, v->form);
}

int main(int argc, char **argv) {
    struct arguments a = {.argc = argc, .argv = argv, .rate = 0, .order = 1};
    const char *name = argc < 2 ? "help" : argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) name = "help";
    if (strcmp(name, "--version") == 0) name = "version";
    const struct verb *v = find_verb(name);
    if (!v) return wrong_use("there is no verb '%s'", name);
    int code = read_arguments(v, &a);
    if (!code) code = v->run(&a);
    free_given(a.given);
    for (int i = 0; i < a.options; i++) free((void *)(uintptr_t)a.option[i].name);
    if (fflush(stdout) != 0 || ferror(stdout)) code = code ? code : fail("standard output cannot be written");
    return code;
}
