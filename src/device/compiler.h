/* The system's C compiler: found, and run without a shell. */
#ifndef DEVICE_COMPILER_H
#define DEVICE_COMPILER_H

#include <stdbool.h>
#include <stddef.h>

enum { compiler_path = 1024, compiler_why = 256 };

/* The program that a name means: a path, or looked for in PATH; "cc" is cc, gcc or clang, the first that is there. False, with a
 * sentence: there is none. */
bool compiler_find(char path[compiler_path], const char *name, char why[compiler_why]);
/* Which compiler this is, on which processor: the same text means the same code. */
void compiler_identity(char *to, size_t size, const char *path);
/* Compiles source to a shared library, with the key as CHAINRULE_KEY; directory is for whatever the compiler leaves. It is killed after
 * so many seconds. False, with a sentence: no library came of it. */
bool compiler_run(const char *path, const char *directory, const char *source, const char *library,
                  const char *key, int seconds, char why[compiler_why]);
/* What is given to it besides: flag i, NULL past the end. */
const char *compiler_flag(size_t i);

#endif
