// The draft: the viewer shows where the open sentence lies; a sentence can be accepted,
// rejected, or edited, and is checked again while it is edited.
let draft = null, open = new Set(), editing = null, timer = null;
const all = (selector) => [...element.querySelectorAll(selector)];
const item = (number) => element.querySelector(`li[data-number="${number}"]`);
const say = (name, detail) => document.dispatchEvent(new CustomEvent(`wetread:${name}`, { detail }));

function tellBoxes() {
  say("boxes", all("li[data-boxes]").map((li) => ({
    number: Number(li.dataset.number), action: li.dataset.action, boxes: JSON.parse(li.dataset.boxes),
  })).filter((mark) => mark.boxes.length));
}
function startEdit(li) {
  editing = Number(li.dataset.number);
  li.querySelector(".edit").hidden = false;
  const area = li.querySelector("textarea");
  area.value = li.querySelector("summary q").textContent;
  area.focus();
}
function endEdit() {
  const li = editing && item(editing);
  if (li) { li.querySelector(".edit").hidden = true; li.querySelector(".checked").replaceChildren(); }
  editing = null; clearTimeout(timer);
}
element.addEventListener("toggle", (event) => {
  const li = event.target.closest("li[data-number]");
  if (!li) return;
  const number = Number(li.dataset.number);
  if (event.target.open) { open.add(number); say("sentence", number); }
  else { open.delete(number); if (editing === number) endEdit(); }
}, true);
element.addEventListener("click", (event) => {
  const button = event.target.closest("[data-do]");
  if (!button) return;
  const { do: name, index } = button.dataset;
  const li = button.closest("li[data-number]");
  if (name === "edit") { endEdit(); startEdit(li); }
  else if (name === "cancel") { endEdit(); li.querySelector("summary").focus(); }
  else if (name === "save") {
    const text = li.querySelector("textarea").value;
    endEdit();
    trigger("save", { index: Number(index), text });
  }
  else if (name === "paint") trigger("repaint", {});
  else trigger("decide", { index: Number(index), how: name });
});
element.addEventListener("input", (event) => {
  const li = event.target.closest("li[data-number]");
  if (!li || event.target.tagName !== "TEXTAREA") return;
  clearTimeout(timer);
  const index = Number(li.dataset.number) - 1;
  timer = setTimeout(() => trigger("check", { index, text: event.target.value }), 600);
});
document.addEventListener("wetread:checked", (event) => {
  const li = editing && item(editing);
  if (li && Number(event.detail.index) === editing - 1) li.querySelector(".checked").innerHTML = event.detail.html;
});
function renewed() {
  const now = element.querySelector(".draft")?.dataset.draft || null;
  if (now !== draft) { open = new Set(); editing = null; draft = now; }
  for (const number of open) { const li = item(number); if (li) li.querySelector("details").open = true; }
  tellBoxes();
}
watch("value", renewed);
renewed();
