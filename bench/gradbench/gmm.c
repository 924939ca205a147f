/* gmm: the log of the posterior probability of a Gaussian mixture with a Wishart prior on its precision matrices t(Q) Q. */
#include "adapter.h"

/* Q [k, d, d] has exp(q) on its diagonal and l below it, column by column: places says which entry stands where, the last being 0. Some
 * components come at a time, so that their Q x stay in a cache. */
static const char model[] =
    "input alpha: f64[k]\n"
    "input mu: f64[k, d]\n"
    "input q: f64[k, d]\n"
    "input l: f64[k, below]\n"
    "input x: f64[n, d]\n"
    "input m: f64\n"
    "input gamma: f64\n"
    "input places: i64[d, d]\n"
    "diagonal = exp(q)\n"
    "Q = concat(diagonal, l, 0*q[:, :1], axis=1)[:, places]\n"
    "sum_q = sum(q, axis=1, keep=true)\n"
    "fn far(Q, mu, across) = sum((Q @ across - Q @ mu[:, :, None])^2, axis=1)\n"
    "Q_some = reshape(Q, [k//some, some, d, d])\n"
    "mu_some = reshape(mu, [k//some, some, d])\n"
    "distances = reshape(map(far, Q_some, mu_some, across=t(x)), [k, n])\n"
    "beta = alpha[:, None] + sum_q - distances/2\n"
    "likelihood = sum(logsumexp(beta, axis=0)) - n*(d/2*log(2*pi) + logsumexp(alpha))\n"
    "freedom = d + m + 1\n"
    "log_gamma = d*(d - 1)/4*log(pi) + sum(lgamma((freedom - iota(d))/2))\n"
    "constant = freedom*d*(log(gamma) - log(2)/2) - log_gamma\n"
    "prior = k*constant - gamma^2/2*(sum(diagonal^2) + sum(l^2)) + m*sum(sum_q)\n"
    "likelihood + prior\n";

static void give_places(struct problem *p, int64_t d) {
    int64_t *place = problem_give(p, "places", CR_I64, 2, (int64_t[]){d, d}), next = d;
    for (int64_t j = 0; place && j < d; j++)
        for (int64_t i = 0; i < d; i++) place[i * d + j] = i == j ? j : i > j ? next++ : d + d * (d - 1) / 2;
}

/* So many numbers of f64 are half of a cache of 1 MiB. */
enum { HALF_CACHE = 1 << 16 };

static int64_t size(const json_t *input, const char *name) {
    return json_integer_value(json_object_get(input, name));
}

/* Of how many components Q x has no more numbers than that: so many that they divide all. */
static int64_t at_once(const json_t *input) {
    int64_t k = size(input, "k"), each = size(input, "d") * size(input, "n"), some = k;
    while (some > 1 && (k % some || (each && some > HALF_CACHE / each))) some--;
    return some;
}

static const char *const wrt[] = {"alpha", "mu", "q", "l"};

static bool build(struct problem *p, const json_t *input, int function) {
    json_t *m = json_real(json_number_value(json_object_get(input, "m")));
    problem_take(p, "m", problem_numbers(p, m, CR_F64));
    json_decref(m);
    give_places(p, size(input, "d"));
    problem_size(p, "some", at_once(input));
    cr_node y = problem_model(p, model, input), x[4], dx[4];
    if (function == 0) return problem_output(p, "output", y);
    for (int i = 0; i < 4; i++) x[i] = problem_node(p, wrt[i]);
    cr_grad(dx, y, 4, x);
    static const char *const outputs[] = {"d_alpha", "d_mu", "d_q", "d_l"}; /* names of inputs are taken */
    bool ok = true;
    for (int i = 0; i < 4; i++) ok = ok && problem_output(p, outputs[i], dx[i]);
    return ok;
}

static json_t *answer(const struct problem *p, const json_t *input) {
    (void)input;
    if (p->n_out == 1) return problem_list(p->out[0].data);
    json_t *j = json_object();
    for (int i = 0; i < 4; i++) json_object_set_new(j, wrt[i], problem_list(p->out[i].data));
    return j;
}

const struct eval eval_gmm = {"gmm", {"objective", "jacobian"}, build, answer};
