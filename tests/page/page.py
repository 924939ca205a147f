#!/usr/bin/env python3
"""The page of `chainrule explain --html` in Chromium: page.py PROGRAM [TEST...]. Each test is a function; its name is a sentence
that is true. What a page should say is from the worked example by hand, or from `chainrule explain --json`."""
import json
import math
import os
import struct
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools"))
from browser import Browser  # noqa: E402

PROGRAM = os.path.abspath(sys.argv[1])
LOSS = ["loss = (w*x - y)^2", "w=1", "x=1", "y=2", "--wrt", "w"]
MLP = """input x: f64[6, 4]
input y: i64[6]
h1 = dense(x, 8)
a1 = relu(h1)
h2 = dense(a1, 5)
a2 = tanh(h2)
logits = dense(a2, 3)
loss = mean(cross_entropy(logits, y))
"""
MLP_DATA = ["x=[[1,2,3,4],[0,-1,2,1],[2,2,-3,1],[1,0,0,1],[0.5,0.2,1,-1],[-1,-2,1,2]]", "y=[0,1,2,1,0,2]"]


def explain(folder, arguments, name="page.html"):
    """The page's address; and what was found wrong with the program's exit."""
    path = os.path.join(folder, name)
    subprocess.run([PROGRAM, "explain", *arguments, "--html", path], check=True, cwd=folder, timeout=300)
    return path


def model(folder, text, name="model.cr"):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return path


def told(folder, arguments):
    return json.loads(subprocess.run([PROGRAM, "explain", *arguments, "--json"], check=True, cwd=folder, capture_output=True, timeout=300).stdout)


def equal(found, expected, what=""):
    assert found == expected, f"{what}: found {found!r}, expected {expected!r}"


def every_sentence_of_the_worked_example_is_read(b, folder):
    expected = [
        "w = 1, x = 1, y = 2",
        "n1 = w*x = 1*1 = 1",
        "n2 = n1 - y = 1 - 2 = -1",
        "loss = n2^2 = (-1)^2 = 1",
        "∂loss/∂n2 = 2*n2 = 2*(-1) = -2",
        "∂n2/∂n1 = 1",
        "∂n1/∂w = x = 1",
        "dloss/dloss = 1",
        "dloss/dn2 = ∂loss/∂n2 = -2",
        "dloss/dn1 = dloss/dn2 * ∂n2/∂n1 = -2 * 1 = -2",
        "dloss/dw = dloss/dn1 * ∂n1/∂w = -2 * 1 = -2",
        "w ← w - 0.1 * dloss/dw = 1 - 0.1 * (-2) = 1.2",
    ]
    b.open("file://" + explain(folder, LOSS))
    b.key("home")
    for i, sentence in enumerate(expected):
        equal(b.text("#sentence"), sentence, f"step {i + 1}")
        b.key("right")
    equal(b.text("#sentence"), expected[-1], "after the last step")
    for sentence in reversed(expected[:-1]):
        b.key("left")
        equal(b.text("#sentence"), sentence, "backwards")
    b.click('[data-step="4"]')
    equal(b.text("#sentence"), expected[4], "jumped in")
    equal(b.run("return [...document.querySelectorAll('.node.lit .name')].map(e => e.textContent)"), ["n2", "loss"], "lit nodes")
    equal(b.run("return document.querySelectorAll('.line.lit').length"), 2, "lit lines: to the local gradient and from it")


def a_number_changed_changes_everything_at_once(b, folder):
    b.open("file://" + explain(folder, LOSS))
    b.write('[data-name="w"]', "3")
    # s = 3*1 - 2 = 1, loss = 1, dloss/dw = 2*s*x = 2
    equal(b.run("return walk.steps.map(s => s.say()).slice(-2)"),
          ["dloss/dw = dloss/dn1 * ∂n1/∂w = 2 * 1 = 2", "w ← w - 0.1 * dloss/dw = 3 - 0.1 * 2 = 2.8"])
    equal(b.run("return document.querySelector('[data-id=\"r0\"] .slope').textContent"), "dloss/dw = 2", "in the picture")
    equal(b.run("return [...document.querySelectorAll('#nodes tr')].find(r => r.cells[0].textContent === 'w').cells[4].textContent"), "2", "in the table")
    b.write("#rate", "1")
    b.click("#descend")
    # w = 3 - 1*2 = 1: over the valley and up the other side, for ever.
    equal(b.run("return value[rows.get(0).value][0]"), 1)
    b.click("#descend")
    assert "does not fall" in b.text("#story"), b.text("#story")
    b.click("#reset")
    equal(b.text("#story"), "To first order one step changes loss by -0.4; in truth at learning rate 0.1 loss goes from 1 to 0.64.")
    b.click("#descend10")
    # w - 2 shrinks by 1 - 2*0.1 = 0.8 a step: loss = 0.8^20
    found = b.run("return lossNow()")
    assert abs(found - 0.8 ** 20) < 1e-15, found
    b.write('[data-name="w"]', "no number")
    equal(b.run("return document.querySelector('[data-name=\"w\"]').hasAttribute('aria-invalid')"), True, "what is no number is marked")


