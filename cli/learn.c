/* A model with data, for the verbs train, eval and predict. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

/* The library names an input without data; how it is given is ours to say. */
int learn_failed(const struct learning *l) {
    static const char missing[] = "the input '";
    const char *s = cr_train_error(l->train) ? cr_train_error(l->train) : cr_status_text(CR_ENOMEM);
    if (l->weights && strncmp(s, "the parameter '", 15) == 0) return fail("%s: %s", l->weights, s);
    if (strncmp(s, missing, sizeof missing - 1) != 0) return fail("%s", s);
    const char *name = s + sizeof missing - 1;
    return fail("%s: give it as --data %.*s=FILE", s, (int)strcspn(name, "'"), name);
}

/* Does the model declare it, and of which dtype? */
static bool declares(const struct learning *l, const char *name, cr_dtype *dtype) {
    const char *leaf;
    for (int i = 0; (leaf = cr_model_leaf(l->model, i, NULL, dtype, NULL)); i++)
        if (strcmp(leaf, name) == 0) return true;
    return false;
}

/* In the dtype of the input at once, so that the file's own numbers don't stay; but fractions that are to become integers are looked at by
 * the training. */
static int add(struct learning *l, const char *name, cr_array *array, const char *path) {
    cr_dtype dtype;
    bool whole = !path; /* given on the command line, the same for all observations */
    cr_train_source(l->train, path);
    if (declares(l, name, &dtype) && dtype != cr_array_dtype(array) &&
        (dtype >= CR_F16 || cr_array_dtype(array) < CR_F16)) {
        cr_array *cast = NULL;
        cr_status status = cr_array_cast(&cast, array, dtype);
        cr_array_free(array);
        if (status) return fail("out of memory");
        array = cast;
    }
    if (l->arrays == sizeof l->array / sizeof *l->array)
        return cr_array_free(array), fail("too many arrays of data");
    l->array[l->arrays++] = array;
    if (l->window && !whole)
        return cr_train_windows(l->train, name, array, l->window, l->stride) ? learn_failed(l) : EXIT_DONE;
    return (whole ? cr_train_constant : cr_train_data)(l->train, name, array) ? learn_failed(l) : EXIT_DONE;
}

/* What a file has, where the model has none of it. */
static int none_of_it(struct learning *l, const cr_data *d, const char *path) {
    const char *name;
    bool param, any = false;
    cr_text_clear(l->why);
    for (int i = 0; (name = cr_data_name(d, i)) && i < 20; i++) {
        cr_text_append(l->why, i ? ", " : "");
        cr_text_append(l->why, *name ? name : "one array without a name");
    }
    cr_text_append(l->why, ", but the model's inputs are ");
    for (int i = 0; (name = cr_model_leaf(l->model, i, &param, NULL, NULL)); i++) {
        if (param) continue;
        cr_text_append(l->why, any ? ", " : "");
        cr_text_append(l->why, name);
        any = true;
    }
    return fail("%s has %s: call them alike, or say which is which, as in --data x=%s:NAME", path,
                cr_text_str(l->why), path);
}

/* --data FILE: every array in it, a column of a table among them, that the model has an input for. */
static int add_file(struct learning *l, const struct arguments *a, const char *path) {
    cr_data *d = NULL;
    int code = open_data(&d, path, a, l->why) ? EXIT_DONE : fail("%s", cr_text_str(l->why)),
        arrays = l->arrays;
    for (int k = 0; !code && cr_data_name(d, k); k++) {
        cr_array *x = NULL;
        if (!declares(l, cr_data_name(d, k), NULL)) continue;
        code = cr_data_array(&x, d, k, l->why) ? fail("%s", cr_text_str(l->why))
                                               : add(l, cr_data_name(d, k), x, path);
    }
    if (!code && arrays == l->arrays) code = none_of_it(l, d, path);
    cr_data_free(d);
    return code;
}

