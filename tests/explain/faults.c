/* Faults in the rules, one after the other, and what check says: it must name the op. */
#include "support/test.h"
#include "support/rows.h"

#include "support/faulty_rules.h"

static cr_status checked(const struct row_case *c, cr_text *out) {
    cr_text_clear(out);
    cr_node y = cr_rank(c->y) ? cr_sum(c->y, 0, NULL, false) : c->y;
    bool fraction = cr_dtype_of(y) == CR_F64 && c->n_wrt;
    return fraction ? cr_check(out, c->e, y, c->n_wrt, c->wrt, 1e-6, 1e-8) : CR_OK;
}

/* "WRONG name" in a line, blanks aligned as they may be. */
static bool names(const char *report, const char *op) {
    size_t n = strlen(op);
    for (const char *s = report; (s = strstr(s, "WRONG ")); s++) {
        const char *word = s + 6;
        if (strncmp(word, op, n) == 0 && word[n] == ' ') return true;
    }
    return false;
}

TEST(right_rules_pass) {
    (void)state;
    cr_text *out = NULL;
    struct row_case c;
    assert_int_equal(cr_text_new(&out, NULL), CR_OK);
    for (int op = 1; op < OP_COUNT; op++)
        for (int i = 0; row_case_make(&c, op, i, CR_F64); i++) {
            cr_status s = checked(&c, out);
            if (s && s != CR_ESINGULAR) /* a case of a matrix that has no derivative */
                fail_msg("%s: %s\n%s", c.label, cr_graph_error(c.g) ? cr_graph_error(c.g) : "",
                         cr_text_str(out));
            row_case_free(&c);
        }
    cr_text_free(out);
}

/* Is the fault that is set caught in one of its op's cases? A case that it cannot show in says nothing. */
static bool is_caught(cr_text *out) {
    struct row_case c;
    bool caught = false;
    for (int i = 0; !caught && row_case_make(&c, fault.op, i, CR_F64); i++) {
        caught = checked(&c, out) == CR_EFAIL && names(cr_text_str(out), op_name(fault.op));
        row_case_free(&c);
    }
    return caught;
}

TEST(check_names_the_op_of_every_fault_in_every_row_and_operand) {
    (void)state;
    int injected = 0, caught = 0;
    cr_text *out = NULL;
    assert_int_equal(cr_text_new(&out, NULL), CR_OK);
    while (next_fault()) {
        bool found = is_caught(out);
        if (!fault.met && fault.kind == FAULT_TERM) continue; /* the rule adds nothing */
        injected++, caught += found;
        if (!found)
            print_message("not caught: %s by operand %d, place %d: %s (met %d times)\n%s\n",
                          op_name(fault.op), fault.k, (int)fault.place, fault_name(fault.kind), fault.met,
                          cr_text_str(out));
    }
    print_message("faults injected %d, caught %d\n", injected, caught);
    assert_int_equal(injected, caught);
    cr_text_free(out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(right_rules_pass),
        RUN(check_names_the_op_of_every_fault_in_every_row_and_operand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
