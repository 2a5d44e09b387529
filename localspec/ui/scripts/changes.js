// Keeps the page as the server has it: hears that something has changed, checks what, and looks where Gradio is to draw
// it: a look costs the browser a tenth of a second of a core. Says when the server is silent, or another one than this
// page came from. Runs as it stands, with no library.
(() => {
  "use strict";
  const LEAST = 250;  // milliseconds between two looks
  const SHARE = 4;  // and so many times what the last one took: drawing must not take its time from the model
  const LEAST_CHECK = 150;  // the same of checks
  const SHARE_CHECK = 12;
  const MOST = 2000;  // milliseconds that either waits for that
  const SELDOM = 1500;  // between two looks that only draw more beautifully what is there
  const SHARE_SELDOM = 15;
  const URGENT = 3000;
  const HIDDEN = 3000;  // a window that nobody sees looks seldom
  const PATIENCE = 15000;  // a look that nothing came of is given up
  const order = { answer: 1, all: 2 };
  let wanted = "";
  let asked = 0;
  let sent = "";
  let began = 0;  // of the look under way; 0 when there is none
  let earliest = 0;
  let ended = 0;
  let urgent = 0;  // until then nothing waits: an answer was stopped
  let cost = 0;  // milliseconds that the last look took
  let timer = 0;

  // The address names the chat, so that a page that is loaded again shows it.
  const address = () => new URLSearchParams(location.hash.slice(1)).get("chat") || "";
  let begun = "";
  try { begun = sessionStorage.getItem("chat") || ""; } catch { /* nothing was kept */ }
  const follow = () => {
    const line = document.querySelector("#address [data-chat]");
    const chat = line ? line.dataset.chat : null;
    if (chat === null) return;
    // A page that is loaded again before the first answer has begun knows its chat by this.
    try { sessionStorage.setItem("chat", line.dataset.token); } catch { /* only by its address */ }
    if (chat === address()) return;
    history.replaceState(null, "", chat ? `#chat=${chat}` : location.pathname + location.search);
  };
  // What the page is told beside what it shows lies in one element.
  const observe = () => {
    const told = document.querySelector("#told");
    if (!told) { setTimeout(observe, 50); return; }
    const tell = () => { follow(); document.dispatchEvent(new Event("localspec-told")); };
    new MutationObserver(tell).observe(told, { subtree: true, childList: true, attributes: true, characterData: true });
    tell();
  };
  observe();

  const field = (kind) => document.querySelector(kind === "answer" ? "#grown textarea, #grown input" : "#changed textarea, #changed input");
  const look = () => {
    timer = 0;
    if (!wanted) return;
    const into = field(wanted);
    if (!into) return;
    const now = performance.now();
    if (began) return;  // its end looks again
    began = now;
    asked += 1;
    sent = `${asked} ${address() || begun}`;
    into.value = sent;
    const kind = wanted;
    const own = asked;
    wanted = "";
    into.dispatchEvent(new Event("input", { bubbles: true }));
    // One that nothing came of would keep the page from looking for good.
    setTimeout(() => { if (began && asked === own) { looked(); soon(kind); } }, PATIENCE);
  };
  const soon = (kind) => {
    if (!order[kind]) return;
    if (!wanted || order[kind] > order[wanted]) wanted = kind;
    if (timer || began) return;
    const pause = document.hidden ? HIDDEN : 0;
    timer = setTimeout(look, Math.max(pause, earliest - performance.now(), 0));
  };
  // Once the page has what it asked for, and has drawn it.
  const looked = () => {
    cost = began ? performance.now() - began : 0;
    began = 0;
    ended = performance.now();
    earliest = ended < urgent ? ended : ended + Math.max(LEAST, Math.min(MOST, SHARE * cost));
    if (wanted) soon(wanted);
  };
  const drawn = (then) => {
    if (document.hidden) setTimeout(then, 100);
    else requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(then, 0)));
  };

  // What is heard is checked: what has come of an answer that is written, and what else is new. Markup is drawn here; only
  // where one of Gradio's fields is to change, the page looks. Meanwhile nothing else may be on its way, which could be
  // older and come later.
  let heard = "";
  let running = 0;  // requests of Gradio's that are on their way
  let requests = 0;
  const missed = [];  // what could not be drawn here is looked for
  const again = [];  // what was not drawn, or may not have come, is asked for again; "*" is everything
  const redraw = (markup) => {
    for (const [id, content] of Object.entries(markup)) {
      const into = document.querySelector(`#${CSS.escape(id)} .drawn`);
      if (into) into.innerHTML = content;
      else missed.push(id);
    }
  };
  let checks = false;
  let next = 0;
  let waiting = 0;
  const check = async () => {
    waiting = 0;
    const kind = heard;
    const line = document.querySelector("#address [data-session]");
    const grows = line ? window.localspec.growing.asks() : "";
    heard = "";
    if (kind === "all" && !line) soon("all");
    const looks = kind === "all" && !running;  // their end checks again
    if (!line || (!looks && !grows)) return;
    checks = true;
    const start = performance.now();
    const before = requests;
    try {
      const asks = `session=${line.dataset.session}${looks ? `&look=1&missed=${missed.splice(0)}&again=${again.splice(0)}` : ""}${grows}`;
      const reply = await fetched(`/localspec/check?${asks}`, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
      const found = reply.ok ? await reply.json() : { drawn: looks ? null : {} };
      if (requests === before) redraw(found.drawn || {});
      else again.push(...Object.keys(found.drawn || {}));
      if (found.of) window.localspec.growing.draw(found);
      if (!found.drawn) soon("all");
      else if (missed.length || again.length) heard = "all";
      const rested = performance.now() - ended > Math.max(SELDOM, SHARE_SELDOM * cost);
      if (found.worth && rested) soon("answer");
    } catch {  // the server is silent: the events tell so
      if (looks) again.push("*");
    }
    drawn(() => {
      checks = false;
      const now = performance.now();
      next = now < urgent ? now : now + Math.max(LEAST_CHECK, Math.min(MOST, SHARE_CHECK * (now - start)));
      if (heard) checkSoon(heard);
    });
  };
  const checkSoon = (kind) => {
    if (!order[kind]) return;
    if (!heard || order[kind] > order[heard]) heard = kind;
    if (waiting || checks) return;
    const pause = document.hidden ? HIDDEN : 0;
    waiting = setTimeout(check, Math.max(pause, next - performance.now(), 0));
  };
  document.addEventListener("localspec-growing", () => checkSoon("answer"));
  // An answer is stopped at once: Gradio's own request comes later, and finds it stopped.
  document.addEventListener("click", (event) => {
    const line = document.querySelector("#address [data-session]");
    if (!line || !event.target.closest || !event.target.closest("#entry .stop-button")) return;
    window.localspec.growing.says(line.dataset.stopping);
    fetched("/localspec/stop", { method: "POST", body: line.dataset.session }).catch(() => {});
    urgent = performance.now() + URGENT;
    next = earliest = 0;
    clearTimeout(waiting);
    waiting = 0;
    checkSoon("all");
  }, true);
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    clearTimeout(timer);
    clearTimeout(waiting);
    timer = waiting = 0;
    if (wanted) soon(wanted);
    if (heard) checkSoon(heard);
  });

  // What a page does can change other things than those that its handler speaks of.
  const fetched = window.fetch.bind(window);
  window.fetch = async (...given) => {
    const target = String(given[0] && given[0].url ? given[0].url : given[0]);
    const runs = target.includes("/run/predict");
    const own = runs && given[1] && String(given[1].body || "").includes(JSON.stringify(sent));
    if (runs) {
      running += 1;
      requests += 1;
    }
    try {
      return await fetched(...given);
    } finally {
      if (runs) running -= 1;
      // What it brought may bring more.
      if (own) drawn(() => { looked(); checkSoon("all"); });
      else if (runs) setTimeout(() => checkSoon("all"), 30);
    }
  };

  // One tab of a browser listens for all of them: a browser opens six connections to a server, not one more.
  const channel = new BroadcastChannel("localspec-changes");
  let known = "";
  const instance = async () => {
    try {
      const reply = await fetched("/localspec/instance", { cache: "no-store", signal: AbortSignal.timeout(10000) });
      if (reply.status === 401) return "refused";
      return reply.ok ? (await reply.json()).instance : "";
    } catch {
      return "";
    }
  };
  const dialog = () => document.querySelector("#watch dialog");
  // Whoever quits is told by another dialog.
  const quits = () => {
    const box = document.querySelector("#quit dialog");
    return box && box.open && box.dataset.step !== "ask";
  };
  const show = (step) => {
    const box = dialog();
    if (!box || quits()) return;
    box.dataset.step = step;
    if (!box.open) box.showModal();
  };
  let meeting = false;
  const meet = async (tries = 0) => {
    if (meeting && !tries) return;
    meeting = true;
    const now = await instance();
    if (!now) {
      if (tries >= 1) show("silent");
      setTimeout(() => meet(tries + 1), 3000);
      return;
    }
    meeting = false;
    if (now !== "refused" && !known) known = now;
    if (now !== known) { show("again"); return; }
    if (dialog() && dialog().open) dialog().close();
    soon("all");
  };
  const hear = (kind) => {
    if (kind === "hello" || kind === "lost") meet();
    else checkSoon(kind);
  };
  channel.addEventListener("message", (event) => hear(event.data));
  const listen = () => new Promise(() => {  // until the tab is gone
    const source = new EventSource("/localspec/changes");
    const tell = (kind) => { channel.postMessage(kind); hear(kind); };
    source.addEventListener("hello", () => tell("hello"));
    source.addEventListener("message", (event) => tell(event.data));
    let again = 0;
    source.addEventListener("error", () => {
      tell("lost");
      // A server that refuses ends it; one that is silent is asked again by the browser.
      if (source.readyState === EventSource.CLOSED && !again) again = setTimeout(() => { again = 0; listen(); }, 3000);
    });
  });
  if (navigator.locks) navigator.locks.request("localspec-changes", listen);
  else listen();
  meet();

  document.addEventListener("click", (event) => {
    const button = event.target.closest ? event.target.closest("[data-watch]") : null;
    if (button) location.assign("/");
  });
  // Nothing here can be gone on with: neither dialog is closed by the Escape key.
  document.addEventListener("cancel", (event) => {
    if (event.target === dialog()) event.preventDefault();
  }, true);

  // A page that may come back from the browser's memory is still one.
  window.addEventListener("pagehide", (event) => {
    const line = document.querySelector("#address [data-session]");
    if (line && !event.persisted) navigator.sendBeacon("/localspec/leave", line.dataset.session);
  });
  window.addEventListener("pageshow", (event) => { if (event.persisted) meet(); });

  window.localspec = Object.assign(window.localspec || {}, { address, look: () => checkSoon("all") });
})();