def a_node_used_twice_shows_the_sum_and_every_path(b, folder):
    b.open("file://" + explain(folder, ["loss = (w + 1)*(w + 2)*w", "w=3"]))
    # loss = 60: dloss/dw = 5*3 + 4*3 + 20 = 47
    b.click('[data-id="r0"]')
    equal(b.text("#paths h3"), "All 3 paths from loss to w")
    products = sorted(int(s.split("= ")[-1]) for s in b.run("return [...document.querySelectorAll('#paths li')].map(e => e.textContent)"))
    equal(products, [12, 15, 20])
    assert b.text("#paths p").endswith("= 47"), b.text("#paths p")
    b.run("go(walk.steps.findIndex(s => s.pass === 3 && s.rows[0] === 0))")
    equal(b.text("#step-note"), "w is used 3 times: what each use hands back is added.")
    assert b.text("#sentence").endswith("= 47"), b.text("#sentence")


def scopes_fold_and_open(b, folder):
    b.open("file://" + explain(folder, [model(folder, MLP), *MLP_DATA]))
    names = "return [...document.querySelectorAll('.node .name')].map(e => e.textContent)"
    before = b.run(names)
    assert "h1" in before and "h1.W" not in before, before
    b.run("document.querySelector('.scope .name').parentElement.parentElement.dispatchEvent(new MouseEvent('click', {bubbles: true}))")
    opened = b.run(names)
    new = set(opened) - set(before)
    assert any(n.endswith(".W") for n in new) and any(n.endswith(".b") for n in new), new
    no_overlap(b, "one scope open")
    b.run("document.querySelector('.fold').dispatchEvent(new MouseEvent('click', {bubbles: true}))")
    equal(sorted(b.run(names)), sorted(before), "folded again")
    b.key("o")
    assert {"h1.W", "h2.b", "logits.W"} <= set(b.run(names)), "all open"
    no_overlap(b, "all open")
    b.key("o")
    b.write("#search", "h2.W")
    assert "h2.W" in b.run(names), "what is found is opened"
    equal(b.text("#detail h2"), "h2.W")


def no_overlap(b, what):
    """Nodes, local gradients and names from outside stand clear of each other, and words within their boxes."""
    wrong = b.run("""
        const boxes = [...picture.items.values()].map(i => [i.node.id, i.node.x - i.node.w / 2, i.node.y - i.node.h / 2, i.node.x + i.node.w / 2, i.node.y + i.node.h / 2]), out = [];
        boxes.forEach((a, i) => boxes.slice(i + 1).forEach(c => { if (a[1] < c[3] && c[1] < a[3] && a[2] < c[4] && c[2] < a[4]) out.push([a, c]); }));
        for (const i of picture.items.values()) for (const t of i.element.querySelectorAll("text")) {
          const r = t.getBBox();
          if (r.width > i.node.w + 1 || r.y < -i.node.h / 2 - 1 || r.y + r.height > i.node.h / 2 + 2) out.push([i.node.id, t.textContent, r.width, i.node.w, r.y, r.height]);
        }
        return out;""")
    equal(wrong, [], f"{what}: what overlaps or is cut")


def nothing_overlaps_or_is_cut_on_a_screen_or_a_phone(b, folder):
    pages = [explain(folder, LOSS, "a.html"), explain(folder, [model(folder, MLP), *MLP_DATA], "b.html"),
             explain(folder, ["loss = 1e-30*(w - 123456.789)^3 + sum([w, -1.234567e-5*w, w])^2", "w=-1.23456789e-7"], "c.html")]
    for page in pages:
        for width, height in (1280, 800), (390, 844):
            b.size(width, height)
            b.open("file://" + page)
            no_overlap(b, f"{page} at {width}")
            wide = b.run("return [...document.querySelectorAll('main > *, .bar, button, input, h1, .sentence')].filter(e => { const r = e.getBoundingClientRect(); "
                         "return r.right > innerWidth + 1 && !e.closest('.wide, #parameters'); }).map(e => e.outerHTML.slice(0, 80))")
            equal(wide, [], f"{page} at {width}: what reaches over the edge")
            equal(b.run("return document.documentElement.scrollWidth <= innerWidth"), True, f"{page} at {width}: no scrolling sideways")
    b.size(1280, 800)


