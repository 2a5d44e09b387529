// The chat's own buttons copy a message as it was sent to the page: as markup. What is copied is what was written
// instead, which the message holds in a comment (`elements.written`). Those of code copy what is shown, without the
// spaces at its ends: what is copied is the code itself. What screen readers are told of a message is mended likewise.
(() => {
  "use strict";
  const comment = /<!--written:([\s\S]*?)-->/g;
  let code = null;
  const decoded = (kept) => new DOMParser().parseFromString(`<pre>\n${kept}</pre>`, "text/html").body.textContent;
  const meant = (text) => {
    if (code !== null) return code;
    const written = [...text.matchAll(comment)].map((found) => decoded(found[1]));
    return written.length ? written.join("\n\n") : text;
  };
  const marked = "[aria-label*='<!--written:']";
  const name = (element) => {
    const label = element.getAttribute("aria-label");
    element.setAttribute("aria-label", label.slice(0, label.indexOf(": ") + 2) + meant(label));
  };
  new MutationObserver((changes) => {
    for (const {type, target, addedNodes} of changes) {
      if (type === "attributes" && target.matches(marked)) name(target);
      for (const node of addedNodes) {
        if (node.nodeType !== Node.ELEMENT_NODE) continue;
        if (node.matches(marked)) name(node);
        node.querySelectorAll(marked).forEach(name);
      }
    }
  }).observe(document, {subtree: true, childList: true, attributes: true, attributeFilter: ["aria-label"]});
  document.addEventListener("click", (event) => {
    const button = event.target.closest ? event.target.closest("#chat .copy_code_button") : null;
    const block = button ? button.parentElement.querySelector("code") : null;
    code = block ? block.textContent.replace(/\n$/, "") : null;
    // It is copied while the click is heard.
    if (block) setTimeout(() => { code = null; }, 0);
  }, true);
  if (navigator.clipboard) {
    const write = navigator.clipboard.writeText.bind(navigator.clipboard);
    navigator.clipboard.writeText = (text) => write(meant(text));
    return;
  }
  // Without a clipboard, as at the address of another computer, the page copies from a field of its own.
  document.addEventListener("copy", (event) => {
    const field = event.target;
    if (!(field instanceof HTMLTextAreaElement) || (code === null && !field.value.match(comment))) return;
    event.clipboardData.setData("text/plain", meant(field.value));
    event.preventDefault();
  }, true);
})();
