/* Expressions, by operator precedence (Dijkstra's shunting yard): operators and brackets wait on one stack,
 * operands on another, so that nesting costs memory of the heap and none of the thread's stack. */
#include <stdio.h>
#include <string.h>

#include "formula/model.h"
#include "formula/walk.h"

/* ---- The two stacks ---- */

static struct pending *top_of(const struct reader *r) { return &r->pending[r->pendings - 1]; }
static struct operand *last_operand(const struct reader *r) { return &r->operand[r->operands - 1]; }

static void wait_for(struct reader *r, enum pending_kind kind, enum level level, const struct token *word) {
    if (r->pendings >= most_depth) reader_fail(r, CR_ELIMIT, word, "nested more than %d deep", most_depth);
    else if (!mem_grow(&r->mem, &r->pending, &r->pending_cap, r->pendings, sizeof *r->pending))
        reader_no_memory(r);
    else
        r->pending[r->pendings++] = (struct pending){
            .kind = (uint8_t)kind, .level = (uint8_t)level, .word = *word, .first = r->operands};
}

static void put_operand(struct reader *r, struct value v, const struct token *at) {
    if (!mem_grow(&r->mem, &r->operand, &r->operand_cap, r->operands, sizeof *r->operand))
        reader_no_memory(r);
    else r->operand[r->operands++] = (struct operand){.value = v, .at = *at};
}

/* ---- Operators ---- */

