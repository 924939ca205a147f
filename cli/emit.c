/* chainrule emit: a model's values, gradients, or a whole training step, as plain C. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

/* The outputs of --outputs are parted by commas that stand in no bracket. Gives the length of the first. */
static size_t first_output(const char *s) {
    int depth = 0;
    size_t n = 0;
    for (; s[n] && (depth || s[n] != ','); n++)
        depth += (s[n] == '(' || s[n] == '[') - (s[n] == ')' || s[n] == ']');
    return n;
}

/* "grad(loss, w)" is called grad_loss_w. */
static void name_output(char *name, size_t size, const char *s) {
    size_t n = 0;
    for (; *s && n + 1 < size; s++) {
        if (isalnum((unsigned char)*s)) name[n++] = *s;
        else if (n && name[n - 1] != '_') name[n++] = '_';
    }
    while (n && name[n - 1] == '_') n--;
    name[n] = 0;
}

/* Outputs so far. */
struct outputs {
    cr_target *t;
    char (*name)[256];
    int n;
};

static bool is_taken(const struct session *s, const struct outputs *o, const char *name) {
    for (int i = 0; i < o->n; i++)
        if (strcmp(o->name[i], name) == 0) return true;
    for (int i = 0; cr_ok(cr_leaf(s->graph, i)); i++)
        if (strcmp(cr_name(cr_leaf(s->graph, i)), name) == 0) return true;
    return false;
}

/* One that is there already, an input's too, gets a number: "-x" is called x_2. */
static void name_apart(const struct session *s, struct outputs *o, const char *text) {
    enum { room = sizeof *o->name, number = 16 };
    char *name = o->name[o->n];
    name_output(name, room - number, text);
    size_t base = strlen(name);
    for (int i = 2; is_taken(s, o, name); i++) snprintf(name + base, number, "_%d", i);
}

static int add_output(struct session *s, struct outputs *o, const char *text, size_t n) {
    char *copy = malloc(n + 1);
    if (!copy) return fail("out of memory");
    memcpy(copy, text, n);
    copy[n] = 0;
    cr_node x = cr_model_formula(s->model, s->graph, copy);
    name_apart(s, o, copy);
    if (cr_ok(x)) cr_target_output(o->t, o->name[o->n++], x);
    free(copy);
    return cr_graph_error(s->graph) ? session_failed(s, cr_graph_error(s->graph)) : EXIT_DONE;
}

/* Without --outputs: the result, and its gradients. */
static int add_usual(struct session *s, cr_target *t) {
    const char *name = cr_name(s->result) ? cr_name(s->result) : "value";
    cr_node *d = malloc(((size_t)s->n + 1) * sizeof *d);
    if (!d) return session_failed(s, NULL);
    cr_target_output(t, name, s->result);
    bool made = s->n == 0 || cr_grad(d, s->result, s->n, s->wrt) == CR_OK;
    for (int i = 0; i < s->n && made; i++) {
        char of[300];
        snprintf(of, sizeof of, "d%s", cr_name(s->wrt[i]));
        cr_target_output(t, of, d[i]);
    }
    free(d);
    return cr_graph_error(s->graph) ? session_failed(s, cr_graph_error(s->graph)) : EXIT_DONE;
}

static int add_outputs(struct session *s, cr_target *t, const char *list) {
    struct outputs o = {.t = t};
    int code = EXIT_DONE;
    if (!list) return add_usual(s, t);
    o.name = malloc((strlen(list) + 1) * sizeof *o.name); /* more than there can be */
    if (!o.name) return fail("out of memory");
    for (const char *p = list; *p && !code;) {
        size_t n = first_output(p);
        code = add_output(s, &o, p, n);
        p += n + (p[n] == ',');
    }
    free(o.name);
    return code;
}

/* A training step: what is trained, and what is updated beside it. */
static int add_step(struct session *s, cr_target *t, const char *method) {
    for (int i = 0; cr_ok(cr_leaf(s->graph, i)); i++) {
        cr_node x = cr_leaf(s->graph, i), next = cr_param_next(x);
        if (cr_ok(next)) cr_target_update(t, x, next);
    }
    return cr_minimise(t, method, s->result, s->n, s->wrt) ? session_failed(s, cr_graph_error(s->graph))
                                                           : EXIT_DONE;
}

