/* Any bytes as IDX, packed or not: an array, or a sentence. */
#include "fuzz.h"

#include <string.h>

#include "base/context.h"
#include "file/idx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct budget budget = {.left = 64 << 20};
    cr_context *ctx = budget_context(&budget);
    struct bytes b = {.mem = context_mem(ctx), .room = size + 1};
    cr_text *why = NULL;
    cr_array *a = NULL;
    double sum = 0;
    b.s = mem_alloc(&b.mem, b.room);
    if (b.s && cr_text_new(&why, ctx) == CR_OK) {
        if (size) memcpy(b.s, data, size);
        b.n = size;
        cr_status s = file_idx_parse(&a, &b, "fuzz.idx", why);
        const unsigned char *bytes = a ? cr_array_data(a) : NULL;
        for (size_t i = 0; a && i < cr_array_bytes(a); i++) sum += bytes[i];
        if ((s == CR_OK) != (a != NULL) || (s != CR_OK && cr_text_size(why) == 0)) abort();
    }
    fuzz_sink = sum;
    cr_array_free(a);
    cr_text_free(why);
    file_drop(&b);
    budget_end(&budget, ctx);
    return 0;
}
