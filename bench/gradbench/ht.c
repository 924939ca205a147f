/* ht: hand tracking. 26 parameters pose a hand of bones, which carries the skin's vertices along; the errors are the distances from
 * measured points to vertices, or ("complicated") to points on triangles, where each has two coordinates of its own to find. That
 * the hand moves as a whole is one bone more, of which each vertex has the weight 1. Bones move points linearly, so a triangle's
 * corners can be posed and the point between them found after, or before: then its places in the frames of the bones, times the
 * bones' weights, are rows of one product with the pose. The Jacobian by the pose is of the second form, dense and made in forward
 * mode; by the coordinates it has a block of 3 by 2 for each point, which two directions of the first show. */
#include "adapter.h"

#include <stdio.h>

/* A bone is turned about x and z; angle says by which parameters, the one behind the last being 0. Levels of the tree of
 * bones follow. */
static const char before[] = "input theta: f64[26]\n"
                             "input base_relatives: f64[bones, 4, 4]\n"
                             "input inverse_base_absolutes: f64[bones, 4, 4]\n"
                             "input base_positions: f64[vertices, 4]\n"
                             "input mirror: f64[3, 1]\n"
                             "input weights: f64[vertices, bones + 1]\n"
                             "input points: f64[measured, 3]\n"
                             "input corner: i64[measured, corners]\n"
                             "input angle: i64[bones, 2]\n"
                             "turns = concat(theta, [0.0], axis=0)[angle]\n"
                             "cosine = cos(turns)\n"
                             "sine = sin(turns)\n"
                             "zero = 0*cosine[:, 0]\n"
                             "cx = cosine[:, 0]; cz = cosine[:, 1]; sx = sine[:, 0]; sz = sine[:, 1]\n"
                             "rows = stack(cz, -sz*cx, sz*sx, zero, sz, cz*cx, -cz*sx, zero,\n"
                             "    zero, sx, cx, zero, zero, zero, zero, zero + 1, axis=1)\n"
                             "relatives = base_relatives @ reshape(rows, [bones, 4, 4])\n";
static const char behind[] =
    "turn = theta[:3]\n"
    "angle2 = sum(turn^2)\n"
    "cross_x = [[0.0, -turn[2], turn[1]], [turn[2], 0.0, -turn[0]], [-turn[1], turn[0], 0.0]]\n"
    "unit = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]\n"
    "outer_turn = turn[:, None]*turn[None]\n"
    "rotation = stumpff(angle2, n=0)*unit + stumpff(angle2, n=1)*cross_x + stumpff(angle2, n=2)*outer_turn\n"
    "transforms = rotation @ (mirror*(absolutes @ inverse_base_absolutes)[:, :3])\n"
    "away = concat(0*rotation, -theta[3:6, None], axis=1)\n"
    "whole = concat(-transforms, away[None], axis=0)\n"
    "posed = reshape(permute(whole, axes=[2, 0, 1]), [4*(bones + 1), 3])\n"
    "by_bone = reshape(permute(whole, axes=[0, 2, 1]), [bones + 1, 12])\n"
    "fn spread(w, x) = w[:, None]*x[:, :, None]\n"
    "fn turned(m, x) = m[:, :3]*x[:, :1] + m[:, 3:6]*x[:, 1:2] + m[:, 6:9]*x[:, 2:3] + m[:, 9:]*x[:, 3:]\n"
    "fn pose(w, x, by_bone) = turned(w @ by_bone, x)\n";

/* Of more corners than vertices, all vertices are posed, and then picked. */
static const char few[] = "fn at(i, weights, x, by_bone) = pose(weights[i], x[i], by_bone)\n";
static const char many[] = "fn at(i, weights, x, by_bone) = pose(weights, x, by_bone)[i]\n";
/* A vertex is its triangle's only corner. */
static const char simple[] = "points + at(corner[:, 0], weights, base_positions, by_bone)\n";
static const char complicated[] = "input us: f64[measured, 2]\n"
                                  "u = variable(us[:, :1])\n"
                                  "v = variable(us[:, 1:])\n"
                                  "a = at(corner[:, 0], weights, base_positions, by_bone)\n"
                                  "b = at(corner[:, 1], weights, base_positions, by_bone)\n"
                                  "c = at(corner[:, 2], weights, base_positions, by_bone)\n"
                                  "err = points + c + (a - c)*u + (b - c)*v\n";

/* The Jacobian: some points at a time, so that their rows and the product stay in a cache. */
static const char by_pose[] =
    "by = permute(jacobian(posed, theta), axes=[0, 2, 1])\n"
    "fn in_blocks(x, blocks) = reshape(x, [blocks, size(x, axis=0)//blocks, size(x, axis=1)])\n"
    "fn by_pose(spread_out, posed, by) {\n"
    "    d = variable(posed)\n"
    "    moved = reshape(spread_out, [size(spread_out, axis=0), size(posed, axis=0)]) @ posed\n"
    "    permute(vmap(jvp(moved, posed, d), d, permute(by, axes=[1, 0, 2])), axes=[1, 2, 0])\n"
    "}\n";
