// Hands what was checked to the draft, whose own HTML stays as it is while one writes in it.
watch("value", () => {
  const told = element.querySelector("[data-index]");
  if (told) document.dispatchEvent(new CustomEvent("wetread:checked",
    { detail: { index: told.dataset.index, html: told.innerHTML } }));
});
