/* A program as C. */
#include "emit/emit.h"
#include "run/control.h"

/* What step s runs, as it was compiled. */
struct emit_control control_emit(const void *program, size_t s) {
    const struct control *c = ((const cr_program *)program)->control[s];
    struct emit_control out = {.part = c->part};
    for (int i = 0; i < 2; i++) {
        const struct inner *f = &c->inner[i];
        out.of[i] = (struct emit_function){.f = f->f, .program = f->program, .in = f->in, .out = f->out};
        if (f->program) out.of[i].plan = &f->program->plan, out.of[i].loop = f->program->loop;
    }
    return out;
}

static cr_status write(cr_text *source, cr_text *header, const cr_program *p, struct emit_wish *wish,
                       uint32_t *node, uint32_t *pattern, const char **name, cr_text *why) {
    char sentence[256] = "";
    for (size_t i = 0; i < p->outputs; i++) {
        node[i] = p->output[i].node;
        pattern[i] = p->output[i].pattern;
        name[i] = graph_text(p->g, p->output[i].text);
    }
    wish->output = node;
    wish->output_pattern = pattern;
    wish->output_name = name;
    cr_status status = emit_c(source, header, &p->plan, wish, sentence);
    if (status) cr_text_clear(why);
    if (status && why) text_str(why, *sentence ? sentence : cr_status_text(status));
    return status;
}

cr_status cr_program_emit(cr_text *source, cr_text *header, const cr_program *p, const char *prefix,
                          cr_text *why) {
    if (!source || !header || !p || !prefix) return CR_EINVAL;
    size_t n = p->outputs;
    struct emit_wish wish = {.prefix = prefix, .outputs = n, .program = p, .control = control_emit};
    uint32_t *node = mem_alloc(&p->mem, mem_mul(n, sizeof *node)),
             *pattern = mem_alloc(&p->mem, mem_mul(n, sizeof *pattern));
    const char **name = mem_alloc(&p->mem, mem_mul(n, sizeof *name));
    cr_status status =
        node && pattern && name ? write(source, header, p, &wish, node, pattern, name, why) : CR_ENOMEM;
    mem_free(&p->mem, node, n * sizeof *node);
    mem_free(&p->mem, pattern, n * sizeof *pattern);
    mem_free(&p->mem, name, n * sizeof *name);
    return status;
}

cr_status cr_emit_math(cr_text *header) {
    if (!header) return CR_EINVAL;
    emit_math(header);
    return header->failed ? CR_ENOMEM : CR_OK;
}