def nothing_is_loaded_and_nothing_foreign_runs(b, folder):
    page = explain(folder, ["loss = (w*x - y)^2 # </title></script><script>window.owned = 1</script>", *LOSS[1:]])
    b.requests()
    b.open("file://" + page)
    equal(b.run("return window.owned ?? null"), None, "a script in the title")
    equal([u for u in b.requests() if not u.startswith("file:///")], [], "requests")
    with open(page, encoding="utf-8") as f:
        text = f.read()
    bad = os.path.join(folder, "bad.html")
    with open(bad, "w", encoding="utf-8") as f:
        f.write(text.replace("</body>", "<script>window.owned = 2</script><img src='x.png' onerror='window.owned = 3'></body>"))
    b.console()
    b.open("file://" + bad)
    equal(b.run("return window.owned ?? null"), None, "a script that the build did not make")
    assert any("Content Security Policy" in line for line in b.console())


UNARY = """abs sign floor ceil round trunc square exp exp2 expm1 sin cos tan asin acos atan sinh cosh tanh asinh atanh sigmoid softplus relu
    erf erfinv isnan isinf neg""".split()  # fmt: skip
POSITIVE = "erfc recip sqrt rsqrt log log2 log10 log1p lgamma".split()
BINARY = "add sub mul div maximum minimum atan2 hypot fmod mod floordiv".split()


def every_op():
    """Expressions in which every function of the page is used."""
    expressions = []
    say = expressions.append
    flag = lambda expression: say(f"where({expression}, x, -2*z)")
    for op in UNARY:
        (flag if op in ("isnan", "isinf") else say)(f"{op}(x)")
        if op not in ("asin", "acos", "atanh", "erfinv"):
            (flag if op in ("isnan", "isinf") else say)(f"{op}(9*x - 3)")
    for op in POSITIVE:
        say(f"{op}(z)")
        say(f"{op}(8*z)")
    say("acosh(1 + z)")
    for op in BINARY:
        say(f"{op}(x, z)")
        say(f"{op}(z, 3*x)")
    for op in "lt le eq ne".split():
        flag(f"{op}(x, z)")
    say("pow(z, x)")
    for op in "and or xor".split():
        flag(f"{op}(x < z, x > 0.1)")
    flag("not(x < z)")
    for n in (-3, 2, 7):
        say(f"powi(z, {n})")
    for n in (0, 1, 4):
        say(f"polygamma(z, n={n})")
        say(f"polygamma(12*z, n={n})")
    for n in (0, 1, 3):
        say(f"stumpff(20*x, n={n})")
    for op in "sum prod max min".split():
        say(f"{op}(m)")
        say(f"{op}(m*m, axis=0)")
        say(f"{op}(m, axis=-1, keep=true)")
    for reverse in "false", "true":
        say(f"cumsum(m, axis=0, reverse={reverse})")
        say(f"cumprod(m, axis=1, reverse={reverse})")
        say(f"recur(m, 2*m, axis=1, reverse={reverse})")
    for view in ["t(m)", "reshape(m, shape=[3, 2])", "m[:, ::-1]", "m[1, 0:2]", "pad(m, [1, 0], [0, 2])", "flip(m)", "diag(x)", "concat(m, m*2, axis=1)", "concat(m, m*m, axis=0)"]:
        say(view)
    for window in "size=2", "size=2, stride=2", "size=2, dilation=2":
        say(f"window(x, {window})")
    say("window(m, size=[2, 2])")
    say("window_add(window(x, size=3), size=6)")
    say("m @ t(m)")
    say("t(m) @ [1, 2]")
    say("stack(m, 2*m) @ stack(t(m), t(m*m))")
    say("x[i] * sum(m)")
    say("scatter_add(m[0], i, 6)")
    say("gather(stack(x, z), stack(i, j), batch=1)")
    say("softmax(m)")
    say("layer_norm(m, [1, 2, 3], [0, 1, 0])")
    say("cross_entropy(t(m), [0, 1, 1])")
    say("stop_gradient(x)*x")
    say("cast(cast(9*x, i64), f64) * x")
    say("cast(floor(4*x), i64) // 2 + sum(x)")
    say("cast(cast(x, f32), f64)")
    say("cast(cast(x > 0.2, bool), f64)*x")
    say("where(cast(floor(3*x), bool), x, z)")
    return expressions


