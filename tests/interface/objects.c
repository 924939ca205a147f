/* Every function of the public header but the op builders (builders.c) without the objects that it needs: a status, never a crash. */
#include "support/files.h"
#include "support/refuses.h"

#include <limits.h>

enum { most_called = 306 };
static const char *called[most_called];
static int calls;

static bool is_called(const char *name) {
    for (int i = 0; i < calls; i++)
        if (strcmp(called[i], name) == 0) return true;
    return false;
}

static void call(const char *name) {
    if (is_called(name)) return;
    assert_true(calls < most_called);
    called[calls++] = name;
}

#define REFUSES(function, ...)      (call(#function), refuses(#function, function(__VA_ARGS__)))
#define NO_NODE(function, ...)      (call(#function), assert_false(cr_ok(function(__VA_ARGS__))))
#define GIVES(value, function, ...) (call(#function), assert_true(function(__VA_ARGS__) == (value)))
#define PASSES(function, ...)       (call(#function), (void)function(__VA_ARGS__))

static const cr_node none = {0};

static void graphs(void) {
    PASSES(cr_graph_free, NULL);
    PASSES(cr_graph_clear_error, NULL);
    PASSES(cr_graph_at, NULL, NULL, INT_MIN, INT_MAX);
    PASSES(cr_graph_error, NULL);
    GIVES(CR_ENOMEM, cr_graph_status,
          NULL); /* the only way to have none is that there was no memory for it */
    REFUSES(cr_graph_default_float, NULL, CR_F32);
    GIVES(0, cr_graph_count, NULL);
    GIVES(0, cr_graph_bytes, NULL);
    GIVES(0, cr_graph_mark, NULL);
    REFUSES(cr_graph_cut, NULL, 0);
    REFUSES(cr_scope_enter, NULL, "h");
    REFUSES(cr_scope_leave, NULL);
    NO_NODE(cr_input, NULL, "x", CR_F64, 0, NULL);
    NO_NODE(cr_param, NULL, "x", CR_F64, 0, NULL);
    REFUSES(cr_param_init, none, none);
    REFUSES(cr_param_update, none, none);
    NO_NODE(cr_param_next, none);
    NO_NODE(cr_number, NULL, 1);
    NO_NODE(cr_const, NULL, CR_F64, 0, NULL, NULL);
    NO_NODE(cr_variable, none);
    NO_NODE(cr_named, none, "x");
    NO_NODE(cr_find, NULL, "x");
    NO_NODE(cr_leaf, NULL, 0);
    GIVES(false, cr_ok, none);
    GIVES(0, cr_rank, none);
    PASSES(cr_dims, none);
    GIVES(0, cr_count, none);
    GIVES(CR_F64, cr_dtype_of, none);
    GIVES(NULL, cr_name, none);
    call("cr_op_of");
    assert_string_equal(cr_op_of(none), "error");
    GIVES(0, cr_operand_count, none);
    NO_NODE(cr_operand, none, 0);
    GIVES(true, cr_same, none, none);
    PASSES(cr_position, none, NULL, NULL, NULL);
    NO_NODE(cr_op, NULL, "sin", 1, &none, 0, NULL);
    NO_NODE(cr_formula, NULL, "1");
    NO_NODE(cr_model_formula, NULL, NULL, "1");
    NO_NODE(cr_simplify, none);
    NO_NODE(cr_stable, none);
    REFUSES(cr_grad, NULL, none, 1, NULL);
    REFUSES(cr_vjp, NULL, 1, NULL, NULL, 1, NULL);
    REFUSES(cr_jvp, NULL, 1, NULL, 1, NULL, NULL);
    REFUSES(cr_function_new, NULL, 0, NULL, 0, NULL);
    PASSES(cr_function_free, NULL);
    REFUSES(cr_function_ulps, NULL, 1);
    GIVES(0, cr_function_inputs, NULL);
    GIVES(0, cr_function_outputs, NULL);
    REFUSES(cr_function_ulps, NULL, 1);
    REFUSES(cr_function_callback, NULL, NULL, 0, NULL, 0, NULL, NULL, NULL, NULL, NULL);
    REFUSES(cr_call, NULL, NULL, 0, NULL);
    REFUSES(cr_cond, NULL, none, NULL, NULL, 0, NULL);
    REFUSES(cr_scan, NULL, NULL, 0, false, 0, NULL, 0, NULL, 0, NULL);
    REFUSES(cr_scan_within, NULL, 0, NULL, 0, false, 0, NULL, 0, NULL, 0, NULL);
    REFUSES(cr_map, NULL, NULL, 0, 0, NULL, 0, NULL);
    REFUSES(cr_while, NULL, NULL, NULL, 0, 0, NULL, 0, NULL);
    NO_NODE(cr_implicit, NULL, none, 0, NULL);
    REFUSES(cr_jacobian, NULL, none, 1, NULL, CR_FORWARD);
    REFUSES(cr_hessian, NULL, none, 1, NULL);
    REFUSES(cr_hvp, NULL, none, 1, NULL, NULL);
    REFUSES(cr_vmap, NULL, 1, NULL, 1, NULL, NULL);
    REFUSES(cr_sparse_jacobian, NULL, NULL, none, none);
    REFUSES(cr_sparse_hessian, NULL, NULL, none, none);
    REFUSES(cr_pattern_new, NULL, NULL, 0, 0, NULL, NULL);
    PASSES(cr_pattern_free, NULL);
    GIVES(0, cr_pattern_rows, NULL);
    GIVES(0, cr_pattern_columns, NULL);
    GIVES(0, cr_pattern_count, NULL);
    GIVES(0, cr_pattern_colours, NULL);
    GIVES(NULL, cr_pattern_row_starts, NULL);
    GIVES(NULL, cr_pattern_column_indices, NULL);
    NO_NODE(cr_spmm, NULL, none, none);
    NO_NODE(cr_sparse_values, NULL, none);
    REFUSES(cr_pattern_of, NULL, none);
    REFUSES(cr_program_pattern, NULL, NULL, NULL);
    REFUSES(cr_print, NULL, none);
    REFUSES(cr_print_model, NULL, NULL, (cr_node){NULL, 0, 0});
    REFUSES(cr_print_latex, NULL, none);
    REFUSES(cr_print_model, NULL, NULL, none);
}

