// The side panel and the settings, a dialog with tabs: opened and closed. Runs as it stands, with no library.
(() => {
  "use strict";
  const root = document.documentElement;
  const one = (selector) => document.querySelector(selector);
  const keep = (detail) => document.dispatchEvent(new CustomEvent("localspec:keep", { detail }));

  // -- the panel ------------------------------------------------------------------------------------------------------
  const tellPanel = () => {
    for (const button of document.querySelectorAll("#heading [data-view=panel]")) {
      button.setAttribute("aria-expanded", String(root.classList.contains("with-panel")));
    }
    // The figures scroll by themselves: also by the arrow keys.
    const figures = one("#panel");
    if (figures) figures.tabIndex = 0;
  };
  const showPanel = (on) => {
    root.classList.toggle("with-panel", on);
    keep({ panel: on });
    tellPanel();
    if (on) window.localspec.look();
  };
  root.classList.toggle("with-panel", root.dataset.panel === "open" && window.innerWidth > 1000);

  // -- the settings ---------------------------------------------------------------------------------------------------
  let opener = null;
  const isOpen = () => root.classList.contains("with-settings");
  const tabs = () => [...document.querySelectorAll("#settings [role=tab]")];
  const pick = (name, focus) => {
    const known = tabs().some((tab) => tab.dataset.tab === name) ? name : tabs()[0].dataset.tab;
    for (const tab of tabs()) {
      const on = tab.dataset.tab === known;
      tab.setAttribute("aria-selected", String(on));
      tab.tabIndex = on ? 0 : -1;
      const shown = one(`#tab-${tab.dataset.tab}`);
      if (shown) {
        shown.classList.toggle("chosen", on);
        shown.setAttribute("role", "tabpanel");
        shown.setAttribute("aria-labelledby", tab.id);
      }
      if (on && focus) tab.focus();
    }
    if (known !== root.dataset.tab) keep({ tab: known });
    root.dataset.tab = known;
  };
  const open = (name) => {
    const box = one("#settings");
    if (!box || !tabs().length) return;
    if (!isOpen()) opener = document.activeElement;
    box.setAttribute("role", "dialog");
    box.setAttribute("aria-modal", "true");
    box.setAttribute("aria-labelledby", "settings-title");
    root.classList.add("with-settings");
    one("#columns").inert = true;
    pick(name || root.dataset.tab || "", true);
  };
  const close = () => {
    if (!isOpen()) return;
    root.classList.remove("with-settings");
    one("#columns").inert = false;
    if (opener && opener.isConnected) opener.focus();
    opener = null;
  };

  document.addEventListener("click", (event) => {
    const target = event.target.closest ? event.target : null;
    if (!target) return;
    const view = target.closest("[data-view]");
    const tab = target.closest("#settings [role=tab]");
    if (tab) pick(tab.dataset.tab, true);
    else if (view && view.dataset.view === "panel") showPanel(!root.classList.contains("with-panel"));
    else if (view && view.dataset.view === "settings") open(view.dataset.of);
    else if (view && view.dataset.view === "close-settings") close();
    else if (isOpen() && !target.closest("#settings, #columns, #told, #picker, dialog")) close();  // beside it
    else if (target.closest("#chat button[name^='figures']")) showPanel(true);
  });
  document.addEventListener("keydown", (event) => {
    const tab = event.target.closest ? event.target.closest("#settings [role=tab]") : null;
    const command = (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey;
    if (command && event.key === ",") { event.preventDefault(); if (isOpen()) close(); else open(); }
    else if (command && event.key === ".") { event.preventDefault(); showPanel(!root.classList.contains("with-panel")); }
    else if (event.key === "Escape" && isOpen() && !event.defaultPrevented && !one("dialog[open]")) {
      event.preventDefault();
      event.stopPropagation();
      close();
    } else if (tab) {
      const all = tabs();
      const at = all.indexOf(tab);
      const to = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      pick(all[(to + all.length) % all.length].dataset.tab, true);
    }
  }, true);
  const begin = () => {
    if (!one("#heading [data-view=panel]")) { setTimeout(begin, 50); return; }
    tellPanel();
  };
  begin();
  window.localspec = Object.assign(window.localspec || {}, { settings: open });
})();
