/* The programs of a context by the structure of their graphs: what was compiled before is found again. The least recently used ones
 * go where there would be too many, or too many bytes. */
#ifndef RUN_CACHE_H
#define RUN_CACHE_H

#include "run/key.h"

enum {
    cache_programs = 128,
    cache_bytes = 64 << 20
}; /* at most; a program of more than a quarter of the bytes is not kept */

/* The program of an equal key, held once more, or NULL. */
cr_program *cache_find(const cr_context *ctx, const struct key *k);
/* Holds p too, under this key, whose words it takes over if it keeps p. CR_OK or CR_ENOMEM. */
cr_status cache_keep(cr_context *ctx, cr_program *p, struct key *k);

struct cache_state {
    size_t programs, bytes;
    uint64_t found, kept; /* so far: how often a program was found, and was added */
};
struct cache_state cache_state(const cr_context *ctx);

#endif
