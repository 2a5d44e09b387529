// Buttons that copy a text: it stands in `data-copy`, and what the button then says for a moment in `data-copied`.
(() => {
  "use strict";
  document.addEventListener("click", async (event) => {
    const button = event.target.closest ? event.target.closest("[data-copy]") : null;
    if (!button || button.textContent === button.dataset.copied) return;
    await navigator.clipboard.writeText(button.dataset.copy);
    const label = button.textContent;
    button.textContent = button.dataset.copied;
    setTimeout(() => { button.textContent = label; }, 2000);
  });
})();
