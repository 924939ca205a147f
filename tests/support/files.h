/* Files that a test makes, in a directory of its own. */
#ifndef FILES_H
#define FILES_H

#include "support/test.h"

/* The path of a name in the directory, made at first use; valid until the eighth call after. */
const char *temp_path(const char *name);
/* A file of these bytes; gives its path. */
const char *temp_file(const char *name, const void *data, size_t n);
/* What a file holds, and whether it is exactly this. */
bool file_is(const char *path, const void *data, size_t n);
/* How many files the directory holds. */
int temp_count(void);
/* Removes all: the teardown of a group. */
int temp_remove(void **state);

/* Was the library built with what these files need? */
bool with_safetensors(void);

/* The status, and every fact in the sentence, which is read after the call that gave the status. */
void assert_says(cr_status status, cr_status expected, const cr_text *why, int n, const char *const facts[]);
#define FACTS(...) \
    (int)(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)), (const char *const[]) { __VA_ARGS__ }

#endif
