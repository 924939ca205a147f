/* Any bytes as a table: a table with as many numbers as it says, or a sentence. */
#include "fuzz.h"

#include "base/context.h"
#include "file/csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct budget budget = {.left = 16 << 20};
    cr_context *ctx = budget_context(&budget);
    struct mem mem = context_mem(ctx);
    cr_text *why = NULL;
    cr_table *t = NULL;
    double sum = 0;
    if (cr_text_new(&why, ctx) == CR_OK) {
        cr_status s = file_csv_parse(&t, (const char *)data, size, "fuzz.csv", &mem, why);
        for (int j = 0; j < cr_table_columns(t); j++)
            for (int64_t i = 0; i < cr_table_rows(t); i++) sum += cr_table_column(t, j)[i];
        if ((s == CR_OK) != (t != NULL) || (s != CR_OK && cr_text_size(why) == 0)) abort();
    }
    fuzz_sink = sum;
    cr_table_free(t);
    cr_text_free(why);
    budget_end(&budget, ctx);
    return 0;
}
