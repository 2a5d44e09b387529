// What goes into the entry by itself: a question that is edited or was taken back, and what was typed before the page was
// loaded again. Notices that are no problem go away. Runs as it stands, with no library.
(() => {
  "use strict";
  const NOTICE = 7000;  // milliseconds
  const field = () => document.querySelector("#entry textarea");
  const put = (text) => {
    const into = field();
    if (!into) return;
    const proto = Object.getPrototypeOf(into);
    Object.getOwnPropertyDescriptor(proto, "value").set.call(into, text);
    into.dispatchEvent(new Event("input", { bubbles: true }));
  };

  let count = 0;
  const take = () => {
    const told = document.querySelector("#typed [data-count]");
    if (!told || Number(told.dataset.count) <= count || !field()) return;
    count = Number(told.dataset.count);
    if (told.dataset.replaces === "1" || !field().value) put(told.dataset.text);
  };

  // Of each chat, what is typed and not sent.
  const key = () => `typed ${window.localspec.address()}`;
  const keep = () => { try { sessionStorage.setItem(key(), field().value); } catch { /* it is not kept */ } };
  const bring = () => {
    let text = "";
    try { text = sessionStorage.getItem(key()) || ""; } catch { /* nothing was kept */ }
    if (text && field() && !field().value) put(text);
  };

  const fading = new Set();
  const fade = () => {
    for (const note of document.querySelectorAll("#notices .notice.info")) {
      const number = note.dataset.notice;
      if (fading.has(number)) continue;
      fading.add(number);
      setTimeout(() => {
        const close = document.querySelector(`#notices [data-notice="${number}"] .close`);
        if (close) close.click();
      }, NOTICE);
    }
  };

  const begin = () => {
    const page = document.querySelector("#chat-column");
    if (!page || !field()) { setTimeout(begin, 50); return; }
    document.addEventListener("input", (event) => { if (event.target === field()) keep(); });
    // It is empty once the question is on its way.
    document.addEventListener("keyup", keep);
    document.addEventListener("click", () => setTimeout(keep, 500));
    bring();
    let last = key();
    document.addEventListener("localspec-told", () => {
      take();
      fade();
      // What was typed goes along with the page to another chat, and is gone once it is sent.
      if (key() !== last) { try { sessionStorage.removeItem(last); } catch { /* nothing was kept */ } }
      last = key();
    });
  };
  begin();
})();
