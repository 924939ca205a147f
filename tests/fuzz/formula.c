/* Any text as a model: read, built, printed, differentiated, simplified and evaluated, with little memory, without crash or leak. */
#include "fuzz.h"

#include <string.h>

static void set_leaves(cr_graph *g, cr_eval *e) {
    static double zeros[1024];
    for (int i = 0; cr_ok(cr_leaf(g, i)); i++) {
        cr_node x = cr_leaf(g, i);
        size_t bytes = (size_t)cr_count(x) * cr_dtype_size(cr_dtype_of(x));
        if (cr_count(x) >= 0 && cr_count(x) <= 1024) cr_eval_set(e, x, cr_dtype_of(x), zeros, bytes);
    }
}

/* Reads `from` and writes what it builds to `to`. Memory may fail; nothing else may. */
static bool read_and_write(const cr_text *from, cr_text *to, cr_context *ctx) {
    cr_model *m = NULL;
    cr_graph *g = cr_graph_new(ctx);
    cr_node y;
    cr_status s = g ? cr_model_new(&m, cr_text_str(from), cr_text_size(from), NULL, ctx, to) : CR_ENOMEM;
    if (!s) s = cr_model_build(&y, m, g, to);
    cr_text_clear(to);
    if (!s) s = cr_print_model(to, g, y);
    cr_model_free(m);
    cr_graph_free(g);
    if (s && s != CR_ENOMEM) abort();
    return s == CR_OK;
}

/* What is written as a model is read again; written and read once more, where nodes have the order of the text, it is the
 * same text. */
static void write_again(cr_graph *g, cr_node y, cr_context *ctx) {
    cr_text *text[3] = {NULL, NULL, NULL};
    bool ok = true;
    for (int i = 0; i < 3; i++) ok = ok && !cr_text_new(&text[i], ctx);
    ok = ok && !cr_print_model(text[0], g, y);
    ok = ok && read_and_write(text[0], text[1], ctx) && read_and_write(text[1], text[2], ctx);
    if (ok && strcmp(cr_text_str(text[1]), cr_text_str(text[2]))) abort();
    for (int i = 0; i < 3; i++) cr_text_free(text[i]);
}

static void use(cr_graph *g, cr_node y, cr_context *ctx) {
    cr_text *text = NULL;
    cr_eval *e = NULL;
    cr_array *value = NULL;
    cr_node x = cr_leaf(g, 0), d;
    if (cr_text_new(&text, ctx) == CR_OK) {
        cr_print(text, y);
        cr_print_latex(text, y);
        if (cr_ok(x) && cr_grad(&d, y, 1, &x) == CR_OK) cr_print(text, cr_simplify(cr_stable(d)));
    }
    cr_graph_clear_error(g);
    if (cr_eval_new(&e, g, NULL) == CR_OK) {
        set_leaves(g, e);
        if (cr_eval_array(&value, e, y) == CR_OK) cr_array_print(text, value, true);
    }
    cr_array_free(value);
    cr_eval_free(e);
    cr_text_free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct budget budget = {.left = 4 << 20}; /* so that no evaluation takes long */
    cr_context *ctx = budget_context(&budget);
    cr_text *why = NULL;
    cr_model *m = NULL;
    cr_text_new(&why, ctx);
    if (cr_model_new(&m, (const char *)data, size, "fuzz.cr", ctx, why) == CR_OK) {
        cr_graph *g = cr_graph_new(ctx);
        cr_node y;
        cr_model_size(m, "n", 3);
        if (cr_model_build(&y, m, g, why) == CR_OK && cr_ok(y)) {
            write_again(g, y, ctx);
            use(g, y, ctx);
        }
        cr_graph_free(g);
    }
    cr_model_free(m);
    cr_text_free(why);
    budget_end(&budget, ctx);
    return 0;
}
