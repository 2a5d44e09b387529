// What the next question is read with: a press in the menu by the entry goes into the field that questions carry. Runs as
// it stands, with no library.
(() => {
  "use strict";
  document.addEventListener("click", (event) => {
    const opens = event.target.closest ? event.target.closest(".active-library [data-view]") : null;
    if (opens) opens.closest("details").open = false;
    const button = event.target.closest ? event.target.closest("[data-read]") : null;
    const field = document.querySelector("#read textarea, #read input");
    if (!button || !field) return;
    field.value = button.dataset.read;
    field.dispatchEvent(new Event("input", { bubbles: true }));
    const menu = button.closest("details");
    for (const other of menu.querySelectorAll("[data-read]")) other.setAttribute("aria-pressed", String(other === button));
    menu.querySelector(".picked").textContent = button.textContent;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
})();