static enum level infix_level(const struct token *t) {
    static const struct {
        const char *sign;
        enum level level;
    } table[] = {{"or", LEVEL_OR},      {"and", LEVEL_AND},    {"<", LEVEL_COMPARE},  {"<=", LEVEL_COMPARE},
                 {">", LEVEL_COMPARE},  {">=", LEVEL_COMPARE}, {"==", LEVEL_COMPARE}, {"!=", LEVEL_COMPARE},
                 {"+", LEVEL_SUM},      {"-", LEVEL_SUM},      {"*", LEVEL_PRODUCT},  {"/", LEVEL_PRODUCT},
                 {"//", LEVEL_PRODUCT}, {"%", LEVEL_PRODUCT},  {"@", LEVEL_PRODUCT},  {"^", LEVEL_POWER}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (token_is(t, table[i].sign)) return table[i].level;
    return LEVEL_ANY;
}

static void reduce_one(struct reader *r) {
    struct pending p = r->pending[--r->pendings];
    struct operand *b = last_operand(r), *a = b - 1;
    if (p.kind == PENDING_PREFIX) {
        b->value = value_prefix(r, &p.word, b->value);
        b->at = p.word;
    } else {
        a->value = value_binary(r, &p.word, a->value, b->value);
        r->operands--;
    }
}

/* Does what waits and binds at least so tightly, down to the bracket. */
static void reduce(struct reader *r, size_t base, enum level level) {
    while (!r->status && r->pendings > base && top_of(r)->kind <= PENDING_PREFIX && top_of(r)->level >= level)
        reduce_one(r);
}

static size_t trimmed(const char *s, const char *end) {
    while (end > s && (end[-1] == ' ' || end[-1] == '\t')) end--;
    return (size_t)(end - s);
}

/* Where the operand that starts here ends: before the next word that binds no tighter than a comparison. */
static const char *operand_end(struct lexer ahead) {
    for (int open = 0;;) {
        struct token t = lexer_next(&ahead);
        enum level level = infix_level(&t);
        bool closes = token_is(&t, ")") || token_is(&t, "]");
        if (t.kind <= TOKEN_NEWLINE || t.kind == TOKEN_BAD) return t.s;
        if (open == 0 && (closes || token_is(&t, ",") || (level && level <= LEVEL_COMPARE))) return t.s;
        open += (token_is(&t, "(") || token_is(&t, "[")) - closes;
    }
}

/* a < b < c is answered with what may be meant, in the words of the text if they are short. */
static void refuse_chain(struct reader *r) {
    const struct token *first = &top_of(r)->word, *second = &r->place.token;
    const struct operand *b = last_operand(r), *a = b - 1;
    const char *c = second->s + second->n, *end = operand_end(r->place.lexer);
    while (c < end && *c == ' ') c++;
    size_t n[3] = {trimmed(a->at.s, first->s), trimmed(b->at.s, second->s), trimmed(c, end)};
    bool brief = n[0] + n[1] + n[2] < 60 && n[2] && end - a->at.s < 80 &&
                 !memchr(a->at.s, '\n', (size_t)(end - a->at.s));
    if (!brief) {
        reader_fail(r, CR_ESYNTAX, second, "comparisons do not chain: write a < b and b < c");
        return;
    }
    reader_fail(r, CR_ESYNTAX, second, "comparisons do not chain: write %.*s %.*s %.*s and %.*s %.*s %.*s",
                (int)n[0], a->at.s, (int)first->n, first->s, (int)n[1], b->at.s, (int)n[1], b->at.s,
                (int)second->n, second->s, (int)n[2], c);
}

/* ^ leans to the right, comparisons stand alone, the others lean to the left. */
static void read_infix(struct reader *r, size_t base, enum level level) {
    reduce(r, base, level == LEVEL_POWER || level == LEVEL_COMPARE ? level + 1 : level);
    bool chain = level == LEVEL_COMPARE && r->pendings > base && top_of(r)->level == LEVEL_COMPARE;
    if (r->status) return;
    if (chain) refuse_chain(r);
    else wait_for(r, PENDING_INFIX, level, &r->place.token);
    if (!r->status) reader_advance(r);
}

/* `not` binds more loosely than what is left of it here: a + not b. */
static bool read_prefix(struct reader *r, size_t base) {
    struct token word = r->place.token;
    bool minus = reader_is(r, "-") || reader_is(r, "+");
    if (!minus && !reader_is(r, "not")) return false;
    enum level level = minus ? LEVEL_MINUS : LEVEL_NOT;
    if (!minus && r->pendings > base && top_of(r)->level > LEVEL_NOT)
        reader_fail(r, CR_ESYNTAX, &word, "'not' binds more loosely than '%.*s': write (not ...)",
                    (int)top_of(r)->word.n, top_of(r)->word.s);
    else wait_for(r, PENDING_PREFIX, level, &word);
    if (!r->status) reader_advance(r);
    return true;
}

/* ---- Brackets ---- */

static const struct {
    const char *close, *expected;
} brackets[] = {
    [PENDING_GROUP] = {")", "')' to close the '('"},
    [PENDING_LIST] = {"]", "',' between the elements of a list, or ']'"},
    [PENDING_CALL] = {")", "',' between arguments, or ')'"},
    [PENDING_INDEX] = {"]", "',' between indices, or ']'"},
};

static struct value list_of(struct reader *r, size_t first) {
    struct value v = {.kind = VALUE_LIST, .list = reader_list(r)};
    for (size_t i = first; i < r->operands && !r->status; i++) list_add(r, v.list, r->operand[i].value);
    return r->g ? v : open_value();
}

static struct value call_of(struct reader *r, const struct pending *p) {
    struct arguments a = {.first = p->first};
    for (size_t i = p->first; i < r->operands; i++)
        if (r->operand[i].key.n) a.keywords++;
        else a.n++;
    r->made_layer = false;
    return read_call(r, &p->word, &a);
}

static void close_bracket(struct reader *r) {
    struct pending p = r->pending[--r->pendings];
    struct token at = p.word;
    struct value v = {0};
    reader_advance(r);
    if (r->status) return;
    if (p.kind == PENDING_GROUP) v = r->operand[p.first].value;
    else if (p.kind == PENDING_LIST) v = list_of(r, p.first);
    else if (p.kind == PENDING_CALL) v = call_of(r, &p);
    else {
        at = r->operand[p.first - 1].at;
        v = read_index(r, r->operand[p.first - 1].value, p.first, &p.word);
        p.first--;
    }
    r->operands = p.first;
    if (!r->status) put_operand(r, v, &at);
}

/* An argument, element or index has been read: what was found before it is noted with it. */
static void finish_item(struct reader *r) {
    struct pending *p = top_of(r);
    struct operand *x = last_operand(r);
    if (p->kind == PENDING_CALL && p->key.n == 0 && x > &r->operand[p->first] && x[-1].key.n)
        reader_fail(r, CR_ESYNTAX, &x->at, "an operand stands before the attributes");
    x->key = p->key;
    x->part = p->part;
    p->key.n = 0;
    p->part = 0;
}

/* Behind an item. Gives whether another one is wanted. */
static bool read_bracket(struct reader *r) {
    struct pending *p = top_of(r);
    if (p->kind == PENDING_INDEX && p->part < 2 && reader_is(r, ":")) {
        last_operand(r)->part = p->part++;
        reader_advance(r);
        return true;
    }
    if (p->kind != PENDING_GROUP) finish_item(r);
    if (p->kind != PENDING_GROUP && reader_take(r, ",")) return true;
    if (reader_is(r, brackets[p->kind].close)) return close_bracket(r), false;
    char expected[80];
    bool far = p->word.line != r->place.token.line;
    snprintf(expected, sizeof expected, far ? "%s (opened in line %d)" : "%s", brackets[p->kind].expected,
             p->word.line);
    reader_unexpected(r, expected);
    return false;
}

/* name=value of a call. `like` takes a layer's name, and `all` is a value of its own. */
static bool read_keyword(struct reader *r, struct pending *p) {
    if (r->place.token.kind != TOKEN_NAME || p->key.n || !reader_then(r, "=")) return false;
    p->key = r->place.token;
    reader_advance(r);
    reader_advance(r);
    struct token word = r->place.token;
    bool like = token_is(&p->key, "like"), all = reader_is(r, "all") && !reader_then(r, "(");
    if (r->status || (!like && !all)) return false;
    if (like && word.kind != TOKEN_NAME) return reader_unexpected(r, "the name of a layer"), true;
    put_operand(r, (struct value){.kind = like ? VALUE_NOTHING : VALUE_ALL}, &word);
    reader_advance(r);
    return true;
}

/* A function's name among the arguments of what takes functions. */
static bool read_function_name(struct reader *r, const struct pending *p) {
    struct token word = r->place.token;
    if (word.kind != TOKEN_NAME || p->key.n || !control_word(r, &p->word) || find_bound(r, &word))
        return false;
    const struct function *f = find_function(r, &word);
    if (!f || !(reader_then(r, ",") || reader_then(r, ")"))) return false;
    put_operand(r, (struct value){.kind = VALUE_FUNCTION, .number = (double)(f - r->function)}, &word);
    reader_advance(r);
    return true;
}

/* ..., None, or nothing beside a ':'. */
static bool read_index_word(struct reader *r, struct pending *p) {
    struct token word = r->place.token;
    bool nothing = reader_is(r, ":") || (p->part && (reader_is(r, ",") || reader_is(r, "]")));
    if (!nothing && (p->part || !(reader_is(r, "...") || reader_is(r, "None")))) return false;
    put_operand(r, (struct value){0}, &word);
    if (!nothing) reader_advance(r);
    return true;
}

/* What may stand in a bracket where an operand is wanted, and is none. *wanted: whether one still is. */
static bool read_item(struct reader *r, bool *wanted) {
    struct pending *p = top_of(r);
    if (p->kind < PENDING_GROUP) return false;
    bool empty = p->kind != PENDING_GROUP && !p->key.n && !p->part && reader_is(r, brackets[p->kind].close);
    if (empty && p->kind == PENDING_INDEX && r->operands == p->first)
        return reader_unexpected(r, "an index"), true;
    if (empty) return close_bracket(r), *wanted = false, true;
    bool found = p->kind == PENDING_CALL ? read_keyword(r, p) || read_function_name(r, p)
                                         : p->kind == PENDING_INDEX && read_index_word(r, p);
    if (found) *wanted = false;
    return found;
}

/* ---- Operands ---- */

static bool keyword(const struct token *t) {
    struct value v;
    return reserved_word(t) && !value_of_word(t, &v);
}

static void read_operand(struct reader *r, size_t base, bool *wanted) {
    if (r->pendings > base && read_item(r, wanted)) return;
    if (r->status || read_prefix(r, base)) return;
    struct token t = r->place.token;
    struct value v;
    bool group = reader_is(r, "("), call = t.kind == TOKEN_NAME && reader_then(r, "(");
    if (group || reader_is(r, "[")) {
        wait_for(r, group ? PENDING_GROUP : PENDING_LIST, LEVEL_ANY, &t);
        reader_advance(r);
        return;
    }
    bool op = call && call_find(t.s, t.n) >= 0; /* and(x, y) is a call like another */
    if ((t.kind != TOKEN_NAME && t.kind != TOKEN_NUMBER) || (keyword(&t) && !op)) {
        reader_unexpected(r, "a value");
        return;
    }
    reader_advance(r);
    *wanted = call;
    if (call) wait_for(r, PENDING_CALL, LEVEL_ANY, &t), reader_advance(r);
    else if (t.kind == TOKEN_NUMBER) put_operand(r, number_value(t.number, t.integer), &t);
    else put_operand(r, value_of_word(&t, &v) ? v : find_name(r, &t), &t);
}

/* Behind an operand. False: the expression ends here. */
static bool read_operator(struct reader *r, size_t base, bool *wanted) {
    enum level level = infix_level(&r->place.token);
    *wanted = true;
    if (level) return read_infix(r, base, level), true;
    if (reader_is(r, "[")) {
        wait_for(r, PENDING_INDEX, LEVEL_ANY, &r->place.token);
        return reader_advance(r), true;
    }
    reduce(r, base, LEVEL_ANY);
    if (r->status || r->pendings == base) return false;
    *wanted = read_bracket(r);
    return true;
}

struct value read_expression(struct reader *r) {
    size_t base = r->pendings, first = r->operands;
    struct value v = {0};
    for (bool wanted = true; !r->status;) {
        if (wanted) read_operand(r, base, &wanted);
        else if (!read_operator(r, base, &wanted)) break;
    }
    if (!r->status) v = r->operand[first].value;
    r->pendings = base;
    r->operands = first;
    return v;
}
