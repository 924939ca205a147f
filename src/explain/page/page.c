/* The page: one document that needs nothing else, neither network nor server. */
#include <math.h>
#include <string.h>

#include "explain/page/page.h"

enum { most_rows_as_text = 500 };

static void part(struct cr_text *out, const char *tag, const struct page_part *part) {
    text_add(out, "<%s>", tag);
    text_bytes(out, (const char *)part->text, part->size);
    text_add(out, "</%s>\n", tag);
}

void page_head(struct cr_text *out, const char *title, bool script, const char *more) {
    text_str(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    text_str(out, "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; ");
    if (script) text_add(out, "script-src 'sha256-%s'; ", page_script.hash);
    text_add(out, "style-src 'sha256-%s'; base-uri 'none'; form-action 'none'\">\n", page_style.hash);
    text_str(out, "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>");
    text_markup(out, title, strlen(title));
    text_add(out, "</title>\n%s", more);
    part(out, "style", &page_style);
    text_str(out, "</head>\n<body>\n");
}

/* Without scripts one still reads the four steps. */
static void without_script(struct cr_text *out, const struct explanation *x) {
    struct cr_text t = text_make(&x->mem);
    explain_text(&t, x);
    text_str(out, "<noscript><pre>");
    text_markup(out, cr_text_str(&t), cr_text_size(&t));
    text_str(out, "</pre></noscript>\n");
    out->failed = out->failed || t.failed;
    text_drop(&t);
}

static cr_status write_page(struct cr_text *out, const struct page *p, const char *title, const char *plain) {
    struct cr_text layout = text_make(&p->x->mem);
    cr_status status = page_layout(&layout, p, plain);
    if (!status) {
        page_head(out, title, true, "");
        if (p->x->rows <= most_rows_as_text) without_script(out, p->x);
        text_str(out, "<main id=\"page\"></main>\n<script type=\"application/json\" id=\"data\">");
        page_data(out, p, title, cr_text_str(&layout));
        text_str(out, "</script>\n");
        part(out, "script", &page_script);
        text_str(out, "</body>\n</html>\n");
        status = text_status(out);
    }
    text_drop(&layout);
    return status;
}

void explain_layout(struct cr_text *out, const struct explanation *x) {
    struct page p;
    if (page_open(&p, (struct explanation *)(uintptr_t)x)) out->failed = true; /* labels are only read */
    else page_dot(out, &p);
    page_close(&p);
}

cr_status cr_explain_page(cr_text *out, const char *title, const char *layout, cr_eval *e, cr_node result,
                          int n, const cr_node wrt[], double rate) {
    struct explanation x;
    struct page p;
    if (!out || !layout || !e || n < 0 || (n && !wrt) || !isfinite(rate) || !graph_get(result))
        return CR_EINVAL;
    cr_status status = explanation_make(&x, e, result, n, wrt, rate, false);
    if (!status) {
        status = page_open(&p, &x);
        if (!status) status = write_page(out, &p, title ? title : "", layout);
        page_close(&p);
    }
    explanation_free(&x);
    return status;
}