static void tables(void) {
    GIVES(NULL, cr_op_name, -1);
    GIVES(NULL, cr_op_help, INT_MAX);
    GIVES(NULL, cr_op_signature, INT_MIN);
    GIVES(NULL, cr_op_kind, 1 << 20);
    REFUSES(cr_op_manual, NULL);
    call("cr_version");
    assert_non_null(strchr(cr_version(), '.'));
    PASSES(cr_status_text, (cr_status)999);
    PASSES(cr_dtype_name, (cr_dtype)99);
    GIVES(0, cr_dtype_size, (cr_dtype)99);
}

static void contexts_and_arrays(void) {
    REFUSES(cr_context_new, NULL);
    REFUSES(cr_context_new_with, NULL, NULL, NULL);
    PASSES(cr_context_free, NULL);
    REFUSES(cr_context_threads, NULL, 1);
    GIVES(1, cr_context_thread_count, NULL);
    REFUSES(cr_context_parallel, NULL, NULL, NULL, 0);
    REFUSES(cr_context_product, NULL, "builtin");
    GIVES(NULL, cr_context_product_name, -1);
    REFUSES(cr_text_new, NULL, NULL);
    PASSES(cr_text_free, NULL);
    call("cr_text_str");
    assert_string_equal(cr_text_str(NULL), "");
    GIVES(0, cr_text_size, NULL);
    PASSES(cr_text_clear, NULL);
    REFUSES(cr_text_append, NULL, "x");
    REFUSES(cr_text_json, NULL, "x");
    REFUSES(cr_array_new, NULL, NULL, CR_F64, 0, NULL);
    PASSES(cr_array_free, NULL);
    GIVES(CR_F64, cr_array_dtype, NULL);
    GIVES(0, cr_array_rank, NULL);
    PASSES(cr_array_dims, NULL);
    GIVES(0, cr_array_count, NULL);
    GIVES(NULL, cr_array_data, NULL);
    GIVES(0, cr_array_bytes, NULL);
    REFUSES(cr_array_cast, NULL, NULL, CR_F64);
    REFUSES(cr_array_print, NULL, NULL, true);
}