def model_of(expressions):
    lines = ["input x: f64[6]", "input z: f64[6]", "input m: f64[2, 3]", "input i: i64[3]", "input j: i64[3]"]
    lines += [f"v{k} = {e}" for k, e in enumerate(expressions)]
    lines.append("loss = " + " + ".join(f"sum(v{k}*v{k})" for k in range(len(expressions))) + " + sum(x) + sum(z) + sum(m)")
    return "\n".join(lines) + "\n"


POINTS = [{"x": [0.1, 0.25, 0.37, 0.5, 0.66, 0.9], "z": [0.3, 0.72, 1.1, 1.9, 2.4, 0.5], "m": [[0.5, -1.25, 2], [0.3, 1.5, -0.7]]},
          {"x": [0.8, 0.15, 0.42, 0.29, 0.71, 0.33], "z": [2.2, 0.31, 0.9, 1.4, 0.66, 1.05], "m": [[-0.4, 0.75, 1], [2.5, -1.5, 0.9]]}]


def flat(v):
    return [w for u in v for w in flat(u)] if isinstance(v, list) else [float(v)]


SET = """for (const [name, v] of Object.entries(arguments[0])) value[[...rows.values()].find(r => r.name === name).value].set([v].flat(2));
    changed();
    return [...rows.values()].map(r => [r.id, [r.value, r.slope].map(p => p === undefined ? null : Array.from(value[p], String)), [r.value, r.slope].map(p => p !== undefined && program[p].t)]);"""


def compare(mine, theirs, dtype, what):
    """The greatest relative difference. Sums of many terms differ by their order: against the largest element then. An f32 is
    printed with the digits that read back the same f32."""
    worst, scale = 0, max([abs(v) for v in flat(theirs) if math.isfinite(v)] or [0])
    for u, v in zip([float(s.replace("Infinity", "inf")) for s in mine], flat(theirs), strict=True):
        v = struct.unpack("f", struct.pack("f", v))[0] if dtype == "f32" else v
        same = u == v or (math.isnan(u) and math.isnan(v))
        error = 0 if same else abs(u - v) / max(abs(v), 1e-3 * scale)
        worst = max(worst, error)
        assert error <= 1e-12, f"{what}: page {u!r}, program {v!r}"
    return worst


def the_page_computes_what_the_program_computes(b, folder):
    expressions, used, compared, worst = every_op(), set(), 0, 0
    for first in range(0, len(expressions), 40):
        path = model(folder, model_of(expressions[first:first + 40]))
        given = lambda p: [f"{k}={json.dumps(v)}" for k, v in p.items()] + ["i=[3,0,3]", "j=[5,1,2]", "--wrt", "x,z,m"]
        b.open("file://" + explain(folder, [path, *given(POINTS[0])]))
        equal(b.run("return [data.live, data.nodes - rows.size]"), [True, 0], "live, and nothing left out")
        equal(b.text("#alert"), "", "the page agrees with what was recorded")
        used |= set(b.run("return program.flatMap(n => n.run || []).map(l => l.f)"))
        for point in POINTS:
            expected = told(folder, [path, *given(point)])["nodes"]
            for row, numbers, dtypes in b.run(SET, point):
                for mine, theirs, dtype in zip(numbers, (expected[row]["value"], expected[row]["cotangent"]), dtypes):
                    if mine is not None and theirs is not None:
                        compared += 1
                        worst = max(worst, compare(mine, theirs, dtype, f"{expected[row]['name']} = {expected[row]['formula']}"))
    equal(set(b.run("return Object.keys(ops)")) - used, set(), "functions that these models do not use")
    print(f"  {compared} tensors, worst relative difference {worst:.2g}")
    assert compared > 1000, compared


def a_nan_is_traced_to_where_it_arises(b, folder):
    b.open("file://" + explain(folder, ["r = w - 3; l = log(r); loss = l^2 + w", "w=1"]))
    equal(b.text("#alert"), "l = log(r) is nan because r = w - 3 = -2 (line 1, column 16).")
    begins = "return [...document.querySelectorAll('#graph .node')].map(e => [e.querySelector('.name').textContent, e.classList.contains('origin'), e.classList.contains('bad'), e.querySelector('.tag').textContent])"
    equal(b.run(begins), [["w", False, False, "parameter"], ["r", False, False, "sub"], ["l", True, True, "nan begins here"], ["n1", False, True, "square"], ["loss", False, True, "loss: add"]])
    b.write('[data-name="w"]', "4")
    equal(b.run("return document.getElementById('alert').hidden"), True)


