/* Few directions that show every entry of a sparse matrix alone (Gebremedhin, Manne, Pothen: What color is your Jacobian? SIAM Review
 * 47, 2005). Greedy, in the order of the rows. */
#include "grad/pattern.h"

static void *numbers(const cr_pattern *p, int64_t n) {
    return mem_zero(&p->mem, mem_mul((size_t)n + 1, sizeof(int64_t)));
}
static void drop(const cr_pattern *p, void *numbers, int64_t n) {
    mem_free(&p->mem, numbers, ((size_t)n + 1) * sizeof(int64_t));
}

/* The first colour that row v - 1 has not forbidden. */
static int64_t first_free(const int64_t forbidden[], int64_t v) {
    int64_t c = 0;
    while (forbidden[c] == v) c++;
    return c;
}

/* ---- One side: no two rows of a colour meet in a column ---- */

int64_t colour_rows(const cr_pattern *p, const cr_pattern *t, int64_t colour[]) {
    int64_t *forbidden = numbers(p, p->rows),
            colours = 0; /* by colour: 1 + the last row that may not have it */
    if (!forbidden) return -1;
    for (int64_t v = 0; v < p->rows; v++) {
        for (int64_t e = p->start[v]; e < p->start[v + 1]; e++) {
            int64_t c = p->column[e];
            for (int64_t f = t->start[c]; f < t->start[c + 1] && t->column[f] < v; f++)
                forbidden[colour[t->column[f]]] = v + 1;
        }
        colour[v] = p->start[v] < p->start[v + 1] ? first_free(forbidden, v + 1) : 0;
        if (p->start[v] < p->start[v + 1] && colour[v] >= colours) colours = colour[v] + 1;
    }
    drop(p, forbidden, p->rows);
    return colours;
}

/* ---- Both sides: a star colouring ---- */

/* One colour among the neighbours of a row: how many have it, the first of them; blocked: one of them, x, has a second neighbour of
 * the row's own colour, so that a new neighbour of the row with x's colour would end a path of two colours. */
struct seen {
    int64_t colour, count, first;
    bool blocked;
};

struct star {
    const cr_pattern *p;
    int64_t *colour, *forbidden; /* colour: -1 as long as there is none */
    int64_t *blocked;            /* by row: has it a colour that is? */
    struct seen *seen;           /* of row v: in seen[start[v]] .. seen[start[v+1] - 1], found by hash */
};

/* What row v has of this colour, or where it may go (count 0). There is room: a row has no more colours than neighbours. */
static struct seen *look(const struct star *s, int64_t v, int64_t colour) {
    struct seen *first = s->seen + s->p->start[v], *at;
    int64_t n = s->p->start[v + 1] - s->p->start[v], i = colour % n;
    while (at = first + i, at->count && at->colour != colour) i = i + 1 < n ? i + 1 : 0;
    return at;
}

static void block(struct star *s, int64_t w, int64_t colour) {
    look(s, w, colour)->blocked = true;
    s->blocked[w] = 1;
}

/* Neighbours' colours; and what would give a path of four two colours, with v inside of it or at its end. */
static void forbid(struct star *s, int64_t v) {
    for (int64_t e = s->p->start[v]; e < s->p->start[v + 1]; e++) {
        int64_t w = s->p->column[e];
        if (w == v || s->colour[w] < 0) continue;
        bool inside = look(s, v, s->colour[w])->count > 1;
        s->forbidden[s->colour[w]] = v + 1;
        for (int64_t i = s->p->start[w]; i < s->p->start[w + 1] && (inside || s->blocked[w]); i++)
            if (s->seen[i].count && (inside || s->seen[i].blocked)) s->forbidden[s->seen[i].colour] = v + 1;
    }
}

/* Row x has a new neighbour, v. */
static void tell(struct star *s, int64_t x, int64_t v) {
    struct seen *mine = look(s, x, s->colour[v]);
    if (!mine->count) *mine = (struct seen){.colour = s->colour[v], .first = v};
    if (++mine->count < 2 || s->colour[x] < 0) return;
    block(s, v, s->colour[x]);
    block(s, mine->first, s->colour[x]);
}

static void choose(struct star *s, int64_t v) {
    forbid(s, v);
    s->colour[v] = first_free(s->forbidden, v + 1);
    for (int64_t e = s->p->start[v]; e < s->p->start[v + 1]; e++) {
        int64_t w = s->p->column[e];
        if (w == v) continue;
        tell(s, w, v);
        if (s->colour[w] >= 0 && look(s, v, s->colour[w])->count > 1) block(s, w, s->colour[v]);
    }
}

/* Entry (i, j) stands alone in row i of the product with colour j, or in row j of that with colour i; the same for (j, i), so that
 * both are one number. */
static void read_from(const struct star *s, int64_t at[]) {
    for (int64_t r = 0; r < s->p->rows; r++)
        for (int64_t e = s->p->start[r]; e < s->p->start[r + 1]; e++) {
            int64_t c = s->p->column[e], i = r < c ? r : c, j = r < c ? c : r;
            bool alone = i == j || look(s, i, s->colour[j])->count == 1;
            at[e] = alone ? s->colour[j] * s->p->rows + i : s->colour[i] * s->p->rows + j;
        }
}

int64_t colour_star(const cr_pattern *p, int64_t colour[], int64_t at[]) {
    int64_t count = p->start[p->rows], colours = 0;
    struct star s = {p, colour, numbers(p, p->rows), numbers(p, p->rows),
                     mem_zero(&p->mem, mem_mul((size_t)count + 1, sizeof *s.seen))};
    bool ok = s.forbidden && s.blocked && s.seen;
    for (int64_t v = 0; v < p->rows; v++) colour[v] = -1;
    for (int64_t v = 0; v < p->rows && ok; v++) {
        choose(&s, v);
        if (p->start[v] < p->start[v + 1] && colour[v] >= colours) colours = colour[v] + 1;
    }
    if (ok) read_from(&s, at);
    drop(p, s.forbidden, p->rows);
    drop(p, s.blocked, p->rows);
    mem_free(&p->mem, s.seen, ((size_t)count + 1) * sizeof *s.seen);
    return ok ? colours : -1;
}
