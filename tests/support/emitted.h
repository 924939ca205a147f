/* Emitted C, built by the system's compiler under strict flags and loaded. */
#ifndef EMITTED_H
#define EMITTED_H

#include "support/files.h"

/* struct PREFIX_pattern and PREFIX_port, which have the same members for every prefix. */
struct emitted_pattern {
    int32_t rows, columns, count;
    const int32_t *row_starts, *column_indices;
};
struct port {
    const char *name, *type;
    int kind, rank;
    long dims[16];
    const struct emitted_pattern *pattern;
};
enum { port_in, port_state, port_out };

struct emitted {
    const struct port *port;
    int ports;
    size_t work;
    int (*call)(void *const port[], int64_t seed, int64_t step, void *work);
};

extern const char emitted_warnings[]; /* what it is built with: the strict flags */

/* Programs that are built together: each is one file, and all are one unit of translation. */
struct emitted_set {
    cr_text *source, *header, *all, *why;
    int count;
    void *library;
    char file[512]; /* the library's */
};
void emitted_start(struct emitted_set *s);
/* Emits a program as p0, p1, .., and notes a caller for it. */
void emitted_add(struct emitted_set *s, const cr_program *p);
/* Builds what was added: as C99, without a warning. */
void emitted_build(struct emitted_set *s, const char *flags);
void emitted_unload(struct emitted_set *s); /* to be built again */
/* Does it call nothing of another library but what moves bytes? */
bool emitted_stands_alone(const struct emitted_set *s);
struct emitted emitted_at(const struct emitted_set *s, int i);
void emitted_free(struct emitted_set *s);

#endif
