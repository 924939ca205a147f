// What one asks first, before any click: why a gradient is what it is, which parameter counts most, where gradients fade, where a
// nan comes from, and what a step of descent would come to.

// ---- Where a nan comes from ----

const badness = row => row.value === undefined ? 0 : summary(row.value).nan;
const operands = row => [...new Set((byUser.get(row.id) || []).map(e => rows.get(e.to)).filter(o => o && o.value !== undefined))];
function elementAt(row, i) { // of element i: [1, 0]
  const at = [];
  for (const n of [...program[row.value].d].reverse()) at.unshift(i % n), i = floor(i / n);
  return `[${at.join(", ")}]`;
}
// What an operand was where the nan arose; of a tensor of another shape, its range.
function sayOperand(row, of, i) {
  if (isScalar(row.value)) return equals([row.name, named(row.say), valueText(row.value)]);
  if (i >= 0 && value[row.value] && count(row.value) === count(of.value)) return `${row.name}${elementAt(row, i)} = ${one(row.value, i, 6)}${row.say ? ` with ${row.name} = ${named(row.say)}` : ""}`;
  const s = summary(row.value);
  return `${row.name}, ${shape(row.value)}, goes from ${format(s.min ?? NaN, 4)} to ${format(s.max ?? NaN, 4)}${s.inf ? ` and has ${s.inf} inf` : ""}`;
}
const sayPosition = at => at.replace(/^(.*:)?(\d+):(\d+)$/, (_, file, line, column) => `${file ? `${file.slice(0, -1)}, ` : ""}line ${line}, column ${column}`);
function sayOrigin(row) {
  const n = count(row.value), at = value[row.value]?.findIndex(isnan) ?? -1, which = n === 1 ? "" : at >= 0 ? elementAt(row, at) : "", where = row.at ? ` (${sayPosition(row.at)})` : "";
  const others = badness(row) - (which ? 1 : 0), many = n > 1 ? which && others ? ` and ${others} more of ${n} elements` : which ? "" : ` in ${others} of ${n} elements` : "";
  if (!row.say) return `nan is among the numbers given: ${row.name} is nan${which ? ` at ${which}` : ""}${many}.`;
  const why = operands(row).map(o => sayOperand(o, row, at));
  return `${row.name} = ${named(row.say)} is nan${which ? ` at ${which}` : ""}${many}${why.length ? `${n > 1 ? "," : ""} because ${why.join(" and ")}` : ""}${where}.`;
}
function sayGradientOrigin(row) {
  const edges = byOperand.get(row.id) || [], steep = edges.filter(e => e.local && isScalar(e.gradient) && !Number.isFinite(value[e.gradient][0]));
  return `The values are numbers, but a gradient is not: ${edges.length ? sayBackward(row) : derivative(row.id)}${steep.length ? `, because ${steep.map(sayLocal).join(" and ")}` : ""}.`;
}
// The first node that is nan, or has a nan gradient, although all that it is made of is not.
function findOrigin() {
  const all = [...rows.values()], first = all.find(row => badness(row) && operands(row).every(o => !badness(o)));
  const slope = first ? undefined : all.reverse().find(row => row.slope !== undefined && summary(row.slope).nan);
  state.origin = first ?? slope;
  state.nan = first ? sayOrigin(first) : slope ? sayGradientOrigin(slope) : "";
}
function refreshAlert() {
  const place = data.live ? state.disagreement : null;
  detail.alert.hidden = !state.nan && place === null;
  detail.alert.textContent = state.nan || (place === null ? "" : `This browser computes other numbers than the program did (${shape(place)}, entry ${place} of the page's program): trust the program.`);
}

// ---- Where gradients fade ----

const rms = place => norm(place) / sqrt(Math.max(1, place === undefined ? 1 : count(place)));
// From the input to the loss: each against the greatest and the least of those nearer to the loss.
function fade(gradients) {
  let most = 0, least = Infinity;
  return [...gradients].reverse().map(g => {
    const word = isnan(g) ? "nan" : !Number.isFinite(g) ? "explodes" : g === 0 ? "none" : g < 1e-3 * most ? "vanishes" : g > 1e3 * least ? "explodes" : "";
    if (g > 0 && Number.isFinite(g)) most = Math.max(most, g), least = Math.min(least, g);
    return word;
  }).reverse();
}
function isDead(row) {
  const [still, units] = row.kind === "op" ? deadUnits(row.value) : [0, 0];
  return units > 0 && (still > units / 2 || summary(row.value).zero > 0.9 * count(row.value));
}
function verdicts(list) {
  const layered = layerList().length > 0;
  return fade(list.map(row => rms(row.slope))).map((word, i) => !layered ? "" : word || (isDead(list[i]) ? "mostly dead" : ""));
}

