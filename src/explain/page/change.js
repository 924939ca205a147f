// Other numbers: changed by hand, or by steps of descent.
const state = {rate: data.rate, selected: null, history: []};
const leaves = [...rows.values()].filter(row => !row.say && row.value !== undefined && row.op !== "const" && value[row.value]);
const initial = new Map(leaves.map(row => [row.value, value[row.value].slice()]));
const descended = data.wrt.map(id => rows.get(id)).filter(row => row && row.slope !== undefined && row.value !== undefined);
const lossNow = () => loss.value === undefined || !value[loss.value] ? NaN : value[loss.value][0];
const snapshot = () => ({loss: lossNow(), parameters: descended.map(row => value[row.value]?.slice())});

function recompute() {
  compute();
  refreshNumbers();
}
// Changed by hand: descent begins anew from there.
function changed() {
  compute();
  state.history = [snapshot()];
  refreshNumbers();
}
function reset() {
  for (const [place, v] of initial) value[place].set(v);
  state.rate = data.rate;
  changed();
}
function descend(times) {
  for (let i = 0; i < times; i++) {
    const slopes = descended.map(row => value[row.slope].slice());
    descended.forEach((row, k) => {
      const v = value[row.value];
      for (let j = 0; j < v.length; j++) v[j] -= state.rate * slopes[k][j];
      if (program[row.value].t === "f32") v.forEach((x, j) => { v[j] = Math.fround(x); });
    });
    compute();
    state.history.push(snapshot());
  }
  refreshNumbers();
}

// ---- Fields ----

// Numbers of six digits; one that is not touched keeps all that it has.
const fields = [], shortly = v => format(v);
function field(label, get, set, attributes) {
  const several = get().length > 4, input = make(several ? "textarea" : "input", {type: several ? undefined : "text", inputmode: "decimal", spellcheck: "false", autocomplete: "off", ...attributes});
  input.addEventListener("input", () => {
    const before = Array.from(get()), read = (s, i) => i < before.length && s === shortly(before[i]) ? before[i] : s === "" ? NaN : number(words[s] !== undefined ? s : Number(s));
    const numbers = input.value.split(",").map((s, i) => read(s.trim(), i));
    const good = numbers.length === get().length && !(numbers.some(isnan) && !/nan/.test(input.value));
    input.toggleAttribute("aria-invalid", !good);
    if (good) set(numbers);
  });
  fields.push(() => {
    input.title = Array.from(get(), String).join(", ");
    if (document.activeElement !== input) input.value = Array.from(get(), shortly).join(", ");
    if (several) input.rows = Math.ceil(input.value.length / 54);
  });
  return make("label", {}, make("span", {}, label), input);
}
function slider(row) {
  const start = initial.get(row.value)[0], reach = 3 * Math.max(1, abs(start));
  const input = make("input", {type: "range", min: start - reach, max: start + reach, step: reach / 300, "aria-label": `slide ${row.name}`});
  input.addEventListener("input", () => { value[row.value][0] = Number(input.value); changed(); });
  fields.push(() => { input.value = value[row.value][0]; });
  return input;
}

function makeChange() {
  const editable = leaves.filter(row => row.value !== undefined && count(row.value) >= 1 && count(row.value) <= 16 && program[row.value].t[0] === "f");
  const inputs = editable.slice(0, 24).map(row => make("div.field", {},
    field(row.name, () => value[row.value], v => { value[row.value].set(v); changed(); }, {id: `value-${row.id}`, "data-name": row.name}),
    count(row.value) === 1 && Number.isFinite(initial.get(row.value)[0]) ? slider(row) : null));
  const why = data.why === "size" ? `The graph has ${data.elements.toLocaleString("en")} numbers: too many to compute in a page. These are the numbers of the recorded run.`
    : `The op ${data.why} has no formula in the op table, so the page cannot compute it. These are the numbers of the recorded run.`;
  if (!data.live) return make("section", {id: "change"}, make("h2", {}, "Numbers"), make("p", {}, why));
  const rest = leaves.length - Math.min(editable.length, 24);
  return make("section", {id: "change"}, make("h2", {}, "Change the numbers"), inputs,
    rest ? make("p.note", {}, `${rest} ${rest === 1 ? "tensor is" : "tensors are"} not changed by hand; descent moves ${descended.length} of all.`) : null,
    make("div.bar", {}, make("button", {id: "reset", onclick: reset}, "Reset")));
}