static int write_c(const char *path, const cr_text *text) {
    return write_text(path, cr_text_str(text), cr_text_size(text));
}

/* The mathematics, in the folder of step.c. */
static int write_math(const char *path, cr_text *text) {
    static const char name[] = "chainrule_math.h";
    char own[4096];
    const char *slash = strrchr(path, '/');
    size_t folder = slash ? (size_t)(slash + 1 - path) : 0;
    if (folder + sizeof name > sizeof own) return fail("--out: the path is too long for %s beside it", name);
    memcpy(own, path, folder);
    memcpy(own + folder, name, sizeof name);
    cr_text_clear(text);
    return cr_emit_math(text) ? fail("out of memory") : write_c(own, text);
}

/* A person who has called a file has not called a prefix. */
static int refused(const char *why) {
    static const char prefix[] = "the prefix ";
    bool name = strncmp(why, prefix, sizeof prefix - 1) == 0;
    return fail("%s%s", why, name ? ": the function is called as the file: --out another_name.c" : "");
}

/* step.c: the prefix step, and step.h beside it. */
static int write_files(struct session *s, const cr_program *p, const char *path, bool no_libm) {
    char prefix[256] = "", header[4096];
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    size_t n = strlen(base), whole = strlen(path);
    cr_text *h = NULL;
    if (n < 3 || n - 2 >= sizeof prefix || strcmp(base + n - 2, ".c") != 0 || whole >= sizeof header)
        return wrong_use("--out: expected a file called as the function, as in step.c, found '%s'", path);
    memcpy(prefix, base, n - 2);
    memcpy(header, path, whole + 1);
    header[whole - 1] = 'h';
    if (cr_text_new(&h, s->ctx)) return fail("out of memory");
    int code = cr_program_emit(s->text, h, p, prefix, s->why) ? refused(cr_text_str(s->why)) : EXIT_DONE;
    if (!code) code = write_c(path, s->text);
    if (!code) code = write_c(header, h);
    if (!code && no_libm) code = write_math(path, h);
    cr_text_free(h);
    return code;
}

static int set_level(cr_options *o, const char *level) {
    if (!o) return fail("out of memory");
    if (level && cr_options_set(o, "rewrite", level))
        return wrong_use("--rewrite: expected none, exact or all, found '%s'", level);
    return EXIT_DONE;
}

/* What is asked for: how it runs, the way there, the files. */
static int compile_and_write(struct session *s, const struct arguments *a, const cr_target *t,
                             const cr_options *o) {
    const char *path = option_value(a, "out");
    cr_program *p = NULL;
    if (cr_compile(&p, t, o)) return session_failed(s, cr_graph_error(s->graph));
    int code = EXIT_DONE;
    if (a->plan) code = cr_program_print(s->text, p) ? fail("out of memory") : print_text(s->text);
    cr_text_clear(s->text);
    if (!code && a->stages)
        code = cr_compile_print(s->text, t, o) ? fail("out of memory") : print_text(s->text);
    cr_text_clear(s->text);
    if (!code && path) code = write_files(s, p, path, a->no_libm);
    cr_program_free(p);
    return code;
}

int run_emit(struct arguments *a) {
    struct session s;
    const char *method = option_value(a, "optimiser"), *outputs = option_value(a, "outputs");
    if (!option_value(a, "out") && !a->plan && !a->stages)
        return wrong_use(
            "--out step.c: where to write, and what to call the function; --plan: how it runs; or "
            "--stages: the way there");
    if (outputs && !*outputs && !method)
        return wrong_use("--outputs: expected what to compute, as in 'loss, grad(loss, w)', found nothing");
    int code = session_open(&s, a, NO_VALUES);
    if (code) return code;
    cr_context_threads(s.ctx, 1); /* as emitted C runs: blocks of rows are then the same on every machine */
    cr_options *o = cr_options_new(s.ctx);
    cr_target *t = cr_target_new(s.graph);
    code = set_level(o, option_value(a, "rewrite"));
    if (!code && !t) code = fail("out of memory");
    if (!code) code = add_outputs(&s, t, outputs);
    if (!code && method) code = add_step(&s, t, method);
    if (!code) code = compile_and_write(&s, a, t, o);
    cr_options_free(o);
    cr_target_free(t);
    session_close(&s);
    return code;
}
