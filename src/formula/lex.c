/* Words of the formula language. */
#include "formula/lex.h"

#include <stdio.h>
#include <string.h>

struct lexer lexer_make(const char *text, size_t size) {
    if (size >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) text += 3, size -= 3; /* a byte order mark */
    return (struct lexer){
        .text = text, .s = text, .end = text + size, .mark = text, .mark_column = 1, .line = 1};
}

/* Counted on from the last place asked for, so that a long line costs what it is long. */
static int column(struct lexer *l) {
    for (; l->mark < l->s; l->mark++) l->mark_column += (*l->mark & 0xC0) != 0x80;
    return l->mark_column;
}

static bool letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
static bool digit(char c) { return c >= '0' && c <= '9'; }

static void skip_blanks(struct lexer *l) {
    while (l->s < l->end) {
        if (*l->s == '#') {
            while (l->s < l->end && *l->s != '\n' && *l->s != '\r' && text_character(l->s, l->end) && *l->s)
                l->s += text_character(l->s, l->end);
        } else if (*l->s != ' ' && *l->s != '\t') {
            return;
        } else {
            l->s++;
        }
    }
}

static struct token token(struct lexer *l, enum token_kind kind, size_t n) {
    return (struct token){.kind = kind, .s = l->s, .n = n, .line = l->line, .column = column(l)};
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
    l->mark = l->s;
    l->mark_column = 1;
    return t;
}

/* Beyond 2^53 a double skips integers: one that it would change is refused, not changed. */
static bool exact(const char *digits, size_t n, double value) {
    char s[320];
    if (value < 0x1p53) return true;
    for (; n > 1 && *digits == '0'; n--) digits++;
    return (size_t)snprintf(s, sizeof s, "%.0f", value) == n && memcmp(s, digits, n) == 0;
}

static struct token number(struct lexer *l) {
    struct token t = token(l, TOKEN_NUMBER, 0);
    t.n = text_parse_number(l->s, (size_t)(l->end - l->s), &t.number);
    if (t.n == 0) return bad(l, "a number that is too long");
    t.integer = true;
    for (size_t i = 0; i < t.n; i++) t.integer = t.integer && digit(l->s[i]);
    if (l->s + t.n < l->end && letter(l->s[t.n]))
        return bad(l, "a name right behind a number: a product is written with *, as in 2*x");
    if (t.integer && !exact(t.s, t.n, t.number))
        return bad(l,
                   "an integer beyond 2^53 would be rounded: write a fraction, with a point or an exponent");
    return t;
}

static struct token name(struct lexer *l) {
    size_t n = 1, left = (size_t)(l->end - l->s);
    while (n < left &&
           (letter(l->s[n]) || digit(l->s[n]) || (l->s[n] == '.' && n + 1 < left && letter(l->s[n + 1]))))
        n++;
    return token(l, TOKEN_NAME, n);
}

/* What other languages write: the longer sign before what it starts with. */
static const struct {
    const char *sign, *instead; /* NULL: a sign of ours */
} mistakes[] = {
    {"**", "did you mean ^ for a power?"},
    {"&&", "did you mean \"and\"?"},
    {"||", "did you mean \"or\"?"},
    {"===", "did you mean ==?"},
    {"!==", "did you mean !=?"},
    {"==", NULL},
    {"!=", NULL},
    {"=<", "did you mean <=?"},
    {"=>", "did you mean >=?"},
    {"<>", "did you mean !=?"},
    {"<-", NULL},
    {":=", "a name is bound by ="},
    {"+=", "a name is bound once, by ="},
    {"-=", "a name is bound once, by ="},
    {"*=", "a name is bound once, by ="},
    {"/=", "a name is bound once, by ="},
    {"++", NULL},
    {"--", NULL},
    {"->", "-> has no meaning: a function is fn f(x) = expression"},
    {".*", "a product is element by element: write *"},
    {"./", "a quotient is element by element: write /"},
    {".^", "a power is element by element: write ^"},
    {"!", "did you mean \"not\"?"},
    {"~", "did you mean \"not\", or \"=\" as in \"y = a*x\"?"},
    {"&", "did you mean \"and\"?"},
    {"|", "did you mean \"or\", or abs(x)?"},
    {"?", "a choice is where(condition, x, y)"},
    {"'", "text has no place in a formula; a transpose is t(x)"},
    {"\"", "text has no place in a formula"},
    {"\\", "a newline ends a statement except inside brackets: write ( ) around it"},
    {"\u00D7", "did you mean *?"},
    {"\u00B7", "did you mean *?"},
    {"\u22C5", "did you mean *?"},
    {"\u00F7", "did you mean /?"},
    {"\u2212", "did you mean -?"},
    {"\u2013", "did you mean -?"},
    {"\u2264", "did you mean <=?"},
    {"\u2265", "did you mean >=?"},
    {"\u2260", "did you mean !=?"},
    {"\u00B2", "did you mean ^2?"},
    {"\u00B3", "did you mean ^3?"},
    {"\u221A", "did you mean sqrt(x)?"},
    {"\u03C0", "did you mean pi?"},
    {"\u2026", "did you mean ...?"},
    {"\u00A0", "a no-break space: write a plain one"},
    {"\xFF\xFE", "UTF-16 text: expected UTF-8"},
    {"\xFE\xFF", "UTF-16 text: expected UTF-8"},
};
static const char *const signs[] = {"...", "//", "<=", ">=", "==", "!=", "+", "-", "*", "/", "%", "@",
                                    "^",   "<",  ">",  "=",  "(",  ")",  "[", "]", "{", "}", ",", ":"};

