/* The value column of the op table as C: its words a, b, c and n become operands, its functions those of <tgmath.h> or helpers. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "emit/emit.h"
#include "tensor/dtype.h"

static bool is_word(char c) { return isalnum((unsigned char)c) || c == '_'; }

struct words {
    const char *operand[3];
    const char *so_far; /* of a reduction */
    int64_t n;
    cr_dtype dtype; /* of the operands: what functions are called for */
};

/* Functions of the value column that have another name as helpers. */
static const char *helper_name(const char *s, size_t n) {
    static const char *const pairs[][2] = {{"erfinv", "special_erfinv"},
                                           {"polygamma", "special_polygamma"},
                                           {"stumpff", "special_stumpff"},
                                           {"fold_in", "philox_fold"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (strlen(pairs[i][0]) == n && memcmp(pairs[i][0], s, n) == 0) return pairs[i][1];
    return NULL;
}

static void write_function(struct emitter *e, struct cr_text *out, const char *s, size_t n, cr_dtype dtype) {
    char name[64];
    const char *other = helper_name(s, n);
    memcpy(name, s, n < 63 ? n : 63);
    name[n < 63 ? n : 63] = 0;
    if (strcmp(name, "abs") == 0 && dtype_is_float(dtype)) text_str(out, "fabs");
    else if (other) emit_helper(e, out, other, CR_F64);
    else if (emit_has_helper(name, dtype)) emit_helper(e, out, name, dtype);
    else text_str(out, name);
}

static void write_words(struct emitter *e, struct cr_text *out, const char *s, const struct words *w) {
    while (*s) {
        size_t n = 0;
        if (!is_word(*s) || isdigit((unsigned char)*s)) {
            do text_char(out, *s);
            while (isdigit((unsigned char)*s++) && (is_word(*s) || *s == '.'));
            continue;
        }
        while (is_word(s[n])) n++;
        if (s[n] == '(') write_function(e, out, s, n, w->dtype);
        else if (n == 1 && *s >= 'a' && *s <= 'c' && w->operand[*s - 'a'])
            text_str(out, w->operand[*s - 'a']);
        else if (n == 1 && *s == 'n') text_add(out, "%lld", (long long)w->n);
        else if (n == 3 && memcmp(s, "acc", 3) == 0) text_str(out, w->so_far);
        else text_bytes(out, s, n);
        s += n;
    }
}

/* Halves are stored as bits, and computed with as f32. */
static struct expression widened(struct emitter *e, cr_dtype from, const char *x) {
    struct cr_text t = text_make(&e->mem);
    if (dtype_is_half(from)) emit_helper(e, &t, from == CR_F16 ? "half_to_f32" : "bf16_to_f32", CR_F64);
    text_add(&t, dtype_is_half(from) ? "(%s)" : "%s", x);
    return emit_take(e, &t);
}

static const char *suffix(cr_dtype dtype) { return cr_dtype_name(dtype); }

static void write_cast(struct emitter *e, struct cr_text *out, cr_dtype to, cr_dtype from,
                       const char *operand) {
    char type[80];
    struct expression x = widened(e, from, operand);
    bool cut = dtype_is_int(to) && (dtype_is_float(from) || (to == CR_I32 && from == CR_I64));
    if (to == CR_BOOL) text_add(out, "%s != 0", x.s);
    else if (cut) {
        if (to == CR_I32) text_str(out, "(int32_t)");
        emit_helper(e, out, "to_int", CR_F64);
        text_add(out, "((double)%s, %s)", x.s, to == CR_I32 ? "INT32_MIN, INT32_MAX" : "-0x1p63, 0x1p63");
    } else if (dtype_is_half(to)) {
        emit_helper(e, out, to == CR_F16 ? "half_from_f32" : "bf16_from_f32", CR_F64);
        text_add(out, dtype_is_float(from) ? "((float)%s)" : "((float)(double)%s)", x.s);
    } else if (e->exact && from == CR_I64 && dtype_is_float(to))
        text_add(out, "%s_of_i64(%s)", suffix(to), x.s);
    else text_add(out, "(%s)%s", emit_type(e, to, type), x.s);
}

/* a * a * a, for the small powers that people write. */
static bool write_power(struct cr_text *out, const char *x, int64_t n) {
    if (n < 1 || n > 4) return false;
    for (int64_t i = 0; i < n; i++) text_add(out, i ? " * %s" : "%s", x);
    return true;
}

/* ---- Exact: a function for each row and dtype, of the very text that the built-in kernels are made of ---- */

/* The text of a function that is needed, if it is not there yet. */
static void need(struct emitter *e, const char *name, const char *text) {
    struct cr_text begins = text_make(&e->mem);
    text_add(&begins, " %s(", name);
    if (!begins.failed && !(e->values.n && strstr(e->values.s, begins.s))) text_str(&e->values, text);
    text_end(&begins, &e->values);
}

/* sin or cos of a number that is small, which is noted: bits of magnitudes are in the order of the magnitudes. */
static void near_value(struct emitter *e, struct cr_text *out, const struct node *n, const char *x) {
    const char *name = op_name(n->op), *t = n->dtype == CR_F64 ? "double" : "float",
               *s = suffix((cr_dtype)n->dtype), *bits = n->dtype == CR_F64 ? "uint64_t" : "uint32_t";
    char own[64];
    struct cr_text f = text_make(&e->mem);
    snprintf(own, sizeof own, "near_%s_%s", name, s);
    text_add(
        &f,
        "static inline %s %s(%s a, %s *most) {\n    const %s b = bits_%s(magnitude_%s(a));\n    *most = b "
        "> *most ? b : *most;\n    return %s_near_%s(a);\n}\n",
        t, own, t, bits, bits, s, s, name, s);
    if (!f.failed) need(e, own, f.s);
    text_end(&f, &e->values);
    text_add(out, "%s(%s, &%s_%s%s)", own, x, e->most, s, strcmp(e->most, "far") == 0 ? "[lane]" : "");
}

static bool is_place(const struct emitter *e, uint32_t node) {
    uint32_t slot = e->p->view[node].slot;
    if (slot == no_slot) return false;
    const struct node *n = graph_at(e->g, e->p->slot[slot].node);
    return n->op == OP_iota && graph_elements(e->g, n) <= INT32_MAX;
}

int emit_place_operand(const struct emitter *e, uint32_t node) {
    const struct node *n = graph_at(e->g, node);
    if (!e->exact || n->op != OP_eq) return -1;
    return is_place(e, n->arg[1]) ? 1 : is_place(e, n->arg[0]) ? 0 : -1;
}

static void place_value(struct emitter *e, struct cr_text *out, int place,
                        const struct expression operand[]) {
    if (e->nowhere) {
        text_str(out, "0");
        return;
    }
    need(e, "v_at_place",
         "static inline uint8_t v_at_place(const int64_t a, const int64_t place) {\n    return ((int32_t)a | "
         "-(a != (int32_t)a)) == (int32_t)place; /* -1 is no place */\n}\n");
    text_add(out, "v_at_place(%s, %s)", operand[!place].s, operand[place].s);
}

static void exact_value(struct emitter *e, struct cr_text *out, const struct node *n, cr_dtype from,
                        cr_dtype to, const struct words *w) {
    char result[80], type[80], name[64];
    const char *t = emit_type(e, from, type);
    struct cr_text f = text_make(&e->mem);
    snprintf(name, sizeof name, "v_%s_%s", op_name(n->op), suffix(from));
    text_add(&f, "static inline %s %s(", emit_type(e, to, result), name);
    for (uint32_t k = 0; k < n->n; k++)
        text_add(&f, "const %s %c, ", n->op == OP_where && k == 0 ? "uint8_t" : t, 'a' + (int)k);
    text_add(&f, "const int64_t n) {\n    (void)n;\n    return (%s)(%s);\n}\n", emit_type(e, to, result),
             ops_row(n->op)->value);
    if (!f.failed) need(e, name, f.s);
    text_end(&f, &e->values);
    text_add(out, "%s(", name);
    for (uint32_t k = 0; k < n->n; k++) text_add(out, "%s, ", w->operand[k]);
    text_add(out, "%lld)", (long long)w->n);
}

/* As FOLD of device/cpu/fold.inc: one step; a tree of lanes; a line of at most a block, without what it starts with; any line. */
void emit_fold_name(struct emitter *e, struct cr_text *out, uint32_t node) {
    const struct node *n = graph_at(e->g, node);
    char name[64], type[80], combined[72];
    const char *t = emit_type(e, (cr_dtype)n->dtype, type);
    struct cr_text f = text_make(&e->mem);
    snprintf(name, sizeof name, "%s_%s", op_name(n->op), suffix((cr_dtype)n->dtype));
    snprintf(combined, sizeof combined, "c_%s", name);
    text_add(&f, "static inline %s %s(%s acc, %s a) { return (%s)(%s); }\n", t, combined, t, t, t,
             ops_row(n->op)->value);
    text_add(&f, "ALWAYS %s tree_%s(%s *lane, int half) {\n", t, name, t);
    for (int half = fold_lanes / 2; half > 0; half /= 2)
        text_add(&f,
                 "    if (half >= %d)\n        FEW_LANES for (int k = 0; k < %d; k++) lane[k] = %s(lane[k], "
                 "lane[k + %d]);\n",
                 half, half, combined, half);
    text_str(&f, "    return lane[0];\n}\n");
    text_add(&f,
             "static inline %s line_%s(const %s *x, int64_t n) {\n    %s lane[16];\n    int64_t i = 0;\n    "
             "for (int k "
             "= 0; k < 16; k++) lane[k] = %s;\n    for (; i + 16 <= n; i += 16)\n        for (int k = 0; k < "
             "16; k++) "
             "lane[k] = %s(lane[k], x[i + k]);\n    for (int k = 0; i < n; i++, k++) lane[k] = %s(lane[k], "
             "x[i]);\n    "
             "return tree_%s(lane, 8);\n}\n",
             t, name, t, t, emit_start(e, node), combined, combined, name);
    text_add(
        &f,
        "static inline %s lines_%s(const %s *x, int64_t n) {\n    %s all = %s;\n    for (int64_t at = 0; at "
        "< n; "
        "at += %d)\n        all = %s(all, line_%s(x + at, n - at < %d ? n - at : %d));\n    return all;\n}\n",
        t, name, t, t, emit_start(e, node), fold_block, combined, name, fold_block, fold_block);
    if (!f.failed) need(e, combined, f.s);
    text_end(&f, &e->values);
    text_str(out, name);
}

/* ---- Values ---- */

void emit_value(struct emitter *e, struct cr_text *out, uint32_t node, const struct expression operand[]) {
    const struct node *n = graph_at(e->g, node);
    cr_dtype from = (cr_dtype)graph_at(e->g, n->arg[n->n - 1])->dtype, to = (cr_dtype)n->dtype;
    struct words w = {.n = graph_attr_count(e->g, n) ? graph_attr(e->g, n)[0] : 0, .dtype = from};
    for (uint32_t k = 0; k < n->n && k < 3; k++) w.operand[k] = operand[k].s;
    char type[80];
    if (n->op == OP_cast) {
        write_cast(e, out, to, from, operand[0].s);
        return;
    }
    if (e->most && emit_has_far(n->op)) {
        near_value(e, out, n, operand[0].s);
        return;
    }
    const int place = emit_place_operand(e, node);
    if (place >= 0) {
        place_value(e, out, place, operand);
        return;
    }
    if (e->exact) {
        exact_value(e, out, n, from, to, &w);
        return;
    }
    text_add(out, "(%s)(", emit_type(e, to, type));
    if (n->op != OP_powi || !write_power(out, operand[0].s, w.n))
        write_words(e, out, ops_row(n->op)->value, &w);
    text_char(out, ')');
}

void emit_combine(struct emitter *e, struct cr_text *out, uint32_t node, const char *so_far,
                  const char *next) {
    const struct node *n = graph_at(e->g, node);
    char type[80];
    struct words w = {.operand = {next}, .so_far = so_far, .dtype = (cr_dtype)n->dtype};
    if (e->exact) {
        text_str(out, "c_");
        emit_fold_name(e, out, node);
        text_add(out, "(%s, %s)", so_far, next);
        return;
    }
    text_add(out, "(%s)(", emit_type(e, (cr_dtype)n->dtype, type));
    if (n->dtype == CR_BOOL) text_add(out, n->op == OP_max ? "%s | %s" : "%s & %s", so_far, next);
    else write_words(e, out, ops_row(n->op)->value, &w);
    text_char(out, ')');
}

/* What combines to nothing. */
const char *emit_start(const struct emitter *e, uint32_t node) {
    const struct node *n = graph_at(e->g, node);
    bool least = n->op == OP_max;
    if (n->op == OP_sum) return "0";
    if (n->op == OP_prod) return "1";
    switch ((cr_dtype)n->dtype) {
    case CR_BOOL: return least ? "0" : "1";
    case CR_I32: return least ? "INT32_MIN" : "INT32_MAX";
    case CR_I64: return least ? "INT64_MIN" : "INT64_MAX";
    default: return least ? "-INFINITY" : "INFINITY";
    }
}

void emit_literal(const struct emitter *e, struct cr_text *out, cr_dtype dtype, const void *data, int64_t i) {
    char type[80];
    double x = dtype_get(dtype, data, i);
    if (dtype == CR_I64) {
        int64_t v = ((const int64_t *)data)[i];
        if (v == INT64_MIN) text_str(out, "INT64_MIN");
        else text_add(out, v < 0 ? "(-INT64_C(%lld))" : "INT64_C(%lld)", (long long)(v < 0 ? -v : v));
    } else if (dtype_is_half(dtype)) text_add(out, "0x%04x", (unsigned)((const uint16_t *)data)[i]);
    else if (!dtype_is_float(dtype)) text_add(out, x < 0 ? "(%lld)" : "%lld", (long long)x);
    else if (x != x) text_add(out, "(%s)NAN", emit_type(e, dtype, type));
    else if (x - x != 0)
        text_add(out, "(%s)%s", emit_type(e, dtype, type), x > 0 ? "INFINITY" : "(-INFINITY)");
    else {
        text_add(out, x < 0 ? "(%s)(" : "(%s)", emit_type(e, dtype, type));
        size_t before = out->n;
        if (dtype == CR_F32) text_number_f32(out, (float)x);
        else text_number(out, x);
        if (!out->failed && !strpbrk(out->s + before, ".e")) text_str(out, ".0");
        if (x < 0) text_char(out, ')');
    }
}