static int add_data(struct learning *l, const struct arguments *a, const char *value) {
    char name[256];
    const char *equals = strchr(value, '=');
    cr_array *x = NULL;
    if (!equals && *value) return add_file(l, a, value);
    if (!equals || equals == value || !equals[1] || (size_t)(equals - value) >= sizeof name)
        return wrong_use(
            "--data: expected input=FILE, input=FILE:NAME, or a FILE whose columns or arrays are "
            "called as the inputs, found '%s'",
            value);
    memcpy(name, value, (size_t)(equals - value));
    name[equals - value] = 0;
    if (l->window && is_text(equals + 1)) return add_text(l, name, equals + 1);
    if (!load_data(&x, equals + 1, a, l->why)) return fail("%s", cr_text_str(l->why));
    if (cr_array_rank(x) && cr_array_dims(x)[0] == 0) {
        cr_array_free(x);
        return fail("%s: '%s' has no rows%s", equals + 1, name,
                    ends_with(equals + 1, ".txt") ? ": a text is read with --window N" : "");
    }
    return add(l, name, x, equals + 1);
}

/* name=value: a size, or an input that is the same for all observations. */
static int add_given(struct learning *l, const struct given *g) {
    cr_array *copy = NULL;
    int64_t n;
    if (cr_model_size(l->model, g->name, 0) == CR_OK)
        return whole_number(g->array, &n) && cr_model_size(l->model, g->name, n) == CR_OK
                   ? EXIT_DONE
                   : fail("'%s' is a size: expected a whole number, not negative", g->name);
    if (cr_array_cast(&copy, g->array, CR_F64)) return fail("out of memory");
    return add(l, g->name, copy, NULL);
}

static int set_options(struct learning *l, const struct arguments *a) {
    static const char *const names[] = {"optimiser", "epochs",   "batch", "validation",
                                        "best",      "patience", "seed",  "shuffle"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = option_value(a, names[i]);
        if (value && cr_train_set(l->train, names[i], value))
            return wrong_use("--%s", cr_train_error(l->train));
    }
    const char *compiler = option_value(a, "compile");
    if (cr_train_set(l->train, "compile", compiler ? compiler : "auto"))
        return wrong_use("--%s", cr_train_error(l->train));
    return EXIT_DONE;
}

/* -1: no number of threads. */
static int threads_of(const struct arguments *a) {
    const char *s = option_value(a, "threads");
    double n = 0;
    return s && (!read_number(s, &n) || !(n >= 0 && n <= 1024) || n != (int)n) ? -1 : (int)n;
}

int learn_open(struct learning *l, const struct arguments *a) {
    memset(l, 0, sizeof *l);
    if (threads_of(a) < 0)
        return wrong_use("--threads: expected an integer from 0 to 1024, found '%s'",
                         option_value(a, "threads"));
    if (cr_context_new(&l->ctx) || cr_context_threads(l->ctx, threads_of(a)) ||
        cr_text_new(&l->text, l->ctx) || cr_text_new(&l->why, l->ctx) || cr_store_new(&l->store, l->ctx))
        return fail("out of memory");
    if (cr_model_load(&l->model, a->formula, l->ctx, l->why))
        return fail("%s%s", *cr_text_str(l->why) ? cr_text_str(l->why) : cr_status_text(CR_ENOMEM),
                    ends_with(a->formula, ".cr") ? "" : " (expected a file of a model, as mlp.cr)");
    if (cr_train_new(&l->train, l->model, l->store, l->ctx)) return fail("out of memory");
    int code = set_options(l, a);
    if (!code) code = set_windows(l, a);
    if (!code) code = read_alphabet(l, a);
    bool any = option_value(a, "continue") != NULL;
    for (const struct given *g = a->given; g && !code; g = g->next) code = add_given(l, g);
    for (int i = 0; i < a->options && !code; i++) {
        if (strcmp(a->option[i].name, "data") != 0) continue;
        code = add_data(l, a, a->option[i].value);
        any = true;
    }
    return code || any ? code : wrong_use("which data? --data x=FILE for each input, or --data FILE.csv");
}

void learn_close(struct learning *l) {
    cr_train_free(l->train);
    for (int i = 0; i < l->arrays; i++) cr_array_free(l->array[i]);
    close_texts(l);
    cr_store_free(l->store);
    cr_model_free(l->model);
    cr_text_free(l->text);
    cr_text_free(l->why);
    cr_context_free(l->ctx);
}

