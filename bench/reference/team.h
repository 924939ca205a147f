/* A few threads that run one function together and meet at barriers in it. They spin for a while before they
 * sleep, since the next piece of work mostly comes within microseconds. */
#ifndef BENCH_TEAM_H
#define BENCH_TEAM_H

struct team;

/* threads >= 1; the caller of team_run is one of them. NULL when threads can't be had. */
struct team *team_create(int threads);
void team_destroy(struct team *team);

/* body(arg, i) on thread i, for all i < threads; returns when all have. */
void team_run(struct team *team, void (*body)(void *arg, int i), void *arg);

/* Within a body: waits until every thread of the team is here. */
void team_meet(struct team *team);

#endif
