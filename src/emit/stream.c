/* Compiled loops and memory: rows that are asked for before their turn, results that go past the caches. Neither changes a bit. */
#if defined(__unix__) || defined(__APPLE__)
#include <unistd.h>
#endif
#include <stdio.h>

#include "emit/units.h"
#include "tensor/dtype.h"

/* The bytes of the second cache; where they are not known, what is usual. */
static size_t second_cache(void) {
    enum { usual = 512 << 10 };
#ifdef _SC_LEVEL2_CACHE_SIZE
    long second = sysconf(_SC_LEVEL2_CACHE_SIZE);
    if (second > 0) return (size_t)second;
#endif
    return usual;
}

/* The same where each core has much of it, as in meshes of many cores, whose last cache is about as far as memory; else 0. */
static size_t much_before_a_far_cache(void) {
    enum { much = 2 << 20 };
    return second_cache() >= much ? second_cache() : 0;
}

enum { usual_last_cache = 40 << 20 };

/* The bytes of the last cache, which cores share; where they are not known, what is usual, which is also the most. */
static size_t last_cache(void) {
#ifdef _SC_LEVEL3_CACHE_SIZE
    long last = sysconf(_SC_LEVEL3_CACHE_SIZE);
    if (last > 0 && last < usual_last_cache) return (size_t)last;
#endif
    return usual_last_cache;
}

/* ---- The next row, on its way while this one is computed ---- */

static bool is_function(const struct units_of *u, uint32_t i) {
    const struct instruction *in = units_instruction(u, i);
    return ops_is_function(in->op, in->n);
}

static bool has_functions(const struct units_of *u, int pass) {
    for (uint32_t i = 0; i < u->l.s->n; i++)
        if (nest_in_pass(&u->l, i, pass) && units_instruction(u, i)->kind == DO_WIDE && is_function(u, i))
            return true;
    return false;
}

int units_weight(const struct units_of *u, int pass) {
    int all = 0;
    for (uint32_t i = 0; i < u->l.s->n; i++)
        if (nest_in_pass(&u->l, i, pass) && units_instruction(u, i)->kind != DO_NARROW)
            all += is_function(u, i) ? 10 : 1;
    return all;
}

int units_heaviest_pass(const struct units_of *u) {
    int best = 0;
    for (int pass = 1; pass < plan_passes(u->l.e->p, u->l.s); pass++)
        if (units_weight(u, pass) > units_weight(u, best)) best = pass;
    return best;
}

bool units_first_direct(const struct units_of *u, uint32_t i) {
    const struct access *a = u->loop->access;
    const struct plan *p = u->l.e->p;
    if (a[i].kind != ACCESS_DIRECT || graph_at(p->g, p->slot[a[i].slot].node)->op == OP_iota) return false;
    for (uint32_t k = 0; k < i; k++)
        if (a[k].kind == ACCESS_DIRECT && a[k].slot == a[i].slot) return false;
    return true;
}

/* Is it read row after row? */
static bool streams(const struct units_of *u, uint32_t i) {
    const struct access *a = &u->loop->access[i];
    return units_first_direct(u, i) && !a->narrow && !units_write(u->l.e, u->l.s, a->slot);
}

/* The bytes that the loop reads and writes, number by number. */
static size_t bytes_of(const struct units_of *u) {
    size_t all = 0;
    for (uint32_t i = 0; i < u->loop->accesses; i++) {
        const struct access *a = &u->loop->access[i];
        if (streams(u, i) || (a->kind == ACCESS_DIRECT && !a->narrow && units_write(u->l.e, u->l.s, a->slot)))
            all += (size_t)u->loop->count * cr_dtype_size((cr_dtype)a->dtype);
    }
    return all;
}

enum { cache_line = 64 };

/* The lines that so many numbers from `index` on have of an array. */
static void ask(const struct units_of *u, const struct access *a, const char *how, const char *index,
                int64_t offset, int numbers) {
    struct emitter *e = u->l.e;
    const int each = cache_line / (int)cr_dtype_size((cr_dtype)a->dtype);
    for (int k = 0; k < numbers; k += each)
        emit_line(e, "%s(&%s[%s + %lld]);", how, emit_name(e, e->p->slot[a->slot].node), index,
                  (long long)(a->offset + offset + k));
}

/* The bytes of a row of all that is read. */
static size_t row_bytes(const struct units_of *u) {
    size_t bytes = 0;
    for (uint32_t i = 0; i < u->loop->accesses; i++)
        if (streams(u, i)) bytes += (size_t)u->run * cr_dtype_size((cr_dtype)u->loop->access[i].dtype);
    return bytes;
}

