// The picture. Graphviz has laid out the whole and each scope alone; an open scope is put into its surroundings by stretching
// them: what lies beside it moves away and never comes nearer, so that nothing overlaps that did not before.
const kinds = {parameter: "parameter", input: "input", constant: "constant", loss: "loss", op: ""};
const picture = {open: new Set([0]), direction: 0, view: null, whole: null, items: new Map(), lines: []};
const frame = 14, frameTop = 30; // around an open scope; above it stands its name

const groupsAround = id => {
  const chain = [];
  for (let g = rows.get(id).group; g; g = data.groups[g].parent) chain.push(g);
  return chain;
};
const isOpen = group => picture.open.has(group);
// A row is to be seen itself, or as the closed box that it is the result of.
function standIn(id) {
  const chain = groupsAround(id).reverse(), closed = chain.find(g => !isOpen(g));
  return closed === undefined ? `r${id}` : `b${closed}`;
}
const isVisible = row => {
  const by = standIn(row.id);
  return by[0] === "r" || data.groups[Number(by.slice(1))].row === row.id;
};

// A map of one axis under which each interval [from, to] becomes at least as long as it must.
function stretch(intervals) {
  const marks = [...new Set(intervals.flatMap(([from, to]) => [from, to]))].sort((a, b) => a - b);
  return x => {
    let more = 0;
    for (let i = 0; i + 1 < marks.length && marks[i] < x; i++) {
      const inside = intervals.filter(([from, to]) => from <= marks[i] && to >= marks[i + 1]);
      const density = Math.max(0, ...inside.map(([from, to, length]) => (length - (to - from)) / (to - from)));
      more += density * (Math.min(x, marks[i + 1]) - marks[i]);
    }
    return x + more;
  };
}

// Where everything stands in the picture of a group, open scopes put in.
function compose(group) {
  const [, w, h, nodes, lines] = data.layout[group][picture.direction];
  const open = nodes.filter(([id]) => id[0] === "b" && isOpen(Number(id.slice(1)))).map(([id, x, y, width, height]) => {
    const inner = compose(Number(id.slice(1)));
    return {id, inner, x0: x - width / 2, x1: x + width / 2, y0: y - height / 2, y1: y + height / 2};
  });
  const mapX = stretch(open.map(o => [o.x0, o.x1, o.inner.w + 2 * frame]));
  const mapY = stretch(open.map(o => [o.y0, o.y1, o.inner.h + frame + frameTop]));
  // A line's ends move with what they touch, which keeps its size; an open scope, and what lies between, is stretched.
  const centres = new Map(nodes.filter(([id]) => !open.some(o => o.id === id)).map(([id, x, y]) => [id, [mapX(x) - x, mapY(y) - y]]));
  const points = (p, tail, head) => p.map((v, i) => {
    const by = centres.get(i < 4 ? tail : i >= p.length - 4 ? head : "");
    return by ? v + by[i % 2] : i % 2 ? mapY(v) : mapX(v);
  });
  const out = {w: mapX(w), h: mapY(h), nodes: [], lines: lines.map(([tail, head, ...p]) => ({tail, head, group, points: points(p, tail, head)})), frames: []};
  for (const [id, x, y, width, height] of nodes)
    if (!open.some(o => o.id === id)) out.nodes.push({id, x: mapX(x), y: mapY(y), w: width, h: height});
  for (const o of open) {
    const [x0, x1, y0, y1] = [mapX(o.x0), mapX(o.x1), mapY(o.y0), mapY(o.y1)];
    const dx = (x0 + x1 - o.inner.w) / 2, dy = y0 + frameTop + (y1 - y0 - frameTop - frame - o.inner.h) / 2;
    const moved = p => p.map((v, i) => v + (i % 2 ? dy : dx));
    out.frames.push({id: o.id, x: x0, y: y0, w: x1 - x0, h: y1 - y0});
    for (const f of o.inner.frames) out.frames.push({...f, x: f.x + dx, y: f.y + dy});
    for (const n of o.inner.nodes) out.nodes.push({...n, x: n.x + dx, y: n.y + dy});
    for (const l of o.inner.lines) out.lines.push({...l, points: moved(l.points)});
  }
  return out;
}

// ---- Lines of a wide picture, as of a text ----