def above_the_fold(b, css):
    return b.run("return document.querySelector(arguments[0]).getBoundingClientRect().bottom <= innerHeight", css)


def five_questions_are_answered_without_a_click(b, folder):
    """By hand: dloss/dw = 2*(1*1 - 2)*1*1 = -2; w - 0.1*-2 = 1.2 gives (1.2 - 2)^2 = 0.64; w - 1*-2 = 3 gives (3 - 2)^2 = 1."""
    b.open("file://" + explain(folder, LOSS))
    equal(b.run("return [...document.querySelectorAll('#findings p')].map(p => [...p.children].map(e => e.textContent).join(': '))"),
          ["Value: loss = 1.", "Why: dloss/dw = ∂loss/∂n2 * ∂n2/∂n1 * ∂n1/∂w = -2 * 1 * 1 = -2",
           "One step: At learning rate 0.1 loss goes from 1 to 0.64; at learning rate 1 loss goes from 1 to 1, no lower: the step leaps over the valley to the other side."])
    assert above_the_fold(b, "#findings") and above_the_fold(b, "#graph")
    b.open("file://" + explain(folder, ["loss = (w*x - y)^2 + 0.5*(v - 1)^2", "w=1", "x=1", "y=2", "v=4", "--wrt", "w,v"]))
    equal(b.run("return document.querySelector('#findings p').textContent"), "Valueloss = 5.5. v moves it most: its gradient is 3.", "0.5*3^2 + 1, and v - 1")
    # Two of three elements, and nan where they are: log of what is below 0.
    b.open("file://" + explain(folder, ["l = log(r - 1); loss = sum(l)", "r=[0.5,2,-1]"]))
    equal(b.text("#alert"), "l = log(n1) is nan at [0] and 1 more of 3 elements, because n1[0] = -0.5 with n1 = r - 1 (line 1, column 5).")
    # A fit to data is no net: its numbers have units of their own.
    b.open("file://" + explain(folder, ["loss = sum((a*[1e6, 2e6, 3e6] + b - [1, 2, 4])^2)", "a=0", "b=0"]))
    assert "explodes" not in b.text("main") and "dead" not in b.text("#findings"), b.text("#findings")
    # d sqrt(x)/dx at 0 is infinite, and 0 times that no number.
    b.open("file://" + explain(folder, ["s = sqrt(x); loss = s^2", "x=0"]))
    equal(b.text("#alert"), "The values are numbers, but a gradient is not: dloss/dx = dloss/ds * ∂s/∂x = 0 * inf = nan, because ∂s/∂x = 0.5/s = 0.5/0 = inf.")


def rms(tensors):
    numbers = [v for t in tensors for v in flat(t)]
    return math.sqrt(sum(v * v for v in numbers) / len(numbers))


def layers_whose_gradient_vanishes_or_explodes_are_named(b, folder):
    head, data = "input x: f64[4, 6]\nh0 = 1*x\n", ["x=[[1,2,3,4,5,6],[0,-1,2,1,2,3],[2,2,-3,1,1,1],[1,0,0,1,0,1]]"]
    for word, f, beyond in ("vanishes", "sigmoid(z{})", lambda g, later: g < 1e-3 * max(later)), ("explodes", "sin(99*z{})", lambda g, later: g > 1e3 * min(later)):
        text = head + "".join(f"z{i + 1} = dense(h{i}, 6)\nh{i + 1} = {f.format(i + 1)}\n" for i in range(8)) + "loss = mean(h8^2)\n"
        arguments = [model(folder, text), *data]
        gradients = told(folder, arguments)["gradients"]
        g = [rms([gradients[f"z{i}.W"], gradients[f"z{i}.b"]]) for i in range(1, 9)]
        wrong = [i + 1 for i in range(7) if beyond(g[i], g[i + 1:])]
        assert wrong and wrong == list(range(1, len(wrong) + 1)), (word, g)
        names = f"layers z1 to z{wrong[-1]}" if len(wrong) > 3 else ("layers " if len(wrong) > 1 else "layer ") + ", ".join(f"z{i}" for i in wrong)
        b.open("file://" + explain(folder, arguments))
        assert f"It {word} in {names} (at z1 it is " in b.text("#findings"), (b.text("#findings"), names)
        assert above_the_fold(b, "#findings") and above_the_fold(b, "#graph")
        row = b.run("return [...document.querySelectorAll('#layers tbody tr')].find(r => r.cells[0].textContent === 'z1.W').cells[8].textContent")
        equal(row, word, "in the table")


