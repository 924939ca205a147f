/* Texts as characters: each is a number, its place among the characters of a file in the order of Unicode. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

enum { code_points = 0x110000 };

/* The code point at s, and in n how many bytes it takes; n 0: that is no UTF-8 (RFC 3629: shortest forms alone, no surrogates). */
static uint32_t decode(const unsigned char *s, size_t left, size_t *n) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t wide = *s < 0x80 ? 1 : *s < 0xC2 ? 0 : *s < 0xE0 ? 2 : *s < 0xF0 ? 3 : *s < 0xF5 ? 4 : 0;
    uint32_t point = wide == 1 ? *s : *s & (0x7Fu >> wide);
    *n = 0;
    if (!wide || wide > left) return 0;
    for (size_t i = 1; i < wide; i++) {
        if ((s[i] & 0xC0) != 0x80) return 0;
        point = point << 6 | (s[i] & 0x3F);
    }
    if (point < least[wide] || point >= code_points || (point >= 0xD800 && point < 0xE000)) return 0;
    *n = wide;
    return point;
}

static size_t encode(char to[4], uint32_t point) {
    if (point < 0x80) return to[0] = (char)point, 1;
    size_t wide = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    for (size_t i = wide; i-- > 1; point >>= 6) to[i] = (char)(0x80 | (point & 0x3F));
    to[0] = (char)(0xF00 >> wide | point);
    return wide;
}

static int no_utf8(const char *path, size_t at) {
    return fail("%s: byte %zu is not UTF-8: convert the text, or read it as bytes", path, at + 1);
}

int read_alphabet(struct learning *l, const struct arguments *a) {
    const char *path = option_value(a, "characters");
    if (!path) return EXIT_DONE;
    if (!l->window) return wrong_use("--characters are of texts in windows: how long? --window N");
    int code = map_text(l, path);
    if (code) return code;
    const unsigned char *s = l->map[l->maps - 1];
    size_t size = l->map_bytes[l->maps - 1], n;
    unsigned char *seen = calloc(code_points, 1);
    l->alphabet = malloc((size_t)code_points * sizeof *l->alphabet);
    if (!seen || !l->alphabet) code = fail("out of memory");
    for (size_t at = 0; !code && at < size; at += n) {
        uint32_t point = decode(s + at, size - at, &n);
        if (!n) code = no_utf8(path, at);
        else seen[point] = 1;
    }
    for (uint32_t point = 0; !code && point < code_points; point++)
        if (seen[point]) l->alphabet[l->characters++] = point;
    free(seen);
    if (!code) cr_model_size(l->model, "characters", l->characters); /* where the model has such a size */
    return code;
}

/* -1: not in the alphabet. */
static int number_of(const struct learning *l, uint32_t point) {
    int low = 0, high = l->characters;
    while (high - low > 1) {
        int middle = (low + high) / 2;
        if (l->alphabet[middle] <= point) low = middle;
        else high = middle;
    }
    return l->alphabet[low] == point ? low : -1;
}

/* The numbers of a text's characters, to be freed; NULL: told. */
static int32_t *numbers_of(const struct learning *l, const char *from, const void *text, size_t size,
                           int64_t *count) {
    const unsigned char *s = text;
    int32_t *number = malloc((size + 1) * sizeof *number);
    size_t n;
    *count = 0;
    if (!number) fail("out of memory");
    for (size_t at = 0; number && at < size; at += n) {
        uint32_t point = decode(s + at, size - at, &n);
        int k = n ? number_of(l, point) : -1;
        if (k >= 0) {
            number[(*count)++] = k;
            continue;
        }
        if (n)
            fail("%s: the character at byte %zu, '%.*s', is not in the file of --characters", from, at + 1,
                 (int)n, (const char *)s + at);
        else no_utf8(from, at);
        free(number);
        number = NULL;
        n = 1;
    }
    return number;
}

int add_characters(struct learning *l, const char *input, const char *path, const void *text, size_t size) {
    int64_t n;
    int32_t *number = numbers_of(l, path, text, size, &n);
    if (!number) return EXIT_FAILED;
    cr_array *array = NULL;
    bool room = l->arrays < (int)(sizeof l->array / sizeof *l->array);
    int code = !room                                         ? fail("too many arrays of data")
               : cr_array_new(&array, l->ctx, CR_I32, 1, &n) ? fail("out of memory")
                                                             : EXIT_DONE;
    if (!code) {
        memcpy(cr_array_data(array), number, (size_t)n * sizeof *number);
        l->array[l->arrays++] = array;
        cr_train_source(l->train, path);
        if (cr_train_windows(l->train, input, array, l->window, l->stride)) code = learn_failed(l);
    }
    free(number);
    return code;
}

/* ---- A text that goes on: as bytes, each the number of a character ---- */

bool begin_characters(const struct learning *l, const char *begin, char *to, size_t *begun) {
    int64_t n;
    if (l->characters > 256)
        return fail("--continue: at most 256 different characters go on, found %d", l->characters), false;
    int32_t *number = numbers_of(l, "--continue", begin, strlen(begin), &n);
    if (!number) return false;
    for (int64_t i = 0; i < n; i++) to[i] = (char)(unsigned char)number[i];
    *begun = (size_t)n;
    free(number);
    return true;
}

char *characters_text(const struct learning *l, const char *number, size_t n, size_t *size) {
    char *text = n < SIZE_MAX / 4 - 1 ? malloc(4 * n + 1) : NULL;
    *size = 0;
    for (size_t i = 0; text && i < n; i++) {
        int k = (unsigned char)number[i];
        *size += encode(text + *size, k < l->characters ? l->alphabet[k] : 0xFFFD);
    }
    return text;
}
