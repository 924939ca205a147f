/* The rules of the op table with a fault in one of them. A test that includes this (once, in its .c file) is linked with these
 * rules in the place of the library's, whose own code knows nothing of faults. */
#ifndef FAULTY_RULES_H
#define FAULTY_RULES_H

#include "grad/rules.h"

static enum rule_kind true_kind(int op, int k);
static cr_node true_local(const struct rule_in *in), true_vjp(const struct rule_in *in),
    true_jvp(const struct rule_in *in);
static void true_whole_vjp(const struct whole *w), true_whole_jvp(const struct whole *w);
#define rule_whole_vjp(w) true_whole_vjp(w)
#define rule_whole_jvp(w) true_whole_jvp(w)
#define rule_kind(op, k)  true_kind(op, k)
#define rule_local(in)    true_local(in)
#define rule_vjp(in)      true_vjp(in)
#define rule_jvp(in)      true_jvp(in)
#include "grad/rules.c"
#undef rule_whole_vjp
#undef rule_whole_jvp
#undef rule_kind
#undef rule_local
#undef rule_vjp
#undef rule_jvp
#undef NUM
#undef ONE
#undef MINUS_ONE
#undef NOTHING
#undef WORDS
#undef FUNCTION

#include "explain/twin.h"

/* FAULT_DROPPED: what the operand contributes is left out; FAULT_TERM: of a rule that adds, one term. */
enum fault_kind { FAULT_SIGN, FAULT_FACTOR, FAULT_DROPPED, FAULT_TERM, FAULT_KINDS };
/* A local gradient serves both modes; other rows have a rule for each. Of an op that runs functions k is the operand in IN_VJP, the
 * result in IN_JVP. */
enum fault_place { IN_LOCAL, IN_VJP, IN_JVP };

static struct {
    int op, k; /* op 0: no fault */
    enum fault_kind kind;
    enum fault_place place;
    int met; /* how often the rule was asked for */
} fault;

/* The rules that gave something since this was last cleared: where a fault can show. */
static bool fault_asked[OP_COUNT][3][3];

static inline const char *fault_name(enum fault_kind kind) {
    static const char *const names[] = {"a flipped sign", "a factor 1.001", "no contribution",
                                        "a dropped term"};
    return names[kind];
}

static bool is_given(const struct rule_in *in, cr_node x) {
    bool given = cr_same(x, in->y) || cr_same(x, in->g) || cr_same(x, in->g1) || cr_same(x, in->t);
    for (int k = 0; k < cr_operand_count(in->y); k++) given = given || cr_same(x, cr_operand(in->y, k));
    return given || cr_operand_count(x) == 0;
}

/* d with the last term of its outermost sum left out, or an error node: what the rule made adds nothing. */
static cr_node without_a_term(const struct rule_in *in, cr_node d, int depth) {
    cr_node none = graph_error_node(d.graph), x[3];
    int n = cr_operand_count(d);
    if (!cr_ok(d) || depth == 0 || is_given(in, d) || n > 3 || cr_dtype_of(d) != CR_F64) return none;
    if (graph_get(d)->op == OP_add || graph_get(d)->op == OP_sub) return cr_operand(d, 0);
    for (int i = 0; i < n; i++) {
        cr_node less = without_a_term(in, cr_operand(d, i), depth - 1);
        if (!less.id) continue;
        for (int k = 0; k < n; k++) x[k] = k == i ? less : cr_operand(d, k);
        return twin_node(d, x);
    }
    return none;
}

static cr_node spoiled(const struct rule_in *in, enum fault_place place, cr_node d) {
    if (in->k < 3) fault_asked[graph_get(in->y)->op][in->k][place] |= cr_ok(d);
    if (graph_get(in->y)->op != fault.op || in->k != fault.k || place != fault.place || !cr_ok(d)) return d;
    cr_node less = fault.kind == FAULT_TERM ? without_a_term(in, d, 6) : d;
    fault.met += less.id != 0;
    switch (fault.kind) {
    case FAULT_SIGN: return cr_neg(d);
    case FAULT_FACTOR: return cr_mul(d, cr_number(d.graph, 1.001));
    case FAULT_DROPPED: return place == IN_LOCAL ? cr_number(d.graph, 0) : graph_error_node(d.graph);
    default: return less.id ? less : d;
    }
}

