/* ht: hand tracking. 26 parameters pose a hand of bones, which carries the skin's vertices along; the errors are the distances from
 * measured points to vertices, or ("complicated") to points on triangles, where each has two coordinates of its own to find. Bones move
 * points linearly, so a triangle's corners can be posed and the point between them found after, or before: then its places in the frames
 * of the bones, times the bones' weights, are rows of a product with the pose. The Jacobian is made in forward mode, of both forms. By a
 * point's own coordinates, and by how the hand moves as a whole, it is of the first: two directions and six. Fingers bend by parameters of
 * their own, four each, which move no bones but three of theirs: so it is of the second by finger, and four directions that bend all
 * fingers alike show all of it. */
#include "adapter.h"

#include <stdio.h>

/* A bone is turned about x and z; angle says by which of the fingers' parameters, the one behind the last being 0. Levels of the
 * tree of bones follow. */
static const char before[] = "input theta: f64[26]\n"
                             "input base_relatives: f64[bones, 4, 4]\n"
                             "input inverse_base_absolutes: f64[bones, 4, 4]\n"
                             "input base_positions: f64[vertices, 4]\n"
                             "input mirror: f64[3, 1]\n"
                             "input weights: f64[vertices, bones]\n"
                             "input points: f64[measured, 3]\n"
                             "input corner: i64[corners, measured]\n"
                             "input angle: i64[bones, 2]\n"
                             "input order: i64[bones]\n"
                             "bends = variable(theta[6:])\n"
                             "turns = concat(bends, [0.0], axis=0)[angle]\n"
                             "cosine = cos(turns)\n"
                             "sine = sin(turns)\n"
                             "zero = 0*cosine[:, 0]\n"
                             "cx = cosine[:, 0]; cz = cosine[:, 1]; sx = sine[:, 0]; sz = sine[:, 1]\n"
                             "rows = stack(cz, -sz*cx, sz*sx, zero, sz, cz*cx, -cz*sx, zero,\n"
                             "    zero, sx, cx, zero, zero, zero, zero, zero + 1, axis=1)\n"
                             "relatives = base_relatives @ reshape(rows, [bones, 4, 4])\n";
/* The hand as it lies, and how its points move into their errors. Numbers of points stand side by side. */
static const char behind[] =
    "locals = (mirror*(absolutes @ inverse_base_absolutes)[:, :3])[order]\n"
    "whole = variable(theta[:6])\n"
    "turn = whole[:3]\n"
    "angle2 = sum(turn^2)\n"
    "cross_x = [[0.0, -turn[2], turn[1]], [turn[2], 0.0, -turn[0]], [-turn[1], turn[0], 0.0]]\n"
    "unit = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]\n"
    "outer_turn = turn[:, None]*turn[None]\n"
    "rotation = stumpff(angle2, n=0)*unit + stumpff(angle2, n=1)*cross_x + stumpff(angle2, n=2)*outer_turn\n"
    "motion = -concat(rotation, whole[3:, None], axis=1)\n"
    "by_bone = reshape(permute(locals, axes=[2, 1, 0]), [12, bones])\n"
    "fn posed(w, x, by_bone) {\n"
    "    m = by_bone @ permute(w, axes=[1, 0])\n"
    "    m[:3]*x[:, 0][None] + m[3:6]*x[:, 1][None] + m[6:9]*x[:, 2][None] + m[9:]*x[:, 3][None]\n"
    "}\n"
    "fn between(x, u, v) = x[:, 2] + (x[:, 0] - x[:, 2])*u[None] + (x[:, 1] - x[:, 2])*v[None]\n"
    "fn moved(x, motion) = motion[:, :3] @ x + motion[:, 3:]\n"
    "flat = reshape(corner, [corners*measured])\n";

/* Of more corners than vertices, all vertices are posed, and then picked. */
static const char few[] = "at = posed(weights[flat], base_positions[flat], by_bone)\n";
static const char many[] =
    "at = take_along(posed(weights, base_positions, by_bone), expand(flat[None], [3, corners*measured]))\n";

