// Everything that is done often, from the keyboard. Runs as it stands, with no library.
(() => {
  "use strict";
  const one = (selector) => document.querySelector(selector);
  const entry = () => one("#entry textarea");
  const dialog = () => one("#keys dialog");
  const command = (event) => (event.ctrlKey || event.metaKey) && !event.altKey;
  const isTyping = (target) => target.closest && target.closest("textarea, select, [contenteditable=true], input:not([type=radio], [type=checkbox])");
  const press = (selector) => {
    const button = one(selector);
    if (button) button.click();
  };
  const search = () => {
    if (document.documentElement.classList.contains("no-chats")) press("#toggle-chats");
    const field = one("#search-chats textarea, #search-chats input");
    if (field) { field.focus(); field.select(); }
  };
  const show = () => {
    const box = dialog();
    if (box && !box.open && !one("dialog[open]")) box.showModal();
  };

  document.addEventListener("keydown", (event) => {
    if (event.isComposing || event.defaultPrevented || one("dialog[open]")) return;
    if (document.documentElement.classList.contains("with-settings")) return;
    const key = event.key.toLowerCase();
    if (command(event) && event.shiftKey && key === "o") press("#new-chat");
    else if (command(event) && !event.shiftKey && key === "k") search();
    else if (command(event) && !event.shiftKey && key === "b") press("#toggle-chats");
    else if (event.key === "Escape" && !event.target.closest("[data-typed]")) {
      // What is being written ends; else the hands come back to the entry.
      if (one("#entry .stop-button")) press("#entry .stop-button");
      else if (entry()) entry().focus();
    } else if (!isTyping(event.target) && !command(event) && !event.altKey && event.key === "/") {
      if (entry()) entry().focus();
    } else if (!isTyping(event.target) && !command(event) && !event.altKey && event.key === "?") show();
    else return;
    event.preventDefault();
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest ? event.target.closest("[data-keys]") : null;
    if (!button) return;
    if (button.dataset.keys === "show") show();
    else dialog().close();
  });
  // The entry is where a person is once a new chat is there.
  document.addEventListener("click", (event) => {
    if (event.target.closest && event.target.closest("#new-chat")) setTimeout(() => entry() && entry().focus(), 50);
  });
})();
