// Buttons that open a cited passage: they write their name, behind a count that makes every press different, into the
// hidden field that the server listens to. The dialog that it sends for the latest press is opened over the page.
(() => {
  "use strict";
  let presses = 0;
  let watching = null;

  const show = () => {
    const dialog = document.querySelector("#passage dialog.passage");
    if (!dialog || dialog.open || dialog.dataset.count !== String(presses)) return;
    presses += 1; // it is opened once
    dialog.showModal();
    const cited = dialog.querySelector("mark");
    if (cited) cited.scrollIntoView({ block: "center" });
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest ? event.target.closest("#chat button.cite") : null;
    if (!button) return;
    const field = document.querySelector("#cite textarea, #cite input");
    const place = document.querySelector("#passage");
    if (!field || !place) return;
    if (!watching) {
      watching = new MutationObserver(show);
      watching.observe(place, { childList: true, subtree: true });
    }
    presses += 1;
    field.value = `${presses} ${button.getAttribute("name")}`;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  });
  // Escape closes it without us; so do its button, and a click beside it.
  document.addEventListener("click", (event) => {
    const dialog = event.target.closest ? event.target.closest("dialog.passage") : null;
    if (!dialog) return;
    const inside = dialog.getBoundingClientRect();
    const beside = event.target === dialog && (event.clientX < inside.left || event.clientX > inside.right
      || event.clientY < inside.top || event.clientY > inside.bottom);
    if (beside || event.target.closest("[data-close]")) dialog.close();
  });
})();
