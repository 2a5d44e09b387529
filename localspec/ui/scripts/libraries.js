// Buttons about libraries, folders that are dropped, and the library that a window used last. Runs as it stands.
(() => {
  "use strict";
  let count = 0;

  // What is pressed goes to the server as JSON in a hidden field; a count makes every press different.
  const send = (action) => {
    const field = document.querySelector("#shelf-act textarea, #shelf-act input");
    if (!field) return false;
    count += 1;
    field.value = JSON.stringify({ count, ...action });
    field.dispatchEvent(new Event("input", { bubbles: true }));
    return true;
  };
  const libraryOf = (node) => {
    const part = node.closest("[data-library]");
    return part ? part.dataset.library : "";
  };
  const focusSoon = (selector, tries = 60) => {
    const found = document.querySelector(selector);
    if (found) {
      found.scrollIntoView({ block: "nearest" });
      found.focus();
      found.select();
    } else if (tries) setTimeout(() => focusSoon(selector, tries - 1), 50);
  };
  const press = (button) => {
    const name = button.dataset.shelf;
    const typed = document.querySelector(`#shelf input[data-shelf-text="${name}"]`);
    send({
      do: name,
      library: libraryOf(button),
      about: button.dataset.about || "",
      text: typed ? typed.value : button.dataset.text || "",
    });
    if (name === "ask-new" || name === "ask-rename") focusSoon(`#shelf input[data-shelf-text="${name.slice(4)}"]`);
  };
  document.addEventListener("click", (event) => {
    const target = event.target.closest ? event.target : null;
    const button = target && target.closest("[data-shelf]");
    if (button) press(button);
  });
  document.addEventListener("keydown", (event) => {
    const input = event.target;
    if (event.isComposing) return;
    const name = input.dataset ? input.dataset.shelfText : undefined;
    if (name === undefined) return;
    if (event.key === "Enter") send({ do: name, library: libraryOf(input), about: "", text: input.value });
    if (event.key === "Escape") send({ do: "keep", library: libraryOf(input), about: "", text: "" });
  });

  // A window that is loaded again goes on with its library; the server knows which one was used last.
  const shown = () => {
    const line = document.querySelector("#active-library [data-library]");
    return line ? line.dataset.library : "";
  };
  const remembered = () => { try { return sessionStorage.getItem("library") || ""; } catch { return ""; } };
  const follow = () => {
    let last = "";
    const keep = () => {
      const name = shown();
      if (!name || name === last) return;
      last = name;
      try { sessionStorage.setItem("library", name); } catch { /* it is not remembered */ }
    };
    const line = document.querySelector("#active-library");
    if (!line) { setTimeout(follow, 100); return; }
    keep();
    new MutationObserver(keep).observe(line, { childList: true, subtree: true });
  };
  const goOn = (tries = 300) => {
    const name = remembered();
    if (!name) return follow();
    if (!shown() || !document.querySelector("#shelf-act textarea, #shelf-act input")) {
      if (tries) setTimeout(() => goOn(tries - 1), 100);
      return undefined;
    }
    if (name !== shown()) send({ do: "use", library: shown(), about: "", text: name, quiet: true });
    setTimeout(follow, 3000);
    return undefined;
  };
  goOn();

  // A folder that is dropped: the entry takes files only, so its files are looked up here, sent through Gradio's own
  // upload, and named to the server with their way from the folder on.
  const rules = () => document.querySelector("#folder-rules");
  const note = (text) => {
    let line = document.querySelector("#folder-note");
    if (!line) {
      line = document.createElement("div");
      line.id = "folder-note";
      line.setAttribute("role", "status");
      document.body.appendChild(line);
    }
    line.textContent = text;
    line.hidden = !text;
  };
  const ofDirectory = (directory) => new Promise((done) => {
    const reader = directory.createReader();
    const all = [];
    const next = () => reader.readEntries((some) => {
      if (!some.length) return done(all);
      all.push(...some);  // a browser gives a hundred at a time
      return next();
    }, () => done(null));
    next();
  });
  const fileOf = (entry) => new Promise((done) => entry.file(done, () => done(null)));
  const lookThrough = async (entries, kinds, most, largest) => {
    const counts = { hidden: 0, unsupported: 0, unreadable: 0, large: 0, truncated: 0 };
    const files = [];
    const waiting = entries.map((entry) => ({ entry, depth: 0 }));
    let seen = 0;
    while (waiting.length) {
      const { entry, depth } = waiting.shift();
      seen += 1;
      if (files.length >= most || seen > 40 * most || depth > 32) {
        counts.truncated = 1;
        break;
      }
      if (depth && (entry.name.startsWith(".") || entry.name.startsWith("~$"))) {
        counts.hidden += 1;
      } else if (entry.isDirectory) {
        const inside = await ofDirectory(entry);
        if (!inside) counts.unreadable += 1;
        else {
          inside.sort((a, b) => (a.name < b.name ? -1 : 1));
          waiting.unshift(...inside.map((one) => ({ entry: one, depth: depth + 1 })));
        }
      } else if (!kinds.has((/\.[^.]+$/.exec(entry.name) || [""])[0].toLowerCase())) {
        counts.unsupported += 1;
      } else {
        const file = await fileOf(entry);
        if (!file) counts.unreadable += 1;
        else if (file.size > largest) counts.large += 1;
        else files.push({ file, name: entry.fullPath.replace(/^\//, "") });
      }
    }
    return { files, counts };
  };
  const upload = async (files) => {
    const form = new FormData();
    for (const { file } of files) form.append("files", file);
    const prefix = (window.gradio_config && window.gradio_config.api_prefix) || "/gradio_api";
    const answer = await fetch(`${prefix}/upload`, { method: "POST", body: form });
    if (!answer.ok) throw new Error(`${answer.status} ${(await answer.text()).slice(0, 200)}`);
    return answer.json();
  };
  const takeIn = async (entries, library) => {
    const told = rules();
    note(told.dataset.reading);
    try {
      const kinds = new Set(told.dataset.kinds.split(" "));
      const { files, counts } = await lookThrough(entries, kinds, Number(told.dataset.most), Number(told.dataset.largest));
      const sent = [];
      while (sent.length < files.length) {
        note(told.dataset.uploading.replace("{done}", sent.length).replace("{total}", files.length));
        const some = [];
        let bytes = 0;
        while (some.length < 20 && sent.length + some.length < files.length && bytes < 3e7) {
          some.push(files[sent.length + some.length]);
          bytes += some[some.length - 1].file.size;
        }
        const paths = await upload(some);
        some.forEach(({ name }, at) => sent.push({ path: paths[at], name }));
      }
      send({ do: "dropped", library, about: "", text: "", files: sent, counts });
    } catch (error) {
      send({ do: "dropped", library, about: "", text: "", problem: String((error && error.message) || error) });
    } finally {
      note("");
    }
  };
  // Before the entry sees it, which would take a folder for a file.
  window.addEventListener("drop", (event) => {
    const items = event.dataTransfer ? [...event.dataTransfer.items] : [];
    const entries = items.map((item) => (item.webkitGetAsEntry ? item.webkitGetAsEntry() : null)).filter(Boolean);
    if (!rules() || !entries.some((entry) => entry.isDirectory)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    document.documentElement.classList.remove("dropping");
    event.target.dispatchEvent(new DragEvent("dragleave", { bubbles: true }));
    takeIn(entries, shown());
  }, true);
})();