/* A mask has no sign: a fault makes a local gradient of it, 1 where it holds. */
enum rule_kind rule_kind(int op, int k) {
    enum rule_kind kind = true_kind(op, k);
    return kind == RULE_PASS && op == fault.op && k == fault.k ? RULE_LOCAL : kind;
}

cr_node rule_local(const struct rule_in *in) {
    int op = graph_get(in->y)->op;
    cr_node d = true_local(in);
    if (true_kind(op, in->k) == RULE_PASS && rule_kind(op, in->k) == RULE_LOCAL)
        d = cr_cast(d, cr_dtype_of(in->y));
    return spoiled(in, IN_LOCAL, d);
}

cr_node rule_vjp(const struct rule_in *in) { return spoiled(in, IN_VJP, true_vjp(in)); }
cr_node rule_jvp(const struct rule_in *in) { return spoiled(in, IN_JVP, true_jvp(in)); }

/* Of what a rule gives for all operands, or results, at once: that of one. */
static void spoil(const struct whole *w, enum fault_place place, int n) {
    cr_node *d = &w->out[fault.k];
    if (graph_get(w->y)->op != fault.op || place != fault.place || fault.k >= n || !cr_ok(*d)) return;
    if (fault.kind == FAULT_TERM) return;
    fault.met++;
    if (fault.kind == FAULT_SIGN) *d = cr_neg(*d);
    else if (fault.kind == FAULT_FACTOR) *d = cr_mul(*d, cr_number(d->graph, 1.001));
    else *d = graph_error_node(d->graph);
}

void rule_whole_vjp(const struct whole *w) {
    true_whole_vjp(w);
    spoil(w, IN_VJP, w->n);
}

void rule_whole_jvp(const struct whole *w) {
    true_whole_jvp(w);
    spoil(w, IN_JVP, w->parts);
}

static inline bool runs_functions(int op) { return op_kind(op) == KIND_CONTROL; }

static bool is_differentiable(int op, int k) {
    enum rule_kind kind = true_kind(op, k);
    return kind != RULE_NONE && kind != RULE_ZERO;
}

/* Can the fault that is set show? Not every rule adds terms, and not every case of an op that runs functions has all operands. */
static inline bool fault_applies(void) {
    return fault.met || (fault.kind != FAULT_TERM && !runs_functions(fault.op));
}

/* Of a loop a carry, what it stacks, and the carry's history; more have only loops that are derivatives, and only third ones go
 * through those. */
enum { fault_results = 3 };

/* How many operands of an op are tried. */
static inline int fault_operands(int op) {
    enum { of_functions = 6 };
    return runs_functions(op) ? of_functions : strstr(ops_row(op)->arguments, "...") ? 2 : 3;
}

static inline bool fault_operand(int op, int k) {
    bool variadic = strstr(ops_row(op)->arguments, "...") != NULL;
    if (runs_functions(op)) return true;
    return (k == 0 || variadic || rules[op].kind[k] != RULE_NONE) && is_differentiable(op, k);
}

/* Sets one fault after the other, over the whole table: every row, operand, place and kind. False: that was all. A variadic op has
 * operands 0 and 1. Start with all of it 0. */
static inline bool next_fault(void) {
    fault.met = 0;
    if (fault.op && ++fault.kind < FAULT_KINDS) return true;
    fault.kind = 0;
    const bool both = !runs_functions(fault.op) || fault.k < fault_results;
    if (fault.op && fault.place == IN_VJP && both) return fault.place = IN_JVP, true;
    do {
        if (fault.op && fault.k + 1 < fault_operands(fault.op)) fault.k++;
        else fault.op++, fault.k = 0;
        if (fault.op == OP_COUNT) return fault.op = 0, false;
    } while (!fault_operand(fault.op, fault.k));
    enum rule_kind kind = true_kind(fault.op, fault.k);
    fault.place = kind == RULE_LOCAL || kind == RULE_PASS ? IN_LOCAL : IN_VJP;
    return true;
}

#endif
