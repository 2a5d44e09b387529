// Menus: `details.menu` and `details.switch`, each with a `summary` and its `.choices`. One is open at most; it floats by
// its button, and is left by Escape, by a click elsewhere, or by what was chosen. Runs as it stands, with no library.
(() => {
  "use strict";
  const MENUS = "details.menu, details.switch";
  const GAP = 4;
  let opened = null; // the open menu
  let key = "";

  const choices = (menu) => menu.querySelector(".choices");
  const items = (menu) => [...choices(menu).querySelectorAll("a[href], button, input, select, [tabindex]:not([tabindex='-1'])")]
    .filter((one) => !one.disabled && one.getClientRects().length);
  const keyOf = (menu) => {
    const part = menu.closest("[id]");
    return `${part ? part.id : ""} ${menu.dataset.key || menu.className}`;
  };
  const button = (menu) => menu.querySelector("summary");

  // Below the button where there is room, else above it, and never beyond the window.
  const place = (menu) => {
    const box = choices(menu);
    const at = button(menu).getBoundingClientRect();
    box.style.position = "fixed";
    box.style.maxHeight = `${window.innerHeight - 2 * GAP}px`;
    const { width, height } = box.getBoundingClientRect();
    const below = at.bottom + GAP;
    const top = below + height <= window.innerHeight ? below : Math.max(GAP, at.top - GAP - height);
    box.style.top = `${Math.min(top, Math.max(GAP, window.innerHeight - height - GAP))}px`;
    box.style.left = `${Math.max(GAP, Math.min(at.left, window.innerWidth - width - GAP))}px`;
    box.style.right = box.style.bottom = "auto";
  };
  const close = (menu = opened, { back = false } = {}) => {
    if (!menu) return;
    menu.open = false;
    if (menu === opened) opened = null;
    if (back) button(menu).focus({ preventScroll: true });
  };
  const open = (menu) => {
    for (const other of document.querySelectorAll(MENUS)) if (other !== menu && other.open) close(other);
    menu.open = true;
    opened = menu;
    key = keyOf(menu);
    place(menu);
  };

  document.addEventListener("click", (event) => {
    const target = event.target.closest ? event.target : null;
    const pressed = target && target.closest("summary");
    const menu = pressed && pressed.parentElement.matches(MENUS) ? pressed.parentElement : null;
    if (menu) {
      event.preventDefault(); // it is opened here, where it belongs at once
      if (menu.open) close(menu, { back: true });
      else {
        open(menu);
        const first = items(menu)[0];
        if (first) first.focus({ preventScroll: true });
      }
      return;
    }
    if (!opened) return;
    if (!target || !opened.contains(target)) close();
    // Before others hear of the click: who opens something for it goes back to the menu's button afterwards.
    else if (target.closest(".choices a, .choices button")) close(opened, { back: true });
  }, true);
  document.addEventListener("focusin", (event) => { if (opened && opened.isConnected && !opened.contains(event.target)) close(); });
  document.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    const menu = opened && opened.isConnected ? opened : null;
    const at = event.target.closest ? event.target.closest(MENUS) : null;
    if (menu && event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      close(menu, { back: true });
    } else if (at && !at.open && event.key === "ArrowDown" && event.target === button(at)) {
      event.preventDefault();
      event.target.click();
    } else if (menu && ["ArrowDown", "ArrowUp", "Home", "End"].includes(event.key) && !event.target.matches("input, textarea, select")) {
      const all = items(menu);
      const now = all.indexOf(document.activeElement);
      const next = { ArrowDown: now + 1, ArrowUp: now < 0 ? -1 : now - 1, Home: 0, End: -1 }[event.key];
      event.preventDefault();
      if (all.length) all.at(next % all.length).focus({ preventScroll: true });
    }
  }, true);

  // It stays by its button, and goes with it.
  const follow = () => {
    if (!opened || !opened.isConnected) return;
    const at = button(opened).getBoundingClientRect();
    const around = opened.parentElement.closest("#chats, .scrolls");
    const seen = around ? around.getBoundingClientRect() : { top: 0, bottom: window.innerHeight };
    if (at.bottom < seen.top || at.top > seen.bottom) close();
    else place(opened);
  };
  window.addEventListener("resize", follow);
  document.addEventListener("scroll", (event) => { if (opened && event.target.contains(opened)) follow(); }, true);

  // One that is drawn anew is open again. This runs before `focus.js` looks for the item that had the focus.
  new MutationObserver(() => {
    if (!opened || opened.isConnected) return;
    const [part, ...rest] = key.split(" ");
    const root = part ? document.getElementById(part) : document;
    if (!root || !root.querySelector("button, summary")) return; // it is drawn in a moment
    opened = null;
    const again = [...root.querySelectorAll(MENUS)].find((menu) => keyOf(menu) === [part, ...rest].join(" "));
    if (again) open(again);
  }).observe(document.documentElement, { childList: true, subtree: true });
})();