/* A vertex is its triangle's only corner. */
static const char simple[] = "points + permute(moved(at, motion), axes=[1, 0])\n";
static const char complicated[] = "point = between(reshape(at, [3, 3, measured]), us[0], us[1])\n"
                                  "points + permute(moved(point, motion), axes=[1, 0])\n";

/* The Jacobian: some points at a time, so that what is made of them stays in a cache. Its columns are rows there, turned over last. */
static const char jacobian[] =
    "by_whole = permute(jacobian(motion, whole), axes=[2, 0, 1])\n"
    "bent = reshape(motion[:, :3] @ locals[:15], [5, 3, 3, 4])\n"
    "finger = reshape(permute(bent, axes=[0, 2, 1, 3]), [5, 3, 12])\n"
    "seed = variable(bends)\n"
    "each = [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]]\n"
    "by_bend = vmap(jvp(finger, bends, seed), seed, tile(each, [1, 5]))\n"
    "fn in_blocks(x, n) = permute(reshape(x, [size(x, axis=0), n, size(x, axis=1)//n]), axes=[1, 0, 2])\n"
    "fn spread(w, x) = w[:, :, None]*x[:, None]\n"
    "fn columns_of_whole(x, motion, by_whole) {\n"
    "    m = variable(motion)\n"
    "    d = variable(motion)\n"
    "    vmap(jvp(moved(x, m), m, d), d, by_whole)\n"
    "}\n"
    "fn columns_of_bends(rows, finger, by_bend) {\n"
    "    f = variable(finger)\n"
    "    d = variable(finger)\n"
    "    by_finger = permute(reshape(rows, [size(rows, axis=0), 5, 12]), axes=[1, 2, 0])\n"
    "    columns = vmap(jvp(f @ by_finger, f, d), d, by_bend)\n"
    "    reshape(permute(columns, axes=[1, 0, 2, 3]), [20, 3, size(rows, axis=0)])\n"
    "}\n";
static const char simple_jacobian[] =
    "fn some(corner, at, motion, by_whole, finger, by_bend, weights, x) {\n"
    "    rows = spread(weights[corner[0]][:, :15], x[corner[0]])\n"
    "    columns = concat(columns_of_whole(at, motion, by_whole), columns_of_bends(rows, finger, by_bend), "
    "axis=0)\n"
    "    permute(columns, axes=[2, 1, 0])\n"
    "}\n"
    "map(some, in_blocks(corner, blocks), in_blocks(at, blocks), motion=motion, by_whole=by_whole,\n"
    "    finger=finger, by_bend=by_bend, weights=weights, x=base_positions)\n";
static const char complicated_jacobian[] =
    "fn some(corner, at, us, motion, by_whole, finger, by_bend, weights, x) {\n"
    "    u = variable(us[0])\n"
    "    v = variable(us[1])\n"
    "    point = between(reshape(at, [3, 3, size(us, axis=1)]), u, v)\n"
    "    err = moved(point, motion)\n"
    "    w = weights[:, :15][corner]\n"
    "    s = x[corner]*stack(u, v, 1 - u - v, axis=0)[:, :, None]\n"
    "    rows = spread(w[0], s[0]) + spread(w[1], s[1]) + spread(w[2], s[2])\n"
    "    by_u = jvp(err, u, 0*u + 1)\n"
    "    by_v = jvp(err, v, 0*v + 1)\n"
    "    columns = concat(by_u[None], by_v[None], columns_of_whole(point, motion, by_whole),\n"
    "        columns_of_bends(rows, finger, by_bend), axis=0)\n"
    "    permute(columns, axes=[2, 1, 0])\n"
    "}\n"
    "map(some, in_blocks(corner, blocks), in_blocks(reshape(at, [9, measured]), blocks),\n"
    "    in_blocks(us, blocks), motion=motion, by_whole=by_whole, finger=finger, by_bend=by_bend,\n"
    "    weights=weights, x=base_positions)\n";

