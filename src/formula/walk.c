/* What the two printers share. */
#include "formula/walk.h"

#include <math.h>
#include <string.h>

#include "ops/build.h"
#include "tensor/dtype.h"

static const struct infix infix[] = {
    {OP_or, LEVEL_OR, LEVEL_OR, LEVEL_AND, " or ", " \\lor "},
    {OP_and, LEVEL_AND, LEVEL_AND, LEVEL_NOT, " and ", " \\land "},
    {OP_lt, LEVEL_COMPARE, LEVEL_SUM, LEVEL_SUM, " < ", " < "},
    {OP_le, LEVEL_COMPARE, LEVEL_SUM, LEVEL_SUM, " <= ", " \\le "},
    {OP_eq, LEVEL_COMPARE, LEVEL_SUM, LEVEL_SUM, " == ", " = "},
    {OP_ne, LEVEL_COMPARE, LEVEL_SUM, LEVEL_SUM, " != ", " \\ne "},
    {OP_add, LEVEL_SUM, LEVEL_SUM, LEVEL_PRODUCT, " + ", " + "},
    {OP_sub, LEVEL_SUM, LEVEL_SUM, LEVEL_PRODUCT, " - ", " - "},
    {OP_mul, LEVEL_PRODUCT, LEVEL_PRODUCT, LEVEL_MINUS, "*", " \\, "},
    {OP_div, LEVEL_PRODUCT, LEVEL_PRODUCT, LEVEL_MINUS, "/", NULL},
    {OP_floordiv, LEVEL_PRODUCT, LEVEL_PRODUCT, LEVEL_MINUS, " // ", NULL},
    {OP_mod, LEVEL_PRODUCT, LEVEL_PRODUCT, LEVEL_MINUS, " % ", " \\bmod "},
    {OP_matmul, LEVEL_PRODUCT, LEVEL_PRODUCT, LEVEL_MINUS, " @ ", " \\, "},
    {OP_pow, LEVEL_POWER, LEVEL_ATOM, LEVEL_MINUS, "^", NULL},
};

const struct infix *walk_infix(int op) {
    for (size_t i = 0; i < sizeof infix / sizeof *infix; i++)
        if (infix[i].op == op) return &infix[i];
    return NULL;
}

/* ---- The stack ---- */

enum item_kind { ITEM_TEXT, ITEM_WORD, ITEM_NODE, ITEM_TAIL };

struct item {
    const char *text;
    uint32_t id;
    uint8_t kind, least, setting;
};

static void put(struct walk *w, struct item item) {
    if (!mem_grow(&w->g->mem, &w->item, &w->cap, w->n, sizeof item)) {
        w->out->failed = true;
        return;
    }
    w->item[w->n++] = item;
}

void walk_text(struct walk *w, const char *text) { put(w, (struct item){.kind = ITEM_TEXT, .text = text}); }

void walk_word(struct walk *w, const char *op) { put(w, (struct item){.kind = ITEM_WORD, .text = op}); }

void walk_operand(struct walk *w, uint32_t id, enum level least, enum setting setting) {
    put(w, (struct item){.kind = ITEM_NODE, .id = id, .least = (uint8_t)least, .setting = (uint8_t)setting});
}

void walk_tail(struct walk *w, uint32_t id) { put(w, (struct item){.kind = ITEM_TAIL, .id = id}); }

static void reverse(struct item *item, size_t n) {
    for (size_t i = 0; i < n / 2; i++) {
        struct item swap = item[i];
        item[i] = item[n - 1 - i];
        item[n - 1 - i] = swap;
    }
}

static const char *label_of(const struct walk *w, uint32_t id) {
    cr_node x = graph_handle(w->g, id);
    const char *label = w->labels ? w->labels->label(w->labels->user, x) : cr_name(x);
    if (label) return label;
    int op = graph_at(w->g, id)->op;
    return op == OP_input || op == OP_param ? cr_name(x) : NULL;
}

static void write_node(struct walk *w, const struct item *item, bool expand) {
    const char *label = item->id == 0 ? "error" : expand ? NULL : label_of(w, item->id);
    size_t from = w->n;
    if (label) w->style->name(w, label);
    else w->style->node(w, item->id, (enum level)item->least, (enum setting)item->setting);
    reverse(w->item + from, w->n - from);
}

void walk_run(struct walk *w, cr_node root, bool expand_root) {
    struct item item = {.id = graph_get(root) ? root.id : 0, .setting = (uint8_t)walk_alone(w)};
    const size_t start = w->out->n;
    if (!w->g) {
        text_str(w->out, "error");
        return;
    }
    int op = graph_at(w->g, item.id)->op;
    write_node(w, &item, expand_root && op != OP_input && op != OP_param);
    while (w->n && !w->out->failed) {
        if (w->out->n - start > (w->exact ? most_text : print_limit)) {
            text_str(w->out, "...");
            break;
        }
        item = w->item[--w->n];
        if (item.kind == ITEM_TEXT) text_str(w->out, item.text);
        else if (item.kind == ITEM_WORD) w->style->word(w, item.text);
        else if (item.kind == ITEM_TAIL) w->style->tail(w, item.id);
        else write_node(w, &item, false);
    }
    mem_free(&w->g->mem, w->item, w->cap * sizeof *w->item);
}

