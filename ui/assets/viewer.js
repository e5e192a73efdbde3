// The film viewer: window and level, invert, zoom, pan, boxes, a ruler, another film beside.
// The page's HTML is written by ui/film_view.py; this adds what a hand does. Settings belong to a
// film: they stay while the same film is shown, and begin anew with another.
const FRESH = { window: 100, level: 50, invert: false, boxes: true, tool: "level", zoom: 1, x: 0, y: 0 };
const NS = "http://www.w3.org/2000/svg";
let film = null, view = { ...FRESH }, marks = [], chosen = null, drag = null;
const one = (selector) => element.querySelector(selector);
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

// A filter of this page, so that window and level are exact: grey = slope * grey + intercept.
const defs = document.createElementNS(NS, "svg");
defs.setAttribute("width", 0); defs.setAttribute("height", 0); defs.setAttribute("aria-hidden", "true");
defs.style.position = "absolute";
defs.innerHTML = '<filter id="wetread-levels" color-interpolation-filters="sRGB"><feComponentTransfer>' +
  ["R", "G", "B"].map((c) => `<feFunc${c} type="linear" slope="1" intercept="0"/>`).join("") +
  "</feComponentTransfer></filter>";
document.body.appendChild(defs);

function draw() {
  const root = one(".viewer");
  if (!root) return;
  const slope = (view.invert ? -1 : 1) * 100 / view.window;
  const intercept = 0.5 - slope * view.level / 100;
  for (const f of defs.querySelectorAll("feComponentTransfer > *")) {
    f.setAttribute("slope", slope); f.setAttribute("intercept", intercept);
  }
  const plain = view.window === 100 && view.level === 50 && !view.invert;
  one(".plate img").style.filter = plain ? "" : "url(#wetread-levels)";
  one(".plate").style.transform = `translate(${view.x}px, ${view.y}px) scale(${view.zoom})`;
  one(".stage").dataset.tool = view.tool;
  for (const [name, on] of [["level", view.tool === "level"], ["pan", view.tool === "pan"],
    ["invert", view.invert], ["boxes", view.boxes]])
    one(`.tools [data-do=${name}]`)?.setAttribute("aria-pressed", on);
  for (const name of ["window", "level"]) one(`[data-set=${name}]`).value = view[name];
  one("output").textContent = `W ${Math.round(view.window)} L ${Math.round(view.level)} · ${view.zoom.toFixed(1)}×`;
  ruler(root);
  drawBoxes(root);
}

function ruler(root) {
  const wide = parseFloat(root.dataset.wide), bar = one(".ruler");
  bar.hidden = !wide;
  if (!wide) return;
  const perMm = one(".plate").offsetWidth * view.zoom / wide;
  const length = [200, 100, 50, 20, 10, 5, 2, 1].find((mm) => mm * perMm <= 160) || 1;
  bar.querySelector("i").style.width = `${length * perMm}px`;
  bar.querySelector("span").textContent = `${length} mm`;
}

function drawBoxes(root) {
  const svg = one(".boxes"), plate = one(".plate");
  const shown = view.boxes && root.dataset.boxed === "yes" ? marks : [];
  const high = plate.offsetHeight / Math.max(plate.offsetWidth, 1) * 512;
  svg.setAttribute("viewBox", `0 0 512 ${high}`);
  svg.replaceChildren();
  const numbers = new Map();
  for (const mark of shown) for (const box of mark.boxes) {
    const key = box.join();
    numbers.set(key, { box, action: mark.action, sentences: [...(numbers.get(key)?.sentences || []), mark.number] });
  }
  for (const { box, action, sentences } of numbers.values()) {
    const [left, top, right, bottom] = box;
    const kind = sentences.includes(chosen) ? `${action} chosen` : action;
    const rect = document.createElementNS(NS, "rect");
    const size = { x: left * 512, y: top * high, width: (right - left) * 512, height: (bottom - top) * high };
    for (const [name, value] of Object.entries(size)) rect.setAttribute(name, value);
    rect.setAttribute("class", kind);
    const text = document.createElementNS(NS, "text");
    text.setAttribute("x", left * 512); text.setAttribute("y", Math.max(top * high - 6, 20));
    text.setAttribute("class", kind);
    text.textContent = [...new Set(sentences)].join(", ");
    svg.append(rect, text);
  }
}

function zoomTo(zoom, at) {
  const stage = one(".stage").getBoundingClientRect(), plate = one(".plate");
  const point = at || { x: plate.offsetLeft + plate.offsetWidth / 2, y: stage.height / 2 };
  const next = clamp(zoom, 0.5, 12), ratio = next / view.zoom;
  const x = point.x - plate.offsetLeft, y = point.y - plate.offsetTop;
  view.x = x - (x - view.x) * ratio; view.y = y - (y - view.y) * ratio; view.zoom = next;
  draw();
}

