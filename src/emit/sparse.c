/* Which outputs are the values of a sparse matrix, and where it has them: tables of the file. */
#include "emit/emit.h"

enum { numbers_a_line = 16 };

static struct graph_pattern pattern_of(const struct emitter *e, size_t output) {
    return graph_pattern(e->g, e->wish->output_pattern[output]);
}

static bool fits(int64_t n) { return n <= INT32_MAX; }

bool emit_patterns_fit(struct emitter *e) {
    for (size_t i = 0; i < e->wish->outputs && !e->status; i++) {
        if (!e->wish->output_pattern[i]) continue;
        struct graph_pattern p = pattern_of(e, i);
        if (!fits(p.rows) || !fits(p.columns) || !fits(p.start[p.rows]))
            emit_refuse(
                e,
                "'%.40s' is of a sparse matrix of %lld by %lld with %lld entries: expected at most 2^31 - 1",
                e->wish->output_name[i], (long long)p.rows, (long long)p.columns, (long long)p.start[p.rows]);
    }
    return !e->status;
}

static void write_numbers(struct emitter *e, int64_t n, const int64_t number[]) {
    for (int64_t k = 0; k < n; k++)
        text_add(e->out, k % numbers_a_line ? " %lld," : "\n    %lld,", (long long)number[k]);
}

/* Of all matrices one behind the other; a 0 at the end, since no array is empty. */
static void write_table(struct emitter *e, const char *name, bool starts) {
    text_add(e->out, "static const int32_t %s_%s[] = {", e->wish->prefix, name);
    for (size_t i = 0; i < e->wish->outputs; i++) {
        if (!e->wish->output_pattern[i]) continue;
        struct graph_pattern p = pattern_of(e, i);
        if (starts) write_numbers(e, p.rows + 1, p.start);
        else write_numbers(e, p.start[p.rows], p.column);
    }
    text_str(e->out, "\n    0};\n");
}

void emit_patterns(struct emitter *e) {
    const char *prefix = e->wish->prefix;
    bool any = false;
    for (size_t i = 0; i < e->wish->outputs; i++) any = any || e->wish->output_pattern[i];
    if (!any) return;
    write_table(e, "row_starts", true);
    write_table(e, "column_indices", false);
    text_add(e->out, "static const struct %s_pattern %s_patterns[] = {\n", prefix, prefix);
    int64_t start = 0, entry = 0;
    for (size_t i = 0; i < e->wish->outputs; i++) {
        if (!e->wish->output_pattern[i]) continue;
        struct graph_pattern p = pattern_of(e, i);
        int64_t count = p.start[p.rows];
        text_add(e->out, "    {%lld, %lld, %lld, &%s_row_starts[%lld], &%s_column_indices[%lld]},\n",
                 (long long)p.rows, (long long)p.columns, (long long)count, prefix, (long long)start, prefix,
                 (long long)entry);
        start += p.rows + 1, entry += count;
    }
    text_str(e->out, "};\n\n");
}

void emit_pattern_shape(struct emitter *e, size_t output) {
    if (!e->wish->output_pattern[output]) return;
    struct graph_pattern p = pattern_of(e, output);
    text_add(e->out, ", of a sparse matrix of %lld by %lld", (long long)p.rows, (long long)p.columns);
}

void emit_pattern_pointer(struct emitter *e, size_t output) {
    size_t before = 0;
    for (size_t i = 0; i < output; i++) before += e->wish->output_pattern[i] != 0;
    if (e->wish->output_pattern[output]) text_add(e->out, "&%s_patterns[%zu]", e->wish->prefix, before);
    else text_str(e->out, "NULL");
}
