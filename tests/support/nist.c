#include "support/nist.h"

#include <ctype.h>

/* ---- The lines of the file ---- */

struct lines {
    char *text, *line[400];
    int n;
};

static struct lines read_lines(const char *path) {
    struct lines l = {malloc(1 << 16), {NULL}, 0};
    FILE *file = fopen(path, "r");
    if (!file || !l.text) fail_msg("%s cannot be read", path);
    size_t n = fread(l.text, 1, (1 << 16) - 1, file);
    fclose(file);
    l.text[n] = 0;
    for (char *s = strtok(l.text, "\n"), *end = l.text + n; s && l.n < 400; s = strtok(NULL, "\n")) {
        l.line[l.n++] = s;
        if (s + strlen(s) < end && s[strlen(s) - 1] == '\r') s[strlen(s) - 1] = 0;
    }
    return l;
}

static int find_line(const struct lines *l, const char *with, int from) {
    for (int i = from; i < l->n; i++)
        if (strstr(l->line[i], with)) return i;
    return -1;
}

/* ---- Parameters ---- */

/* "  b1 =    500         250         2.3894212918E+02  2.7070075241E+00" */
static void read_nonlinear_params(struct nist *p, const struct lines *l) {
    for (int i = 0; i < l->n; i++) {
        double v[4];
        char name[8];
        if (sscanf(l->line[i], " %7[b0-9] = %lf %lf %lf %lf", name, &v[0], &v[1], &v[2], &v[3]) != 5)
            continue;
        int k = p->params++;
        strcpy(p->param[k], name);
        p->start[0][k] = v[0], p->start[1][k] = v[1], p->certified[k] = v[2], p->deviation[k] = v[3];
    }
}

/* "        B0        -1467.48961422980         298.084530995537" */
static void read_linear_params(struct nist *p, const struct lines *l) {
    for (int i = find_line(l, "Certified Regression", 0) + 1; i < l->n; i++) {
        double v[2];
        char name[8];
        if (sscanf(l->line[i], " %7[B0-9] %lf %lf", name, &v[0], &v[1]) != 3 || name[0] != 'B') continue;
        int k = p->params++;
        strcpy(p->param[k], name);
        p->certified[k] = v[0], p->deviation[k] = v[1];
    }
}

static double number_behind(const struct lines *l, const char *what, int from) {
    int i = find_line(l, what, from);
    return i < 0 ? NAN : strtod(strstr(l->line[i], what) + strlen(what), NULL);
}

/* ---- Data: the last heading "Data:   y   x", numbers below it ---- */

static void read_data(struct nist *p, const struct lines *l) {
    int head = 0;
    for (int i = 0; i < l->n; i++)
        if (strncmp(l->line[i], "Data:", 5) == 0) head = i;
    for (char *s = strtok(l->line[head] + 5, " \t"); s; s = strtok(NULL, " \t"))
        strncpy(p->column[p->columns++], s, sizeof *p->column - 1);
    for (int i = head + 1; i < l->n; i++) {
        char *s = l->line[i], *end;
        for (int k = 0; k < p->columns; k++, s = end) {
            p->data[k][p->rows] = strtod(s, &end);
            if (end == s) return;
        }
        p->rows++;
    }
}

/* ---- The formula: "y = b1*(1-exp[-b2*x])  +  e", over some lines ---- */

static void put(struct nist *p, const char *s) {
    assert_true(strlen(p->model) + strlen(s) < sizeof p->model);
    strcat(p->model, s);
}

/* "B0 + B1*x + ... + B10*(x**10)" written out. */
static void put_polynomial(struct nist *p) {
    char term[32];
    for (int k = 0; k < p->params; k++) {
        snprintf(term, sizeof term, "%s%s%s%.0d", k ? " + " : "", p->param[k], k ? "*x^" : "", k);
        put(p, term);
    }
}

/* In the formula language: ^ for **, round brackets, atan for arctan. */
static void put_formula(struct nist *p, const char *s) {
    for (; *s; s++) {
        char c[2] = {*s == '[' ? '(' : *s == ']' ? ')' : *s, 0};
        if (strncmp(s, "**", 2) == 0) c[0] = '^', s++;
        if (strncmp(s, "arctan", 6) == 0) put(p, "atan"), s += 5;
        else put(p, c);
    }
}

static void read_formula(struct nist *p, const struct lines *l) {
    char text[512] = "";
    int i = find_line(l, "Model:", 0);
    while (!strchr(l->line[i], '=') || strstr(l->line[i], "pi =")) i++;
    for (; !strstr(l->line[i], "Certified"); i++)
        for (const char *s = l->line[i]; *s; s++)
            if (!isspace((unsigned char)*s)) strncat(text, s, 1);
    size_t n = strlen(text);
    if (strcmp(text + n - 2, "+e") == 0) text[n - 2] = 0;
    char *right = strchr(text, '=');
    *right++ = 0;
    put(p, "\ny_hat = ");
    if (strstr(right, "...")) put_polynomial(p);
    else put_formula(p, right);
    put(p, "\nloss = sum((");
    put_formula(p, text);
    put(p, " - y_hat)^2)\n");
}

static void put_declarations(struct nist *p) {
    char line[64];
    for (int k = 0; k < p->columns; k++) {
        snprintf(line, sizeof line, "input %s: f64[%d]\n", p->column[k], p->rows);
        put(p, line);
    }
    for (int k = 0; k < p->params; k++) {
        snprintf(line, sizeof line, "param %s: f64\n", p->param[k]);
        put(p, line);
    }
}

void nist_read(struct nist *p, const char *path) {
    char whole[512];
    memset(p, 0, sizeof *p);
    snprintf(whole, sizeof whole, "%s/nist/%s", TEST_DATA, path);
    struct lines l = read_lines(whole);
    const char *name = strchr(path, '/') + 1;
    memcpy(p->name, name, strcspn(name, "."));
    if (path[0] == 'n') read_nonlinear_params(p, &l);
    else read_linear_params(p, &l);
    p->rss = number_behind(&l, "Residual Sum of Squares:", 0);
    p->r2 = number_behind(&l, "R-Squared", 0);
    p->residual_deviation =
        number_behind(&l, "Standard Deviation", find_line(&l, "Residual", 40 < l.n ? 20 : 0));
    read_data(p, &l);
    put_declarations(p);
    read_formula(p, &l);
    free(l.text);
}

double nist_digits(double found, double certified) {
    double error = fabs(found - certified) / (certified != 0 ? fabs(certified) : 1);
    return error == 0 ? 15 : fmin(15, -log10(error));
}
