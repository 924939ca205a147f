/* Which rows a page shows, and in which picture each stands. */
#include <string.h>

#include "explain/page/page.h"

/* Pictures of more are no help to a reader and too much for Graphviz; of each the nodes nearest to its start and
 * to its end are kept. */
enum { most_items = 240, from_start = 80, most_rows = 3000 };

static bool take_memory(struct page *p) {
    uint32_t rows = p->x->rows + 1, groups = 1;
    for (uint32_t r = 0; r < p->x->rows; r++) groups += p->x->row[r].is_scope;
    p->groups = groups;
    p->group = mem_zero(&p->x->mem, mem_mul(groups, sizeof *p->group));
    p->group_of = mem_zero(&p->x->mem, mem_mul(rows, sizeof *p->group_of));
    p->box = mem_zero(&p->x->mem, mem_mul(rows, sizeof *p->box));
    p->kept = mem_zero(&p->x->mem, rows);
    p->uses = mem_zero(&p->x->mem, mem_mul(rows, sizeof *p->uses));
    return p->group && p->group_of && p->box && p->kept && p->uses;
}

static uint32_t around(const struct page *p, uint32_t r) {
    uint32_t scope = p->x->row[r].scope;
    return scope ? p->box[scope - 1] - 1 : 0;
}

/* A scope's result comes after all that it is made of, so that its group is known before they are looked at. */
static void place_rows(struct page *p) {
    uint32_t next = 1;
    for (uint32_t r = p->x->rows; r-- > 0;)
        if (p->x->row[r].is_scope) p->box[r] = 1 + next++;
    for (uint32_t r = p->x->rows; r-- > 0;) {
        p->group_of[r] = p->box[r] ? p->box[r] - 1 : around(p, r);
        if (p->box[r]) p->group[p->group_of[r]] = (struct group){.row = r, .parent = around(p, r)};
    }
    for (uint32_t r = 0; r < p->x->rows; r++) {
        if (p->x->row[r].constant) continue;
        p->group[p->group_of[r]].items++;
        if (p->box[r]) p->group[p->group[p->group_of[r]].parent].items++;
    }
}

static bool wanted(const struct page *p, uint32_t r) {
    return p->x->row[r].asked || p->x->row[r].x.id == p->x->result.id;
}

/* Is it near enough to the start or the end of a picture? seen: its place from the end. */
static bool fits(const struct group *g, uint32_t seen) {
    return g->items <= most_items || seen < most_items - from_start || seen >= g->items - from_start;
}

static bool kept_around(const struct page *p, uint32_t group) {
    return !group || p->kept[p->group[group].row];
}

static void keep_rows(struct page *p, uint32_t seen[]) {
    for (uint32_t r = p->x->rows; r-- > 0;) {
        if (p->x->row[r].constant) continue;
        uint32_t g = p->group_of[r], outer = p->box[r] ? p->group[g].parent : g;
        bool fit = kept_around(p, outer) && fits(&p->group[outer], seen[outer]++) && p->kept_rows < most_rows;
        if (p->box[r]) seen[g]++;
        p->kept[r] = fit || (wanted(p, r) && kept_around(p, outer));
        if (p->kept[r]) p->kept_rows++;
        else p->group[outer].left_out++;
    }
}

static bool list_kept(struct page *p) {
    const struct explanation *x = p->x;
    p->row = mem_alloc(&x->mem, mem_mul(x->rows, sizeof *p->row));
    p->edge = mem_alloc(&x->mem, mem_mul(x->edges, sizeof *p->edge));
    if (!p->row || !p->edge) return false;
    for (uint32_t r = 0, n = 0; r < x->rows; r++)
        if (p->kept[r]) p->row[n++] = r;
    for (size_t i = 0; i < x->edges; i++) {
        const struct edge *e = &x->edge[i];
        p->uses[e->to] += p->kept[e->from];
        if (p->kept[e->from] && p->kept[e->to]) p->edge[p->kept_edges++] = (uint32_t)i;
    }
    return true;
}

cr_status page_open(struct page *p, struct explanation *x) {
    *p = (struct page){.x = x};
    if (!take_memory(p)) return p->status = CR_ENOMEM;
    place_rows(p);
    size_t bytes = mem_mul(p->groups, sizeof(uint32_t));
    uint32_t *seen = mem_zero(&x->mem, bytes);
    if (!seen) return p->status = CR_ENOMEM;
    keep_rows(p, seen);
    mem_free(&x->mem, seen, bytes);
    return list_kept(p) ? CR_OK : (p->status = CR_ENOMEM);
}

void page_close(struct page *p) {
    const struct mem *m = &p->x->mem;
    uint32_t rows = p->x->rows + 1;
    mem_free(m, p->group, p->groups * sizeof *p->group);
    mem_free(m, p->group_of, rows * sizeof *p->group_of);
    mem_free(m, p->box, rows * sizeof *p->box);
    mem_free(m, p->kept, rows);
    mem_free(m, p->uses, rows * sizeof *p->uses);
    mem_free(m, p->row, p->x->rows * sizeof *p->row);
    mem_free(m, p->edge, p->x->edges * sizeof *p->edge);
}

/* ---- Lines ---- */

enum { deepest = 64 }; /* scopes within scopes that are followed */

/* The groups around a row, from the innermost out to 0. */
static int groups_around(const struct page *p, uint32_t r, uint32_t path[deepest]) {
    int n = 0;
    for (uint32_t g = p->group_of[r]; g && n < deepest - 1; g = p->group[g].parent) path[n++] = g;
    path[n++] = 0;
    return n;
}

/* What stands for a row in the picture path[i]: itself, or the box of the next group inwards. */
static uint32_t stand_in(const uint32_t path[], int i, uint32_t r, char *kind) {
    *kind = i ? 'b' : 'r';
    return i ? path[i - 1] : r;
}

bool page_line(const struct page *p, const struct edge *e, struct line *line) {
    uint32_t from[deepest], to[deepest];
    if (!p->kept[e->from] || !p->kept[e->to]) return false;
    int n = groups_around(p, e->to, from), m = groups_around(p, e->from, to);
    while (n > 1 && m > 1 && from[n - 2] == to[m - 2]) n--, m--; /* to the innermost that both are in */
    line->group = from[n - 1];
    line->tail_id = stand_in(from, n - 1, e->to, &line->tail);
    line->head_id = stand_in(to, m - 1, e->from, &line->head);
    return true;
}

int page_inner_lines(const struct page *p, const struct edge *e, struct line inner[], int most) {
    uint32_t to[deepest];
    struct line outer;
    int n = 0;
    if (!page_line(p, e, &outer)) return 0;
    int m = groups_around(p, e->from, to);
    for (int i = 0; i < m && to[i] != outer.group && n < most; i++, n++) {
        inner[n] = (struct line){.group = to[i], .tail = 'p', .tail_id = e->to};
        inner[n].head_id = stand_in(to, i, e->from, &inner[n].head);
    }
    return n;
}
