/* libzip, loaded when an archive is first read: what it stands on (cryptography, other packings) takes a process longer to load than all
 * that a short command does. */
#ifndef FILE_ZIP_H
#define FILE_ZIP_H

#include <stdbool.h>

#include <zip.h>

/* Its functions that are used here, as its header declares them: type, name, parameters. */
#define ZIP_FUNCTIONS(X)                                                                            \
    X(zip_source_t *, source_buffer_create, (const void *, zip_uint64_t, int, zip_error_t *))       \
    X(zip_source_t *, source_file_create, (const char *, zip_uint64_t, zip_int64_t, zip_error_t *)) \
    X(void, source_free, (zip_source_t *))                                                          \
    X(zip_t *, open_from_source, (zip_source_t *, int, zip_error_t *))                              \
    X(void, discard, (zip_t *))                                                                     \
    X(zip_int64_t, get_num_entries, (zip_t *, zip_flags_t))                                         \
    X(const char *, get_name, (zip_t *, zip_uint64_t, zip_flags_t))                                 \
    X(int, stat_index, (zip_t *, zip_uint64_t, zip_flags_t, zip_stat_t *))                          \
    X(zip_file_t *, fopen_index, (zip_t *, zip_uint64_t, zip_flags_t))                              \
    X(zip_int64_t, fread, (zip_file_t *, void *, zip_uint64_t))                                     \
    X(int, fclose, (zip_file_t *))                                                                  \
    X(zip_error_t *, get_error, (zip_t *))                                                          \
    X(zip_error_t *, file_get_error, (zip_file_t *))                                                \
    X(void, error_init, (zip_error_t *))                                                            \
    X(void, error_fini, (zip_error_t *))                                                            \
    X(const char *, error_strerror, (zip_error_t *))                                                \
    X(int, error_code_zip, (const zip_error_t *))                                                   \
    X(int, error_code_system, (const zip_error_t *))

struct zip_library {
    void *handle;
#define X(type, name, parameters) type(*name) parameters;
    ZIP_FUNCTIONS(X)
#undef X
};

/* False: it is not on this machine, or another one. What was loaded stays for the next archive. */
bool zip_library_open(struct zip_library *out);
void zip_library_close(struct zip_library *l);

#endif
