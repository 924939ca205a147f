/* A message, and the answer to it: define says whether an eval is known; evaluate builds its function, compiles it, runs it
 * as often as the message asks, and tells how long each of these took. */
#define _POSIX_C_SOURCE 200809L /* clock_gettime */
#include "adapter.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct eval *const evals[] = {&eval_hello,  &eval_ode,  &eval_det,      &eval_gmm,
                                           &eval_kmeans, &eval_ba,   &eval_ht,       &eval_lstm,
                                           &eval_lse,    &eval_llsq, &eval_particle, &eval_saddle};

static const struct eval *eval_called(const char *name) {
    for (size_t i = 0; name && i < sizeof evals / sizeof evals[0]; i++)
        if (!strcmp(evals[i]->name, name)) return evals[i];
    return NULL;
}

static int function_called(const struct eval *e, const char *name) {
    for (int i = 0; name && i < 4; i++)
        if (e->functions[i] && !strcmp(e->functions[i], name)) return i;
    return -1;
}

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void tell(json_t *timings, const char *name, int64_t ns) {
    json_array_append_new(timings, json_pack("{s:s, s:I}", "name", name, "nanoseconds", (json_int_t)ns));
}

static cr_program *compiled(const struct adapter *a, struct problem *p) {
    cr_target *t = cr_target_new(p->g);
    cr_options *o = cr_options_new(NULL);
    cr_program *program = NULL;
    cr_options_set(o, "flush_denormals", p->keeps_denormals ? "0" : "1");
    if (a->compile) cr_options_set(o, "compile", a->compile);
    for (int i = 0; i < p->n_out; i++) cr_target_output(t, p->out[i].name, p->result[i]);
    if (cr_compile(&program, t, o))
        problem_fail(p, cr_graph_error(p->g) ? cr_graph_error(p->g) : "not compiled");
    cr_options_free(o);
    cr_target_free(t);
    return program;
}

static cr_run *bound(struct problem *p, const cr_program *program) {
    cr_run *run = NULL;
    if (cr_run_new(&run, program, NULL, NULL, 0)) return problem_fail(p, "out of memory"), NULL;
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < (k ? p->n_out : p->n_in); i++) {
            struct bound *b = k ? &p->out[i] : &p->in[i];
            bool wanted = k;
            for (int j = 0; cr_program_input(program, j); j++)
                wanted = wanted || !strcmp(cr_program_input(program, j), b->name);
            if (wanted)
                cr_bind(run, b->name, cr_array_dtype(b->data), cr_array_data(b->data),
                        cr_array_bytes(b->data));
        }
    return run;
}

/* Of all calls. They become JSON when the last one is over: as in GradBench's own programs, nothing but the clock stands between calls. */
struct times {
    int64_t *ns;
    size_t n, room;
};

static bool keep(struct times *t, int64_t ns) {
    if (t->n == t->room) {
        size_t room = t->room ? 2 * t->room : 64;
        int64_t *more = realloc(t->ns, room * sizeof *more);
        if (!more) return false;
        t->ns = more, t->room = room;
    }
    t->ns[t->n++] = ns;
    return true;
}

/* The first is for getting ready; what fails there fails again in the step, which says why. */
static const char *run_often(cr_run *run, int64_t runs, double seconds, struct times *t) {
    int64_t since = now_ns(), spent = 0, ns;
    cr_run_ready(run);
    if (!keep(t, now_ns() - since)) return "out of memory";
    for (int64_t i = 0; i < 1 || i < runs || (double)spent < seconds * 1e9; i++) {
        since = now_ns();
        if (cr_step(run)) return cr_run_error(run);
        spent += ns = now_ns() - since;
        if (!keep(t, ns)) return "out of memory";
    }
    return NULL;
}

static void solve(const struct adapter *a, struct problem *p, const struct eval *e, int function,
                  const json_t *input, json_t *timings) {
    int64_t since = now_ns(), runs = json_integer_value(json_object_get(input, "min_runs"));
    double seconds = json_number_value(json_object_get(input, "min_seconds"));
    bool built = e->build(p, input, function);
    tell(timings, "build", now_ns() - since);
    if (!built) return;
    since = now_ns();
    cr_program *program = compiled(a, p);
    cr_run *run = program ? bound(p, program) : NULL;
    tell(timings, "compile", now_ns() - since);
    struct times t = {0};
    const char *why = run ? run_often(run, runs, seconds, &t) : NULL;
    if (why) problem_fail(p, why);
    for (size_t i = 0; i < t.n; i++) tell(timings, i ? "evaluate" : "ready", t.ns[i]);
    free(t.ns);
    cr_run_free(run);
    cr_program_free(program);
}

static void evaluate(const struct adapter *a, const struct eval *e, int function, const json_t *input,
                     json_t *answer) {
    struct problem p = {.g = cr_graph_new(NULL)};
    json_t *timings = json_array();
    cr_text_new(&p.why, NULL);
    cr_text_new(&p.sizes, NULL);
    solve(a, &p, e, function, input, timings);
    bool success = !*cr_text_str(p.why);
    json_object_set_new(answer, "success", json_boolean(success));
    if (!success) json_object_set_new(answer, "error", json_string(cr_text_str(p.why)));
    else
        json_object_set_new(answer, "output", e->answer ? e->answer(&p, input) : problem_list(p.out[0].data));
    json_object_set_new(answer, "timings", timings);
    for (int i = 0; i < p.n_in; i++) cr_array_free(p.in[i].data);
    for (int i = 0; i < p.n_out; i++) cr_array_free(p.out[i].data);
    cr_text_free(p.sizes);
    cr_text_free(p.why);
    cr_graph_free(p.g);
}

static void refuse(json_t *answer, const char *what, const char *name) {
    json_object_set_new(answer, "success", json_false());
    json_object_set_new(answer, "error", json_sprintf("there is no %s '%s'", what, name ? name : ""));
}

json_t *adapter_answer(const struct adapter *a, const json_t *message) {
    json_t *answer = json_object();
    const char *kind = json_string_value(json_object_get(message, "kind"));
    const char *module = json_string_value(json_object_get(message, "module"));
    const char *name = json_string_value(json_object_get(message, "function"));
    const struct eval *e = eval_called(module);
    json_object_set(answer, "id", json_object_get(message, "id"));
    if (kind && !strcmp(kind, "start")) json_object_set_new(answer, "tool", json_string("chainrule"));
    if (!kind || (strcmp(kind, "define") && strcmp(kind, "evaluate"))) return answer;
    if (!e) refuse(answer, "eval", module);
    else if (!strcmp(kind, "define")) json_object_set_new(answer, "success", json_true());
    else if (function_called(e, name) < 0) refuse(answer, "function", name);
    else evaluate(a, e, function_called(e, name), json_object_get(message, "input"), answer);
    return answer;
}
