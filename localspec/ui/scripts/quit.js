// Asks before LocalSpec is stopped, and says in every window when it has. Runs as it stands, with no library.
(() => {
  "use strict";
  const windows = new BroadcastChannel("localspec");
  let ending = false;

  const dialog = () => document.querySelector("#quit dialog");
  const show = (step) => {
    const box = dialog();
    if (!box) return;
    box.dataset.step = step;
    if (!box.open) box.showModal();
  };
  const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
  const answers = async () => {
    try {
      return (await fetch("/localspec/instance", { cache: "no-store" })).ok;
    } catch {
      return false;
    }
  };

  // The server stops answering once the replies being written have ended and are kept.
  const untilStopped = async () => {
    if (ending) return;
    ending = true;
    show("stopping");
    while (await answers()) await pause(200);
    show("stopped");
  };
  const quit = async () => {
    show("stopping");
    try {
      const reply = await fetch("/localspec/quit", { method: "POST" });
      if (!reply.ok) return dialog().close();
    } catch {
      // Stopped already, in another way.
    }
    windows.postMessage("quit");
    await untilStopped();
  };

  windows.addEventListener("message", untilStopped);
  document.addEventListener("click", (event) => {
    const button = event.target.closest ? event.target.closest("[data-quit]") : null;
    if (!button) return;
    if (button.dataset.quit === "ask") show("ask");
    else if (button.dataset.quit === "now") quit();
    else dialog().close();
  });
  // Escape closes the question, and nothing else: what is said then stays.
  document.addEventListener("cancel", (event) => {
    if (ending && event.target === dialog()) event.preventDefault();
  }, true);
})();
