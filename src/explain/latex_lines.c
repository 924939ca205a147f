/* Lines of a LaTeX document broken where they would run over the edge of the paper. */
#include <string.h>

#include "explain/model.h"

enum { line_width = 88 }; /* characters: a line of A4 with margins of 2 cm, set in 10 point */

static size_t command(const char *s) {
    size_t n = 1;
    while ((s[n] | 32) >= 'a' && (s[n] | 32) <= 'z') n++;
    return n;
}

static bool is(const char *s, size_t n, const char *w) { return strlen(w) == n && memcmp(s, w, n) == 0; }

static bool opens(const char *s, size_t n) {
    return is(s, n, "{") || is(s, n, "\\left") || is(s, n, "\\begin");
}
static bool closes(const char *s, size_t n) {
    return is(s, n, "}") || is(s, n, "\\right") || is(s, n, "\\end");
}

static bool may_break(const char *s) {
    return strncmp(s, " = ", 3) == 0 || strncmp(s, " + ", 3) == 0 || strncmp(s, " \\cdot ", 7) == 0;
}

/* How far the piece at s goes, to before the next = + or \cdot outside of braces, \left..\right and \begin..\end; how wide it is, about:
 * a command is one character wide, braces and & are none. */
static size_t piece(const char *s, int *width) {
    size_t n = 0, step;
    int depth = 0;
    for (*width = 0; s[n]; n += step) {
        if (n && depth == 0 && may_break(s + n)) return n;
        step = s[n] == '\\' ? command(s + n) : 1;
        depth += opens(s + n, step) - closes(s + n, step);
        *width += !strchr("{}&", s[n]);
    }
    return n;
}

/* A piece that is too long alone, within one pair of parentheses, is set smaller: from its sign, or the line's first &, on. */
static void set_smaller(struct cr_text *out, const char *s, size_t n) {
    size_t sign = may_break(s) ? 1 + strcspn(s + 1, " ") + 1 : strcspn(s, "&") + 1;
    text_bytes(out, s, sign);
    text_str(out, "\\resizebox{0.8\\textwidth}{!}{$\\displaystyle ");
    text_bytes(out, s + sign, n - sign);
    text_str(out, "$}");
}

void latex_break_line(struct cr_text *out, const char *line) {
    int at = 0, width;
    for (size_t n; *line; line += n, at += width) {
        n = piece(line, &width);
        if (at && at + width > line_width) text_str(out, " \\\\\n  &\\quad"), at = 4;
        if (width > line_width) set_smaller(out, line, n);
        else text_bytes(out, line, n);
    }
}
