/* safetensors in memory. */
#ifndef FILE_SAFETENSORS_H
#define FILE_SAFETENSORS_H

#include "file/read.h"

cr_status file_safetensors_parse(cr_store *store, const struct bytes *b, const char *path, cr_text *why);

#endif
