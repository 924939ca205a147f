/* Writes the rows of rules.def as tables of terms. Run by the build: no program reads them again. */
#include <stdio.h>

#include "rewrite/pattern.h"

static const struct {
    const char *pattern, *replacement;
    enum exact exact;
} rows[] = {
#define RULE(pattern, replacement, exact) {pattern, replacement, exact},
#include "rewrite/rules.def"
#undef RULE
};

enum { count = sizeof rows / sizeof *rows };

static void write_pattern(const struct pattern *p) {
    puts("{{");
    for (int i = 0; i < p->n; i++) {
        const struct term *t = &p->term[i];
        printf("{%d, %d, %d, %d, {%d, %d, %d}, %d, %a},\n", t->kind, t->letter, t->truth, t->n, t->arg[0],
               t->arg[1], t->arg[2], t->op, t->value);
    }
    printf("}, %d, %d},\n", p->n, p->root);
}

int main(void) {
    static struct rule rule[count];
    int first[OP_COUNT];
    for (int op = 0; op < OP_COUNT; op++) first[op] = -1;
    for (int i = count - 1; i >= 0; i--) { /* chained in the order of the rows */
        struct rule *r = &rule[i];
        if (!pattern_read(&r->pattern, rows[i].pattern) ||
            !pattern_read(&r->replacement, rows[i].replacement))
            return fprintf(stderr, "rules.def: cannot read %s or %s\n", rows[i].pattern, rows[i].replacement),
                   1;
        int op = r->pattern.term[r->pattern.root].op;
        r->next = first[op];
        first[op] = i;
    }
    puts("/* Made by tools/rules_table.c. */\nconst struct rule rewrite_rule[] = {");
    for (int i = 0; i < count; i++) {
        puts("{");
        write_pattern(&rule[i].pattern);
        write_pattern(&rule[i].replacement);
        printf("%d, %d},\n", rows[i].exact, rule[i].next);
    }
    puts("};\nconst int rewrite_first[OP_COUNT] = {");
    for (int op = 0; op < OP_COUNT; op++) printf("%d,%s", first[op], op % 16 == 15 ? "\n" : " ");
    puts("};");
    return 0;
}
