/* Any bytes as an npz archive: arrays, or a sentence. */
#include "fuzz.h"

#include "base/context.h"
#include "file/npz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct budget budget = {.left = 16 << 20};
    cr_context *ctx = budget_context(&budget);
    struct mem mem = context_mem(ctx);
    cr_text *why = NULL;
    struct npz *z = NULL;
    double sum = 0;
    struct bytes b = {.mem = mem, .s = (char *)(uintptr_t)data, .n = size}; /* only read */
    if (cr_text_new(&why, ctx) == CR_OK) {
        cr_status s = npz_open(&z, "fuzz.npz", &b, ctx, why);
        if ((s == CR_OK) != (z != NULL) || (s != CR_OK && cr_text_size(why) == 0)) abort();
        for (int i = 0; npz_name(z, i); i++) {
            cr_array *a = NULL;
            cr_text_clear(why);
            s = npz_array(&a, z, i, why);
            if ((s == CR_OK) != (a != NULL) || (s != CR_OK && cr_text_size(why) == 0)) abort();
            const unsigned char *bytes = a ? cr_array_data(a) : NULL;
            for (size_t k = 0; a && k < cr_array_bytes(a); k++) sum += bytes[k];
            cr_array_free(a);
        }
    }
    fuzz_sink = sum;
    npz_close(z);
    cr_text_free(why);
    budget_end(&budget, ctx);
    return 0;
}
