/* The adapter's functions at small sizes against what PyTorch and closed forms give (bench/gradbench/reference.py wrote it down); and with
 * faults in the rules that they use: none of GradBench's evals may come out right then. */
#define _POSIX_C_SOURCE 200809L /* clock_gettime */
#include "support/test.h"

#include <time.h>

#include "support/alone.h"
#include "support/faulty_rules.h"

#include "adapter.h"

static json_t *cases(void) {
    json_error_t why;
    json_t *j = json_load_file(TEST_DATA "/gradbench.json", 0, &why);
    if (!j) fail_msg("gradbench.json:%d: %s", why.line, why.text);
    return j;
}

static json_t *asked(const json_t *c, const char *function) {
    static const struct adapter built_in = {NULL};
    json_t *message =
        json_pack("{s:i, s:s, s:O, s:s, s:O}", "id", 7, "kind", "evaluate", "module",
                  json_object_get(c, "module"), "function", function, "input", json_object_get(c, "input"));
    json_t *answer = adapter_answer(&built_in, message);
    json_decref(message);
    return answer;
}

/* ---- Distance: the largest, over the largest expected; infinite for a nan, or another shape ---- */

struct gap {
    double distance, largest;
};

static void measure(struct gap *gap, const json_t *found, const json_t *expected) {
    if (json_is_array(expected)) {
        bool same = json_array_size(found) == json_array_size(expected);
        if (!same) gap->distance = INFINITY;
        for (size_t i = 0; same && i < json_array_size(expected); i++)
            measure(gap, json_array_get(found, i), json_array_get(expected, i));
        return;
    }
    double a = json_is_number(found) ? json_number_value(found) : NAN, b = json_number_value(expected);
    gap->distance = fmax(gap->distance, isnan(a) ? INFINITY : fabs(a - b));
    gap->largest = fmax(gap->largest, fabs(b));
}

/* Of an object, each part by itself. */
static double distance(const json_t *found, const json_t *expected) {
    struct gap gap = {0, 0};
    double worst = 0;
    const char *key;
    json_t *part;
    if (json_is_object(expected)) {
        json_object_foreach((json_t *)expected, key, part) worst =
            fmax(worst, distance(json_object_get(found, key), part));
        return worst;
    }
    measure(&gap, found, expected);
    return gap.distance / gap.largest;
}

static const double tolerance = 1e-10;

static bool is_right(const json_t *c, const char *function) {
    json_t *answer = asked(c, function);
    const json_t *output = json_object_get(answer, "output");
    bool right =
        output && distance(output, json_object_get(json_object_get(c, "outputs"), function)) <= tolerance;
    json_decref(answer);
    return right;
}

/* ---- Tests ---- */

TEST(every_function_gives_what_others_give) {
    (void)state;
    json_t *all = cases(), *c, *expected;
    size_t i;
    const char *function;
    int functions = 0;
    json_array_foreach(all, i, c) json_object_foreach(json_object_get(c, "outputs"), function, expected) {
        if (!is_right(c, function))
            fail_msg("%s: %s", json_string_value(json_object_get(c, "module")), function);
        functions++;
    }
    assert_true(functions >= 25);
    json_decref(all);
}

/* How many faults in rules that the function asks for: injected, and making its answer wrong. Some cannot: two signs make up for
 * each other, Newton's direction is a quotient, and what the saddle's inner descent finds does not depend on the outer point. Of what
 * takes long, signs in one function. */
static void count_faults(const json_t *c, const char *function, bool is_long, int *injected, int *caught) {
    memset(fault_asked, 0, sizeof fault_asked);
    assert_true(is_right(c, function));
    bool used[OP_COUNT][3][3];
    memcpy(used, fault_asked, sizeof used);
    while (next_fault()) {
        if (runs_functions(fault.op) || !used[fault.op][fault.k][fault.place] ||
            (is_long && fault.kind != FAULT_SIGN))
            continue;
        bool right = is_right(c, function);
        if (!fault_applies()) continue;
        *injected += 1;
        *caught += !right;
    }
}

TEST(faults_in_the_rules_make_each_eval_fail) {
    (void)state;
    json_t *all = cases(), *c, *expected;
    size_t i;
    const char *function;
    json_array_foreach(all, i, c) {
        int injected = 0, caught = 0;
        bool is_long =
            json_object_get(json_object_get(c, "outputs"), "rf") != NULL; /* both modes, one in the other */
        json_object_foreach(json_object_get(c, "outputs"), function,
                            expected) if (!is_long || !strcmp(function, "rf"))
            count_faults(c, function, is_long, &injected, &caught);
        print_message("%s: faults injected %d, caught %d\n", json_string_value(json_object_get(c, "module")),
                      injected, caught);
        assert_true(3 * caught > injected);
    }
    json_decref(all);
}

/* A function's outputs as emitted C, on the same data. */
static void leave(struct alone *a, const struct eval *e, int function, const json_t *input) {
    struct problem p = {.g = cr_graph_new(NULL)};
    struct given in[24];
    cr_text_new(&p.why, NULL), cr_text_new(&p.sizes, NULL);
    if (!e->build(&p, input, function)) fail_msg("%s: %s", e->name, cr_text_str(p.why));
    for (int i = 0; i < p.n_in; i++) {
        cr_array *x = p.in[i].data;
        in[i] = (struct given){p.in[i].name,     cr_array_dtype(x), cr_array_rank(x),
                               cr_array_dims(x), cr_array_data(x),  NULL};
    }
    alone_nodes(a, e->name, p.n_out, p.result, p.n_in, in, 1e-12);
    for (int i = 0; i < p.n_in; i++) cr_array_free(p.in[i].data);
    for (int i = 0; i < p.n_out; i++) cr_array_free(p.out[i].data);
    cr_text_free(p.why), cr_text_free(p.sizes);
    cr_graph_free(p.g);
}

TEST(evals_with_loops_give_the_same_as_emitted_c) {
    (void)state;
    static const struct eval *const looping[] = {&eval_ode, &eval_lstm, &eval_particle, &eval_saddle};
    json_t *all = cases(), *c;
    struct alone a;
    size_t i;
    int functions = 0;
    alone_start(&a);
    json_array_foreach(all, i, c) for (int k = 0; k < 4; k++) {
        const struct eval *e = looping[k];
        if (strcmp(json_string_value(json_object_get(c, "module")), e->name) != 0) continue;
        for (int f = 0; f < 4 && e->functions[f]; f++, functions++)
            leave(&a, e, f, json_object_get(c, "input"));
    }
    assert_true(functions >= 12);
    alone_run(&a, "");
    json_decref(all);
}

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* bench/gradbench/processor_time.c is for LD_PRELOAD: linked with the adapter, it would take a clock's place there alone. */
TEST(the_clock_of_the_adapter_goes_on_while_it_sleeps) {
    (void)state;
    int64_t since = now_ns();
    nanosleep(&(struct timespec){.tv_nsec = 3000000}, NULL);
    assert_true(now_ns() - since >= 3000000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(every_function_gives_what_others_give),
        RUN(faults_in_the_rules_make_each_eval_fail),
        RUN(the_clock_of_the_adapter_goes_on_while_it_sleeps),
        RUN(evals_with_loops_give_the_same_as_emitted_c),
    };
    return cmocka_run_group_tests(tests, NULL, temp_remove);
}
