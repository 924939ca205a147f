#include "support/alone.h"

static const char begin[] =
    "#include <math.h>\n#include <stdint.h>\n#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n"
    "struct value { const char *name; size_t count; int wide; const void *before, *after; };\n"
    "static double number(const void *x, size_t i, int size) {\n"
    "    return size == 8 ? ((const double *)x)[i] : (double)((const float *)x)[i];\n}\n"
    "static int differs(const char *label, const char *name, int fraction, size_t size, size_t n, const void "
    "*a,\n"
    "                   const void *b, double tolerance) {\n"
    "    double most = 0;\n"
    "    if (!fraction && n && memcmp(a, b, n * size) != 0) return printf(\"%s: %s differs\\n\", label, "
    "name);\n"
    "    for (size_t i = 0; i < n && fraction; i++)\n"
    "        if (isfinite(number(b, i, (int)size))) most = fmax(most, fabs(number(b, i, (int)size)));\n"
    "    for (size_t i = 0; i < n && fraction; i++) {\n"
    "        double x = number(a, i, (int)size), y = number(b, i, (int)size);\n"
    "        if (!(fabs(x - y) <= tolerance * most) && !(isnan(x) && isnan(y)) && !(x >= y && x <= y))\n"
    "            return printf(\"%s: %s[%d] = %.17g, expected %.17g\\n\", label, name, (int)i, x, y);\n"
    "    }\n    return 0;\n}\n"
    "struct port { const char *name, *type; int kind, rank; long dims[16]; const void *pattern; };\n"
    "typedef int call(void *const port[], int64_t seed, int64_t number, void *work);\n"
    "static int check(const char *label, const void *table, int ports, size_t bytes, call *f, const struct "
    "value *v,\n"
    "                 int values, int steps, int code, double tolerance, size_t real) {\n"
    "    const struct port *p = table;\n"
    "    void *data[64], *work = malloc(bytes);\n"
    "    int wrong = 0;\n"
    "    memset(work, 0x5a, bytes);\n"
    "    for (int i = 0; i < ports; i++) {\n"
    "        const struct value *x = v;\n"
    "        while (x < v + values && strcmp(x->name, p[i].name) != 0) x++;\n"
    "        if (x == v + values) return printf(\"%s: nothing for %s\\n\", label, p[i].name);\n"
    "        data[i] = malloc(x->count * 8 + 1);\n"
    "        memset(data[i], 0x5a, x->count * 8);\n"
    "        if (x->before) memcpy(data[i], x->before, x->count * (size_t)x->wide);\n"
    "    }\n"
    "    for (int i = 0; i < steps && !wrong; i++) {\n"
    "        int found = f(data, 0, i, work);\n"
    "        if (found != code) wrong = printf(\"%s: gives %d, expected %d\\n\", label, found, code);\n"
    "    }\n"
    "    for (int i = 0; i < ports; i++) {\n"
    "        const struct value *x = v;\n"
    "        int fraction = strstr(p[i].type, \"real\") || strstr(p[i].type, \"float\") || strstr(p[i].type, "
    "\"double\");\n"
    "        while (strcmp(x->name, p[i].name) != 0) x++;\n"
    "        if (strstr(p[i].type, \"real\") && (size_t)x->wide != real) wrong = printf(\"%s: size\\n\", "
    "label);\n"
    "        if (x->after && !wrong)\n"
    "            wrong = differs(label, x->name, fraction, (size_t)x->wide, x->count, data[i], x->after, "
    "tolerance);\n"
    "        free(data[i]);\n"
    "    }\n"
    "    free(work);\n    return wrong != 0;\n}\n";

static void say(cr_text *t, const char *format, ...) {
    char line[1024];
    va_list ap;
    va_start(ap, format);
    vsnprintf(line, sizeof line, format, ap);
    va_end(ap);
    cr_text_append(t, line);
}

void alone_start(struct alone *a) {
    emitted_start(&a->set);
    if (cr_text_new(&a->main, NULL)) fail_msg("out of memory");
    cr_text_append(a->set.all, begin);
    cr_text_append(a->main, "int main(void) {\n    int wrong = 0;\n");
}

void alone_text(struct alone *a, const char *c) { cr_text_append(a->set.all, c); }

