// The four steps, one after the other.
const passes = ["Given", "Forward pass", "Local gradients", "Backward pass", "Update"];
const passHelp = ["the numbers one starts with", "the value of every node", "how each node changes with each of its operands",
  "from the loss back, by the chain rule", "against the gradient"];

function makeSteps() {
  const all = [...rows.values()], leaf = row => !row.say, seen = all.filter(isVisible), steps = [];
  const given = seen.filter(row => leaf(row) && row.value !== undefined && row !== loss);
  if (given.length) steps.push({pass: 0, rows: given.map(r => r.id), edges: [], say: () => given.length > 12 ? `${given.length} inputs and parameters` : given.map(r => `${r.name} = ${valueText(r.value)}`).join(", ")});
  for (const row of seen.filter(r => !leaf(r)))
    steps.push({pass: 1, rows: [row.id], edges: (byUser.get(row.id) || []), say: () => sayForward(row)});
  for (const row of seen.filter(r => !leaf(r) && standIn(r.id)[0] === "r").reverse())
    for (const edge of byUser.get(row.id) || [])
      if (edge.say !== undefined) steps.push({pass: 2, rows: [edge.to, edge.from], edges: [edge], say: () => sayLocal(edge)});
  for (const row of seen.filter(r => r.slope !== undefined).reverse()) {
    const into = byOperand.get(row.id) || [];
    const note = into.length > 1 ? `${row.name} is used ${into.length} times: what each use hands back is added.` : "";
    steps.push({pass: 3, rows: [row.id, ...into.map(e => e.from)], edges: into, say: () => sayBackward(row), note});
  }
  for (const id of data.wrt.filter(k => rows.has(k)))
    steps.push({pass: 4, rows: [id], edges: [], say: () => sayUpdate(rows.get(id))});
  return steps;
}

const walk = {steps: [], at: 0, timer: 0};
const longList = 400; // more steps are listed around the one at hand

function refreshSteps() {
  const before = walk.steps[walk.at];
  walk.steps = makeSteps();
  const same = before ? walk.steps.findIndex(s => s.pass === before.pass && s.rows[0] === before.rows[0] && s.edges[0] === before.edges[0]) : 0;
  go(Math.max(0, same), true);
  listSteps();
}

function listSteps() {
  const {list} = walk, first = walk.steps.length > longList ? Math.max(0, walk.at - 60) : 0;
  const window = walk.steps.slice(first, walk.steps.length > longList ? walk.at + 60 : undefined);
  let pass = -1, items = [];
  list.replaceChildren();
  for (const [i, step] of window.entries()) {
    if (step.pass !== pass) {
      items = make("ol", {start: 1});
      list.append(make("h3", {}, passes[pass = step.pass], make("small", {}, ` ${passHelp[pass]}`)), items);
    }
    items.append(make("li", {}, make("button.step", {"data-step": first + i, onclick: () => go(first + i)}, step.say())));
  }
  markStep();
}

function markStep(still) {
  for (const b of walk.list.querySelectorAll(".step")) {
    const is = Number(b.dataset.step) === walk.at;
    if (is) b.setAttribute("aria-current", "step");
    else b.removeAttribute("aria-current");
    if (is && !still) {
      const box = walk.list, top = b.offsetTop - box.offsetTop;
      if (top < box.scrollTop || top + b.offsetHeight > box.scrollTop + box.clientHeight) box.scrollTop = top - box.clientHeight / 2;
    }
  }
}

function go(at, still) {
  walk.at = Math.max(0, Math.min(at, walk.steps.length - 1));
  const step = walk.steps[walk.at];
  if (!step) return;
  walk.place.textContent = `${passes[step.pass]} · step ${walk.at + 1} of ${walk.steps.length}`;
  walk.sentence.textContent = step.say();
  walk.note.textContent = step.note || "";
  light(step.rows, step.edges);
  if (!still) lookAt(standIn(step.rows[0]));
  if (walk.steps.length > longList && !still) listSteps();
  markStep(still);
}
function play() {
  if (walk.timer) { clearInterval(walk.timer); walk.timer = 0; }
  else {
    if (walk.at === walk.steps.length - 1) go(0);
    walk.timer = setInterval(() => walk.at < walk.steps.length - 1 ? go(walk.at + 1) : play(), 1800);
  }
  walk.play.textContent = walk.timer ? "❚❚ pause" : "▶ play";
}

function makeWalk() {
  const button = (label, text, act, key) => make("button", {"aria-label": label, title: `${label} (${key})`, onclick: act}, text);
  walk.place = make("p.place", {id: "place"});
  walk.sentence = make("p.sentence", {id: "sentence", "aria-live": "polite"});
  walk.note = make("p.note", {id: "step-note"});
  walk.list = make("div.steps", {id: "steps", tabindex: 0, role: "group", "aria-label": "all steps"});
  walk.play = button("Play", "▶ play", play, "space");
  return make("section.walk", {id: "walk", "aria-label": "Step by step"},
    make("div.bar", {}, button("First step", "«", () => go(0), "Home"), button("Step back", "‹", () => go(walk.at - 1), "←"),
      button("Step on", "›", () => go(walk.at + 1), "→"), button("Last step", "»", () => go(walk.steps.length), "End"), walk.play, walk.place),
    walk.sentence, walk.note);
}
