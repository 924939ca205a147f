/* The formula language's words. */
#ifndef FORMULA_LEX_H
#define FORMULA_LEX_H

#include "base/text.h"

enum token_kind {
    TOKEN_END,     /* of the text */
    TOKEN_NEWLINE, /* or ';': ends a statement */
    TOKEN_NUMBER,
    TOKEN_NAME, /* letters, digits, _; a parameter of a layer has dots: h.W */
    TOKEN_SIGN, /* an operator, bracket or mark: see token_is() */
    TOKEN_BAD,  /* what cannot be read: the lexer's `wrong` says why */
};

struct token {
    enum token_kind kind;
    const char *s;
    size_t n;
    int line, column; /* from 1; columns count characters */
    double number;
    bool integer; /* a number without point or exponent */
};

/* Where reading stands: a copy of it reads again from there. */
struct lexer {
    const char *text, *s, *end;
    const char *mark; /* a place in the present line, and its column: columns are counted on from there */
    int line, mark_column;
    int brackets; /* open ( and [: newlines inside do not count */
    const char *wrong;
};

struct lexer lexer_make(const char *text, size_t size);
struct token lexer_next(struct lexer *l);
bool token_is(const struct token *t, const char *sign_or_name);
bool token_equal(const struct token *a, const struct token *b);
/* "file:line:column: what", the line, and a caret under its column. */
void lexer_show(cr_text *out, const struct lexer *l, const char *file, int line, int column,
                const char *what);

#endif
