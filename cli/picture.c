/* Pictures: Graphviz lays the graph out. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli.h"

/* Does standard output end at a terminal that would show the bytes of a character of UTF-8 as several? */
static bool is_poor_terminal(void) {
    locale_t own = isatty(STDOUT_FILENO) ? newlocale(LC_CTYPE_MASK, "", (locale_t)0) : (locale_t)0;
    if (own == (locale_t)0) return false;
    bool poor = strcmp(nl_langinfo_l(CODESET, own), "UTF-8") != 0;
    freelocale(own);
    return poor;
}

/* A partial derivative's sign is "del " there, as in AsciiMath. */
int print_text(const cr_text *t) {
    static const char partial[] = "\xe2\x88\x82";
    const char *s = cr_text_str(t), *end = s + cr_text_size(t), *at;
    bool poor = is_poor_terminal();
    while (poor && (at = strstr(s, partial)) != NULL) {
        fwrite(s, 1, (size_t)(at - s), stdout);
        fputs("del ", stdout);
        s = at + strlen(partial);
    }
    fwrite(s, 1, (size_t)(end - s), stdout);
    return EXIT_DONE;
}

/* Runs `dot` between a file and a pipe: source in, picture out. */
static FILE *run_dot(const char *source, size_t size, const char *format, FILE **in) {
    *in = tmpfile();
    if (!*in || fwrite(source, 1, size, *in) != size || fflush(*in) || fseek(*in, 0, SEEK_SET)) return NULL;
    int ends[2];
    if (pipe(ends)) return NULL;
    pid_t child = fork();
    if (child == 0) {
        dup2(fileno(*in), STDIN_FILENO);
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        execlp("dot", "dot", format, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    if (child < 0) return close(ends[0]), NULL;
    return fdopen(ends[0], "r");
}

/* Ended by NUL. */
static char *read_picture(FILE *f, size_t *n) {
    size_t cap = 1 << 16;
    char *s = malloc(cap);
    for (*n = 0; s;) {
        size_t more = fread(s + *n, 1, cap - *n - 1, f);
        s[ *n += more] = 0;
        if (more == 0) break;
        char *larger = *n + 1 == cap ? realloc(s, cap *= 2) : s;
        if (!larger) free(s);
        s = larger;
    }
    return s;
}

char *lay_out(const char *source, size_t size, const char *format, size_t *n) {
    FILE *in = NULL, *out = run_dot(source, size, format, &in);
    int status = 0;
    char *picture = out ? read_picture(out, n) : NULL;
    if (out) fclose(out), wait(&status);
    if (in) fclose(in);
    if (picture && WIFEXITED(status) && WEXITSTATUS(status) == 0) return picture;
    free(picture);
    if (out) fail("Graphviz's program 'dot' could not be run: install graphviz, or use --dot");
    else fail("a temporary file for Graphviz's program 'dot' cannot be written: %s", strerror(errno));
    return NULL;
}

int write_text(const char *path, const char *s, size_t n) {
    cr_text *why = NULL;
    cr_text_new(&why, NULL);
    int code = cr_file_write(path, s, n, NULL, why) ? fail("%s", cr_text_str(why)) : EXIT_DONE;
    cr_text_free(why);
    return code;
}

int draw_dot(const char *source, size_t size, const char *path) {
    size_t n = 0;
    char *picture = lay_out(source, size, "-Tsvg", &n);
    int code = picture ? write_text(path, picture, n) : EXIT_FAILED;
    free(picture);
    return code;
}
