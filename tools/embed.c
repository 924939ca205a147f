/* Writes a C file with files in it: embed HEADER TYPE (NAME FILE HASH)..., HASH a file that begins with the SHA-256 of FILE
 * in hexadecimal, as `cmake -E sha256sum` writes it. Each becomes `const struct TYPE NAME`: the bytes, their number, and
 * the hash in base64, as a content security policy has it. Run by the build. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static FILE *open_file(const char *path) {
    FILE *f = fopen(path, "rb");
    if (f) return f;
    fprintf(stderr, "embed: cannot read %s\n", path);
    exit(1);
}

static void write_bytes(const char *name, const char *path) {
    FILE *f = open_file(path);
    printf("static const unsigned char %s_text[] = {", name);
    for (int c, n = 0; (c = fgetc(f)) != EOF; n++) printf("%s%d,", n % 24 ? "" : "\n", c);
    puts("\n};");
    fclose(f);
}

static void write_base64(const unsigned char *s, size_t n) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < n; i += 3) {
        unsigned v = (unsigned)s[i] << 16;
        if (i + 1 < n) v |= (unsigned)s[i + 1] << 8;
        if (i + 2 < n) v |= s[i + 2];
        putchar(digits[v >> 18]);
        putchar(digits[v >> 12 & 63]);
        putchar(i + 1 < n ? digits[v >> 6 & 63] : '=');
        putchar(i + 2 < n ? digits[v & 63] : '=');
    }
}

static void write_hash(const char *path) {
    FILE *f = open_file(path);
    unsigned char hash[32];
    for (int i = 0; i < 32; i++) {
        unsigned byte;
        if (fscanf(f, "%2x", &byte) != 1) {
            fprintf(stderr, "embed: %s holds no SHA-256\n", path);
            exit(1);
        }
        hash[i] = (unsigned char)byte;
    }
    fclose(f);
    write_base64(hash, sizeof hash);
}

int main(int argc, char **argv) {
    if (argc < 6 || argc % 3) return 1;
    printf("/* Made by tools/embed.c. */\n#include \"%s\"\n\n", argv[1]);
    for (int i = 3; i + 2 < argc; i += 3) {
        write_bytes(argv[i], argv[i + 1]);
        printf("const struct %s %s = {%s_text, sizeof %s_text, \"", argv[2], argv[i], argv[i], argv[i]);
        write_hash(argv[i + 2]);
        puts("\"};");
    }
    return 0;
}
