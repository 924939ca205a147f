/* What an eval's file is written with: data out of JSON, models, outputs. */
#include "adapter.h"

#include <stdio.h>
#include <string.h>

bool problem_fail(struct problem *p, const char *sentence) {
    if (!*cr_text_str(p->why)) cr_text_append(p->why, sentence);
    return false;
}

/* ---- Numbers out of JSON, and back ---- */

/* The shape that the first element of each list shows; -1: more than 8 levels. */
static int shape_of(const json_t *j, int64_t dims[8]) {
    int rank = 0;
    for (; json_is_array(j); j = json_array_get(j, 0)) {
        if (rank == 8) return -1;
        dims[rank++] = (int64_t)json_array_size(j);
    }
    return rank;
}

/* The numbers of a list of the shape at `at`, one behind the other; NULL: one has another shape. */
static char *fill(char *at, const json_t *j, cr_dtype dtype, int rank, const int64_t dims[]) {
    if (rank == 0 && dtype == CR_I64 && json_is_integer(j)) {
        *(int64_t *)at = json_integer_value(j);
        return at + 8;
    }
    if (rank == 0 && dtype == CR_F64 && json_is_number(j)) {
        *(double *)at = json_number_value(j);
        return at + 8;
    }
    if (rank == 0 || !json_is_array(j) || (int64_t)json_array_size(j) != dims[0]) return NULL;
    for (int64_t i = 0; i < dims[0] && at; i++)
        at = fill(at, json_array_get(j, (size_t)i), dtype, rank - 1, dims + 1);
    return at;
}

cr_array *problem_numbers(struct problem *p, const json_t *numbers, cr_dtype dtype) {
    int64_t dims[8] = {0};
    int rank = shape_of(numbers, dims);
    cr_array *a = NULL;
    if (rank < 0 || cr_array_new(&a, NULL, dtype, rank, dims) ||
        !fill(cr_array_data(a), numbers, dtype, rank, dims)) {
        problem_fail(p, "input: expected numbers in lists of equal lengths");
        cr_array_free(a);
        return NULL;
    }
    return a;
}

static json_t *list(const double **at, int rank, const int64_t dims[]) {
    if (rank == 0) return json_real(*(*at)++);
    json_t *j = json_array();
    for (int64_t i = 0; i < dims[0]; i++) json_array_append_new(j, list(at, rank - 1, dims + 1));
    return j;
}

json_t *problem_list(cr_array *a) {
    const double *at = cr_array_data(a);
    return list(&at, cr_array_rank(a), cr_array_dims(a));
}

/* ---- Inputs and models ---- */

static cr_array *given(const struct problem *p, const char *name) {
    for (int i = 0; i < p->n_in; i++)
        if (!strcmp(p->in[i].name, name)) return p->in[i].data;
    return NULL;
}

static void keep(struct bound *b, const char *name, cr_array *data) {
    snprintf(b->name, sizeof b->name, "%s", name);
    b->data = data;
}

void problem_take(struct problem *p, const char *name, cr_array *data) {
    if (!data) problem_fail(p, "an input lacks its data");
    else if (p->n_in == sizeof p->in / sizeof p->in[0]) {
        problem_fail(p, "too many inputs");
        cr_array_free(data);
    } else keep(&p->in[p->n_in++], name, data);
}

void *problem_give(struct problem *p, const char *name, cr_dtype dtype, int rank, const int64_t dims[]) {
    cr_array *a = NULL;
    if (cr_array_new(&a, NULL, dtype, rank, dims)) return problem_fail(p, "out of memory"), NULL;
    problem_take(p, name, a);
    return cr_array_data(given(p, name));
}

void problem_size(struct problem *p, const char *name, int64_t value) {
    char line[64];
    snprintf(line, sizeof line, "%s = %lld\n", name, (long long)value);
    cr_text_append(p->sizes, line);
}

static void declare(struct problem *p, cr_model *m, const json_t *input) {
    cr_dtype dtype;
    for (int i = 0; cr_model_leaf(m, i, NULL, &dtype, NULL); i++) {
        const char *name = cr_model_leaf(m, i, NULL, NULL, NULL);
        const json_t *numbers = json_object_get(input, name);
        if (!given(p, name)) problem_take(p, name, numbers ? problem_numbers(p, numbers, dtype) : NULL);
        cr_array *a = given(p, name);
        if (a) cr_model_declare(m, name, false, dtype, cr_array_rank(a), cr_array_dims(a));
    }
}

cr_node problem_model(struct problem *p, const char *text, const json_t *input) {
    cr_model *m = NULL;
    cr_node result = cr_find(p->g, "");
    cr_text_append(p->sizes, text);
    const char *whole = cr_text_str(p->sizes);
    cr_status s = cr_model_new(&m, whole, strlen(whole), "model", NULL, p->why);
    if (!s) {
        declare(p, m, input);
        if (!*cr_text_str(p->why)) cr_model_build(&result, m, p->g, p->why);
    }
    cr_model_free(m);
    return result;
}

cr_node problem_node(struct problem *p, const char *name) { return cr_find(p->g, name); }

cr_node problem_input(struct problem *p, const char *name) {
    cr_array *a = given(p, name);
    if (!a) problem_fail(p, "an input lacks its data");
    return a ? cr_input(p->g, name, cr_array_dtype(a), cr_array_rank(a), cr_array_dims(a))
             : cr_find(p->g, "");
}

/* ---- Outputs ---- */

bool problem_output(struct problem *p, const char *name, cr_node value) {
    cr_array *a = NULL;
    if (!cr_ok(value)) return problem_fail(p, cr_graph_error(p->g) ? cr_graph_error(p->g) : "no such node");
    if (cr_dtype_of(value) != CR_F64 || p->n_out == sizeof p->out / sizeof p->out[0])
        return problem_fail(p, "an output too many, or not f64");
    if (cr_array_new(&a, NULL, CR_F64, cr_rank(value), cr_dims(value)))
        return problem_fail(p, "out of memory");
    p->result[p->n_out] = value;
    keep(&p->out[p->n_out++], name, a);
    return true;
}

bool problem_gradient(struct problem *p, const char *name, cr_node loss, cr_node by) {
    cr_node d;
    cr_grad(&d, loss, 1, &by);
    return problem_output(p, name, d);
}