/* ---- What goes without saying ---- */

static uint32_t operand(const cr_graph *g, const struct node *n, int i) { return graph_args(g, n)[i]; }

bool walk_plain(const struct walk *w, uint32_t id, int op) {
    return graph_at(w->g, id)->op == op && !label_of(w, id);
}

/* What a reader takes for a literal when its digits stand beside something with a dtype. */
static bool literal(const cr_graph *g, uint32_t id) {
    const struct node *n = graph_at(g, id);
    return n->weak || (n->op == OP_const && (graph_rank(g, n) == 0 || dtype_is_float((cr_dtype)n->dtype)));
}

/* The operand of a node of this op that has no label. A cast literal is not what a bare one becomes; a list of
 * integers or bools has a dtype of its own. */
static uint32_t strip(const struct walk *w, uint32_t id, int op) {
    if (!walk_plain(w, id, op)) return id;
    uint32_t inner = operand(w->g, graph_at(w->g, id), 0);
    return op == OP_cast && literal(w->g, inner) && graph_at(w->g, inner)->op == OP_const ? id : inner;
}

bool walk_scalar(const cr_graph *g, uint32_t id, double *value) {
    const struct node *n = graph_at(g, id);
    if (n->op != OP_const || graph_rank(g, n) != 0) return false;
    *value = dtype_get((cr_dtype)n->dtype, graph_attr(g, n), 0);
    return true;
}

static int64_t size_from_end(const cr_graph *g, uint32_t id, int k) {
    const struct node *n = graph_at(g, id);
    int rank = graph_rank(g, n);
    return k <= rank ? graph_dims(g, n)[rank - k] : 1;
}

/* Do these operands broadcast to the shape of n, as the elementwise builders allow it? */
static bool broadcasts(const cr_graph *g, const struct node *n, const uint32_t id[]) {
    int rank = graph_rank(g, n), most = 0;
    bool added = false, stretched = false;
    for (uint32_t i = 0; i < n->n; i++) {
        int r = graph_rank(g, graph_at(g, id[i]));
        if (r > most) most = r;
        added = added || (r > 0 && r < rank);
    }
    for (int k = 1; k <= rank; k++) {
        int64_t size = graph_dims(g, n)[rank - k];
        bool reached = size == 1;
        for (uint32_t i = 0; i < n->n; i++) {
            bool same = size_from_end(g, id[i], k) == size;
            reached = reached || same;
            stretched = stretched || (!same && graph_rank(g, graph_at(g, id[i])) == rank);
        }
        if (!reached) return false;
    }
    return most == rank && !(added && stretched);
}

static void strip_expands(const struct walk *w, const struct node *n, uint32_t id[]) {
    const cr_graph *g = w->g;
    for (uint32_t i = 0; i < n->n; i++) id[i] = strip(w, id[i], OP_expand);
    for (uint32_t i = 0; i < n->n && !broadcasts(g, n, id); i++) id[i] = operand(g, n, (int)i);
}

static int arithmetic_dtype(const cr_graph *g, cr_dtype d, enum dtype_rule rule) {
    if (dtype_is_half(d)) return CR_F32;
    if (dtype_is_float(d)) return (int)d;
    if (rule == DTYPE_FLOAT) return (int)g->default_float;
    return d == CR_BOOL && rule != DTYPE_SELECT ? CR_I64 : (int)d;
}

/* The dtype that the builder would make common, literals following the others; -1 where it would refuse, and where
 * there are but literals. */
static int common_dtype(const cr_graph *g, const struct node *n, const uint32_t id[]) {
    enum dtype_rule rule = ops_row(n->op)->dtype;
    int found = -1;
    bool fraction = false;
    for (uint32_t i = rule == DTYPE_SELECT; i < n->n; i++) {
        double v;
        if (literal(g, id[i])) {
            fraction = fraction || !walk_scalar(g, id[i], &v) || v != floor(v) || fabs(v) >= 0x1p53;
            continue;
        }
        int d = arithmetic_dtype(g, (cr_dtype)graph_at(g, id[i])->dtype, rule);
        if (found >= CR_F16 && d >= CR_F16 && d != found) return -1;
        if (d > found) found = d;
    }
    return found >= 0 && found < CR_F16 && fraction ? (int)g->default_float : found;
}

static int value_dtype(const cr_graph *g, const struct node *n) {
    return graph_at(g, operand(g, n, (int)n->n - 1))->dtype;
}