static const char simple_jacobian[] =
    "fn some(corner, posed, by, weights, x) {\n"
    "    i = corner[:, 0]\n"
    "    by_pose(spread(weights[i], x[i]), posed, by)\n"
    "}\n"
    "map(some, in_blocks(corner, blocks), posed=posed, by=by, weights=weights, x=base_positions)\n";
static const char complicated_jacobian[] =
    "fn corners(i, weights, x, u) = spread(weights[i], x[i]*u)\n"
    "fn some(corner, u, v, by_u, by_v, posed, by, weights, x) {\n"
    "    ab = corners(corner[:, 0], weights, x, u) + corners(corner[:, 1], weights, x, v)\n"
    "    rows = ab + corners(corner[:, 2], weights, x, 1 - u - v)\n"
    "    concat(by_u[:, :, None], by_v[:, :, None], by_pose(rows, posed, by), axis=2)\n"
    "}\n"
    "by_u = jvp(err, u, 0*u + 1)\n"
    "by_v = jvp(err, v, 0*v + 1)\n"
    "map(some, in_blocks(corner, blocks), in_blocks(u, blocks), in_blocks(v, blocks),\n"
    "    in_blocks(by_u, blocks), in_blocks(by_v, blocks),\n"
    "    posed=posed, by=by, weights=weights, x=base_positions)\n";

static const json_t *get(const json_t *j, const char *name) { return json_object_get(j, name); }
static int64_t at(const json_t *list, int64_t i) {
    return json_integer_value(json_array_get(list, (size_t)i));
}

/* ---- The tree of bones, as text: each level is a product of its bones' parents with their own ---- */

enum { MOST_BONES = 64 };
struct tree {
    int64_t n, depth, parent[MOST_BONES], level[MOST_BONES], place[MOST_BONES]; /* place: within its level */
};

static bool read_tree(struct tree *t, const json_t *parents) {
    int64_t count[MOST_BONES] = {0};
    t->n = (int64_t)json_array_size(parents);
    t->depth = 0;
    if (t->n < 1 || t->n > MOST_BONES) return false;
    for (int64_t i = 0; i < t->n; i++) {
        t->parent[i] = at(parents, i);
        if (t->parent[i] < -1 || t->parent[i] >= i) return false;
        t->level[i] = t->parent[i] < 0 ? 0 : t->level[t->parent[i]] + 1;
        t->place[i] = count[t->level[i]]++;
        if (t->level[i] >= t->depth) t->depth = t->level[i] + 1;
    }
    return true;
}

static void write_number(cr_text *text, int64_t number, bool first) {
    char word[24];
    snprintf(word, sizeof word, "%s%lld", first ? "" : ", ", (long long)number);
    cr_text_append(text, word);
}

/* "[[3, 4]]": the bones of a level, or where their parents stand in the level above. */
static void write_level(cr_text *text, const struct tree *t, int64_t level, bool parents) {
    bool first = true;
    cr_text_append(text, "[[");
    for (int64_t i = 0; i < t->n; i++) {
        if (t->level[i] != level) continue;
        write_number(text, parents ? t->place[t->parent[i]] : i, first);
        first = false;
    }
    cr_text_append(text, "]]");
}

static void write_tree(cr_text *text, const struct tree *t) {
    int64_t start[MOST_BONES] = {0};
    char line[64];
    for (int64_t k = 0; k < t->depth; k++) {
        snprintf(line, sizeof line, k ? "level%lld = level%lld" : "level%lld = ", (long long)k,
                 (long long)(k - 1));
        cr_text_append(text, line);
        if (k) write_level(text, t, k, true);
        cr_text_append(text, k ? " @ relatives" : "relatives");
        write_level(text, t, k, false);
        cr_text_append(text, "\n");
        for (int64_t i = 0; i < t->n; i++) start[k] += t->level[i] < k;
    }
    cr_text_append(text, "absolutes = concat(");
    for (int64_t k = 0; k < t->depth; k++) {
        snprintf(line, sizeof line, "level%lld, ", (long long)k);
        cr_text_append(text, line);
    }
    cr_text_append(text, "axis=0)[[");
    for (int64_t i = 0; i < t->n; i++) write_number(text, start[t->level[i]] + t->place[i], i == 0);
    cr_text_append(text, "]]\n");
}

/* ---- Data ---- */

