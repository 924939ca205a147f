/* The lanes of a pass in stages: between two loops over them stands what a function makes of all at once, by instructions that no compiler
 * makes of C (device/cpu/math_lanes.inc). What the later loop needs of the earlier is kept by lane, which is in registers. */
#include "emit/units.h"

#include <stdio.h>

/* On this processor, whose code it will be. */
#if defined(__x86_64__) && defined(__GNUC__)
#define HAS(what) __builtin_cpu_supports(what)
#else
#define HAS(what) 0
#endif

bool units_lanes_are_one_vector(void) { return HAS("avx512dq"); }

/* By a table (device/cpu/math_table.inc), or with 2^k p as one instruction. */
static bool has_it(int op, cr_dtype dtype) {
    const bool widest = units_lanes_are_one_vector();
    if (dtype == CR_F32 && HAS("avx2") && HAS("fma"))
        return op == OP_exp || op == OP_tanh || op == OP_sigmoid || (op == OP_erf && widest);
    return op == OP_exp && dtype == CR_F64 && widest;
}

static bool is_wide(const struct units_of *u, uint32_t i, int pass) {
    return nest_in_pass(&u->l, i, pass) && nest_role(&u->l, nest_node(&u->l, i)) == ROLE_WIDE;
}

static bool at_once(const struct units_of *u, uint32_t i, int pass) {
    const struct node *n = graph_at(u->l.e->g, nest_node(&u->l, i));
    return has_it(n->op, (cr_dtype)n->dtype) && is_wide(u, i, pass);
}

bool units_in_stages(const struct units_of *u, int pass) {
    bool some = false;
    for (uint32_t i = 0; i < u->l.s->n && !some; i++) some = at_once(u, i, pass);
    return some;
}

/* Of fewer lanes, too? */
bool units_stages_any_lanes(const struct units_of *u, int pass) {
    return !units_lanes_are_one_vector() && units_in_stages(u, pass);
}

/* Is such a pass worth cutting into lanes that nothing else asks for? Those that are left over go one after the other. */
bool units_asks_stages(const struct units_of *u, int pass) {
    enum { few = 8 * fold_lanes };
    const int64_t n = u->folds ? u->run : u->loop->count;
    return units_in_stages(u, pass) && u->l.e->nest.n - u->l.e->nest.rows == 1 &&
           (n >= few || (n >= fold_lanes && n % fold_lanes == 0));
}

static bool reads(const struct units_of *u, uint32_t i, uint32_t x) {
    const struct node *n = graph_at(u->l.e->g, nest_node(&u->l, i));
    for (uint32_t k = 0; k < n->n; k++)
        if (n->arg[k] == nest_node(&u->l, x)) return true;
    return false;
}

/* Is instruction i made in a stage before that of `from`, and read in that one or behind it? */
static bool is_kept(const struct units_of *u, uint32_t i, uint32_t from, int pass) {
    if (i >= from || !is_wide(u, i, pass)) return false;
    for (uint32_t j = from + 1; j < u->l.s->n; j++)
        if (nest_in_pass(&u->l, j, pass) && reads(u, j, i)) return true;
    return false;
}

static bool is_ever_kept(const struct units_of *u, uint32_t i, int pass) {
    for (uint32_t j = i + 1; j < u->l.s->n; j++)
        if (at_once(u, j, pass) && is_kept(u, i, j, pass)) return true;
    return false;
}

static void declare(const struct units_of *u, int pass) {
    char type[80];
    for (uint32_t i = 0; i < u->l.s->n; i++) {
        const char *name = emit_name(u->l.e, nest_node(&u->l, i)),
                   *t = units_type(u->l.e, nest_node(&u->l, i), type);
        if (is_wide(u, i, pass) && at_once(u, i, pass))
            emit_line(u->l.e, "IN_A_LINE %s %s_of[%d], %s_all[%d];", t, name, fold_lanes, name, fold_lanes);
        if (is_ever_kept(u, i, pass)) emit_line(u->l.e, "IN_A_LINE %s %s_kept[%d];", t, name, fold_lanes);
    }
}

/* The loop ends, the function's own follows, and the next loop begins with what is known. */
static void next_stage(struct units_of *u, uint32_t i, int pass) {
    struct emitter *e = u->l.e;
    char type[80], all[120];
    const uint32_t id = nest_node(&u->l, i);
    const struct node *n = graph_at(e->g, id);
    const char *name = emit_name(e, id);
    const char *const put =
        units_lanes_are_one_vector() ? "%s_of[lane] = %s;" : "put_number(%s_of, lane, %s);";
    emit_line(e, put, name, nest_operand(&u->l, i, n->arg[0]).s);
    emit_close(e);
    emit_line(e, "%s_vectors_%s(%s_all, %s_of, %d);", op_name(n->op), cr_dtype_name((cr_dtype)n->dtype), name,
              name, units_is_short(u) ? units_lanes_of(u) : fold_lanes);
    units_open_lanes(u, "STAGE");
    for (uint32_t k = 0; k < i; k++) {
        if (!is_kept(u, k, i, pass)) continue;
        const uint32_t kept = nest_node(&u->l, k);
        const char *local = nest_make_local(e, kept);
        emit_line(e, "const %s %s = %s_kept[lane];", units_type(e, kept, type), local, emit_name(e, kept));
    }
    snprintf(all, sizeof all, units_lanes_are_one_vector() ? "%.90s_all[lane]" : "number_at(%.90s_all, lane)",
             name);
    nest_keep(&u->l, i, all, false);
}

void units_stages(struct units_of *u, int pass) {
    struct emitter *e = u->l.e;
    units_open_streamed(u, pass);
    declare(u, pass);
    units_open_lanes(u, "STAGE");
    for (uint32_t i = 0; i < u->l.s->n; i++) {
        if (!nest_in_pass(&u->l, i, pass)) continue;
        if (at_once(u, i, pass)) next_stage(u, i, pass);
        else units_one(u, i);
        const uint32_t id = nest_node(&u->l, i);
        if (is_ever_kept(u, i, pass))
            emit_line(e, "%s_kept[lane] = %s;", emit_name(e, id), nest_local(e, id));
    }
    emit_close(e);
    units_close_streamed(u, pass);
}
