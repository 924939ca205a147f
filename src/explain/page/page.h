/* What the parts of a page share: one document that shows, and recomputes, how each gradient came about. */
#ifndef EXPLAIN_PAGE_PAGE_H
#define EXPLAIN_PAGE_PAGE_H

#include "explain/model.h"

/* A picture: the whole (group 0), or one scope. Graphviz lays out each alone; the page puts open ones into
 * their surroundings. */
struct group {
    uint32_t row;    /* the scope's result; of group 0: unused */
    uint32_t parent; /* its surroundings */
    uint32_t items;  /* rows that stand in it, scopes within it counted as one */
    uint32_t left_out;
};

struct page {
    struct explanation *x;
    struct group *group;
    uint32_t groups;
    uint32_t *group_of;   /* by row: the picture it stands in */
    uint32_t *box;        /* by row: 1 + the group it is the result of, or 0 */
    bool *kept;           /* by row: is it on the page? */
    uint32_t *uses;       /* by row: edges that end at it */
    uint32_t *row, *edge; /* those that are on the page: each picture looks at these alone */
    uint32_t kept_rows, kept_edges;
    cr_status status;
};

/* Which rows a page shows, and in which pictures. page_close after either. */
cr_status page_open(struct page *p, struct explanation *x);
void page_close(struct page *p);

/* How a row, an edge is drawn: in points, at the type sizes of page.css, with room for numbers that change. */
struct size {
    int width, height;
};
struct size page_row_size(const struct page *p, uint32_t r);
struct size page_edge_size(const struct page *p, const struct edge *e);
/* Has the edge a box of its own, that shows the local gradient? */
bool page_edge_labelled(const struct page *p, const struct edge *e);

/* Where an edge is drawn, and what stands there for its ends: 'r' a row, 'b' the box of a group, 'p' a row from
 * outside of the picture. False: nowhere. */
struct line {
    uint32_t group;
    char tail, head;
    uint32_t tail_id, head_id;
};
bool page_line(const struct page *p, const struct edge *e, struct line *line);
/* The same within the groups around one end: inward[i] of at most `most`. Gives how many. */
int page_inner_lines(const struct page *p, const struct edge *e, struct line inner[], int most);

/* One graph for each picture and direction, left to right and top down, for `dot -Tplain`. */
void page_dot(struct cr_text *out, const struct page *p);
/* What came back, as JSON. CR_EFORMAT: it is not that. */
cr_status page_layout(struct cr_text *out, const struct page *p, const char *plain);
/* Everything else as JSON: rows, edges, values, and the program that computes them. */
void page_data(struct cr_text *out, const struct page *p, const char *title, const char *layout);

/* From the doctype to <body>. Nothing may be loaded or run but the style, and the script if there is one, that the build made. */
void page_head(struct cr_text *out, const char *title, bool script, const char *more);

/* "..." that may stand within <script>. */
void page_string(struct cr_text *out, const char *s);

/* The program: node ids to places in it. */
struct steps {
    const struct page *p;
    uint32_t *of; /* by node id: 1 + its place; 0: not in it */
    uint32_t n;
    bool live;        /* can be computed in the page */
    const char *why;  /* why not */
    int64_t elements; /* of the forward pass */
    int side;         /* of the pictures of large tensors, so that all of them find room */
};
cr_status page_steps_open(struct steps *s, const struct page *p);
void page_steps_close(struct steps *s);
void page_steps_write(struct cr_text *out, const struct steps *s);

/* A tensor too large to be written out: range, histogram, and a picture of side by side means (0: none). */
enum { page_most_side = 32 };
void page_summary(struct cr_text *out, cr_node x, const void *data, int side);

/* Made by the build from the files beside this one (tools/page_script.c, tools/embed.c). */
struct page_part {
    const unsigned char *text;
    size_t size;
    const char *hash; /* SHA-256 in base64, for the content security policy */
};
extern const struct page_part page_script, page_style;

#endif