// ---- Descent ----

const descent = {};
const scalars = descended.flatMap(row => value[row.value] ? Array.from({length: Math.min(count(row.value), 64)}, (_, i) => ({row, i, label: count(row.value) === 1 ? row.name : `${row.name}[${i}]`})) : []);

function makeDescent() {
  if (!data.live || !descended.length) return null;
  descent.curve = make("figure", {id: "curve"});
  descent.surface = make("figure", {id: "surface"});
  descent.story = make("p.story", {id: "story", "aria-live": "polite"});
  descent.axes = [0, 1].map(k => {
    const choice = make("select", {"aria-label": `parameter along axis ${k + 1}`, onchange: refreshSurface}, scalars.slice(0, 200).map((s, i) => make("option", {value: i}, s.label)));
    choice.value = String(Math.min(k, scalars.length - 1));
    return choice;
  });
  descent.inputs = new Map();
  const rate = field("learning rate", () => [state.rate], ([v]) => { state.rate = v; refreshNumbers(); }, {id: "rate"});
  return make("section", {id: "descent"}, make("h2", {}, "Descent"),
    make("div.bar", {}, rate, make("button", {id: "descend", title: "Take a step of descent (d)", onclick: () => descend(1)}, "Take a step"),
      make("button", {id: "descend10", onclick: () => descend(10)}, "10 steps"), make("button", {onclick: reset}, "Reset")),
    descent.story,
    make("div.charts", {}, descent.curve, make("div", {}, scalars.length > 2 ? make("p.note", {}, "Surface over ", descent.axes[0], " and ", descent.axes[1]) : null, descent.surface)));
}

function story() {
  const h = state.history, n = h.length - 1, now = h[n].loss;
  if (!Number.isFinite(now) && n === 0) return `${loss.name} = ${format(now)}: descent has nothing to go by.`;
  if (n === 0) {
    const fall = descended.reduce((s, row) => s + (norm(row.slope) ** 2), 0) * state.rate;
    return `To first order one step changes ${loss.name} by ${format(-fall)}; in truth ${sayStep(state.rate, now)}.`;
  }
  const before = h[n - 1].loss, same = abs(now - before) <= 1e-12 * abs(before), moves = descended.some(row => norm(row.slope) * state.rate > 1e-9 * (1 + norm(row.value)));
  const what = !Number.isFinite(now) ? "it has left the numbers: the rate is too large" : same ? moves ? "it does not fall: the step leaps to the other side of a valley, as high as before" : "it rests"
    : now > before ? "the last step made it larger: the rate is too large here" : "it falls";
  return `After ${n} step${n === 1 ? "" : "s"}: ${loss.name} ${format(h[0].loss)} → ${format(now)}; ${what}.`;
}

// ---- Charts ----

function ticks(low, high, n = 4) {
  const raw = (high - low) / n, unit = 10 ** floor(log10(raw)), step = [1, 2, 5, 10].find(k => k * unit >= raw) * unit, out = [];
  for (let i = ceil(low / step - 1e-9); i <= high / step + 1e-9 && out.length < 20; i++) out.push(i * step);
  return out;
}
const around = (low, high) => low < high ? [low - (high - low) * 0.06, high + (high - low) * 0.06] : [low - Math.max(1, abs(low)) / 2, high + Math.max(1, abs(high)) / 2];

