/* Prints chainrule_ops.h, the builders' prototypes, from the op table. Run by the build. */
#include <stdio.h>
#include <string.h>

struct row {
    const char *name, *form, *arguments, *sentence;
};

static const struct row primitives[] = {
#define ROW(name, form, arguments, kind, dtype, class, low, high, sentence, ...) \
    {#name, #form, arguments, sentence},
#include "ops/ops.def"
#undef ROW
};

static const struct row composites[] = {
#define COMPOSITE(name, form, arguments, sentence) {#name, #form, arguments, sentence},
#include "ops/composites.def"
#undef COMPOSITE
};

static const struct {
    const char *name, *parameters;
} forms[] = {
#define FORM(name, parameters, values) {#name, #parameters},
#include "ops/forms.def"
#undef FORM
};

static void print(const struct row *r) {
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (strcmp(forms[i].name, r->form) == 0)
            printf("/* %s(%s): %s */\nCR_API cr_node cr_%s%s;\n", r->name, r->arguments, r->sentence, r->name,
                   forms[i].parameters);
}

int main(void) {
    puts("/* The builders of the op table, made from src/ops/ops.def and composites.def by "
         "tools/ops_header.c. In comments: the\n"
         " * op as a formula has it. Axes may be NULL: all of them. flag: the last attribute. Included by "
         "chainrule.h. */");
    for (size_t i = 0; i < sizeof primitives / sizeof *primitives; i++) print(&primitives[i]);
    puts("\n/* Composites. */");
    for (size_t i = 0; i < sizeof composites / sizeof *composites; i++) print(&composites[i]);
    return 0;
}