/* Rows of so many bytes are asked for: that the second cache holds beside this one. Beside functions, which hide that a number comes from there,
 * only where the last cache is far or the processor does not see far ahead by itself. */
static size_t longest_asked_for(bool beside_functions) {
    enum { usual = 512 << 10 };
    size_t much = much_before_a_far_cache();
    if (!beside_functions) return usual;
    return much ? much / 8 : usual / 2;
}

bool units_two_rows_fit(const struct units_of *u) {
    return 2 * row_bytes(u) + nest_rooms(&u->l) <= second_cache(); /* 8 bytes a number, so of f32 two rooms */
}

bool units_asks_next_row(const struct units_of *u, int pass) {
    size_t most = longest_asked_for(has_functions(u, pass));
    if (u->l.s->way != WAY_WHOLE) return false; /* a block of a group was just made */
    return plan_passes(u->l.e->p, u->l.s) > 1 && units_columns(u) == 1 && u->columns == 1 &&
           pass == units_heaviest_pass(u) && row_bytes(u) <= most;
}

/* The places that so many numbers from `at` on have in the next row, of all that is read: memory then does not wait for this row's end. */
void units_fetch_ahead(const struct units_of *u, int pass, int numbers) {
    enum { first_cache = 16 << 10 };
    char index[64];
    if (!units_asks_next_row(u, pass)) return;
    snprintf(index, sizeof index, "(r + 1) * %lld + at", (long long)u->run);
    const char *how = row_bytes(u) <= first_cache ? "AHEAD" : "FAR_AHEAD";
    for (uint32_t i = 0; i < u->loop->accesses; i++)
        if (streams(u, i)) ask(u, &u->loop->access[i], how, index, 0, numbers);
}

/* ---- Element by element ---- */

/* A processor's own asking ahead ends with each page of 4 KiB; so where the last cache is far, a loop over more than the caches hold asks for what
 * it comes to some lines later, of a few arrays. Elsewhere that costs: gelu takes 0.9 of the time without on a Zen 4. */
bool units_asks_soon(const struct units_of *u) {
    enum { many_bytes = 1 << 20, most_arrays = 8 };
    int arrays = 0;
    for (uint32_t i = 0; i < u->loop->accesses; i++) arrays += units_first_direct(u, i);
    return much_before_a_far_cache() && !u->folds && u->l.e->nest.n == 1 && arrays <= most_arrays &&
           bytes_of(u) > many_bytes;
}

static bool is_streamed(const struct units_of *u, uint32_t slot) {
    for (uint32_t i = 0; i < u->l.s->n; i++)
        if (u->l.streamed[i] && u->l.e->p->view[nest_node(&u->l, i)].slot == slot) return true;
    return false;
}

void units_fetch_soon(const struct units_of *u) {
    enum { bytes_ahead = 2048 };
    if (!units_asks_soon(u)) return;
    for (uint32_t i = 0; i < u->loop->accesses; i++) {
        const struct access *a = &u->loop->access[i];
        if (!units_first_direct(u, i) || a->narrow || is_streamed(u, a->slot)) continue;
        ask(u, a, units_write(u->l.e, u->l.s, a->slot) ? "AHEAD_TO_WRITE" : "AHEAD", "at",
            bytes_ahead / (int64_t)cr_dtype_size((cr_dtype)a->dtype), fold_lanes);
    }
}

/* ---- What goes past the caches ---- */

static bool reads(const struct plan *p, const struct step *s, uint32_t slot) {
    for (uint32_t i = 0; i < s->n; i++) {
        const struct node *n = graph_at(p->g, p->node[s->first + i]);
        for (uint32_t k = 0; k < n->n; k++)
            if (plan_made_here(p, s, n->arg[k]) < 0 && p->view[n->arg[k]].slot == slot) return true;
    }
    return false;
}

bool units_read(const struct units_of *u, uint32_t slot) { return reads(u->l.e->p, u->l.s, slot); }

/* Is its place in memory read again in this very loop? */
static bool is_read_later(const struct units_of *u, uint32_t i) {
    for (uint32_t j = i + 1; j < u->l.s->n; j++) {
        const struct node *n = graph_at(u->l.e->g, nest_node(&u->l, j));
        for (uint32_t k = 0; k < n->n; k++)
            if (plan_made_here(u->l.e->p, u->l.s, n->arg[k]) == (int)i &&
                nest_pass(&u->l, j) > nest_pass(&u->l, i))
                return true;
    }
    return false;
}

