/* Any bytes as a PNG image: samples of 0 to 255, as many as it says, or a sentence. */
#include "fuzz.h"

#include "base/context.h"
#include "file/png.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct budget budget = {.left = 64 << 20};
    cr_context *ctx = budget_context(&budget);
    struct mem mem = context_mem(ctx);
    cr_text *why = NULL;
    struct image x = {0};
    double sum = 0;
    struct bytes b = {.mem = mem, .s = (char *)(uintptr_t)data, .n = size}; /* only read */
    if (cr_text_new(&why, ctx) == CR_OK) {
        cr_status s = png_read(&x, &b, NULL, "fuzz.png", why);
        if ((s == CR_OK) != (x.sample != NULL) || (s != CR_OK && cr_text_size(why) == 0)) abort();
        for (size_t i = 0; x.sample && i < x.bytes / sizeof *x.sample; i++) {
            if (x.sample[i] < 0 || x.sample[i] > 255) abort();
            sum += x.sample[i];
        }
        mem_free(&mem, x.sample, x.bytes);
    }
    fuzz_sink = sum;
    cr_text_free(why);
    budget_end(&budget, ctx);
    return 0;
}
