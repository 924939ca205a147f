/* Loops compiled at run time give the bits of the built-in ones: over the whole table, folds of every shape, random graphs. */
#include "support/two.h"

/* ---- The table ---- */

static int arity_of(int op) {
    const char *arguments = ops_row(op)->arguments;
    return !strncmp(arguments, "condition", 9) ? 3 : !strncmp(arguments, "x, y", 4) ? 2 : 1;
}

static bool takes(int op, cr_dtype dtype) {
    bool real = dtype == CR_F32 || dtype == CR_F64, integer = dtype == CR_I32 || dtype == CR_I64;
    switch (ops_row(op)->dtype) {
    case DTYPE_FLOAT: return real;
    case DTYPE_NUMBER:
    case DTYPE_COMPARE: return real || integer;
    case DTYPE_LOGIC: return dtype == CR_BOOL;
    case DTYPE_INTEGER: return dtype == CR_I64;
    case DTYPE_SELECT: return true;
    default: return false;
    }
}

static cr_node make_op(cr_graph *g, int op, int64_t n, int arity, const cr_node x[]) {
    double number = (double)n;
    cr_attr attr = {"n", 1, &number, NULL};
    return cr_op(g, op_name(op), arity, x, strstr(ops_row(op)->arguments, ", n") != NULL, &attr);
}

static const cr_dtype dtypes[] = {CR_BOOL, CR_I32, CR_I64, CR_F16, CR_BF16, CR_F32, CR_F64};
enum { dtype_count = sizeof dtypes / sizeof *dtypes };

TEST(every_elementwise_row_gives_the_bits_of_the_built_in_kernels) {
    (void)state;
    for (int i = 0; i < dtype_count; i++)
        for (int first = 1; first < OP_COUNT;) {
            struct two b;
            int64_t n = 67;
            start(&b);
            cr_node flag = input(&b, CR_BOOL, 1, &n, 0, 1);
            for (; first < OP_COUNT && b.inputs < 56; first++) {
                const struct op_row *row = ops_row(first);
                if (op_kind(first) != KIND_ELEM || !takes(first, dtypes[i])) continue;
                for (int wild = 0; wild < 2; wild++) {
                    cr_node x[3] = {flag};
                    int arity = arity_of(first);
                    for (int k = row->dtype == DTYPE_SELECT; k < arity; k++)
                        x[k] = input(&b, dtypes[i], 1, &n, wild ? -40 : row->low, wild ? 40 : row->high);
                    for (int64_t power = -2; power < (strstr(row->arguments, ", n") ? 6 : -1); power++)
                        if (!strstr(row->arguments, "n=0") || power >= 0)
                            output(&b, make_op(b.g, first, power, arity, x));
                }
            }
            if (b.outputs) compare(&b, "cc");
            drop(&b);
        }
}

TEST(casts_between_all_dtypes_give_the_bits_of_the_built_in_kernels) {
    (void)state;
    struct two b;
    int64_t n = 50;
    start(&b);
    for (int i = 0; i < dtype_count; i++) {
        cr_node x = input(&b, dtypes[i], 1, &n, -3e9, 3e9), y = input(&b, dtypes[i], 1, &n, -3, 3);
        for (int j = 0; j < dtype_count; j++) {
            output(&b, cr_cast(x, dtypes[j]));
            output(&b, cr_cast(y, dtypes[j]));
        }
    }
    compare(&b, "cc");
    drop(&b);
}

/* ---- Loops ---- */

