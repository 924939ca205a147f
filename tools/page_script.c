/* Writes the script of explain's page: page_script SPECIAL.c FILE.js... Run by the build. First the functions of
 * src/device/special.c, translated; then the files; and before the second of them the functions of the op table, made of
 * its value column: what the library computes with is what the page computes with.
 *
 * The C that special.c is written in differs from JavaScript in little: types at declarations, casts, comments, braces
 * around the numbers of an array, INFINITY and NAN. */
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *read_file(const char *path) {
    FILE *f = fopen(path, "rb");
    size_t cap = 1 << 16, n = 0;
    char *s = malloc(cap);
    if (!f || !s) {
        fprintf(stderr, "page_script: cannot read %s\n", path);
        exit(1);
    }
    for (size_t more; (more = fread(s + n, 1, cap - n - 1, f));)
        if ((n += more) + 1 == cap && !(s = realloc(s, cap *= 2))) exit(1);
    s[n] = 0;
    fclose(f);
    return s;
}

/* ---- C to JavaScript ---- */

static size_t word(const char *s) {
    size_t n = 0;
    while (isalnum((unsigned char)s[n]) || s[n] == '_') n++;
    return n;
}

static bool is(const char *s, size_t n, const char *w) { return strlen(w) == n && memcmp(s, w, n) == 0; }

/* How far the words of a type go: "static const double ". */
static size_t type(const char *s) {
    static const char *const names[] = {"static", "const", "double", "int", "int64_t", "uint64_t"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (is(s, word(s), names[i])) {
            size_t n = strlen(names[i]);
            n += strspn(s + n, " \n");
            return n + type(s + n);
        }
    return 0;
}

static size_t skipped(const char *s, bool line_start) {
    if (strncmp(s, "/*", 2) == 0) return (size_t)(strstr(s, "*/") - s) + 2;
    return line_start && *s == '#' ? strcspn(s, "\n") + 1 : 0;
}

struct place {
    int braces, parentheses;
    char last;    /* that was not blank */
    int in_array; /* braces when an array's numbers began */
};

static size_t translate_word(const char *s, const struct place *p) {
    size_t n = type(s);
    if (n) {
        if (p->braces) fputs("let ", stdout);
        else if (!p->parentheses) fputs("function ", stdout);
        return n;
    }
    n = word(s);
    if (is(s, n, "INFINITY")) fputs("Infinity", stdout);
    else if (is(s, n, "NAN")) fputs("NaN", stdout);
    else fwrite(s, 1, n, stdout);
    return n;
}

static size_t translate_sign(const char *s, struct place *p) {
    size_t cast = *s == '(' ? type(s + 1) : 0;
    if (cast && s[1 + cast] == ')') return cast + 2;
    if (strncmp(s, "[]", 2) == 0) return 2;
    char c = *s;
    if (c == '{' && p->last == '=') p->in_array = p->braces + 1, c = '[';
    else if (c == '}' && p->in_array == p->braces) p->in_array = 0, c = ']';
    p->braces += (*s == '{') - (*s == '}');
    p->parentheses += (*s == '(') - (*s == ')');
    putchar(c);
    return 1;
}

static void translate(const char *s) {
    struct place p = {.last = '\n', .in_array = -1};
    for (size_t n; *s; s += n) {
        bool line_start = p.last == '\n';
        if ((n = skipped(s, line_start))) continue;
        if (isalpha((unsigned char)*s) || *s == '_') n = translate_word(s, &p);
        else if (isdigit((unsigned char)*s)) n = strspn(s, "0123456789.e"), fwrite(s, 1, n, stdout);
        else n = translate_sign(s, &p);
        if (*s != ' ') p.last = s[n - 1];
    }
}

/* ---- The op table ---- */

struct row {
    const char *name, *dtype, *kind, *value;
};

#define TEXT(value)            #value
#define ELEM(value)            "ELEM", TEXT(value)
#define REDUCE(start, combine) "REDUCE", #combine
#define VIEW(map)              "", ""
#define OPAQUE(...)            "", ""
#define PARTS(...)             "", ""
#define CONTROL(...)           "", ""
#define ALIAS                  "", ""
#define LEAF                   "", ""
static const struct row table[] = {
#define ROW(name, form, arguments, kind, dtype, ...) {#name, #dtype, kind},
#include "ops/ops.def"
#undef ROW
};

/* Loops whose function is no row's: src/explain/page/steps.c says at which strides they run. */
static const char kernels[] = "  copy: a => a,\n"
                              "  ne_zero: a => a !== 0,\n"
                              "  matmul: (acc, a, b) => acc + a * b,\n"
                              "  cumsum: (acc, a) => acc + a,\n"
                              "  recur: (acc, a, b, k) => k ? a * acc + b : b,\n";

/* Integers of 64 bits (INTEGER) are no numbers of JavaScript. */
static void write_table(void) {
    puts("// The op table: each row's value column.\nconst ops = {");
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const struct row *r = &table[i];
        if (strcmp(r->kind, "REDUCE") == 0) printf("  %s: (acc, a) => %s,\n", r->name, r->value);
        if (strcmp(r->kind, "ELEM") == 0 && strcmp(r->dtype, "INTEGER") != 0)
            printf("  %s: (a, b, c, n) => %s,\n", r->name, r->value);
    }
    printf("%s};\n\n", kernels);
}

int main(int argc, char **argv) {
    if (argc < 3) return 1;
    puts("\n\"use strict\";");
    for (int i = 1; i < argc; i++) {
        char *s = read_file(argv[i]);
        if (i == 1) translate(s);
        else fputs(s, stdout);
        if (i == 2) write_table();
        free(s);
    }
    return 0;
}
