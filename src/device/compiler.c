/* Running the compiler: its own process group, its own environment, nothing of ours but files, and a limit of time. */
#define _GNU_SOURCE /* posix_spawn_file_actions_addclosefrom_np */
#include "device/compiler.h"

#include <stdio.h>
#include <string.h>

#ifdef CR_WITH_COMPILER
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#elif defined(__linux__)
#include <sys/auxv.h>
#endif

/* As the library itself is compiled (CMakeLists.txt), for this processor. Calls of the C library's functions stay calls, so that they
 * give what they give there: a compiler would compute some itself, or put two into one. */
#if defined(__x86_64__) || defined(__i386__)
#define FOR_THIS_PROCESSOR "-march=native", "-mprefer-vector-width=512"
#else
#define FOR_THIS_PROCESSOR "-mcpu=native"
#endif
/* gcc would write out a loop of 16 before it looks for vectors; and leave calls in a long loop, of which it then makes none. */
#define FOR_VECTORS                                                                     \
    "--param=max-completely-peel-times=7", "--param=large-function-growth=100000",      \
        "--param=large-stack-frame-growth=100000", "--param=inline-unit-growth=100000", \
        "--param=max-inline-insns-single=1000"
#define CALL(f) "-fno-builtin-" #f, "-fno-builtin-" #f "f"
static const char *const flags[] = {"-std=gnu11",
                                    "-O3",
                                    FOR_VECTORS,
                                    FOR_THIS_PROCESSOR,
                                    "-ffp-contract=off",
                                    "-fno-math-errno",
                                    "-fno-trapping-math",
                                    "-fwrapv",
                                    "-fno-strict-aliasing",
                                    "-w",
                                    "-fPIC",
                                    "-shared",
                                    "-fvisibility=hidden",
                                    CALL(sin),
                                    CALL(cos),
                                    CALL(sincos),
                                    CALL(tan),
                                    CALL(asin),
                                    CALL(acos),
                                    CALL(atan),
                                    CALL(sinh),
                                    CALL(cosh),
                                    CALL(tanh),
                                    CALL(asinh),
                                    CALL(acosh),
                                    CALL(atanh),
                                    CALL(exp),
                                    CALL(exp2),
                                    CALL(expm1),
                                    CALL(log),
                                    CALL(log2),
                                    CALL(log10),
                                    CALL(log1p),
                                    CALL(erf),
                                    CALL(erfc),
                                    CALL(lgamma),
                                    CALL(tgamma),
                                    CALL(pow),
                                    CALL(fmod),
                                    CALL(atan2),
                                    CALL(hypot)};
enum { flag_count = sizeof flags / sizeof *flags };

const char *compiler_flag(size_t i) { return i < flag_count ? flags[i] : NULL; }

/* ---- Which ---- */

static bool is_program(const char *path) {
    struct stat s;
    return stat(path, &s) == 0 && S_ISREG(s.st_mode) && access(path, X_OK) == 0;
}

static bool in_path(char path[compiler_path], const char *name) {
    const char *dirs = getenv("PATH");
    if (!dirs) dirs = "/usr/local/bin:/usr/bin:/bin";
    for (const char *d = dirs; *d;) {
        size_t n = strcspn(d, ":");
        int length = snprintf(path, compiler_path, "%.*s/%s", (int)n, d, name);
        if (n && *d == '/' && length < compiler_path && is_program(path))
            return true; /* relative ones are not trusted */
        d += n + (d[n] == ':');
    }
    return false;
}

bool compiler_find(char path[compiler_path], const char *name, char why[compiler_why]) {
    static const char *const usual[] = {"cc", "gcc", "clang"};
    if (strcmp(name, "cc") == 0) {
        for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
            if (in_path(path, usual[i])) return true;
    } else if (strchr(name, '/')) {
        if (snprintf(path, compiler_path, "%s", name) < compiler_path && is_program(path)) return true;
    } else if (in_path(path, name)) return true;
    snprintf(why, compiler_why, "there is no compiler '%.100s'", name);
    return false;
}

static size_t processor(char *to, size_t size) {
#if defined(__x86_64__) || defined(__i386__)
    unsigned r[4] = {0}, name[12] = {0}, features[4] = {0};
    __get_cpuid(1, &r[0], &r[1], &r[2], &r[3]); /* r[1] tells which core this is */
    __get_cpuid_count(7, 0, &features[0], &features[1], &features[2], &features[3]);
    for (unsigned i = 0; i < 3; i++)
        __get_cpuid(0x80000002u + i, &name[4 * i], &name[4 * i + 1], &name[4 * i + 2], &name[4 * i + 3]);
    return (size_t)snprintf(to, size, "%.48s %x %x %x %x %x %x", (const char *)name, r[0], r[2] & ~(1u << 27),
                            r[3], features[1], features[2], features[3]);
#elif defined(__linux__)
    return (size_t)snprintf(to, size, "%lx %lx", getauxval(AT_HWCAP), getauxval(AT_HWCAP2));
#else
    return (size_t)snprintf(to, size, "?");
#endif
}

void compiler_identity(char *to, size_t size, const char *path) {
    struct stat s = {0};
    struct utsname u = {0};
    stat(path, &s);
    uname(&u);
    int n = snprintf(to, size, "%s %lld %lld %lld.%09ld %s ", path, (long long)s.st_ino, (long long)s.st_size,
                     (long long)s.st_mtim.tv_sec, s.st_mtim.tv_nsec, u.machine);
    if (n > 0 && (size_t)n < size) processor(to + n, size - (size_t)n);
}