/* Reductions over the last and the first axes, of lines shorter and longer than a block, and what comes after them. */
static void folds(const char *compiler, cr_dtype dtype, int64_t rows, int64_t run) {
    static const char *const texts[] = {
        "sum(x0)",
        "sum(x0*x1, axis=1)",
        "sum(x0, axis=0)",
        "max(x0)",
        "max(x0, axis=0)",
        "min(x0, axis=1)",
        "prod(x0*0.01 + 1, axis=1)",
        "softmax(x0)",
        "log_softmax(x0*x1)",
        "mean(exp(x0*0.1)*x1)",
        "sum(tanh(x0*x2 + x1)*sigmoid(x0))",
        "(x0 - mean(x0, axis=1, keep=true))*x2",
        "var(x0, axis=1)",
        "var(x0, axis=0)",
        "sum(x0, axis=1) + 2*max(x1, axis=1)",
        "x0 + x3",
        "exp(x0)*x3 + x2",
        "sum((x0 - x3)^2, axis=0)",
        "grad(sum(softmax(x0)*x1), x0)",
        "grad(sum(tanh(x0 + x2)^2), x2)",
        "t(x0)*2 + t(x1)",
        "sum(t(x0), axis=0)",
        "x0[:, ::-1]*x1",
    };
    struct two b;
    start(&b);
    input(&b, dtype, 2, (int64_t[]){rows, run}, -3, 3);
    input(&b, dtype, 2, (int64_t[]){rows, run}, -3, 3);
    input(&b, dtype, 1, (int64_t[]){run}, -3, 3);
    input(&b, dtype, 2, (int64_t[]){rows, 1}, -3, 3);
    formulas(&b, texts, sizeof texts / sizeof *texts);
    compare(&b, compiler);
    drop(&b);
}

TEST(folds_of_every_shape_give_the_bits_of_the_built_in_ones) {
    (void)state;
    folds("cc", CR_F64, 1, 1);
    folds("cc", CR_F64, 3, 5);
    folds("cc", CR_F64, 7, 16);
    folds("cc", CR_F64, 70, 14);
    folds("cc", CR_F32, 90, 6);
    folds("cc", CR_F32, 130, 33);
    folds("cc", CR_F64, 65, 100);
    folds("cc", CR_F32, 2, 5000);
    folds("cc", CR_F64, 1, 20000);
}

/* Rows that are kept whole, though their lines are of several blocks: at a block's border and beside it. */
TEST(rows_longer_than_a_block_give_the_bits_of_the_built_in_ones) {
    (void)state;
    static const char *const texts[] = {"softmax(x0)",
                                        "layer_norm(x0, x2, x2)",
                                        "max(x0*x3, axis=0)",
                                        "grad(sum(layer_norm(x0, x2, x2)*x1), x0)",
                                        "grad(sum(layer_norm(x0, x2, x2)*x1), x2)",
                                        "x1[:, ::-1]/sum(x0*x0, axis=1, keep=true)"};
    static const int64_t run[] = {4095, 4096, 4097, 8191, 8192, 8193, 12305};
    struct two b;
    start(&b);
    for (int i = 0; i < 7; i++) {
        cr_dtype dtype = i % 2 ? CR_F32 : CR_F64;
        int first = b.inputs;
        input(&b, dtype, 2, (int64_t[]){8 + i, run[i]}, -3, 3);
        input(&b, dtype, 2, (int64_t[]){8 + i, run[i]}, -3, 3);
        input(&b, dtype, 1, (int64_t[]){run[i]}, -3, 3);
        input(&b, dtype, 2, (int64_t[]){8 + i, 1}, -3, 3);
        for (int k = i % 2; k < 6; k += 2) {
            char text[96], *to = text;
            for (const char *c = texts[k]; *c; c++) /* the inputs of this length */
                if (*c == 'x' && c[1] >= '0' && c[1] <= '3') to += sprintf(to, "x%d", first + *++c - '0');
                else *to++ = *c;
            *to = 0;
            output(&b, formula(&b, text));
        }
    }
    compare(&b, "cc");
    drop(&b);
}

