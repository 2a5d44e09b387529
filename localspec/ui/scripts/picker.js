// The menu of the heading that picks a model: opened and closed, moved through by arrow keys. What is in it, and the
// button, are drawn again by the server: the focus stays where it was. Runs as it stands, with no library.
(() => {
  "use strict";
  const one = (selector) => document.querySelector(selector);
  const box = () => one("#picker");
  const toggle = () => one("#status [data-picker=toggle]");
  const path = () => one("#picker-file .path");
  const isOpen = () => Boolean(box() && "open" in box().dataset);
  const items = () => [...document.querySelectorAll("#picker-menu [role^=menuitem]")];
  let said = 0;

  // The server looks at what lies on the disk while the menu is open. It is told a moment later: a press that closes
  // the menu has the hidden field first.
  const say = () => {
    clearTimeout(said);
    said = setTimeout(() => {
      const button = one(`#picker-file [data-picker-says=${isOpen() ? "open" : "closed"}]`);
      if (button) button.click();
    }, isOpen() ? 0 : 300);
  };
  const tell = () => {
    const button = toggle();
    if (button) button.setAttribute("aria-expanded", String(isOpen()));
    const file = one("#picker-menu [data-picker=file]");
    if (file) file.setAttribute("aria-expanded", String(!path().hidden));
  };
  const place = () => {
    const under = toggle().getBoundingClientRect();
    const left = Math.min(under.left, window.innerWidth - box().offsetWidth - 8);
    box().style.left = `${Math.max(8, left)}px`;
    box().style.top = `${under.bottom + 4}px`;
  };
  const focusOn = (item) => {
    for (const other of items()) other.tabIndex = other === item ? 0 : -1;
    if (item) item.focus();
  };
  const first = () => items().find((item) => item.getAttribute("aria-checked") === "true") || items()[0];
  const open = (last) => {
    if (!box() || !toggle() || isOpen()) return;
    box().dataset.open = "";
    tell();
    place();
    focusOn(last ? items()[items().length - 1] : first());
    say();
  };
  // `quietly`: what was pressed tells the server itself.
  const close = (back, quietly) => {
    if (!isOpen()) return;
    delete box().dataset.open;
    path().hidden = true;
    tell();
    if (back && toggle()) toggle().focus();
    if (quietly) clearTimeout(said);
    else say();
  };
  const showPath = (on) => {
    path().hidden = !on;
    tell();
    if (on) one("#picker-path").focus();
    else focusOn(one("#picker-menu [data-picker=file]"));
  };
  // The dialog of settings opens at a tab (`views.js`).
  const settings = (tab) => window.localspec.settings(tab);

  document.addEventListener("click", (event) => {
    const target = event.target.closest ? event.target : null;
    const hit = (selector) => target && target.closest(selector);
    if (hit("#status [data-picker=toggle]")) return isOpen() ? close(true) : open(false);
    const leads = hit("[data-settings]");
    if (leads) {
      close(false, "press" in leads.dataset);
      return settings(leads.dataset.settings);
    }
    if (hit("#picker [data-picker=file]")) return showPath(path().hidden);
    if (hit("#picker [data-picker=load]")) return one("#picker-path").value.trim() ? close(true, true) : one("#picker-path").focus();
    if (hit("#picker [role^=menuitem]")) return close(true, Boolean(hit("[data-press]")));
    if (isOpen() && !hit("#picker")) close(false);
    return undefined;
  });
  // Before `page.js` reads what a press says.
  document.addEventListener("click", (event) => {
    const load = event.target.closest ? event.target.closest("#picker [data-picker=load]") : null;
    if (!load) return;
    const typed = one("#picker-path").value.trim();
    if (typed) load.dataset.press = `model:file=${encodeURIComponent(typed)}`;
    else delete load.dataset.press;
  }, true);
  // Before `keys.js`: Escape closes the menu, and ends no answer.
  document.addEventListener("keydown", (event) => {
    if (event.isComposing || !event.target.closest) return;
    const closed = event.target.closest("#status [data-picker=toggle]") && !isOpen();
    if (closed && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      event.preventDefault();
      open(event.key === "ArrowUp");
      return;
    }
    if (!isOpen()) return;
    if (event.key === "Escape") {
      event.preventDefault();
      if (event.target.closest("#picker .path")) showPath(false);
      else close(true);
      return;
    }
    if (event.target.id === "picker-path") {
      if (event.key === "Enter") {
        event.preventDefault();
        one("#picker [data-picker=load]").click();
      }
      return;
    }
    const all = items();
    const at = all.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at < 0 ? all.length - 1 : at - 1, Home: 0, End: all.length - 1 }[event.key];
    if (to === undefined || !all.length || event.target.closest("#picker .path")) return;
    event.preventDefault();
    focusOn(all[(to + all.length) % all.length]);
  }, true);

  // What was focused is drawn again without the focus: the same item has it then, or the first.
  let last = null;
  const keyOf = (node) => node.dataset.item || node.dataset.picker || node.dataset.press || node.dataset.settings || "";
  document.addEventListener("focusin", (event) => {
    const root = event.target.closest ? event.target.closest("#picker-menu, #status") : null;
    last = root ? { root: `#${root.id}`, key: keyOf(event.target) } : null;
    if (isOpen() && !event.target.closest("#picker, #status")) close(false);
  });
  document.addEventListener("pointerdown", (event) => {
    if (!event.target.closest || !event.target.closest("#picker, #status")) last = null;
  }, true);
  const restore = () => {
    tell();
    if (!last || document.activeElement !== document.body) return;
    const root = one(last.root);
    const same = root && [...root.querySelectorAll("button")].find((node) => keyOf(node) === last.key);
    const found = same || (isOpen() ? first() : toggle());
    if (!found) return;
    if (found.closest("#picker-menu")) focusOn(found);
    else found.focus();
  };
  const watch = () => {
    const heading = one("#heading");
    if (heading && box() && toggle()) new MutationObserver(restore).observe(heading, { childList: true, subtree: true });
    else setTimeout(watch, 100);
  };
  watch();
  window.addEventListener("resize", () => { if (isOpen()) place(); });
})();