/* What the model declares is there, in its dtype. */
int check_weights(const cr_model *model, cr_store *store, const char *path) {
    bool param;
    cr_dtype declared, found;
    const char *name;
    for (int i = 0; (name = cr_model_leaf(model, i, &param, &declared, NULL)); i++) {
        if (!param) continue;
        if (!cr_store_data(store, name, &found, NULL))
            return fail("%s: has no '%s', a parameter of the model: are these the weights of another one?",
                        path, name);
        if (found != declared)
            return fail("%s: '%s' is %s, the model declares %s: declare it so, or save the weights anew",
                        path, name, cr_dtype_name(found), cr_dtype_name(declared));
    }
    return EXIT_DONE;
}

int learn_weights(struct learning *l, const char *path) {
    if (!path) return wrong_use("--weights FILE: the parameters that 'chainrule train --out FILE' wrote");
    cr_text_clear(l->why);
    l->weights = path;
    if (cr_store_load(l->store, path, l->ctx, l->why)) return fail("%s", cr_text_str(l->why));
    return check_weights(l->model, l->store, path);
}

/* ---- eval ---- */

static int report(struct learning *l, bool json) {
    double value;
    const char *name;
    cr_text_append(l->text, json ? "{" : "");
    for (int i = 0; (name = cr_train_metric(l->train, i, NULL, &value)); i++) {
        if (json) {
            cr_text_append(l->text, i ? ", " : "");
            cr_text_json(l->text, name);
            cr_text_append(l->text, ": ");
        } else {
            cr_text_append(l->text, name);
            cr_text_append(l->text, " = ");
        }
        append_number(l->text, value);
        cr_text_append(l->text, json ? "" : "\n");
    }
    cr_text_append(l->text, json ? "}\n" : "");
    return print_text(l->text);
}

int run_eval(struct arguments *a) {
    struct learning l;
    int code = learn_open(&l, a);
    if (!code) code = learn_weights(&l, option_value(a, "weights"));
    if (!code && cr_train_evaluate(l.train)) code = learn_failed(&l);
    if (!code) code = report(&l, a->json);
    learn_close(&l);
    return code;
}

/* ---- predict ---- */

/* A row for each observation, its numbers side by side. */
static void append_csv(cr_text *t, const cr_array *a) {
    int64_t rows = cr_array_rank(a) ? cr_array_dims(a)[0] : 1, width = rows ? cr_array_count(a) / rows : 0;
    bool narrow = cr_array_dtype(a) == CR_F32;
    cr_array *wide = NULL, *one = NULL; /* one number at a time, in its own dtype's digits */
    bool ok =
        !cr_array_cast(&wide, a, CR_F64) && !cr_array_new(&one, NULL, narrow ? CR_F32 : CR_F64, 0, NULL);
    const double *x = cr_array_data(wide);
    for (int64_t i = 0; ok && i < rows * width; i++) {
        if (narrow) *(float *)cr_array_data(one) = (float)x[i];
        else *(double *)cr_array_data(one) = x[i];
        cr_array_print(t, one, false);
        cr_text_append(t, (i + 1) % width ? "," : "\n");
    }
    cr_array_free(wide);
    cr_array_free(one);
}

static int write_prediction(struct learning *l, const cr_array *y, const struct arguments *a) {
    const char *path = option_value(a, "out");
    size_t n = path ? strlen(path) : 0;
    cr_text_clear(l->why);
    if (path && n > 4 && strcmp(path + n - 4, ".npy") == 0)
        return cr_npy_save(path, y, l->why) ? fail("%s", cr_text_str(l->why)) : EXIT_DONE;
    if (a->json) cr_array_print(l->text, y, true), cr_text_append(l->text, "\n");
    else append_csv(l->text, y);
    if (!path) return print_text(l->text);
    cr_status status = cr_file_write(path, cr_text_str(l->text), cr_text_size(l->text), l->ctx, l->why);
    return status ? fail("%s", cr_text_str(l->why)) : EXIT_DONE;
}

int run_predict(struct arguments *a) {
    struct learning l;
    cr_array *y = NULL;
    const char *of = option_value(a, "of");
    int code = learn_open(&l, a);
    if (!code) code = learn_weights(&l, option_value(a, "weights"));
    if (!code && !of) code = wrong_use("--of NAME: which node of the model?");
    if (!code && option_value(a, "continue")) {
        code = continue_text(&l, a);
        learn_close(&l);
        return code;
    }
    if (!code && cr_train_predict(&y, l.train, of)) code = learn_failed(&l);
    if (!code) code = write_prediction(&l, y, a);
    cr_array_free(y);
    learn_close(&l);
    return code;
}