/* What clang is told in another way than gcc: lanes, short lines, slots that are parameters, angles, a chain of steps. */
TEST(clang_gives_the_bits_of_the_built_in_ones) {
    (void)state;
    if (system("clang --version >/dev/null 2>&1") != 0) skip();
    folds("clang", CR_F64, 7, 16);
    static const char *const texts[] = {"softmax(x0)*x1",
                                        "logsumexp(x0*3, axis=1)",
                                        "sum(tanh(x0)*sigmoid(x1), axis=0)",
                                        "sum(gelu(x0) + x1^2)",
                                        "max(x0, axis=1) + min(x1)",
                                        "sin(x0*5)*x1",
                                        "relu(x0)*where(x1 > 0, x0, exp(x1))",
                                        "relu(t(x1) @ x0 + x2)"};
    static const int64_t dims[][2] = {{66, 16}, {33, 100}};
    for (int i = 0; i < 2; i++) {
        struct two b;
        const cr_dtype dtype = i ? CR_F64 : CR_F32;
        start(&b);
        for (int k = 0; k < 2; k++) input(&b, dtype, 2, dims[i], -2, 2);
        input(&b, dtype, 1, dims[i] + 1, -2, 2);
        formulas(&b, texts, sizeof texts / sizeof *texts);
        compare(&b, "clang");
        drop(&b);
    }
}

/* Units are run again where an angle is large, or none: at the border, beside it, in the last lanes, in every place of a unit. */
TEST(large_angles_give_the_bits_of_the_built_in_kernels) {
    (void)state;
    static const double angle[] = {0x1p20, 0x1.0000000000001p20, -0x1.00001p20, 1e22, INFINITY, NAN, -0.0};
    static const char *const texts[] = {"sin(x%d)*x%d",
                                        "sum(cos(x%d)*x%d, axis=1)",
                                        "sum(sin(x%d)*x%d, axis=0)",
                                        "softmax(sin(x%d + 1)*x%d)",
                                        "x%d - sum(cos(x%d), axis=1, keep=true)",
                                        "max(cos(permute(x%d, [1, 0])*2)) + max(x%d)"};
    static const int64_t shape[][2] = {{70, 333}, {9, 4500}, {2, 9000}};
    struct two b;
    start(&b);
    for (int i = 0; i < 6; i++) {
        cr_dtype dtype = i % 2 ? CR_F32 : CR_F64;
        const int64_t *dim = shape[i % 3], n = dim[0] * dim[1];
        int first = b.inputs;
        input(&b, dtype, 2, dim, -3, 3), input(&b, dtype, 2, dim, -3, 3), input(&b, dtype, 2, dim, -3, 3);
        for (int k = 0; k < 7; k++) { /* of the second: here and there; of the third: the last alone */
            int64_t at = k == 6 ? n - 1 : n / 7 * k + 41 * k;
            if (dtype == CR_F32) ((float *)b.data[first + 1])[at] = (float)angle[k];
            else ((double *)b.data[first + 1])[at] = angle[k];
        }
        if (dtype == CR_F32) ((float *)b.data[first + 2])[n - 1] = 0x1.8p20f;
        else ((double *)b.data[first + 2])[n - 1] = 0x1.8p20;
        for (size_t k = 0; k < sizeof texts / sizeof *texts; k++)
            for (int angles = 0; angles < 3; angles++) {
                char text[96];
                snprintf(text, sizeof text, texts[k], first + angles, first);
                output(&b, formula(&b, text));
            }
    }
    compare(&b, "cc");
    drop(&b);
}

TEST(axes_that_do_not_run_on_give_the_same_bits) {
    (void)state;
    struct two b;
    start(&b);
    input(&b, CR_F64, 3, (int64_t[]){5, 6, 70}, -3, 3);
    input(&b, CR_F64, 3, (int64_t[]){5, 1, 70}, -3, 3);
    input(&b, CR_F64, 2, (int64_t[]){6, 1}, -3, 3);
    input(&b, CR_F32, 3, (int64_t[]){9, 60, 80}, -3, 3);
    input(&b, CR_F32, 3, (int64_t[]){9, 1, 80}, -3, 3);
    static const char *const texts[] = {
        "x0*x1 + x2",
        "sum(x0*x1 + x2, axis=2)",
        "sum(x0*x1 + x2, axis=[1, 2])",
        "sum(x0*x2, axis=0)",
        "sum(x0*x1, axis=[0, 1])",
        "max(permute(x0, [1, 0, 2])*2, axis=2)",
        "sum(permute(x0, [2, 0, 1])*2, axis=[1, 2])",
        "softmax(x0*x1 - x2)",
        "x0[:, ::2, 3:40]*2",
        "sum(x0[:, ::2, 3:40]*x1[:, :, 3:40], axis=2)",
        "softmax(permute(x0, [0, 2, 1]))",
        "x3 - sum(x3*x4, axis=[1, 2], keep=true)",
        "sum(x0 > x1)",
        "x0 > 1 and x1 < 2",
    };
    formulas(&b, texts, sizeof texts / sizeof *texts);
    compare(&b, "cc");
    drop(&b);
}

