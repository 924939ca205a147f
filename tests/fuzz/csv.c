/* Any bytes as a table: a table with as many numbers as it says, or a sentence. */
#include "fuzz.h"

#include "base/context.h"
#include "file/csv.h"

/* A column called x may be one of categories: its numbers are then those of words. */
static double read_table(const uint8_t *data, size_t size, int wishes, cr_context *ctx, cr_text *why) {
    struct mem mem = context_mem(ctx);
    cr_categories x = {"x", 0, NULL};
    struct csv_text text = {(const char *)data, size, "fuzz.csv", wishes, &x};
    cr_table *t = NULL;
    double sum = 0;
    cr_text_clear(why);
    cr_status s = file_csv_parse(&t, &text, &mem, why);
    int column = wishes ? cr_table_find(t, "x") : -1;
    for (int j = 0; j < cr_table_columns(t); j++)
        for (int64_t i = 0; i < cr_table_rows(t); i++) sum += cr_table_column(t, j)[i];
    for (int64_t i = 0; column >= 0 && i < cr_table_rows(t); i++)
        if (!cr_table_category(t, column, (int64_t)cr_table_column(t, column)[i])) abort();
    if ((s == CR_OK) != (t != NULL) || (s != CR_OK && cr_text_size(why) == 0)) abort();
    cr_table_free(t);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct budget budget = {.left = 16 << 20};
    cr_context *ctx = budget_context(&budget);
    cr_text *why = NULL;
    if (cr_text_new(&why, ctx) == CR_OK)
        fuzz_sink = read_table(data, size, 0, ctx, why) + read_table(data, size, 1, ctx, why);
    cr_text_free(why);
    budget_end(&budget, ctx);
    return 0;
}
