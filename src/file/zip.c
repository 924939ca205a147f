/* Finding libzip's functions: by the name that a linker would have noted (CR_LIBZIP_NAME, from CMakeLists.txt). */
#ifdef CR_WITH_LIBZIP
#define _GNU_SOURCE /* RTLD_NODELETE */
#include "file/zip.h"

#include <dlfcn.h>
#include <stddef.h>

/* That they are declared here as there: a cast hides nothing. */
#define X(type, name, parameters) \
    _Static_assert(_Generic(&zip_##name, type(*) parameters : 1, default : 0), "zip_" #name);
ZIP_FUNCTIONS(X)
#undef X

bool zip_library_open(struct zip_library *l) {
    l->handle = dlopen(CR_LIBZIP_NAME, RTLD_LAZY | RTLD_LOCAL | RTLD_NODELETE);
    bool all = l->handle;
#define X(type, name, parameters) \
    if (all && !(*(void **)&l->name = dlsym(l->handle, "zip_" #name))) all = false;
    ZIP_FUNCTIONS(X)
#undef X
    if (!all) zip_library_close(l);
    return all;
}

void zip_library_close(struct zip_library *l) {
    if (l->handle) dlclose(l->handle);
    l->handle = NULL;
}
#else
typedef int nothing_here; /* C wants a declaration */
#endif
