/* Loops of kernels that are compiled at run time. */
#ifndef EMIT_UNITS_H
#define EMIT_UNITS_H

#include "emit/kernels.h"
#include "emit/nest.h"

struct slots_seen {
    size_t n;
    uint32_t slot[4 * loop_most]; /* of three operands and a result each */
};
void emit_declare_slots(struct emitter *e, const struct step *s);

/* slots.c: opens KIND TYPE NAME_NUMBER(char *const slot[] TAKES), a function that works on the slots of a step. clang takes `restrict` at its word of
 * parameters alone, so for it they are those of a function within; gcc makes better code where they are declared within. takes: beside the table
 * of slots, behind a comma; given: the names of that. */
struct on_slots {
    const char *kind, *type, *name, *takes, *given;
};
void emit_open_on_slots(struct emitter *e, const struct step *s, const struct on_slots *f, size_t number);
#define TAKES_UNITS ", char *shared, char *row, int64_t first, int64_t end", ", shared, row, first, end"

/* A row's last pass that goes along with the next row's `host`: the nodes whose numbers it needs of its own row, and the names under which they
 * are carried. */
enum { carried_most = 16, memory_page = 4096, part_of_page = memory_page / 3 / 64 * 64 };
struct weave {
    bool on;
    int late, host, n;
    uint32_t node[carried_most], name[carried_most];
    size_t room; /* bytes of the rooms of one row */
};

struct units_of {
    struct loop_of l;
    const struct loop *loop;
    int64_t rows, run;
    int64_t columns; /* blocks of a row that are units of their own */
    bool folds;      /* it has reductions */
    bool blocks;     /* of rows are units */
    bool streams;    /* some of its results go past the caches */
    struct weave weave;
    const char *lane; /* the variable that counts lanes; NULL: not in lanes */
    int four;         /* which of four vectors that are folded at once; 0: none */
};

/* What a function begins with: in a function that a step runs, the compiler shall see through all. */
static inline const char *units_kind(const struct emitter *e) { return e->placed ? "ALWAYS" : "static"; }
static inline int units_columns(const struct units_of *u) { return u->l.e->nest.n - u->l.e->nest.rows; }
static inline const struct instruction *units_instruction(const struct units_of *u, uint32_t i) {
    return &u->loop->instruction[i];
}
static inline const char *units_type(const struct emitter *e, uint32_t node, char room[80]) {
    return emit_type(e, (cr_dtype)graph_at(e->g, node)->dtype, room);
}
/* Does the loop read this slot where it stood before? */
bool units_read(const struct units_of *u, uint32_t slot);

/* slots.c: does the step write to this slot? */
bool units_write(const struct emitter *e, const struct step *s, uint32_t slot);

/* choice.c: is the loop compiled? Has it functions that take another way for large numbers? */
bool units_can_be(const struct units_of *u);
bool units_looks(const struct units_of *u);

/* stream.c: in the pass that computes most, asks for what so many numbers from `at` on have in the next row; in a loop over elements, for what
 * comes some lines later; decides which results go past the caches, and writes where a line of the cache begins in those of a pass, and
 * what is around the lanes that go there. */
bool units_asks_next_row(const struct units_of *u, int pass);
void units_fetch_ahead(const struct units_of *u, int pass, int numbers);
bool units_asks_soon(const struct units_of *u);
void units_fetch_soon(const struct units_of *u);
void units_choose_streamed(struct units_of *u);
bool units_stream_in(const struct units_of *u, int pass);
void units_declare_line(const struct units_of *u, int pass);
void units_open_streamed(struct units_of *u, int pass);
void units_close_streamed(struct units_of *u, int pass);

/* Is access i the first that goes through the numbers of its slot one by one? */
bool units_first_direct(const struct units_of *u, uint32_t i);
/* What a pass takes, roughly: 1 for a sum, 10 for a function; the pass that takes most. */
int units_weight(const struct units_of *u, int pass);
int units_heaviest_pass(const struct units_of *u);
/* Does the second cache hold two rows, with their rooms? */
bool units_two_rows_fit(const struct units_of *u);

/* weave.c: is the last pass woven into the next row's? Then what stands before the rows, at the start of each, at the place of the last pass and behind the
 * rows; before and behind the host; and the loop over lanes of both, which leaves `woven`, the first place that is still to be done. */
void units_choose_woven(struct units_of *u);
bool units_is_late(const struct units_of *u, int pass);
bool units_is_host(const struct units_of *u, int pass);
void units_declare_carried(struct units_of *u);
void units_declare_rooms(struct units_of *u);
void units_carry_on(struct units_of *u);
void units_end_rows(struct units_of *u);
void units_begin_late(struct units_of *u);
void units_end_late(struct units_of *u);
void units_weave(struct units_of *u, const char *from);