// A parameter stands before the node that it is first used in.
const depth = row => row.kind === "parameter" ? Math.min(...(byOperand.get(row.id) || []).map(e => e.from)) - 0.5 : row.id;
function layers() {
  const told = [...rows.values()].filter(row => row.slope !== undefined && count(row.slope) > 1 && (row.kind === "parameter" || row.kind === "op")).filter(row => rows.size < 24 || row.kind === "parameter" || !/^n\d+$/.test(row.name));
  if (told.length < 2) return [];
  const at = new Map(told.map(row => [row, depth(row)]));
  return told.sort((a, b) => at.get(a) - at.get(b)).slice(-80);
}
// Layers: the parameters h.W and h.b are layer h, whose gradient is the root mean square of theirs. A tensor outside of scopes is one of its
// own; numbers alone have units of their own, and are compared with nothing.
function layerList() {
  const all = new Map();
  for (const row of rows.values()) {
    const scope = row.name.slice(0, Math.max(0, row.name.lastIndexOf(".")));
    if (row.kind !== "parameter" || row.slope === undefined || (!scope && count(row.slope) === 1)) continue;
    const name = scope || row.name, layer = all.get(name) ?? {name, scope: scope !== "", squares: 0, count: 0, at: Infinity};
    layer.squares += norm(row.slope) ** 2, layer.count += count(row.slope), layer.at = Math.min(layer.at, depth(row));
    all.set(name, layer);
  }
  const list = [...all.values()].map(layer => ({...layer, g: sqrt(layer.squares / layer.count)})).sort((a, b) => a.at - b.at);
  return list.length > 1 ? list : [];
}
// Names in a row, "z1 to z5" where many follow each other.
function nameSome(list, chosen) {
  const at = chosen.map(layer => list.indexOf(layer)), run = at.every((k, i) => i === 0 || k === at[i - 1] + 1);
  const what = chosen.every(layer => layer.scope) ? chosen.length > 1 ? "layers " : "layer " : "";
  if (chosen.length > 3 && run) return `${what}${chosen[0].name} to ${chosen.at(-1).name}`;
  return `${what}${chosen.slice(0, 6).map(layer => layer.name).join(", ")}${chosen.length > 6 ? ` and ${chosen.length - 6} more` : ""}`;
}
function wrongs() {
  const list = layerList(), word = fade(list.map(layer => layer.g)), known = list.filter(layer => layer.g > 0 && Number.isFinite(layer.g)), most = known.reduce((a, b) => !a || b.g > a.g ? b : a, null);
  const say = (w, what, compared) => {
    const chosen = list.filter((_, i) => word[i] === w), first = chosen[0];
    return first ? `${what} ${nameSome(list, chosen)}${compared && Number.isFinite(first.g) && first !== most ? ` (at ${first.name} it is ${format(first.g / most.g, 2)} of that at ${most.name})` : ""}` : "";
  };
  const grown = word.includes("explodes") && list[word.indexOf("explodes")], last = known.at(-1);
  return [say("nan", "it is nan in"), say("vanishes", "it vanishes in", true),
    grown ? `it explodes in ${nameSome(list, list.filter((_, i) => word[i] === "explodes"))}${Number.isFinite(grown.g) ? ` (at ${grown.name} it is ${format(grown.g / last.g, 2)} times that at ${last.name})` : ""}` : "",
    say("none", "none arrives in")].filter(s => s);
}
function sayHealthy() {
  const list = layerList().filter(layer => layer.g > 0 && Number.isFinite(layer.g)), by = [...list].sort((a, b) => a.g - b.g);
  if (by.length < 2) return [];
  return [`it neither vanishes nor explodes: least in ${nameSome(list, [by[0]])} (${format(by[0].g, 2)}), greatest in ${nameSome(list, [by.at(-1)])} (${format(by.at(-1).g, 2)})`];
}
const deadNames = () => layerList().length ? layers().filter(isDead).map(row => row.name) : [];

function layerTable() {
  const list = layers(), word = verdicts(list), most = Math.max(...list.map(row => rms(row.slope)).filter(Number.isFinite));
  if (!list.length) return null;
  const line = (row, i) => {
    const g = rms(row.slope), part = g / most, width = Number.isFinite(part) && part > 0 ? Math.max(1, 100 + log10(part) * 100 / 8) : 0;
    return make("tr", {class: word[i] ? "told" : undefined}, make("th", {scope: "row"}, make("button.step", {onclick: () => select(row.id)}, row.name)), cell(row.kind === "op" ? row.op : row.kind), cell(shape(row.value)),
      cell(format(rms(row.value), 3)), cell(`${format(100 * summary(row.value).zero / count(row.value), 3)} %`), cell(row.kind === "op" && deadUnits(row.value)[1] ? deadUnits(row.value).join(" of ") : ""), cell(format(g, 3)), make("td", {}, make.svg("svg.bar", {viewBox: "0 0 100 8", "aria-hidden": "true"}, make.svg("rect.bin", {x: 0, y: 0, width, height: 8}))), cell(word[i]));
  };
  return make("div", {}, make("h2", {}, "Where gradients grow and fade"), make("p", {id: "fading"}, [...(wrongs().length ? wrongs() : sayHealthy())].map(said => `The gradient: ${said}.`).join(" ")), make("p.note", {}, "Root mean square of each tensor, from the input to the loss; bars on a logarithmic scale of eight decades."),
    make("table", {id: "layers"}, make("thead", {}, make("tr", {}, ["node", "", "shape", "value", "zeros", "dead units", "gradient", "", ""].map(t => make("th", {scope: "col"}, t)))), make("tbody", {}, list.map(line))));
}

