/* Compilers that are missing, fail, hang or write nonsense, and caches that are not to be trusted: the built-in way, with a reason, and
 * the same numbers. */
#define _GNU_SOURCE
#include "support/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* sum(tanh(x)*3) of 64 numbers, compiled by these options; gives the way, and whether the loop is compiled. */
struct tried {
    bool compiled;
    char way[400];
    double value;
};

static const char *megabytes = "256";

static struct tried try_with(const char *compiler, const char *cache, const char *seconds) {
    struct tried t = {false, "", 0};
    cr_graph *g = cr_graph_new(NULL);
    cr_node x = cr_input(g, "x", CR_F64, 1, (int64_t[]){64});
    cr_node y = cr_sum(cr_mul(cr_tanh(x), cr_number(g, 3)), 0, NULL, false);
    cr_target *target = cr_target_new(g);
    cr_options *o = cr_options_new(NULL);
    cr_program *p = NULL;
    cr_run *r = NULL;
    double data[64];
    for (int i = 0; i < 64; i++) data[i] = i * 0.01;
    cr_target_output(target, "y", y);
    assert_int_equal(cr_options_set(o, "compile", compiler), CR_OK);
    assert_int_equal(cr_options_set(o, "cache", cache), CR_OK);
    assert_int_equal(cr_options_set(o, "compile_seconds", seconds), CR_OK);
    assert_int_equal(cr_options_set(o, "cache_megabytes", megabytes), CR_OK);
    assert_int_equal(cr_compile(&p, target, o), CR_OK);
    t.compiled = cr_program_compiled(p);
    snprintf(t.way, sizeof t.way, "%s", cr_program_way(p));
    assert_int_equal(cr_run_new(&r, p, NULL, NULL, 0), CR_OK);
    cr_bind(r, "x", CR_F64, data, sizeof data);
    cr_bind(r, "y", CR_F64, &t.value, sizeof t.value);
    assert_int_equal(cr_step(r), CR_OK);
    cr_run_free(r);
    cr_program_free(p);
    cr_options_free(o);
    cr_target_free(target);
    cr_graph_free(g);
    assert_near(t.value, 56.805361349648685, 1e-12); /* Python: 3*sum(tanh(0.01*i) for i in range(64)) */
    return t;
}

static void refused(struct tried t, const char *fact) {
    if (t.compiled || !strstr(t.way, "built in: ") || !strstr(t.way, fact))
        fail_msg("'%s' is not in: %s", fact, t.way);
}

static const char *script(const char *name, const char *text) {
    const char *path = temp_file(name, text, strlen(text));
    chmod(path, 0700);
    return path;
}

static int entries(const char *path) {
    int n = 0;
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));) n += e->d_name[0] != '.';
    if (d) closedir(d);
    return n;
}

/* The file that a good compilation kept. */
static char *kept_file(const char *cache) {
    static char path[1024];
    DIR *d = opendir(cache);
    *path = 0;
    for (struct dirent *e; d && (e = readdir(d));)
        if (strstr(e->d_name, ".so")) snprintf(path, sizeof path, "%s/%s", cache, e->d_name);
    if (d) closedir(d);
    return path;
}

TEST(a_loop_is_compiled_once_and_found_again) {
    (void)state;
    char cache[512];
    struct stat s;
    snprintf(cache, sizeof cache, "%s", temp_path("kept"));
    struct tried first = try_with("cc", cache, "60"), second = try_with("cc", cache, "60");
    assert_true(first.compiled && second.compiled);
    assert_non_null(strstr(first.way, "just now"));
    assert_non_null(strstr(second.way, "kept in"));
    assert_int_equal(entries(cache), 1);
    assert_int_equal(stat(cache, &s), 0);
    assert_int_equal(s.st_mode & 0777, 0700);
    assert_int_equal(stat(kept_file(cache), &s), 0);
    assert_int_equal(s.st_mode & 0777, 0600);
}

