/* Any bytes as safetensors: tensors no larger than the file allows, or a sentence. */
#include "fuzz.h"

#include "base/context.h"
#include "file/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct budget budget = {.left = 16 << 20};
    cr_context *ctx = budget_context(&budget);
    cr_text *why = NULL;
    cr_store *store = NULL;
    struct bytes b = {.mem = context_mem(ctx), .s = (char *)(uintptr_t)data, .n = size}; /* only read */
    double sum = 0;
    if (cr_text_new(&why, ctx) == CR_OK && cr_store_new(&store, ctx) == CR_OK) {
        cr_status s = file_safetensors_parse(store, &b, "fuzz.safetensors", why);
        for (int i = 0; cr_store_name(store, i); i++) {
            size_t bytes;
            const unsigned char *x = cr_store_data(store, cr_store_name(store, i), NULL, &bytes);
            for (size_t k = 0; k < bytes; k++) sum += x[k];
        }
        if (s != CR_OK && cr_text_size(why) == 0) abort();
    }
    fuzz_sink = sum;
    cr_store_free(store);
    cr_text_free(why);
    budget_end(&budget, ctx);
    return 0;
}
