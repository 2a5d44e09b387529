// Two things that the components cannot do by themselves. Runs as it stands, with no library.
(() => {
  "use strict";
  let removals = 0;

  // A document's × writes its id into the hidden field that the server listens to.
  document.addEventListener("click", (event) => {
    const button = event.target.closest ? event.target.closest("[data-remove]") : null;
    const field = document.querySelector("#removal textarea, #removal input");
    if (!button || !field) return;
    button.disabled = true;
    removals += 1;
    field.value = `${button.dataset.remove} ${removals}`;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  });

  // Files dropped anywhere on the page go where files dropped on the entry go.
  const entry = () => document.querySelector("#entry input[type=file]");
  const hasFiles = (event) => event.dataTransfer && [...event.dataTransfer.types].includes("Files");
  const mark = (on) => document.documentElement.classList.toggle("dropping", on);
  window.addEventListener("dragover", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    mark(true);
  });
  window.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) mark(false);
  });
  window.addEventListener("drop", (event) => {
    mark(false);
    if (!hasFiles(event) || event.defaultPrevented) return;
    event.preventDefault();
    const input = entry();
    if (!input) return;
    input.files = event.dataTransfer.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  });
})();
