/* The reader: one word ahead, the first mistake kept. */
#include "formula/model.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void reader_advance(struct reader *r) {
    r->last = r->token;
    r->token = lexer_next(&r->lexer);
    if (r->token.kind == TOKEN_BAD) reader_fail(r, CR_ESYNTAX, &r->token, "%s", r->lexer.wrong);
}

bool reader_is(const struct reader *r, const char *s) { return !r->status && token_is(&r->token, s); }

bool reader_take(struct reader *r, const char *s) {
    if (!reader_is(r, s)) return false;
    reader_advance(r);
    return true;
}

struct value reader_fail(struct reader *r, cr_status status, const struct token *at, const char *format,
                         ...) {
    char what[512];
    va_list ap;
    if (r->status) return (struct value){0};
    r->status = status;
    va_start(ap, format);
    vsnprintf(what, sizeof what, format, ap);
    va_end(ap);
    if (r->why) lexer_show(r->why, r->source, r->file, at->line, at->column, what);
    return (struct value){0};
}

static void describe(const struct token *t, char *s, size_t size) {
    int n = t->n > 40 ? 40 : (int)t->n;
    if (t->kind == TOKEN_END) snprintf(s, size, "the end");
    else if (t->kind == TOKEN_NEWLINE) snprintf(s, size, "the end of the line");
    else snprintf(s, size, "'%.*s'", n, t->s);
}

struct value reader_unexpected(struct reader *r, const char *expected) {
    char found[64];
    describe(&r->token, found, sizeof found);
    return reader_fail(r, CR_ESYNTAX, &r->token, "expected %s, found %s", expected, found);
}

bool reader_expect(struct reader *r, const char *s, const char *where) {
    char what[80];
    if (r->status) return false;
    if (reader_take(r, s)) return !r->status;
    snprintf(what, sizeof what, "'%s' %s", s, where);
    reader_unexpected(r, what);
    return false;
}

struct list *reader_list(struct reader *r) {
    struct list *l = mem_zero(&r->mem, sizeof *l);
    if (!l) return reader_fail(r, CR_ENOMEM, &r->token, "out of memory"), NULL;
    l->older = r->lists;
    r->lists = l;
    return l;
}

bool list_add(struct reader *r, struct list *l, struct value v) {
    if (!l || r->status) return false;
    if (!mem_grow(&r->mem, &l->item, &l->cap, l->n, sizeof *l->item))
        return reader_fail(r, CR_ENOMEM, &r->token, "out of memory"), false;
    l->item[l->n++] = v;
    return true;
}

void reader_free(struct reader *r) {
    for (struct list *l = r->lists, *older; l; l = older) {
        older = l->older;
        mem_free(&r->mem, l->item, l->cap * sizeof *l->item);
        mem_free(&r->mem, l, sizeof *l);
    }
    mem_free(&r->mem, r->name, r->name_cap * sizeof *r->name);
    mem_free(&r->mem, r->function, r->function_cap * sizeof *r->function);
}
