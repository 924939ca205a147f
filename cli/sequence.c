/* Sequences: windows of them as observations, texts mapped into memory, texts that go on. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"

/* A positive integer; 0: it is none, which is told. */
static int64_t positive(const struct arguments *a, const char *name, int64_t fallback) {
    const char *s = option_value(a, name);
    double x;
    if (!s) return fallback;
    if (read_number(s, &x) && x >= 1 && x < 0x1p53 && x == (double)(int64_t)x) return (int64_t)x;
    wrong_use("--%s: expected an integer from 1 to 2^53, found '%s'", name, s);
    return 0;
}

int set_windows(struct learning *l, const struct arguments *a) {
    const char *given = option_value(a, "window");
    if (!given && option_value(a, "stride")) return wrong_use("--stride is of windows: how long? --window N");
    if (!given) return EXIT_DONE;
    l->window = positive(a, "window", 0);
    l->stride = l->window ? positive(a, "stride", l->window > 1 ? l->window - 1 : 1) : 0;
    return l->stride ? EXIT_DONE : EXIT_WRONG_USE;
}

/* What cr_data_open reads by its name or first bytes is no text, but .txt is, where there are windows. */
bool is_text(const char *path) {
    static const char *const ends[] = {".npy", ".npz", ".csv", ".tsv", ".dat", ".safetensors", ".png", ".gz"};
    unsigned char head[9] = {0};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (ends_with(path, ends[i])) return false;
    FILE *f = fopen(path, "rb");
    if (!f) return true; /* which add_text tells */
    size_t n = fread(head, 1, sizeof head, f);
    fclose(f);
    bool idx = n >= 4 && memcmp(head, "\0\0", 2) == 0, gzip = memcmp(head, "\x1f\x8b", 2) == 0,
         numpy = memcmp(head, "\x93NUMPY", 6) == 0, zip = memcmp(head, "PK\3\4", 4) == 0,
         png = memcmp(head, "\x89PNG", 4) == 0,
         tensors = head[8] == '{' && memcmp(head + 4, "\0\0\0\0", 4) == 0;
    return !(idx || gzip || numpy || zip || png || tensors);
}

static int map_file(struct learning *l, const char *path, int file) {
    struct stat s;
    if (fstat(file, &s)) return fail("%s: cannot be read: %s", path, strerror(errno));
    if (!S_ISREG(s.st_mode)) return fail("%s: expected a file of text", path);
    if (s.st_size == 0) return fail("%s: is empty", path);
    void *map = mmap(NULL, (size_t)s.st_size, PROT_READ, MAP_PRIVATE, file, 0);
    if (map == MAP_FAILED) return fail("%s: cannot be mapped: %s", path, strerror(errno));
    l->map[l->maps] = map;
    l->map_bytes[l->maps++] = (size_t)s.st_size;
    return EXIT_DONE;
}

int map_text(struct learning *l, const char *path) {
    if (l->maps == (int)(sizeof l->map / sizeof *l->map)) return fail("too many texts");
    int file = open(path, O_RDONLY);
    if (file < 0) return fail("%s: cannot be opened: %s", path, strerror(errno));
    int code = map_file(l, path, file);
    close(file);
    return code;
}

int add_text(struct learning *l, const char *input, const char *path) {
    int code = map_text(l, path);
    if (code) return code;
    const void *text = l->map[l->maps - 1];
    size_t size = l->map_bytes[l->maps - 1];
    if (l->alphabet) return add_characters(l, input, path, text, size);
    cr_train_source(l->train, path);
    return cr_train_text(l->train, input, text, size, l->window, l->stride) ? learn_failed(l) : EXIT_DONE;
}

void close_texts(struct learning *l) {
    for (int i = 0; i < l->maps; i++) munmap(l->map[i], l->map_bytes[i]);
    free(l->alphabet);
}

/* ---- A text that goes on ---- */

/* The one input that a model of text has. */
static const char *only_input(const struct learning *l) {
    const char *name, *found = NULL;
    bool param;
    for (int i = 0; (name = cr_model_leaf(l->model, i, &param, NULL, NULL)); i++) {
        if (param) continue;
        if (found) return NULL;
        found = name;
    }
    return found;
}

static int write_out(char *text, size_t n, const struct arguments *a, struct learning *l) {
    const char *path = option_value(a, "out");
    text[n] = '\n';
    if (path)
        return cr_file_write(path, text, n, l->ctx, l->why) ? fail("%s", cr_text_str(l->why)) : EXIT_DONE;
    return fwrite(text, 1, n + 1, stdout) == n + 1 && fflush(stdout) == 0
               ? EXIT_DONE
               : fail("cannot be written: %s", strerror(errno));
}

int continue_text(struct learning *l, const struct arguments *a) {
    const char *begin = option_value(a, "continue"), *heat = option_value(a, "temperature"),
               *input = only_input(l);
    size_t begun = strlen(begin);
    int64_t more = positive(a, "bytes", 200);
    double temperature = 1;
    if (!more) return EXIT_WRONG_USE;
    if (!l->window) return wrong_use("--continue: the window that the model was trained with? --window N");
    if (heat && (!read_number(heat, &temperature) || !(temperature >= 0)))
        return wrong_use("--temperature: expected a number from 0, found '%s'", heat);
    if (!input) return fail("--continue: expected a model with one input, the text");
    char *text = (size_t)more < SIZE_MAX / 2 ? malloc(begun + (size_t)more + 1) : NULL;
    if (!text) return fail("--bytes: out of memory for %lld", (long long)more);
    memcpy(text, begin, begun);
    int code = !l->alphabet || begin_characters(l, begin, text, &begun) ? EXIT_DONE : EXIT_FAILED;
    if (!code && cr_train_continue(l->train, input, option_value(a, "of"), l->window, temperature, text,
                                   begun, begun + (size_t)more))
        code = learn_failed(l);
    size_t size = begun + (size_t)more;
    if (!code && l->alphabet) {
        char *readable = characters_text(l, text, size, &size);
        free(text);
        if (!(text = readable)) code = fail("out of memory");
    }
    if (!code) code = write_out(text, size, a, l);
    free(text);
    return code;
}
