// What the components cannot do by themselves. Runs as it stands, with no library.
(() => {
  "use strict";
  let presses = 0;
  const focusSoon = (selector, tries = 60) => {
    const found = document.querySelector(selector);
    if (found) found.select ? found.select() : found.focus();
    if (found && found.focus) found.focus();
    if (!found && tries) setTimeout(() => focusSoon(selector, tries - 1), 50);
  };

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
    // What is asked then may stand further down.
    if (!removes && button.dataset.press.startsWith("embedder:ask=")) focusSoon("#embedders .asked .press");
  });

  // Buttons about chats write a count, their name and what they are about into a field of their own. Inside answers only
  // the attribute "name" survives the cleaning.
  const act = (wanted) => {
    const field = document.querySelector("#act textarea, #act input");
    if (!field) return;
    presses += 1;
    field.value = `${presses} ${wanted}`;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest ? event.target.closest("[data-act], #chat button.act") : null;
    if (!button) return;
    const wanted = button.dataset.act || button.getAttribute("name") || "";
    // What was typed for it goes with it.
    const field = document.querySelector(`input[data-typed="${CSS.escape(wanted)}"]`);
    act(field ? `${wanted} ${field.value}` : wanted);
    if (button.dataset.asks) focusSoon(`input[data-typed="${CSS.escape(button.dataset.asks)}"]`);
    if (/^(edit|rewrite|undo)\b/.test(wanted)) focusSoon("#entry textarea");
  });
  document.addEventListener("keydown", (event) => {
    const name = event.target.dataset ? event.target.dataset.typed : undefined;
    if (name === undefined || event.isComposing) return;
    if (event.key === "Enter") act(`${name} ${event.target.value}`);
    if (event.key === "Escape") act("keep");
  });
  // A button inside markup that stands for another one, such as a field for files.
  document.addEventListener("click", (event) => {
    const button = event.target.closest ? event.target.closest("[data-opens]") : null;
    const other = button && document.querySelector(button.dataset.opens);
    if (other) other.click();
  });

  // The list of chats is shown where there is room, unless the person has said otherwise.
  const tellChats = () => {
    const button = document.querySelector("#toggle-chats");
    const on = !document.documentElement.classList.contains("no-chats");
    if (button) button.setAttribute("aria-expanded", String(on));
    else setTimeout(tellChats, 50); // the page is being made
  };
  const showChats = (on) => {
    document.documentElement.classList.toggle("no-chats", !on);
    tellChats();
  };
  showChats(window.innerWidth > 1000 && document.documentElement.dataset.chats !== "closed");
  document.addEventListener("click", (event) => {
    const target = event.target.closest ? event.target : null;
    const isShown = !document.documentElement.classList.contains("no-chats");
    if (target && target.closest("#toggle-chats")) {
      showChats(!isShown);
      document.dispatchEvent(new CustomEvent("localspec:keep", { detail: { chats: !isShown } }));
    } else if (target && isShown && window.innerWidth <= 1000 && target.closest("#chat-column, #chats .open, #new-chat")) {
      showChats(false);  // it lies over the chat there
    }
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
