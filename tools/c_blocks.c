/* Writes a table of the functions of C files: c_blocks KIND FILE ... Blocks are parted by blank lines; the name of one is what stands
 * before its first '(' outside of comments, or inside it where that is NAME. Lines of the preprocessor and blocks without a
 * function are left out. Run by the build: emitted C takes from the table what it needs. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { block_most = 1 << 16 };

static const char *skip_comment(const char *s) {
    while (*s == '/' && s[1] == '*') {
        s = strstr(s, "*/");
        if (!s) return "";
        s += 2;
        while (isspace((unsigned char)*s)) s++;
    }
    return s;
}

static int is_word(int c) { return isalnum(c) || c == '_'; }

/* The name of the function that a block defines, or nothing. */
static size_t function_name(const char *block, const char **name) {
    const char *open = strchr(skip_comment(block), '(');
    if (!open) return 0;
    const char *s = open;
    while (s > block && is_word((unsigned char)s[-1])) s--;
    if (open - s == 4 && memcmp(s, "NAME", 4) == 0) {
        s = open + 1;
        open = strchr(s, ')');
    }
    *name = s;
    return (size_t)(open - s);
}

static void write_block(const char *kind, const char *block) {
    const char *name;
    size_t n = function_name(block, &name);
    if (n == 0) return;
    printf("    {%s, \"%.*s\",\n     \"", kind, (int)n, name);
    for (const char *s = block; *s; s++) {
        if (*s == '\n') fputs(s[1] ? "\\n\"\n     \"" : "\\n", stdout);
        else if (*s == '"' || *s == '\\') printf("\\%c", *s);
        else putchar(*s);
    }
    puts("\"},");
}

static int read_file(const char *kind, const char *path) {
    static char line[4096], block[block_most];
    FILE *f = fopen(path, "r");
    size_t n = 0;
    if (!f) return fprintf(stderr, "c_blocks: cannot read %s\n", path), 1;
    while (fgets(line, sizeof line, f)) {
        size_t length = strlen(line);
        if (*line == '#') continue;
        if (*line == '\n') {
            block[n] = 0;
            write_block(kind, block);
            n = 0;
        } else if (n + length < block_most) {
            memcpy(block + n, line, length);
            n += length;
        }
    }
    block[n] = 0;
    write_block(kind, block);
    fclose(f);
    return 0;
}

int main(int argc, char **argv) {
    int code = 0;
    puts("/* Made by tools/c_blocks.c. */");
    for (int i = 1; i + 1 < argc && !code; i += 2) code = read_file(argv[i], argv[i + 1]);
    return code;
}
