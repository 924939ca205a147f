/* What the formula language says of mistakes: where, what was expected, what was meant. */
#include "support/test.h"

static void mistake(const char *formula, cr_status status, const char *sentence) {
    cr_graph *g = cr_graph_new(NULL);
    cr_input(g, "x", CR_F64, 0, NULL);
    cr_input(g, "f", CR_F32, 0, NULL);
    cr_input(g, "v", CR_F64, 1, (int64_t[]){3});
    cr_input(g, "c", CR_F64, 2, (int64_t[]){3, 1});
    if (cr_ok(cr_formula(g, formula))) fail_msg("%s is no mistake", formula);
    if (cr_graph_status(g) != status || !strstr(cr_graph_error(g), sentence))
        fail_msg("%s: %d, %s; expected %d, %s", formula, (int)cr_graph_status(g), cr_graph_error(g),
                 (int)status, sentence);
    cr_graph_free(g);
}

TEST(mistakes_say_what_was_meant) {
    (void)state;
    mistake("x**2", CR_ESYNTAX, "1:2: did you mean ^ for a power?\n  x**2\n   ^");
    mistake("x && x", CR_ESYNTAX, "did you mean \"and\"?");
    mistake("x || x", CR_ESYNTAX, "did you mean \"or\"?");
    mistake("!x", CR_ESYNTAX, "did you mean \"not\"?");
    mistake("a = 1; b = 2; a < b < x", CR_ESYNTAX, "1:21: comparisons do not chain: write a < b and b < x");
    mistake("0 < x + 1 <= (2)", CR_ESYNTAX, "write 0 < x + 1 and x + 1 <= (2)");
    mistake("vv", CR_ENAME, "unknown name 'vv': did you mean v?");
    mistake("alpha = 1; alhpa", CR_ENAME, "did you mean alpha?");
    mistake("sni(x)", CR_ENAME, "did you mean sin?");
    mistake("v - c", CR_ESHAPE, "as in y[:, None]");
    mistake("v[3]", CR_EINDEX, "1:3: index 3 is out of range for an axis of size 3");
    mistake("v[-4]", CR_EINDEX, "index -4 is out of range");
    mistake("[x, 2][2]", CR_EINDEX, "index 2 is out of range");
    mistake("v[0, 0]", CR_EAXIS, "more indices than axes: rank 1");
    mistake("v[1.5]", CR_ESYNTAX, "expected an integer");
    mistake("v[::0]", CR_EINVAL, "a step must not be 0");
    mistake("v[x]", CR_EDTYPE, "an index must be an integer");
    mistake("v[..., ...]", CR_EINVAL, "only one '...'");
    mistake("v[]", CR_ESYNTAX, "expected an index");
    mistake("x @ v", CR_ESHAPE, "a scalar operand: use *");
    mistake("2 @ 3", CR_ESHAPE, "a scalar operand: use *");
    mistake("f + x", CR_EDTYPE, "cast(x, f32) or cast(x, f64)");
    mistake("y = 1; y = 2", CR_ENAME, "'y' is bound already: a name is bound once");
    mistake("x = 1", CR_ENAME, "the name 'x' is taken");
    mistake("pi = 3", CR_ENAME, "'pi' is reserved");
    mistake("and = 3", CR_ENAME, "'and' is reserved");
    mistake("f32 = 3", CR_ENAME, "'f32' is reserved");
    mistake("fn f(true) = 1", CR_ENAME, "'true' is reserved");
    mistake("fn f(a, a) = 1", CR_ENAME, "'a' is bound already");
    mistake("fn f(a) = b; 1", CR_ENAME, "unknown name 'b': a function sees its parameters");
    mistake("fn f(a) = f(a); 1", CR_ENAME, "there is no function 'f'");
    mistake("fn f(a) = a; fn f(a) = a; 1", CR_ENAME, "there is a function 'f' already");
    mistake("fn f(a) = a; f()", CR_EINVAL, "f: 'a' is missing");
    mistake("fn f(a) = a; f(1, 2)", CR_EINVAL, "f takes 1 argument, found 2");
    mistake("fn f(a) = a; f(1, a=2)", CR_EINVAL, "f: 'a' is given twice");
    mistake("fn f(a) = a; f(b=1)", CR_EINVAL, "f: 'a' is missing");
    mistake("fn f(a) = a; f(1, b=1)", CR_ENAME, "f has no parameter 'b'");
    mistake("fn f(a) = a @ a; f(x)", CR_ESHAPE, "in f, called in line 1");
    mistake("sum(v, axis=0, axis=0)", CR_ENAME, "'axis' is given twice");
    mistake("sum(v, axis=v)", CR_ESYNTAX, "known before the run");
    mistake("sum(axis=0, v)", CR_ESYNTAX, "an operand stands before the attributes");
    mistake("dropout(v, 0.5)", CR_EDTYPE, "a key is an integer");
    mistake("h = dense(v, 2) + 1", CR_EINVAL, "'dense' is a layer: it stands alone");
    mistake("sum(dense(v, 2))", CR_EINVAL, "'dense' is a layer: it stands alone");
    mistake("h = dense(v[None], 2); k = dense(v[None], 2, like=x)", CR_ENAME,
            "like: 'x' is not the name of a layer");
    mistake("h = dense(v[None], 2); k = dense(v[None], 3, like=h)", CR_ESHAPE,
            "'h.W' is f64[3, 2], f64[3, 3] is needed");
    mistake("9007199254740993", CR_ESYNTAX, "beyond 2^53");
    mistake("x y", CR_ESYNTAX, "a product is written with *");
    mistake("2 (x)", CR_ESYNTAX, "a product is written with *");
    mistake("2x", CR_ESYNTAX, "a product is written with *, as in 2*x");
    mistake("x + not x", CR_ESYNTAX, "write (not ...)");
    mistake("", CR_ESYNTAX, "expected a value");
    mistake("\"text\"", CR_ESYNTAX, "text has no place in a formula");
    mistake("caf\u00e9", CR_ESYNTAX, "1:4: a character that means nothing here: names are made of a-z");
    mistake("x\u00d7x", CR_ESYNTAX, "1:2: did you mean *?\n  x\u00d7x\n   ^");
    mistake("\u00e4 #", CR_ESYNTAX, "1:1: a character that means nothing here");
    mistake("x \xFF", CR_ESYNTAX, "1:3: a byte that is not UTF-8\n  x ?");
    mistake("# \xC0\x80\nx", CR_ESYNTAX, "a byte that is not UTF-8");
    mistake("(x\n+ x\nx", CR_ESYNTAX, "3:1: expected ')' to close the '(' (opened in line 1), found 'x'");
}

TEST(functions_that_multiply_at_each_call_are_refused_in_good_time) {
    (void)state;
    char text[4000] = "fn g0(a) = a + 1; ";
    for (int i = 1; i < 14; i++)
        snprintf(text + strlen(text), 100, "fn g%d(a) = g%d(g%d(g%d(g%d(a)))); ", i, i - 1, i - 1, i - 1,
                 i - 1);
    strcat(text, "g13(1)"); /* 4^13 calls */
    mistake(text, CR_ELIMIT, "functions expand to more than 4194304 words");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(mistakes_say_what_was_meant),
        RUN(functions_that_multiply_at_each_call_are_refused_in_good_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