static const json_t *get(const json_t *j, const char *name) { return json_object_get(j, name); }
static int64_t at(const json_t *list, int64_t i) {
    return json_integer_value(json_array_get(list, (size_t)i));
}

/* ---- The tree of bones, as text: each level is a product of its bones' parents with their own ---- */

/* A wrist, fingers of a bone and three more that bend, and a forearm. */
enum { BONES = 22, BENDING = 15 };

/* Bones that bend, finger by finger, and the others behind them. */
static int64_t bone_at(int64_t i) {
    if (i < BENDING) return 4 * (i / 3) + 2 + i % 3;
    return i == BENDING ? 0 : i == BONES - 1 ? i : 4 * (i - BENDING - 1) + 1;
}

static bool bends(int64_t bone) { return bone > 0 && bone < BONES - 1 && bone % 4 != 1; }

struct tree {
    int64_t depth, parent[BONES], level[BONES], place[BONES]; /* place: within its level */
};

static bool read_tree(struct tree *t, const json_t *parents) {
    int64_t count[BONES] = {0};
    t->depth = 0;
    if (json_array_size(parents) != BONES) return false;
    for (int64_t i = 0; i < BONES; i++) {
        t->parent[i] = at(parents, i);
        if (t->parent[i] < -1 || t->parent[i] >= i) return false;
        if (bends(i) ? t->parent[i] != i - 1 : t->parent[i] >= 0 && bends(t->parent[i])) return false;
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
    for (int64_t i = 0; i < BONES; i++) {
        if (t->level[i] != level) continue;
        write_number(text, parents ? t->place[t->parent[i]] : i, first);
        first = false;
    }
    cr_text_append(text, "]]");
}

static void write_tree(cr_text *text, const struct tree *t) {
    int64_t start[BONES] = {0};
    char line[64];
    for (int64_t k = 0; k < t->depth; k++) {
        snprintf(line, sizeof line, k ? "level%lld = level%lld" : "level%lld = ", (long long)k,
                 (long long)(k - 1));
        cr_text_append(text, line);
        if (k) write_level(text, t, k, true);
        cr_text_append(text, k ? " @ relatives" : "relatives");
        write_level(text, t, k, false);
        cr_text_append(text, "\n");
        for (int64_t i = 0; i < BONES; i++) start[k] += t->level[i] < k;
    }
    cr_text_append(text, "absolutes = concat(");
    for (int64_t k = 0; k < t->depth; k++) {
        snprintf(line, sizeof line, "level%lld, ", (long long)k);
        cr_text_append(text, line);
    }
    cr_text_append(text, "axis=0)[[");
    for (int64_t i = 0; i < BONES; i++) write_number(text, start[t->level[i]] + t->place[i], i == 0);
    cr_text_append(text, "]]\n");
}

/* ---- Data ---- */

/* Of the bones of a finger that bend each has a parameter, and the first of these is spread by another. */
static void give_angles(struct problem *p) {
    int64_t *angle = problem_give(p, "angle", CR_I64, 2, (int64_t[]){BONES, 2}), next = 0;
    for (int64_t i = 0; angle && i < BONES; i++) {
        bool first = bends(i) && i % 4 == 2;
        angle[2 * i] = bends(i) ? next++ : 20;
        angle[2 * i + 1] = first ? next++ : 20;
    }
}

static void give_order(struct problem *p) {
    int64_t *order = problem_give(p, "order", CR_I64, 1, (int64_t[]){BONES});
    for (int64_t i = 0; order && i < BONES; i++) order[i] = bone_at(i);
}

/* The vertices of a measured point: one, or the three of its triangle. */
static void give_corners(struct problem *p, const json_t *data, bool triangles) {
    const json_t *which = get(data, "correspondences"), *of = get(get(data, "model"), "triangles");
    int64_t n = (int64_t)json_array_size(which), corners = triangles ? 3 : 1;
    int64_t *corner = problem_give(p, "corner", CR_I64, 2, (int64_t[]){corners, n});
    for (int64_t i = 0; corner && i < corners * n; i++) {
        int64_t k = at(which, i % n);
        corner[i] = triangles ? at(json_array_get(of, (size_t)k), i / n) : k;
    }
}

static void give_arrays(struct problem *p, const json_t *model) {
    static const char *const names[] = {"base_relatives", "inverse_base_absolutes", "base_positions"};
    for (int i = 0; i < 3; i++) problem_take(p, names[i], problem_numbers(p, get(model, names[i]), CR_F64));
    double *mirror = problem_give(p, "mirror", CR_F64, 2, (int64_t[]){3, 1});
    for (int i = 0; mirror && i < 3; i++)
        mirror[i] = i == 0 && json_is_true(get(model, "is_mirrored")) ? -1 : 1;
}

static double number_at(const json_t *rows, int64_t i, int64_t k) {
    return json_number_value(json_array_get(json_array_get(rows, (size_t)i), (size_t)k));
}

/* Of each vertex, by bones in their order here. */
static bool give_weights(struct problem *p, const json_t *rows) {
    int64_t n = (int64_t)json_array_size(rows);
    double *to = problem_give(p, "weights", CR_F64, 2, (int64_t[]){n, BONES});
    for (int64_t i = 0; to && i < n; i++) {
        if (json_array_size(json_array_get(rows, (size_t)i)) != BONES)
            return problem_fail(p, "weights: expected one for each bone");
        for (int64_t k = 0; k < BONES; k++) *to++ = number_at(rows, i, bone_at(k));
    }
    return true;
}

/* Both coordinates of all points, one after the other. */
static void give_us(struct problem *p, const json_t *us) {
    int64_t n = (int64_t)json_array_size(us);
    double *to = problem_give(p, "us", CR_F64, 2, (int64_t[]){2, n});
    for (int64_t i = 0; to && i < 2 * n; i++) to[i] = number_at(us, i % n, i / n);
}

/* ---- The problem ---- */

static bool is_many(const json_t *data, bool triangles) {
    return json_array_size(get(data, "points")) * (triangles ? 3 : 1) >
           json_array_size(get(get(data, "model"), "base_positions"));
}

/* So many numbers of f64 are half of a cache of 1 MiB; and so many a point has on the way: weights and places of its corners, a row
 * for all fingers, and 28 columns of 3 twice. */
enum { HALF_CACHE = 1 << 16, OF_POINT = 3 * 19 + 60 + 2 * 3 * 28 };

/* Of as many points as fill that, such that they divide all; of all, where only few would. */
static void give_blocks(struct problem *p, const json_t *data) {
    int64_t n = (int64_t)json_array_size(get(data, "points")), most = HALF_CACHE / OF_POINT;
    int64_t block = n < most ? n : most;
    while (block > 1 && n % block) block--;
    problem_size(p, "blocks", 4 * block < most ? 1 : n / block);
}

static cr_node answer(struct problem *p, const json_t *input, int function, bool with_us) {
    const json_t *data = get(input, "data"), *model = get(data, "model");
    struct tree t;
    cr_text *text = NULL;
    if (!read_tree(&t, get(model, "parents")))
        return problem_fail(p, "parents: expected a wrist, five fingers of four bones, and a forearm"),
               cr_find(p->g, "");
    if (!give_weights(p, get(model, "weights"))) return cr_find(p->g, "");
    give_arrays(p, model);
    give_angles(p);
    give_order(p);
    give_corners(p, data, with_us);
    give_blocks(p, data);
    if (with_us) give_us(p, get(input, "us"));
    problem_take(p, "points", problem_numbers(p, get(data, "points"), CR_F64));
    cr_text_new(&text, NULL);
    cr_text_append(text, before);
    write_tree(text, &t);
    cr_text_append(text, behind);
    if (with_us) cr_text_append(text, "input us: f64[2, measured]\n");
    cr_text_append(text, is_many(data, with_us) ? many : few);
    if (function == 1) cr_text_append(text, jacobian);
    if (function == 1) cr_text_append(text, with_us ? complicated_jacobian : simple_jacobian);
    else cr_text_append(text, with_us ? complicated : simple);
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
