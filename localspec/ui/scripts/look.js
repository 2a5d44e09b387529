// The look of the page, before anything is painted: what was chosen stands at the root of the document. Gradio marks the
// body "dark" as the system says; the root and the body are marked here as the person says.
(() => {
  "use strict";
  const root = document.documentElement;
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  let count = 0;
  const isDark = () => root.dataset.theme === "dark" || (root.dataset.theme !== "light" && system.matches);
  const mark = (element, dark) => {
    if (element && element.classList.contains("dark") !== dark) element.classList.toggle("dark", dark);
  };
  const apply = () => {
    mark(root, isDark());
    mark(document.body, isDark());
    const scheme = isDark() ? "dark" : "light";
    if (root.style.colorScheme !== scheme) root.style.colorScheme = scheme;
  };
  const choose = (theme) => {
    root.dataset.theme = theme;
    apply();
  };
  apply();
  root.classList.toggle("no-chats", window.innerWidth <= 1000 || root.dataset.chats === "closed");
  system.addEventListener("change", apply);
  // A tab that Gradio marks anew is marked back before the next frame.
  const watchBody = () => {
    apply();
    new MutationObserver(apply).observe(document.body, { attributes: true, attributeFilter: ["class"] });
  };
  if (document.body) watchBody();
  else {
    const waiting = new MutationObserver(() => {
      if (!document.body) return;
      waiting.disconnect();
      watchBody();
    });
    waiting.observe(root, { childList: true });
  }

  // Here at once; the server keeps it, and other tabs hear of it from there.
  document.addEventListener("input", (event) => {
    if (event.target.closest && event.target.closest("#theme") && event.target.value) choose(event.target.value);
  });
  const told = () => document.querySelector("#look [data-theme]");
  const follow = () => {
    const place = document.querySelector("#look");
    if (!place) {
      setTimeout(follow, 200); // the page is being made
      return;
    }
    let last = root.dataset.theme;
    new MutationObserver(() => {
      const now = told();
      if (now && now.dataset.theme !== last) {
        last = now.dataset.theme;
        choose(last);
      }
    }).observe(place, { childList: true, subtree: true, attributes: true });
  };
  follow();

  // What is opened and closed is kept for the next tab: scripts say {chats: true}, {panel: false} or {tab: "sampling"}.
  document.addEventListener("localspec:keep", (event) => {
    const field = document.querySelector("#look-changed textarea, #look-changed input");
    if (!field) return;
    count += 1;
    field.value = JSON.stringify({ count, ...event.detail });
    field.dispatchEvent(new Event("input", { bubbles: true }));
  });
})();
