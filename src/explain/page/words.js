// Numbers, names and sentences.
const rows = new Map(data.rows.map(row => [row.id, row])), loss = rows.get(data.result);
const edgeOf = new Map(data.edges.map(edge => [edge.id, edge]));
const byUser = new Map(), byOperand = new Map(); // edges: of a node, its operands; of an operand, who hands it a cotangent
for (const edge of data.edges) {
  if (!byUser.has(edge.from)) byUser.set(edge.from, []);
  byUser.get(edge.from).push(edge);
  if (edge.part === undefined) continue;
  if (!byOperand.has(edge.to)) byOperand.set(edge.to, []);
  byOperand.get(edge.to).push(edge);
}

// An element: make("p.note", {title: "..."}, children...); make.svg the same in SVG. Text is only ever set as text.
function build(space, what, attributes, children) {
  const [tag, ...classes] = what.split(".");
  const e = space ? document.createElementNS(space, tag) : document.createElement(tag);
  if (classes.length) e.setAttribute("class", classes.join(" "));
  for (const [key, v] of Object.entries(attributes || {}))
    if (key.startsWith("on")) e.addEventListener(key.slice(2), v);
    else if (v !== undefined && v !== false) e.setAttribute(key, v);
  e.append(...children.flat(Infinity).filter(c => c !== null && c !== undefined));
  return e;
}
const make = (what, attributes, ...children) => build(null, what, attributes, children);
make.svg = (what, attributes, ...children) => build("http://www.w3.org/2000/svg", what, attributes, children);

// As C's %g: -1.23457e-05, 464442, 4.64442e+11.
function format(v, digits = 6) {
  if (!Number.isFinite(v)) return isnan(v) ? "nan" : v > 0 ? "inf" : "-inf";
  const [mantissa, power] = v.toExponential(digits - 1).split("e"), e = Number(power);
  if (v === 0 || (e >= -4 && e < digits)) return String(Number(v.toPrecision(digits)));
  return `${Number(mantissa)}e${e < 0 ? "-" : "+"}${String(abs(e)).padStart(2, "0")}`;
}
const cut = (s, most) => { const c = [...s]; return c.length > most ? c.slice(0, most - 1).join("") + "…" : s; };
const count = place => size(program[place].d);
const isScalar = place => place !== undefined && value[place] && count(place) === 1;
const shape = place => `${program[place].t}[${program[place].d.join(", ")}]`;
const one = (place, i, digits) => program[place].t === "bool" ? String(value[place][i] !== 0) : format(value[place][i], digits);

// Nested lists, as the formula language has them.
function list(place, digits) {
  const d = program[place].d;
  let at = 0;
  const level = k => k === d.length ? one(place, at++, digits) : `[${Array.from({length: d[k]}, () => level(k + 1)).join(", ")}]`;
  return level(0);
}

// Range and norm: of numbers that are here, else as the program summed them up.
function summary(place) {
  const v = value[place], told = program[place].s;
  if (!v) return told || {};
  const s = {zero: 0, nan: 0, inf: 0, min: Infinity, max: -Infinity, sum: 0, squares: 0, finite: 0};
  for (const x of v) {
    if (isnan(x)) { s.nan++; continue; }
    if (isinf(x)) { s.inf++; continue; }
    s.finite++, s.zero += x === 0, s.min = Math.min(s.min, x), s.max = Math.max(s.max, x), s.sum += x, s.squares += x * x;
  }
  return {...s, mean: s.sum / s.finite, norm: sqrt(s.squares), min: s.finite ? s.min : NaN, max: s.finite ? s.max : NaN};
}
const norm = place => place === undefined ? 0 : summary(place).nan ? NaN : summary(place).inf ? Infinity : summary(place).norm ?? NaN;

