/* A sparse matrix as text: its rows that have entries, or compressed rows in JSON. */
#include <stdio.h>
#include <string.h>

#include "cli.h"

/* n numbers, as a list. */
static int add_list(struct session *s, cr_dtype dtype, int64_t n, const void *numbers, bool json) {
    cr_array *array = NULL;
    if (cr_array_new(&array, s->ctx, dtype, 1, &n)) return session_failed(s, NULL);
    if (n) memcpy(cr_array_data(array), numbers, cr_array_bytes(array));
    cr_status status = cr_array_print(s->text, array, json);
    cr_array_free(array);
    return status ? session_failed(s, NULL) : EXIT_DONE;
}

static int add_rows(struct session *s, const cr_pattern *p, cr_array *values) {
    const int64_t *start = cr_pattern_row_starts(p), *column = cr_pattern_column_indices(p);
    size_t size = cr_dtype_size(cr_array_dtype(values));
    const char *data = cr_array_data(values);
    int code = EXIT_DONE;
    for (int64_t i = 0; i < cr_pattern_rows(p) && !code; i++) {
        int64_t n = start[i + 1] - start[i];
        char row[64];
        if (!n) continue;
        snprintf(row, sizeof row, "\n  row %lld, columns ", (long long)i);
        session_add(s, row);
        code = add_list(s, CR_I64, n, column + start[i], false);
        session_add(s, ": ");
        if (!code) code = add_list(s, cr_array_dtype(values), n, data + (size_t)start[i] * size, false);
    }
    return code;
}

static int add_json(struct session *s, const cr_pattern *p, cr_array *values) {
    session_add(s, ", \"row_starts\": ");
    int code = add_list(s, CR_I64, cr_pattern_rows(p) + 1, cr_pattern_row_starts(p), true);
    session_add(s, ", \"column_indices\": ");
    if (!code) code = add_list(s, CR_I64, cr_pattern_count(p), cr_pattern_column_indices(p), true);
    session_add(s, ", \"values\": ");
    if (!code && cr_array_print(s->text, values, true)) code = session_failed(s, NULL);
    session_add(s, "}");
    return code;
}

int session_add_sparse(struct session *s, const cr_pattern *p, cr_array *values, bool json) {
    long long rows = cr_pattern_rows(p), columns = cr_pattern_columns(p), count = cr_pattern_count(p);
    char size[128];
    if (json) snprintf(size, sizeof size, "{\"rows\": %lld, \"columns\": %lld", rows, columns);
    else
        snprintf(size, sizeof size, "%lld by %lld, %lld entr%s", rows, columns, count,
                 count == 1 ? "y" : "ies");
    session_add(s, size);
    return json ? add_json(s, p, values) : add_rows(s, p, values);
}