// ---- Which parameter counts ----

// What one step does to the loss through each parameter, to first order: -rate |g|^2.
function parameterTable() {
  if (descended.length < 2) return null;
  const changes = descended.map(row => ({row, change: -state.rate * norm(row.slope) ** 2})).sort((a, b) => a.change - b.change);
  return make("div", {}, make("h2", {}, "Which parameter moves the loss most"), make("p.note", {}, `At rate ${format(state.rate)}, to first order: −rate · |gradient|².`),
    make("table", {id: "movers"}, make("thead", {}, make("tr", {}, ["parameter", "shape", "gradient norm", `change of ${loss.name} in a step`].map(t => make("th", {scope: "col"}, t)))),
      make("tbody", {}, changes.slice(0, 40).map(({row, change}) => make("tr", {}, make("th", {scope: "row"}, row.name), cell(count(row.value) === 1 ? "scalar" : shape(row.value)), cell(format(norm(row.slope), 4)), cell(format(change, 4)))))));
}

// The product along each path, in one line: dloss/dw = ∂loss/∂s * ∂s/∂w = -2 * 1 = -2.
function sayWhy(row) {
  const found = row === loss || !isScalar(row.slope) ? [] : paths(row.id), terms = found.map(pathLine);
  if (!terms.length || terms.length > 4 || terms.some(t => t.product === undefined || t.way.length > 8)) return "";
  const several = terms.length > 1, part = t => several && t.way.length > 1 && t.product < 0 ? `(${format(t.product)})` : format(t.product);
  const factors = terms.map(t => t.factors.join(" * ")).join(" + "), numbers = terms.map(t => t.numbers).join(" + ");
  return equals([derivative(row.id), factors, numbers, several ? terms.map(part).join(" + ") : "", valueText(row.slope)]);
}
// The loss after one step at a rate, and what to think of it.
function sayStep(rate, now) {
  const changes = descended.flatMap(row => Array.from(value[row.slope], (g, i) => ({row, i, v: value[row.value][i] - rate * g})));
  const then = lossAt(changes), same = abs(then - now) <= 1e-12 * abs(now), moves = changes.some(({row, i, v}) => abs(v - value[row.value][i]) > 1e-9 * (1 + abs(v)));
  compute(lossSteps);
  const what = same ? moves ? ", no lower: the step leaps over the valley to the other side" : ", and rests" : then <= now ? "" : ", higher: the rate is too large";
  return `at learning rate ${format(rate)} ${loss.name} goes from ${format(now)} to ${format(then)}${what}`;
}
function sayDescent() {
  const now = lossNow(), fall = descended.reduce((sum, row) => sum + norm(row.slope) ** 2, 0) * state.rate;
  if (!descended.length || !Number.isFinite(now) || !Number.isFinite(fall)) return "";
  if (!data.live) return `at learning rate ${format(state.rate)} ${loss.name} changes by ${format(-fall, 4)}, to first order.`;
  return `${[state.rate, state.rate === 1 ? 0.1 : 1].map(rate => sayStep(rate, now)).join("; ")}.`;
}
function findings() {
  const movers = descended.filter(row => !state.nan && norm(row.slope) >= 0).sort((a, b) => norm(b.slope) - norm(a.slope)), top = movers[0], wrong = wrongs(), dead = deadNames();
  const alike = movers.filter(row => norm(row.slope) === norm(top.slope)), size = top && (isScalar(top.slope) && alike.length === 1 ? valueText(top.slope) : `of norm ${format(norm(top.slope), 4)}`);
  const most = movers.length < 2 ? "" : alike.length === movers.length ? ` All parameters move it alike: each gradient is ${size}.` : alike.length > 1 ? ` ${alike.map(row => row.name).join(", ")} move it most: each gradient is ${size}.` : ` ${top.name} moves it most: its gradient is ${size}.`;
  return [["Value", `${loss.name} = ${loss.value === undefined ? "?" : valueText(loss.value)}.${most}`],
    ["Why", !top ? "" : sayWhy(top) || (isScalar(top.slope) && movers.length === 1 ? `${derivative(top.id)} = ${valueText(top.slope)}` : "")],
    ["Gradient", state.nan ? "" : [...(wrong.length ? wrong : sayHealthy()), dead.length ? `mostly dead units: ${dead.slice(0, 6).join(", ")}` : ""].filter(s => s).map(s => `${s}.`).map(capital).join(" ")],
    ["One step", sayDescent()]].filter(([, said]) => said).map(([what, said]) => [what, what === "One step" ? capital(said) : said]);
}
function refreshTables() {
  detail.findings.replaceChildren(...findings().map(([what, said]) => make("p", {}, make("b", {}, what), make(what === "Why" ? "span.formula" : "span", {}, said))));
  detail.movers.replaceChildren(parameterTable() ?? "");
  detail.parameters.replaceChildren(layerTable() ?? "");
  if (detail.all.open) detail.table.replaceChildren(nodeTable());
}