// A value in a sentence; in the picture, where room is short; and with every digit, for the tip of the mouse.
function valueText(place) {
  if (place === undefined) return "?";
  if (value[place] && count(place) <= 6) return list(place, 6);
  const s = summary(place);
  return `${shape(place)}, norm ${format(norm(place), 4)}${s.nan ? `, ${s.nan} nan` : ""}`;
}
function brief(place, slope) {
  if (value[place] && count(place) === 1) return one(place, 0, 6);
  const text = value[place] && count(place) <= 3 ? list(place, 4) : "";
  return text && text.length <= 22 ? text : slope ? format(norm(place), 4) : shape(place);
}
const exact = place => isScalar(place) ? String(value[place][0]) : undefined;

const name = id => rows.get(id)?.name ?? "…";
const derivative = a => `d${loss.name}/d${name(a)}`, local = edge => `∂${name(edge.from)}/∂${name(edge.to)}`;
// Puts words for the rows of a formula, and for g.
const formula = (say, put, g) => say.split(/\u0001(\d+|g)\u0002/).map((s, i) => i % 2 ? s === "g" ? g : put(Number(s)) : s);
const references = say => [...say.matchAll(/\u0001(\d+)\u0002/g)].map(m => Number(m[1]));
const named = (say, g) => formula(say, name, g).join("");
// The formula in numbers, or "": where there are tensors, or nothing to put.
function numbered(say) {
  const ids = references(say);
  if (!ids.length || !ids.every(id => isScalar(rows.get(id)?.value))) return "";
  const parts = say.split(/\u0001(\d+)\u0002/);
  return parts.map((s, i) => {
    if (i % 2 === 0) return s;
    const text = one(rows.get(Number(s)).value, 0, 6), bare = /(^|[([,]\s*)$/.test(parts[i - 1]) && !parts[i + 1].startsWith("^");
    return text.startsWith("-") && !bare ? `(${text})` : text;
  }).join("");
}
const capital = text => text[0].toUpperCase() + text.slice(1);
const factor = text => text.startsWith("-") ? `(${text})` : text;
const equals = parts => parts.filter(s => s).filter((s, i, said) => s !== said[i - 1]).join(" = ");

// ---- The sentence of each step ----

const sayForward = row => equals([row.name, named(row.say), numbered(row.say), valueText(row.value)]);
function sayLocal(edge) {
  if (!edge.local) return `${local(edge)}: g → ${named(edge.say, "g")}`;
  return equals([local(edge), named(edge.say), numbered(edge.say), valueText(edge.gradient)]);
}
// Straight from the loss there is nothing to multiply: the local gradient is the cotangent.
const isDirect = edge => edge.local && edge.from === loss.id;
const scalarEdge = edge => isScalar(rows.get(edge.from).slope) && isScalar(edge.local ? edge.gradient : edge.part);
function term(edge) {
  if (!edge.local) return [named(edge.say, derivative(edge.from)), valueText(edge.part)];
  if (isDirect(edge)) return [local(edge), valueText(edge.gradient)];
  return [`${derivative(edge.from)} * ${local(edge)}`,
    `${valueText(rows.get(edge.from).slope)} * ${factor(valueText(edge.gradient))}`];
}
function sayBackward(row) {
  const into = [...byOperand.get(row.id) || []].reverse(), terms = into.map(term);
  const numbers = into.length && into.every(scalarEdge) ? terms.map((t, i) => i ? factor(t[1]) : t[1]).join(" + ") : "";
  return equals([derivative(row.id), terms.map(t => t[0]).join(" + "), numbers, valueText(row.slope)]);
}
function sayUpdate(row) {
  if (row.slope === undefined) return `${row.name} stays as it is, since nothing depends on it`;
  const rule = `${row.name} - ${format(state.rate)} * ${derivative(row.id)}`;
  if (!isScalar(row.value) || !isScalar(row.slope)) return `${row.name} ← ${rule}`;
  const v = value[row.value][0], g = value[row.slope][0];
  return `${row.name} ← ${equals([rule, `${format(v)} - ${format(state.rate)} * ${factor(format(g))}`, format(v - state.rate * g)])}`;
}
