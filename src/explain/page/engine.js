// The numbers: what the program recorded, and the interpreter that computes them again when one is changed. It knows no op:
// a loop has a function of the op table and says at which strides its operands and its result stand.
const data = JSON.parse(document.getElementById("data").textContent);
const program = data.program, words = {nan: NaN, inf: Infinity, "-inf": -Infinity};
const number = v => typeof v === "string" ? words[v] : v;
const size = d => d.reduce((n, k) => n * k, 1);
const rounded = (node, v) => node.t === "f32" ? v.map(Math.fround) : v;
const recorded = program.map(node => node.v ? rounded(node, Float64Array.from(node.v, number)) : null);
const value = program.map((node, i) => recorded[i] ? recorded[i].slice() : data.live ? new Float64Array(size(node.d)) : null);

// The place in the result and in each operand moves with the counters of the axes.
function runLoop(loop, out) {
  const {d, o, x, c: combine, p: before, i: index} = loop, f = ops[loop.f], n = loop.n || 0, rank = d.length;
  const operands = x.map(([place]) => value[place]), at = x.map(([, offset]) => offset[0]), count = new Array(rank).fill(0);
  const start = number(loop.z), total = size(d);
  let to = o[0];
  if (start !== undefined) out.fill(start);
  for (let step = 0; step < total; step++) {
    let target = to, a = operands[0] ? operands[0][at[0]] : 0;
    if (index) {
      let k = operands[1][at[1]];
      if (k < 0) k += index[2];
      if (!(k >= 0 && k < index[2])) a = NaN, k = 0;
      else if (!index[0]) a = operands[0][at[0] + k * index[1]];
      target = index[0] ? to + k * index[1] : to;
    }
    const b = operands.length > 1 ? operands[1][at[1]] : 0, e = operands.length > 2 ? operands[2][at[2]] : 0;
    if (!combine) out[target] = f(a, b, e, n);
    else out[target] = f(!before ? out[target] : count[rank - 1] ? out[target - before] : start, a, b, count[rank - 1]);
    for (let i = rank - 1; i >= 0; i--) {
      const back = ++count[i] === d[i], by = back ? 1 - d[i] : 1;
      to += by * o[i + 1];
      for (let k = 0; k < at.length; k++) at[k] += by * x[k][1][i + 1];
      if (!back) break;
      count[i] = 0;
    }
  }
}

// f32 is rounded once a node; integers have no nan.
function runNode(place) {
  const node = program[place], out = value[place];
  for (const loop of node.run) runLoop(loop, out);
  if (node.t === "f32") out.set(rounded(node, out));
  if (node.t[0] === "i") for (let i = 0; i < out.length; i++) if (!Number.isFinite(out[i])) out[i] = 0;
}
const everything = program.flatMap((node, place) => node.run ? [place] : []);
function needed(place) {
  const wanted = new Set([place]);
  for (let i = place; i >= 0; i--)
    if (wanted.has(i) && program[i].run) for (const loop of program[i].run) for (const [from] of loop.x) wanted.add(from);
  return everything.filter(i => wanted.has(i));
}
const compute = (places = everything) => places.forEach(runNode);

// Does the interpreter say what the program said? If ever not, the page tells. Where terms cancel, what is left of them is noise.
function disagreement() {
  let worst = null;
  for (const place of everything) {
    if (!recorded[place]) continue;
    const tolerance = program[place].t === "f32" ? 1e-4 : 1e-12, scale = recorded[place].reduce((m, v) => Number.isFinite(v) ? Math.max(m, abs(v)) : m, 0);
    value[place].forEach((v, i) => {
      const r = recorded[place][i];
      if (!(Object.is(v, r) || v === r || abs(v - r) <= tolerance * Math.max(abs(r), scale * 1e-3) || abs(v - r) < tolerance * 1e-3)) worst = worst ?? place;
    });
  }
  return worst;
}
