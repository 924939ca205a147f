/* Any bytes as IDX, packed or not: an array, or a sentence. */
#include "fuzz.h"

#include "base/context.h"
#include "file/idx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct budget budget = {.left = 64 << 20};
    cr_context *ctx = budget_context(&budget);
    struct mem mem = context_mem(ctx);
    cr_text *why = NULL;
    cr_array *a = NULL;
    double sum = 0;
    if (cr_text_new(&why, ctx) == CR_OK) {
        struct stream in = stream_of((const char *)data, size, "fuzz.idx", &mem, why);
        cr_status s = file_idx_parse(&a, &in);
        const unsigned char *bytes = a ? cr_array_data(a) : NULL;
        for (size_t i = 0; a && i < cr_array_bytes(a); i++) sum += bytes[i];
        if ((s == CR_OK) != (a != NULL) || (s != CR_OK && cr_text_size(why) == 0)) abort();
    }
    fuzz_sink = sum;
    cr_array_free(a);
    cr_text_free(why);
    budget_end(&budget, ctx);
    return 0;
}
