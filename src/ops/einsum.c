/* Sums of products by index letters: pair by pair from the left, each one matrix product. */
#include <string.h>

#include "ops/build.h"

/* A tensor and the letters of its axes. */
struct term {
    cr_node x;
    char letters[CR_MAX_RANK + 1];
};

enum { alphabet = 52 + 1 };

static bool letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

static int64_t size_of(const struct term *t, char c) {
    return cr_dims(t->x)[strchr(t->letters, c) - t->letters];
}

/* Room for one more is the caller's business. */
static void append(char *s, char c) {
    size_t n = strlen(s);
    s[n] = c;
    s[n + 1] = 0;
}

/* ---- What a term keeps ---- */

/* Letters that stand twice: the diagonal of their two axes, which becomes the last. */
static void take_diagonals(struct term *t) {
    for (size_t i = 0; t->letters[i] && cr_ok(t->x);) {
        const char *twice = strchr(t->letters + i + 1, t->letters[i]);
        size_t n = strlen(t->letters), j = twice ? (size_t)(twice - t->letters) : 0;
        char c = t->letters[i];
        if (!twice) {
            i++;
            continue;
        }
        /* what stood between moves down by one, and by two behind both */
        cr_node last = ops_move_axis(t->x, (int)j - (int)n, -1);
        t->x = cr_diagonal(ops_move_axis(last, (int)i - (int)n, -1));
        memmove(t->letters + j, t->letters + j + 1, n - j);
        memmove(t->letters + i, t->letters + i + 1, n - 1 - i);
        append(t->letters, c);
        i = 0;
    }
}

/* Sums over the letters that nobody needs. */
static void drop(struct term *t, const char *needed) {
    int axes[CR_MAX_RANK], n = 0, kept = 0;
    for (int i = 0; t->letters[i]; i++) {
        if (strchr(needed, t->letters[i])) t->letters[kept++] = t->letters[i];
        else axes[n++] = i;
    }
    t->letters[kept] = 0;
    if (n) t->x = cr_sum(t->x, n, axes, false);
}

/* Axes in the order of these letters, all of the term's. */
static cr_node ordered(const struct term *t, const char *letters) {
    int order[CR_MAX_RANK], n = 0;
    for (; letters[n]; n++) order[n] = (int)(strchr(t->letters, letters[n]) - t->letters);
    return cr_permute(t->x, n, order);
}

/* ---- A pair ---- */

struct pair {
    char batch[CR_MAX_RANK + 1], left[CR_MAX_RANK + 1], right[CR_MAX_RANK + 1], inner[CR_MAX_RANK + 1];
};

static struct pair pair_of(const struct term *a, const struct term *b, const char *needed) {
    struct pair p = {"", "", "", ""};
    for (const char *s = a->letters; *s; s++)
        append(!strchr(b->letters, *s) ? p.left : strchr(needed, *s) ? p.batch : p.inner, *s);
    for (const char *s = b->letters; *s; s++)
        if (!strchr(a->letters, *s)) append(p.right, *s);
    return p;
}

/* Batch axes, then two for the matrix. */
static cr_node as_matrix(const struct term *t, const char *batch, const char *rows, const char *columns) {
    char all[3 * CR_MAX_RANK + 1] = "";
    struct shape s = {.rank = (int)strlen(batch) + 2};
    strcat(strcat(strcat(all, batch), rows), columns);
    for (size_t i = 0; batch[i]; i++) s.dim[i] = size_of(t, batch[i]);
    s.dim[s.rank - 2] = s.dim[s.rank - 1] = 1;
    for (; *rows; rows++) s.dim[s.rank - 2] *= size_of(t, *rows);
    for (; *columns; columns++) s.dim[s.rank - 1] *= size_of(t, *columns);
    cr_node x = ordered(t, all);
    return cr_ok(x) ? ops_reshape(x, &s) : x;
}

/* a becomes a times b, summed over what they share and nobody needs. */
static void multiply(struct term *a, const struct term *b, const char *needed) {
    struct pair p = pair_of(a, b, needed);
    struct shape s = {0};
    char letters[3 * CR_MAX_RANK + 1] = "";
    strcat(strcat(strcat(letters, p.batch), p.left), p.right);
    if (strlen(letters) > CR_MAX_RANK - 2) { /* batch axes and a matrix must fit as well */
        a->x = graph_fail(b->x.graph, CR_ELIMIT, "einsum", "a product between has a rank above %d",
                          CR_MAX_RANK - 2);
        return;
    }
    for (const char *c = letters; *c; c++) s.dim[s.rank++] = size_of(strchr(p.right, *c) ? b : a, *c);
    cr_node y = cr_matmul(as_matrix(a, p.batch, p.left, p.inner), as_matrix(b, p.batch, p.inner, p.right));
    a->x = cr_ok(y) ? ops_reshape(y, &s) : y;
    strcpy(a->letters, letters);
}

/* ---- The text ---- */

static bool wrong(cr_graph *g, const char *indices, const char *why) {
    graph_fail(g, CR_EINVAL, "einsum", "'%.100s': %s", indices, why);
    return false;
}

