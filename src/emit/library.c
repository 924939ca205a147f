/* The helpers that emitted C calls: functions of this library's own sources, as text, with names and types put in. */
#include <ctype.h>
#include <string.h>

#include "emit/emit.h"
#include "tensor/dtype.h"

static const struct block {
    enum block_kind kind;
    const char *name, *text;
} blocks[] = {
#include "emit/blocks.inc"
};
enum { block_count = sizeof blocks / sizeof *blocks };

static enum block_kind kind_of(cr_dtype dtype) { return dtype_is_float(dtype) ? BLOCK_REAL : BLOCK_INT; }

static const struct block *find(enum block_kind kind, const char *name, size_t n) {
    for (int i = 0; i < block_count; i++)
        if ((blocks[i].kind == kind || blocks[i].kind == BLOCK_ANY) && strlen(blocks[i].name) == n &&
            memcmp(blocks[i].name, name, n) == 0)
            return &blocks[i];
    return NULL;
}

bool emit_has_helper(const char *name, cr_dtype dtype) {
    return find(kind_of(dtype), name, strlen(name)) != NULL;
}

static const char *const suffixes[] = {"_f64", "_f32", "_i32", "_i64", "_u8"};

bool emit_is_helper(const char *name) {
    static const char *const own[] = {"real",       "port",           "ports", "pattern", "patterns",
                                      "row_starts", "column_indices", "H",     "PORTS",   "REAL",
                                      "UNCHECKED",  "VERSION",        "WORK"};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (strcmp(name, own[i]) == 0) return true;
    for (int i = 0; i < block_count; i++) {
        size_t n = strlen(blocks[i].name);
        if (strncmp(blocks[i].name, name, n) != 0) continue;
        if (name[n] == 0) return true;
        for (int k = 0; k < 5; k++)
            if (strcmp(name + n, suffixes[k]) == 0) return true;
    }
    return false;
}

/* Is it written for a type of number? */
static bool is_typed(const struct block *b) { return strstr(b->text, "NAME(") != NULL; }

static const char *suffix_of(const struct emitter *e, cr_dtype dtype) {
    if ((int)dtype == e->real) return "";
    static const cr_dtype of[] = {CR_F64, CR_F32, CR_I32, CR_I64};
    for (int k = 0; k < 4; k++)
        if (dtype == of[k]) return suffixes[k];
    return suffixes[4];
}

static void note(struct emitter *e, const struct block *b, cr_dtype dtype) {
    struct cr_text line = text_make(&e->mem);
    text_add(&line, "%05d %d\n", (int)(b - blocks), is_typed(b) ? (int)dtype : 0);
    if (!line.failed && !(e->file->helpers.n && strstr(e->file->helpers.s, line.s)))
        text_str(&e->file->helpers, line.s);
    text_drop(&line);
}

void emit_helper(struct emitter *e, struct cr_text *out, const char *name, cr_dtype dtype) {
    const struct block *b = find(kind_of(dtype), name, strlen(name));
    if (!b) {
        emit_refuse(e, "there is no C for %s of %s", name, cr_dtype_name(dtype));
        return;
    }
    note(e, b, dtype);
    text_add(out, "%s_%s%s", e->wish->prefix, name, is_typed(b) ? suffix_of(e, dtype) : "");
}

static const char *const mathematics[] = {
#include "emit/math.inc"
};

void emit_math(struct cr_text *header) {
    for (size_t i = 0; i < sizeof mathematics / sizeof *mathematics; i++) text_str(header, mathematics[i]);
}

/* ---- Writing them ---- */

static bool is_word(char c) { return isalnum((unsigned char)c) || c == '_'; }

static size_t word_length(const char *s) {
    size_t n = 0;
    while (is_word(s[n])) n++;
    return n;
}

static bool word_is(const char *s, size_t n, const char *word) {
    return strlen(word) == n && memcmp(s, word, n) == 0;
}

/* A word of a block's text, in its place. Gives where reading goes on. */
static const char *write_word(struct emitter *e, struct cr_text *out, const char *s, size_t n, bool typed,
                              cr_dtype dtype) {
    char type[80];
    const struct block *other = find(typed ? kind_of(dtype) : BLOCK_ANY, s, n);
    if (word_is(s, n, "T")) text_str(out, emit_type(e, dtype, type));
    else if (word_is(s, n, "U")) text_str(out, dtype == CR_I32 ? "uint32_t" : "uint64_t");
    else if (word_is(s, n, "NAME")) {
        size_t length = word_length(s + 5);
        const struct block *called = find(kind_of(dtype), s + 5, length);
        if (called) note(e, called, dtype);
        text_add(out, "%s_%.*s%s", e->wish->prefix, (int)length, s + 5, suffix_of(e, dtype));
        return s + 5 + length + 1;
    } else if (other && s[n] == '(') {
        char name[80];
        memcpy(name, s, n < 79 ? n : 79);
        name[n < 79 ? n : 79] = 0;
        emit_helper(e, out, name, dtype);
    } else text_bytes(out, s, n);
    return s + n;
}

static void write_block(struct emitter *e, struct cr_text *out, const struct block *b, cr_dtype dtype) {
    const char *s = b->text;
    while (strncmp(s, "/*", 2) == 0) { /* the comment above */
        const char *end = strstr(s, "*/");
        text_bytes(out, s, (size_t)(end - s) + 3);
        s = end + 3;
    }
    if (strncmp(s, "static", 6) != 0) text_str(out, "static ");
    while (*s) {
        size_t n = word_length(s);
        if (n == 0) text_char(out, *s++);
        else s = write_word(e, out, s, n, is_typed(b), dtype);
    }
    text_char(out, '\n');
}

/* The list grows while its blocks are written, since blocks call others. */
void emit_library(struct emitter *e, struct cr_text *out) {
    struct cr_text prototypes = text_make(&e->mem), bodies = text_make(&e->mem);
    for (size_t at = 0; at < e->file->helpers.n && !bodies.failed && !e->file->helpers.failed;) {
        int index = 0, dtype = 0;
        const char *s = e->file->helpers.s + at;
        for (; *s != ' '; s++) index = 10 * index + (*s - '0');
        for (s++; *s != '\n'; s++) dtype = 10 * dtype + (*s - '0');
        at = (size_t)(s + 1 - e->file->helpers.s);
        struct cr_text one = text_make(&e->mem);
        write_block(e, &one, &blocks[index], (cr_dtype)dtype);
        text_bytes(&bodies, one.s ? one.s : "", one.n);
        const char *from = one.s ? strstr(one.s, "static ") : NULL, *to = from ? strchr(from, '{') : NULL;
        if (to) text_bytes(&prototypes, from, (size_t)(to - from - 1)), text_str(&prototypes, ";\n");
        text_drop(&one);
    }
    if (prototypes.n) text_char(&prototypes, '\n');
    text_bytes(out, prototypes.s ? prototypes.s : "", prototypes.n);
    text_bytes(out, bodies.s ? bodies.s : "", bodies.n);
    text_drop(&prototypes);
    text_drop(&bodies);
}
