// Two things that the components cannot do by themselves. Runs as it stands, with no library.
(() => {
  "use strict";
  let presses = 0;

  // A document's × writes its id, and other buttons inside markup their name, into the hidden field that the server
  // listens to; a count makes every press different, and the library it was made for stands behind it, if it is about one:
  // another one may have been picked a moment ago.
  document.addEventListener("click", (event) => {
    const button = event.target.closest ? event.target.closest("[data-remove], [data-press]") : null;
    if (!button) return;
    const removes = "remove" in button.dataset;
    const name = removes ? "removal" : "press";
    const field = document.querySelector(`#${name} textarea, #${name} input`);
    const part = button.closest("[data-library]");
    if (!field || (removes && !part)) return;
    button.disabled = removes;
    presses += 1;
    field.value = `${removes ? button.dataset.remove : button.dataset.press} ${presses} ${part ? part.dataset.library : ""}`;
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