def a_wide_picture_is_cut_into_lines_or_tells_that_it_goes_on(b, folder):
    sides = "return [...document.querySelectorAll('.more')].filter(e => !e.hidden).map(e => e.className.split(' ')[1])"
    b.open("file://" + explain(folder, ["r = a - b; l = log(r); m = l*a; loss = m^2 + a + b", "a=3", "b=1"]))
    equal(b.run("return [picture.bands.length > 1, picture.direction]"), [True, 0])
    equal(b.run(sides), [], "all of it is seen")
    no_overlap(b, "cut into lines")
    lines = b.run("return picture.bands.map(b => [Math.min(...b.nodes.map(n => n.y - n.h / 2)), Math.max(...b.nodes.map(n => n.y + n.h / 2))])")
    assert all(a[1] < c[0] for a, c in zip(lines, lines[1:])), lines
    b.open("file://" + explain(folder, ["loss = " + " + ".join(f"(w{i}*{i} - 1)^2" for i in range(12)), *[f"w{i}=1" for i in range(12)]]))
    equal(b.run(sides), ["right"], "a large one goes on")
    before = b.run("return picture.view")
    b.click(".more.right")
    assert b.run("return picture.view.x") > before["x"] and "left" in b.run(sides), b.run(sides)
    b.key("0")
    equal(b.run(sides), [], "all of it")


def keys_zoom_turn_find_and_descend(b, folder):
    b.open("file://" + explain(folder, LOSS))
    width = b.run("return picture.view.w")
    b.key("+")
    near = b.run("return picture.view")
    assert abs(near["w"] * 1.25 - width) < 1e-9, (near, width)
    b.key("-")
    assert abs(b.run("return picture.view.w") - near["w"] / 0.8) < 1e-9
    b.key("0")
    whole = b.run("return [picture.whole, picture.view]")
    assert whole[1]["w"] >= whole[0]["w"] - 1e-6 and whole[1]["h"] >= whole[0]["h"] - 1, whole
    b.key("t")
    equal(b.run("return [picture.direction, picture.whole.h > picture.whole.w]"), [1, True], "turned: top down")
    b.key("t")
    equal(b.run("return picture.direction"), 0)
    b.key("d")
    equal(b.run("return [state.history.length, value[rows.get(0).value][0]]"), [2, 1.2], "a step of descent")
    b.key("/")
    equal(b.run("return document.activeElement.id"), "search")
    equal(b.run("document.activeElement.blur(); play(); return walk.timer !== 0"), True)
    b.key(" ")
    equal(b.run("return walk.timer"), 0, "space stops it")


def dragging_moves_the_picture_and_the_wheel_zooms_where_the_mouse_is(b, folder):
    b.open("file://" + explain(folder, LOSS))
    box = b.run("const r = document.getElementById('graph').getBoundingClientRect(); return [r.left, r.top, r.width]")
    x, y, before = box[0] + 300, box[1] + 150, b.run("return picture.view")
    scale = before["w"] / box[2]
    for kind, at, more in ("mousePressed", (x, y), {"clickCount": 1}), ("mouseMoved", (x + 40, y + 25), {}), ("mouseReleased", (x + 40, y + 25), {"clickCount": 1}):
        b.devtools("Input.dispatchMouseEvent", type=kind, x=at[0], y=at[1], button="left", buttons=0 if kind == "mouseReleased" else 1, **more)
    after = b.run("return picture.view")
    assert abs(before["x"] - after["x"] - 40 * scale) < 0.5 and abs(before["y"] - after["y"] - 25 * scale) < 0.5, (before, after, scale)
    under = after["x"] + (x - box[0]) * scale
    b.devtools("Input.dispatchMouseEvent", type="mouseWheel", x=x, y=y, deltaX=0, deltaY=-120, modifiers=2)
    near = b.run("return new Promise(done => setTimeout(() => done(picture.view), 100))")
    assert near["w"] < after["w"] * 0.9, (near, after)
    assert abs(near["x"] + (x - box[0]) * near["w"] / box[2] - under) < 0.5, "what is under the mouse stays there"
    b.devtools("Input.dispatchMouseEvent", type="mouseWheel", x=x, y=y, deltaX=0, deltaY=-120)
    equal(b.run("return new Promise(done => setTimeout(() => done(picture.view.w), 100))"), near["w"], "the wheel alone scrolls the page")


def a_number_that_is_not_touched_keeps_its_digits(b, folder):
    b.open("file://" + explain(folder, ["loss = sum((w - 1)^2)", "w=[0.1234567890123,2,3]"]))
    equal(b.run("return document.querySelector('[data-name=w]').value"), "0.123457, 2, 3")
    b.write('[data-name="w"]', "0.123457, 2, 4")
    equal(b.run("return Array.from(value[rows.get(0).value])"), [0.1234567890123, 2, 4])


