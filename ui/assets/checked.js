// Hands what was checked to the draft, whose own HTML stays as it is while one writes in it.
watch("value", () => {
  const reply = element.querySelector("[data-index]");
  if (reply) document.dispatchEvent(new CustomEvent("wetread:checked",
    { detail: { index: reply.dataset.index, html: reply.innerHTML } }));
});