function act(name) {
  if (name === "level" || name === "pan") view.tool = name;
  else if (name === "invert" || name === "boxes") view[name] = !view[name];
  else if (name === "reset") view = { ...FRESH, tool: view.tool };
  else if (name === "in") return zoomTo(view.zoom * 1.25);
  else if (name === "out") return zoomTo(view.zoom / 1.25);
  draw();
}

element.addEventListener("click", (event) => {
  const button = event.target.closest("[data-do]");
  if (!button) return;
  if (button.dataset.do === "film") trigger("pick", { index: Number(button.dataset.index) });
  else if (button.dataset.do === "alone") { one(".beside").hidden = true; draw(); }
  else act(button.dataset.do);
});
element.addEventListener("input", (event) => {
  const name = event.target.dataset.set;
  if (name) { view[name] = Number(event.target.value); draw(); }
});
element.addEventListener("pointerdown", (event) => {
  const stage = event.target.closest(".stage");
  if (!stage || event.target.closest("button, .beside") || event.button > 1) return;
  const tool = event.button === 1 || event.shiftKey ? "pan" : view.tool;
  drag = { x: event.clientX, y: event.clientY, start: { ...view }, tool };
  stage.setPointerCapture(event.pointerId);
});
element.addEventListener("pointermove", (event) => {
  if (!drag) return;
  const dx = event.clientX - drag.x, dy = event.clientY - drag.y;
  if (drag.tool === "pan") { view.x = drag.start.x + dx; view.y = drag.start.y + dy; }
  else {
    view.window = clamp(drag.start.window + dx / 3, 2, 200);
    view.level = clamp(drag.start.level - dy / 4, 0, 100);
  }
  draw();
});
for (const end of ["pointerup", "pointercancel"]) element.addEventListener(end, () => { drag = null; });
element.addEventListener("wheel", (event) => {
  const stage = event.target.closest(".stage");
  // The page scrolls as ever, unless the film was chosen or Ctrl is held.
  if (!stage || !(event.ctrlKey || stage.contains(document.activeElement))) return;
  event.preventDefault();
  const box = stage.getBoundingClientRect();
  zoomTo(view.zoom * (event.deltaY < 0 ? 1.15 : 1 / 1.15), { x: event.clientX - box.x, y: event.clientY - box.y });
}, { passive: false });
element.addEventListener("keydown", (event) => {
  if (!event.target.closest(".stage") || event.ctrlKey || event.metaKey || event.altKey) return;
  const moves = { ArrowLeft: [30, 0], ArrowRight: [-30, 0], ArrowUp: [0, 30], ArrowDown: [0, -30] };
  const names = { "+": "in", "=": "in", "-": "out", "0": "reset", i: "invert", b: "boxes" };
  const levels = { "[": ["window", -5], "]": ["window", 5], "{": ["level", -3], "}": ["level", 3] };
  if (moves[event.key]) { view.x += moves[event.key][0]; view.y += moves[event.key][1]; draw(); }
  else if (levels[event.key]) {
    const [name, step] = levels[event.key];
    view[name] = clamp(view[name] + step, name === "window" ? 2 : 0, name === "window" ? 200 : 100); draw();
  }
  else if (names[event.key.toLowerCase()]) act(names[event.key.toLowerCase()]);
  else return;
  event.preventDefault();
});
document.addEventListener("wetread:boxes", (event) => { marks = event.detail; chosen = null; draw(); });
document.addEventListener("wetread:sentence", (event) => { chosen = event.detail; draw(); });
document.addEventListener("wetread:beside", (event) => {
  const other = one(".beside");
  if (!other) return;
  other.querySelector("img").src = event.detail.src;
  other.querySelector("img").alt = event.detail.words;
  other.querySelector("figcaption").innerHTML = "";
  other.querySelector("figcaption").append(event.detail.words, " ");
  const close = document.createElement("button");
  close.type = "button"; close.dataset.do = "alone"; close.textContent = "Close";
  other.querySelector("figcaption").append(close);
  other.hidden = false;
  draw();
  one(".stage").scrollIntoView({ block: "nearest" });
});
window.addEventListener("resize", draw);
function renewed() {
  const id = one(".viewer")?.dataset.film || null;
  if (id !== film) { view = { ...FRESH }; film = id; const other = one(".beside"); if (other) other.hidden = true; }
  const picture = one(".plate img");
  if (picture && !picture.complete) picture.addEventListener("load", draw, { once: true });
  draw();
}
watch("value", renewed);
renewed();
