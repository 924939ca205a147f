// One node: its numbers, and every path on which the loss reaches it. And all nodes, as tables.
const detail = {};

// ---- Tensors ----

function bins(place) {
  const told = program[place].s;
  if (!value[place]) return told?.h ? {low: told.min, high: told.max, counts: told.h} : null;
  const finite = value[place].filter(Number.isFinite), low = Math.min(...finite), high = Math.max(...finite), counts = new Array(24).fill(0);
  if (!finite.length) return null;
  for (const v of finite) counts[high > low ? Math.min(23, floor((v - low) / (high - low) * 24)) : 0]++;
  return {low, high, counts};
}
function histogram(place) {
  const b = bins(place);
  if (!b || count(place) < 8) return null;
  const w = 260, h = 70, most = Math.max(...b.counts);
  return make("figure", {}, make.svg("svg.histogram", {viewBox: `0 0 ${w} ${h + 16}`, role: "img", "aria-label": `histogram from ${format(b.low)} to ${format(b.high)}`},
    b.counts.map((n, i) => make.svg("rect.bin", {x: i * w / 24 + 0.5, y: h - n / most * (h - 4), width: w / 24 - 1, height: n / most * (h - 4)})),
    make.svg("line.grid", {x1: 0, x2: w, y1: h, y2: h}),
    make.svg("text.tick", {x: 0, y: h + 13}, format(b.low, 4)), make.svg("text.tick", {x: w, y: h + 13, "text-anchor": "end"}, format(b.high, 4))));
}

// The last axis from left to right, all others downwards; a lone row of 64 or more that is a square is shown as one: an image.
function cells(place) {
  const d = program[place].d, v = value[place], told = program[place].s?.m;
  if (!v) return told ? {rows: told[0], columns: told[1], most: told[2], at: k => (parseInt(told[3].substr(2 * k, 2), 16) - 128) / 127, bad: k => told[3].substr(2 * k, 2) === "00"} : null;
  let columns = d.at(-1) ?? 1, lines = columns ? v.length / columns : 0;
  const side = rint(sqrt(v.length));
  if (lines === 1 && v.length >= 64 && side * side === v.length) columns = lines = side;
  const most = v.reduce((m, x) => Number.isFinite(x) ? Math.max(m, abs(x)) : m, 0);
  return {rows: lines, columns, most, at: k => most ? v[k] / most : 0, bad: k => isnan(v[k])};
}
const colour = (t, dark) => { // from one colour over the page's own to another
  const [r, g, b] = t < 0 ? [194, 65, 12] : [29, 78, 216], base = dark ? [22, 27, 34] : [255, 255, 255], k = Math.min(1, abs(t)) ** 0.7;
  return [r, g, b].map((c, i) => Math.round(base[i] + ((dark ? c + 40 : c) - base[i]) * k));
};
function heatMap(place) {
  const c = count(place) < 2 ? null : cells(place);
  if (!c || !c.rows || !c.columns) return null;
  const most = 128, h = Math.min(c.rows, most), w = Math.min(c.columns, most), canvas = make("canvas.heat", {width: w, height: h, role: "img", "aria-label": `heat map of ${c.rows} by ${c.columns}, blue above 0, red below`});
  const context = canvas.getContext("2d"), pixels = context.createImageData(w, h), dark = isDark();
  for (let i = 0; i < h; i++)
    for (let j = 0; j < w; j++) {
      const k = floor(i * c.rows / h) * c.columns + floor(j * c.columns / w), rgb = c.bad(k) ? [255, 0, 255] : colour(c.at(k), dark);
      pixels.data.set([...rgb, 255], 4 * (i * w + j));
    }
  context.putImageData(pixels, 0, 0);
  const scale = Math.max(1, Math.min(20, floor(260 / w), floor(200 / h)));
  canvas.style.width = `${w * scale}px`;
  return make("figure", {}, canvas, make("figcaption", {}, `−${format(c.most, 3)} red … ${format(c.most, 3)} blue${value[place] ? "" : ", means of blocks"}`));
}
// The first images of an input [.., height, width], or of rows that are squares.
function images(place) {
  const d = program[place].d, told = program[place].s?.i, v = value[place];
  if (told) return told[2].map(s => ({h: told[0], w: told[1], at: k => (parseInt(s.substr(2 * k, 2), 16) - 128) / 127}));
  if (!v || d.length < 2) return [];
  const side = rint(sqrt(d.at(-1))), square = d.length === 2 && side * side === d.at(-1), [h, w] = square ? [side, side] : d.slice(-2);
  if (h < 8 || w < 8 || (d.length === 2 && !square)) return [];
  return Array.from({length: Math.min(12, v.length / (h * w))}, (_, i) => {
    const own = v.subarray(i * h * w, (i + 1) * h * w), most = Math.max(...own.map(abs)) || 1;
    return {h, w, at: k => own[k] / most};
  });
}
function imageList(row) {
  const all = row.op === "input" && row.value !== undefined ? images(row.value) : [], dark = isDark();
  if (!all.length) return null;
  return make("figure.images", {role: "img", "aria-label": `the first ${all.length} images`}, all.map(({h, w, at}) => {
    const canvas = make("canvas.heat", {width: w, height: h}), context = canvas.getContext("2d"), pixels = context.createImageData(w, h);
    for (let k = 0; k < h * w; k++) pixels.data.set([...colour(at(k), dark), 255], 4 * k);
    context.putImageData(pixels, 0, 0);
    return canvas;
  }));
}
// Units of a layer, its last axis: how many are 0 for every observation.
function deadUnits(place) {
  const d = program[place].d, v = value[place], told = program[place].s?.dead;
  if (told || !v || d.length < 2) return told ?? [0, 0];
  const units = d.at(-1), alive = new Set();
  v.forEach((x, i) => { if (x !== 0) alive.add(i % units); });
  return [units - alive.size, units];
}