def light_and_dark_and_paper(b, folder):
    page = explain(folder, LOSS)
    ground = "return getComputedStyle(document.body).backgroundColor"
    b.open("file://" + page)
    equal(b.run(ground), "rgb(255, 255, 255)")
    b.size(1280, 800, dark=True)
    equal(b.run(ground), "rgb(15, 20, 25)", "as the system is")
    b.click("#theme")
    equal(b.run(ground), "rgb(255, 255, 255)", "as chosen")
    b.size(1280, 800)
    b.devtools("Emulation.setEmulatedMedia", media="print")
    shown = b.run("return [...document.querySelectorAll('button:not(.step), input[type=range]')].filter(e => e.offsetParent).length")
    equal(shown, 0, "controls on paper")
    assert len(b.devtools("Page.printToPDF")["data"]) > 10000
    b.devtools("Emulation.setEmulatedMedia", media="")


def the_table_says_what_the_picture_says(b, folder):
    b.open("file://" + explain(folder, LOSS))
    equal(b.run("return [...document.querySelectorAll('#nodes tbody tr')].map(r => [...r.cells].map(c => c.textContent).join('|'))"),
          ["w|parameter||1|-2", "x|input||1|", "n1|mul|w*x|1|-2", "y|input||2|", "n2|sub|n1 - y|-1|-2", "loss|loss|n2^2|1|1"])
    labels = b.run("return [...document.querySelectorAll('.node[role=button]')].map(e => e.getAttribute('aria-label'))")
    assert "w, parameter, 1, dloss/dw -2" in labels, labels
    equal(b.run("return [...document.querySelectorAll('button, input, select')].filter(e => !e.textContent.trim() && !e.getAttribute('aria-label') && !e.labels?.length).length"), 0,
          "controls without a name")


def the_picture_is_valid_svg(b, folder):
    b.open("file://" + explain(folder, [model(folder, MLP), *MLP_DATA]))
    for svg in b.run("return [...document.querySelectorAll('svg')].map(e => new XMLSerializer().serializeToString(e))"):
        root = xml.etree.ElementTree.fromstring(svg)
        equal(root.tag, "{http://www.w3.org/2000/svg}svg")
        for e in root.iter():
            for key, v in e.attrib.items():
                assert "NaN" not in v and "undefined" not in v, f"{e.tag} {key}={v}"


def a_large_graph_is_folded_and_says_what_is_left_out(b, folder):
    chain = "param w: f64 = 0.5\nx0 = w\n" + "".join(f"x{i + 1} = sin(x{i}) + w\n" for i in range(3000)) + "loss = x3000^2\n"
    page = explain(folder, [model(folder, chain)])
    assert os.path.getsize(page) < 5_000_000, os.path.getsize(page)
    b.open("file://" + page)
    assert b.text("#left-out").startswith("Of 6,002 nodes 5,762 are left out here"), b.text("#left-out")
    no_overlap(b, "a long chain")


def npy(path, kind, shape, numbers):
    head = f"{{'descr': '<{kind}4', 'fortran_order': False, 'shape': {tuple(shape)}, }}"
    head += " " * (63 - (10 + len(head)) % 64) + "\n"
    with open(path, "wb") as f:
        f.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + struct.pack(f"<{len(numbers)}{kind}", *numbers))


NET = """input x: f32[batch, 256]
input y: i32[batch]
param W1: f32[256, 4] = he_normal()
param b1: f32[4] = [-1e6, 0, 0, 0]
h = relu(x @ W1 + b1)
far = h * 1e-5
logits = dense(far, 3)
loss = mean(cross_entropy(logits, y))
"""


