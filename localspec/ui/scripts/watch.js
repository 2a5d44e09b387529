// Notices that the server is silent, or another one than this page came from. Runs as it stands, with no library.
(() => {
  "use strict";
  const PAUSE = 3000;
  let known = "";
  let silent = 0;

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

  // "" while it is silent, "refused" when it wants another secret than this page has.
  const asked = async () => {
    try {
      const reply = await fetch("/localspec/instance", { cache: "no-store", signal: AbortSignal.timeout(10 * PAUSE) });
      if (reply.status === 401) return "refused";
      return reply.ok ? (await reply.json()).instance : "";
    } catch {
      return "";
    }
  };
  const look = async () => {
    const now = await asked();
    silent = now ? 0 : silent + 1;
    if (now && now !== "refused" && !known) known = now;
    if (now && now !== known) show("again");
    else if (silent >= 2) show("silent");
    else if (now && dialog() && dialog().open) dialog().close();
    setTimeout(look, PAUSE);
  };
  look();

  document.addEventListener("click", (event) => {
    const button = event.target.closest ? event.target.closest("[data-watch]") : null;
    if (button) location.assign("/");
  });
  // Nothing here can be gone on with: neither dialog is closed by the Escape key.
  document.addEventListener("cancel", (event) => {
    if (event.target === dialog()) event.preventDefault();
  }, true);
})();
