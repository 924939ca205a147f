/* Compiled kernels of a program: got before its first run, and run. */
#include "base/whole.h"
#include "device/cpu/element.h"
#include "run/control.h"

#include <string.h>

void program_drop_compiled(cr_program *p) {
    compiled_drop(&p->compiled);
    mem_free(&p->mem, p->units, p->plan.steps * sizeof *p->units);
    mem_free(&p->mem, p->all, p->plan.steps);
    text_drop(&p->way);
    p->units = NULL;
    p->all = NULL;
}

/* The built-in way it is, for this reason. */
static cr_status built_in(cr_program *p, const struct cr_text *why) {
    bool memory = p->way.failed || (why && why->failed);
    program_drop_compiled(p);
    p->way = text_make(&p->mem);
    if (why) text_add(&p->way, "built in: %s", cr_text_str(why));
    return memory || p->way.failed ? CR_ENOMEM : CR_OK;
}

/* What compiling takes, and what it saves in a step, in seconds, roughly: a loop costs less to start, and its numbers stay in registers. */
static const double compiling = 0.3, compiling_loop = 0.01, saved_loop = 30e-9, saved_number = 0.1e-9;

/* Of the loops of a program, and of the functions that are compiled with it: `times` as often. */
static void add_loops(const cr_program *p, const struct kernel_units *units, double times, double *takes,
                      double *saves) {
    for (size_t s = 0; s < p->plan.steps; s++) {
        const struct loop *l = &p->loop[s];
        const struct control *c = p->control ? p->control[s] : NULL;
        if (units && !units[s].made) continue;
        for (int i = 0; c && i < 2; i++) {
            double trips = c->op == OP_scan && c->loop.n > 0 ? (double)c->loop.n : 1;
            if (c->inner[i].program) add_loops(c->inner[i].program, NULL, times * trips, takes, saves);
        }
        if (p->plan.step[s].kind != STEP_LOOP) continue;
        *takes += compiling_loop;
        *saves += times * (saved_loop + saved_number * (double)l->count * (double)l->instructions);
    }
}

/* Is it repaid three times over? */
static bool worth_compiling(const cr_program *p, double steps, struct cr_text *how) {
    double takes = compiling, saves = 0;
    add_loops(p, p->units, 1, &takes, &saves);
    if (steps * saves > 3 * takes) return true;
    text_str(how, "compiling would take some ");
    text_rounded(how, takes, 1);
    text_str(how, " s and save some ");
    text_rounded(how, steps * saves, 1);
    return text_str(how, " s"), false;
}

static cr_status get(cr_program *p, const struct cr_options *o) {
    struct cr_text source = text_make(&p->mem), how = text_make(&p->mem);
    struct compiled_wish wish = {o->compiler,       o->cache, (int)o->seconds,
                                 (int)o->megabytes, &source,  (int64_t)p->plan.steps};
    struct kernel_wish kernels = {!p->product, p->tasks == 1, p, control_emit};
    text_str(&source, cpu_kernels_guard());
    cr_status status = emit_kernels(&source, &p->plan, p->loop, p->units, &kernels);
    bool any = false;
    for (size_t s = 0; s < p->plan.steps; s++)
        any = any || (p->units[s].made &&
                      (p->plan.step[s].kind == STEP_LOOP || p->plan.step[s].kind == STEP_CONTROL));
    if (!any) text_str(&how, "there is no loop that a compiler makes faster");
    else if (o->steps > 0) any = worth_compiling(p, o->steps, &how);
    bool got = !status && any && compiled_get(&p->compiled, &p->mem, &wish, &how);
    if (got) text_add(&p->way, "compiled: %s", cr_text_str(&how));
    if (!status && !got) status = built_in(p, &how);
    for (size_t s = 0; got && s < p->plan.steps; s++)
        if (p->units[s].row > p->scratch) p->scratch = p->units[s].row;
    text_drop(&source);
    text_drop(&how);
    return status;
}

cr_status program_compile(cr_program *p, const struct cr_options *o) {
    p->way = text_make(&p->mem);
    if (!o || !o->compiler || p->plan.steps == 0) return CR_OK;
    if (p->reference || p->trap_nan) {
        text_add(&p->way, "built in: %s looks at every node", p->reference ? "the reference" : "trap_nan");
        return text_status(&p->way);
    }
    p->units = mem_zero(&p->mem, mem_mul(p->plan.steps, sizeof *p->units));
    p->all = mem_alloc(&p->mem, p->plan.steps);
    if (!p->units || !p->all) return CR_ENOMEM;
    memset(p->all, 1, p->plan.steps);
    return get(p, o);
}

static void touch_function(void (*f)(void)) {
    union {
        void (*f)(void);
        const volatile char *byte;
    } at = {f};
    if (f) (void)*at.byte;
}

void program_touch_kernels(const cr_program *p) {
    const struct kernel_table *k = p->compiled.kernels;
    for (size_t s = 0; s < p->plan.steps; s++) {
        struct control *c = p->control ? p->control[s] : NULL;
        if (k) touch_function((void (*)(void))k->loop[s]), touch_function((void (*)(void))k->end[s]);
        for (int i = 0; c && i < 2; i++)
            if (c->inner[i].program) program_touch_kernels(c->inner[i].program);
    }
    if (k) touch_function((void (*)(void))k->body), touch_function((void (*)(void))k->tail);
}

/* ---- Running ---- */

struct units_job {
    kernel_loop *loop;
    const struct team *team;
    char *const *slot;
    int64_t count;
    size_t parts;
};

static void run_part(void *arg, size_t part) {
    const struct units_job *j = arg;
    int64_t first, end;
    team_part(j->count, j->parts, part, &first, &end);
    j->loop(j->slot, j->team->shared, team_scratch(j->team, part), first, end);
}

void program_run_kernel(const cr_program *p, const struct team *team, char *const slot[], size_t s) {
    const struct loop *l = &p->loop[s];
    struct units_job j = {p->compiled.kernels->loop[s], team, slot, p->units[s].count, 1};
    j.parts = loop_parts(l, team->tasks, j.count);
    if (j.parts > 1) team_run(team, j.parts, run_part, &j);
    else run_part(&j, 0);
    if (p->compiled.kernels->end[s]) p->compiled.kernels->end[s](slot, team->shared);
}

void program_run_rows(const cr_program *p, char *const slot[], char *shared, char *scratch, size_t s,
                      int64_t first, int64_t end) {
    const struct loop *l = &p->loop[s];
    if (!p->units || !p->units[s].made) {
        cpu_loop_rows(l, p->kernel + p->plan.step[s].first, slot, shared, scratch, first, end);
        return;
    }
    if (p->plan.step[s].rows_too) { /* its units are blocks of rows, some side by side */
        int64_t columns = p->units[s].count / pieces(l->rows, fold_rows);
        first = first / fold_rows * columns, end = pieces(end, fold_rows) * columns;
    }
    p->compiled.kernels->loop[s](slot, shared, scratch, first, end);
}

void program_end_rows(const cr_program *p, char *const slot[], char *shared, size_t s) {
    if (p->units && p->units[s].made) p->compiled.kernels->end[s](slot, shared);
    else cpu_loop_end(&p->loop[s], p->kernel + p->plan.step[s].first, slot, shared);
}
