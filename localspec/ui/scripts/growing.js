// Draws the answer that is being written into the place that the chat keeps for it, and its figures into the panel:
// only what has come since the last time. Runs as it stands, with no library.
(() => {
  "use strict";
  const NEAR = 60;  // pixels from the end: whoever reads there is shown the end
  const places = document.getElementsByClassName("growing");
  const held = { of: "", from: 0, nodes: [], below: null };

  // The place says in its classes whose it is, and how many blocks stand before it.
  const place = () => {
    const found = [...places].find((one) => one.closest("#chat"));
    if (!found) return null;
    const said = (name) => ([...found.classList].find((one) => one.startsWith(`${name}-`)) || "").slice(name.length + 1);
    return { node: found, of: said("of"), from: Number(said("from")) || 0 };
  };
  const elements = (markup) => {
    const template = document.createElement("template");
    template.innerHTML = markup;
    return [...template.content.children];
  };
  const scroller = (node) => node.closest("[role=log]") || node.closest(".bubble-wrap");

  // What is known is put into a place that has been drawn anew, before anybody sees it empty.
  const fill = (into) => {
    if (held.of !== into.of) Object.assign(held, { of: into.of, from: into.from, nodes: [], below: null });
    if (into.from > held.from) held.nodes.splice(0, into.from - held.from);
    if (into.from < held.from) held.nodes = [];
    held.from = into.from;
    const wanted = [...held.nodes, ...(held.below ? [held.below] : [])];
    if (into.node.childNodes.length !== wanted.length || wanted.some((node) => node.parentNode !== into.node)) {
      into.node.replaceChildren(...wanted);
    }
  };
  const draw = (into, grown) => {
    const scrolls = scroller(into.node);
    const atEnd = scrolls && scrolls.scrollHeight - scrolls.scrollTop - scrolls.clientHeight < NEAR;
    fill(into);
    const kept = grown.at - into.from;
    for (const node of held.nodes.splice(kept)) node.remove();
    const added = grown.blocks.flatMap(elements);
    held.nodes.push(...added);
    if (!held.below) {
      held.below = document.createElement("div");
      held.below.className = "growing-below";
    }
    if (held.below.innerHTML !== grown.below) held.below.innerHTML = grown.below;
    into.node.append(...added, held.below);
    if (atEnd) scrolls.scrollTop = scrolls.scrollHeight;
  };
  const drawPanel = (grown) => {
    const panel = document.querySelector("#panel section.panel");
    if (!panel) return;
    if (panel.dataset.state !== grown.state) panel.dataset.state = grown.state;
    const [drawn] = grown.panel ? elements(grown.panel) : [];
    if (drawn) panel.replaceChildren(...drawn.childNodes);
  };

  window.localspec = Object.assign(window.localspec || {}, {
    growing: {
      // What is asked about the answer; "" where none is written here.
      asks: () => {
        const into = place();
        if (!into) return "";
        fill(into);
        const panel = document.documentElement.classList.contains("with-panel") ? "&panel=1" : "";
        return `&of=${encodeURIComponent(into.of)}&from=${into.from}&known=${into.from + held.nodes.length}${panel}`;
      },
      // Draws what came of that.
      draw: (grown) => {
        const into = place();
        if (!into || grown.of !== into.of || grown.at < into.from || grown.at > into.from + held.nodes.length) return;
        draw(into, grown);
        drawPanel(grown);
      },
      // Says that the answer ends, before the server does.
      says: (text) => {
        const into = place();
        if (!into) return;
        const note = document.createElement("div");
        note.className = "activity";
        note.textContent = text;
        draw(into, { at: into.from + held.nodes.length, blocks: [], below: note.outerHTML });
      },
    },
  });
  new MutationObserver(() => {
    const into = place();
    if (into && !into.node.childNodes.length) {
      fill(into);
      document.dispatchEvent(new Event("localspec-growing"));
    }
  }).observe(document.documentElement, { subtree: true, childList: true });
})();
