/* The page of a report: figures, pictures, tables, and how to run it again. It needs nothing else, and no script. */
#include <math.h>
#include <string.h>

#include "explain/page/page.h"
#include "report/report.h"

static void said(struct cr_text *out, const char *s) { text_markup(out, s, strlen(s)); }

static void number(struct cr_text *out, double x, int digits) {
    if (isnan(x)) text_str(out, "–");
    else text_rounded(out, x, digits);
}

/* What differs from run to run stands in <time>. */
static void seconds(struct cr_text *out, double s) {
    text_str(out, "<time>");
    if (s < 1) number(out, 1000 * s, 3), text_str(out, " ms");
    else if (s < 120) number(out, s, 3), text_str(out, " s");
    else text_add(out, "%lld min %lld s", (long long)s / 60, (long long)s % 60);
    text_str(out, "</time>");
}

/* ---- Figures ---- */

static void fact(struct cr_text *out, const char *name, const char *value) {
    text_str(out, "<div><dt>");
    said(out, name);
    text_add(out, "</dt><dd>%s</dd></div>\n", value);
}

static void fact_of_number(struct cr_text *out, const char *name, double x) {
    struct cr_text t = text_make(&out->mem);
    number(&t, x, 4);
    fact(out, name, cr_text_str(&t));
    text_end(&t, out);
}

static void fact_of_time(struct cr_text *out, const char *name, double s) {
    struct cr_text t = text_make(&out->mem);
    seconds(&t, s);
    fact(out, name, cr_text_str(&t));
    text_end(&t, out);
}

static double mean_time(const struct cr_report *r) {
    struct cell all = {0};
    for (int i = 0; i < report_bins_used(r); i++) {
        const struct cell *c = report_cell(r, i, KIND_TIME);
        all.sum += c->sum, all.n += c->n;
    }
    return report_mean(&all);
}

static void facts(struct cr_text *out, const struct cr_report *r, const cr_train *t, double time) {
    struct cr_text s = text_make(&out->mem);
    text_str(out, "<dl class=\"facts\">\n");
    for (int i = 0; i < t->metrics && i < 4; i++) {
        double training, validation;
        const char *name = cr_train_metric(t, i, &training, &validation);
        cr_text_clear(&s), text_add(&s, t->validated && r->epochs ? "%s of the validation" : "%s", name);
        fact_of_number(out, cr_text_str(&s), t->validated && r->epochs ? validation : training);
    }
    cr_text_clear(&s);
    text_add(&s, "%lld of %lld", (long long)t->epoch, (long long)t->epochs);
    fact(out, "epochs", cr_text_str(&s));
    cr_text_clear(&s);
    text_add(&s, "%lld", (long long)t->step);
    fact(out, "steps", cr_text_str(&s));
    if (t->best_epoch) {
        cr_text_clear(&s);
        text_add(&s, "%lld", (long long)t->best_epoch);
        fact(out, "best epoch", cr_text_str(&s));
    }
    if (mean_time(r) >= 0) fact_of_time(out, "a step", mean_time(r));
    fact_of_time(out, "in all", time);
    text_str(out, "</dl>\n");
    text_end(&s, out);
}

/* ---- Tables ---- */

static void table_head(struct cr_text *out, const char *name) {
    text_add(out, "<th scope=\"col\">");
    said(out, name);
    text_str(out, "</th>");
}

static void cell_of(struct cr_text *out, double x) {
    text_str(out, "<td>");
    number(out, x, 6);
    text_str(out, "</td>");
}

static void epoch_row(struct cr_text *out, const struct epoch *e, const cr_train *t) {
    text_add(out, "<tr%s><th scope=\"row\">%lld</th><td>%lld</td>",
             e->epoch == t->best_epoch ? " class=\"best\"" : "", (long long)e->epoch, (long long)e->step);
    for (int i = 0; i < t->metrics; i++) {
        cell_of(out, e->value[i]);
        if (t->validated) cell_of(out, e->validation[i]);
    }
    text_str(out, "<td>");
    seconds(out, e->seconds);
    text_str(out, "</td></tr>\n");
}

static void epochs_table(struct cr_text *out, const struct cr_report *r, const cr_train *t) {
    enum { most = 60 };
    int every = (r->epochs + most - 1) / most;
    if (!r->epochs) return;
    text_str(out, "<h2>By epoch</h2>\n<div class=\"wide\"><table>\n<thead><tr>");
    table_head(out, "epoch"), table_head(out, "step");
    for (int i = 0; i < t->metrics; i++) {
        table_head(out, t->metric[i].name);
        if (t->validated) table_head(out, "of the validation");
    }
    table_head(out, "after");
    text_str(out, "</tr></thead>\n<tbody>\n");
    for (int i = 0; i < r->epochs; i++)
        if ((i + 1) % every == 0 || i == r->epochs - 1 || r->epoch[i].epoch == t->best_epoch)
            epoch_row(out, &r->epoch[i], t);
    text_str(out, "</tbody></table></div>\n");
    if (r->epochs < t->epoch || every > 1)
        text_str(out, "<p class=\"note\">Some epochs are left out; --log has all.</p>\n");
}