static bool read_elsewhere(const struct units_of *u, uint32_t slot) {
    const struct plan *p = u->l.e->p;
    for (size_t k = 0; k < p->steps; k++)
        if (&p->step[k] != u->l.s && reads(p, &p->step[k], slot)) return true;
    return false;
}

/* What a loop moves at least if its results are to go past the caches: what a last cache holds; of one that is far, less; where vectors are
 * narrow half of it, for what nobody here reads again. */
static size_t far_from(bool read_again) {
    size_t second = much_before_a_far_cache();
    if (second && second < usual_last_cache / 8) return 8 * second;
    return read_again ? last_cache() : last_cache() / 2;
}

/* Are functions of the widest vectors by tables so short that a loop waits for memory all the same? Not where the last cache is far. */
static bool hides_functions(void) { return units_lanes_are_one_vector() && !much_before_a_far_cache(); }

/* Results of a loop that moves that much: of passes that wait for memory, not for functions, and not those that
 * the loop reads, whose lines are there anyway. */
void units_choose_streamed(struct units_of *u) {
    const struct plan *p = u->l.e->p;
    if (u->l.s->way != WAY_WHOLE) return; /* a block of a group is read again at once */
    if (units_columns(u) != 1 || u->columns > 1) return;
    const size_t bytes = bytes_of(u);
    if (bytes <= far_from(false)) return;
    for (uint32_t i = 0; i < u->l.s->n; i++) {
        uint32_t id = nest_node(&u->l, i);
        if (units_instruction(u, i)->kind != DO_WIDE || p->view[id].slot == no_slot) continue;
        if (cr_dtype_size((cr_dtype)graph_at(p->g, id)->dtype) < sizeof(float)) continue; /* 16 are no line */
        u->l.streamed[i] = (!has_functions(u, nest_pass(&u->l, i)) || hides_functions()) &&
                           !units_read(u, p->view[id].slot) && !is_read_later(u, i) &&
                           (bytes > far_from(true) || !read_elsewhere(u, p->view[id].slot));
        u->streams = u->streams || u->l.streamed[i];
    }
}

bool units_stream_in(const struct units_of *u, int pass) {
    for (uint32_t i = 0; i < u->l.s->n; i++)
        if (u->l.streamed[i] && nest_pass(&u->l, i) == pass) return true;
    return false;
}

/* Where it stands in its result's memory: "y[r * 1024 + ". */
static void write_place(const struct units_of *u, uint32_t i, char place[160]) {
    struct emitter *e = u->l.e;
    const char *y = emit_name(e, e->p->slot[e->p->view[nest_node(&u->l, i)].slot].node);
    if (e->nest.rows) snprintf(place, 160, "%.100s[r * %lld + ", y, (long long)u->run);
    else snprintf(place, 160, "%.100s[", y);
}

static bool streams_here(const struct units_of *u, uint32_t i, int pass) {
    return u->l.streamed[i] && nest_pass(&u->l, i) == pass;
}

/* From `low` on, the first place where a line of the cache begins in the first of the results. */
void units_declare_line(const struct units_of *u, int pass) {
    char place[160];
    uint32_t i = 0;
    while (!streams_here(u, i, pass)) i++;
    write_place(u, i, place);
    emit_line(u->l.e, "const int64_t begins = low + (int64_t)(-(uintptr_t)&%slow] %% %d / %d);", place,
              cache_line, (int)cr_dtype_size((cr_dtype)graph_at(u->l.e->g, nest_node(&u->l, i))->dtype));
    emit_line(u->l.e, "const int64_t line = begins < high ? begins : high;");
}

/* Around the lanes from `at` on: their results stand in registers, and go where they belong from there. */
void units_open_streamed(struct units_of *u, int pass) {
    char type[80];
    for (uint32_t i = 0; i < u->l.s->n; i++) {
        if (!streams_here(u, i, pass)) continue;
        emit_line(u->l.e, "IN_A_LINE %s %s_out[%d];", units_type(u->l.e, nest_node(&u->l, i), type),
                  emit_name(u->l.e, nest_node(&u->l, i)), fold_lanes);
        u->l.streams = true;
    }
}

void units_close_streamed(struct units_of *u, int pass) {
    char place[160];
    u->l.streams = false;
    for (uint32_t i = 0; i < u->l.s->n; i++) {
        if (!streams_here(u, i, pass)) continue;
        write_place(u, i, place);
        emit_line(u->l.e, "stream(&%sat], %s_out, sizeof %s_out);", place,
                  emit_name(u->l.e, nest_node(&u->l, i)), emit_name(u->l.e, nest_node(&u->l, i)));
    }
}
