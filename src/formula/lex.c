/* Words of the formula language. */
#include "formula/lex.h"

#include <string.h>

struct lexer lexer_make(const char *text, size_t size) {
    if (size >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) text += 3, size -= 3; /* a byte order mark */
    return (struct lexer){.text = text, .s = text, .end = text + size, .line_start = text, .line = 1};
}

static int column_of(const struct lexer *l, const char *s) {
    int column = 1;
    for (const char *p = l->line_start; p < s; p++) column += (*p & 0xC0) != 0x80;
    return column;
}

static bool letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
static bool digit(char c) { return c >= '0' && c <= '9'; }

static void skip_blanks(struct lexer *l) {
    while (l->s < l->end) {
        if (*l->s == '#') {
            while (l->s < l->end && *l->s != '\n' && *l->s != '\r' && text_character(l->s, l->end) && *l->s)
                l->s += text_character(l->s, l->end);
        } else if (*l->s == '\\' && l->end - l->s > 1 && (l->s[1] == '\n' || l->s[1] == '\r')) {
            l->s++;
            return;
        } else if (*l->s != ' ' && *l->s != '\t') {
            return;
        } else {
            l->s++;
        }
    }
}

static struct token token(const struct lexer *l, enum token_kind kind, size_t n) {
    return (struct token){.kind = kind, .s = l->s, .n = n, .line = l->line, .column = column_of(l, l->s)};
}

static struct token bad(struct lexer *l, const char *wrong) {
    l->wrong = wrong;
    return token(l, TOKEN_BAD, 1);
}

static struct token newline(struct lexer *l) {
    size_t n = *l->s == '\r' && l->end - l->s > 1 && l->s[1] == '\n' ? 2 : 1;
    struct token t = token(l, TOKEN_NEWLINE, n);
    l->s += n;
    l->line++;
    l->line_start = l->s;
    return t;
}

static struct token number(struct lexer *l) {
    struct token t = token(l, TOKEN_NUMBER, 0);
    t.n = text_parse_number(l->s, (size_t)(l->end - l->s), &t.number);
    if (t.n == 0) return bad(l, "a number that is too long");
    t.integer = true;
    for (size_t i = 0; i < t.n; i++) t.integer = t.integer && digit(l->s[i]);
    if (l->s + t.n < l->end && letter(l->s[t.n]))
        return bad(l, "a name right behind a number: a product is written with *, as in 2*x");
    return t;
}

static struct token name(struct lexer *l) {
    size_t n = 1, left = (size_t)(l->end - l->s);
    while (n < left &&
           (letter(l->s[n]) || digit(l->s[n]) || (l->s[n] == '.' && n + 1 < left && letter(l->s[n + 1]))))
        n++;
    return token(l, TOKEN_NAME, n);
}

static const struct {
    const char *sign, *instead;
} mistakes[] = {
    {"**", "did you mean ^ for a power?"},   {"&&", "did you mean \"and\"?"},
    {"||", "did you mean \"or\"?"},          {"!=", NULL},
    {"!", "did you mean \"not\"?"},          {"&", "did you mean \"and\"?"},
    {"|", "did you mean \"or\"?"},           {"+=", "a name is bound once, by ="},
    {"-=", "a name is bound once, by ="},    {"->", "what is meant by ->?"},
    {"'", "text has no place in a formula"}, {"\"", "text has no place in a formula"},
};
static const char *const signs[] = {"...", "//", "<=", ">=", "==", "!=", "+", "-", "*", "/", "%", "@",
                                    "^",   "<",  ">",  "=",  "(",  ")",  "[", "]", "{", "}", ",", ":"};

static bool starts(const struct lexer *l, const char *sign) {
    size_t n = strlen(sign);
    return (size_t)(l->end - l->s) >= n && memcmp(l->s, sign, n) == 0;
}

static struct token sign(struct lexer *l) {
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++)
        if (starts(l, mistakes[i].sign) && mistakes[i].instead) return bad(l, mistakes[i].instead);
        else if (starts(l, mistakes[i].sign)) break;
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
        if (!starts(l, signs[i])) continue;
        if (strchr("([", *signs[i])) l->brackets++;
        if (strchr(")]", *signs[i]) && l->brackets) l->brackets--;
        return token(l, TOKEN_SIGN, strlen(signs[i]));
    }
    return bad(l, *l->s == 0                          ? "a NUL byte"
                  : text_character(l->s, l->end) == 0 ? "a byte that is not UTF-8"
                                                      : "a character that means nothing here");
}

struct token lexer_next(struct lexer *l) {
    for (;;) {
        skip_blanks(l);
        if (l->s >= l->end) return token(l, TOKEN_END, 0);
        if (*l->s != '\n' && *l->s != '\r') break;
        bool joined = l->s > l->text && l->s[-1] == '\\';
        struct token t = newline(l);
        if (!l->brackets && !joined) return t;
    }
    if (*l->s == ';') {
        struct token t = token(l, TOKEN_NEWLINE, 1);
        return l->s++, t;
    }
    bool numeral = digit(*l->s) || (*l->s == '.' && l->end - l->s > 1 && digit(l->s[1]));
    struct token t = numeral ? number(l) : letter(*l->s) ? name(l) : sign(l);
    if (t.kind != TOKEN_BAD) l->s += t.n;
    return t;
}

bool token_is(const struct token *t, const char *s) {
    return (t->kind == TOKEN_SIGN || t->kind == TOKEN_NAME) && strlen(s) == t->n &&
           memcmp(t->s, s, t->n) == 0;
}

static const char *start_of_line(const struct lexer *l, int line) {
    const char *s = l->text;
    while (line > 1 && s < l->end) {
        if (*s == '\n' || (*s == '\r' && (s + 1 == l->end || s[1] != '\n'))) line--;
        s++;
    }
    return s;
}

/* The source line, with what a terminal should not be sent shown as '?'. A long line is shown around the
 * column. */
void lexer_show(cr_text *out, const struct lexer *l, const char *file, int line, int column,
                const char *what) {
    enum { width = 100 };
    if (!out) return;
    text_add(out, "%s%s%d:%d: %s\n  ", file ? file : "", file ? ":" : "", line, column, what);
    const char *s = start_of_line(l, line);
    int at = 1, skipped = column > width ? column - width / 2 : 1;
    for (; s < l->end && *s != '\n' && *s != '\r' && at < skipped + width; s++) {
        bool first = (*s & 0xC0) != 0x80;
        if (at >= skipped) text_char(out, (unsigned char)*s < 0x20 || *s == 0x7F ? '?' : *s);
        at += first;
    }
    text_str(out, "\n  ");
    for (int i = skipped; i < column; i++) text_char(out, ' ');
    text_char(out, '^');
}
