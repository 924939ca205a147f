/* A graph's structure as words. */
#include "run/key.h"

#include <string.h>

#include "graph/function.h"

enum {
    words_a_node = 8,     /* about */
    large_bytes = 1 << 12 /* from here on a graph shares an attribute with its programs, and so does a key */
};

struct key key_make(const struct mem *m) {
    return (struct key){.mem = *m};
}

void key_drop(struct key *k) {
    mem_free(&k->mem, k->word, k->cap * sizeof *k->word);
    if (k->large.n) intern_drop(&k->large);
    *k = (struct key){.mem = k->mem};
}

/* Room for so many words, or NULL. They count as written. */
static uint64_t *room(struct key *k, size_t words) {
    if (k->cap - k->n < words && !k->failed) {
        size_t cap = mem_add(mem_mul(2, k->cap), mem_add(words, 64));
        uint64_t *p = mem_resize(&k->mem, k->word, k->cap * sizeof *p, mem_mul(cap, sizeof *p));
        if (p) k->word = p, k->cap = cap;
        else k->failed = true;
    }
    if (k->failed) return NULL;
    k->n += words;
    return k->word + k->n - words;
}

void key_word(struct key *k, uint64_t word) {
    uint64_t *to = room(k, 1);
    if (to) *to = word;
}

/* The size, then the bytes, the last word filled up with 0. */
static void add_bytes(struct key *k, const void *bytes, size_t size) {
    size_t words = (size + 7) / 8;
    uint64_t *to = room(k, 1 + words);
    if (!to) return;
    to[0] = size;
    if (!words) return;
    to[words] = 0;
    memcpy(to + 1, bytes, size);
}

void key_text(struct key *k, const char *s) {
    if (s) add_bytes(k, s, strlen(s));
    else key_word(k, UINT64_MAX); /* no text is so long */
}

/* ---- Nodes ---- */

/* Where nodes are numbered, and the file noted last: most are noted with the same. */
struct writer {
    struct key *k;
    const cr_graph *g;
    const uint32_t *map; /* NULL: their ids */
    uint32_t file;
};

static void write_graph(struct key *k, const cr_graph *g, const uint32_t *map);

static void write_function(struct key *k, const cr_function *f) {
    key_word(k, f != NULL);
    if (f && f->ctx != k->ctx) k->alone = true;
    if (!f || k->alone) return;
    key_word(k, (uint64_t)f->n_in << 32 | f->n_out);
    for (uint32_t i = 0; i < f->n_in; i++) key_word(k, f->in[i]);
    for (uint32_t i = 0; i < f->n_out; i++) key_word(k, f->out[i]);
    key_text(k, f->name);
    if (f->callback) { /* of the host */
        uint64_t *to = room(k, 4);
        if (to) {
            to[0] = (uint64_t)(uintptr_t)f->callback, to[1] = (uint64_t)(uintptr_t)f->vjp;
            to[2] = (uint64_t)(uintptr_t)f->jvp, to[3] = (uint64_t)(uintptr_t)f->user;
        }
    }
    write_graph(k, f->g, NULL);
}

/* A constant of thousands of numbers, or the pattern of a large matrix. */
static bool refer(struct key *k, const cr_graph *g, uint32_t attr) {
    const void *bytes = intern_bytes(&g->attr, attr);
    size_t size = intern_size(&g->attr, attr);
    if (size < large_bytes) return false;
    uint32_t number = intern_none;
    if (k->large.n || intern_init(&k->large, &k->mem)) number = intern_share(&k->large, &g->attr, attr);
    if (number == intern_none) k->failed = true;
    key_word(k, number);
    key_word(k, intern_hash(bytes, size));
    return true;
}

void key_attribute(struct key *k, const cr_graph *g, uint32_t attr) {
    size_t size = intern_size(&g->attr, attr);
    key_word(k, size);
    if (!refer(k, g, attr)) add_bytes(k, intern_bytes(&g->attr, attr), size);
}

static void write_attributes(struct writer *w, const struct node *n) {
    struct key *k = w->k;
    if (n->op == OP_variable) return; /* its number tells it from others of its operand: so does its place */
    if (n->op == OP_input || n->op == OP_param) {
        key_text(k, graph_text(w->g, (uint32_t)graph_attr(w->g, n)[0]));
        return;
    }
    size_t count = graph_attr_count(w->g, n), first = 0;
    const int64_t *attr = graph_attr(w->g, n);
    key_word(k, count);
    bool control = op_kind(n->op) == KIND_CONTROL;
    if (!control && refer(k, w->g, n->attr)) return;
    if (control) {
        first = 1 + control_functions(w->g, n);
        key_word(k, first);
        for (uint32_t i = 0; i + 1 < first; i++) write_function(k, control_function(w->g, n, i));
    }
    uint64_t *to = room(k, count - first);
    if (to) memcpy(to, attr + first, (count - first) * sizeof *to);
}

