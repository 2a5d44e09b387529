// Buttons that open a cited passage: they write their name, behind a count that makes every press different, into the
// hidden field that the server listens to. The dialog that it sends for the latest press is opened over the page.
(() => {
  "use strict";
  let presses = 0;

  // Looked for, not observed: the component may put another element in the place of the one that is observed.
  const show = (press, tries = 600) => {
    if (press !== presses) return;
    const dialog = document.querySelector(`#passage dialog.passage[data-count="${press}"]`);
    if (!dialog) {
      if (tries) setTimeout(() => show(press, tries - 1), 50);
      return;
    }
    presses += 1; // it is opened once
    dialog.showModal();
    const cited = dialog.querySelector("mark");
    if (cited) cited.scrollIntoView({ block: "center" });
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest ? event.target.closest("#chat button.cite") : null;
    if (!button) return;
    const field = document.querySelector("#cite textarea, #cite input");
    if (!field) return;
    presses += 1;
    field.value = `${presses} ${button.getAttribute("name")}`;
    field.dispatchEvent(new Event("input", { bubbles: true }));
    show(presses);
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