/* Units go to threads; what they leave is combined in one order. */
/* Lines shorter than the lanes have as many as they need: zeros keep their signs, a nan and infinities their way. */
TEST(folds_of_lines_shorter_than_the_lanes_give_the_same_bits) {
    (void)state;
    static const char *const fold[] = {"sum", "prod", "max", "min"};
    static const double special[] = {-0.0, 0.0, NAN, INFINITY, -INFINITY, 1, -2};
    static const int64_t length[] = {1, 2, 3, 5, 8, 9, 15, 17};
    struct two b;
    start(&b);
    for (size_t i = 0; i < sizeof length / sizeof *length; i++) {
        int64_t n = length[i];
        char text[40];
        input(&b, CR_F64, 2, (int64_t[]){14, n}, -3, 3);
        for (int64_t k = 0; k < 14 * n; k++) /* a line of each alone, then each among others */
            if (k < 7 * n || k % n == k / n % n) ((double *)b.data[i])[k] = special[k / n % 7];
        for (int f = 0; f < 4; f++) {
            snprintf(text, sizeof text, "%s(x%d, axis=1)", fold[f], (int)i);
            output(&b, formula(&b, text));
        }
    }
    compare(&b, "cc");
    drop(&b);
}

/* Four vectors of a line at a time: of zeros the sign of the last, a nan wherever it stands, the rest behind the fours. */
TEST(extremes_of_long_lines_give_the_same_bits) {
    (void)state;
    static const char *const texts[] = {"max(%s, axis=1)", "min(%s, axis=1)", "max(-%s*2, axis=1)",
                                        "max(%s)"};
    static const int64_t length[] = {64, 131, 4096 + 67};
    struct two b;
    start(&b);
    for (size_t i = 0; i < 2 * sizeof length / sizeof *length; i++) {
        const int64_t n = length[i / 2], rows = 9;
        const bool wide = i % 2;
        const char *x = cr_name(input(&b, wide ? CR_F64 : CR_F32, 2, (int64_t[]){rows, n}, -3, 3));
        char text[96];
        for (int64_t k = 0; k < 6 * n; k++) { /* two rows of zeros of both signs, four with a nan */
            double v = k < 2 * n ? (k * 7 % 3 ? -0.0 : 0.0) : (double)(k * 37 % 101) - 50;
            if (k >= 2 * n && k % n == k / n * (n - 1) / 5) v = NAN;
            if (wide) ((double *)b.data[i])[k] = v;
            else ((float *)b.data[i])[k] = (float)v;
        }
        for (size_t f = 0; f < sizeof texts / sizeof *texts; f++) {
            snprintf(text, sizeof text, texts[f], x);
            output(&b, formula(&b, text));
        }
    }
    compare(&b, "cc");
    drop(&b);
}

/* Places are compared in 32 bits: what differs from one by 2^32 is none. */
TEST(numbers_beyond_32_bits_are_no_places) {
    (void)state;
    static const int64_t at[] = {0,  299,       3,  3 + (INT64_C(1) << 32), 5 - (INT64_C(1) << 32),
                                 -1, INT64_MIN, 300};
    struct two b;
    start(&b);
    input(&b, CR_I64, 1, (int64_t[]){8}, 0, 1), input(&b, CR_F32, 2, (int64_t[]){8, 300}, -3, 3);
    input(&b, CR_F64, 2, (int64_t[]){8, 300}, -3, 3);
    memcpy(b.data[0], at, sizeof at);
    output(&b, formula(&b, "softmax(x1) + cast(iota(300)[None, :] == x0[:, None], f32)"));
    output(&b,
           formula(&b, "where(x0[:, None] == iota(300)[None, :], x2, exp(x2))/max(x2, axis=1, keep=true)"));
    output(&b, formula(&b, "sum(iota(300)[None, :] == x0[:, None], axis=1)"));
    compare(&b, "cc");
    drop(&b);
}

