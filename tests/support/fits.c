#include "support/fits.h"

struct problem problem_of(const char *text) {
    struct problem p = {.g = cr_graph_new(NULL)};
    cr_model *m;
    cr_text *why;
    cr_node params[16];
    int n = 0;
    cr_text_new(&why, NULL);
    if (cr_model_new(&m, text, strlen(text), NULL, NULL, why) || cr_model_build(&p.loss, m, p.g, why))
        fail_msg("%s", cr_text_str(why));
    if (cr_ok(cr_find(p.g, "loss"))) p.loss = cr_find(p.g, "loss");
    for (int i = 0; cr_ok(cr_leaf(p.g, i)); i++)
        if (strcmp(cr_op_of(cr_leaf(p.g, i)), "param") == 0) params[n++] = cr_leaf(p.g, i);
    cr_store_new(&p.store, NULL);
    if (cr_fit_new(&p.f, p.loss, n, params, p.store)) fail_msg("%s", cr_graph_error(p.g));
    cr_model_free(m);
    cr_text_free(why);
    return p;
}

void problem_free(struct problem *p) {
    cr_fit_free(p->f);
    cr_store_free(p->store);
    cr_graph_free(p->g);
}

void problem_bind(struct problem *p, const char *name, const double *data, int n) {
    union {
        const double *from;
        void *to;
    } u = {data};
    if (cr_fit_bind(p->f, name, CR_F64, u.to, (size_t)n * sizeof *data))
        fail_msg("%s: %s", name, cr_fit_error(p->f));
}

double problem_value(const struct problem *p, const char *name) {
    double x = NAN;
    cr_store_get(p->store, name, CR_F64, &x, sizeof x);
    return x;
}