const bandGap = 16, margin = 8;
// How large a picture w by h is drawn when it is cut into lines: so that all of them are seen, or two at least; 0: it is not, as it is not
// wide, or too high.
function lineScale(w, h) {
  const [room, most] = roomFor(), scales = [1, 0.9, 0.8], seen = k => floor(most / ((h + bandGap) * k));
  return w * 0.85 <= room ? 0 : scales.find(k => seen(k) > 1 && seen(k) >= ceil(1.1 * w * k / room)) ?? scales.find(k => seen(k) > 1) ?? 0;
}
// Where it is cut, behind nodes: [0, 1100, 2150].
function cuts(all) {
  const found = [0], scale = picture.direction ? 0 : lineScale(all.w, all.h), room = roomFor()[0] / scale;
  picture.scale = scale || 0.8;
  if (!scale) return found;
  const ends = all.nodes.filter(n => n.id[0] === "r" || n.id[0] === "b").map(n => n.x + n.w / 2 + 6).sort((a, b) => b - a), free = x => all.nodes.every(n => n.x + n.w / 2 < x || n.x - n.w / 2 > x);
  while (all.w - found.at(-1) > room) {
    const next = ends.find(x => x <= found.at(-1) + room && x > found.at(-1) + room / 3 && free(x));
    if (next === undefined) return [0];
    found.push(next);
  }
  return found;
}
// Moves the nodes to their lines, each as high as what stands in it; what runs from one line to the next is drawn in both, each showing
// its part.
function breakLines(all) {
  const at = cuts(all);
  picture.bands = at.map((cut, i) => ({from: cut, to: at[i + 1] ?? all.w + margin, dy: 0}));
  if (at.length === 1) return;
  let below = 0;
  for (const b of picture.bands) {
    const inside = x => x >= b.from && x < b.to, own = all.nodes.filter(n => inside(n.x)), frames = all.frames.filter(f => f.x < b.to && f.x + f.w > b.from);
    const ys = [...own.flatMap(n => [n.y - n.h / 2, n.y + n.h / 2]), ...frames.flatMap(f => [f.y, f.y + f.h]), ...all.lines.flatMap(l => l.points.filter((_, i) => i % 2 && inside(l.points[i - 1])))];
    b.dy = below - Math.min(...ys), b.nodes = own;
    below += Math.max(...ys) - Math.min(...ys) + bandGap;
  }
  for (const {from, dy, nodes} of picture.bands) for (const n of nodes) n.x -= from, n.y += dy;
  all.w = Math.max(...picture.bands.map(b => b.to - b.from)), all.h = below - bandGap;
}
// What is drawn from x0 to x1, once for each line that it is in.
function inBands(x0, x1, draw) {
  if (picture.bands.length === 1) return [draw(0)];
  return picture.bands.flatMap((b, i) => {
    if (x1 < b.from || x0 > b.to) return [];
    const e = draw(i);
    e.setAttribute("transform", `translate(${-b.from} ${b.dy})`);
    e.setAttribute("clip-path", `url(#band${i})`);
    return [e];
  });
}
const clips = () => picture.bands.length === 1 ? [] : picture.bands.map((b, i) => make.svg("clipPath", {id: `band${i}`}, make.svg("rect", {x: b.from - (i ? 0 : margin), y: -1e5, width: b.to - b.from + (i ? 0 : margin), height: 2e5})));

// ---- Drawing ----

// Kinds are told by shape: parameters have a heavy frame, inputs corners, constants a bent one, ops round ends, the loss two frames.
function outline(kind, w, h) {
  const x = -w / 2, y = -h / 2, rect = (r, inset, c) => make.svg(`rect.${c}`, {x: x + inset, y: y + inset, width: w - 2 * inset, height: h - 2 * inset, rx: r});
  if (kind === "scope") return [make.svg("rect.behind", {x: x + 4, y: y + 4, width: w - 4, height: h - 4, rx: 8}), make.svg("rect.face", {x, y, width: w - 4, height: h - 4, rx: 8})];
  if (kind === "op") return [rect(h / 2.6, 0, "face")];
  if (kind === "loss") return [rect(8, 0, "face"), rect(6, 3, "inner")];
  if (kind === "constant") return [make.svg("path.face", {d: `M${x} ${y}h${w - 12}l12 12v${h - 12}h${-w}z`}), make.svg("path.inner", {d: `M${x + w - 12} ${y}v12h12`})];
  return [rect(2, 0, "face")];
}
const text = (c, y) => make.svg(`text.${c}`, {x: 0, y});

