/* How long does a whole process take, from its start to its end? process NAME COMMAND WORD.. serves it behind the line protocol
 * (protocol.h). A step starts the command, found as a shell finds it, waits for its end, and gives the last number that it printed. */
#define _POSIX_C_SOURCE 200809L
#include "common/protocol.h"
#include <math.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* Its output from the read end of a pipe, cut to what there is room for. */
static void read_all(int from, char *out, size_t room) {
    size_t n = 0;
    char beyond[256];
    for (;;) {
        ssize_t got = n + 1 < room ? read(from, out + n, room - 1 - n) : read(from, beyond, sizeof beyond);
        if (got <= 0) break;
        if (n + 1 < room) n += (size_t)got;
    }
    out[n] = 0;
}

static double last_number(char *text) {
    double found = NAN;
    for (char *word = strtok(text, " \t\n"); word; word = strtok(NULL, " \t\n")) {
        char *end;
        double x = strtod(word, &end);
        if (end != word && !*end) found = x;
    }
    return found;
}

static pid_t start(char **command, int out) {
    pid_t pid = -1;
    posix_spawn_file_actions_t actions;
    if (posix_spawn_file_actions_init(&actions)) return -1;
    if (posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO) ||
        posix_spawnp(&pid, command[0], &actions, NULL, command, environ))
        pid = -1;
    posix_spawn_file_actions_destroy(&actions);
    return pid;
}

static double step(void *self, size_t i) {
    char **command = self, text[4096] = "";
    int ends[2], status = -1;
    (void)i;
    if (pipe(ends)) exit(EXIT_FAILURE);
    pid_t pid = start(command, ends[1]);
    close(ends[1]);
    if (pid > 0) read_all(ends[0], text, sizeof text);
    close(ends[0]);
    double found = last_number(text);
    if (pid < 0 || waitpid(pid, &status, 0) < 0 || status || isnan(found)) {
        fprintf(stderr, "%s gave no number\n", command[0]);
        exit(EXIT_FAILURE);
    }
    return found;
}

static void reset(void *self) { (void)self; }

int main(int argc, char **argv) {
    if (argc < 3) return fprintf(stderr, "usage: process NAME COMMAND WORD..\n"), 2;
    return protocol_serve(&(struct protocol_bench){
        .name = argv[1], .note = "", .self = argv + 2, .reset = reset, .step = step, .calls = 1});
}