function chart(label, [x0, x1], [y0, y1], xName, yName) {
  const w = 300, h = 200, left = 58, right = 12, top = 8, bottom = 36;
  const x = v => left + (v - x0) / (x1 - x0) * (w - left - right), y = v => h - bottom - (v - y0) / (y1 - y0) * (h - top - bottom);
  const svg = make.svg("svg.chart", {viewBox: `0 0 ${w} ${h}`, role: "img", "aria-label": label},
    make.svg("rect.area", {x: left, y: top, width: w - left - right, height: h - top - bottom}),
    ticks(x0, x1).map(v => [make.svg("line.grid", {x1: x(v), x2: x(v), y1: top, y2: h - bottom}), make.svg("text.tick", {x: x(v), y: h - bottom + 14, "text-anchor": "middle"}, format(v, 3))]),
    ticks(y0, y1).map(v => [make.svg("line.grid", {x1: left, x2: w - right, y1: y(v), y2: y(v)}), make.svg("text.tick", {x: left - 5, y: y(v) + 4, "text-anchor": "end"}, format(v, 3))]),
    make.svg("text.axis", {x: (left + w - right) / 2, y: h - 5, "text-anchor": "middle"}, cut(xName, 40)),
    make.svg("text.axis", {x: 12, y: (top + h - bottom) / 2, transform: `rotate(-90 12 ${(top + h - bottom) / 2})`, "text-anchor": "middle"}, cut(yName, 24)));
  return {svg, x, y, clip: v => Math.min(y0 - 2 * (y0 - y1), Math.max(y0 - (y1 - y0), v)), area: {left, top, w: w - left - right, h: h - top - bottom}};
}
const polyline = (c, points) => make.svg(`path.${c}`, {d: points.length ? `M${points.map(p => p.map(v => Math.round(v * 10) / 10).join(" ")).join("L")}` : ""});

function refreshCurve() {
  const points = state.history.map((h, i) => [i, h.loss]).filter(p => Number.isFinite(p[1])), losses = points.map(p => p[1]);
  const c = chart(`${loss.name} by step`, [0, Math.max(5, state.history.length - 1)], around(Math.min(...losses, 0), Math.max(...losses, losses.length ? -Infinity : 1)), "step", loss.name);
  c.svg.append(polyline("curve", points.map(([i, v]) => [c.x(i), c.y(v)])), ...points.slice(-200).map(([i, v]) => make.svg("circle.dot", {cx: c.x(i), cy: c.y(v), r: 3})));
  descent.curve.replaceChildren(c.svg, make("figcaption", {}, `${loss.name} by step of descent`));
}

const lossSteps = loss.value === undefined ? [] : needed(loss.value);
// The loss with other numbers for some parameters; what was is put back.
function lossAt(changes) {
  const before = changes.map(({row, i, v}) => { const old = value[row.value][i]; value[row.value][i] = v; return old; });
  compute(lossSteps);
  const result = lossNow();
  changes.forEach(({row, i}, k) => { value[row.value][i] = before[k]; });
  return result;
}
// What a path may need, kept while it stays within.
function range(s, key) {
  const path = state.history.map(h => h.parameters[descended.indexOf(s.row)][s.i]).filter(Number.isFinite);
  const low = Math.min(...path), high = Math.max(...path), kept = descent[key];
  if (kept && kept.label === s.label && low >= kept.range[0] && high <= kept.range[1] && high - low >= (kept.range[1] - kept.range[0]) / 8) return kept.range;
  const middle = (low + high) / 2, reach = Math.max((high - low) * 0.9, abs(middle) * 1.5, 1.5);
  descent[key] = {label: s.label, range: [middle - reach, middle + reach]};
  return descent[key].range;
}

