/* A loop: what a group of elementwise nodes does, said once, for all ways to run it. It runs over the
 * elements of one shape in row-major order, cut into tiles; each instruction makes one tile of numbers from
 * up to three. */
#ifndef LOOP_LOOP_H
#define LOOP_LOOP_H

#include "plan/plan.h"

/* A tile is this many bytes of the widest dtype in its loop: small enough that some twenty stay in a 48 KiB
 * first-level cache, long enough that starting an instruction does not count. */
enum { tile_bytes = 2048 };

enum access_kind {
    ACCESS_DIRECT,  /* element i of the tile is element i of memory */
    ACCESS_REPEAT,  /* one number, repeated */
    ACCESS_STRIDED, /* gathered into a buffer, tile by tile */
};

/* Numbers read from a slot, or (DIRECT alone) written to it. */
struct access {
    uint8_t kind, dtype, rank; /* rank, sizes and strides: of STRIDED, neighbours that run on merged */
    uint32_t slot;
    uint32_t numbers; /* STRIDED: where its sizes stand in the loop's numbers; its strides follow */
    uint32_t buffer;  /* REPEAT and STRIDED: which tile buffer holds them */
    int64_t offset;   /* in elements */
};

/* Where an instruction's tile stands: in a tile buffer, or in an access that is DIRECT. */
struct place {
    unsigned in_buffer : 1;
    unsigned index : 31;
};

struct instruction {
    uint16_t op;
    uint8_t from, to; /* dtypes of its (last) operand and of its result */
    uint32_t node;
    struct place result, operand[3];
    int64_t n; /* the row's attribute n */
};

struct loop {
    struct mem mem;
    int64_t count; /* elements */
    int64_t tile;  /* elements in a tile */
    uint32_t buffers;
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

#endif
