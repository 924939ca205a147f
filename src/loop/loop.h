/* A loop: what a group of elementwise nodes and reductions of them does, said once, for all ways to run it. It
 * runs over the elements of one shape in row-major order, seen as rows. Units of rows and columns may run in any
 * order and on any thread; a unit is cut into tiles, which run in order; over a tile, each instruction makes one
 * tile of numbers from up to three, or folds one. Where a later instruction needs what a whole row came to, the tile is
 * whole rows; or, where these are long, the instructions are cut into passes, each over all tiles of a row. */
#ifndef LOOP_LOOP_H
#define LOOP_LOOP_H

#include "plan/plan.h"

/* A tile is this many bytes of the widest dtype in its loop: small enough that some twenty stay in a 48 KiB
 * first-level cache, long enough that starting an instruction does not count. */
enum { tile_bytes = 2048 };
/* A number that repeats is there so many times where a kernel reads those again and again: a vector of bytes. */
enum { element_block = 64 };
/* Below this much work (loop_work) another thread costs more than it brings: some 16 microseconds compiled, twice that built in, where
 * waking one takes 5 and a small loop's numbers are in the cache of the thread that made them. */
enum { loop_worth_a_thread = 1 << 18 };

enum access_kind {
    ACCESS_DIRECT,  /* element i of the tile is element i of memory */
    ACCESS_REPEAT,  /* one number, repeated */
    ACCESS_LINE,    /* of a loop that goes by passes: every row reads the same line, where it stands */
    ACCESS_STRIDED, /* gathered into a buffer, tile by tile */
};

/* Numbers read from a slot, or (DIRECT alone) written to it. */
struct access {
    uint8_t kind, dtype, size,
        rank; /* size: of a number, in bytes; rank, sizes and strides: of STRIDED, neighbours that run on merged */
    bool narrow;   /* one number for each row */
    bool block;    /* a number that repeats, of which a block is enough for all its readers */
    bool far;      /* wide, and no earlier pass has met its slot */
    bool again;    /* STRIDED: every tile reads the same numbers */
    bool constant; /* STRIDED, of a loop that goes by passes: one number all along a row */
    uint8_t pass;
    uint32_t slot;
    uint32_t numbers; /* STRIDED: where its sizes stand in the loop's numbers; its strides follow */
    uint32_t buffer;  /* REPEAT and STRIDED: which tile buffer holds them */
    int64_t offset;   /* in elements */
};

/* Where an instruction's tile stands: in a tile buffer, in an access that has none, or in a room for a whole row. */
enum place_kind { IN_ACCESS, IN_BUFFER, IN_ROOM };
struct place {
    unsigned kind : 2;
    unsigned index : 30;
};

enum instruction_kind {
    DO_WIDE,       /* number by number of the tile */
    DO_NARROW,     /* number by number of the tile's rows */
    FOLD_WHOLE,    /* each line to one number of the result; by passes, it goes on from tile to tile */
    FOLD_PART,     /* of one line, a block; each unit leaves one number */
    FOLD_ROWS_PART /* a block of rows; each unit leaves a row */
};

struct instruction {
    uint8_t kind, pass;
    uint16_t op;
    uint8_t from, to; /* dtypes of its (last) operand and of its result */
    uint8_t operands;
    uint8_t
        fills; /* tiles that accesses first read here are gathered into: 0: none, 1: the first alone, 2: each */
    uint8_t repeats; /* a bit for each operand that is a block */
    uint32_t node;
    struct place result, operand[3];
    int64_t n;         /* the row's attribute n */
    uint32_t accesses; /* those from the last instruction's number up to this one are first read here */
    uint32_t state; /* of a FOLD_PART, and by passes of a FOLD_WHOLE: the tile buffer that holds its lanes */
    size_t partial; /* of a FOLD_..PART: where in the shared bytes what units leave stands, row-major */
};

struct loop {
    struct mem mem;
    int64_t count;                /* elements: */
    int64_t rows, run;            /* in so many rows */
    int64_t diagonal;             /* row r goes up to plan_up_to(r % diagonal, run) alone; 0: to the end */
    int64_t unit_rows, unit_cols; /* a unit: a block of rows, of columns */
    int64_t tile_rows, tile_cols; /* a tile in it, side by side: all columns, or one row */
    bool by_passes;               /* whole rows that are longer than a tile: pass after pass over each row */
    uint32_t buffers, rooms;
    size_t buffer_bytes, room_bytes; /* of each: room for a tile, for a row */
    size_t widest;                   /* bytes from a column of a room to the next, where a tile starts */
    size_t shared;                   /* bytes for what units leave */
    uint32_t instructions;
    struct instruction *instruction;
    struct access *access;
    int64_t *numbers;
    size_t accesses, access_cap, number_count, number_cap;
};

/* The loop of a STEP_LOOP. CR_OK or CR_ENOMEM; loop_drop after either. */
cr_status loop_make(struct loop *l, const struct plan *p, const struct step *s);
void loop_drop(struct loop *l);

/* Merges neighbouring axes that run on into each other. Gives the new rank; writes sizes and strides. */
int loop_merge(int rank, const int64_t dim[], const int64_t stride[], int64_t dim_out[],
               int64_t stride_out[]);

/* For each element its instructions, and what it reads and writes. */
static inline int64_t loop_work(const struct loop *l) {
    return l->count * (int64_t)(l->instructions + l->accesses);
}
/* Into how many parts, at least 1, that `tasks` threads share, its units are cut where it is worth it. */
size_t loop_parts(const struct loop *l, size_t tasks, int64_t units);

#endif
