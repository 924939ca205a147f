/* Names of emitted C: those that nodes have, as identifiers, each once. */
#include <ctype.h>
#include <string.h>

#include "emit/emit.h"
#include "tensor/dtype.h"

const char *emit_type(const struct emitter *e, cr_dtype dtype, char room[80]) {
    static const char *const types[] = {
        [CR_BOOL] = "uint8_t",  [CR_I32] = "int32_t", [CR_I64] = "int64_t", [CR_F16] = "uint16_t",
        [CR_BF16] = "uint16_t", [CR_F32] = "float",   [CR_F64] = "double"};
    if ((int)dtype != e->real) return types[dtype];
    size_t n = strlen(e->wish->prefix);
    memcpy(room, e->wish->prefix, n);
    memcpy(room + n, "_real", 6);
    return room;
}

bool emit_start_names(struct emitter *e) {
    uint32_t count = e->g->count;
    e->name = mem_alloc(&e->mem, mem_mul(count, sizeof *e->name));
    e->local = mem_alloc(&e->mem, mem_mul(count, sizeof *e->local));
    e->second = mem_alloc(&e->mem, mem_mul(count, sizeof *e->second));
    bool ok = intern_init(&e->used, &e->mem) && e->name && e->local && e->second;
    for (uint32_t i = 0; i < count && ok; i++) e->name[i] = e->local[i] = e->second[i] = intern_none;
    for (uint32_t i = 1; i < count && ok && !e->exact; i++) {
        int op = graph_at(e->g, i)->op;
        if (op == OP_seed || op == OP_step_number)
            e->name[i] = intern_put(&e->used, op == OP_seed ? "run_seed" : "run_step", 8);
    }
    if (!ok) e->status = CR_ENOMEM;
    return ok;
}

void emit_drop_names(struct emitter *e) {
    uint32_t count = e->g->count;
    mem_free(&e->mem, e->name, count * sizeof *e->name);
    mem_free(&e->mem, e->local, count * sizeof *e->local);
    mem_free(&e->mem, e->second, count * sizeof *e->second);
    intern_drop(&e->used);
}

/* What the function itself calls its own. */
static bool is_local(const char *s) {
    return emit_is_among(
        " i j k l m n i6 i7 q at best most so_far order spare line matrix sides values vectors size sign "
        "work row run_seed run_step index given room inside trip limit holds status batch_number first_row "
        "row_start row_count row_past ",
        s);
}

/* What chainrule_math.h calls its own. */
static bool is_of_mathematics(const char *s) {
    char stem[64];
    size_t n = strlen(s);
    if (strncmp(s, "F64_", 4) == 0 || strncmp(s, "F32_", 4) == 0) return true;
    if (emit_is_among(" SIGN SIGNED FUSED UNFUSED SIN_FAR COS_FAR OF_FORMAT OF_TWO ", s)) return true;
    if (n < 5 || n >= sizeof stem || (strcmp(s + n - 4, "_f64") != 0 && strcmp(s + n - 4, "_f32") != 0))
        return false;
    memcpy(stem, s, n - 4);
    stem[n - 4] = 0;
    return emit_is_word(stem) || strcmp(stem, "magnitude") == 0;
}

/* h' as dh: a tangent or cotangent of h. */
static void add_identifier(struct cr_text *name, const char *wanted) {
    size_t n = strlen(wanted);
    for (; n > 1 && wanted[n - 1] == '\''; n--) text_char(name, 'd');
    for (size_t i = 0; i < n; i++) text_char(name, isalnum((unsigned char)wanted[i]) ? wanted[i] : '_');
}

/* The name, or it with the first number that makes it one that nobody has. */
static uint32_t put_new(struct emitter *e, struct intern *names, struct cr_text *name, size_t prefix) {
    size_t base = name->n;
    for (int i = 2; !name->failed && (intern_find(names, name->s, name->n) != intern_none ||
                                      (prefix && emit_is_helper(name->s + prefix)));
         i++) {
        name->n = base;
        text_add(name, "_%d", i);
    }
    uint32_t id = name->failed ? intern_none : intern_put(names, name->s, name->n);
    if (id == intern_none) e->status = CR_ENOMEM;
    text_drop(name);
    return id;
}

/* Does it begin as names of the file, or its macros, do? */
static bool is_own(const char *prefix, const char *wanted) {
    for (; *prefix; prefix++, wanted++)
        if (*wanted != *prefix && *wanted != toupper((unsigned char)*prefix)) return false;
    return *wanted == '_';
}

/* What begins as the file's own names do gets another beginning. */
uint32_t emit_reserve(struct emitter *e, const char *wanted) {
    struct cr_text name = text_make(&e->mem);
    if (is_own(e->wish->prefix, wanted) || !isalpha((unsigned char)*wanted)) text_char(&name, 'x');
    add_identifier(&name, wanted);
    if (!name.failed && (emit_is_word(name.s) || is_local(name.s) || is_of_mathematics(name.s)))
        text_char(&name, '_');
    return put_new(e, &e->used, &name, 0);
}

uint32_t emit_file_name(struct emitter *e, const char *wanted) {
    struct cr_text name = text_make(&e->mem);
    text_add(&name, "%s_", e->wish->prefix);
    size_t prefix = name.n;
    add_identifier(&name, wanted);
    return put_new(e, &e->file->names, &name, prefix);
}

const char *emit_reserved(const struct emitter *e, uint32_t name) {
    return name == intern_none ? "x" : intern_bytes(&e->used, name);
}

/* The name that a person gave it, else its op and number. */
static uint32_t choose(struct emitter *e, uint32_t node) {
    const struct note *note = e->exact ? NULL : graph_find_note(e->g, node, NOTE_NAME);
    if (note) return emit_reserve(e, graph_text(e->g, note->text));
    struct cr_text t = text_make(&e->mem);
    text_add(&t, "%s%lu", op_name(graph_at(e->g, node)->op), (unsigned long)node);
    uint32_t id = emit_reserve(e, t.failed ? "x" : t.s);
    text_drop(&t);
    return id;
}

/* argsort3 of sort3. */
const char *emit_second_name(struct emitter *e, uint32_t node) {
    struct cr_text t = text_make(&e->mem);
    if (e->second[node] == intern_none) {
        text_add(&t, "%s%lu", ops_part_name(graph_at(e->g, node)->op, 1), (unsigned long)node);
        e->second[node] = emit_reserve(e, t.failed ? "x" : t.s);
        text_drop(&t);
    }
    return e->second[node] == intern_none ? "x" : intern_bytes(&e->used, e->second[node]);
}

const char *emit_name(struct emitter *e, uint32_t node) {
    if (e->name[node] == intern_none) e->name[node] = choose(e, node);
    return e->name[node] == intern_none ? "x" : intern_bytes(&e->used, e->name[node]);
}
