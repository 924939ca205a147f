/* Short vectors and short lines.
 *
 * Short vectors: what is left of a loop behind its last whole vector of the processor is computed as one more, on copies with zeros behind
 * them. One by one those numbers would each take as long as a vector.
 *
 * Short lines: a fold's lanes of which some have no number go as one, and those read and leave nothing. */
#include "emit/units.h"
#include "tensor/dtype.h"

enum { vector_bytes = 64, most_numbers = 64 };

static int64_t lanes_of(const struct units_of *u) {
    return vector_bytes / (int64_t)cr_dtype_size((cr_dtype)u->loop->access[0].dtype);
}

/* Number i of the loop, in memory where the slot begins: a copy can take its place. One number for all stays where it is. */
static bool can_copy(const struct units_of *u, uint32_t i) {
    const struct access *a = &u->loop->access[i];
    const struct plan *p = u->l.e->p;
    if (a->dtype != u->loop->access[0].dtype || graph_at(p->g, p->slot[a->slot].node)->op == OP_iota)
        return false;
    for (uint32_t k = 0; k < i; k++)
        if (u->loop->access[k].slot == a->slot && u->loop->access[k].kind != a->kind) return false;
    return a->kind == ACCESS_REPEAT || (a->kind == ACCESS_DIRECT && !a->narrow && a->offset == 0);
}

/* Of one float dtype all along, so that nothing fails on zeros. */
static bool has_one_dtype(const struct units_of *u) {
    const uint8_t dtype = u->loop->access[0].dtype;
    if (dtype != CR_F32 && dtype != CR_F64) return false;
    for (uint32_t i = 0; i < u->l.s->n; i++) {
        const struct instruction *in = units_instruction(u, i);
        if (in->kind != DO_WIDE || (in->from != dtype && in->from != CR_BOOL) ||
            (in->to != dtype && in->to != CR_BOOL))
            return false;
    }
    return true;
}

/* Does it save more than copying takes? gcc makes one vector of half the width of the rest, and then goes number by number. */
static bool pays(const struct units_of *u, int64_t rest) {
    int copies = 0;
    for (uint32_t i = 0; i < u->loop->accesses; i++) copies += u->loop->access[i].kind == ACCESS_DIRECT;
    int64_t half = lanes_of(u) / 2, otherwise = rest >= half ? 1 + rest - half : rest;
    return (otherwise - 1) * units_weight(u, 0) > 3 * copies;
}

int64_t units_padded_from(const struct units_of *u) {
    const struct loop *l = u->loop;
    if (l->count > most_numbers || u->folds || u->streams || u->l.e->nest.n != 1 || l->accesses == 0 ||
        !has_one_dtype(u))
        return l->count;
    for (uint32_t i = 0; i < l->accesses; i++)
        if (!can_copy(u, i)) return l->count;
    int64_t rest = l->count % lanes_of(u);
    return rest && pays(u, rest) ? l->count - rest : l->count;
}

static const char *name_of(const struct units_of *u, uint32_t access) {
    return emit_name(u->l.e, u->l.e->p->slot[u->loop->access[access].slot].node);
}

void units_open_padded(struct units_of *u, int64_t from) {
    struct emitter *e = u->l.e;
    const long long rest = u->loop->count - from, lanes = lanes_of(u);
    char room[80];
    const char *type = emit_type(e, (cr_dtype)u->loop->access[0].dtype, room);
    emit_open(e, "if (first < end)");
    for (uint32_t i = 0; i < u->loop->accesses; i++) {
        if (!units_first_direct(u, i)) continue;
        emit_line(e, "%s pad_%s[%lld] = {0};", type, name_of(u, i), lanes);
        if (units_read(u, u->loop->access[i].slot))
            emit_line(e, "memcpy(pad_%s, %s + %lld, %lld * sizeof(%s));", name_of(u, i), name_of(u, i),
                      (long long)from, rest, type);
    }
    emit_open(e, "for (int once = 0; once < 1; once++)");
    for (uint32_t i = 0; i < u->loop->accesses; i++)
        if (units_first_direct(u, i))
            emit_line(e, "%s *const restrict %s = pad_%s;", type, name_of(u, i), name_of(u, i));
    emit_open(e, "VECTOR for (int64_t i = 0; i < %lld; i++)", lanes);
}

void units_close_padded(struct units_of *u, int64_t from) {
    struct emitter *e = u->l.e;
    const long long rest = u->loop->count - from;
    emit_close(e);
    emit_close(e);
    for (uint32_t i = 0; i < u->loop->accesses; i++)
        if (units_first_direct(u, i) && units_write(e, u->l.s, u->loop->access[i].slot))
            emit_line(e, "memcpy(%s + %lld, pad_%s, %lld * sizeof *%s);", name_of(u, i), (long long)from,
                      name_of(u, i), rest, name_of(u, i));
    emit_close(e);
}

/* ---- Short lines ---- */

/* Of a vector or two, of which most lanes have a number; without whole numbers, which 0 may not divide. */
bool units_is_short(const struct units_of *u) {
    enum { fewest = 5 };
    if (!u->folds || units_columns(u) != 1 || u->columns > 1 || u->loop->diagonal || u->run < fewest ||
        u->run >= fold_lanes)
        return false;
    for (uint32_t i = 0; i < u->l.s->n; i++) {
        const struct instruction *in = units_instruction(u, i);
        if (dtype_is_int((cr_dtype)in->from) || dtype_is_int((cr_dtype)in->to)) return false;
    }
    return true;
}

/* Where instructions read and write some lanes of a vector. */
bool units_short_pays(const struct units_of *u) {
#if defined(__x86_64__)
    return units_is_short(u);
#else
    (void)u;
    return false;
#endif
}