static bool strip_casts(const struct walk *w, const struct node *n, uint32_t id[]) {
    const cr_graph *g = w->g;
    uint32_t bare[3];
    enum dtype_rule rule = ops_row(n->op)->dtype;
    if (rule == DTYPE_LOGIC || rule == DTYPE_INTEGER) return true;
    for (uint32_t i = 0; i < n->n; i++) bare[i] = strip(w, id[i], OP_cast);
    if (common_dtype(g, n, bare) != value_dtype(g, n)) return common_dtype(g, n, id) == value_dtype(g, n);
    for (uint32_t i = 0; i < n->n; i++) id[i] = bare[i];
    return true;
}

struct operands walk_operands(const struct walk *w, const struct node *n) {
    const cr_graph *g = w->g;
    struct operands o = {.setting = walk_alone(w)};
    for (uint32_t i = 0; i < n->n && i < 3; i++) o.id[i] = operand(g, n, (int)i);
    if (op_kind(n->op) == KIND_ELEM) {
        strip_expands(w, n, o.id);
        o.setting = strip_casts(w, n, o.id) ? SETTING_TYPED : walk_alone(w);
    } else if (op_kind(n->op) == KIND_REDUCE && ops_row(n->op)->dtype == DTYPE_NUMBER) {
        uint32_t bare = strip(w, o.id[0], OP_cast);
        if (arithmetic_dtype(g, (cr_dtype)graph_at(g, bare)->dtype, DTYPE_NUMBER) == n->dtype) o.id[0] = bare;
    }
    return o;
}

/* x as cr_matmul reshaped it: a vector made a row or a column, leading axes folded into rows. */
static uint32_t unfold(const struct walk *w, uint32_t id, int vector_axis, int64_t rows_end) {
    const cr_graph *g = w->g;
    const struct node *n = graph_at(g, id);
    uint32_t x = strip(w, id, OP_reshape);
    if (x == id || graph_rank(g, n) != 2) return id;
    int rank = graph_rank(g, graph_at(g, x));
    if (rank == 1 && graph_dims(g, n)[vector_axis] == 1) return x;
    return rows_end > 0 && rank > 2 && size_from_end(g, x, 1) == rows_end ? x : id;
}

bool walk_matmul(const struct walk *w, const struct node *n, uint32_t out[2]) {
    const cr_graph *g = w->g;
    if (n->op != OP_reshape) return false;
    uint32_t inner = operand(g, n, 0), id = strip(w, inner, OP_reshape);
    const struct node *m = graph_at(g, id);
    if (m->op != OP_matmul || label_of(w, id) || graph_rank(g, m) != 2) return false;
    out[0] = unfold(w, operand(g, m, 0), 0, size_from_end(g, operand(g, m, 0), 1));
    out[1] = unfold(w, operand(g, m, 1), 1, 0);
    struct shape a = graph_shape(g, graph_at(g, out[0])), b = graph_shape(g, graph_at(g, out[1]));
    struct shape y = {0}, have = graph_shape(g, n);
    bool twice = a.rank != 2 && b.rank == 1; /* each vector takes its axis away, and rows unfold, in turn */
    if (twice != (id != inner)) return false;
    for (int i = 0; i < a.rank - 1; i++) y.dim[y.rank++] = a.dim[i];
    if (b.rank == 2) y.dim[y.rank++] = b.dim[1];
    return shape_equal(&y, &have);
}

bool walk_kept(const struct walk *w, const struct node *n) {
    const cr_graph *g = w->g;
    if (n->op != OP_reshape) return false;
    const struct node *r = graph_at(g, operand(g, n, 0));
    if (op_kind(r->op) != KIND_REDUCE || label_of(w, operand(g, n, 0))) return false;
    struct shape kept = graph_shape(g, graph_at(g, operand(g, r, 0))), have = graph_shape(g, n);
    for (size_t i = 0; i < graph_attr_count(g, r); i++) kept.dim[kept.rank + graph_attr(g, r)[i]] = 1;
    return shape_equal(&kept, &have);
}

bool walk_transpose(const cr_graph *g, const struct node *n) {
    if (n->op != OP_permute) return false;
    const int64_t *from = graph_attr(g, n); /* last axis first, counted from the end */
    int rank = graph_rank(g, n);
    for (int i = 2; i < rank; i++)
        if (from[i] != -1 - i) return false;
    return rank >= 2 && from[0] == -2 && from[1] == -1;
}

void walk_number(struct cr_text *out, cr_dtype dtype, const void *data, int64_t i) {
    if (dtype == CR_BOOL) text_str(out, dtype_get(dtype, data, i) != 0 ? "true" : "false");
    else if (dtype == CR_I64) text_add(out, "%lld", (long long)((const int64_t *)data)[i]);
    else if (dtype == CR_F64 || dtype == CR_I32) text_number(out, dtype_get(dtype, data, i));
    else text_number_f32(out, (float)dtype_get(dtype, data, i));
}
