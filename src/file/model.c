/* Models from files. */
#include "base/context.h"
#include "file/read.h"

cr_status cr_model_load(cr_model **out, const char *path, cr_context *ctx, cr_text *why) {
    struct bytes b;
    struct mem mem = context_mem(ctx);
    if (out) *out = NULL;
    if (!out || !path) return CR_EINVAL;
    cr_status status = file_read(&b, path, 16u << 20, &mem, why);
    if (status) return status;
    status = cr_model_new(out, b.s, b.n, path, ctx, why);
    file_drop(&b);
    return status;
}