/* Those that a copy of the node has: its oldest name and its oldest position. */
static void write_notes(struct writer *w, uint32_t id) {
    const struct note *name = graph_find_note(w->g, id, NOTE_NAME),
                      *position = graph_find_note(w->g, id, NOTE_POSITION);
    key_text(w->k, name ? graph_text(w->g, name->text) : NULL);
    bool same = !position || position->text == w->file;
    key_word(w->k, (uint64_t)(position != NULL) << 1 | same);
    if (!position) return;
    key_word(w->k, (uint64_t)(uint32_t)position->line << 32 | (uint32_t)position->column);
    if (!same) key_text(w->k, graph_text(w->g, position->text));
    w->file = position->text;
}

static void write_node(struct writer *w, uint32_t id) {
    const struct node *n = graph_at(w->g, id);
    const uint32_t *x = graph_args(w->g, n);
    const int64_t *dim = graph_dims(w->g, n);
    size_t rank = (size_t)graph_rank(w->g, n);
    uint64_t *to = room(w->k, 1 + rank + n->n);
    if (!to) return;
    bool attributes = n->attr || op_kind(n->op) == KIND_LEAF;
    *to++ = n->op | (uint64_t)n->dtype << 16 | (uint64_t)n->weak << 24 | (uint64_t)attributes << 25 |
            (uint64_t)(n->note != 0) << 26 | (uint64_t)rank << 27 | (uint64_t)n->n << 32;
    for (size_t i = 0; i < rank; i++) *to++ = (uint64_t)dim[i];
    for (uint32_t i = 0; i < n->n; i++) *to++ = w->map ? w->map[x[i]] : x[i];
    if (attributes) write_attributes(w, n);
    if (n->note) write_notes(w, id);
}

/* All of g, or what map numbers. */
static void write_graph(struct key *k, const cr_graph *g, const uint32_t *map) {
    struct writer w = {k, g, map, intern_none};
    key_word(k, (uint64_t)g->default_float << 32 | g->count * (uint64_t)!map);
    for (uint32_t id = 1; id < g->count; id++)
        if (!map || map[id]) write_node(&w, id);
}

void key_graph(struct key *k, const cr_graph *g, size_t n, const uint32_t root[], uint32_t *map) {
    uint32_t number = 0;
    k->ctx = g->ctx;
    memset(map, 0, g->count * sizeof *map);
    for (size_t i = 0; i < n; i++) map[root[i]] = 1;
    for (uint32_t id = g->count; id-- > 1;) {
        const struct node *x = graph_at(g, id);
        if (!map[id]) continue;
        number++;
        for (uint32_t i = 0; i < x->n; i++) map[graph_args(g, x)[i]] = 1;
    }
    if (!room(k, mem_mul(words_a_node, number))) return;
    k->n -= words_a_node * (size_t)number;
    key_word(k, number);
    number = 0;
    for (uint32_t id = 1; id < g->count; id++)
        if (map[id]) map[id] = ++number;
    write_graph(k, g, map);
    for (size_t i = 0; i < n; i++) key_word(k, map[root[i]]);
}

/* ---- Whole keys ---- */

/* Four sums beside each other, so that none waits for another. Equal words are compared anyhow. */
void key_end(struct key *k) {
    uint64_t h[4] = {0xe220a8397b1dcdaf, 0x6e789e6aa1b965f5, 0x06c45d188009454f, 0xf88bb8a8724c81ed};
    for (size_t i = 0; i < k->n; i++) {
        uint64_t x = (h[i & 3] ^ k->word[i]) * 0x9E3779B97F4A7C15u;
        h[i & 3] = x ^ x >> 32;
    }
    uint64_t all = k->n;
    for (int i = 0; i < 4; i++) all = (all ^ h[i]) * 0x9E3779B97F4A7C15u, all ^= all >> 29;
    k->hash = all;
}

size_t key_bytes(const struct key *k) { return k->cap * sizeof *k->word; }

static bool same_large(const struct intern *a, const struct intern *b) {
    if (a->n != b->n) return false;
    for (uint32_t i = 0; i < a->n; i++) {
        size_t size = intern_size(a, i);
        const void *x = intern_bytes(a, i), *y = intern_bytes(b, i);
        if (size != intern_size(b, i) || (x != y && memcmp(x, y, size) != 0)) return false;
    }
    return true;
}

bool key_equal(const struct key *a, const struct key *b) {
    return a->hash == b->hash && a->n == b->n && memcmp(a->word, b->word, a->n * sizeof *a->word) == 0 &&
           same_large(&a->large, &b->large);
}