/* Many lines shorter than a vector, of a few sums and products: loops of their own, since shapes differ. */
TEST(sums_over_short_lines_give_the_same_bits) {
    (void)state;
    static const char outer[] = "x7[0, :, :, None]*x8[0, :, None] + x7[1, :, :, None]*x8[1, :, None] "
                                "- x7[2, :, :, None]*x8[2, :, None]";
    static const char *const texts[] = {"x0 + x1", "t(x0)*x2 - x2", "-(x3 - x4*x3)^2", "x5[::-1, ::-1] + x6",
                                        outer};
    struct two b;
    start(&b);
    input(&b, CR_F64, 2, (int64_t[]){103, 5}, -3, 3), input(&b, CR_F64, 1, (int64_t[]){5}, -3, 3);
    input(&b, CR_F64, 2, (int64_t[]){5, 1}, -3, 3);
    input(&b, CR_F32, 2, (int64_t[]){70, 7}, -3, 3), input(&b, CR_F32, 2, (int64_t[]){70, 1}, -3, 3);
    input(&b, CR_F64, 2, (int64_t[]){40, 15}, -3, 3), input(&b, CR_F64, 1, (int64_t[]){15}, -3, 3);
    input(&b, CR_F64, 3, (int64_t[]){3, 20, 15}, -3, 3), input(&b, CR_F64, 3, (int64_t[]){3, 20, 4}, -3, 3);
    formulas(&b, texts, sizeof texts / sizeof *texts);
    compare(&b, "cc");
    drop(&b);
}

/* Three outer products and their sum: reading what repeats is most of a tile's work, so the built-in way does not keep it. */
TEST(products_and_sums_of_four_numbers_a_line_are_compiled) {
    (void)state;
    cr_graph *g = cr_graph_new(NULL);
    cr_target *t = cr_target_new(g);
    cr_program *p = NULL;
    cr_text *text = NULL;
    cr_input(g, "w", CR_F64, 2, (int64_t[]){3, 90}), cr_input(g, "x", CR_F64, 2, (int64_t[]){3, 4});
    cr_target_output(t, "y",
                     cr_formula(g, "w[0, :, None]*x[:1] + w[1, :, None]*x[1:2] + w[2, :, None]*x[2:]"));
    if (cr_compile(&p, t, NULL)) fail_msg("%s", cr_graph_error(g));
    assert_int_equal(p->plan.steps, 1);
    struct kernel_units units[1] = {{0}};
    assert_int_equal(cr_text_new(&text, NULL), CR_OK);
    assert_int_equal(emit_kernels(text, &p->plan, p->loop, units, &(struct kernel_wish){.products = true}),
                     CR_OK);
    assert_true(units->made);
    cr_text_free(text);
    cr_program_free(p);
    cr_target_free(t);
    cr_graph_free(g);
}

/* Behind the last whole vector of a short loop as many numbers as there may be; what is written stands beside what is read. */
TEST(short_vectors_of_functions_give_the_same_bits) {
    (void)state;
    static const char *const texts[] = {"tanh(%s)*sigmoid(%s + 1) - exp(%s)",
                                        "log(abs(%s) + 1)/(2 + sin(%s)*cosh(%s))",
                                        "where(%s < 0, exp(%s), erf(%s))"};
    struct two b;
    start(&b);
    for (int64_t n = 1; n <= 40; n += n % 2 ? 1 : 2)
        for (int d = 0; d < 2; d++) {
            char text[96];
            const char *x = cr_name(input(&b, d ? CR_F32 : CR_F64, 1, &n, -6, 6));
            for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
                snprintf(text, sizeof text, texts[i], x, x, x);
                output(&b, formula(&b, text));
            }
        }
    compare(&b, "cc");
    drop(&b);
}

