#include "support/emitted.h"

#include <dlfcn.h>

const char emitted_warnings[] =
    "-std=c99 -ffp-contract=off -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror";

void emitted_start(struct emitted_set *s) {
    *s = (struct emitted_set){0};
    if (cr_text_new(&s->source, NULL) || cr_text_new(&s->header, NULL) || cr_text_new(&s->all, NULL) ||
        cr_text_new(&s->why, NULL))
        fail_msg("out of memory");
    if (cr_emit_math(s->source)) fail_msg("out of memory");
    temp_file("chainrule_math.h", cr_text_str(s->source), cr_text_size(s->source));
}

void emitted_unload(struct emitted_set *s) {
    if (s->library) dlclose(s->library);
    s->library = NULL;
}

void emitted_free(struct emitted_set *s) {
    emitted_unload(s);
    cr_text_free(s->source);
    cr_text_free(s->header);
    cr_text_free(s->all);
    cr_text_free(s->why);
}

static bool has_parameter(const struct emitted_set *s, const char *name) {
    char text[40];
    snprintf(text, sizeof text, "int64_t %s,", name);
    return strstr(cr_text_str(s->header), text) != NULL;
}

/* A function that takes all pointers in an array. */
static void write_caller(struct emitted_set *s) {
    const char *at = strstr(cr_text_str(s->header), "_PORTS ");
    int ports = at ? atoi(at + 7) : 0, i = s->count;
    char line[400];
    snprintf(line, sizeof line, "#ifdef NO_LIBM\n#define P%d_NO_LIBM\n#endif\n", i);
    cr_text_append(s->all, line);
    snprintf(line, sizeof line,
             "#include \"p%d.c\"\nextern const size_t work_p%d;\nextern const int ports_p%d;\nconst size_t "
             "work_p%d = P%d_WORK;\nconst int ports_p%d = P%d_PORTS;\n",
             i, i, i, i, i, i, i);
    cr_text_append(s->all, line);
    snprintf(line, sizeof line,
             "int call_p%d(void *const port[], int64_t seed, int64_t number, void *work);\nint call_p%d(void "
             "*const port[], int64_t seed, int64_t number, void *work) {\n    (void)port, (void)seed, "
             "(void)number;\n    return p%d(",
             i, i, i);
    cr_text_append(s->all, line);
    for (int k = 0; k < ports; k++) {
        snprintf(line, sizeof line, "port[%d], ", k);
        cr_text_append(s->all, line);
    }
    cr_text_append(s->all, has_parameter(s, "run_seed") ? "seed, " : "");
    cr_text_append(s->all, has_parameter(s, "run_step") ? "number, " : "");
    cr_text_append(s->all, "work);\n}\n");
}

void emitted_add(struct emitted_set *s, const cr_program *p) {
    char name[40];
    snprintf(name, sizeof name, "p%d", s->count);
    cr_text_clear(s->source);
    cr_text_clear(s->header);
    cr_text_clear(s->why);
    if (cr_program_emit(s->source, s->header, p, name, s->why)) fail_msg("%s", cr_text_str(s->why));
    snprintf(name, sizeof name, "p%d.h", s->count);
    temp_file(name, cr_text_str(s->header), cr_text_size(s->header));
    snprintf(name, sizeof name, "p%d.c", s->count);
    temp_file(name, cr_text_str(s->source), cr_text_size(s->source));
    write_caller(s);
    s->count++;
}

void emitted_build(struct emitted_set *s, const char *flags) {
    static int number;
    char command[2048], c[512], name[40];
    snprintf(name, sizeof name, "all%d.so", number++);
    snprintf(s->file, sizeof s->file, "%s", temp_path(name));
    snprintf(c, sizeof c, "%s", temp_file("all.c", cr_text_str(s->all), cr_text_size(s->all)));
    const char *cc = getenv("CC");
    snprintf(command, sizeof command, "%s -O1 %s %s -shared -fPIC -Wl,-Bsymbolic -o %s %s -lm",
             cc ? cc : "cc", emitted_warnings, flags, s->file, c);
    if (system(command) != 0) fail_msg("does not compile; the last:\n%s", cr_text_str(s->source));
    s->library = dlopen(s->file, RTLD_NOW | RTLD_LOCAL);
    if (!s->library) fail_msg("%s", dlerror());
}

/* w: weak, of the compiler's start-up code. */
bool emitted_stands_alone(const struct emitted_set *s) {
    char command[700];
    snprintf(command, sizeof command, "nm -D --undefined-only %s | grep -vE ' w | mem(cpy|move|set)(@|$)'",
             s->file);
    return system(command) != 0; /* no line is left */
}

static void *symbol(const struct emitted_set *s, const char *format, int i) {
    char name[40];
    snprintf(name, sizeof name, format, i);
    void *p = dlsym(s->library, name);
    if (!p) fail_msg("no %s", name);
    return p;
}

struct emitted emitted_at(const struct emitted_set *s, int i) {
    struct emitted e = {.port = symbol(s, "p%d_ports", i),
                        .ports = *(const int *)symbol(s, "ports_p%d", i),
                        .work = *(const size_t *)symbol(s, "work_p%d", i)};
    *(void **)&e.call = symbol(s, "call_p%d", i);
    return e;
}

int emitted_end(struct emitted_set *s, int failed) {
    emitted_free(s);
    return failed;
}
