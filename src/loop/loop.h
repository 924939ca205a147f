/* A loop: what a group of elementwise nodes does, said once, for all ways to run it. It runs over the elements of one shape
 * in row-major order, cut into tiles; each instruction makes one tile of numbers from up to three. */
#ifndef LOOP_LOOP_H
#define LOOP_LOOP_H

#include "plan/plan.h"

/* A tile is this many bytes of the widest dtype in its loop: small enough that some twenty stay in a 48 KiB first-level
 * cache, long enough that starting an instruction does not count. */
enum { tile_bytes = 2048 };

enum access_kind {
    ACCESS_DIRECT,  /* element i of the tile is element i of memory */
    ACCESS_REPEAT,  /* one number, repeated */
    ACCESS_STRIDED, /* gathered into a buffer, tile by tile */
};

/* Numbers read from a slot, or (DIRECT alone) written to it. */
struct access {
    enum access_kind kind;
    uint8_t dtype;
    uint32_t slot;
    int64_t offset;          /* in elements */
    int rank;                /* STRIDED: sizes and strides, neighbours that run on merged */
    const int64_t *dim;
    const int64_t *stride;
    uint32_t buffer;         /* REPEAT and STRIDED: which tile buffer holds them */
};

/* Where an instruction's tile stands. */
struct place {
    bool in_buffer;
    uint32_t index; /* of a tile buffer, or of an access that is DIRECT */
};

struct instruction {
    uint16_t op;
    uint8_t from, to; /* dtypes of its operands (of `where`: of its values) and of its result */
    uint32_t node;
    struct place result, operand[3];
    int64_t n; /* the row's attribute n */
};

struct loop {
    struct mem mem;
    int64_t count;  /* elements */
    int64_t tile;   /* elements in a tile */
    uint32_t buffers;
    uint32_t accesses, instructions;
    struct access *access;
    struct instruction *instruction;
    int64_t *numbers; /* sizes and strides of the accesses */
    size_t number_count;
};

/* The loop of a STEP_LOOP. CR_OK or CR_ENOMEM; loop_drop after either. */
cr_status loop_make(struct loop *l, const struct plan *p, const struct step *s);
void loop_drop(struct loop *l);

/* Merges neighbouring axes that run on into each other. Gives the new rank; writes sizes and strides. */
int loop_merge(int rank, const int64_t dim[], const int64_t stride[], int64_t dim_out[], int64_t stride_out[]);

#endif
