// The page itself.
const root = document.documentElement;
const isDark = () => root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;

function refreshNumbers() {
  findOrigin();
  for (const update of fields) update();
  for (const item of picture.items.values()) item.update();
  listSteps();
  walk.sentence.textContent = walk.steps[walk.at]?.say() ?? "";
  refreshDetail();
  refreshTables();
  refreshDescent();
  refreshAlert();
}
function theme() {
  root.dataset.theme = isDark() ? "light" : "dark";
  refreshDetail();
}
function turn() {
  picture.direction = 1 - picture.direction;
  redraw();
}
function openAll() {
  const all = data.groups.map((_, g) => g).filter(g => data.layout[g]), closed = all.filter(g => !isOpen(g));
  picture.open = new Set(closed.length ? all : [0]);
  redraw();
}

// Names that begin with the text come first.
function find(input, again) {
  const text = input.value.toLowerCase(), hits = text ? [...rows.values()].filter(row => row.name.toLowerCase().includes(text)) : [];
  hits.sort((a, b) => !a.name.toLowerCase().startsWith(text) - !b.name.toLowerCase().startsWith(text));
  picture.hit = again && hits.length ? ((picture.hit ?? -1) + 1) % hits.length : 0;
  picture.found.textContent = !text ? "" : hits.length ? `${picture.hit + 1} of ${hits.length}` : "none";
  if (!hits.length) return;
  select(hits[picture.hit].id);
  lookAt(standIn(hits[picture.hit].id));
}

function makeGraph() {
  const button = (label, text, act) => make("button", {"aria-label": label, title: label, onclick: act}, text);
  picture.svg = make.svg("svg", {id: "graph", role: "group", "aria-label": "the graph", width: "100%"});
  watchMouse(picture.svg);
  picture.found = make("output.found", {});
  picture.search = make("input", {type: "search", id: "search", placeholder: "find a node (/)", "aria-label": "find a node by name"});
  picture.search.addEventListener("input", () => find(picture.search));
  picture.search.addEventListener("keydown", e => { if (e.key === "Enter") find(picture.search, true); });
  const out = data.nodes - rows.size;
  return make("section", {id: "picture", "aria-label": "The graph"},
    make("div.bar", {}, picture.search, picture.found, make("span.push", {}), data.groups.length > 1 ? button("Open or close all scopes (o)", "⊕ scopes", openAll) : null,
      button("Left to right, or top down (t)", "⇄ turn", turn), button("Zoom out (-)", "−", () => zoom(0.8)), button("Zoom in (+)", "+", () => zoom(1.25)), button("See all of it (0)", "fit", () => fit(true))),
    make("div.canvas", {}, picture.svg, makeSides()),
    out ? make("p.note", {id: "left-out"}, `Of ${data.nodes.toLocaleString("en")} nodes ${out.toLocaleString("en")} are left out here: of each picture those nearest to its start and to its end are shown. chainrule explain --json has all.`) : null);
}

function makePage() {
  detail.alert = make("p.alert", {id: "alert", role: "alert"});
  detail.alert.hidden = true;
  detail.findings = make("section.findings", {id: "findings", "aria-label": "What one asks first"});
  detail.box = make("section", {id: "detail", "aria-live": "polite"});
  detail.movers = make("section.wide", {});
  detail.parameters = make("section", {id: "parameters"});
  detail.table = make("div.wide", {});
  detail.all = make("details", {id: "all"}, make("summary", {}, `All nodes as a table`), detail.table);
  detail.all.open = rows.size <= 60;
  detail.all.addEventListener("toggle", refreshTables);
  const shapes = make("p.legend", {}, ["parameter", "input", "constant", "op", "loss"].map(kind => {
    const svg = make.svg("svg", {viewBox: "-18 -10 36 20", width: 30, height: 17, "aria-hidden": "true"}, make.svg(`g.node.${kind}`, {}, outline(kind, 32, 16)));
    return make("span", {}, svg, ` ${kind}`);
  }), make("span.value-word", {}, "value"), make("span.local-word", {}, "local gradient"), make("span.slope-word", {}, `gradient of ${loss.name}`), program.some((_, place) => count(place) > 3) ? make("span", {}, "|…| norm of a tensor") : null);
  document.getElementById("page").append(
    make("header", {}, make("div", {}, make("h1", {}, data.title), make("p", {}, `How each gradient of ${loss.name} comes about`)), make("button", {id: "theme", "aria-label": "light or dark", title: "Light or dark", onclick: theme}, "◐")),
    detail.alert, detail.findings, makeWalk(), makeGraph(), shapes, detail.box,
    make("div.columns", {}, make("section", {"aria-label": "All steps"}, make("h2", {}, "All steps"), walk.list), make("div", {}, makeChange(), makeDescent() ?? "", detail.movers)), detail.parameters,
    make("section", {}, detail.all),
    make("footer", {}, "Keys: ← → Home End walk the steps, space plays, / finds, + − 0 zoom, t turns the graph, o opens scopes, d takes a step of descent. Ctrl and the wheel zoom, dragging moves."));
}

const keys = {ArrowRight: () => go(walk.at + 1), ArrowLeft: () => go(walk.at - 1), Home: () => go(0), End: () => go(walk.steps.length), " ": play, "/": () => picture.search.focus(),
  "+": () => zoom(1.25), "=": () => zoom(1.25), "-": () => zoom(0.8), 0: () => fit(true), t: turn, o: openAll, d: () => { if (descent.curve) descend(1); }, Escape: () => { state.selected = null; redraw(); refreshDetail(); }};
addEventListener("keydown", e => {
  if (e.ctrlKey || e.metaKey || e.altKey || !keys[e.key]) return;
  if (e.target.closest("input, select, textarea")) { if (e.key === "Escape") e.target.blur(); return; }
  if (e.key === " " && e.target.closest("button, summary, [role=button]")) return;
  e.preventDefault();
  keys[e.key]();
});
addEventListener("resize", () => { clearTimeout(picture.timer); picture.timer = setTimeout(redraw, 100); });
addEventListener("beforeprint", () => { detail.all.open = true; refreshTables(); fit(true); });

if (data.live) compute();
state.disagreement = data.live ? disagreement() : null;
state.history = [snapshot()];
makePage();
if (data.nodes <= 16) data.groups.forEach((_, g) => { if (data.layout[g]) picture.open.add(g); });
turnToFit();
redraw();
refreshNumbers();