/* place.c: does a pass compare places, and is better counted in as many bits as they are compared in? Should it go by lanes since few of them
 * are at the place asked for? Then what it does for those from `at` on. */
bool units_counts_places(const struct units_of *u, int pass);
bool units_asks_places(const struct units_of *u, int pass);
void units_lanes(struct units_of *u, int pass);

/* extreme.c: has this pass maxima and minima that go four vectors at a time? Opens and closes the loop over them, in which `four` counts,
 * and where fold i has this value. */
bool units_in_fours(const struct units_of *u, int pass);
void units_open_fours(struct units_of *u, int pass);
void units_next_four(struct units_of *u, uint32_t i, const char *value);
void units_close_fours(struct units_of *u, int pass);

/* pass.c: all passes over a row; one over elements, with lanes and results past the caches, or not those. */
void units_passes(struct units_of *u, const char *unit);
void units_lanes_loop(struct units_of *u, int pass);
void units_streamed_loop(struct units_of *u, int pass);
/* Does instruction i fold a line? How many lanes has that, and how does one step of it go? */
bool units_folds_line(const struct units_of *u, uint32_t i);
int units_lanes_of(const struct units_of *u);
void units_combine(struct units_of *u, uint32_t i, const char *so_far, const char *next, const char *within);
/* Instruction i of a pass; what all of it do with each number; and, before the innermost loop, what they read of numbers that repeat along it. */
void units_one(struct units_of *u, uint32_t i);
void units_body(struct units_of *u, int pass);
void units_read_repeated(struct units_of *u, int pass, bool forget);
/* What a pass does with numbers one by one, from one place to another; with the lanes from `at` on, and what is around them. */
void units_one_by_one(struct units_of *u, int pass, const char *from, const char *to);
void units_lanes_at(struct units_of *u, int pass);
/* Opens a loop over the lanes from `at` on, of this kind (prelude.h); over an axis, whose iterations are vectors if it is the innermost: none depends on another. */
void units_open_lanes(struct units_of *u, const char *kind);
void units_open_axis(struct emitter *e, int axis, bool innermost);

/* stages.c: has this pass functions that are made of all lanes at once, and should it go by lanes for them? Then what it does for the lanes from
 * `at` on. */
bool units_in_stages(const struct units_of *u, int pass);
bool units_lanes_are_one_vector(void); /* on this processor */
bool units_stages_any_lanes(const struct units_of *u, int pass);
bool units_asks_stages(const struct units_of *u, int pass);
void units_stages(struct units_of *u, int pass);

/* pad.c: the number from which on a short loop is computed on copies; its count: none is. Opens and closes the loop over them. */
int64_t units_padded_from(const struct units_of *u);
void units_open_padded(struct units_of *u, int64_t from);
void units_close_padded(struct units_of *u, int64_t from);
/* Do lines fill some of a fold's lanes, and go as one? Are they then compiled, however many there are? */
bool units_is_short(const struct units_of *u);
bool units_short_pays(const struct units_of *u);

/* Writes loop_NUMBER and end_NUMBER. False, and nothing written: this one is left to the built-in way. */
bool emit_units(struct emitter *e, const struct step *s, const struct loop *loop, size_t number,
                struct kernel_units *out);

/* kernels.c: step s of e's plan as the function loop_NUMBER; left alone if it isn't made. */
void emit_step_units(struct emitter *e, size_t s, const struct loop *loop, size_t number,
                     struct kernel_units *units);
/* Does its function take slots and functions alone, and give another number than 0 where the built-in way must say what is wrong? */
bool emit_may_fail(const struct emitter *e, size_t s);
/* Is it so small that it runs where it stands? */
bool emit_is_small(const struct emitter *e, size_t s, const struct loop *loop);

/* chain.c: writes chain_FIRST for the steps that go through memory together, `first` and those behind it. Gives how many; 0: it runs alone. */
size_t emit_chain(struct emitter *e, size_t first, const struct loop loop[],
                  const struct kernel_units units[]);

/* then.c: if step s is a small product that only the loop behind it reads, number by number, writes both_S, which runs both: rows of the
 * product go to the loop from registers. False: each runs by itself. */
bool emit_then(struct emitter *e, size_t s, const struct loop loop[], const struct kernel_units units[]);
/* kernels.c: the function's product, with its room. */
void emit_small_product(struct emitter *e, const struct step *s);
bool emit_is_small_product(const struct emitter *e, const struct step *s);

/* inner.c: the same of a step that runs functions, with all that they do. */
bool emit_control_fits(const struct emitter *e, size_t s);
void emit_control_units(struct emitter *e, size_t s, size_t number);

#endif