static void steps_table(struct cr_text *out, const struct cr_report *r) {
    enum { most = 24 };
    static const struct {
        const char *name;
        int kind;
    } column[] = {{"loss", KIND_METRIC}, {"rate", KIND_RATE}, {"gradient norm", KIND_NORM}};
    int bins = report_bins_used(r), every = (bins + most - 1) / most;
    text_str(out,
             "<details>\n<summary>By step, as a table</summary>\n<div class=\"wide\"><table>\n<thead><tr>");
    table_head(out, "steps");
    for (int k = 0; k < 3; k++) table_head(out, column[k].name);
    table_head(out, "a step");
    text_str(out, "</tr></thead>\n<tbody>\n");
    for (int i = 0; i < bins; i += every) {
        int64_t first = r->before + i * r->width + 1, last = first + r->width - 1;
        text_add(out, "<tr><th scope=\"row\">%lld", (long long)first);
        if (r->width > 1)
            text_add(out, " to %lld", (long long)(last < r->before + r->steps ? last : r->before + r->steps));
        text_str(out, "</th>");
        for (int k = 0; k < 3; k++) cell_of(out, report_mean(report_cell(r, i, column[k].kind)));
        text_str(out, "<td>");
        if (report_cell(r, i, KIND_TIME)->n) seconds(out, report_mean(report_cell(r, i, KIND_TIME)));
        text_str(out, "</td></tr>\n");
    }
    text_str(out, "</tbody></table></div>\n</details>\n");
}

static void extent_row(struct cr_text *out, const char *name, const struct extent *e) {
    text_str(out, "<tr><th scope=\"row\">");
    said(out, name);
    text_str(out, "</th>");
    cell_of(out, e->first), cell_of(out, e->last), cell_of(out, e->low), cell_of(out, e->high);
    text_str(out, "</tr>\n");
}

static void gradients(struct cr_text *out, const struct cr_report *r, const cr_train *t) {
    if (!r->gradients) return;
    text_str(out,
             "<h2>Gradients by parameter</h2>\n<p class=\"note\">The Euclidean norm of each gradient, before "
             "it is clipped.</p>\n<div class=\"columns\">\n");
    report_norm_map(out, r, t);
    text_str(out, "<div class=\"wide\"><table>\n<thead><tr>");
    table_head(out, "parameter"), table_head(out, "first"), table_head(out, "last"), table_head(out, "least"),
        table_head(out, "greatest");
    text_str(out, "</tr></thead>\n<tbody>\n");
    for (int i = 0; i < r->gradients; i++) extent_row(out, cr_train_gradient(t, i, NULL), &r->extent[i]);
    extent_row(out, "all together", &r->extent[r->gradients]);
    text_str(out, "</tbody></table>\n");
    if (r->gradients < t->gradients)
        text_add(out, "<p class=\"note\">%d parameters are left out.</p>\n", t->gradients - r->gradients);
    text_str(out, "</div></div>\n");
}

/* ---- To run it again ---- */

static void again(struct cr_text *out, const struct cr_report *r, const cr_train *t) {
    text_str(out, "<h2>To run it again</h2>\n<pre>");
    text_markup(out, cr_text_str(&r->command), cr_text_size(&r->command));
    text_add(out,
             "</pre>\n<p>Seed %lld; chainrule %s. The same command, data and build give the same bits, for "
             "any number of threads.</p>\n<p>",
             (long long)t->seed, cr_version());
    said(out, t->method);
    text_add(out, ", batches of %lld of %lld observations", (long long)t->batch, (long long)t->trained);
    if (t->validated) text_add(out, ", %lld more for validation", (long long)t->validated);
    text_add(out, "; the best epoch has the %s ", t->best_is_most ? "greatest" : "least");
    said(out, t->best);
    text_str(out, t->shuffle ? ".</p>\n" : "; in the order of the data.</p>\n");
    if (r->steps && r->before)
        text_add(out, "<p>It went on from a checkpoint, at step %lld.</p>\n", (long long)r->before);
}

/* ---- The page ---- */

static void heading(struct cr_text *out, const struct cr_report *r, const cr_train *t, const char *ending) {
    text_str(out, "<header><div><h1>");
    text_markup(out, cr_text_str(&r->title), cr_text_size(&r->title));
    text_str(out, "</h1>\n<p>Training: ");
    if (ending) said(out, ending);
    else
        text_add(out, "in epoch %lld of %lld; this page is written anew as it goes on",
                 (long long)t->epoch + 1, (long long)t->epochs);
    text_str(out, ".</p></div></header>\n");
    if (ending && cr_train_error(t)) {
        text_str(out, "<p class=\"alert\" role=\"alert\">");
        said(out, cr_train_error(t));
        text_str(out, "</p>\n");
    }
}

cr_status cr_report_page(cr_text *out, const cr_report *r, const cr_train *t, double time,
                         const char *ending) {
    if (!out || !r || !t) return CR_EINVAL;
    /* a browser that shows it while it is not complete looks again */
    page_head(out, cr_text_str(&r->title), false,
              ending ? "" : "<meta http-equiv=\"refresh\" content=\"2\">\n");
    text_str(out, "<main class=\"report\">\n");
    heading(out, r, t, ending);
    cr_status status = CR_OK;
    if (r->kinds) {
        facts(out, r, t, time);
        text_str(out, "<div class=\"plots\">\n");
        status = report_plots(out, r, t);
        text_str(out, "<div class=\"times\">\n");
        if (!status) status = report_times(out, r);
        text_str(out, "</div>\n</div>\n");
        gradients(out, r, t);
        epochs_table(out, r, t);
        steps_table(out, r);
    } else text_str(out, "<p>No step was made.</p>\n");
    again(out, r, t);
    text_str(out, "</main>\n</body>\n</html>\n");
    return status ? status : text_status(out);
}