/* The carry is written where it is read. */
TEST(a_short_carry_changes_in_place_in_the_same_bits) {
    (void)state;
    static const char text[] = "fn step(c, v) = c*sigmoid(v) + tanh(c + v)*exp(-c*c); x0*scan(step, x0, x1)";
    struct two b;
    start(&b);
    input(&b, CR_F64, 1, (int64_t[]){14}, -1, 1), input(&b, CR_F64, 2, (int64_t[]){9, 14}, -1, 1);
    output(&b, formula(&b, text));
    compare(&b, "cc");
    drop(&b);
}

/* Two operands, and one twice in a list of five, which share their memory. A loop stands beside them: for moves alone nothing is
 * compiled. */
TEST(steps_that_move_few_numbers_move_the_same) {
    (void)state;
    struct two b;
    start(&b);
    output(&b, cr_neg(input(&b, CR_F64, 0, NULL, -3, 3)));
    for (size_t d = 0; d < sizeof dtypes / sizeof *dtypes; d++) {
        cr_node x = input(&b, dtypes[d], 2, (int64_t[]){2, 3}, -3, 3),
                y = input(&b, dtypes[d], 2, (int64_t[]){2, 1}, -3, 3),
                turned = cr_permute(x, 2, (int[]){1, 0}),
                none = cr_slice(x, 2, (int64_t[]){0, 0}, (int64_t[]){1, 1}, (int64_t[]){2, 0});
        output(&b, cr_concat(2, (cr_node[]){x, y}, 1));
        output(&b, cr_concat(5, (cr_node[]){x, y, x, none, y}, -1));
        output(&b, cr_concat(3, (cr_node[]){turned, turned, turned}, 0));
        output(&b, cr_reshape(turned, 1, (int64_t[]){6}));
        output(&b, cr_unslice(y, 2, (int64_t[]){1, 0}, (int64_t[]){2, 1}, (int64_t[]){5, 2}));
        output(&b, cr_unslice(turned, 2, (int64_t[]){2, 1}, (int64_t[]){-1, 1}, (int64_t[]){3, 4}));
    }
    compare(&b, "cc");
    drop(&b);
}

/* A matrix of these sizes as it lies, as the transpose of one that lies, or as one that repeats its row. */
static cr_node matrix(struct two *b, cr_dtype dtype, int64_t rows, int64_t columns, int how) {
    cr_node x = input(b, dtype, 2,
                      (int64_t[]){how == 1   ? columns
                                  : how == 2 ? 1
                                             : rows,
                                  how == 1 ? rows : columns},
                      -3, 3);
    if (how == 1) return cr_permute(x, 2, (int[]){1, 0});
    return how == 2 ? cr_expand(x, 2, (int64_t[]){rows, columns}) : x;
}

