// Hands on the clicks of buttons that a view has written: what to do, and with what. A button that
// takes something away asks once more. Some act on the page alone: another film beside this one.
element.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-do]");
  if (!button) return;
  if (button.dataset.do === "beside") {
    const card = button.closest("[data-case]"), picture = card.querySelector("img");
    if (picture) document.dispatchEvent(new CustomEvent("wetread:beside",
      { detail: { src: picture.src, words: card.dataset.words } }));
    return;
  }
  if (button.dataset.sure && !button.dataset.asked) {
    button.dataset.asked = "yes"; button.dataset.words = button.textContent;
    button.textContent = button.dataset.sure;
    setTimeout(() => { delete button.dataset.asked; button.textContent = button.dataset.words; }, 4000);
    return;
  }
  trigger("act", { ...button.dataset });
});
