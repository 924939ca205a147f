/* Writes the text of C files as an array of lines: c_text ROOT FILE... Included .inc files stand where they are included; other
 * files of the project are left out. Run by the build: what is compiled at run time begins with it. */
#include <stdio.h>
#include <string.h>

static void write_line(const char *s) {
    fputs("\"", stdout);
    for (; *s && *s != '\n'; s++) {
        if (*s == '"' || *s == '\\') putchar('\\');
        putchar(*s);
    }
    puts("\\n\",");
}

static int write_file(const char *root, const char *name) {
    char path[1024], line[4096];
    snprintf(path, sizeof path, "%s/%s", root, name);
    FILE *f = fopen(path, "r");
    int code = 0;
    if (!f) return fprintf(stderr, "c_text: cannot read %s\n", path), 1;
    while (!code && fgets(line, sizeof line, f)) {
        char *name_at = strncmp(line, "#include \"", 10) == 0 ? line + 10 : NULL,
             *end = name_at ? strchr(name_at, '"') : NULL;
        if (end) *end = 0;
        if (!end) write_line(line);
        else if (end - name_at > 4 && strcmp(end - 4, ".inc") == 0) code = write_file(root, name_at);
    }
    fclose(f);
    return code;
}

int main(int argc, char **argv) {
    int code = 0;
    puts("/* Made by tools/c_text.c. */");
    for (int i = 2; i < argc && !code; i++) code = write_file(argv[1], argv[i]);
    return code;
}