static void products_of(struct two *b, cr_dtype dtype) {
    static const int64_t shapes[][3] = {{1, 1, 1},    {3, 2, 5},    {1, 40, 7},  {40, 1, 33},
                                        {16, 16, 16}, {2, 100, 16}, {29, 3, 18}, {5, 512, 4},
                                        {100, 2, 16}, {15, 7, 71},  {64, 33, 9}, {1, 9, 50}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (size_t how = i; how < i + 2; how++)
            output(b, cr_neg(cr_matmul(matrix(b, dtype, shapes[i][0], shapes[i][1], how % 2),
                                       matrix(b, dtype, shapes[i][1], shapes[i][2], how / 2 % 2))));
    cr_node x = input(b, dtype, 4, (int64_t[]){2, 3, 4, 5}, -3, 3);
    output(b, cr_neg(cr_matmul(x, cr_permute(x, 4, (int[]){0, 1, 3, 2}))));
    output(b, cr_neg(cr_matmul(matrix(b, dtype, 4, 6, 2), matrix(b, dtype, 6, 5, 2))));
}

TEST(small_products_give_the_bits_of_the_built_in_ones) {
    (void)state;
    static const char *const compilers[] = {"cc", "clang"};
    for (int i = 0; i < 2; i++) {
        struct two b;
        if (i && system("clang --version >/dev/null 2>&1") != 0) continue;
        start(&b);
        products_of(&b, i ? CR_F32 : CR_F64);
        if (!i) products_of(&b, CR_F32);
        compare(&b, compilers[i]);
        drop(&b);
    }
}

/* As bench/chainrule/small.c has it. */
TEST(a_step_of_a_small_net_never_leaves_the_compiled_program) {
    (void)state;
    cr_graph *g = cr_graph_new(NULL);
    cr_target *t = cr_target_new(g);
    cr_program *p = NULL;
    cr_text *text = NULL;
    static const struct {
        const char *name;
        int rank;
        int64_t dim[2];
    } of[] = {{"W1", 2, {2, 16}}, {"b1", 1, {16}},    {"W2", 2, {16, 16}},
              {"b2", 1, {16}},    {"W3", 2, {16, 1}}, {"b3", 1, {1}}};
    cr_node w[6], d[6];
    for (int i = 0; i < 6; i++) w[i] = cr_param(g, of[i].name, CR_F32, of[i].rank, of[i].dim);
    cr_input(g, "x", CR_F32, 2, (int64_t[]){100, 2});
    cr_input(g, "y", CR_F32, 1, (int64_t[]){100});
    cr_node loss =
        cr_formula(g, "mean(relu(1 - y*reshape(relu(relu(x @ W1 + b1) @ W2 + b2) @ W3 + b3, [100])))");
    cr_grad(d, loss, 6, w);
    cr_target_output(t, "loss", loss);
    for (int i = 0; i < 6; i++) cr_target_update(t, w[i], cr_sub(w[i], cr_mul(cr_number(g, 0.05), d[i])));
    if (cr_compile(&p, t, NULL)) fail_msg("%s", cr_graph_error(g));
    struct kernel_units *units = calloc(p->plan.steps, sizeof *units);
    assert_int_equal(cr_text_new(&text, NULL), CR_OK);
    assert_int_equal(emit_kernels(text, &p->plan, p->loop, units, &(struct kernel_wish){.products = true}),
                     CR_OK);
    for (size_t s = 0; s < p->plan.steps; s++) assert_true(units[s].made);
    assert_null(strstr(cr_text_str(text), "f->step(f->arg"));
    cr_text_clear(text);
    assert_int_equal(emit_kernels(text, &p->plan, p->loop, units, &(struct kernel_wish){.products = false}),
                     CR_OK); /* products are a library's */
    assert_non_null(strstr(cr_text_str(text), "f->step(f->arg"));
    free(units);
    cr_text_free(text);
    cr_program_free(p);
    cr_target_free(t);
    cr_graph_free(g);
}

TEST(threads_change_no_bit) {
    (void)state;
    static const char *const texts[] = {
        "tanh(x0)*x1", "sum(exp(x0*0.1)*x1)", "sum(x0*x1 + sin(x1), axis=0)",
        "softmax(x0)", "sum(x0, axis=1)",     "x0*x2 + x1",
    };
    for (int round = 0; round < 2; round++) {
        struct two b;
        cr_context *ctx = NULL;
        assert_int_equal(cr_context_new(&ctx), CR_OK);
        assert_int_equal(cr_context_threads(ctx, 3), CR_OK);
        b = (struct two){.g = cr_graph_new(ctx)};
        b.t = cr_target_new(b.g);
        int64_t dims[] = {round ? 3 : 700, round ? 90000 : 300};
        input(&b, CR_F32, 2, dims, -3, 3);
        input(&b, CR_F32, 2, dims, -3, 3);
        input(&b, CR_F32, 1, dims + 1, -3, 3);
        formulas(&b, texts, sizeof texts / sizeof *texts);
        compare(&b, "cc");
        drop(&b);
        cr_context_free(ctx);
    }
}

/* ---- Random graphs ---- */

static uint32_t below(uint32_t n) {
    state_of_test = state_of_test * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state_of_test >> 33) % n;
}

