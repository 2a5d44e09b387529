// Files for the next question: taken from drops, the file dialog and the clipboard before Gradio sees them, so that they
// are uploaded at once and named above the entry. Runs as it stands, with no library.
(() => {
  "use strict";
  let count = 0;
  const send = (action) => {
    const field = document.querySelector("#attach-act textarea, #attach-act input");
    if (!field) return;
    count += 1;
    field.value = JSON.stringify({ count, ...action });
    field.dispatchEvent(new Event("input", { bubbles: true }));
  };
  const note = (text) => {
    let line = document.querySelector("#upload-note");
    if (!line) {
      line = document.createElement("div");
      line.id = "upload-note";
      line.setAttribute("role", "status");
      document.body.appendChild(line);
    }
    line.textContent = text;
    line.hidden = !text;
  };
  const words = () => document.querySelector("#folder-rules").dataset;
  const upload = async (files) => {
    const form = new FormData();
    for (const file of files) form.append("files", file);
    const prefix = (window.gradio_config && window.gradio_config.api_prefix) || "/gradio_api";
    const answer = await fetch(`${prefix}/upload`, { method: "POST", body: form });
    if (!answer.ok) throw new Error((await answer.text()).slice(0, 200) || String(answer.status));
    return answer.json();
  };
  const take = async (list) => {
    const files = [...list];
    if (!files.length) return;
    const largest = Number(words().largest);
    const refused = files.filter((file) => file.size > largest).map(({ name, size }) => ({ name, size }));
    const small = files.filter((file) => file.size <= largest);
    note(small.length ? words().sending : "");
    try {
      const paths = small.length ? await upload(small) : [];
      send({ do: "add", files: small.map((file, at) => ({ path: paths[at], name: file.name })), refused });
    } catch (error) {
      const why = String((error && error.message) || error);
      send({ do: "add", files: [], refused: [...refused, ...small.map(({ name, size }) => ({ name, size, why }))] });
    } finally {
      note("");
    }
  };
  const hasFiles = (data) => data && [...data.types].includes("Files");
  const isEntry = (node) => node && node.closest && node.closest("#entry");

  window.addEventListener("change", (event) => {
    const input = event.target;
    if (!isEntry(input) || input.type !== "file") return;
    event.stopImmediatePropagation();
    const files = [...input.files];
    input.value = "";
    take(files);
  }, true);
  // Behind the listener of `libraries.js`, which takes folders.
  window.addEventListener("drop", (event) => {
    if (!hasFiles(event.dataTransfer)) return;
    const inside = event.target && event.target.closest ? event.target.closest("input[type=file], .upload-container") : null;
    if (inside && !isEntry(inside)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    document.documentElement.classList.remove("dropping");
    event.target.dispatchEvent(new DragEvent("dragleave", { bubbles: true }));
    take(event.dataTransfer.files);
  }, true);
  window.addEventListener("paste", (event) => {
    if (!isEntry(event.target) || !hasFiles(event.clipboardData) || !event.clipboardData.files.length) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    take(event.clipboardData.files);
  }, true);
  document.addEventListener("click", (event) => {
    const button = event.target.closest ? event.target.closest("[data-attached]") : null;
    if (!button) return;
    button.disabled = true;
    send({ do: "remove", key: button.dataset.attached });
    const field = document.querySelector("#entry textarea");
    if (field) field.focus();
  });
})();