// |dloss/dW| is the norm, where there is no room for all numbers.
function sayBriefly(row) {
  const v = brief(row.slope, true), whole = isScalar(row.slope) || v.startsWith("[");
  return `${whole ? derivative(row.id) : `|${derivative(row.id)}|`} = ${v}`;
}

function drawRow(node, row, group) {
  const kind = group ? "scope" : row.kind, lines = row.slope === undefined ? 3 : 4, top = -node.h / 2 + (lines === 4 ? 14 : 15);
  const texts = {tag: text("tag", top), title: text("title", top + 15), value: text("value", top + 30), slope: lines === 4 ? text("slope", top + 44) : null};
  const inside = group ? data.groups[group].items - 1 : 0;
  const tag = group ? `scope of ${inside + 1} nodes ⊕` : row.kind === "op" ? row.op : row.op === "param" || row.op === "input" || row.op === "const" ? kinds[row.kind] : `${kinds[row.kind]}: ${row.op}`;
  const known = named(row.say);
  texts.title.append(make.svg("tspan.name", {}, cut(row.name, 34)), known && !group ? cut(` = ${known}`, 34 - Math.min(row.name.length, 33)) : "");
  const g = make.svg(`g.node.${kind}`, {transform: `translate(${node.x} ${node.y})`, tabindex: 0, role: "button", "data-id": node.id},
    outline(kind, node.w, node.h), Object.values(texts));
  const act = () => group ? toggle(group) : select(row.id);
  g.addEventListener("click", e => { if (!picture.dragged) { e.stopPropagation(); act(); } });
  g.addEventListener("keydown", e => { if (e.key === "Enter") { e.preventDefault(); act(); } });
  const update = () => {
    texts.value.textContent = row.value === undefined ? "" : `= ${brief(row.value)}`;
    const origin = row === state.origin || (group && state.origin && groupsAround(state.origin.id).includes(group));
    texts.tag.textContent = origin ? "nan begins here" : tag;
    g.classList.toggle("origin", Boolean(origin));
    g.classList.toggle("bad", badness(row) > 0);
    if (texts.slope) texts.slope.textContent = cut(sayBriefly(row), 40);
    g.setAttribute("aria-label", group ? `scope ${row.name}, closed` : `${row.name}, ${row.kind}, ${valueText(row.value)}${row.slope === undefined ? "" : `, ${derivative(row.id)} ${valueText(row.slope)}`}${row === state.origin ? ", nan begins here" : ""}`);
  };
  return {element: g, update, node};
}

function drawEdgeBox(node, edge) {
  const say = make.svg("text.local", {x: 0, y: -4}), gradient = make.svg("text.local", {x: 0, y: 12});
  const g = make.svg("g.gradient", {transform: `translate(${node.x} ${node.y})`, "data-id": node.id}, make.svg("title", {}), picture.direction ? make.svg("rect.behind-words", {x: -node.w / 2, y: -14, width: node.w}) : null, say, gradient);
  const update = () => {
    const told = edge.local ? named(edge.say) : named(edge.say, "g"), v = !edge.local ? "" : `${isScalar(edge.gradient) ? "=" : "norm"} ${brief(edge.gradient, true)}`;
    say.textContent = cut(edge.local ? told : `g → ${told}`, 26);
    gradient.textContent = v === `= ${told}` ? "" : v;
    g.firstChild.textContent = sayLocal(edge);
    g.querySelector("rect")?.setAttribute("height", gradient.textContent ? 31 : 15);
  };
  return {element: g, update, node};
}

function drawPort(node, id) {
  return {node, update: () => {}, element: make.svg("g.port", {transform: `translate(${node.x} ${node.y})`, "data-id": node.id},
    make.svg("rect.face", {x: -node.w / 2, y: -node.h / 2, width: node.w, height: node.h, rx: node.h / 2}), make.svg("text.local", {x: 0, y: 4}, cut(name(id), 34)))};
}

function drawNode(node) {
  const id = Number(node.id.slice(1));
  if (node.id[0] === "r") return drawRow(node, rows.get(id), 0);
  if (node.id[0] === "b") return drawRow(node, rows.get(data.groups[id].row), id);
  if (node.id[0] === "p") return drawPort(node, id);
  return node.id[0] === "q" ? drawPort(node, edgeOf.get(id).to) : drawEdgeBox(node, edgeOf.get(id));
}

