// The panel for a first visit stays closed for who has closed it once.
const panel = element.querySelector("details"), KEY = "wetread-seen";
try { if (localStorage.getItem(KEY)) panel.open = false; } catch { /* a browser may forbid it */ }
panel.addEventListener("toggle", () => {
  try { if (!panel.open) localStorage.setItem(KEY, "yes"); } catch { /* then it opens each time */ }
});