TEST(compilers_that_do_not_work_are_told) {
    (void)state;
    char cache[512];
    snprintf(cache, sizeof cache, "%s", temp_path("bad"));
    refused(try_with("no-such-compiler", cache, "60"), "there is no compiler 'no-such-compiler'");
    refused(try_with("/dev/null", cache, "60"), "there is no compiler '/dev/null'");
    refused(try_with(script("fails", "#!/bin/sh\necho 'fatal error: no room' >&2\nexit 1\n"), cache, "60"),
            "failed: fatal error: no room");
    refused(try_with(script("silent", "#!/bin/sh\nexit 0\n"), cache, "60"), "made no library");
    refused(
        try_with(script("nonsense", "#!/bin/sh\nwhile [ $1 != -o ]; do shift; done\necho nonsense > $2\n"),
                 cache, "60"),
        "");
    refused(
        try_with(
            script("other",
                   "#!/bin/sh\nwhile [ $1 != -o ]; do shift; done\necho 'int f(void) { return 1; }' > $2.c\n"
                   "exec cc -shared -o $2 $2.c\n"),
            cache, "60"),
        "what the compiler made is not what was asked for");
    refused(
        try_with(script("cut",
                        "#!/bin/sh\ncc \"$@\"\nwhile [ $1 != -o ]; do shift; done\nhead -c 5000 $2 > $2.x\n"
                        "exec mv $2.x $2\n"),
                 cache, "60"),
        "made no whole library"); /* what is not there of it could not be mapped */
    refused(try_with(script("text", "no program"), cache, "60"), "could not be started");
    for (DIR *d = opendir(cache); d; closedir(d), d = NULL) /* nothing half made is left */
        for (struct dirent *e; (e = readdir(d));) assert_null(strstr(e->d_name, "making"));
}

TEST(a_compiler_that_hangs_is_killed) {
    (void)state;
    char cache[512];
    struct timespec begun, now;
    snprintf(cache, sizeof cache, "%s", temp_path("slow"));
    clock_gettime(CLOCK_MONOTONIC, &begun);
    refused(try_with(script("hangs", "#!/bin/sh\nsleep 1000\n"), cache, "1"), "took more than 1 seconds");
    clock_gettime(CLOCK_MONOTONIC, &now);
    assert_true(now.tv_sec - begun.tv_sec < 500);
    assert_true((now.tv_sec - begun.tv_sec) * 1000000000LL + now.tv_nsec - begun.tv_nsec >= 1000000000LL);
    refused(try_with(script("tells", "#!/bin/sh\nexec yes error\n"), cache, "20"), "messages without an end");
    assert_int_equal(entries(cache), 0);
}

/* Directories among its own files, and processes that it starts and leaves behind. */
TEST(nothing_of_a_compiler_stays) {
    (void)state;
    char cache[512], text[1200];
    const char *late = temp_path("late");
    struct stat s;
    snprintf(cache, sizeof cache, "%s", temp_path("clean"));
    snprintf(
        text, sizeof text,
        "#!/bin/sh\n(sleep 1; touch %s) &\nmkdir -p $TMPDIR/a/b && touch $TMPDIR/a/b/c\nexec cc \"$@\"\n",
        late);
    assert_true(try_with(script("parent", text), cache, "60").compiled);
    refused(try_with(script("dir", "#!/bin/sh\nwhile [ $1 != -o ]; do shift; done\nmkdir $2\n"), cache, "60"),
            "made no library");
    assert_int_equal(entries(cache), 1);
    nanosleep(&(struct timespec){1, 300000000}, NULL);
    assert_int_not_equal(stat(late, &s), 0);
}

/* One product and sum that is two roundings, or a table of other places, would be other bits. */
TEST(code_for_another_processor_is_refused) {
    (void)state;
#if defined(__x86_64__) && defined(__GNUC__)
    static const char *const without[] = {"avx2", "fma", "avx512vl"};
    char cache[512], text[80];
    snprintf(cache, sizeof cache, "%s", temp_path("another"));
    for (int i = 0; i < 3; i++) {
        if (!(i == 0   ? __builtin_cpu_supports("avx2")
              : i == 1 ? __builtin_cpu_supports("fma")
                       : __builtin_cpu_supports("avx512vl")))
            continue;
        snprintf(text, sizeof text, "#!/bin/sh\nexec cc \"$@\" -mno-%s\n", without[i]);
        refused(try_with(script(without[i], text), cache, "60"), "made for another processor");
    }
#else
    skip();
#endif
}