def train(folder, *more):
    """Images 16 by 16 with a bright square whose place is the class."""
    model(folder, NET, "net.cr")
    images = [1.0 if 5 * (n % 3) <= k % 16 < 5 * (n % 3) + 5 and 4 <= k // 16 < 12 else 0.0 for n in range(40) for k in range(256)]
    npy(os.path.join(folder, "x.npy"), "f", (40, 16, 16), images)
    npy(os.path.join(folder, "y.npy"), "i", (40,), [n % 3 for n in range(40)])
    data = ["--data", "x=x.npy", "--data", "y=y.npy", "--batch", "20"]
    command = [PROGRAM, "train", "net.cr", *data, "--epochs", "6", "--validation", "8", "--quiet", "--out", "w.safetensors", *more]
    subprocess.run(command, check=True, cwd=folder, timeout=300)
    return ["net.cr", "--weights", "w.safetensors", *data]


def a_trained_net_shows_images_dead_units_and_where_gradients_vanish(b, folder):
    arguments = train(folder)
    for batch, live in ("20", True), ("40", False):  # numbers that the page computes; that it was told
        b.open("file://" + explain(folder, [*arguments, "--batch", batch]))
        equal(b.run("return data.live"), live)
        row = "return [...document.querySelectorAll('#layers tbody tr')].filter(r => r.cells[0].textContent === arguments[0]).map(r => [...r.cells].map(c => c.textContent))[0]"
        equal(b.run(row, "h")[5], "1 of 4", "dead units: the bias of the first is -1e6")
        equal(b.run("return [...document.querySelectorAll('#layers tbody th')].map(r => r.textContent)")[:3], ["W1", "b1", "h"], "in the order of the layers")
        for name in "W1", "b1", "h":
            equal(b.run(row, name)[8], "vanishes", name)
        assert "It vanishes in W1, b1 (at W1 it is " in b.text("#findings"), b.text("#findings")
        b.write("#search", "x")
        equal(b.run("return document.querySelectorAll('.images canvas').length"), 12, "images of the batch")
        # The first image's square is at the left: its colour differs from the ground's.
        line = b.run("return [...document.querySelector('.images canvas').getContext('2d').getImageData(0, 6, 16, 1).data]")
        equal([line[4 * k:4 * k + 4] == line[0:4] for k in range(16)], [k < 5 for k in range(16)], "a line of the first image")


def a_report_of_a_training_is_whole_and_asks_for_nothing(b, folder):
    train(folder, "--report", "report.html")
    b.requests()
    for width, height, dark in (1280, 800, False), (390, 844, True):
        b.size(width, height, dark)
        b.open("file://" + os.path.join(folder, "report.html"))
        wide = b.run("return [...document.querySelectorAll('main > *, figure, svg, .facts div, pre')].filter(e => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest('.wide')).map(e => e.outerHTML.slice(0, 80))")
        equal(wide, [], f"at {width}: what reaches over the edge")
        out = b.run("return [...document.querySelectorAll('svg')].flatMap(s => { const v = s.viewBox.baseVal; return [...s.querySelectorAll('text')].filter(t => { const r = t.getBBox(); return !t.getAttribute('transform') && (r.x < 0 || r.x + r.width > v.width + 1 || r.y + r.height > v.height); }).map(t => t.textContent); })")
        equal(out, [], f"at {width}: words cut")
        equal(b.run("return document.documentElement.scrollWidth <= innerWidth"), True)
    equal([u for u in b.requests() if not u.startswith("file:///")], [], "requests")
    equal(b.run("return [document.scripts.length, document.querySelectorAll('meta[http-equiv=refresh]').length]"), [0, 0])
    equal(b.run("return [...document.querySelectorAll('.plots text[font-size]')].map(t => t.textContent)"),
          ["loss by step", "loss by epoch", "norm of the gradient by step", "learning rate by step", "seconds per step"])
    equal(b.run("return document.querySelectorAll('figure:not([aria-label])').length"), 0, "figures without words")
    equal(b.run("return [...document.querySelectorAll('.best th')].map(e => e.textContent).length"), 1)
    for svg in b.run("return [...document.querySelectorAll('svg')].map(e => new XMLSerializer().serializeToString(e))"):
        assert "nan" not in svg and "inf" not in svg and xml.etree.ElementTree.fromstring(svg).tag.endswith("svg")


def the_same_inputs_give_the_same_bytes(b, folder):
    pages = [open(explain(folder, [model(folder, MLP), *MLP_DATA], f"{k}.html"), "rb").read() for k in range(2)]
    assert pages[0] == pages[1]


TESTS = [f for name, f in list(globals().items()) if callable(f) and getattr(f, "__code__", None) and f.__code__.co_varnames[:2] == ("b", "folder")]


def main():
    failed, wanted = 0, sys.argv[2:]
    with Browser() as b:
        for test in TESTS:
            if wanted and test.__name__ not in wanted:
                continue
            with tempfile.TemporaryDirectory() as folder:
                b.size(1280, 800)
                b.console()
                try:
                    test(b, folder)
                    errors = [line for line in b.console() if "bad.html" not in line]
                    equal(errors, [], "console")
                    print(f"ok: {test.__name__}")
                except Exception as error:  # the others are still worth knowing
                    failed += 1
                    print(f"FAILED: {test.__name__}: {error}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
