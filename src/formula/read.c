/* The reader: one word ahead, the first mistake kept. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "formula/model.h"

bool reader_open(struct reader *r, cr_model *m, cr_graph *g, const struct mem *mem, cr_text *why) {
    *r = (struct reader){.m = m, .g = g, .mem = *mem, .why = why};
    r->names = m ? &m->names : &r->own_names;
    return m || intern_init(&r->own_names, mem);
}

void reader_free(struct reader *r) {
    for (struct list *l = r->lists, *older; l; l = older) {
        older = l->older;
        mem_free(&r->mem, l->item, l->cap * sizeof *l->item);
        mem_free(&r->mem, l, sizeof *l);
    }
    mem_free(&r->mem, r->operand, r->operand_cap * sizeof *r->operand);
    mem_free(&r->mem, r->pending, r->pending_cap * sizeof *r->pending);
    mem_free(&r->mem, r->name, r->name_cap * sizeof *r->name);
    mem_free(&r->mem, r->function, r->function_cap * sizeof *r->function);
    mem_free(&r->mem, r->name_of, r->name_of_cap * sizeof *r->name_of);
    mem_free(&r->mem, r->function_of, r->function_of_cap * sizeof *r->function_of);
    if (!r->m) intern_drop(&r->own_names);
}

/* ---- Words ---- */

void reader_advance(struct reader *r) {
    struct place *p = &r->place;
    p->token = lexer_next(&p->lexer);
    if (p->token.kind == TOKEN_BAD) reader_fail(r, CR_ESYNTAX, &p->token, "%s", p->lexer.wrong);
    if (r->words-- == 0)
        reader_fail(r, CR_ELIMIT, &p->token, "functions expand to more than %d words", most_words);
}

bool reader_is(const struct reader *r, const char *s) { return !r->status && token_is(&r->place.token, s); }

bool reader_take(struct reader *r, const char *s) {
    if (!reader_is(r, s)) return false;
    reader_advance(r);
    return true;
}

bool reader_then(const struct reader *r, const char *s) {
    struct lexer ahead = r->place.lexer;
    struct token next = lexer_next(&ahead);
    return token_is(&next, s);
}

bool reader_then_name(const struct reader *r) {
    struct lexer ahead = r->place.lexer;
    struct token next = lexer_next(&ahead);
    return next.kind == TOKEN_NAME && !reserved_word(&next);
}

/* ---- Mistakes ---- */

struct value reader_fail(struct reader *r, cr_status status, const struct token *at, const char *format,
                         ...) {
    char what[512];
    va_list ap;
    if (r->status) return (struct value){0};
    r->status = status;
    va_start(ap, format);
    vsnprintf(what, sizeof what, format, ap);
    va_end(ap);
    cr_text_clear(r->why);
    if (r->why) lexer_show(r->why, r->place.source, r->place.file, at->line, at->column, what);
    return (struct value){0};
}

struct value reader_no_memory(struct reader *r) {
    return reader_fail(r, CR_ENOMEM, &r->place.token, "out of memory");
}

static void describe(const struct token *t, char *s, size_t size) {
    int n = t->n > 40 ? 40 : (int)t->n;
    if (t->kind == TOKEN_END) snprintf(s, size, "the end");
    else if (t->kind == TOKEN_NEWLINE && *t->s != ';') snprintf(s, size, "the end of the line");
    else snprintf(s, size, "'%.*s'", n, t->s);
}

struct value reader_unexpected(struct reader *r, const char *expected) {
    char found[64];
    describe(&r->place.token, found, sizeof found);
    return reader_fail(r, CR_ESYNTAX, &r->place.token, "expected %s, found %s", expected, found);
}

bool reader_expect(struct reader *r, const char *s, const char *where) {
    char what[80];
    if (r->status) return false;
    if (reader_take(r, s)) return !r->status;
    snprintf(what, sizeof what, "'%s' %s", s, where);
    reader_unexpected(r, what);
    return false;
}

void reader_at(struct reader *r, const struct token *at) {
    if (r->g) cr_graph_at(r->g, r->place.file, at->line, at->column);
}

/* ---- Lists ---- */

struct list *reader_list(struct reader *r) {
    struct list *l = mem_zero(&r->mem, sizeof *l);
    if (!l) return reader_no_memory(r), NULL;
    l->older = r->lists;
    l->depth = 1;
    r->lists = l;
    return l;
}

bool list_add(struct reader *r, struct list *l, struct value v) {
    if (!l || r->status) return false;
    if (!mem_grow(&r->mem, &l->item, &l->cap, l->n, sizeof *l->item)) return reader_no_memory(r), false;
    l->item[l->n++] = v;
    if (v.kind == VALUE_LIST && v.list->depth >= l->depth) l->depth = v.list->depth + 1;
    if (l->depth > CR_MAX_RANK)
        reader_fail(r, CR_ELIMIT, &r->place.token, "lists nested more than %d deep", CR_MAX_RANK);
    return !r->status;
}
