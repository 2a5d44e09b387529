// The chat's own buttons copy a message as it was sent to the page: with the markup of its passages and notes, and with
// the marks of its formulas. What is copied is what was written instead.
(() => {
  "use strict";
  let copies = 0;
  const code = /(^ {0,3}(`{3,}|~{3,})[^\n]*\n[\s\S]*?(?:^ {0,3}\2[`~]*[ \t]*$|$(?![\s\S]))|`[^`\n]+`)/m;
  const decoded = (markup) => new DOMParser().parseFromString(`<pre>\n${markup}</pre>`, "text/html").body.textContent;
  const words = (markup) => decoded(
    markup
      .replace(/<button [^>]*class="cite marker"[^>]*name="cite (\d+)"[^>]*>\d+<\/button>/g, "[$1]")
      .replace(/<button[\s\S]*?<\/button>/g, "")
      .replace(/<br>/g, "\n"),
  )
    .replace(/\u2061\u2064([\s\S]*?)\u2064\u2061/g, "$$$$$1$$$$")
    .replace(/\u2061\u2062([\s\S]*?)\u2062\u2061/g, "$$$1$$");
  const written = (message) => {
    const asked = message.match(/<div class="question">([\s\S]*)<\/div>\s*$/);
    if (asked) return words(asked[1]);
    const parts = [];
    // What was thought stands above, and is no part of the answer.
    let rest = message.replace(/^<details class="thinking"[\s\S]*?<\/details>\s*/, "");
    while (rest) {
      const found = rest.match(code);
      const before = found ? rest.slice(0, found.index) : rest;
      // Below an answer stands what is said about it; the answer itself holds no tag but those of markers.
      const end = before.search(/<div class="/);
      parts.push(words(end < 0 ? before : before.slice(0, end)));
      if (end >= 0 || !found) break;
      parts.push(found[0]);
      rest = rest.slice(found.index + found[0].length);
    }
    return parts.join("").trim();
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest ? event.target.closest("#chat button") : null;
    copies = button && !button.matches(".copy_code_button, .cite, .act") ? Date.now() : 0;
  }, true);
  const clipboard = navigator.clipboard;
  if (!clipboard) return;
  const write = clipboard.writeText.bind(clipboard);
  clipboard.writeText = (text) => write(Date.now() - copies < 1000 ? written(text) : text);
})();