function drawFrame(f, again) {
  const group = Number(f.id.slice(1)), row = rows.get(data.groups[group].row), close = () => toggle(group);
  const g = make.svg("g.frame", {"data-id": f.id}, make.svg("rect", {x: f.x, y: f.y, width: f.w, height: f.h, rx: 8}),
    make.svg("g.fold", {tabindex: 0, role: "button", "aria-label": `close scope ${row.name}`}, make.svg("text", {x: f.x + 12, y: f.y + 19}, `⊖ ${row.name}`)));
  if (again) g.lastChild.remove(); // its name stands where it begins
  else {
    g.lastChild.addEventListener("click", close);
    g.lastChild.addEventListener("keydown", e => { if (e.key === "Enter") close(); });
  }
  return g;
}

// A line to the box of a local gradient goes on to where the next one starts: the words stand above and below it.
function drawLine(l, all) {
  const [x, y, ...rest] = l.points, next = l.head[0] === "e" ? all.find(o => o.tail === l.head && o.group === l.group) : null, ends = l.head[0] !== "e";
  const d = `M${x} ${y}C${rest.join(" ")}${next ? `L${next.points[0]} ${next.points[1]}` : ""}`;
  const xs = l.points.filter((_, i) => i % 2 === 0).concat(next ? next.points[0] : []);
  return inBands(Math.min(...xs), Math.max(...xs), () => {
    const path = make.svg("path.line", {d, "marker-end": ends ? "url(#arrow)" : undefined});
    picture.lines.push({...l, element: path});
    return path;
  });
}

function drawPicture() {
  const all = compose(0), svg = picture.svg;
  picture.items.clear();
  picture.lines = [];
  breakLines(all);
  svg.replaceChildren(make.svg("defs", {}, clips(), ["arrow", "arrow-lit"].map(id => make.svg("marker", {id, class: id, markerWidth: 8, markerHeight: 8, refX: 1, refY: 4, orient: "auto", markerUnits: "userSpaceOnUse"},
    make.svg("path", {d: "M0 0.5L8 4L0 7.5z"})))));
  svg.append(make.svg("g", {}, all.frames.map(f => { let first = true; return inBands(f.x, f.x + f.w, () => { const g = drawFrame(f, !first); first = false; return g; }); })), make.svg("g", {}, all.lines.map(l => drawLine(l, all.lines))));
  const nodes = make.svg("g", {});
  for (const node of all.nodes) {
    const item = drawNode(node);
    picture.items.set(node.id, item);
    nodes.append(item.element);
    item.update();
  }
  svg.append(nodes);
  picture.whole = {x: -margin, y: -margin, w: all.w + 20, h: all.h + 20};
}

// ---- Looking at it ----

// The room on the page: width, and the most height.
function roomFor() {
  const width = picture.svg?.parentElement?.clientWidth || innerWidth - 42;
  return [width - 24, Math.max(220, Math.round(innerHeight * (innerWidth < 700 ? 0.62 : 0.55)))];
}
// Where the picture goes on beyond the edge, an arrow says so, and leads there.
const sides = {left: ["←", -0.7, 0], right: ["→", 0.7, 0], up: ["↑", 0, -0.7], down: ["↓", 0, 0.7]};
function makeSides() {
  picture.sides = Object.entries(sides).map(([side, [arrow, x, y]]) => make(`button.more.${side}`, {"aria-label": `the graph goes on: ${side}`, title: "The graph goes on here", onclick: () => {
    const v = picture.view;
    show({...v, x: v.x + x * v.w, y: v.y + y * v.h});
  }}, arrow));
  return picture.sides;
}
function showSides(v) {
  const {x, y, w, h} = picture.whole, beyond = [v.x - x, x + w - v.x - v.w, v.y - y, y + h - v.y - v.h];
  picture.sides.forEach((b, i) => { b.hidden = beyond[i] <= 10; });
}
function show(view) {
  picture.view = view;
  showSides(view);
  picture.svg.setAttribute("viewBox", [view.x, view.y, view.w, view.h].map(v => Math.round(v * 100) / 100).join(" "));
}
// Large enough to be read, from the start; or all of it. What goes on beyond the edge is told.
function fit(all) {
  const {w, h} = picture.whole, [room, most] = roomFor(), width = room + 24;
  const across = width / w, whole = Math.min(1.25, across, most / h), least = across < 0.7 ? picture.scale : Math.min(picture.scale, across);
  const scale = all ? whole : Math.max(least, whole), height = Math.min(most, Math.ceil(h * scale));
  picture.svg.setAttribute("height", height);
  show({x: picture.whole.x - Math.max(0, width / scale - w) / 2, y: picture.whole.y, w: width / scale, h: height / scale});
}
function zoom(by, cx, cy) {
  const v = picture.view, x = cx ?? v.x + v.w / 2, y = cy ?? v.y + v.h / 2, k = Math.min(8, Math.max(by, 0.1));
  show({x: x - (x - v.x) / k, y: y - (y - v.y) / k, w: v.w / k, h: v.h / k});
}
function lookAt(id) {
  const item = picture.items.get(id), v = picture.view;
  if (!item) return;
  const {x, y, w, h} = item.node;
  if (x - w / 2 < v.x || x + w / 2 > v.x + v.w || y - h / 2 < v.y || y + h / 2 > v.y + v.h) show({...v, x: x - v.w / 2, y: y - v.h / 2});
}