function curveOverOne(s) {
  const [low, high] = range(s, "x"), n = 121;
  const points = Array.from({length: n}, (_, i) => { const v = low + (high - low) * i / (n - 1); return [v, lossAt([{...s, v}])]; });
  const path = state.history.map(h => [h.parameters[descended.indexOf(s.row)][s.i], h.loss]);
  const finite = points.filter(p => Number.isFinite(p[1])).map(p => p[1]);
  if (!finite.length) return [make("figcaption", {}, `${loss.name} is no number anywhere near.`)];
  const c = chart(`${loss.name} over ${s.label}`, [low, high], around(Math.min(...finite), Math.max(...finite)), s.label, loss.name);
  const place = ([v, l]) => [c.x(v), c.y(c.clip(l))];
  c.svg.append(polyline("curve", points.filter(p => Number.isFinite(p[1])).map(place)), polyline("path", path.filter(p => p.every(Number.isFinite)).map(place)));
  for (const p of path.slice(-100)) if (p.every(Number.isFinite)) c.svg.append(make.svg("circle.dot", {cx: place(p)[0], cy: place(p)[1], r: 3}));
  const now = path.at(-1), slope = value[s.row.slope][s.i];
  if (now.every(Number.isFinite) && Number.isFinite(slope)) {
    const reach = (high - low) / 8;
    c.svg.append(polyline("tangent", [-reach, reach].map(d => place([now[0] + d, now[1] + slope * d]))), make.svg("circle.now", {cx: place(now)[0], cy: place(now)[1], r: 5}));
  }
  return [c.svg, make("figcaption", {}, `${loss.name} over ${s.label}: the path, and the slope ${derivative(s.row.id)} at its end`)];
}

// As many cells as take a twentieth of a second.
function fineness(s) {
  const start = performance.now();
  for (let k = 0; k < 5; k++) lossAt([{...s, v: value[s.row.value][s.i]}]);
  return Math.max(15, Math.min(41, floor(sqrt(250 / (performance.now() - start + 0.01))) | 1));
}

function surfaceOverTwo(s, t) {
  const xs = range(s, "x"), ys = range(t, "y"), n = fineness(s), at = ([a, b], i) => a + (b - a) * (i + 0.5) / n;
  const cells = Array.from({length: n * n}, (_, k) => lossAt([{...s, v: at(xs, k % n)}, {...t, v: at(ys, floor(k / n))}]));
  const finite = cells.filter(Number.isFinite).sort((a, b) => a - b), rank = v => Number.isFinite(v) ? finite.findIndex(f => f >= v) / finite.length : 1;
  const c = chart(`${loss.name} over ${s.label} and ${t.label}`, xs, ys, s.label, t.label), {left, top, w, h} = c.area, level = v => floor(rank(v) * 12);
  // Levels of equal area, so that a valley is seen however steep its walls are.
  const levels = cells.map(level);
  c.svg.append(make.svg("g.cells", {}, levels.map((l, k) => make.svg(`rect.level${Math.min(11, Math.max(0, l))}`, {x: left + k % n * w / n, y: top + h - (floor(k / n) + 1) * h / n, width: w / n + 0.3, height: h / n + 0.3}))));
  const path = state.history.map(p => [c.x(p.parameters[descended.indexOf(s.row)][s.i]), c.y(p.parameters[descended.indexOf(t.row)][t.i])]).filter(p => p.every(Number.isFinite));
  c.svg.append(polyline("path", path), path.slice(-100).map(p => make.svg("circle.dot", {cx: p[0], cy: p[1], r: 3})).at(-1) ? make.svg("circle.now", {cx: path.at(-1)[0], cy: path.at(-1)[1], r: 5}) : "");
  return [c.svg, make("figcaption", {}, `${loss.name} over ${s.label} and ${t.label}: dark is low; the line is the path`)];
}

function refreshSurface() {
  const [s, t] = descent.axes.map(choice => scalars[Number(choice.value)]);
  if (!s) return;
  descent.surface.replaceChildren(...(scalars.length === 1 || s === t ? curveOverOne(s) : surfaceOverTwo(s, t)));
  compute(lossSteps);
}
function refreshDescent() {
  if (!descent.curve) return;
  descent.story.textContent = story();
  refreshCurve();
  refreshSurface();
}
