/* chainrule: the command line. */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static int run_help(struct arguments *a);
static int run_version(struct arguments *a);

#define VALUES "[name=value ...]"
const struct verb verbs[] = {
    {"explain", "FORMULA|FILE.cr " VALUES,
     "the forward pass, the local gradients, the backward pass and one step of descent",
     "wrt rate full json latex dot svg html weights data categories window stride batch",
     "  chainrule explain 'loss = (w*x - y)^2' w=1 x=1 y=2 --wrt w\n"
     "  chainrule explain 'y_hat = w*x; loss = mean((y_hat - y)^2)' w=1 x=[1,2] y=[2,4] --svg graph.svg\n"
     "  chainrule explain norris.cr --data norris.csv --batch 8 --html norris.html\n",
     run_explain},
    {"grad", "FORMULA|FILE.cr " VALUES, "the value and its gradients",
     "wrt order jacobian hessian jvp hvp json trap-nan",
     "  chainrule grad 'sum(sin(v)^2)' v=[1,2,3]\n"
     "  chainrule grad 'w^3' w=2 --order 2\n"
     "  chainrule grad 'sum(a*b)' a=[1,2] b=@b.npy --jvp a=[1,0] --json\n"
     "  chainrule grad 'a*b^3' a=1 b=2 --hessian\n",
     run_grad},
    {"diff", "FORMULA|FILE.cr " VALUES, "the derivative as a simplified formula", "wrt order latex",
     "  chainrule diff '(w*x - y)^2' --wrt w\n"
     "  chainrule diff 'exp(-x^2)' --order 2 --latex\n",
     run_diff},
    {"check", "FORMULA|FILE.cr " VALUES,
     "the gradients against differences and against the other mode, op by op, at orders 1 and 2",
     "wrt digits json",
     "  chainrule check 'log(1 + exp(-y*w*x))' w=0.5 x=2 y=-1\n"
     "  chainrule check --digits 'loss = (w*x - y)^2' w=1.01 x=1 y=1 --json\n",
     run_check},
    {"fit", "FORMULA|FILE.cr DATA.csv " VALUES, "the parameters that minimise the loss, with their errors",
     "method rate iterations tolerance flush-denormals json svg quiet fix lower upper sigma absolute-sigma "
     "robust "
     "robust-scale starts seed confidence profile categories",
     "  chainrule fit norris.cr norris.csv --svg fit.svg\n"
     "  chainrule fit 'y = b0 + b1*x' norris.csv b1=0.5 --lower b0=-1 --json\n",
     run_fit},
    {"train", "FILE.cr " VALUES,
     "the parameters that minimise the loss over many observations, batch by batch",
     "data categories window stride characters weights optimiser epochs batch validation best patience "
     "shuffle "
     "seed out checkpoint log "
     "svg report threads compile quiet",
     "  chainrule train norris.cr --data norris.csv --optimiser 'adam(rate=0.1)' --epochs 5 --batch 12 --out "
     "w.safetensors\n",
     run_train},
    {"eval", "FILE.cr " VALUES, "the loss and the metrics of a trained model on data",
     "data categories window stride characters weights batch threads json",
     "  chainrule eval norris.cr --weights w.safetensors --data norris.csv\n", run_eval},
    {"predict", "FILE.cr " VALUES, "what a node of a trained model is for every observation",
     "data categories window stride characters weights of out continue bytes temperature seed batch threads "
     "json",
     "  chainrule predict norris.cr --weights w.safetensors --data norris.csv --of y_hat --out y_hat.npy\n",
     run_predict},
    {"info", "FILE", "what is in a file of data or weights", "categories json",
     "  chainrule info norris.csv\n", run_info},
    {"emit", "FORMULA|FILE.cr " VALUES, "values, gradients or a whole training step as plain C",
     "outputs out no-libm wrt optimiser rewrite plan stages",
     "  chainrule emit 'loss = (w*x - y)^2' --wrt w --out step.c\n"
     "  chainrule emit 'loss = (w*x - y)^2' --wrt w --plan\n"
     "  chainrule emit xor.cr batch=4 --outputs loss --optimiser 'adam(rate=0.05)' --out step.c --no-libm\n",
     run_emit},
    {"draw", "FORMULA|FILE.cr " VALUES, "the graph as a picture; with values, their gradients too",
     "wrt dot svg", "  chainrule draw 'loss = (w*x - y)^2' --svg graph.svg\n", run_draw},
    {"ops", "[OP]", "every op, or one, with its attributes", "manual", "  chainrule ops softmax\n", run_ops},
    {"help", "[VERB]", "the verbs, or one with its options", "", "  chainrule help grad\n", run_help},
    {"version", "", "the version", "", "", run_version},
    {NULL, NULL, NULL, NULL, NULL, NULL},
};

static const char about[] =
    "\nA value is a number (f64), a list as [1,2,3], @file.npy, or @file.csv, whose columns make a matrix. "
    "Without --wrt\n"
    "one differentiates by the parameters of the model, or where it has none by every name. docs/formula.md "
    "has the\n"
    "language, 'chainrule ops' its functions, 'chainrule help VERB' options and examples.\n"
    "Exit status: 0; 1 for what failed; 2 for wrong use.\n";

static const struct verb *current; /* whose options a message points to */

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
    bool one = current && current->run != run_help;
    fprintf(stderr, "\nTry 'chainrule help%s%s'.\n", one ? " " : "", one ? current->name : "");
    va_end(ap);
    return EXIT_WRONG_USE;
}