/* Letters up to a comma or arrow, for one operand. */
static bool read_term(struct term *t, const char **s, const char *indices) {
    int n = 0;
    struct shape shape = ops_shape(t->x);
    struct shape_text text;
    for (; **s && **s != ',' && **s != '-' && n <= shape.rank; ++*s) {
        if (**s == ' ') continue;
        if (!letter(**s)) return wrong(t->x.graph, indices, "expected letters, commas and one ->");
        if (n < shape.rank) t->letters[n] = **s;
        n++;
    }
    if (n == shape.rank) return true;
    graph_fail(t->x.graph, CR_ESHAPE, "einsum", "'%.100s': an operand %s has another number of indices",
               indices, ops_show(&text, &shape));
    return false;
}

/* Every letter has one size. */
static bool sizes_agree(int n, const struct term t[], const char *indices) {
    int64_t known[128];
    for (int i = 0; i < 128; i++) known[i] = -1;
    for (int i = 0; i < n; i++)
        for (int k = 0; t[i].letters[k]; k++) {
            int64_t *size = &known[(int)t[i].letters[k]], d = cr_dims(t[i].x)[k];
            if (*size < 0) *size = d;
            if (*size == d) continue;
            graph_fail(t[i].x.graph, CR_ESHAPE, "einsum",
                       "'%.100s': %c is %lld in one place and %lld in another", indices, t[i].letters[k],
                       (long long)*size, (long long)d);
            return false;
        }
    return true;
}

static int times(char c, int n, const struct term t[]) {
    int found = 0;
    for (int i = 0; i < n; i++)
        for (const char *s = t[i].letters; *s; s++) found += *s == c;
    return found;
}

/* Without an arrow: the letters that stand once, in the order of the alphabet. */
static bool read_result(char out[CR_MAX_RANK + 2], const char *s, int n, const struct term t[],
                        const char *indices) {
    cr_graph *g = t[0].x.graph;
    for (char c = 'A'; !*s && c <= 'z'; c++)
        if (letter(c) && times(c, n, t) == 1 && strlen(out) <= CR_MAX_RANK) append(out, c);
    if (*s && (s[0] != '-' || s[1] != '>'))
        return wrong(g, indices, "expected indices for each operand, then ->");
    for (s += *s ? 2 : 0; *s; s++) {
        if (*s == ' ') continue;
        if (!letter(*s) || !times(*s, n, t))
            return wrong(g, indices, "the result has an index that no operand has");
        if (strchr(out, *s)) return wrong(g, indices, "the result has an index twice");
        if (strlen(out) <= CR_MAX_RANK) append(out, *s);
    }
    return strlen(out) <= CR_MAX_RANK || wrong(g, indices, "the result has too many indices");
}

static bool read_all(const char *indices, int n, struct term t[], char *out) {
    const char *s = indices;
    for (int i = 0; i < n; i++) {
        if (i && *s++ != ',')
            return wrong(t[0].x.graph, indices, "expected indices for each operand, with commas between");
        if (!read_term(&t[i], &s, indices)) return false;
    }
    return sizes_agree(n, t, indices) && read_result(out, s, n, t, indices);
}

/* The letters of out and of some terms. */
static void letters_of(char needed[alphabet], const char *out, int n, const struct term t[]) {
    strcpy(needed, out);
    for (int i = 0; i < n; i++)
        for (const char *s = t[i].letters; *s; s++)
            if (!strchr(needed, *s)) append(needed, *s);
}

static cr_node sum_of_products(const char *indices, int n, struct term t[]) {
    char out[CR_MAX_RANK + 2] = "", needed[alphabet], kept[alphabet];
    if (!read_all(indices, n, t, out)) return graph_error_node(t[0].x.graph);
    for (int i = 0; i < n; i++) take_diagonals(&t[i]);
    letters_of(needed, out, n - 1, t + 1);
    drop(&t[0], needed);
    for (int i = 1; i < n && cr_ok(t[0].x) && cr_ok(t[i].x); i++) {
        letters_of(needed, out, n - i - 1, t + i + 1);
        letters_of(kept, needed, 1, &t[0]);
        drop(&t[i], kept);
        multiply(&t[0], &t[i], needed);
        if (cr_ok(t[0].x)) drop(&t[0], needed);
    }
    return cr_ok(t[0].x) ? ordered(&t[0], out) : t[0].x;
}

cr_node cr_einsum(const char *indices, int n, const cr_node x[]) {
    if (n < 1 || !x) return graph_error_node(NULL); /* there is no graph that could be told */
    cr_graph *g = x[0].graph;
    if (!ops_good("einsum", n, x)) return graph_error_node(g);
    if (!indices) return graph_fail(g, CR_EINVAL, "einsum", "no indices");
    struct term *t = mem_zero(&g->mem, mem_mul((size_t)n, sizeof *t));
    if (!t) return graph_fail(g, CR_ENOMEM, NULL, "out of memory");
    for (int i = 0; i < n; i++) t[i].x = ops_arithmetic(x[i], false);
    cr_node y = sum_of_products(indices, n, t);
    mem_free(&g->mem, t, (size_t)n * sizeof *t);
    return y;
}
