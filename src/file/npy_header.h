/* What an npy file says about its numbers. */
#ifndef FILE_NPY_HEADER_H
#define FILE_NPY_HEADER_H

#include "file/read.h"
#include "tensor/shape.h"

struct npy {
    char order, kind; /* '<' '>' '|', then 'b' 'i' 'u' 'f' */
    int size;         /* bytes of a number */
    bool fortran;     /* the first axis runs fastest */
    struct shape shape;
    int64_t count;
    size_t head; /* bytes before the numbers */
};

/* Reads it from the beginning of a file, of which n bytes are at hand. */
cr_status npy_header(struct npy *h, const char *s, size_t n, const char *path, cr_text *why);

#endif