// The direction in which more of the whole is seen.
function turnToFit() {
  const [room, most] = roomFor(), seen = [0, 1].map(k => {
    const [, w, h] = data.layout[0][k], scale = k ? 0 : lineScale(w, h);
    return scale ? Math.min(1, floor(most / (h + bandGap) / scale) / ceil(w * scale / room)) : Math.min(room / w, most / h);
  });
  picture.direction = seen[1] > seen[0] || innerWidth < 700 ? 1 : 0;
}

// Lights rows and edges, by what stands for them.
function light(ids, edges) {
  const lit = new Set(ids.map(standIn)), way = new Set();
  for (const edge of edges) {
    lit.add(`e${edge.id}`).add(`q${edge.id}`);
    const ends = id => new Set([`r${id}`, `p${id}`, `q${edge.id}`, ...groupsAround(id).map(g => `b${g}`)]), tails = ends(edge.to), heads = ends(edge.from);
    for (const l of picture.lines)
      if (l.tail === `e${edge.id}` || l.head === `e${edge.id}` || (tails.has(l.tail) && heads.has(l.head))) way.add(l);
  }
  for (const [id, item] of picture.items) item.element.classList.toggle("lit", lit.has(id));
  for (const l of picture.lines) {
    l.element.classList.toggle("lit", way.has(l));
    if (l.element.hasAttribute("marker-end")) l.element.setAttribute("marker-end", way.has(l) ? "url(#arrow-lit)" : "url(#arrow)");
  }
}
function markSelected() {
  for (const [id, item] of picture.items) item.element.classList.toggle("selected", state.selected !== null && id === standIn(state.selected));
}

function redraw() {
  drawPicture();
  fit();
  markSelected();
  refreshSteps();
}
function toggle(group) {
  if (!picture.open.delete(group)) picture.open.add(group);
  redraw();
  (picture.items.get(`b${group}`)?.element ?? picture.svg.querySelector(`[data-id="b${group}"] .fold`))?.focus();
}
function reveal(id) {
  const closed = groupsAround(id).filter(g => !isOpen(g));
  closed.forEach(g => picture.open.add(g));
  if (closed.length) redraw();
}

function watchMouse(svg) {
  const at = e => { const r = svg.getBoundingClientRect(), v = picture.view; return [v.x + (e.clientX - r.left) / r.width * v.w, v.y + (e.clientY - r.top) / r.height * v.h]; };
  let from = null;
  svg.addEventListener("wheel", e => {
    if (!e.ctrlKey && !e.metaKey) return; // else the page scrolls
    e.preventDefault();
    zoom(exp(-e.deltaY / 300), ...at(e));
  }, {passive: false});
  svg.addEventListener("pointerdown", e => { from = {x: e.clientX, y: e.clientY, view: picture.view}; picture.dragged = false; });
  addEventListener("pointermove", e => {
    if (!from || e.buttons !== 1) return;
    const k = from.view.w / svg.clientWidth, dx = e.clientX - from.x, dy = e.clientY - from.y;
    if (abs(dx) + abs(dy) < 5 && !picture.dragged) return;
    picture.dragged = true;
    show({...from.view, x: from.view.x - dx * k, y: from.view.y - dy * k});
  });
  addEventListener("pointerup", () => { from = null; });
}