static cr_node random_step(cr_graph *g, cr_node a, cr_node b) {
    static const int unary[] = {OP_neg, OP_abs,  OP_square,   OP_exp,  OP_tanh, OP_sigmoid,
                                OP_sin, OP_relu, OP_softplus, OP_atan, OP_sign, OP_floor};
    static const int binary[] = {OP_add, OP_sub, OP_mul, OP_maximum, OP_minimum, OP_div, OP_hypot, OP_mod};
    switch (below(8)) {
    case 0: return cr_sum(a, 1, (int[]){-1}, true);
    case 1: return cr_max(a, 1, (int[]){-1}, true);
    case 2: return cr_where(cr_lt(a, b), a, cr_mul(b, cr_number(g, 0.5)));
    case 3:
    case 4: return make_op(g, unary[below(sizeof unary / sizeof *unary)], 0, 1, &a);
    default: return make_op(g, binary[below(sizeof binary / sizeof *binary)], 0, 2, (cr_node[]){a, b});
    }
}

/* A few dozen of them in one program, sharing operands, so that they are fused with each other. */
TEST(random_graphs_give_the_same_bits) {
    (void)state;
    for (int round = 0; round < rounds(1); round++) {
        struct two b;
        start(&b);
        cr_dtype dtype = below(2) ? CR_F64 : CR_F32;
        int64_t rows = 1 + below(70), run = 1 + below(round % 3 ? 50 : 300);
        cr_node pool[40];
        int n = 3;
        pool[0] = input(&b, dtype, 2, (int64_t[]){rows, run}, -2, 2);
        pool[1] = input(&b, dtype, 2, (int64_t[]){rows, 1}, -2, 2);
        pool[2] = input(&b, dtype, 2, (int64_t[]){1, run}, -2, 2);
        for (int i = 0; i < 25; i++) {
            for (n = 3; n < 3 + 2 + (int)below(10); n++)
                pool[n] = random_step(b.g, pool[below((uint32_t)n)], pool[below((uint32_t)n)]);
            output(&b, pool[n - 1]);
            output(&b, cr_sum(pool[n - 1], 0, NULL, false));
            output(&b, cr_sum(pool[n - 1], 1, (int[]){0}, false));
        }
        compare(&b, "cc");
        drop(&b);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(every_elementwise_row_gives_the_bits_of_the_built_in_kernels),
        RUN(casts_between_all_dtypes_give_the_bits_of_the_built_in_kernels),
        RUN(folds_of_every_shape_give_the_bits_of_the_built_in_ones),
        RUN(rows_longer_than_a_block_give_the_bits_of_the_built_in_ones),
        RUN(large_angles_give_the_bits_of_the_built_in_kernels),
        RUN(clang_gives_the_bits_of_the_built_in_ones),
        RUN(axes_that_do_not_run_on_give_the_same_bits),
        RUN(folds_of_lines_shorter_than_the_lanes_give_the_same_bits),
        RUN(extremes_of_long_lines_give_the_same_bits),
        RUN(numbers_beyond_32_bits_are_no_places),
        RUN(sums_over_short_lines_give_the_same_bits),
        RUN(products_and_sums_of_four_numbers_a_line_are_compiled),
        RUN(short_vectors_of_functions_give_the_same_bits),
        RUN(a_short_carry_changes_in_place_in_the_same_bits),
        RUN(steps_that_move_few_numbers_move_the_same),
        RUN(small_products_give_the_bits_of_the_built_in_ones),
        RUN(a_step_of_a_small_net_never_leaves_the_compiled_program),
        RUN(threads_change_no_bit),
        RUN(random_graphs_give_the_same_bits),
    };
    return cmocka_run_group_tests(tests, NULL, temp_remove);
}