static void models(void) {
    REFUSES(cr_model_new, NULL, NULL, 1, NULL, NULL, NULL);
    REFUSES(cr_model_load, NULL, NULL, NULL, NULL);
    PASSES(cr_model_free, NULL);
    GIVES(NULL, cr_model_free_name, NULL, 0);
    REFUSES(cr_model_declare, NULL, NULL, false, CR_F64, 0, NULL);
    REFUSES(cr_model_size, NULL, NULL, 1);
    REFUSES(cr_model_build, NULL, NULL, NULL, NULL);
    GIVES(NULL, cr_model_leaf, NULL, 0, NULL, NULL, NULL);
    PASSES(cr_model_training, NULL, true);
    PASSES(cr_model_optimiser, NULL, NULL);
    REFUSES(cr_context_map_files, NULL, true);
}

static void runs(void) {
    GIVES(NULL, cr_target_new, NULL);
    PASSES(cr_target_free, NULL);
    REFUSES(cr_target_output, NULL, "y", none);
    REFUSES(cr_target_update, NULL, none, none);
    call("cr_options_new");
    PASSES(cr_options_free, NULL);
    REFUSES(cr_options_set, NULL, "fuse", "1");
    REFUSES(cr_compile, NULL, NULL, NULL);
    PASSES(cr_program_free, NULL);
    GIVES(0, cr_program_workspace, NULL);
    GIVES(0, cr_program_steps, NULL);
    GIVES(false, cr_program_compiled, NULL);
    PASSES(cr_program_way, NULL);
    GIVES(NULL, cr_program_input, NULL, 0);
    GIVES(NULL, cr_program_output, NULL, 0);
    REFUSES(cr_program_emit, NULL, NULL, NULL, NULL, NULL);
    REFUSES(cr_emit_math, NULL);
    REFUSES(cr_program_print, NULL, NULL);
    REFUSES(cr_compile_print, NULL, NULL, NULL);
    REFUSES(cr_program_emit, NULL, NULL, NULL, NULL, NULL);
    REFUSES(cr_store_new, NULL, NULL);
    PASSES(cr_store_free, NULL);
    REFUSES(cr_store_set, NULL, "w", CR_F64, NULL, 0);
    REFUSES(cr_store_set_tensor, NULL, "w", CR_F64, 0, NULL, NULL);
    REFUSES(cr_store_array, NULL, NULL, "w");
    REFUSES(cr_store_get, NULL, "w", CR_F64, NULL, 0);
    GIVES(NULL, cr_store_data, NULL, "w", NULL, NULL);
    GIVES(NULL, cr_store_name, NULL, 0);
    GIVES(NULL, cr_store_error, NULL);
    REFUSES(cr_store_init, NULL, NULL, 0);
    REFUSES(cr_run_new, NULL, NULL, NULL, NULL, 0);
    PASSES(cr_run_free, NULL);
    REFUSES(cr_bind, NULL, NULL, CR_F64, NULL, 0);
    REFUSES(cr_bind_tensor, NULL, NULL, NULL);
    REFUSES(cr_run_seed, NULL, 0);
    REFUSES(cr_run_set_step, NULL, 0);
    REFUSES(cr_run_ready, NULL);
    REFUSES(cr_step, NULL);
    GIVES(NULL, cr_run_error, NULL);
}

static void evaluations(void) {
    REFUSES(cr_eval_new, NULL, NULL, NULL);
    PASSES(cr_eval_free, NULL);
    REFUSES(cr_eval_set, NULL, none, CR_F64, NULL, 0);
    REFUSES(cr_eval_value, NULL, none, CR_F64, NULL, 0);
    call("cr_eval_number");
    assert_true(isnan(cr_eval_number(NULL, none)));
    REFUSES(cr_eval_array, NULL, NULL, none);
    REFUSES(cr_eval_option, NULL, "trap_nan", "1");
    REFUSES(cr_eval_all, NULL, 1, NULL);
    GIVES(NULL, cr_eval_error, NULL);
    REFUSES(cr_explain_page, NULL, NULL, NULL, NULL, none, 0, NULL, 0);
    REFUSES(cr_explain, NULL, NULL, NULL, none, 0, NULL, 0, false);
    REFUSES(cr_check, NULL, NULL, none, 0, NULL, 0, 0);
    REFUSES(cr_digits, NULL, NULL, NULL, none, 0, NULL);
    REFUSES(cr_rounding_bound, NULL, NULL, none, 0);
}