/* ---- Running it ---- */

static bool start(pid_t *pid, char *const argument[], char *const environment[], const char *said) {
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    if (posix_spawn_file_actions_init(&files)) return false;
    if (posix_spawnattr_init(&how)) return posix_spawn_file_actions_destroy(&files), false;
    int failed = posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    failed |= posix_spawn_file_actions_addopen(&files, 1, said, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    failed |= posix_spawn_file_actions_adddup2(&files, 1, 2);
#if defined(__GLIBC__) && (__GLIBC__ > 2 || (__GLIBC__ == 2 && __GLIBC_MINOR__ >= 34))
    failed |= posix_spawn_file_actions_addclosefrom_np(&files, 3);
#endif
    failed |= posix_spawnattr_setpgroup(&how, 0);
    failed |= posix_spawnattr_setsigmask(&how, &none);
    failed |= posix_spawnattr_setsigdefault(&how, &all);
    failed |= posix_spawnattr_setflags(&how, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                                 POSIX_SPAWN_SETSIGDEF);
    if (!failed) failed = posix_spawn(pid, argument[0], &files, &how, argument, environment);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&how);
    return !failed;
}

enum { most_said = 4 << 20 /* bytes of messages: more is a mistake without an end */ };
enum outcome { DONE, FAILED, TOO_LONG, TOO_MUCH };

static bool says_too_much(const char *said) {
    struct stat s;
    return stat(said, &s) == 0 && s.st_size > most_said;
}

static int64_t milliseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * (int64_t)1000 + now.tv_nsec / 1000000;
}

/* Ends what the compiler has started and left, while its own number is still taken, and takes its status. */
static int end_group(pid_t pid) {
    int status = 0;
    kill(-pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
    return status;
}

/* A host that ignores or collects its children takes the status away: then the library itself tells. */
static enum outcome wait_for(pid_t pid, int seconds, const char *said) {
    struct timespec nap = {0, 1000000};
    const int64_t begun = milliseconds();
    for (;;) {
        siginfo_t ended = {.si_pid = 0};
        int got = waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOHANG | WNOWAIT);
        if (got < 0 && errno != EINTR) return DONE;
        if (got == 0 && ended.si_pid == pid) {
            int status = end_group(pid);
            return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? DONE : FAILED;
        }
        bool much = says_too_much(said);
        if (much || milliseconds() - begun >= seconds * (int64_t)1000) {
            end_group(pid);
            return much ? TOO_MUCH : TOO_LONG;
        }
        nanosleep(&nap, NULL);
        if (nap.tv_nsec < 16000000) nap.tv_nsec *= 2;
    }
}

/* The first line with "error" in it, else the first: without what cannot be printed. */
static void first_words(const char *said, char *to, size_t size) {
    char line[512];
    FILE *f = fopen(said, "r");
    *to = 0;
    while (f && fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = 0;
        bool error = strstr(line, "error") != NULL;
        if (!*to || error) snprintf(to, size, "%.*s", (int)size - 1, line);
        if (error) break;
    }
    if (f) fclose(f);
    for (char *s = to; *s; s++)
        if ((unsigned char)*s < 0x20 || (unsigned char)*s >= 0x7f) *s = '?';
}

/* "PATH=...", as long as it is; NULL: the host has none. */
static char *host_variable(const char *name) {
    size_t n = strlen(name);
    for (char **e = environ; e && *e; e++)
        if (strncmp(*e, name, n) == 0 && (*e)[n] == '=') return *e;
    return NULL;
}

bool compiler_run(const char *path, const char *directory, const char *source, const char *library,
                  const char *key, int seconds, char why[compiler_why]) {
    char definition[128], said[compiler_path + 16], words[160];
    char dirs[] = "PATH=/usr/local/bin:/usr/bin:/bin", plain[] = "LC_ALL=C", room[compiler_path + 128],
         home[sizeof room], *path_there = host_variable("PATH"), *home_there = host_variable("HOME");
    char *argument[flag_count + 8],
        *environment[] = {path_there ? path_there : dirs, home_there ? home_there : home, plain, room, NULL};
    const char *more[] = {definition, "-o", library, source, "-lm"};
    size_t n = 0;
    pid_t pid;
    snprintf(definition, sizeof definition, "-DCHAINRULE_KEY=\"%s\"", key);
    snprintf(said, sizeof said, "%s/said", directory);
    snprintf(room, sizeof room, "TMPDIR=%s", directory);
    snprintf(home, sizeof home, "HOME=%s", directory);
    union { /* posix_spawn writes to none of them */
        const char *from;
        char *to;
    } as;
    as.from = path;
    argument[n++] = as.to;
    for (size_t i = 0; i < flag_count; i++) as.from = flags[i], argument[n++] = as.to;
    for (size_t i = 0; i < sizeof more / sizeof *more; i++) as.from = more[i], argument[n++] = as.to;
    argument[n] = NULL;
    if (!start(&pid, argument, environment, said)) {
        snprintf(why, compiler_why, "%.120s could not be started", path);
        return false;
    }
    enum outcome o = wait_for(pid, seconds, said);
    if (o == TOO_LONG) snprintf(why, compiler_why, "%.120s took more than %d seconds", path, seconds);
    if (o == TOO_MUCH) snprintf(why, compiler_why, "%.120s wrote messages without an end", path);
    if (o == FAILED) {
        first_words(said, words, sizeof words);
        snprintf(why, compiler_why, "%.80s failed: %.150s", path, *words ? words : "without a word");
    }
    return o == DONE;
}
#endif
