/* A two-layer network learns to tell two half-moons apart: a training loop with Adam, written as a graph. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "chainrule.h"

enum { points = 200 };

/* Adam (Kingma and Ba 2015) for one parameter: its two moments are parameters too. */
static void adam(cr_target *t, cr_graph *g, cr_node w, cr_node dw, const char *m_name, const char *v_name) {
    cr_node m = cr_param(g, m_name, CR_F32, cr_rank(w), cr_dims(w)),
            v = cr_param(g, v_name, CR_F32, cr_rank(w), cr_dims(w));
    cr_node step = cr_cast(cr_add(cr_step_number(g), cr_number(g, 1)), CR_F32);
    cr_node m2 = cr_add(cr_mul(cr_number(g, 0.9), m), cr_mul(cr_number(g, 0.1), dw));
    cr_node v2 = cr_add(cr_mul(cr_number(g, 0.999), v), cr_mul(cr_number(g, 0.001), cr_square(dw)));
    cr_node m_hat = cr_div(m2, cr_sub(cr_number(g, 1), cr_pow(cr_number(g, 0.9), step)));
    cr_node v_hat = cr_div(v2, cr_sub(cr_number(g, 1), cr_pow(cr_number(g, 0.999), step)));
    cr_node change = cr_div(cr_mul(cr_number(g, 0.05), m_hat), cr_add(cr_sqrt(v_hat), cr_number(g, 1e-8)));
    cr_param_init(m, cr_number(g, 0));
    cr_param_init(v, cr_number(g, 0));
    cr_target_update(t, m, m2);
    cr_target_update(t, v, v2);
    cr_target_update(t, w, cr_sub(w, change));
}

static void moons(float x[points][2], int32_t y[points]) {
    for (int i = 0; i < points; i++) {
        double angle = 3.14159265 * (i / 2) / (points / 2), noise = 0.1 * sin(i * 12.9898);
        y[i] = i % 2;
        x[i][0] = (float)((y[i] ? 1 - cos(angle) : cos(angle)) + noise);
        x[i][1] = (float)((y[i] ? 0.5 - sin(angle) : sin(angle)) - noise);
    }
}

int main(void) {
    static float x[points][2];
    static int32_t y[points];
    static const char *const names[4][3] = {
        {"W1", "W1.m", "W1.v"}, {"b1", "b1.m", "b1.v"}, {"W2", "W2.m", "W2.v"}, {"b2", "b2.m", "b2.v"}};
    float loss = 0;
    double accuracy = 0;
    moons(x, y);

    cr_graph *g = cr_graph_new(NULL);
    cr_node in = cr_input(g, "x", CR_F32, 2, (const int64_t[]){points, 2}),
            label = cr_input(g, "y", CR_I32, 1, (const int64_t[]){points});
    cr_node w[4] = {cr_param(g, "W1", CR_F32, 2, (const int64_t[]){2, 16}),
                    cr_param(g, "b1", CR_F32, 1, (const int64_t[]){16}),
                    cr_param(g, "W2", CR_F32, 2, (const int64_t[]){16, 2}),
                    cr_param(g, "b2", CR_F32, 1, (const int64_t[]){2})};
    cr_node d[4], seed = cr_seed(g);
    cr_param_init(w[0], cr_he_normal(cr_fold_in(seed, cr_number(g, 1)), 2, cr_dims(w[0]), CR_F32));
    cr_param_init(w[2], cr_he_normal(cr_fold_in(seed, cr_number(g, 2)), 2, cr_dims(w[2]), CR_F32));
    cr_param_init(w[1], cr_number(g, 0));
    cr_param_init(w[3], cr_number(g, 0));
    cr_node h = cr_relu(cr_add(cr_matmul(in, w[0]), w[1])), logits = cr_add(cr_matmul(h, w[2]), w[3]);
    cr_node cost = cr_mean(cr_cross_entropy(logits, label), 0, NULL, false);
    cr_node right = cr_mean(cr_eq(cr_argmax(logits, -1), label), 0, NULL, false);
    cr_grad(d, cost, 4, w);

    cr_target *t = cr_target_new(g);
    cr_target_output(t, "loss", cost);
    cr_target_output(t, "accuracy", right);
    for (int i = 0; i < 4; i++) adam(t, g, w[i], d[i], names[i][1], names[i][2]);
    cr_program *p = NULL;
    cr_store *store = NULL;
    cr_run *r = NULL;
    cr_status s = cr_compile(&p, t, NULL);
    if (s) fprintf(stderr, "%s\n", cr_graph_error(g));
    if (!s) s = cr_store_new(&store, NULL);
    if (!s) s = cr_store_init(store, g, 1);
    if (!s) s = cr_run_new(&r, p, store, NULL, 0);
    cr_bind(r, "x", CR_F32, x, sizeof x);
    cr_bind(r, "y", CR_I32, y, sizeof y);
    cr_bind(r, "loss", CR_F32, &loss, sizeof loss);
    cr_bind(r, "accuracy", CR_F64, &accuracy, sizeof accuracy);
    for (int i = 0; i < 300 && !s; i++) s = cr_step(r);
    if (s) fprintf(stderr, "%s\n", cr_run_error(r) ? cr_run_error(r) : cr_status_text(s));
    else printf("loss below 0.01: %s, accuracy %.2f\n", loss < 0.01f ? "yes" : "no", accuracy);
    cr_run_free(r);
    cr_store_free(store);
    cr_program_free(p);
    cr_target_free(t);
    cr_graph_free(g);
    return s != CR_OK;
}