TEST(caches_that_cannot_be_written_to_are_told) {
    (void)state;
    const char *file = temp_file("file", "x", 1);
    refused(try_with("cc", file, "60"), "is no directory");
    refused(try_with("cc", "/dev/null/x", "60"), "cannot be made");
    char link[512];
    snprintf(link, sizeof link, "%s", temp_path("link"));
    assert_int_equal(symlink("/tmp", link), 0);
    refused(try_with("cc", link, "60"), "is no directory");
    char open[512];
    snprintf(open, sizeof open, "%s", temp_path("open"));
    assert_int_equal(mkdir(open, 0700), 0);
    assert_int_equal(chmod(open, 0777), 0);
    refused(try_with("cc", open, "60"), "not yours alone");
    if (geteuid() != 0) { /* root writes everywhere */
        assert_int_equal(chmod(open, 0500), 0);
        refused(try_with("cc", open, "60"), "cannot be written to");
    }
    char cache[512]; /* a disk that is full: here, files of more than a page */
    struct rlimit limit, small;
    snprintf(cache, sizeof cache, "%s", temp_path("full"));
    getrlimit(RLIMIT_FSIZE, &limit);
    small = (struct rlimit){4096, limit.rlim_max};
    void (*before)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    struct tried full = try_with("cc", cache, "60");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    signal(SIGXFSZ, before);
    refused(full, "cannot be written");
    assert_int_equal(entries(cache), 0);
    chmod(open, 0700);
}

static void overwrite(const char *path, long at, const void *bytes, size_t n) {
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    fseek(f, at, at < 0 ? SEEK_END : SEEK_SET);
    fwrite(bytes, 1, n, f);
    fclose(f);
}

/* Whatever has become of the file, it is made anew, and never loaded. */
TEST(files_that_are_not_whole_or_not_ours_are_made_anew) {
    (void)state;
    char cache[512];
    struct stat s;
    snprintf(cache, sizeof cache, "%s", temp_path("spoilt"));
    for (int how = 0; how < 6; how++) {
        assert_true(try_with("cc", cache, "60").compiled);
        const char *path = kept_file(cache);
        assert_int_equal(stat(path, &s), 0);
        switch (how) {
        case 0: assert_int_equal(truncate(path, s.st_size / 2), 0); break;
        case 1: assert_int_equal(truncate(path, 0), 0); break;
        case 2: overwrite(path, (long)s.st_size / 2, "spoilt", 6); break;
        case 3: overwrite(path, -40, "another key", 11); break;
        case 4: assert_int_equal(chmod(path, 0622), 0); break; /* others may have written to it */
        default: assert_int_equal(unlink(path), 0); assert_int_equal(symlink("/etc/passwd", path), 0);
        }
        struct tried again = try_with("cc", cache, "60");
        assert_true(again.compiled);
        assert_non_null(strstr(again.way, "just now"));
        assert_non_null(strstr(try_with("cc", cache, "60").way, "kept in"));
    }
}

/* So many MiB under a name, last used so many days ago. */
static void put_old(const char *cache, const char *name, int size, int days) {
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", cache, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    struct timespec then[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = time(NULL) - days * 86400L}};
    assert_true(fd >= 0 && ftruncate(fd, (off_t)size << 20) == 0 && futimens(fd, then) == 0);
    close(fd);
}

static bool is_there(const char *cache, const char *name) {
    char path[1024];
    struct stat s;
    snprintf(path, sizeof path, "%s/%s", cache, name);
    return lstat(path, &s) == 0;
}

TEST(what_was_used_longest_ago_goes_where_there_is_too_much) {
    (void)state;
    static const char *const old = "0123456789abcdef0123456789abcdef.so",
                             *const older = "1123456789abcdef0123456789abcdef.so",
                             *const oldest = "2123456789abcdef0123456789abcdef.so",
                             *const other = "2123456789abcdef.so";
    char cache[512];
    snprintf(cache, sizeof cache, "%s", temp_path("crowded"));
    assert_int_equal(mkdir(cache, 0700), 0);
    put_old(cache, other, 9, 9); /* not ours to remove, and not counted */
    put_old(cache, older, 2, 3), put_old(cache, old, 2, 2), put_old(cache, oldest, 2, 4);
    megabytes = "5";
    assert_non_null(strstr(try_with("cc", cache, "60").way, "just now"));
    assert_true(is_there(cache, other) && is_there(cache, old) && is_there(cache, older));
    assert_false(is_there(cache, oldest)); /* the others are 4 MiB, and what is new less than 1 */
    megabytes = "1";
    assert_non_null(strstr(try_with("cc", cache, "60").way, "kept in")); /* only who adds removes */
    assert_true(is_there(cache, old));
    megabytes = "256";
}

TEST(using_a_file_makes_it_the_last_to_go) {
    (void)state;
    struct timespec then[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = 1000000000}};
    char cache[512];
    struct stat s;
    snprintf(cache, sizeof cache, "%s", temp_path("used"));
    assert_true(try_with("cc", cache, "60").compiled);
    const char *path = kept_file(cache);
    assert_int_equal(utimensat(AT_FDCWD, path, then, 0), 0);
    assert_non_null(strstr(try_with("cc", cache, "60").way, "kept in"));
    assert_int_equal(stat(path, &s), 0);
    assert_true(s.st_mtime > 1000000000);
}

