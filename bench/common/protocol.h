/* The line protocol between bench/run.py and the programs it compares.
 *
 * A program reads commands on standard input and answers each with one line of JSON on standard output:
 *
 *     (at the start)  {"ready": "C and OpenBLAS", "note": "0.3.21"}
 *     losses N        {"losses": [2.34567, ..]}  N steps from the initial state; what each gave
 *     run N           {"ns": 3280000.0}          N steps from the initial state; the median time of a step
 *     memory N        {"bytes": 14680064}        N steps from the initial state; the process's most memory so far, above what it held idle
 *     quit, or the end of input                  the program ends
 *     anything else   {"error": ".."}
 *
 * Between commands a program sleeps: the others are being measured then. */
#ifndef BENCH_PROTOCOL_H
#define BENCH_PROTOCOL_H
#include <stddef.h>

struct protocol_bench {
    const char *name, *note; /* what is measured, and what is to be known of it, or "": no quotes in either */
    void *self;              /* passed to the callbacks */
    void (*reset)(void *self); /* back to the initial state; not timed */
    void (*timed)(void *self); /* or NULL: after the reset of what is timed, whose numbers are not compared */
    double (*step)(void *self, size_t i); /* step i since the reset; gives the loss */
    double calls; /* a step's time is divided by this: 1, or how often it repeats something tiny */
};

/* Answers commands until there are no more. Gives a program's exit status. */
int protocol_serve(const struct protocol_bench *bench);

/* Says that the process is idle: what it holds now is not counted by `memory`. To be called first; where it is not, or the system does not tell
 * (Linux does), `memory` is answered with an error. */
void protocol_idle(void);

/* Nanoseconds of a clock that only goes forward. */
double protocol_clock_ns(void);

#endif