static bool starts(const struct lexer *l, const char *sign) {
    if (l->s == l->end || *l->s != *sign) return false; /* as nearly always */
    size_t n = strlen(sign);
    return (size_t)(l->end - l->s) >= n && memcmp(l->s, sign, n) == 0;
}

static const char *mistake(const struct lexer *l) {
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++)
        if (starts(l, mistakes[i].sign)) return mistakes[i].instead;
    return NULL;
}

static const char *meaningless(const struct lexer *l) {
    size_t n = text_character(l->s, l->end);
    return *l->s == 0 ? "a NUL byte"
           : n == 0   ? "a byte that is not UTF-8"
           : n > 1    ? "a character that means nothing here: names are made of a-z, A-Z, 0-9 and _"
                      : "a character that means nothing here";
}

static struct token sign(struct lexer *l) {
    const char *instead = mistake(l);
    if (instead) return bad(l, instead);
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
        if (!starts(l, signs[i])) continue;
        if (strchr("([", *signs[i])) l->brackets++;
        if (strchr(")]", *signs[i]) && l->brackets) l->brackets--;
        return token(l, TOKEN_SIGN, strlen(signs[i]));
    }
    return bad(l, meaningless(l));
}

struct token lexer_next(struct lexer *l) {
    for (;;) {
        skip_blanks(l);
        if (l->s >= l->end) return token(l, TOKEN_END, 0);
        if (*l->s != '\n' && *l->s != '\r') break;
        struct token t = newline(l);
        if (!l->brackets) return t;
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

bool token_equal(const struct token *a, const struct token *b) {
    return a->n == b->n && memcmp(a->s, b->s, a->n) == 0;
}

static const char *start_of_line(const struct lexer *l, int line) {
    const char *s = l->text;
    while (line > 1 && s < l->end) {
        if (*s == '\n' || (*s == '\r' && (s + 1 == l->end || s[1] != '\n'))) line--;
        s++;
    }
    return s;
}

/* Not what a terminal would act on: control characters, and those that turn or hide what stands beside them
 * (U+200B to 200F, 2028 to 202E, 2060 to 206F, FEFF). */
static bool shown(const char *s, size_t n) {
    const unsigned char *c = (const unsigned char *)s;
    if (n == 1) return *c >= 0x20 && *c != 0x7F;
    if (n == 2) return !(c[0] == 0xC2 && c[1] < 0xA0);
    if (n != 3) return n > 0;
    unsigned point = (c[0] & 0x0Fu) << 12 | (c[1] & 0x3Fu) << 6 | (c[2] & 0x3Fu);
    return !(point >= 0x200B && point <= 0x200F) && !(point >= 0x2028 && point <= 0x202E) &&
           !(point >= 0x2060 && point <= 0x206F) && point != 0xFEFF;
}

/* The source line as UTF-8, with '?' for what should not be sent to a terminal. A long line is shown around
 * the column. */
void lexer_show(cr_text *out, const struct lexer *l, const char *file, int line, int column,
                const char *what) {
    enum { width = 100 };
    if (!out) return;
    text_add(out, "%s%s%d:%d: %s\n  ", file ? file : "", file ? ":" : "", line, column, what);
    const char *s = start_of_line(l, line);
    int at = 1, skipped = column > width ? column - width / 2 : 1;
    for (size_t n; s < l->end && *s != '\n' && *s != '\r' && at < skipped + width; s += n ? n : 1, at++) {
        n = text_character(s, l->end);
        if (at >= skipped) text_bytes(out, shown(s, n) ? s : "?", shown(s, n) ? n : 1);
    }
    text_str(out, "\n  ");
    for (int i = skipped; i < column; i++) text_char(out, ' ');
    text_char(out, '^');
}
