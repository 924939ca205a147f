/* Files of numbers, by what they are. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

bool is_csv(const char *path) { return ends_with(path, ".csv"); }

/* The first bytes of a file, zeros behind its end. */
struct head {
    unsigned char s[9];
};
static struct head head_of(const char *path) {
    struct head h = {{0}};
    FILE *f = fopen(path, "rb");
    if (f) {
        if (fread(h.s, 1, sizeof h.s, f) == 0) h.s[0] = 0;
        fclose(f);
    }
    return h;
}

bool is_npy(const char *path) {
    return ends_with(path, ".npy") || memcmp(head_of(path).s, "\x93NUMPY", 6) == 0;
}

bool is_idx(const char *path) {
    struct head h = head_of(path);
    return memcmp(h.s, "\x1f\x8b", 2) == 0 || (memcmp(h.s, "\0\0", 2) == 0 && h.s[2] >= 8 && h.s[2] <= 14);
}

/* The length of a header below 4 GiB, then '{'. */
static bool is_safetensors(const char *path) {
    struct head h = head_of(path);
    return ends_with(path, ".safetensors") || (h.s[8] == '{' && memcmp(h.s + 4, "\0\0\0\0", 4) == 0);
}

bool load_data(cr_array **out, const char *path, cr_text *why) {
    char at[4096];
    if (is_csv(path)) {
        if ((size_t)snprintf(at, sizeof at, "@%s", path) >= sizeof at)
            return cr_text_append(why, "the path is too long"), false;
        return read_value(out, at, why);
    }
    return (is_npy(path) ? cr_npy_load(out, path, NULL, why) : cr_idx_load(out, path, NULL, why)) == CR_OK;
}

void append_number(cr_text *t, double x) {
    cr_array *v = NULL;
    if (cr_array_new(&v, NULL, CR_F64, 0, NULL)) return;
    *(double *)cr_array_data(v) = x;
    cr_array_print(t, v, true);
    cr_array_free(v);
}

/* ---- info ---- */

struct summary {
    double least, most, mean;
    int64_t nans;
};

static struct summary summary_of(const cr_array *a) {
    struct summary s = {INFINITY, -INFINITY, 0, 0};
    cr_array *wide = NULL;
    int64_t n = cr_array_count(a);
    if (cr_array_cast(&wide, a, CR_F64)) return s;
    const double *x = cr_array_data(wide);
    for (int64_t i = 0; i < n; i++) {
        s.nans += x[i] != x[i];
        s.least = fmin(s.least, x[i]);
        s.most = fmax(s.most, x[i]);
        if (x[i] == x[i]) s.mean += x[i] / (double)n;
    }
    cr_array_free(wide);
    return s;
}

static void append_dims(cr_text *t, const cr_array *a) {
    char s[32];
    cr_text_append(t, "[");
    for (int i = 0; i < cr_array_rank(a); i++) {
        snprintf(s, sizeof s, i ? ", %lld" : "%lld", (long long)cr_array_dims(a)[i]);
        cr_text_append(t, s);
    }
    cr_text_append(t, "]");
}

static void append_summary(cr_text *t, const cr_array *a, bool json) {
    struct summary s = summary_of(a);
    char nans[32];
    const struct {
        const char *name;
        double value;
    } part[] = {{"min", s.least}, {"max", s.most}, {"mean", s.mean}};
    for (size_t i = 0; cr_array_count(a) && i < 3; i++) {
        char plain[64];
        cr_text_append(t, json ? ", \"" : i ? ", " : "  ");
        cr_text_append(t, part[i].name);
        cr_text_append(t, json ? "\": " : " ");
        snprintf(plain, sizeof plain, "%.6g", part[i].value);
        if (json) append_number(t, part[i].value);
        else cr_text_append(t, plain);
    }
    snprintf(nans, sizeof nans, json ? ", \"nan\": %lld" : ", %lld nan", (long long)s.nans);
    if (json || s.nans) cr_text_append(t, nans);
}

static void append_tensor(cr_text *t, const char *name, const cr_array *a, bool json) {
    if (json) {
        cr_text_append(t, "{\"name\": ");
        cr_text_json(t, name);
        cr_text_append(t, ", \"dtype\": ");
        cr_text_json(t, cr_dtype_name(cr_array_dtype(a)));
        cr_text_append(t, ", \"shape\": ");
    } else {
        cr_text_append(t, name);
        cr_text_append(t, *name ? "  " : "");
        cr_text_append(t, cr_dtype_name(cr_array_dtype(a)));
    }
    append_dims(t, a);
    append_summary(t, a, json);
    cr_text_append(t, json ? "}" : "\n");
}

/* Every tensor of a store, columns of a table, or one array. */
static int show_store(cr_text *t, const char *path, bool json, cr_text *why) {
    cr_store *s = NULL;
    if (cr_store_new(&s, NULL)) return fail("out of memory");
    int code = cr_store_load(s, path, NULL, why) ? fail("%s", cr_text_str(why)) : EXIT_DONE;
    for (int i = 0; !code && cr_store_name(s, i); i++) {
        cr_array *a = NULL;
        if (cr_store_array(&a, s, cr_store_name(s, i))) code = fail("out of memory");
        else {
            cr_text_append(t, json && i ? ", " : "");
            append_tensor(t, cr_store_name(s, i), a, json);
        }
        cr_array_free(a);
    }
    cr_store_free(s);
    return code;
}

static int show_table(cr_text *t, const char *path, bool json, cr_text *why) {
    cr_table *table = NULL;
    int code = cr_csv_load(&table, path, NULL, why) ? fail("%s", cr_text_str(why)) : EXIT_DONE;
    for (int k = 0; !code && k < cr_table_columns(table); k++) {
        cr_array *a = NULL;
        if (table_column(&a, table, k)) code = fail("out of memory");
        else {
            cr_text_append(t, json && k ? ", " : "");
            append_tensor(t, cr_table_name(table, k), a, json);
        }
        cr_array_free(a);
    }
    cr_table_free(table);
    return code;
}

static int show_array(cr_text *t, const char *path, bool json, cr_text *why) {
    cr_array *a = NULL;
    if (!load_data(&a, path, why)) return fail("%s", cr_text_str(why));
    append_tensor(t, "", a, json);
    cr_array_free(a);
    return EXIT_DONE;
}

int run_info(struct arguments *a) {
    cr_text *t = NULL, *why = NULL;
    if (cr_text_new(&t, NULL) || cr_text_new(&why, NULL)) return cr_text_free(t), fail("out of memory");
    cr_text_append(t, a->json ? "[" : "");
    int code = is_safetensors(a->formula) ? show_store(t, a->formula, a->json, why)
               : is_csv(a->formula)       ? show_table(t, a->formula, a->json, why)
                                          : show_array(t, a->formula, a->json, why);
    cr_text_append(t, a->json ? "]\n" : "");
    if (!code) code = print_text(t);
    cr_text_free(t);
    cr_text_free(why);
    return code;
}
