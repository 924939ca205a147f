/* Files of numbers, by what they are. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

/* ---- PATH and PATH:NAME ---- */

/* "file.npz:x" is x of file.npz, unless a file is called just so. False: the path is too long. */
static bool split(const char *s, char path[4096], const char **name) {
    FILE *whole = fopen(s, "rb");
    const char *colon = whole ? NULL : strrchr(s, ':');
    size_t n = colon ? (size_t)(colon - s) : strlen(s);
    if (whole) fclose(whole);
    if (n >= 4096) return false;
    memcpy(path, s, n);
    path[n] = 0;
    *name = colon ? colon + 1 : NULL;
    return true;
}

/* --categories COLUMN or COLUMN=WORD,WORD ...: copied, the '=' and commas taken out. */
enum { most_wishes = 16 };
struct wishes {
    cr_categories c[most_wishes];
    char *text[most_wishes];
    const char **names[most_wishes];
    int n;
};

static bool add_wish(struct wishes *w, const char *value) {
    size_t count = 1;
    for (const char *p = value; *p; p++) count += *p == ',';
    char *s = w->text[w->n] = malloc(strlen(value) + 1);
    const char **names = w->names[w->n] = malloc(count * sizeof *names);
    cr_categories *c = &w->c[w->n++];
    if (!s || !names) return false;
    strcpy(s, value);
    char *words = strchr(s, '=');
    *c = (cr_categories){s, 0, names};
    if (words) *words++ = 0;
    while (words) {
        names[c->count++] = words;
        if ((words = strchr(words, ','))) *words++ = 0;
    }
    return true;
}

static bool read_wishes(struct wishes *w, const struct arguments *a, cr_text *why) {
    w->n = 0;
    for (int i = 0; a && i < a->options; i++) {
        if (strcmp(a->option[i].name, "categories") != 0) continue;
        if (w->n == most_wishes) return cr_text_append(why, "--categories: more than 16 columns"), false;
        if (!add_wish(w, a->option[i].value)) return cr_text_append(why, "out of memory"), false;
    }
    return true;
}

static void drop_wishes(struct wishes *w) {
    for (int i = 0; i < w->n; i++) free(w->text[i]), free(w->names[i]);
}

/* Its files may be mapped: what a cut file would end is this program alone. */
static cr_context *reading;

void close_reading(void) {
    cr_context_free(reading);
    reading = NULL;
}

bool open_data(cr_data **out, const char *path, const struct arguments *a, cr_text *why) {
    struct wishes w;
    if (!reading && !cr_context_new(&reading)) cr_context_map_files(reading, true);
    bool ok = read_wishes(&w, a, why) && cr_data_open(out, path, w.n, w.c, reading, why) == CR_OK;
    drop_wishes(&w);
    if (!ok && a && strstr(cr_text_str(why), "of categories)")) cr_text_append(why, ": --categories COLUMN");
    return ok;
}

static void unknown(const cr_data *d, const char *path, const char *name, cr_text *why) {
    cr_text_append(why, path);
    cr_text_append(why, ": there is no '");
    cr_text_append(why, name);
    cr_text_append(why, "': there are ");
    for (int i = 0; cr_data_name(d, i) && i < 20; i++) {
        cr_text_append(why, i ? ", " : "");
        cr_text_append(why, *cr_data_name(d, i) ? cr_data_name(d, i) : "one array without a name");
    }
}

bool load_data(cr_array **out, const char *from, const struct arguments *a, cr_text *why) {
    char path[4096];
    const char *name;
    cr_data *d = NULL;
    *out = NULL;
    if (!split(from, path, &name)) return cr_text_append(why, "the path is too long"), false;
    if (!open_data(&d, path, a, why)) return false;
    int i = name ? cr_data_find(d, name) : -1;
    bool ok = false;
    if (name && i < 0) unknown(d, path, name, why);
    else ok = (name ? cr_data_array(out, d, i, why) : cr_data_whole(out, d, why)) == CR_OK;
    cr_data_free(d);
    return ok;
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
    cr_text_append(t, json ? "" : "\n");
}

/* At most 20 of them. */
static void append_categories(cr_text *t, const cr_data *d, int i, bool json) {
    const char *word;
    char number[48];
    int64_t k = 0;
    for (; (word = cr_data_category(d, i, k)) && (json || k < 20); k++) {
        snprintf(number, sizeof number, "%s%lld = ", k ? ", " : "  categories ", (long long)k);
        cr_text_append(t, !json ? number : k ? ", " : ", \"categories\": [");
        if (json) cr_text_json(t, word);
        else cr_text_append(t, word);
    }
    if (word) cr_text_append(t, " ...");
    if (k) cr_text_append(t, json ? "]" : "\n");
}

/* Every array of the file. */
static int show(cr_text *t, cr_data *d, bool json, cr_text *why) {
    for (int i = 0; cr_data_name(d, i); i++) {
        cr_array *a = NULL;
        if (cr_data_array(&a, d, i, why)) return fail("%s", cr_text_str(why));
        cr_text_append(t, json && i ? ", " : "");
        append_tensor(t, cr_data_name(d, i), a, json);
        append_categories(t, d, i, json);
        cr_text_append(t, json ? "}" : "");
        cr_array_free(a);
    }
    return EXIT_DONE;
}

int run_info(struct arguments *a) {
    cr_text *t = NULL, *why = NULL;
    cr_data *d = NULL;
    if (cr_text_new(&t, NULL) || cr_text_new(&why, NULL)) return cr_text_free(t), fail("out of memory");
    cr_text_append(t, a->json ? "[" : "");
    int code = open_data(&d, a->formula, a, why) ? show(t, d, a->json, why) : fail("%s", cr_text_str(why));
    cr_text_append(t, a->json ? "]\n" : "");
    if (!code) code = print_text(t);
    cr_data_free(d);
    cr_text_free(t);
    cr_text_free(why);
    return code;
}