static void fits_and_plots(void) {
    REFUSES(cr_fit_new, NULL, none, 0, NULL, NULL);
    PASSES(cr_fit_free, NULL);
    REFUSES(cr_fit_bind, NULL, NULL, CR_F64, NULL, 0);
    REFUSES(cr_fit_set, NULL, NULL, NULL);
    PASSES(cr_fit_progress, NULL, NULL, NULL);
    REFUSES(cr_fit_run, NULL);
    PASSES(cr_fit_loss, NULL);
    PASSES(cr_fit_gradient_norm, NULL);
    GIVES(0, cr_fit_iterations, NULL);
    GIVES(0, cr_fit_evaluations, NULL);
    PASSES(cr_fit_reason, NULL);
    GIVES(NULL, cr_fit_error, NULL);
    REFUSES(cr_fit_fix, NULL, "w", true);
    REFUSES(cr_fit_bounds, NULL, "w", 0, 1);
    REFUSES(cr_fit_sigma, NULL, 1, NULL);
    PASSES(cr_fit_method, NULL);
    GIVES(NULL, cr_fit_warning, NULL);
    GIVES(0, cr_fit_count, NULL);
    REFUSES(cr_fit_label, NULL, NULL, 0);
    PASSES(cr_fit_estimate, NULL, -1);
    PASSES(cr_fit_state, NULL, INT64_MAX);
    PASSES(cr_fit_standard_error, NULL, 0);
    PASSES(cr_fit_covariance, NULL, 0, INT64_MIN);
    PASSES(cr_fit_correlation, NULL, -1, 0);
    REFUSES(cr_fit_interval, NULL, 0, 0.95, NULL, NULL);
    PASSES(cr_fit_quantile, NULL, 0.95);
    PASSES(cr_fit_significance, NULL, 0);
    PASSES(cr_fit_statistic, NULL, NULL);
    GIVES(NULL, cr_fit_residuals, NULL, NULL);
    REFUSES(cr_fit_profile, NULL, 0, 0.95, NULL, NULL);
    REFUSES(cr_fit_predict, NULL, NULL, none, NULL, NULL);
    REFUSES(cr_plot_band, NULL, NULL, 0, NULL, NULL, NULL);
    REFUSES(cr_plot_panel, NULL, "y");
    REFUSES(cr_plot_new, NULL, NULL);
    PASSES(cr_plot_free, NULL);
    REFUSES(cr_plot_labels, NULL, NULL, NULL, NULL);
    REFUSES(cr_plot_add, NULL, NULL, false, 0, NULL, NULL);
    REFUSES(cr_plot_svg, NULL, NULL);
    REFUSES(cr_plot_log, NULL);
    REFUSES(cr_plot_size, NULL, 800, 500);
}