function tensor(title, place) {
  if (place === undefined) return null;
  const s = summary(place), n = count(place);
  if (n === 1) return make("p", {title: exact(place)}, make("small", {}, `${title} `), make("code", {}, valueText(place)));
  const facts = `${shape(place)}: ${n} numbers from ${format(s.min ?? NaN, 4)} to ${format(s.max ?? NaN, 4)}, mean ${format(s.mean ?? NaN, 4)}, norm ${format(norm(place), 4)}, ${format(100 * s.zero / n, 3)} % zeros, ${s.nan} nan`;
  return make("div.tensor", {}, make("h3", {}, title), make("p", {title: exact(place)}, facts), value[place] && n > 1 && n <= 64 ? make("pre", {}, list(place, 6).replaceAll("], [", "],\n [")) : null, make("div.charts", {}, heatMap(place), histogram(place)));
}

// ---- Paths ----

const mostPaths = 40;
// The nodes from which the loss is reached, other than through nodes left out.
const reaching = new Set([loss.id]);
for (const row of [...rows.values()].reverse())
  if ((byOperand.get(row.id) || []).some(edge => reaching.has(edge.from))) reaching.add(row.id);
// From the loss down to a node, along edges that carry a cotangent.
function paths(id) {
  const found = [], stack = [[id, []]];
  while (stack.length && found.length <= mostPaths) {
    const [at, way] = stack.pop();
    if (at === loss.id) { found.push(way); continue; }
    for (const edge of byOperand.get(at) || []) if (reaching.has(edge.from)) stack.push([edge.from, [edge, ...way]]);
  }
  return found;
}
function pathLine(way) {
  const factors = way.map(e => e.local ? local(e) : `(${local(e)})`), numbers = way.every(e => e.local && isScalar(e.gradient)) ? way.map(e => value[e.gradient][0]) : null;
  const product = numbers?.reduce((p, v) => p * v, 1);
  const said = numbers?.map((v, i) => i ? factor(format(v)) : format(v)).join(" * ");
  return {way, product, factors, numbers: said, text: numbers ? equals([factors.join(" * "), said, format(product)]) : factors.join(" * ")};
}
function pathList(row) {
  const all = row === loss || row.slope === undefined ? [] : paths(row.id).map(pathLine);
  if (!all.length) return null;
  const shown = all.slice(0, mostPaths), sum = shown.every(p => p.product !== undefined) && all.length <= mostPaths;
  return make("div", {id: "paths"}, make("h3", {}, `${all.length > mostPaths ? `The first ${mostPaths} paths` : all.length === 1 ? "The one path" : all.length === 2 ? "Both paths" : `All ${all.length} paths`} from ${loss.name} to ${row.name}`),
    make("ol", {}, shown.map(p => make("li", {}, make("button.step", {onclick: () => light([loss.id, ...p.way.map(e => e.to)], p.way)}, p.text)))),
    sum && all.length > 1 ? make("p", {}, equals([derivative(row.id), "their sum", shown.map((p, i) => i ? factor(format(p.product)) : format(p.product)).join(" + "), valueText(row.slope)])) : null,
    shown.some(p => p.product === undefined) ? make("p.note", {}, "Where elements mix or are many, a factor is a matrix; the product is the chain of the steps above.") : null);
}

function select(id) {
  state.selected = id;
  reveal(id);
  markSelected();
  refreshDetail();
  const row = rows.get(id), way = paths(id).slice(0, mostPaths);
  if (row !== loss && way.length) light([loss.id, ...way.flat().map(e => e.to)], way.flat());
  else light([id], byUser.get(id) || []);
}
function refreshDetail() {
  const row = rows.get(state.selected);
  if (!row) return detail.box.replaceChildren(make("p.note", {}, "Click a node for its numbers, and for every path from the loss to it with the product along each."));
  const shown = row.kind === "op" || row.kind === "loss" ? `${row.kind === "loss" ? "the loss, " : ""}op ${row.op}` : kinds[row.kind];
  detail.box.replaceChildren(make("h2", {}, row.name), make("p", {}, equals([row.name, named(row.say), numbered(row.say)]), make("small", {}, ` (${shown}${row.at ? `, at ${row.at}` : ""})`)),
    imageList(row) ?? "", make("div.halves", {}, tensor("Value", row.value), tensor(derivative(row.id), row.slope)), pathList(row) ?? "");
}

// ---- All nodes ----

const cell = (v, title) => make("td", {title}, v);
function nodeTable() {
  const line = row => make("tr", {}, make("th", {scope: "row"}, row.name), cell(row.kind === "op" ? row.op : kinds[row.kind]), make("td.formula", {}, named(row.say)),
    cell(row.value === undefined ? "" : valueText(row.value), row.value === undefined ? undefined : exact(row.value)), cell(row.slope === undefined ? "" : valueText(row.slope), row.slope === undefined ? undefined : exact(row.slope)));
  return make("table", {id: "nodes"}, make("thead", {}, make("tr", {}, ["node", "kind", "formula", "value", `d${loss.name}/d node`].map(t => make("th", {scope: "col"}, t)))), make("tbody", {}, [...rows.values()].map(line)));
}