/* Bones 2, 3 and 4 of each finger (of four, after the wrist) are bent by a parameter, and the first of these is spread by another. */
static void give_angles(struct problem *p, int64_t bones) {
    int64_t *angle = problem_give(p, "angle", CR_I64, 2, (int64_t[]){bones, 2}), next = 6;
    for (int64_t i = 0; angle && i < 2 * bones; i++) angle[i] = 26;
    for (int64_t bone = 2; angle && bone < 22 && bone + 2 < bones; bone += 4)
        for (int64_t i = 0; i < 3; i++) {
            angle[2 * (bone + i)] = next++;
            if (i == 0) angle[2 * bone + 1] = next++;
        }
}

/* The vertices of a measured point: one, or the three of its triangle. */
static void give_corners(struct problem *p, const json_t *data, bool triangles) {
    const json_t *which = get(data, "correspondences"), *of = get(get(data, "model"), "triangles");
    int64_t n = (int64_t)json_array_size(which), width = triangles ? 3 : 1;
    int64_t *corner = problem_give(p, "corner", CR_I64, 2, (int64_t[]){n, width});
    for (int64_t i = 0; corner && i < n * width; i++) {
        int64_t k = at(which, i / width);
        corner[i] = triangles ? at(json_array_get(of, (size_t)k), i % 3) : k;
    }
}

static void give_arrays(struct problem *p, const json_t *model) {
    static const char *const names[] = {"base_relatives", "inverse_base_absolutes", "base_positions"};
    for (int i = 0; i < 3; i++) problem_take(p, names[i], problem_numbers(p, get(model, names[i]), CR_F64));
    double *mirror = problem_give(p, "mirror", CR_F64, 2, (int64_t[]){3, 1});
    for (int i = 0; mirror && i < 3; i++)
        mirror[i] = i == 0 && json_is_true(get(model, "is_mirrored")) ? -1 : 1;
}

/* Of each vertex, by bones, and 1 of the hand as a whole. */
static bool give_weights(struct problem *p, const json_t *model, int64_t bones) {
    const json_t *rows = get(model, "weights");
    int64_t n = (int64_t)json_array_size(rows);
    double *at = problem_give(p, "weights", CR_F64, 2, (int64_t[]){n, bones + 1});
    for (int64_t i = 0; at && i < n; i++) {
        const json_t *row = json_array_get(rows, (size_t)i);
        if ((int64_t)json_array_size(row) != bones)
            return problem_fail(p, "weights: expected one for each bone");
        for (int64_t k = 0; k < bones; k++) *at++ = json_number_value(json_array_get(row, (size_t)k));
        *at++ = 1;
    }
    return true;
}

/* ---- The problem ---- */

static bool is_many(const json_t *data, bool triangles) {
    return json_array_size(get(data, "points")) * (triangles ? 3 : 1) >
           json_array_size(get(get(data, "model"), "base_positions"));
}

/* So many numbers of f64 are half of a cache of 1 MiB. */
enum { HALF_CACHE = 1 << 16 };

/* Of as many points as rows and answers fill that, such that they divide all; of all, where only few would. */
static void give_blocks(struct problem *p, const json_t *data, int64_t bones) {
    int64_t n = (int64_t)json_array_size(get(data, "points")), most = HALF_CACHE / (4 * (bones + 1) + 3 * 28);
    int64_t block = n < most ? n : most;
    while (block > 1 && n % block) block--;
    problem_size(p, "blocks", 4 * block < most ? 1 : n / block);
}

static cr_node answer(struct problem *p, const json_t *input, int function, bool with_us) {
    const json_t *data = get(input, "data"), *model = get(data, "model");
    struct tree t;
    cr_text *text = NULL;
    if (!read_tree(&t, get(model, "parents")))
        return problem_fail(p, "parents: expected earlier bones"), cr_find(p->g, "");
    give_arrays(p, model);
    if (!give_weights(p, model, t.n)) return cr_find(p->g, "");
    give_angles(p, t.n);
    give_corners(p, data, with_us);
    give_blocks(p, data, t.n);
    problem_take(p, "points", problem_numbers(p, get(data, "points"), CR_F64));
    cr_text_new(&text, NULL);
    cr_text_append(text, before);
    write_tree(text, &t);
    cr_text_append(text, behind);
    cr_text_append(text, is_many(data, with_us) ? many : few);
    cr_text_append(text, with_us ? complicated : simple);
    if (function == 1) {
        cr_text_append(text, by_pose);
        cr_text_append(text, with_us ? complicated_jacobian : simple_jacobian);
    }
    cr_node result = problem_model(p, cr_text_str(text), input);
    cr_text_free(text);
    return result;
}

static bool build(struct problem *p, const json_t *input, int function) {
    bool with_us = json_array_size(get(input, "us")) > 0;
    cr_node y = answer(p, input, function, with_us);
    if (function == 0) return problem_output(p, "output", cr_reshape(y, 1, (int64_t[]){-1}));
    return problem_output(p, "output", cr_reshape(y, 2, (int64_t[]){-1, with_us ? 28 : 26}));
}

const struct eval eval_ht = {"ht", {"objective", "jacobian"}, build, NULL};
