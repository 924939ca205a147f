/* The four modes of particle and saddle: what "$o" and "$i" stand for in their models. */
#include "descent.h"

#include <string.h>

cr_node descent_model(struct problem *p, const char *model, const json_t *input, int function) {
    cr_text *text = NULL;
    cr_node y = cr_find(p->g, "");
    if (cr_text_new(&text, NULL)) return y;
    for (const char *c = model; *c; c++) {
        bool forward = c[0] == '$' && (c[1] == 'o' ? function / 2 : function % 2);
        cr_text_append(text, *c != '$' ? (char[]){*c, 0} : forward ? "true" : "false");
        c += *c == '$';
    }
    y = problem_model(p, cr_text_str(text), input);
    cr_text_free(text);
    return y;
}
