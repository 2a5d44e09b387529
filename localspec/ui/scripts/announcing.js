// Has what happened read out by screen readers, which hear of a change only inside an element that was there before.
// What is to be said stands in `data-say`; it is said when it appears, and not again while it stays.
(() => {
  "use strict";
  let said = "";
  const speak = () => {
    const told = [...document.querySelectorAll("[data-say]")].map((one) => one.dataset.say).join(" ");
    if (told === said) return;
    said = told;
    let line = document.querySelector("#announced");
    if (!line) {
      line = document.createElement("div");
      line.id = "announced";
      line.setAttribute("role", "status");
      document.body.append(line);
    }
    setTimeout(() => { line.textContent = told; }, 50);
  };
  let waiting = false;
  new MutationObserver(() => {
    if (waiting) return;
    waiting = true;
    setTimeout(() => { waiting = false; speak(); }, 200);
  }).observe(document.documentElement, { childList: true, subtree: true });
})();
