// Keeps the focus, what is typed, and what is unfolded where an element is drawn anew. Runs as it stands, with no library.
//
// Parts of the page are markup that the server sends again when something in it has changed: the elements go, and others
// that mean the same take their place. Which one means the same is told by what does not change: the part's id, the keys
// around an element (data-key), and what it stands for (data-act and the like).
(() => {
  "use strict";
  const CONTROLS = "a[href], button, input, select, textarea, summary, [tabindex]:not([tabindex='-1'])";
  const MEANS = ["data-act", "data-typed", "data-press", "data-remove", "data-shelf", "data-shelf-text", "data-about", "data-text", "data-opens",
    "data-copy", "href", "name", "type", "aria-label"];
  const own = (node) => node.tagName + MEANS.map((name) => `|${node.getAttribute(name) || ""}`).join("");
  const keyed = (node) => node.closest("[data-key]");
  const partOf = (node) => node.closest("[id]");
  const isShown = (node) => !node.disabled && node.getClientRects().length > 0;

  // What is known of the element that has the focus; null where nothing that could be lost has it.
  let last = null;
  const controls = (part) => [...part.querySelectorAll(CONTROLS)].filter(isShown);
  const note = (node) => {
    const part = node.parentElement ? partOf(node.parentElement) : null;
    if (!part || !node.matches(CONTROLS)) return null;
    const around = [];
    for (let key = keyed(node); key && part.contains(key); key = key.parentElement && keyed(key.parentElement)) around.push(key.dataset.key);
    const same = [...part.querySelectorAll(node.tagName)].filter((one) => own(one) === own(node));
    return { node, part: part.id, own: own(node), around, place: controls(part).indexOf(node), among: same.indexOf(node), text: node.textContent };
  };
  const typed = (node) => (node.matches("input:not([type=checkbox], [type=radio]), textarea") ? {
    value: node.value, from: node.selectionStart, to: node.selectionEnd, first: node.defaultValue } : null);

  // The element that means the same now; else the first control under the nearest key; where that is gone, too, what
  // stands in its place now.
  const successor = (was) => {
    const part = document.getElementById(was.part);
    if (!part) return null;
    const all = controls(part);
    if (!all.length) return null; // it is drawn in a moment
    const scopes = was.around.map((key) => part.querySelector(`[data-key="${CSS.escape(key)}"]`));
    const within = was.around.length ? scopes[0] : part;
    if (within) {
      const alike = [...within.querySelectorAll(CONTROLS)].filter((one) => own(one) === was.own && isShown(one));
      const exact = alike.find((one) => one.textContent === was.text) || (was.around.length ? alike[0] : alike[Math.min(was.among, alike.length - 1)]);
      if (exact) return exact;
    }
    const first = scopes[0] && controls(scopes[0])[0];
    if (first) return first;
    return all[Math.min(Math.max(was.place, 0), all.length - 1)];
  };
  const isNowhere = () => !document.activeElement || document.activeElement === document.body;
  const restore = () => {
    if (!last || last.node.isConnected || !isNowhere()) return;
    const next = successor(last);
    if (!next) return;
    const before = last.typed;
    next.focus({ preventScroll: true });
    // A field that was given no other text goes on where it was.
    const now = typed(next);
    if (before && now && own(next) === last.own && now.first === before.first) {
      next.value = before.value;
      try { next.setSelectionRange(before.from, before.to); } catch { /* of a kind without a caret */ }
    } else if (now && own(next) !== last.own) next.select();
  };

  document.addEventListener("focusin", (event) => { last = note(event.target); });
  // Where a control loses the focus and is still there, the person has left it.
  document.addEventListener("focusout", (event) => {
    const node = event.target;
    setTimeout(() => { if (last && last.node === node && node.isConnected && isNowhere()) last = null; }, 0);
  });
  document.addEventListener("pointerdown", () => { if (isNowhere()) last = null; }, true);
  document.addEventListener("input", (event) => { if (last && last.node === event.target) last.typed = typed(event.target); });
  document.addEventListener("selectionchange", () => {
    if (last && last.node === document.activeElement) last.typed = typed(last.node);
  });

  // What a person has unfolded, by its key: menus are looked after elsewhere.
  const unfolded = new Map();
  document.addEventListener("toggle", (event) => {
    const fold = event.target;
    if (!fold.matches || !fold.isConnected || !fold.matches("details[data-key]:not(.menu, .switch)")) return;
    if (fold.open && unfolded.get(fold.dataset.key) !== true) fold.scrollIntoView({ block: "nearest" });
    unfolded.set(fold.dataset.key, fold.open);
  }, true);
  const unfold = () => {
    for (const [key, open] of unfolded) {
      for (const fold of document.querySelectorAll(`details[data-key="${CSS.escape(key)}"]`)) if (fold.open !== open) fold.open = open;
    }
  };

  const lost = () => last && !last.node.isConnected && isNowhere();
  new MutationObserver((changes) => {
    // An answer that grows changes the page many times a second.
    if (unfolded.size && changes.some((change) => change.addedNodes.length)) unfold();
    if (lost()) restore();
  }).observe(document.documentElement, { childList: true, subtree: true });
})();