static void trainings(void) {
    REFUSES(cr_minimise, NULL, "sgd", none, 0, NULL);
    REFUSES(cr_optimise, NULL, "sgd", none, none, none, 0, NULL);
    GIVES(NULL, cr_optimiser_name, -1);
    GIVES(NULL, cr_minimiser_name, -1);
    GIVES(NULL, cr_minimiser_help, 99);
    GIVES(NULL, cr_optimiser_help, INT_MAX);
    GIVES(NULL, cr_optimiser_signature, INT_MIN);
    REFUSES(cr_train_new, NULL, NULL, NULL, NULL);
    PASSES(cr_train_free, NULL);
    REFUSES(cr_train_data, NULL, NULL, NULL);
    REFUSES(cr_train_constant, NULL, NULL, NULL);
    PASSES(cr_train_source, NULL, NULL);
    REFUSES(cr_train_windows, NULL, NULL, NULL, 1, 1);
    REFUSES(cr_train_text, NULL, NULL, NULL, 0, 1, 1);
    REFUSES(cr_train_continue, NULL, NULL, NULL, 1, 1, NULL, 0, 0);
    REFUSES(cr_train_set, NULL, NULL, NULL);
    PASSES(cr_train_progress, NULL, NULL, NULL);
    REFUSES(cr_train_run, NULL);
    REFUSES(cr_train_take_best, NULL);
    REFUSES(cr_train_evaluate, NULL);
    REFUSES(cr_train_eval, NULL, NULL, NULL);
    REFUSES(cr_train_predict, NULL, NULL, NULL);
    GIVES(NULL, cr_train_metric, NULL, 0, NULL, NULL);
    GIVES(0, cr_train_epoch, NULL);
    GIVES(false, cr_train_owns, NULL, "w");
    GIVES(false, cr_train_begun, NULL);
    GIVES(0, cr_train_epochs, NULL);
    GIVES(0, cr_train_best_epoch, NULL);
    GIVES(0, cr_train_step, NULL);
    GIVES(0, cr_train_position, NULL);
    GIVES(0, cr_train_observations, NULL, false);
    PASSES(cr_train_reason, NULL);
    PASSES(cr_train_way, NULL);
    GIVES(NULL, cr_train_error, NULL);
    GIVES(NULL, cr_train_gradient, NULL, 0, NULL);
    PASSES(cr_train_last, NULL, 0);
    PASSES(cr_train_rate, NULL);
    REFUSES(cr_report_new, NULL, NULL, NULL, NULL);
    PASSES(cr_report_free, NULL);
    REFUSES(cr_report_step, NULL, NULL, 0);
    REFUSES(cr_report_epoch, NULL, NULL, 0);
    REFUSES(cr_report_page, NULL, NULL, NULL, 0, NULL);
}

static void files(void) {
    REFUSES(cr_idx_load, NULL, NULL, NULL, NULL);
    REFUSES(cr_store_load, NULL, NULL, NULL, NULL);
    REFUSES(cr_store_save, NULL, NULL, NULL, NULL, NULL, NULL);
    REFUSES(cr_npy_load, NULL, NULL, NULL, NULL);
    REFUSES(cr_npy_save, NULL, NULL, NULL);
    REFUSES(cr_csv_load, NULL, NULL, NULL, NULL);
    REFUSES(cr_csv_load_categories, NULL, NULL, 0, NULL, NULL, NULL);
    GIVES(NULL, cr_table_category, NULL, 0, 0);
    REFUSES(cr_data_open, NULL, NULL, 0, NULL, NULL, NULL);
    PASSES(cr_data_free, NULL);
    GIVES(NULL, cr_data_name, NULL, 0);
    GIVES(-1, cr_data_find, NULL, NULL);
    GIVES(NULL, cr_data_category, NULL, 0, 0);
    REFUSES(cr_data_array, NULL, NULL, 0, NULL);
    REFUSES(cr_data_whole, NULL, NULL, NULL);
    PASSES(cr_table_free, NULL);
    GIVES(0, cr_table_rows, NULL);
    GIVES(0, cr_table_columns, NULL);
    GIVES(NULL, cr_table_name, NULL, 0);
    GIVES(NULL, cr_table_column, NULL, 0);
    GIVES(-1, cr_table_find, NULL, NULL);
    REFUSES(cr_file_write, NULL, NULL, 1, NULL, NULL);
}

static bool is_builder(const char *symbol) {
    for (int i = 0; cr_op_name(i); i++)
        if (strcmp(cr_op_name(i), symbol + 3) == 0) return true;
    return false;
}

TEST(every_public_function_takes_nothing_for_an_object) {
    (void)state;
    char symbol[128];
    FILE *f = fopen(TEST_DATA "/../symbols.txt", "r");
    int seen = 0;
    graphs(), tables(), contexts_and_arrays(), models(), runs(), evaluations(), fits_and_plots(), trainings(),
        files();
    assert_non_null(f);
    while (fscanf(f, "%127s", symbol) == 1) {
        if (!is_called(symbol) && !is_builder(symbol) && strcmp(symbol, "cr_graph_new") != 0)
            fail_msg("%s is called by no test here: add it", symbol);
        seen++;
    }
    fclose(f);
    assert_true(seen > calls);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(every_public_function_takes_nothing_for_an_object),
    };
    return cmocka_run_group_tests(tests, NULL, temp_remove);
}
