#define _XOPEN_SOURCE 700
#include "support/files.h"

#include <dirent.h>
#include <unistd.h>

static char directory[256];

const char *temp_path(const char *name) {
    static char path[8][1024];
    static int next;
    if (!*directory) {
        const char *base = getenv("TMPDIR");
        snprintf(directory, sizeof directory, "%s/chainrule-XXXXXX", base ? base : "/tmp");
        assert_non_null(mkdtemp(directory));
    }
    char *p = path[next++ % 8];
    snprintf(p, sizeof path[0], "%s/%s", directory, name);
    return p;
}

const char *temp_file(const char *name, const void *data, size_t n) {
    const char *path = temp_path(name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
    return path;
}

bool file_is(const char *path, const void *data, size_t n) {
    FILE *f = fopen(path, "rb");
    char *s = malloc(n + 1);
    bool same = f && s && fread(s, 1, n + 1, f) == n && memcmp(s, data, n) == 0;
    if (f) fclose(f);
    free(s);
    return same;
}

/* A directory of files alone. */
static void remove_directory(const char *path) {
    char name[1024];
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));) {
        snprintf(name, sizeof name, "%s/%s", path, e->d_name);
        unlink(name);
    }
    if (d) closedir(d);
    rmdir(path);
}

static int each_file(bool removed) {
    DIR *d = opendir(directory);
    int n = 0;
    for (struct dirent *e; d && (e = readdir(d));) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        if (removed && unlink(temp_path(e->d_name))) remove_directory(temp_path(e->d_name));
        n++;
    }
    if (d) closedir(d);
    return n;
}

int temp_count(void) { return each_file(false); }

int temp_remove(void **state) {
    (void)state;
    each_file(true);
    if (*directory) rmdir(directory);
    return 0;
}

void assert_says(cr_status status, cr_status expected, const cr_text *why, int n, const char *const facts[]) {
    const char *said = cr_text_str(why);
    if (status != expected) fail_msg("status %d, expected %d: %s", (int)status, (int)expected, said);
    for (int i = 0; i < n; i++)
        if (!strstr(said, facts[i])) fail_msg("'%s' is not in: %s", facts[i], said);
}

bool with_safetensors(void) {
    cr_store *s = NULL;
    cr_text *why = NULL;
    cr_store_new(&s, NULL);
    cr_text_new(&why, NULL);
    bool there = cr_store_load(s, TEST_DATA "/files/all.safetensors", NULL, why) == CR_OK ||
                 !strstr(cr_text_str(why), "without jansson");
    cr_store_free(s);
    cr_text_free(why);
    return there;
}