TEST(clang_serves_too) {
    (void)state;
    char cache[512];
    snprintf(cache, sizeof cache, "%s", temp_path("clang"));
    struct tried t = try_with("clang", cache, "60");
    if (strstr(t.way, "there is no compiler")) skip();
    if (!t.compiled || !strstr(t.way, "clang, just now")) fail_msg("%s", t.way);
    assert_non_null(strstr(try_with("clang", cache, "60").way, "kept in"));
    assert_non_null(strstr(try_with("cc", cache, "60").way, "just now")); /* each compiler's are its own */
}

/* Each makes it or finds it; what is left is one file. */
TEST(several_processes_may_make_the_same_at_once) {
    (void)state;
    char cache[512];
    pid_t child[4];
    snprintf(cache, sizeof cache, "%s", temp_path("shared"));
    for (int i = 0; i < 4; i++)
        if ((child[i] = fork()) == 0) _exit(try_with("cc", cache, "60").compiled ? 0 : 1);
    for (int i = 0; i < 4; i++) {
        int status = -1;
        assert_int_equal(waitpid(child[i], &status, 0), child[i]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    assert_int_equal(entries(cache), 1);
    assert_non_null(strstr(try_with("cc", cache, "60").way, "kept in"));
}

/* Some 4,000 bytes: systems that keep each program in a directory of its own have longer ones. */
TEST(a_compiler_finds_its_tools_in_all_of_a_long_path) {
    (void)state;
    char cache[512], was[2048], path[8192];
    snprintf(cache, sizeof cache, "%s", temp_path("far"));
    snprintf(was, sizeof was, "%s", getenv("PATH"));
    int n = snprintf(path, sizeof path, "%s", was);
    for (int i = 0; i < 200; i++) n += snprintf(path + n, sizeof path - (size_t)n, ":/no/directory/%03d", i);
    snprintf(path + n, sizeof path - (size_t)n, ":/the/end");
    const char *asks = script(
        "asks", "#!/bin/sh\ncase $PATH in *:/the/end) exec cc \"$@\";; esac\necho PATH was cut\nexit 1\n");
    setenv("PATH", path, 1);
    struct tried t = try_with(asks, cache, "60");
    setenv("PATH", was, 1);
    if (!t.compiled) fail_msg("%s", t.way);
}

/* A host that ignores its children has no status to give. */
TEST(a_host_that_ignores_its_children_is_served) {
    (void)state;
    char cache[512];
    snprintf(cache, sizeof cache, "%s", temp_path("ignored"));
    void (*before)(int) = signal(SIGCHLD, SIG_IGN);
    assert_true(try_with("cc", cache, "60").compiled);
    refused(try_with(script("fails too", "#!/bin/sh\nexit 1\n"), cache, "60"), "made no library");
    signal(SIGCHLD, before);
}

TEST(options_that_mean_nothing_are_refused) {
    (void)state;
    cr_options *o = cr_options_new(NULL);
    assert_int_equal(cr_options_set(o, "compile", ""), CR_EINVAL);
    assert_int_equal(cr_options_set(o, "cache", ""), CR_EINVAL);
    assert_int_equal(cr_options_set(o, "compile_seconds", "0"), CR_EINVAL);
    assert_int_equal(cr_options_set(o, "compile_seconds", "soon"), CR_EINVAL);
    assert_int_equal(cr_options_set(o, "cache_megabytes", "0"), CR_EINVAL);
    assert_int_equal(cr_options_set(o, "compile", "cc"), CR_OK);
    assert_int_equal(cr_options_set(o, "compile", "0"), CR_OK);
    cr_options_free(o);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(a_loop_is_compiled_once_and_found_again),
        RUN(compilers_that_do_not_work_are_told),
        RUN(a_compiler_that_hangs_is_killed),
        RUN(nothing_of_a_compiler_stays),
        RUN(code_for_another_processor_is_refused),
        RUN(caches_that_cannot_be_written_to_are_told),
        RUN(files_that_are_not_whole_or_not_ours_are_made_anew),
        RUN(what_was_used_longest_ago_goes_where_there_is_too_much),
        RUN(using_a_file_makes_it_the_last_to_go),
        RUN(clang_serves_too),
        RUN(several_processes_may_make_the_same_at_once),
        RUN(a_compiler_finds_its_tools_in_all_of_a_long_path),
        RUN(a_host_that_ignores_its_children_is_served),
        RUN(options_that_mean_nothing_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, temp_remove);
}
