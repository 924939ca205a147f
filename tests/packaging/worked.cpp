// The header from C++, with the library's own allocator hook as a C++ function: dloss/dw of (w*x - y)^2 at w = x = 1, y = 2 is -2.
#include <chainrule.h>

#include <cstdio>
#include <cstdlib>
#include <memory>

static void *allocate(void *user, void *ptr, std::size_t, std::size_t size) {
    ++*static_cast<int *>(user);
    if (size) return std::realloc(ptr, size);
    std::free(ptr);
    return nullptr;
}

int main() {
    int calls = 0;
    cr_context *context = nullptr;
    if (cr_context_new_with(&context, allocate, &calls)) return 1;
    {
        std::unique_ptr<cr_graph, decltype(&cr_graph_free)> g(cr_graph_new(context), cr_graph_free);
        cr_node w = cr_input(g.get(), "w", CR_F64, 0, nullptr), dw;
        cr_node loss = cr_formula(g.get(), "(w*1 - 2)^2");
        cr_grad(&dw, loss, 1, &w);
        cr_eval *made = nullptr;
        if (cr_eval_new(&made, g.get(), nullptr)) return 1;
        std::unique_ptr<cr_eval, decltype(&cr_eval_free)> e(made, cr_eval_free);
        const double one = 1;
        cr_eval_set(e.get(), w, CR_F64, &one, sizeof one);
        std::printf("%.17g\n", cr_eval_number(e.get(), dw));
    }
    cr_context_free(context);
    return calls > 0 ? 0 : 1;
}