/* An array of its bits. */
static void write_bits(cr_text *t, int program, int value, const char *when, const void *data, size_t bytes) {
    if (!data) return;
    say(t, "static const unsigned long long d%d_%d_%s[] = {", program, value, when);
    for (size_t i = 0; i <= bytes / 8; i++) {
        uint64_t word = 0;
        size_t n = bytes - 8 * i < 8 ? bytes - 8 * i : 8;
        memcpy(&word, (const char *)data + 8 * i, n);
        say(t, "0x%llxULL,", (unsigned long long)word);
    }
    cr_text_append(t, "};\n");
}

void alone_add(struct alone *a, const char *label, const cr_program *p, int n,
               const struct alone_value value[], int steps, int code, double tolerance) {
    int k = a->set.count;
    cr_text *t = a->set.all;
    emitted_add(&a->set, p);
    for (int i = 0; i < n; i++) {
        size_t bytes = (size_t)value[i].count * cr_dtype_size(value[i].dtype);
        write_bits(t, k, i, "before", value[i].before, bytes);
        write_bits(t, k, i, "after", value[i].after, bytes);
    }
    say(t, "static const struct value v%d[] = {\n", k);
    for (int i = 0; i < n; i++) {
        say(t, "    {\"%s\", %lld, %d, ", value[i].name, (long long)value[i].count,
            (int)cr_dtype_size(value[i].dtype));
        say(t, value[i].before ? "d%d_%d_before, " : "NULL, ", k, i);
        say(t, value[i].after ? "d%d_%d_after},\n" : "NULL},\n", k, i);
    }
    say(t, "    {NULL, 0, 0, NULL, NULL}};\n");
    bool real = strstr(cr_text_str(a->set.header), "_real;") != NULL;
    say(a->main, "    wrong += check(\"%s\", p%d_ports, P%d_PORTS, P%d_WORK, call_p%d, v%d, %d, %d, %d, %g, ",
        label, k, k, k, k, k, n, steps, code, tolerance);
    say(a->main, real ? "sizeof(p%d_real));\n" : "0);\n", k);
}

void alone_run(struct alone *a, const char *flags) {
    char command[4096], c[512], program[512];
    cr_text_append(a->main, "    return wrong != 0;\n}\n");
    cr_text_append(a->set.all, cr_text_str(a->main));
    snprintf(c, sizeof c, "%s", temp_file("alone.c", cr_text_str(a->set.all), cr_text_size(a->set.all)));
    snprintf(program, sizeof program, "%s", temp_path("alone"));
    const char *cc = getenv("CC"), *const warnings = emitted_warnings;
    snprintf(command, sizeof command,
             "%s -g0 -O0 -fsanitize=address,undefined -fno-sanitize-recover=all %s %s -o %s %s -lm && "
             "%s",
             cc ? cc : "cc", warnings, flags, program, c, program);
    if (system(command) != 0) fail_msg("%s: told above", c);
    cr_text_free(a->main);
    emitted_free(&a->set);
}

/* ---- Nodes of inputs ---- */

static int64_t count_of(const struct given *in) {
    int64_t count = 1;
    for (int i = 0; i < in->rank; i++) count *= in->dims[i];
    return count;
}

void alone_nodes(struct alone *a, const char *label, int ys, const cr_node y[], int n,
                 const struct given in[], double tolerance) {
    struct alone_value value[32];
    char name[32][16];
    void *data[32];
    cr_target *t = cr_target_new(y[0].graph);
    cr_program *p = NULL;
    for (int i = 0; i < n; i++)
        value[i] = (struct alone_value){in[i].name, in[i].dtype, count_of(&in[i]), in[i].data, NULL};
    for (int i = 0; i < ys; i++) {
        size_t bytes = (size_t)cr_count(y[i]) * cr_dtype_size(cr_dtype_of(y[i]));
        snprintf(name[i], sizeof name[i], "result %d", i);
        data[i] = malloc(bytes + 1);
        compute(WAY_CPU, y[i], n, in, data[i], bytes);
        cr_target_output(t, name[i], y[i]);
        value[n + i] = (struct alone_value){name[i], cr_dtype_of(y[i]), cr_count(y[i]), NULL, data[i]};
    }
    if (cr_compile(&p, t, NULL)) fail_msg("%s", cr_graph_error(y[0].graph));
    alone_add(a, label, p, n + ys, value, 1, 0, tolerance);
    for (int i = 0; i < ys; i++) free(data[i]);
    cr_program_free(p);
    cr_target_free(t);
}