static const struct verb *find_verb(const char *name) {
    for (const struct verb *v = verbs; v->name; v++)
        if (strcmp(v->name, name) == 0) return v;
    return NULL;
}

static void print_form(const struct verb *v) {
    printf("  chainrule %s%s%s%s\n      %s\n", v->name, *v->operands ? " " : "", v->operands,
           *v->options ? " [options]" : "", v->help);
}

static int help_with(const struct verb *v) {
    print_form(v);
    if (*v->options) puts("\nOptions:");
    print_options(v);
    if (v->run == run_train) puts("\nOptimisers:");
    for (int i = 0; v->run == run_train && cr_optimiser_name(i); i++)
        printf("  %s(%s)\n", cr_optimiser_name(i), cr_optimiser_signature(i));
    if (v->run == run_fit) puts("\nMethods:");
    for (int i = 0; v->run == run_fit && cr_minimiser_name(i); i++)
        printf("  %-6s  %s\n", cr_minimiser_name(i), cr_minimiser_help(i));
    if (*v->examples) printf("\nExamples:\n%s", v->examples);
    return EXIT_DONE;
}

static int run_help(struct arguments *a) {
    const struct verb *one = a->formula ? find_verb(a->formula) : NULL;
    if (a->formula && !one) return wrong_use("there is no verb '%s'", a->formula);
    if (one) return help_with(one);
    puts("chainrule: backpropagation, from a formula to its gradients.\n");
    for (const struct verb *v = verbs; v->name; v++) print_form(v);
    fputs(about, stdout);
    return EXIT_DONE;
}

static int run_version(struct arguments *a) {
    (void)a;
    printf("chainrule %s\n", cr_version());
    return EXIT_DONE;
}

/* ---- Reading the command line ---- */

/* Is it name=value, and no formula with a comparison or an assignment? */
static const char *value_of(const char *s) {
    const char *p = s;
    while ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || *p == '_' ||
           (p > s && ((*p >= '0' && *p <= '9') || *p == '.')))
        p++;
    return p > s && *p == '=' && p[1] != '=' ? p + 1 : NULL;
}

/* The text up to '=' becomes the name. */
static int read_given(struct arguments *a, char *s, const char *value) {
    struct given *g = calloc(1, sizeof *g);
    cr_text *why = NULL;
    int code = EXIT_DONE;
    s[value - s - 1] = 0;
    cr_text_new(&why, NULL);
    if (find_given(a->given, s)) code = wrong_use("'%s' is given twice", s);
    else if (!g || !read_value(&g->array, value, why))
        code = fail("%s: %s", s, *cr_text_str(why) ? cr_text_str(why) : "out of memory");
    cr_text_free(why);
    if (code) return free(g), code;
    g->name = s;
    g->name_size = strlen(s);
    g->next = a->given;
    a->given = g;
    return EXIT_DONE;
}

static int read_operand(const struct verb *v, struct arguments *a, char *s) {
    const char *value = a->formula ? value_of(s) : NULL;
    bool values = strstr(v->operands, VALUES) != NULL;
    if (!a->formula && *v->operands) return a->formula = s, EXIT_DONE;
    if (v->run == run_fit && ends_with(a->formula, ".csv"))
        return wrong_use("expected the formula or model first, then the data, found '%s'", a->formula);
    if (value && values) return read_given(a, s, value);
    if (!a->data && v->run == run_fit) return a->data = s, EXIT_DONE;
    if (strncmp(v->options, "data ", 5) == 0 && !strchr(s, '='))
        return wrong_use("expected name=value, found '%s': is it data? --data %s", s, s);
    return wrong_use(values ? "expected name=value (a formula with blanks stands in quotes), found '%s'"
                            : "what is '%s'?",
                     s);
}

static int read_arguments(const struct verb *v, struct arguments *a) {
    bool options = true;
    for (int i = 2; i < a->argc; i++) {
        char *s = a->argv[i];
        bool marked = options && is_option(v, s);
        int code = EXIT_DONE;
        if (i == 2 && strcmp(s, "-h") == 0) a->help = true;
        else if (marked && strcmp(s, "--") == 0) options = false;
        else if (marked && strcmp(s, "--help") == 0) a->help = true;
        else code = marked ? read_option(v, a, &i) : read_operand(v, a, s);
        if (code) return code;
    }
    bool alone = *v->operands == 0 || *v->operands == '[';
    if (a->formula || alone || a->help) return EXIT_DONE;
    return wrong_use("expected chainrule %s %s", v->name, v->operands);
}

int main(int argc, char **argv) {
    struct arguments a = {.argc = argc, .argv = argv, .order = -1};
    const char *name = argc < 2 ? "help" : argv[1];
#ifdef SIGXFSZ
    signal(SIGXFSZ, SIG_IGN); /* a file that grows too large is told as any that cannot be written */
#endif
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) name = "help";
    if (strcmp(name, "--version") == 0) name = "version";
    const struct verb *v = find_verb(name);
    if (!v) return wrong_use("there is no verb '%s'", name);
    current = v;
    int code = read_arguments(v, &a);
    if (!code) code = a.help ? help_with(v) : v->run(&a);
    free_given(a.given);
    close_reading();
    if (fflush(stdout) != 0 || ferror(stdout)) code = code ? code : fail("standard output cannot be written");
    return code;
}
